"""Whatever hangs on a member is told to them, or it is said why not; and people can read it in their language."""

import json
import zipfile

import pytest
from django.apps import apps
from django.utils.translation import override

from common.sql import execute
from members.enums import JobState
from members.models import DataExport, Member, User
from members.privacy import exemptions, export_sections
from members.privacy.labels import LABELS, WORDS
from members.services.data_exports import delete_expired, everything_about, request_export, write_due
from members.services.erasure import erase_member
from members.services.profile import MemberGone
from members.tests.factories import make_member
from tests.canary import WORD, plant

pytestmark = pytest.mark.django_db(transaction=True)
# Who did it is staff, whose own data this is not.
OF_STAFF = {
    "actor",
    "author",
    "created_by",
    "assignee",
    "done_by",
    "undone_by",
    "settled_by",
    "published_by",
    "lifted_by",
}


def hanging_on_a_person() -> set[str]:
    """Labels of the models with a key to a member, or to the user that a member signs in with."""
    found = set()
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.get_fields():
            person = field.concrete and field.is_relation and field.related_model in (Member, User)
            if person and field.name not in OF_STAFF and model not in (Member, User):
                found.add(model._meta.label)
    return found


def test_every_table_with_members_is_told_or_exempt():
    told = {label for section in export_sections() for label in section.models}
    assert {apps.get_model(label)._meta.label for label in told} == told  # none is misspelt
    wanted = hanging_on_a_person()
    assert {"members.Consent", "rewards.Account", "campaigns.Message"} <= wanted
    assert wanted - told - set(exemptions()) == set()
    assert all(exemptions().values())


def test_what_is_told_holds_everything_that_was_planted(at):
    member = plant(at)
    everything = everything_about(member.pk)
    told = json.dumps(everything, default=str, ensure_ascii=False)
    for words in (
        f"Anna {WORD}", f"{WORD}@example.com", f"{WORD}-17", f"Family {WORD}", f"{WORD} street 1", f"{WORD} likes oat",
        f"{WORD} was unhappy", f"Dear {WORD}", "+4915199887766", "VIP", '"Milk"', "Guests",
    ):  # fmt: skip
        assert words in told, words
    derived = {"habits", "scores"}  # worked out later, from what stands in the others
    assert {name for name, part in everything.items() if not part} <= derived


def test_the_page_names_every_key_and_every_word(at):
    def keys(value) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {key for part in value.values() for key in keys(part)}
        return {key for part in value for key in keys(part)} if isinstance(value, (list, tuple)) else set()

    told = everything_about(plant(at).pk)
    for event in told["timeline"]:
        event["details"] = {}
    for event in told["events"]:
        event["data"] = {}
    for row in told["imports"]:
        row["before"] = row["after"] = {}
    assert {key for part in told.values() for key in keys(part or {})} - set(LABELS) == set()
    for message in told["messages"]:
        assert {message["purpose"], message["channel"], message["state"]} <= set(WORDS)


@pytest.mark.parametrize(("language", "words"), [("en", "Your account"), ("zh-hans", "您的账户")])
def test_the_archive_is_for_programs_and_for_people(at, language, words):
    member = plant(at)
    Member.objects.filter(pk=member.pk).update(language=language, name="Anna <b>Bold</b>")
    export = request_export(member_id=member.pk, at=at)
    assert (export.state, export.expires_at > at) == (JobState.DONE, True)
    with zipfile.ZipFile(export.file.open("rb")) as archive:
        assert json.loads(archive.read("data.json"))["profile"]["name"] == "Anna <b>Bold</b>"
        page = next(archive.read(name).decode() for name in archive.namelist() if name.endswith(".html"))
    assert words in page
    assert "Anna &lt;b&gt;Bold&lt;/b&gt;" in page
    assert "<b>Bold" not in page


def test_a_long_history_is_written_by_the_worker_once(at):
    member = make_member()
    execute(
        "INSERT INTO members_timelineevent (member_id, kind, at)"
        " SELECT %s, 'member.profile_changed', %s FROM generate_series(1, 600)",
        [member.pk, at],
    )
    waiting = request_export(member_id=member.pk, at=at)
    assert waiting.state == JobState.QUEUED
    assert request_export(member_id=member.pk, at=at) == waiting
    assert write_due(clock=lambda: at) == 1
    waiting.refresh_from_db()
    assert waiting.is_ready
    assert waiting.size == waiting.file.size
    assert write_due(clock=lambda: at) == 0


def test_files_go_when_their_time_is_over(at):
    export = request_export(member_id=make_member().pk, at=at)
    storage, name = export.file.storage, export.file.name
    assert delete_expired(at=at) == 0
    assert storage.exists(name)
    assert delete_expired(at=export.expires_at) == 1
    assert not storage.exists(name)
    assert not DataExport.objects.exists()


def test_who_is_erased_has_no_data_to_ask_for(at):
    member = make_member()
    erase_member(member_id=member.pk, at=at)
    with pytest.raises(MemberGone):
        request_export(member_id=member.pk, at=at)


def test_labels_are_translated():
    with override("zh-hans"):
        left = [key for key, text in {**LABELS, **WORDS}.items() if str(text).isascii()]
    assert left == []

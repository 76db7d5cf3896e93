"""Where the parts of the product meet: what one of them does while another is in its middle, or right after it."""

from datetime import timedelta
from io import BytesIO
from threading import Thread
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction
from django.urls import reverse
from openpyxl import load_workbook

from analytics.lifecycle import in_state
from campaigns.services.unsubscribe import unsubscribe_url
from common.sql import lock
from members.enums import AttributeKind
from members.events import describe
from members.models import (
    Attribute,
    ChangedMember,
    Guardian,
    Member,
    Programme,
    Segment,
    SegmentMember,
    Task,
    TimelineEvent,
)
from members.queries import consent_state
from members.queries_segments import segment_audience
from members.segments.asking import why
from members.services.attributes import archive_attribute, define_attribute
from members.services.consent import state_consent
from members.services.derived import bring_up_to_date
from members.services.erasure import erase_member, sweep_again
from members.services.exports import create_export, run_export
from members.services.merging import merge_members, undo_merge
from members.services.segments import refresh, save_segment, set_picks
from members.services.segments.membership import make_equal
from members.services.summaries import DERIVED
from members.services.tasks import add_task, finish_task
from members.tests.factories import make_member
from tests.customer_files import bring_in, take_back

pytestmark = pytest.mark.django_db


def everybody(at) -> Segment:
    segment = save_segment(names={"en": "Everybody"}, definition={"all": []}, at=at)
    refresh(segment_id=segment.pk, at=at)
    return segment


def held(segment: Segment) -> tuple[set[int], int]:
    """Who is in, and how many it says there are."""
    segment.refresh_from_db()
    return set(SegmentMember.objects.filter(segment=segment).values_list("member", flat=True)), segment.size


def settle(at) -> None:
    while bring_up_to_date(at=at):
        pass


def test_a_timeline_tells_what_a_file_changed(at):
    make_member(email="a@example.com")
    bring_in("email,name,birthday,tags,customer number\na@example.com,Ada,1985-12-10,vip,C-1\n", key="email")
    event = TimelineEvent.objects.get(kind="member.profile_changed")
    assert describe(event) == "Profile changed: birthday, customer number, name, tags"
    event.data = {"fields": ["milk", "attributes.milk", "email"]}
    assert describe(event) == "Profile changed: milk, milk, e-mail"


def test_a_segment_says_how_many_are_left_when_two_became_one(at):
    anna, double = make_member(), make_member()
    segment = everybody(at)
    done = merge_members(survivor_id=anna.pk, merged_id=double.pk, at=at)
    assert held(segment) == ({anna.pk}, 1)
    settle(at)
    assert held(segment) == ({anna.pk}, 1)
    undo_merge(merge_id=done.merge_id, at=at)
    settle(at)
    assert held(segment) == ({anna.pk, double.pk}, 2)


def test_a_segment_says_how_many_are_left_when_an_import_was_taken_back(at):
    anna = make_member()
    done = bring_in("email,name\nnew@example.com,New\n", key="email")
    segment = everybody(at)
    assert held(segment)[1] == 2
    take_back(done)
    assert held(segment) == ({anna.pk}, 1)
    settle(at)
    assert held(segment) == ({anna.pk}, 1)


def test_a_guardian_goes_along_with_a_merged_child_and_back(at):
    anna, double = make_member(), make_member()
    Guardian.objects.create(member=double, name="Berta", evidence="form 7", at=at)
    done = merge_members(survivor_id=anna.pk, merged_id=double.pk, at=at)
    assert Guardian.objects.get().member == anna
    undo_merge(merge_id=done.merge_id, at=at)
    assert Guardian.objects.get().member == double


@pytest.mark.django_db(transaction=True)
def test_a_refresh_in_its_middle_does_not_keep_who_is_erased_meanwhile(at):
    anna, berta = make_member(), make_member()
    segment = save_segment(names={"en": "Everybody"}, definition={"all": []}, at=at)
    refresh(segment_id=segment.pk, at=at)
    settle(at)
    SegmentMember.objects.all().delete()
    Segment.objects.update(size=0)

    def erase() -> None:
        erase_member(member_id=anna.pk, at=at)
        connection.close()

    with transaction.atomic():
        lock(DERIVED)
        segment.refresh_from_db()
        difference = make_equal(segment, at=at)  # both come in, and nobody else sees it yet
        assert difference.entered == 2
        erasing = Thread(target=erase)
        erasing.start()
        erasing.join()
        Segment.objects.filter(pk=segment.pk).update(size=difference.selected)
    assert Member.objects.get(pk=anna.pk).erased_at == at
    assert anna.pk in held(segment)[0]
    settle(at)
    assert held(segment) == ({berta.pk}, 1)


@pytest.mark.django_db(transaction=True)
def test_sweeping_looks_at_nobody_s_new_card_number_and_wakes_nothing(at, monkeypatch):
    for _ in range(3):
        erase_member(member_id=make_member().pk, at=at)
    settle(at)
    searched = []
    monkeypatch.setattr("members.services.erasure.remove_files", searched.append)
    monkeypatch.setattr("members.services.erasure.SWEPT_AT_ONCE", 2)
    assert sweep_again(at=at + timedelta(hours=1)) == 3
    assert (searched, ChangedMember.objects.count()) == ([], 0)


def test_who_wants_no_personal_treatment_is_out_of_what_stands_on_behaviour_at_once(at):
    anna, berta, picked = (make_member() for _ in range(3))
    bought = {"trait": "purchase.count", "op": "at_least", "value": 1}
    buyers = save_segment(names={"en": "Buyers"}, definition=bought, at=at)
    asks = {"all": [{"trait": "segment", "op": "none_of", "value": [buyers.pk]}]}
    others = save_segment(names={"en": "Others"}, definition=asks, at=at)
    set_picks(segment_id=others.pk, member_ids=[picked.pk], include=True, at=at)
    refresh(segment_id=others.pk, at=at)
    assert held(others)[0] == {anna.pk, berta.pk, picked.pk}
    for member in (berta, picked):
        state_consent(member_id=member.pk, channel="", purpose="profiling", granted=False, source="portal", at=at)
    assert set(segment_audience(others.pk, at=at)) == {anna, picked}
    settle(at)
    assert held(others)[0] == {anna.pk, picked.pk}
    told = why(asks, member_id=berta.pk, at=at, segment_id=others.pk)
    assert (told.value, told.datum) == (False, "wants no personalised treatment, and this segment asks for behaviour")
    assert set(in_state(Member.objects.all(), "never", at)) == {anna}


def test_a_link_alone_changes_nothing(at, client, admin_user, settings):
    """Pages are read ahead by browsers, and links are sent around: only a form that was sent writes."""
    settings.REQUIRE_STAFF_MFA = False
    client.force_login(admin_user, backend="django.contrib.auth.backends.ModelBackend")
    task = add_task(member_id=make_member().pk, title="Call", at=at, actor_id=admin_user.pk)
    finish_task(task_id=task.pk, at=at, actor_id=admin_user.pk)
    attribute = define_attribute(key="milk", label_en="Milk", kind=AttributeKind.TEXT)
    archive_attribute(attribute_id=attribute.pk, at=at)
    for model, row, page in ((Task, task, "reopen"), (Attribute, attribute, "restore")):
        address = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_{page}", args=[row.pk])
        before = model.objects.filter(pk=row.pk).values().get()
        assert client.get(address).status_code == 200
        assert model.objects.filter(pk=row.pk).values().get() == before
        assert client.post(address).status_code == 200
        assert model.objects.filter(pk=row.pk).values().get() == before
        client.post(address, {"confirmed": "1"})
        assert model.objects.filter(pk=row.pk).values().get() != before


@pytest.mark.parametrize("guardian_may_consent", [True, False])
def test_nobody_too_young_comes_in_by_a_file(at, guardian_may_consent):
    Programme.objects.create(pk=1, minimum_age=14, guardian_may_consent=guardian_may_consent)
    child = make_member(email="child@example.com")
    Guardian.objects.create(member=child, name="Berta", evidence="form 7", at=at)
    done = bring_in(
        "email,birthday\n"
        "old@example.com,2012-05-12\n"  # 14 on this day
        "young@example.com,2012-05-13\n"
        "child@example.com,2016-01-01\n"
        "unsaid@example.com,05-13\n"
        "moon@example.com,农历2014年八月十五\n",
        key="email",
    )
    refused = {3, 6} if guardian_may_consent else {3, 4, 6}
    assert set(done.problem_rows.values_list("row", flat=True)) == refused
    assert "too young" in done.problem_rows.first().sentence
    child.refresh_from_db()
    assert child.birthday_year == (2016 if guardian_may_consent else None)


def test_what_a_shop_calls_a_column_is_no_formula_in_a_file(at):
    make_member()
    define_attribute(key="f", label_en="=cmd()", kind=AttributeKind.TEXT)
    for kind in ("csv", "xlsx"):
        job = create_export(
            members=Member.objects.all(), name="x", columns=["attribute.f"], file_format=kind, language="en", at=at
        )
        with run_export(export_id=job.pk).file.open("rb") as file:
            written = file.read()
        if kind == "csv":
            assert written.decode("utf-8-sig").startswith("'=cmd()")
        else:
            cell = load_workbook(BytesIO(written)).active["A1"]
            assert (cell.value.lstrip("'"), cell.data_type) == ("=cmd()", "s")  # text, whatever it looks like


def test_the_link_in_a_mail_still_stops_mails_after_its_reader_was_merged(at, client):
    anna, double = make_member(), make_member()
    chain = make_member()
    for member in (anna, double, chain):
        state_consent(member_id=member.pk, channel="email", purpose="offers", granted=True, source="till", at=at)
    links = [unsubscribe_url(member_id=pk, channel="email", purpose="offers") for pk in (double.pk, chain.pk)]
    merge_members(survivor_id=double.pk, merged_id=chain.pk, at=at)
    merge_members(survivor_id=anna.pk, merged_id=double.pk, at=at)
    for link in links:
        state_consent(member_id=anna.pk, channel="email", purpose="offers", granted=True, source="till", at=at)
        assert client.post(urlsplit(link).path, {"List-Unsubscribe": "One-Click"}).status_code == 200
        assert consent_state(anna.pk)["email", "offers"].granted is False
    erase_member(member_id=anna.pk, at=at)
    assert client.post(urlsplit(links[0]).path).status_code == 200  # there is nobody left to write to: it is done

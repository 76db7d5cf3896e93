"""What has been kept long enough goes by itself, once a manager has switched the rule on, and nothing else does."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile

from campaigns.models import Message
from campaigns.tests.factories import due, run
from members.enums import Channel, ImportState, Purpose
from members.models import CardClaim, ImportProblem, Member, PurchaseImport, RetentionRule, User
from members.services.consent import state_consent
from members.services.profile import link_account
from members.services.retention import make_rules, preview, run_rules, set_rule
from members.tests.factories import make_member
from rewards.services.verify import verify
from rewards.tests.factories import adjust, make_rule, post

pytestmark = pytest.mark.django_db
YEARS = timedelta(days=5 * 365)


@pytest.fixture(autouse=True)
def rules(db):
    make_rules()


def switch_on(subject, days, at):
    set_rule(subject=subject, days=days, active=True, at=at, actor_id=None)


def left() -> set[str]:
    return set(Member.objects.filter(erased_at=None).values_list("name", flat=True))


def test_nothing_goes_while_every_rule_is_off(at):
    make_member()
    assert not RetentionRule.objects.filter(active=True).exists()
    assert run_rules(at=at + YEARS) == {}
    assert Member.objects.filter(erased_at=None).count() == 1


def test_members_without_a_sign_of_life_are_erased(at):
    """Each of the others gave one sign of life after the day that counts."""
    make_rule()
    now = at + timedelta(days=1000)
    lately = now - timedelta(days=10)
    silent, buyer, reader, speaker, staff = (
        make_member(name=name) for name in ("silent", "buyer", "reader", "speaker", "staff")
    )
    adjust(silent, 100, at)
    post(buyer, lately, purchased_at=lately)
    for member, is_staff in ((reader, False), (staff, True)):
        user = User.objects.create_user(f"{member.name}@example.org", last_login=at if is_staff else lately)
        User.objects.filter(pk=user.pk).update(is_staff=is_staff)
        link_account(member_id=member.pk, user=user, at=at)
    state_consent(
        member_id=speaker.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS, granted=True, source="till", at=lately
    )
    seen = preview(subject="inactive_members", days=365, at=now)
    assert (seen.count, seen.sample) == (1, ["silent · Jan 1, 2025"])
    assert left() == {"silent", "buyer", "reader", "speaker", "staff"}
    switch_on("inactive_members", 365, at)
    assert run_rules(at=now) == {"inactive_members": 1}
    assert left() == {"buyer", "reader", "speaker", "staff"}
    assert RetentionRule.objects.get(subject="inactive_members").last_affected == 1
    assert [result.difference for result in verify() if result.difference] == []


def test_who_took_back_every_consent_and_never_bought_is_erased(at):
    make_rule()
    for name, words, buys in (
        ("gone", (True, False), False),
        ("agreed", (True,), False),
        ("bought", (True, False), True),
        ("never asked", (), False),
    ):
        member = make_member(name=name)
        for n, granted in enumerate(words):
            state_consent(
                member_id=member.pk, channel="email", purpose="offers", granted=granted, source="till",
                at=at + timedelta(hours=n),
            )  # fmt: skip
        if buys:
            post(member, at)
    switch_on("withdrawn_members", 90, at)
    assert run_rules(at=at + timedelta(days=80)) == {"withdrawn_members": 0}
    assert run_rules(at=at + timedelta(days=100)) == {"withdrawn_members": 1}
    assert left() == {"agreed", "bought", "never asked"}


def test_what_messages_said_goes_and_that_they_were_sent_stays(at, mailoutbox):
    due(2)
    run()
    before = Message.objects.order_by("pk").values_list("state", "sent_at", "why")
    kept = list(before)
    assert Message.objects.exclude(subject="").exclude(values={}).count() == 2
    switch_on("message_contents", 30, at)
    assert run_rules(at=at) == {"message_contents": 0}
    assert run_rules(at=at + timedelta(days=31)) == {"message_contents": 2}
    assert not Message.objects.exclude(to="", subject="", text="", values={}).exists()
    assert list(before.all()) == kept
    assert run_rules(at=at + timedelta(days=31)) == {"message_contents": 0}


def test_uploads_go_and_the_lines_about_them_stay(at):
    done, running = (
        PurchaseImport.objects.create(
            source="till", currency="EUR", name="x.csv", state=state, file=ContentFile(b"a,b", "x.csv")
        )
        for state in (ImportState.DONE, ImportState.RUNNING)
    )
    ImportProblem.objects.create(purchase_import=done, row=1, code="email", params={"value": "a@b"})
    PurchaseImport.objects.update(created_at=at)
    path = done.file.path
    switch_on("uploads", 30, at)
    assert preview(subject="uploads", days=30, at=at + YEARS).sample == ["x.csv"]
    assert run_rules(at=at + YEARS) == {"uploads": 1}
    done.refresh_from_db()
    assert (done.file.name, done.name, done.problem_rows.count()) == ("", "", 0)
    with pytest.raises(FileNotFoundError), open(path):  # noqa: PTH123
        pass
    assert running.file.read() == b"a,b"
    assert run_rules(at=at + YEARS) == {"uploads": 0}


def test_claims_of_cards_go(at):
    user = User.objects.create_user("a@example.com")
    for days in (40, 20):
        moment = at - timedelta(days=days)
        CardClaim.objects.create(user=user, card_number="812345678901", started_at=moment, expires_at=moment)
    switch_on("card_claims", 30, at)
    assert run_rules(at=at) == {"card_claims": 1}
    assert CardClaim.objects.count() == 1


def test_a_rule_that_fails_stops_no_other_and_changes_nothing(at, monkeypatch):
    make_member()
    user = User.objects.create_user("a@example.com")
    CardClaim.objects.create(user=user, card_number="812345678901", started_at=at, expires_at=at)
    PurchaseImport.objects.create(source="till", currency="EUR", state=ImportState.RUNNING, file=ContentFile(b"1", ""))
    PurchaseImport.objects.update(file="")  # an import whose file nobody knows: no erasure while it runs
    for subject in ("card_claims", "inactive_members"):
        switch_on(subject, 365, at)
    assert run_rules(at=at + YEARS) == {"card_claims": 1}
    assert Member.objects.filter(erased_at=None).count() == 1


def test_no_time_shorter_than_a_week_nor_than_a_year_for_members(at):
    with pytest.raises(ValidationError):
        switch_on("inactive_members", 364, at)
    with pytest.raises(ValidationError):
        switch_on("uploads", 6, at)

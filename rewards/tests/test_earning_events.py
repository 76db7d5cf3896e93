"""Events of other systems, sign-ups, full profiles, birthdays, years of membership, check-ins."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from members.models import CustomEvent, Member, PendingReaction, TimelineEvent
from members.services.custom_events import NewEvent
from members.services.profile import create_member, update_profile
from members.services.reactions import run_due
from members.tests.factories import make_member
from rewards import queries
from rewards.models import Evaluation, Transfer
from rewards.services.checkout import Refusal
from rewards.services.earning.events import TooSoon, UnknownPoint, check_in, make_check_in_point, post_events
from rewards.services.earning.occasions import reward_days
from rewards.tests.factories import make_rule_of, make_tiers

pytestmark = pytest.mark.django_db
FIFTY = {"effect": {"kind": "fixed", "points": 50}}


def told(member, key="e1", kind="workshop", at=None, **values) -> NewEvent:
    return NewEvent(member.pk, "shop", key, kind, at or datetime(2026, 5, 4, 10, tzinfo=UTC), **values)


def test_an_event_is_recorded_once_and_earns_once(at):
    rule = make_rule_of("Workshop", FIFTY, trigger="custom:workshop")
    other = make_rule_of("Level 2", {**FIFTY, "conditions": {"data": {"level": 2}}}, trigger="custom:workshop")
    member = make_member()
    first, again = (post_events(told=[told(member, data={"level": 1})], at=at)[0] for _ in range(2))
    assert (first.is_new, again.is_new, first.event_id) == (True, False, again.event_id)
    assert [(e.rule_id, e.amount, e.why) for e in first.earned] == [(rule.pk, 50, "Workshop")]
    assert first.unfired == ((other.pk, "data", {"key": "level", "wanted": 2}),)
    assert (queries.balance(member.pk, at), again.stand.spendable) == (50, 50)
    assert Transfer.objects.get().key == f"earn:event:{first.event_id}:{rule.pk}"
    assert Evaluation.objects.get().event_id == first.event_id
    assert TimelineEvent.objects.get(kind="event.told").data == {"event": first.event_id, "kind": "workshop"}


def test_another_content_under_a_known_key_is_refused(at):
    member = make_member()
    post_events(told=[told(member)], at=at)
    for change in ({"kind": "tasting"}, {"data": {"a": 1}}, {"at": at}):
        (answer,) = post_events(told=[told(member, **change)], at=at)
        assert isinstance(answer, Refusal)
        assert answer.code == "key_reused"
    assert CustomEvent.objects.count() == 1


def test_a_moment_that_was_not_told_does_not_tell_two_apart(at):
    member = make_member()
    for n in range(2):
        one = NewEvent(member.pk, "shop", "e1", "workshop", at + timedelta(minutes=n), told_at=False)
        assert post_events(told=[one], at=at + timedelta(minutes=n))[0].is_new == (n == 0)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"kind": "Work shop"}, "kind"), ({"kind": "purchase"}, "kind"), ({"kind": ""}, "kind"), ({"key": ""}, "key"),
     ({"data": {"a": "x" * 5000}}, "data"), ({"data": {"a": "\0"}}, "data"), ({"data": {"a": float("nan")}}, "data"),
     ({"at": datetime(2016, 1, 1, tzinfo=UTC)}, "at"), ({"at": datetime(2036, 1, 1, tzinfo=UTC)}, "at")],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_field(at, change, field):
    (answer,) = post_events(told=[told(make_member(), **change)], at=at)
    assert isinstance(answer, Refusal)
    assert (answer.field, CustomEvent.objects.count()) == (field, 0)


def test_nobody_is_told_apart_from_somebody(at):
    (answer,) = post_events(told=[NewEvent(10**9, "shop", "e", "workshop", at)], at=at)
    assert isinstance(answer, Refusal)
    assert answer.code == "member"


def test_points_of_events_count_towards_tiers_without_the_tiers_multiplier(at):
    make_tiers(bronze="2")
    make_rule_of("Big", {"effect": {"kind": "fixed", "points": 500}}, trigger="custom:workshop")
    member = make_member()
    (answer,) = post_events(told=[told(member)], at=at)
    assert (answer.earned[0].amount, answer.stand.tier) == (500, "Silver")


def react(at):
    while run_due(at=max(at, timezone.now()) + timedelta(hours=1)):
        pass
    assert not PendingReaction.objects.exists()


def test_who_joins_and_fills_in_the_profile_is_rewarded_once_each(at):
    make_rule_of("Welcome", FIFTY, trigger="signed_up")
    make_rule_of("Profile", {"effect": {"kind": "fixed", "points": 30}}, trigger="profile_completed")
    member = create_member(at=at, profile={"name": "Ada"}, source="portal")
    react(at)
    assert queries.balance(member.pk, at + timedelta(days=1)) == 50
    for changes in ({"email": "ada@example.com"}, {"birthday_month": 12, "birthday_day": 10}, {"name": "Ada L"}):
        update_profile(member_id=member.pk, changes=changes, at=at)
        react(at)
    assert queries.balance(member.pk, at + timedelta(days=1)) == 80
    assert sorted(CustomEvent.objects.values_list("kind", flat=True)) == ["profile_completed", "signed_up"]


def test_without_a_rule_nothing_is_written_of_joining(at):
    create_member(at=at, profile={"name": "Ada"}, source="portal")
    react(at)
    assert not CustomEvent.objects.exists()


@pytest.mark.parametrize(
    ("trigger", "born", "joined", "today", "given"),
    [
        ("birthday", (5, 4), None, datetime(2026, 5, 4, 9, tzinfo=UTC), 50),
        ("birthday", (5, 4), None, datetime(2026, 5, 5, 9, tzinfo=UTC), 0),
        ("birthday", (2, 29), None, datetime(2026, 2, 28, 9, tzinfo=UTC), 50),
        ("joined_anniversary", None, datetime(2025, 5, 4, tzinfo=UTC), datetime(2026, 5, 4, 9, tzinfo=UTC), 50),
        ("joined_anniversary", None, datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 5, 4, 9, tzinfo=UTC), 0),
        ("joined_anniversary", None, datetime(2024, 2, 29, tzinfo=UTC), datetime(2026, 2, 28, 9, tzinfo=UTC), 50),
    ],
)
def test_days_are_rewarded_once_a_year(trigger, born, joined, today, given):
    make_rule_of("Day", FIFTY, trigger=trigger)
    month, day = born or (None, None)
    member = make_member(birthday_month=month, birthday_day=day)
    if joined:
        Member.objects.filter(pk=member.pk).update(joined_at=joined)
    for hours in (0, 1, 5):
        reward_days(at=today + timedelta(hours=hours))
    assert queries.balance(member.pk, today + timedelta(hours=6)) == given


def test_a_check_in_counts_once_within_the_places_pause(at):
    make_rule_of("Here", {"effect": {"kind": "fixed", "points": 5}, "limits": {"times_day": 2}}, trigger="check_in")
    point = make_check_in_point(name="Main St", store="Main St", cooldown_hours=1)
    member = make_member()
    assert check_in(token=point.token, member_id=member.pk, at=at).earned[0].amount == 5
    with pytest.raises(TooSoon) as soon:
        check_in(token=point.token, member_id=member.pk, at=at + timedelta(minutes=59))
    assert soon.value.again_at == at + timedelta(hours=1)
    for hour in (1, 2):
        check_in(token=point.token, member_id=member.pk, at=at + timedelta(hours=hour))
    assert queries.balance(member.pk, at + timedelta(hours=3)) == 10
    with pytest.raises(UnknownPoint):
        check_in(token="guess", member_id=member.pk, at=at)

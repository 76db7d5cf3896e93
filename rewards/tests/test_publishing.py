"""Drafts and versions of rules: what is published stays, and what counts when is never in doubt."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from members.tests.factories import make_member
from rewards.earning.definition import BadRule
from rewards.models import EarningRule, RuleVersion
from rewards.services.earning import publishing
from rewards.services.earning.publishing import publish, save_draft, version_at
from rewards.tests.factories import post

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 12, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def per_euro(points: str = "1", **more) -> dict:
    effect = {"kind": "per_amount", "points": points, "per": "1"}
    return {"effect": effect, "conditions": {"currency": "EUR"}, "expiry": {"kind": "rolling", "months": 12}, **more}


def draft(definition: dict | None = None, rule: EarningRule | None = None, **more) -> RuleVersion:
    told = {"names": {"en": "Points"}, "definition": definition or per_euro(), "at": AT, **more}
    return save_draft(rule_id=rule.pk if rule else None, **told)


def live(points: str = "1", **more) -> EarningRule:
    rule = draft(per_euro(points), **more).rule
    publish(rule_id=rule.pk, at=AT)
    return rule


def test_a_draft_gives_nothing_until_it_is_published():
    made, member = draft(), make_member()
    assert post(member, AT + HOUR).points == 0
    publish(rule_id=made.rule_id, at=AT + HOUR)
    assert post(member, AT + HOUR, purchased_at=AT + HOUR).points == 10
    made.rule.refresh_from_db()
    assert made.rule.state == "live"


def test_a_draft_is_changed_in_place_and_no_version_is_made_of_what_says_the_same():
    first = draft()
    again = draft(per_euro("2"), first.rule)
    assert (again.pk, again.number, first.rule.versions.count()) == (first.pk, 1, 1)
    publish(rule_id=first.rule_id, at=AT)
    assert draft(per_euro("2"), first.rule, names={"en": "Renamed"}).state == "published"
    assert first.rule.versions.count() == 1
    assert EarningRule.objects.get().name_en == "Renamed"
    assert draft(per_euro("3"), first.rule).number == 2


def test_what_a_rule_cannot_say_is_not_saved():
    with pytest.raises(BadRule) as caught:
        draft({"effect": {"kind": "multiplier", "factor": "0"}})
    assert [problem.path for problem in caught.value.problems] == ["effect.factor"]
    assert not EarningRule.objects.exists()


def test_a_new_version_counts_from_its_date_and_the_purchase_s_own_moment_decides():
    rule, member = live("1"), make_member()
    draft(per_euro("3"), rule)
    plan = publish(rule_id=rule.pk, valid_from=AT + 2 * HOUR, at=AT + HOUR)
    assert (plan.version.number, plan.ends.number, plan.replaces) == (2, 1, ())
    late = AT + 5 * HOUR
    before, after = AT + HOUR, AT + 2 * HOUR
    assert [post(member, late, purchased_at=moment).points for moment in (before, after)] == [10, 30]
    versions = list(rule.versions.all())
    assert [version_at(versions, moment).number for moment in (before, after)] == [1, 2]


def test_only_a_first_version_may_begin_in_the_past():
    rule = draft().rule
    publish(rule_id=rule.pk, valid_from=AT - timedelta(days=30), at=AT)
    draft(per_euro("2"), rule)
    with pytest.raises(publishing.InThePast):
        publish(rule_id=rule.pk, valid_from=AT + HOUR - timedelta(seconds=1), at=AT + HOUR)
    assert version_at(list(rule.versions.all()), AT - timedelta(days=1)).number == 1


def test_the_last_word_replaces_what_was_planned():
    rule = live("1")
    for points, hours in (("2", 10), ("3", 5)):
        draft(per_euro(points), rule)
        plan = publish(rule_id=rule.pk, valid_from=AT + hours * HOUR, at=AT + HOUR)
    assert [one.number for one in plan.replaces] == [2]
    assert plan.ends.number == 1
    versions = list(rule.versions.all())
    found = [version_at(versions, AT + hours * HOUR).number for hours in (1, 4, 5, 10, 1000)]
    assert found == [1, 1, 3, 3, 3]


def test_nothing_is_published_twice():
    rule = live()
    with pytest.raises(publishing.NothingToPublish):
        publish(rule_id=rule.pk, at=AT + HOUR)


@pytest.mark.django_db(transaction=True)
def test_a_published_version_cannot_be_changed_even_by_sql():
    rule = live()
    for change in ({"definition": per_euro("9")}, {"valid_from": AT - HOUR}, {"state": "draft", "published_at": None}):
        with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
            RuleVersion.objects.filter(rule=rule).update(**change)
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        RuleVersion.objects.filter(rule=rule).delete()


def test_paused_it_gives_nothing_and_resumed_it_gives_again():
    rule, member = live(), make_member()
    publishing.pause(rule_id=rule.pk)
    assert post(member, AT + HOUR, purchased_at=AT + HOUR).points == 0
    with pytest.raises(publishing.WrongState):
        publishing.pause(rule_id=rule.pk)
    publishing.resume(rule_id=rule.pk)
    assert post(member, AT + 2 * HOUR, purchased_at=AT + 2 * HOUR).points == 10


def test_ended_it_gives_nothing_more_and_comes_back_as_another_version():
    rule, member = live(), make_member()
    draft(per_euro("5"), rule)
    publish(rule_id=rule.pk, valid_from=AT + 10 * HOUR, at=AT)
    publishing.end(rule_id=rule.pk, at=AT + HOUR)
    late = AT + 20 * HOUR
    assert [post(member, late, purchased_at=moment).points for moment in (AT + HOUR, AT + 11 * HOUR)] == [0, 0]
    draft(per_euro("7"), rule)
    publish(rule_id=rule.pk, at=late)
    rule.refresh_from_db()
    assert rule.state == "live"
    assert post(member, late + HOUR, purchased_at=late + HOUR).points == 70


def test_what_sets_it_off_stays_once_it_is_published():
    rule = live()
    with pytest.raises(publishing.Fixed):
        draft({"effect": {"kind": "fixed", "points": 5}}, rule, trigger="signed_up")


def test_a_budget_is_never_less_than_what_is_given():
    rule = live(budget=100)
    post(make_member(), AT + HOUR, purchased_at=AT + HOUR, amount_minor=3000)
    rule.refresh_from_db()
    assert rule.budget_spent == 30
    with pytest.raises(publishing.BudgetSpent) as caught:
        draft(per_euro(), rule, budget=29)
    assert caught.value.spent == 30
    draft(per_euro(), rule, budget=30)


def test_a_draft_is_thrown_away_and_a_rule_that_never_was_published_leaves():
    rule, never = live(), draft().rule
    draft(per_euro("2"), rule)
    publishing.discard_draft(rule_id=rule.pk)
    assert [one.number for one in rule.versions.all()] == [1]
    with pytest.raises(publishing.NothingToPublish):
        publishing.discard_draft(rule_id=rule.pk)
    publishing.discard_draft(rule_id=never.pk)
    never.refresh_from_db()
    assert never.state == "ended"


def test_a_copy_is_a_draft_of_its_own():
    rule = live(budget=500)
    post(make_member(), AT + HOUR, purchased_at=AT + HOUR)
    made = publishing.duplicate(rule_id=rule.pk, names={"en": "Points (copy)"}, at=AT)
    version = made.versions.get()
    assert (made.state, made.budget, made.budget_spent, version.state) == ("draft", 500, 0, "draft")
    assert version.definition == rule.versions.get().definition

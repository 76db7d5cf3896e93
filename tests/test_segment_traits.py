"""Every trait that there is, with every operator, against PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import pytest

from members.models import Attribute, Identity, MemberList, Segment, Tag
from members.segments import asking, traits, words
from members.segments.compile import selecting
from members.segments.tree import BadDefinition, Problem, parse
from members.services.derived import bring_up_to_date
from members.tests.factories import make_member
from rewards.models import Benefit, MembershipPlan
from rewards.services.redemptions import redeem_reward
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import make_reward, make_rule, make_tiers, post

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 12, 10, 0, tzinfo=UTC)

# A definition keeps the names of traits for ever: one that is not here any more would break segments that use it.
NAMES = [
    "age",
    "benefit.left",
    "benefit.used",
    "birthday.ahead",
    "birthday.known",
    "birthday.month",
    "changed",
    "city",
    "consent.greetings_email",
    "consent.greetings_sms",
    "consent.greetings_webhook",
    "consent.offers_email",
    "consent.offers_sms",
    "consent.offers_webhook",
    "consent.profiling",
    "consent.sharing",
    "country",
    "coupon.count",
    "coupon.expiring",
    "coupon.last_used",
    "coupon.unseen",
    "coupon.used",
    "draw",
    "duplicate_suspected",
    "email_verified",
    "event.count",
    "event.last",
    "has_account",
    "has_email",
    "has_phone",
    "identity",
    "in_household",
    "joined",
    "language",
    "list",
    "case.count",
    "case.last_closed",
    "case.last_opened",
    "case.open",
    "case.recovered",
    "message.count",
    "message.last_sent",
    "name",
    "notes",
    "personalised",
    "phone_verified",
    "plan",
    "plan.days_left",
    "points",
    "points.earned",
    "points.expiring",
    "points.redeemed",
    "postal_code",
    "purchase.average",
    "purchase.count",
    "purchase.first",
    "purchase.largest",
    "purchase.last",
    "purchase.overdue",
    "purchase.refunded",
    "purchase.refunds",
    "purchase.rhythm",
    "purchase.spent",
    "purchase.spent_percentile",
    "purchase.visit_days",
    "redemption.count",
    "redemption.last",
    "reward.affordable",
    "reward.count",
    "reward.last",
    "rule.times",
    "segment",
    "source",
    "survey.ces",
    "survey.csat",
    "survey.last_answered",
    "survey.nps",
    "survey.stance",
    "tag",
    "tasks.open",
    "tasks.overdue",
    "tier",
    "tier.dropping",
    "tier.points",
    "tier.since",
    "tier.to_next",
    "tier.was",
    "time_zone",
    "told.count",
    "told.last",
]

GIVEN: dict[str, Any] = {
    "none": [None],
    "number": [0, 1, "2", 7],
    "numbers": [[0, 3], [1, 2], ["1", "100"]],
    "text": ["Ber", "%_\\'\"; DROP TABLE x; --", "文" * 200],
    "texts": [["Berlin", "O'Neil"], "Köln"],
    "day": ["2026-05-12", "1900-01-01", "2199-12-31"],
    "days": [["2026-01-01", "2026-05-12"]],
    "number_of_days": [0, 30, 3660],
}
ODD = [None, "", [], {}, "x" * 201, "a\0b", "\ud800", float("nan"), float("inf"), -1, 10**30, True, [1, 2, 3], {"a": 1}]
ODD += ["2026-02-31", ["b"], [[]], 1e-30, "1e400", "٣", "' OR 1=1 --"]


@pytest.fixture
def world():
    """Two members, and one of everything that can be chosen."""
    make_rule()
    make_tiers()
    anna = make_member(city="Berlin", birthday_month=5, birthday_day=14, birthday_year=1990)
    make_member(city="", birthday_calendar="lunar", birthday_month=3, birthday_day=30, language="zh-hans")
    post(anna, AT)
    issue(make_offer(), anna)
    make_reward(name="100 %")
    free = make_reward(points=0)
    redeem_reward(member_id=anna.pk, reward_id=free.pk, source="test", key="k", at=AT)
    make_offer(name_en="100 %")
    plan = MembershipPlan.objects.create(name_en="Plus", price_points=100)
    Benefit.objects.create(name_en="Lounge", kind="visits").plans.add(plan)
    Tag.objects.create(name="Regular")
    Tag.objects.create(name="100 %")
    Segment.objects.create(name="Everybody", definition={"all": []})
    MemberList.objects.create(name="Fair 2026")
    Identity.objects.create(member=anna, system="shop", value="1")
    options = [{"key": "oat", "en": "Oat", "zh-hans": "燕麦"}]
    for kind in ("text", "number", "date", "boolean", "choice"):
        shown = {"options": options} if kind == "choice" else {}
        Attribute.objects.create(key=f"a_{kind}", label=f"50 % {kind}", kind=kind, **shown)
    anna.attributes = {"a_text": "x", "a_number": 2, "a_date": "2026-02-31", "a_boolean": True, "a_choice": "oat"}
    anna.save()
    bring_up_to_date(at=AT)
    return anna


def problems_of(definition: Any) -> list[Problem]:
    """What is wrong with a definition."""
    try:
        parse(definition)
    except BadDefinition as bad:
        return bad.problems
    return []


def leaves_of(trait: traits.Trait) -> list[dict[str, Any]]:
    """Leaves of a trait with every operator, and with every filter and window that it has."""
    found = []
    window = {"within": {"days": 30}} if trait.needs_window else {}
    for operator in trait.operators.values():
        choices = [list(trait.known)[:1], list(trait.known)[:3]]
        accepted = 0
        for value in choices if operator.takes == "choices" else GIVEN[operator.takes]:
            leaf = {"trait": trait.name, "op": operator.name, "value": value, **window}
            if not problems_of(leaf):  # a score of 7, a top 0 %
                found.append(leaf)
                accepted += 1
        assert accepted, f"{trait.name} takes nothing for {operator.name}"
    plain = found[0]
    for each in trait.filters:
        values = list(each.choices())[:2] if each.choices else ["Coffee", "%'"]
        values = values[:1] if each.single else values
        found += [{**plain, "where": {each.name: values}}, {**plain, "where": {each.name: values[0]}}]
        if trait.window == "past":
            found.append({**plain, "where": {each.name: values}, "within": {"days": 90}})
    if trait.window == "past":
        found += [{**plain, "within": w} for w in ({"days": 0}, {"from": "2026-01-01"}, {"to": "2026-05-12"})]
        found.append({**plain, "within": {"from": "2026-01-01", "to": "2026-05-12"}})
    return found


def test_the_traits_there_are(world):
    scores = {name for name in traits.fixed() if name.startswith(("rfm.", "lifecycle"))}
    assert sorted(set(traits.fixed()) - scores) == sorted(NAMES)
    dynamic = set(traits.traits()) - set(traits.fixed())
    assert dynamic == {f"attribute.a_{kind}" for kind in ("text", "number", "date", "boolean", "choice")}
    assert {entry["name"] for entry in traits.catalogue()} == set(traits.traits())


def test_every_operator_of_every_trait(world):
    for trait in traits.traits().values():
        for leaf in leaves_of(trait):
            inside = asking.count(leaf, at=AT)
            assert inside + asking.count({"not": leaf}, at=AT) == 2, f"everybody is on one side of {leaf}"
            told = asking.why(leaf, member_id=world.pk, at=AT)
            statement, params = selecting(leaf, at=AT, member_ids=[world.pk], segment_id=1)
            assert (asking._rows(statement, params) == [(world.pk,)]) == told.value, leaf
            said = words.summary(leaf)
            assert said.startswith("Members"), leaf
            for sentence in (said, told.children[0].sentence, told.children[0].datum):
                assert sentence, leaf
                assert "%(" not in sentence, leaf
                assert "%%" not in sentence, leaf


def test_every_value_that_makes_no_sense_is_refused_in_words(world):
    for trait in traits.fixed().values():
        window = {"within": {"days": 30}} if trait.needs_window else {}
        for operator in trait.operators.values():
            for value in ODD:
                leaf = {"trait": trait.name, "op": operator.name, "value": value, **window}
                if problems := problems_of(leaf):
                    assert [problem.path for problem in problems] == ["/value"], leaf
                    assert problems[0].sentence, leaf
                else:
                    asking.count(leaf, at=AT)  # what is let in must come through

"""What a definition selects, beside a plain reading of it in Python over the same members."""

import hashlib
import random
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from members.enums import Channel, Purpose
from members.models import Consent, Member, MemberTag, Programme, Tag
from members.segments import asking
from members.segments.compile import selecting
from members.services.derived import bring_up_to_date
from members.services.purchases import NewLine
from members.tests.factories import make_member
from rewards.tests.factories import make_rule, make_tiers, post

pytestmark = pytest.mark.django_db
ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 5, 12, 19, 0, tzinfo=UTC)  # already the 13th there
TODAY = date(2026, 5, 13)
CITIES = ["Berlin", "berlin", "Köln", "上海", "", "100%_x"]
CATEGORIES, STORES = ["Coffee", "Tea", "coffee"], ["Mitte", "West"]


def local(moment: datetime) -> date:
    return moment.astimezone(ZONE).date()


class Shop:
    """Forty members and all that is known of them, in the database and beside it."""

    def __init__(self) -> None:
        dice = random.Random(7)
        Programme.objects.create(currency="EUR", time_zone="Asia/Shanghai")
        make_rule()
        self.tiers = make_tiers()
        self.tags = [Tag.objects.create(name=f"Tag {n}") for n in range(3)]
        self.people: dict[int, dict[str, Any]] = {}
        for _ in range(40):
            self._join(dice)
        bring_up_to_date(at=AT)
        for member in Member.objects.select_related("tier_status"):
            facts = self.people[member.pk]
            status = getattr(member, "tier_status", None)
            facts["tier"] = status.tier_id if status else self.tiers["bronze"].pk
            wallet = member.accounts.first()
            facts["points"] = wallet.balance if wallet else 0

    def _join(self, dice: random.Random) -> None:
        joined = AT - timedelta(hours=dice.randrange(24 * 60))
        personalised = dice.random() < 0.8
        member = make_member(city=dice.choice(CITIES))
        Member.objects.filter(pk=member.pk).update(joined_at=joined, personalised=personalised)
        facts = {"city": member.city, "joined": joined, "personalised": personalised, "bought": [], "consent": None}
        for _ in range(dice.choice([0, 0, 1, 3, 6])):
            lines = tuple(
                NewLine(amount_minor=dice.randrange(1, 900), category=dice.choice(CATEGORIES))
                for _ in range(dice.randrange(3))
            )
            bought = {
                "purchased_at": AT - timedelta(hours=dice.randrange(24 * 100)),
                "amount_minor": dice.randrange(0, 30_000),
                "store": dice.choice(STORES),
                "currency": dice.choice(["EUR", "EUR", "EUR", "USD"]),
                "lines": lines,
            }
            post(member, AT, **bought)
            facts["bought"].append(bought)
        facts["tags"] = {tag.pk for tag in self.tags if dice.random() < 0.4}
        MemberTag.objects.bulk_create([MemberTag(member=member, tag_id=tag, at=AT) for tag in facts["tags"]])
        for day in range(dice.randrange(3)):
            facts["consent"] = dice.random() < 0.6
            said = {"channel": Channel.EMAIL, "purpose": Purpose.OFFERS, "granted": facts["consent"], "source": "test"}
            Consent.objects.create(member=member, at=AT - timedelta(days=9 - day), **said)
        self.people[member.pk] = facts

    def reads(self, node: dict[str, Any], pk: int) -> bool:
        """The definition, read as its words say."""
        if "all" in node:
            return all(self.reads(child, pk) for child in node["all"])
        if "any" in node:
            return any(self.reads(child, pk) for child in node["any"])
        if "not" in node:
            return not self.reads(node["not"], pk)
        return self._leaf(node, pk)

    def _leaf(self, leaf: dict[str, Any], pk: int) -> bool:
        name, op, value, facts = leaf["trait"], leaf["op"], leaf.get("value"), self.people[pk]
        bought = [(each, each["amount_minor"]) for each in facts["bought"]]
        if categories := leaf.get("where", {}).get("category"):
            narrowed = [(b, [x.amount_minor for x in b["lines"] if x.category in categories]) for b, _ in bought]
            bought = [(each, sum(amounts)) for each, amounts in narrowed if amounts]
        if stores := leaf.get("where", {}).get("store"):
            bought = [(each, amount) for each, amount in bought if each["store"] in stores]
        if (within := leaf.get("within")) and "days" in within:
            first = TODAY - timedelta(days=within["days"])
            bought = [(each, amount) for each, amount in bought if local(each["purchased_at"]) >= first]
        elif within:
            first, last = date.fromisoformat(within["from"]), date.fromisoformat(within["to"])
            bought = [(each, amount) for each, amount in bought if first <= local(each["purchased_at"]) <= last]
        euros = [amount for each, amount in bought if each["currency"] == "EUR"]
        days = {local(each["purchased_at"]) for each, _ in bought}
        match name:
            case "city":
                return text(facts["city"], op, value)
            case "joined":
                return moment(facts["joined"], op, value)
            case "purchase.count":
                return number(len(bought), op, value)
            case "purchase.spent":
                return number(sum(euros) / 100, op, value)
            case "purchase.largest":
                return number(max(euros) / 100 if euros else None, op, value)
            case "purchase.visit_days":
                return number(len(days), op, value)
            case "purchase.last":
                return moment(max((each["purchased_at"] for each, _ in bought), default=None), op, value)
            case "purchase.spent_percentile":
                return self._in_top(pk, value)
            case "tag":
                has = facts["tags"] & set(value)
                return {"any_of": bool(has), "all_of": has == set(value), "none_of": not has}[op]
            case "consent.offers_email":
                said = facts["consent"]
                return {"yes": said is True, "no": said is False, "never": said is None, "not_yes": not said}[op]
            case "tier":
                return (facts["tier"] in value) == (op == "any_of")
            case "points":
                return number(facts["points"], op, value)
            case "draw":
                lot = int(hashlib.md5(f"{leaf['where']['draw'][0]}:{pk}".encode()).hexdigest()[:8], 16) % 10_000
                return value[0] * 100 <= lot < value[1] * 100
        raise NotImplementedError(name)

    def _in_top(self, pk: int, percent: int) -> bool:
        """Fewer than so many of 100 buyers spent more."""
        spent = {
            other: sum(b["amount_minor"] for b in facts["bought"] if b["currency"] == "EUR")
            for other, facts in self.people.items()
            if facts["bought"]
        }
        return pk in spent and sum(each > spent[pk] for each in spent.values()) < percent / 100 * len(spent)


def number(found: float | None, op: str, value: Any) -> bool:
    if op in ("known", "unknown"):
        return (found is not None) == (op == "known")
    if found is None:
        return False
    if op == "between":
        return value[0] <= found <= value[1]
    return {
        "at_least": found >= value,
        "at_most": found <= value,
        "more_than": found > value,
        "less_than": found < value,
        "equals": found == value,
        "differs": found != value,
    }[op]


def text(found: str, op: str, value: Any) -> bool:
    if op in ("known", "unknown"):
        return bool(found) == (op == "known")
    if op in ("any_of", "none_of"):
        return (bool(found) and found.lower() in [each.lower() for each in value]) == (op == "any_of")
    return bool(found) and (
        value.lower() in found.lower() if op == "contains" else found.lower().startswith(value.lower())
    )


def moment(found: datetime | None, op: str, value: Any) -> bool:
    if op in ("known", "unknown"):
        return (found is not None) == (op == "known")
    if found is None:
        return False
    day = local(found)
    match op:
        case "last_days":
            return TODAY - timedelta(days=value) <= day <= TODAY
        case "days_ago":
            return day < TODAY - timedelta(days=value)
        case "on_or_after":
            return day >= date.fromisoformat(value)
        case "before":
            return day < date.fromisoformat(value)
        case _:
            return date.fromisoformat(value[0]) <= day <= date.fromisoformat(value[1])


DAYS = st.dates(date(2026, 2, 1), date(2026, 5, 14)).map(date.isoformat)
TWO_DAYS = st.tuples(DAYS, DAYS).map(lambda pair: sorted(pair))
COMPARED = st.sampled_from(["at_least", "at_most", "more_than", "less_than", "equals", "differs"])


def numbers(name: str, values: st.SearchStrategy, nullable: bool = False) -> list[st.SearchStrategy]:
    low_high = st.tuples(values, values).map(lambda pair: sorted(pair))
    found = [
        st.fixed_dictionaries({"trait": st.just(name), "op": COMPARED, "value": values}),
        st.fixed_dictionaries({"trait": st.just(name), "op": st.just("between"), "value": low_high}),
    ]
    known = st.fixed_dictionaries({"trait": st.just(name), "op": st.sampled_from(["known", "unknown"])})
    return [*found, known] if nullable else found


def moments(name: str) -> list[st.SearchStrategy]:
    def leaf(op: list[str], values: st.SearchStrategy) -> st.SearchStrategy:
        return st.fixed_dictionaries({"trait": st.just(name), "op": st.sampled_from(op), "value": values})

    ops = [leaf(["last_days", "days_ago"], st.integers(0, 100)), leaf(["on_or_after", "before"], DAYS)]
    return [*ops, leaf(["between"], TWO_DAYS)]


WHERE = st.fixed_dictionaries(
    {},
    optional={
        "category": st.lists(st.sampled_from([*CATEGORIES, "gone"]), min_size=1, max_size=2),
        "store": st.lists(st.sampled_from(STORES), min_size=1, max_size=1),
    },
)
WITHIN = st.one_of(
    st.none(),
    st.integers(0, 100).map(lambda n: {"days": n}),
    TWO_DAYS.map(lambda pair: {"from": pair[0], "to": pair[1]}),
)


@st.composite
def bought(draw) -> dict[str, Any]:
    leaf = draw(
        st.one_of(
            *numbers("purchase.count", st.integers(0, 6)),
            *numbers("purchase.visit_days", st.integers(0, 6)),
            *numbers("purchase.spent", st.integers(0, 500)),
            *numbers("purchase.largest", st.integers(0, 300), nullable=True),
            *moments("purchase.last"),
        )
    )
    return {**leaf, "where": draw(WHERE), "within": draw(WITHIN)}


def leaves(shop: Shop) -> st.SearchStrategy:
    def of(name: str, ops: list[str], values: st.SearchStrategy, **more: Any) -> st.SearchStrategy:
        extra = {key: st.just(value) for key, value in more.items()}
        return st.fixed_dictionaries({"trait": st.just(name), "op": st.sampled_from(ops), "value": values, **extra})

    tags = st.lists(st.sampled_from([tag.pk for tag in shop.tags]), min_size=1, max_size=3, unique=True)
    tiers = st.lists(st.sampled_from([tier.pk for tier in shop.tiers.values()]), min_size=1, max_size=2, unique=True)
    cities = st.lists(st.sampled_from(["berlin", "KÖLN", "上海", "Rome", "100%_X"]), min_size=1, max_size=3)
    percents = st.tuples(st.integers(0, 100), st.integers(0, 100)).map(lambda pair: sorted(pair))
    return st.one_of(
        bought(),
        of("city", ["any_of", "none_of"], cities),
        of("city", ["contains", "starts_with"], st.sampled_from(["er", "B", "%", "_", "海", "\\", "L"])),
        of("city", ["known", "unknown"], st.none()),
        *moments("joined"),
        of("tag", ["any_of", "all_of", "none_of"], tags),
        of("consent.offers_email", ["yes", "no", "never", "not_yes"], st.none()),
        of("tier", ["any_of", "none_of"], tiers),
        *numbers("points", st.integers(0, 800)),
        of("draw", ["between"], percents, where={"draw": ["x"]}),
        of("purchase.spent_percentile", ["top"], st.integers(1, 100)),
    )


def trees(shop: Shop) -> st.SearchStrategy:
    def groups(children: st.SearchStrategy) -> st.SearchStrategy:
        some = st.lists(children, min_size=1, max_size=3)
        return st.one_of(
            some.map(lambda c: {"all": c}), some.map(lambda c: {"any": c}), children.map(lambda c: {"not": c})
        )

    return st.recursive(leaves(shop), groups, max_leaves=8)


def test_a_definition_selects_whom_its_words_say():
    shop = Shop()

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(trees(shop), st.sets(st.sampled_from(sorted(shop.people)), max_size=8))
    def check(definition: dict[str, Any], some: set[int]) -> None:
        behaviour = any(name in str(definition) for name in ("'purchase.",))
        wanted = {
            pk
            for pk, facts in shop.people.items()
            if shop.reads(definition, pk) and (facts["personalised"] or not behaviour)
        }
        statement, params = selecting(definition, at=AT)
        assert {row[0] for row in asking._rows(statement, params)} == wanted
        statement, params = selecting(definition, at=AT, member_ids=sorted(some))
        assert {row[0] for row in asking._rows(statement, params)} == wanted & some, "narrowed, the same"
        for pk in sorted(some)[:1]:
            assert asking.why(definition, member_id=pk, at=AT).value == (pk in wanted), "the why says the same"

    check()


def test_midnight_is_the_programmes():
    Programme.objects.create(currency="EUR", time_zone="Asia/Shanghai")
    eve, day = make_member(), make_member()
    noon = datetime.combine(date(2026, 5, 1), time(), ZONE)
    Member.objects.filter(pk=eve.pk).update(joined_at=noon - timedelta(seconds=1))
    Member.objects.filter(pk=day.pk).update(joined_at=noon)
    assert asking.sample({"trait": "joined", "op": "on_or_after", "value": "2026-05-01"}, at=AT) == [day.pk]
    assert asking.sample({"trait": "joined", "op": "before", "value": "2026-05-01"}, at=AT) == [eve.pk]

"""Whatever happens, in whatever order: what ripples keep up to date is what a full rebuild would find."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.sql import fetch_all
from members.models import ChangedMember, Member, MemberTag, PurchaseSummary, Segment, SegmentMember, Tag
from members.segments import asking, templates
from members.segments.compile import selecting
from members.services.consent import state_consent
from members.services.derived import bring_up_to_date
from members.services.profile import update_profile
from members.services.purchases import record_purchases
from members.services.segments import refresh, refresh_due, save_list, save_segment, set_picks
from members.services.summaries import recompute
from members.tests.factories import make_member, new_purchase

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 12, 10, tzinfo=UTC)
CITIES = ("Berlin", "Paris", "")


def leaf(trait, op, value=None, **more) -> dict:
    return {"trait": trait, "op": op, **({} if value is None else {"value": value}), **more}


@pytest.mark.django_db
def test_templates_can_be_asked_and_say_what_they_are_in_both_languages():
    found = {template.key: template for template in templates.templates()}
    assert list(found) == ["new", "regular", "vip", "lapsing", "lost", "birthday", "unreachable", "expiring"]
    for template in found.values():
        fields = template.beginning()
        assert fields["name_en"] != fields["name_zh_hans"]
        assert fields["description_en"] != fields["description_zh_hans"]
        assert asking.count(template.definition, at=AT) == 0
    assert templates.find("vip") == found["vip"]
    assert templates.find("no such") is None


class World:
    """Four members, and segments of every sort, one upon another."""

    def __init__(self) -> None:
        self.members = [make_member(city=CITIES[n % 3]).pk for n in range(4)]
        self.tag = Tag.objects.create(name="Regular").pk
        self.list = save_list(name="Guests", keys=[], at=AT).list.pk
        self.segments: list[int] = []
        berlin = leaf("city", "any_of", ["Berlin"])
        for definition in (
            berlin,
            {"any": [leaf("purchase.count", "at_least", 2), leaf("tag", "any_of", [self.tag])]},
            {"all": [leaf("segment", "none_of", [0]), {"not": berlin}]},
            {"all": [leaf("segment", "any_of", [1]), leaf("list", "none_of", [self.list])]},
            {"any": [leaf("segment", "any_of", [2, 3]), leaf("consent.offers_email", "yes")]},
            {"all": [leaf("purchase.rhythm", "at_most", 9), leaf("purchase.spent", "at_least", 20)]},
            {"not": leaf("segment", "any_of", [4])},
        ):
            self.save(None, definition)
        self.catch_up()

    def save(self, which: int | None, definition: dict) -> None:
        """Saves a segment; those it asks for are meant by their place in `segments`."""
        if isinstance(definition.get("value"), list) and definition["trait"] == "segment":
            definition = {**definition, "value": [self.segments[n] for n in definition["value"]]}
        for key in ("all", "any"):
            if key in definition:
                definition = {key: [self.resolved(child) for child in definition[key]]}
        if "not" in definition:
            definition = {"not": self.resolved(definition["not"])}
        name = {"en": f"Segment {len(self.segments) if which is None else which}"}
        segment_id = None if which is None else self.segments[which]
        segment = save_segment(segment_id=segment_id, names=name, definition=definition, at=AT)
        if which is None:
            self.segments.append(segment.pk)

    def resolved(self, node: dict) -> dict:
        if "not" in node:
            return {"not": self.resolved(node["not"])}
        if node.get("trait") == "segment":
            return {**node, "value": [self.segments[n] for n in node["value"]]}
        return node

    def catch_up(self) -> None:
        while bring_up_to_date(at=AT):
            pass
        refresh_due(at=AT)

    def do(self, act: str, who: int, n: int) -> None:
        member = self.members[who]
        segment = self.segments[n % len(self.segments)]
        present = Member.objects.filter(pk=member, erased_at=None).exists()
        match act:
            case "move" if present:
                update_profile(member_id=member, changes={"city": CITIES[n % 3]}, at=AT)
            case "buy":
                when = AT - timedelta(days=n * 5)
                record_purchases(purchases=[new_purchase(Member(pk=member), purchased_at=when)])
            case "tag" if present:
                MemberTag.objects.get_or_create(member_id=member, tag_id=self.tag, defaults={"at": AT})
                ChangedMember.objects.create(member_id=member)
            case "consent" if present:
                state_consent(
                    member_id=member, channel="email", purpose="offers", granted=n % 2 == 0, at=AT, source="x"
                )
            case "pick":
                set_picks(segment_id=segment, member_ids=[member], include=(True, False, None)[n % 3], at=AT)
            case "list":
                cards = Member.objects.filter(pk__in=self.members[: n % 5]).values_list("card_number", flat=True)
                save_list(list_id=self.list, name="Guests", keys=list(cards), at=AT)
            case "erase":
                Member.objects.filter(pk=member).update(erased_at=AT, email="", phone="")
                ChangedMember.objects.create(member_id=member)
            case "redefine":
                self.save(0, leaf("city", "any_of" if n % 2 else "none_of", [CITIES[n % 2]]))
            case "ripple":
                bring_up_to_date(at=AT)
            case "refresh":
                refresh(segment_id=segment, at=AT)
            case "work":
                self.catch_up()

    def check(self) -> None:
        self.catch_up()
        kept = self.everything()
        assert not recompute()
        for pk in self.segments:
            segment = Segment.objects.get(pk=pk)
            selected, params = selecting(segment.definition, at=AT, segment_id=pk)
            wanted = {row[0] for row in fetch_all(selected, params)}
            held = set(SegmentMember.objects.filter(segment=pk).values_list("member", flat=True))
            assert held == wanted, segment.definition
            assert segment.size == len(held)
            history = segment.changes.order_by("id").values_list("member", "entered")
            assert {member for member, entered in dict(history).items() if entered} == held
        assert self.everything() == kept

    def everything(self) -> list:
        return [
            list(SegmentMember.objects.order_by("segment", "member").values_list("segment", "member")),
            list(PurchaseSummary.objects.order_by("member").values()),
        ]


ACTS = ["move", "buy", "buy", "tag", "consent", "pick", "list", "erase", "redefine", "ripple", "refresh", "work"]


EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "15"))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 3), st.integers(0, 11)), max_size=14))
def test_ripples_and_refreshes_in_any_order_come_to_what_a_rebuild_finds(acts):
    with transaction.atomic():
        world = World()
        for act in acts:
            world.do(*act)
        world.check()
        transaction.set_rollback(True)

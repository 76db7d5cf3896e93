"""POST /members, GET /members/{ref}."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from api.models import Answer
from api.tests.factories import Caller, problem
from api.views.common import rfc3339
from members.models import Identity, Member, Segment, SegmentMember
from members.services.erasure import erase_member
from members.services.identities import add_identity
from members.services.merging import merge_members
from members.tests.factories import make_member
from rewards.models import Benefit
from rewards.queries import balance
from rewards.queries_benefits import entitlements
from rewards.queries_coupons import usable_coupons
from rewards.services.benefits import use_benefit
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust, make_tiers

pytestmark = pytest.mark.django_db
ANNA = {
    "key": "c-1",
    "name": "Anna 安娜",
    "email": "Anna@Example.com",
    "phone": "+49 151 99887766",
    "language": "zh-hans",
    "birthday": "1990-05-12",
}


@pytest.fixture
def till() -> Caller:
    return Caller()


def test_a_member_is_added_once_and_the_answer_stays(till):
    first = till.post("/members", ANNA)
    assert first.status_code == 201
    told = first.json()
    member = Member.objects.get()
    assert told == {
        "card": member.card_number,
        "name": "Anna 安娜",
        "email": "anna@example.com",
        "phone": "+4915199887766",
        "language": "zh-hans",
        "birthday": "1990-05-12",
    }
    again = till.post("/members", dict(reversed(ANNA.items())))  # the order of names is no other body
    assert (again.status_code, again.json()) == (200, told)
    assert Member.objects.count() == 1
    other = till.post("/members", ANNA | {"name": "Berta"})
    assert problem(other) == (409, "key_reused", "key")
    assert Member.objects.get().name == "Anna 安娜"


def test_another_system_may_use_the_same_key(till):
    till.post("/members", {"key": "1"})
    assert Caller(source="shop").post("/members", {"key": "1"}).status_code == 201
    assert Member.objects.count() == 2


def test_a_refusal_leaves_the_key_free(till):
    taken = make_member(email="anna@example.com")
    assert problem(till.post("/members", ANNA)) == (422, "taken", "email")
    assert not Answer.objects.exists()
    taken.email = ""
    taken.save()
    assert till.post("/members", ANNA).status_code == 201


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "anna"}, "email"),
        ({"phone": "123"}, "phone"),
        ({"birthday": "12.05.1990"}, "birthday"),
        ({"birthday": "02-30"}, "birthday"),
        ({"birthday": "2026-01-01"}, "birthday"),
        ({"language": "fr"}, "language"),
        ({"name": 5}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"key": "  "}, "key"),
        ({"nickname": "A"}, "nickname"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(till, wrong, field):
    assert problem(till.post("/members", ANNA | wrong)) == (422, "invalid", field)
    assert not Member.objects.exists()


def test_a_member_is_found_by_card_address_phone_and_key_and_by_nothing_else(till):
    card = till.post("/members", ANNA).json()["card"]
    for ref in (card, f"{card[:4]} {card[4:]}", "email:ANNA@example.com", "phone:+4915199887766", "key:c-1"):
        found = till.get(f"/members/{ref}")
        assert found.json()["card"] == card, ref
    for ref in ("email:a@example.com", "key:c-2", "123", "name:Anna", "key:", "email:%00", "card:000000000000"):
        assert problem(till.get(f"/members/{ref}")) == (404, "no_such_member", "member"), ref
    assert problem(Caller(source="shop").get("/members/key:c-1"))[0] == 404  # that is the till's number


def test_a_key_may_hold_a_slash(till):
    card = till.post("/members", {"key": "a/b:c"}).json()["card"]
    assert till.get("/members/key:a%2Fb:c").json()["card"] == card


def test_what_is_shown_is_what_the_ledger_says(till):
    now = timezone.now()
    member = make_member(name="Anna")
    adjust(member, 100, at=now)
    found = till.get(f"/members/{member.card_number}").json()
    assert found["points"]["spendable"] == balance(member.pk) == 100
    assert found["points"]["pending"] == 0
    assert found["name"] == "Anna"
    assert (found["credit"], found["currency"]) == ("0.00", "EUR")


def test_coupons_and_benefits_are_shown(till):
    tiers = make_tiers()
    member = make_member()
    coupon = issue(make_offer(), member, at=timezone.now())
    lounge = Benefit.objects.create(name_en="Lounge", kind="visits", uses=2, period="year")
    lounge.tiers.add(tiers["bronze"])
    Benefit.objects.create(name_en="House price", kind="price", value="7.50", position=9).tiers.add(tiers["bronze"])
    found = till.get(f"/members/{member.card_number}").json()
    assert found["tier"] == "Bronze"
    (told,) = found["coupons"]
    assert (told["code"], told["name"]) == (coupon.code, coupon.offer.name)
    told = [(benefit["name"], benefit["kind"], benefit["left"], benefit["value"]) for benefit in found["benefits"]]
    assert told == [("Lounge", "visits", 2, None), ("House price", "price", None, "7.5")]  # None: as often as they like
    chinese = till.get(f"/members/{member.card_number}", **{"accept-language": "zh-hans"}).json()
    assert chinese["tier"] == "铜卡"


def test_merged_members_are_who_they_are_now_and_erased_ones_nobody(till, at):
    merged, survivor = make_member(email="old@example.com"), make_member(name="Now")
    add_identity(member_id=merged.pk, system="till", value="77", at=at)
    merge_members(survivor_id=survivor.pk, merged_id=merged.pk, at=timezone.now())
    for ref in (merged.card_number, "email:old@example.com", "key:77"):
        assert till.get(f"/members/{ref}").json()["card"] == survivor.card_number
    erase_member(member_id=survivor.pk, at=timezone.now() + timedelta(seconds=1))
    for ref in (merged.card_number, survivor.card_number, "email:old@example.com", "key:77"):
        assert problem(till.get(f"/members/{ref}"))[0] == 404


def test_an_answer_about_an_erased_member_is_gone(till):
    till.post("/members", ANNA)
    erase_member(member_id=Member.objects.get().pk, at=timezone.now())
    answer = Answer.objects.get()
    assert (answer.body, bytes(answer.fingerprint)) == ({}, b"")
    assert problem(till.post("/members", ANNA)) == (410, "member_erased", None)
    assert not Identity.objects.exists()


def test_a_member_is_looked_up_in_three_statements_whatever_they_have(till):
    tiers, member, now = make_tiers(), make_member(), timezone.now()
    friends, others = (Segment.objects.create(name_en=name, version=1, definition={}) for name in ("Friends", "Others"))
    SegmentMember.objects.create(segment=friends, member=member, entered_at=now)
    till.get(f"/members/{member.card_number}")  # the first use of a key is noted
    for n in range(3):
        issue(make_offer(ends_at=now + timedelta(days=9 - n)), member, at=now)
        make_offer(listed=True, shared_code=f"ALL{n}7", segment=(friends, None, others)[n], uses_member=n or None)
        visits = Benefit.objects.create(name_en=f"Visit {n}", kind="visits", uses=n + 1, period="year", position=n)
        visits.tiers.add(tiers["bronze"])
    use_benefit(member_id=member.pk, benefit_id=visits.pk, source="till", key="1", at=now)
    with CaptureQueriesContext(connection) as captured:
        found = till.get(f"/members/{member.card_number}").json()
    assert len(captured) == 3, [query["sql"] for query in captured]
    coupons, benefits = usable_coupons(member.pk, now), entitlements(member.pk, now)
    assert (len(coupons), len(benefits)) == (5, 3)
    assert [(one["code"], one["name"], one["effect"], one["expires_at"]) for one in found["coupons"]] == [
        (one.code, one.offer.name, one.effect, rfc3339(one.ends_at)) for one in coupons
    ]
    assert [(one["name"], one["kind"], one["left"], one["until"]) for one in found["benefits"]] == [
        (one.benefit.name, one.benefit.kind, one.left, rfc3339(one.period_end)) for one in benefits
    ]
    assert benefits[2].left == 2


@pytest.mark.django_db(transaction=True)
def test_one_key_fifty_times_at_once_makes_one_member():
    till = Caller()

    def send(_n: int):
        try:
            return till.post("/members", ANNA)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(send, range(50)))
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert Member.objects.count() == 1

"""Referral codes: checked, told with a member or a purchase, and read."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from api.tests.factories import Caller, problem
from members.events import describe
from members.models import Household, Member, PendingReaction, Purchase, TimelineEvent
from members.services.erasure import erase_member
from members.services.merging import merge_members
from members.services.reactions import run_due
from members.tests.factories import make_member
from referrals.enums import ProgrammeState, ReferralState, Source
from referrals.events import REFERRAL_UNCOUNTED
from referrals.models import Guess, Programme, Referral, Said
from referrals.services.advocates import advocate_of, set_wishes
from referrals.services.ageing import age_guesses
from referrals.services.attribution import Came, attribute
from referrals.services.finding import MISSES
from referrals.tests.factories import live_programme, newcomer
from rewards.models import Transfer
from rewards.services.verify import verify
from rewards.tests.factories import make_rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Caller:
    return Caller()


@pytest.fixture
def anna() -> Member:
    live_programme(welcome={"points": 50})
    return make_member(name="Anna Berger")


@pytest.fixture
def code(anna) -> str:
    return advocate_of(member_id=anna.pk, at=timezone.now()).code


def bought(member: Member, **more) -> dict:
    lines = [{"sku": "tea", "quantity": 1, "unit_price": "25.00"}]
    return {"key": "r-1", "member": member.card_number, "currency": "EUR", "lines": lines, **more}


def test_a_code_is_checked_and_says_what_it_brings(till, anna, code):
    told = till.get(f"/referral-codes/{code.lower()}").json()
    assert told["valid"]
    assert (told["name"], told["gift"]) == ("", "50 points and later 100 points")
    assert told["link"].endswith(f"/r/{code}/")
    set_wishes(member_id=anna.pk, shows_name=True, nickname="", is_listed=False, at=timezone.now())
    assert till.get(f"/referral-codes/{code}").json()["name"] == "Anna"
    assert till.get("/referral-codes/NONSENSE").json()["valid"] is False


def test_who_guesses_codes_is_slowed_down(till, code):
    for n in range(10):
        till.get(f"/referral-codes/0000000{n}")
    assert problem(till.get(f"/referral-codes/{code}")) == (429, "too_many_guesses", None)


def test_a_new_member_comes_by_a_code_once_however_often_it_is_told(till, anna, code):
    body = {"key": "c-1", "name": "Lee", "email": "lee@example.org", "referral_code": code}
    first = till.post("/members", body)
    assert first.json()["referral"] == {"accepted": True, "state": "joined"}
    assert till.post("/members", body).json() == first.json()
    assert Referral.objects.get().giver == anna
    wrong = till.post("/members", {"key": "c-2", "name": "Kim", "referral_code": "NONSENSE"})
    assert wrong.status_code == 201
    assert wrong.json()["referral"]["reason"] == "unknown"


def happens() -> None:
    """What follows of what was answered, however many reactions it takes."""
    while run_due(at=timezone.now() + timedelta(hours=1)):
        pass


def test_a_code_said_at_a_purchase_is_noted_with_it_and_that_purchase_counts(till, anna, code):
    make_rule()
    friend = newcomer(at=timezone.now())
    answer = till.post("/purchases", bought(friend, referral_code=code))
    assert answer.json()["referral"] == {"accepted": True, "state": "noted"}
    assert till.post("/purchases", bought(friend, referral_code=code)).json() == answer.json()
    happens()
    referral = Referral.objects.get()
    assert (referral.friend, referral.giver, referral.state) == (friend, anna, ReferralState.HELD)
    assert referral.purchase_id == answer.json()["purchase"]
    assert [one.amount for one in Transfer.objects.filter(credit__member=friend, kind="gift")] == [50]
    again = till.post("/purchases", bought(friend, key="r-2", referral_code=code))
    assert again.json()["referral"] == {"accepted": True, "state": "held"}
    many = till.post("/purchases/batch", {"purchases": [bought(friend, key="r-3", referral_code=code)]})
    assert many.json()["answers"][0]["error"]["field"] == "referral_code"
    happens()
    assert not Said.objects.exists()
    assert Referral.objects.count() == 1


def test_why_a_code_said_at_a_purchase_cannot_count_is_told_at_once(till, anna, code):
    def told(buyer, code=code):
        answer = till.post("/purchases", bought(buyer, key=f"k-{Purchase.objects.count()}", referral_code=code))
        assert answer.status_code == 201
        return answer.json()["referral"].get("reason")

    friend, at_home, fresh = (newcomer(at=timezone.now()) for _n in range(3))
    Member.objects.filter(pk__in=[anna.pk, at_home.pk]).update(household=Household.objects.create(name="Home"))
    other = advocate_of(member_id=make_member().pk, at=timezone.now()).code
    attribute(friend_id=friend.pk, came=[Came(other, Source.CODE, timezone.now())], at=timezone.now())
    assert [told(friend), told(make_member()), told(at_home)] == ["taken", "too_late", "household"]
    assert [told(anna), told(fresh, "NONSENSE")] == ["self", "unknown"]
    happens()
    assert Referral.objects.get().friend == friend
    (why,) = TimelineEvent.objects.filter(kind=REFERRAL_UNCOUNTED, member=at_home)
    assert describe(why).endswith("Members of one household do not bring one another.")
    Programme.objects.update(state=ProgrammeState.PAUSED)
    assert told(fresh) == "not_running"
    erase_member(member_id=anna.pk, at=timezone.now())
    assert told(fresh) == "giver_gone"


def test_who_guesses_codes_with_purchases_is_slowed_down_and_nothing_is_bought(till, anna, code):
    friend = newcomer(at=timezone.now())
    for n in range(MISSES):
        till.post("/purchases", bought(friend, key=f"g-{n}", referral_code=f"0000000{n}"))
    assert Purchase.objects.count() == MISSES
    assert problem(till.post("/purchases", bought(friend, referral_code=code))) == (429, "too_many_guesses", None)
    assert problem(till.get(f"/referral-codes/{code}")) == (429, "too_many_guesses", None)
    assert Purchase.objects.count() == MISSES
    Guess.objects.update(minute=timezone.now() - timedelta(hours=2))
    assert age_guesses(at=timezone.now()) == 1
    assert till.post("/purchases", bought(friend, referral_code=code)).json()["referral"]["accepted"]


@pytest.mark.parametrize("what", ["merged", "erased", "gives back"])
def test_what_becomes_of_the_buyer_before_the_code_is_looked_at_does_no_harm(till, anna, code, what):
    make_rule()
    friend, survivor = newcomer(at=timezone.now()), newcomer(at=timezone.now())
    till.post("/purchases", bought(friend, referral_code=code))
    if what == "merged":
        merge_members(survivor_id=survivor.pk, merged_id=friend.pk, at=timezone.now())
    elif what == "erased":
        erase_member(member_id=friend.pk, at=timezone.now())
    else:
        assert till.post("/refunds", {"key": "b-1", "purchase": "r-1"}).status_code == 201
    happens()
    assert not Said.objects.exists()
    assert not PendingReaction.objects.exists()
    states = {"merged": [(survivor.pk, "held")], "erased": [], "gives back": [(friend.pk, "joined")]}
    assert list(Referral.objects.values_list("friend", "state")) == states[what]
    assert not [one for one in verify() if one.difference]


def test_that_somebody_brought_the_buyer_costs_a_purchase_no_more_than_a_question(till, anna, code):
    make_rule()
    friend, other = newcomer(at=timezone.now()), newcomer(at=timezone.now())
    attribute(friend_id=friend.pk, came=[Came(code, Source.LINK, timezone.now(), "mail")], at=timezone.now())
    asked = {}
    for buyer in (make_member(), friend, other):
        till.post("/purchases", bought(buyer, key=f"first-{buyer.pk}"))  # which opens their wallet
        with CaptureQueriesContext(connection) as seen:
            assert till.post("/purchases", bought(buyer, key=f"q-{buyer.pk}")).status_code == 201
        asked[buyer.pk] = len(seen)
    assert asked[friend.pk] == asked[other.pk] == min(asked.values())


def test_a_code_said_at_a_purchase_costs_it_one_statement_more(till, anna, code):
    make_rule()
    friend, other = newcomer(at=timezone.now()), newcomer(at=timezone.now())
    asked = []
    for buyer, more in ((other, {}), (friend, {"referral_code": code}), (other, {"referral_code": "NONSENSE"})):
        till.post("/purchases", bought(buyer, key=f"first-{buyer.pk}"))
        with CaptureQueriesContext(connection) as seen:
            assert till.post("/purchases", bought(buyer, key=f"q-{len(asked)}", **more)).status_code == 201
        asked.append(len(seen))
    assert asked == [asked[0], asked[0] + 1, asked[0] + 1]


def test_what_a_member_brought_is_told_without_names_that_were_not_given(till, anna, code):
    friend = till.post("/members", {"key": "c-1", "name": "Lee Wu", "referral_code": code}).json()
    told = till.get(f"/referrals/{anna.card_number}").json()
    assert (told["running"], told["gives"]) == (True, "200 points")
    assert [(one["state"], one["name"]) for one in told["friends"]] == [("joined", "")]
    other = till.get(f"/referrals/{friend['card']}").json()
    assert (other["code"], other["friends"]) == ("", [])
    assert problem(till.get("/referrals/999999999999"))[:2] == (404, "no_such_member")


def test_who_pays_with_the_givers_card_brings_themselves_and_an_honest_friend_does_not(till, anna, code):
    make_rule()
    till.post("/purchases", bought(anna, payment="card-1"))
    body = {"key": "c-1", "name": "Lee", "payment": "card-1", "referral_code": code}
    assert till.post("/members", body).json()["referral"]["reason"] == "self"
    honest = {"key": "c-2", "name": "Kim", "payment": "card-2", "device": "phone-2", "referral_code": code}
    assert till.post("/members", honest).json()["referral"]["accepted"]

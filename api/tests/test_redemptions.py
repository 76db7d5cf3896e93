"""POST /redemptions, /confirm, /cancel, /refund."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from api.tests.factories import Caller, problem
from members.tests.factories import make_member
from rewards.models import Redemption
from rewards.queries import balance
from rewards.tests.factories import adjust, make_reward, make_tiers

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Caller:
    make_tiers()
    return Caller()


@pytest.fixture
def anna(till):
    member = make_member()
    adjust(member, 250, timezone.now())
    return member


def ask(till, member, reward, key="k1", **more):
    return till.post("/redemptions", {"key": key, "member": member.card_number, "reward": reward.pk, **more})


def test_a_reward_is_reserved_confirmed_and_taken_back(till, anna):
    reward = make_reward(stock=1)
    first = ask(till, anna, reward)
    assert first.status_code == 201
    told = first.json()
    assert (told["state"], told["points"], told["code"]) == ("reserved", 100, None)
    assert told["expires_at"]
    assert ask(till, anna, reward).json() == told
    assert balance(anna.pk) == 150
    path = f"/redemptions/{told['redemption']}"
    done = till.post(f"{path}/confirm")
    assert (done.status_code, done.json()["state"]) == (200, "confirmed")
    assert done.json()["code"]
    assert till.post(f"{path}/confirm", {}).json() == done.json()
    assert problem(till.post(f"{path}/cancel"))[:2] == (409, "redemption_confirmed")
    assert till.post(f"{path}/refund", {"reason": "cold"}).json()["state"] == "refunded"
    assert till.post(f"{path}/refund").json()["state"] == "refunded"
    assert balance(anna.pk) == 250
    reward.refresh_from_db()
    assert reward.stock == 1


def test_a_cancelled_one_gives_its_points_back_and_cannot_be_confirmed(till, anna):
    told = ask(till, anna, make_reward()).json()
    path = f"/redemptions/{told['redemption']}"
    assert till.post(f"{path}/cancel", {"key": "c1"}).json()["state"] == "cancelled"
    assert problem(till.post(f"{path}/confirm"))[:2] == (409, "redemption_cancelled")
    assert balance(anna.pk) == 250


def test_a_call_without_a_key_takes_no_key_of_the_callers(till, anna):
    one, other = (ask(till, anna, make_reward(), key=key).json()["redemption"] for key in ("k1", "k2"))
    assert till.post(f"/redemptions/{one}/confirm", {"key": str(other)}).status_code == 200
    assert till.post(f"/redemptions/{other}/confirm").json()["redemption"] == other
    assert list(Redemption.objects.values_list("state", flat=True)) == ["confirmed"] * 2


@pytest.mark.parametrize("source", ["portal", "till-page", "admin", "desk", "crm"])
def test_no_key_speaks_for_our_own_pages(source):
    with pytest.raises(ValidationError):
        Caller(source=source)


def test_why_not_is_for_programs_and_for_people(till, anna):
    answer = ask(till, anna, make_reward(points=1000, stock=0))
    status, code, field = problem(answer)
    assert (status, field) == (422, "reward")
    reasons = answer.json()["error"]["facts"]["reasons"]
    assert {reason["code"] for reason in reasons} == {"sold_out", "points_missing"}
    missing = next(reason for reason in reasons if reason["code"] == "points_missing")
    assert missing["facts"]["missing"] == 750
    assert "750" in missing["message"]
    assert code == reasons[0]["code"]
    assert not Redemption.objects.exists()


def test_unknown_rewards_members_and_redemptions(till, anna):
    reward = make_reward()
    body = {"key": "k1", "member": anna.card_number, "reward": 2**63 - 1}
    assert problem(till.post("/redemptions", body)) == (404, "no_such_reward", "reward")
    for wrong in (2**63, 0, -1, "1", 1.5, True, None):
        assert problem(till.post("/redemptions", body | {"reward": wrong})) == (422, "invalid", "reward"), wrong
    assert problem(till.post("/redemptions", body | {"member": "key:x"})) == (404, "no_such_member", "member")
    mine = ask(till, anna, reward).json()["redemption"]
    for number in (mine + 1, 10**30, 2**63):
        for verb in ("confirm", "cancel", "refund"):
            assert problem(till.post(f"/redemptions/{number}/{verb}"))[:2] == (404, "no_such_redemption")
    foreign = Caller(source="shop").post(f"/redemptions/{mine}/confirm")
    assert problem(foreign)[:2] == (404, "no_such_redemption")
    assert Redemption.objects.get().state == "reserved"


@pytest.mark.django_db(transaction=True)
def test_one_key_at_once_reserves_once_and_the_last_piece_goes_to_one(till, anna):
    reward = make_reward(stock=1)

    def send(n: int):
        try:
            return ask(till, anna, reward, key="same" if n % 2 else f"k{n}").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(send, range(24)))
    assert codes.count(201) == 1
    assert set(codes) <= {200, 201, 422}
    assert Redemption.objects.count() == 1
    assert balance(anna.pk) == 150

"""What is scanned or typed, and where it leads."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from members.tests.factories import make_member
from rewards.enums import Fulfilment
from rewards.services.redemptions import redeem_reward
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust, make_reward
from till.tests.conftest import scan


def page_of(member) -> str:
    return reverse("till:member", args=[member.pk])


def test_a_card_an_address_a_phone_and_four_digits_lead_to_the_member(till, anna):
    bob = make_member(name="Bob Stone", email="bob@example.com", phone="+4915112345678")
    for text in (bob.card_number, bob.card_number_grouped, "bob@example.com", "+49 151 12345678"):
        assert scan(till, text)["Location"] == page_of(bob), text
    assert scan(till, bob.card_number[-4:])["Location"] == page_of(bob)
    assert scan(till, anna.card_number)["Location"] == page_of(anna)


def test_of_several_by_name_one_is_chosen(till, anna):
    make_member(name="Anna Stone")
    make_member(name="Bob Stone")
    page = scan(till, "anna").content.decode()
    assert "2 members found" in page
    assert page_of(anna) in page
    assert "Bob" not in page


@pytest.mark.parametrize("text", ["0000 0000 0000", "x", "<script>", "nobody@example.com", "a\0b", "'; --"])
def test_a_wrong_scan_is_said_at_once_and_the_field_waits_again(till, anna, text):
    page = scan(till, text).content.decode()
    assert 'role="alert"' in page
    assert "Nothing is known by" in page
    assert "Anna" not in page
    assert "<script>alert" not in page


def test_guessing_is_held_up_and_right_scans_are_not(till, anna):
    for _n in range(15):
        assert scan(till, anna.card_number).status_code == 302
    answers = [scan(till, f"{n:012d}").status_code for n in range(22)]  # a minute may turn in between, once
    assert answers[0] == 200
    assert 429 in answers


def test_a_reward_s_code_is_handed_over_once(till, anna):
    at = timezone.now()
    adjust(anna, 500, at)
    taken = redeem_reward(member_id=anna.pk, reward_id=make_reward().pk, source="t", key="k", at=at)
    url = scan(till, f"{taken.code[:4]} {taken.code[4:].lower()}")["Location"]
    assert "Hand over" in till.get(url).content.decode()
    done = till.post(url)
    assert done["Location"] == f"{page_of(anna)}?done"
    taken.refresh_from_db()
    assert (taken.fulfilment, taken.store) == (Fulfilment.COLLECTED, "Old Town")
    again = till.post(url).content.decode()
    assert "This code was used on" in again
    assert "Hand over" not in till.get(url).content.decode().split("<h1>")[1].split("</main>")[0]
    till.post(reverse("till:undo"), {"act_id": f"collected:{taken.pk}"})
    taken.refresh_from_db()
    assert taken.fulfilment == Fulfilment.TO_COLLECT


def test_a_late_code_hands_nothing_out(till, anna):
    at = timezone.now() - timedelta(days=9)
    taken = redeem_reward(
        member_id=anna.pk, reward_id=make_reward(points=0, valid_days=3).pk, source="t", key="k", at=at
    )
    url = scan(till, taken.code)["Location"]
    assert "Too late" in till.get(url).content.decode()
    assert "could be used until" in till.post(url).content.decode()
    taken.refresh_from_db()
    assert taken.fulfilment == Fulfilment.TO_COLLECT


def test_a_coupon_goes_to_its_owner_or_to_who_stands_here(till, anna):
    own = issue(make_offer(), anna, timezone.now())
    assert scan(till, own.code)["Location"] == page_of(anna)
    page = till.get(page_of(anna)).content.decode()
    assert f'value="{own.code}" checked' in page
    shared = make_offer(shared_code="SUMMER")
    assert "scan the member" in scan(till, "summer").content.decode()
    assert scan(till, "summer", member=str(anna.pk))["Location"] == page_of(anna)
    assert f'value="{shared.shared_code}"' in till.get(page_of(anna)).content.decode()
    bob = make_member(name="Bob Stone")
    refused = scan(till, own.code, member=str(bob.pk)).content.decode()
    assert "another member" in refused
    assert "Anna" not in refused


def test_a_card_scanned_into_the_amount_opens_that_card(till, anna):
    bob = make_member(name="Bob Stone")
    answer = till.post(page_of(anna), {"amount": bob.card_number, "act": "try"})
    assert answer["Location"] == page_of(bob)

"""PINs and codes for the till: right once, hashed, and not to be guessed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from members.models import Member, MemberPin, TillCode
from members.services import pins
from members.services.erasure import erase_member
from members.services.merging import merge_members
from members.services.pins import Proof, check_pin, check_till_code, new_till_code, set_pin
from members.tests.factories import make_member

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def test_the_right_pin_is_right_and_is_kept_as_a_hash(at):
    member = make_member()
    assert check_pin(member_id=member.pk, pin="4711", at=at) == Proof("none")
    set_pin(member_id=member.pk, pin="4711", at=at)
    kept = MemberPin.objects.get()
    assert "4711" not in kept.digest
    assert kept.set_at == at
    assert check_pin(member_id=member.pk, pin="4711", at=at).ok
    assert check_pin(member_id=member.pk, pin="4712", at=at) == Proof("wrong", left=4)
    set_pin(member_id=member.pk, pin="80813", at=at)
    assert not check_pin(member_id=member.pk, pin="4711", at=at).ok
    assert check_pin(member_id=member.pk, pin="80813", at=at).ok


@pytest.mark.parametrize("pin", ["123", "123456789", "12a4", "١٢٣٤", "", "1111", "1234", "9876", "7890", "3210"])
def test_what_is_no_pin_or_everybodys_is_refused(at, pin):
    with pytest.raises(ValidationError):
        set_pin(member_id=make_member().pk, pin=pin, at=at)
    assert not MemberPin.objects.exists()


def test_five_wrong_tries_lock_it_for_longer_each_time_and_the_right_one_does_not_help(at):
    member = make_member()
    set_pin(member_id=member.pk, pin="4711", at=at)
    tries = [check_pin(member_id=member.pk, pin=f"000{n}", at=at) for n in range(5)]
    assert [proof.left for proof in tries] == [4, 3, 2, 1, 0]
    assert tries[-1] == Proof("locked", until=at + 15 * MINUTE)
    assert check_pin(member_id=member.pk, pin="4711", at=at + 14 * MINUTE) == tries[-1]
    later = at + 15 * MINUTE
    assert check_pin(member_id=member.pk, pin="0009", at=later).until == later + 30 * MINUTE
    assert check_pin(member_id=member.pk, pin="4711", at=later + 30 * MINUTE).ok
    assert check_pin(member_id=member.pk, pin="0009", at=later + 31 * MINUTE) == Proof("wrong", left=4)


def test_guessing_for_a_month_gets_nowhere(at):
    """A guesser who comes back the moment that each lock ends: how many guesses are compared at all."""
    member, now, guesses = make_member(), at, 0
    set_pin(member_id=member.pk, pin="4711", at=at)
    while now < at + timedelta(days=30):
        proof = check_pin(member_id=member.pk, pin="0000", at=now)
        guesses += 1
        now = proof.until or now
    assert guesses < 50  # of 10,000


@pytest.mark.django_db(transaction=True)
def test_a_hundred_guesses_at_once_are_five(at):
    member = make_member()
    set_pin(member_id=member.pk, pin="4711", at=at)

    def guess(n: int) -> str:
        try:
            return check_pin(member_id=member.pk, pin=f"{n:04}", at=at).reason
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(100)))
    assert answers.count("wrong") == 4
    assert MemberPin.objects.get().failures == 5


@pytest.mark.django_db(transaction=True)
def test_a_wrong_try_cannot_be_rolled_back_with_what_it_was_for(at):
    member = make_member()
    set_pin(member_id=member.pk, pin="4711", at=at)
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        check_pin(member_id=member.pk, pin="0000", at=at)


def test_a_code_holds_for_five_minutes_once(at):
    member = make_member()
    code = new_till_code(member_id=member.pk, at=at)
    assert (len(code), code.isdigit()) == (6, True)
    assert code not in TillCode.objects.get().digest
    assert check_till_code(member_id=make_member().pk, code=code, at=at) == Proof("none")
    assert check_till_code(member_id=member.pk, code=code, at=at + 5 * MINUTE) == Proof("none")
    assert check_till_code(member_id=member.pk, code=code, at=at + 4 * MINUTE).ok
    assert check_till_code(member_id=member.pk, code=code, at=at + 4 * MINUTE) == Proof("none")


def test_a_new_code_ends_the_one_before_and_five_wrong_tries_end_any(at, monkeypatch):
    member = make_member()
    numbers = iter([111111, 222222])
    monkeypatch.setattr(pins.secrets, "randbelow", lambda most: next(numbers))
    new_till_code(member_id=member.pk, at=at)
    new_till_code(member_id=member.pk, at=at)
    tries = [check_till_code(member_id=member.pk, code="111111", at=at) for _ in range(5)]
    assert [proof.left for proof in tries] == [4, 3, 2, 1, 0]
    assert check_till_code(member_id=member.pk, code="222222", at=at) == Proof("none")


def test_codes_are_not_made_without_end(at):
    member = make_member()
    for n in range(5):
        new_till_code(member_id=member.pk, at=at + n * MINUTE)
    with pytest.raises(pins.TooManyCodes):
        new_till_code(member_id=member.pk, at=at + 59 * MINUTE)
    new_till_code(member_id=member.pk, at=at + 60 * MINUTE)
    assert TillCode.objects.filter(member=member).count() == 5  # what is over an hour old is gone


def test_who_is_merged_proves_nothing_and_who_is_erased_leaves_nothing(at):
    survivor, merged = make_member(), make_member()
    for member in (survivor, merged):
        set_pin(member_id=member.pk, pin="4711", at=at)
    merge_members(survivor_id=survivor.pk, merged_id=merged.pk, at=at)
    assert check_pin(member_id=merged.pk, pin="4711", at=at) == Proof("none")
    assert check_pin(member_id=survivor.pk, pin="4711", at=at).ok
    with pytest.raises(Member.DoesNotExist):
        new_till_code(member_id=merged.pk, at=at)
    new_till_code(member_id=survivor.pk, at=at)
    erase_member(member_id=survivor.pk, at=at, actor_id=None)
    assert not MemberPin.objects.exists()
    assert not TillCode.objects.exists()

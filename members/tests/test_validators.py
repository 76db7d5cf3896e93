"""Card numbers: no slip of one digit or of two neighbours goes unseen."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from stdnum import damm

from members.tests.factories import make_member
from members.validators import clean_card_number, validate_card_number, validate_currency, validate_time_zone

cards = st.integers(0, 10**11 - 1).map(lambda n: f"{n:011d}").map(lambda d: d + damm.calc_check_digit(d))


@given(cards, st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_is_refused(card, place, shift):
    wrong = card[:place] + str((int(card[place]) + shift) % 10) + card[place + 1 :]
    with pytest.raises(ValidationError):
        validate_card_number(wrong)


@given(cards, st.integers(0, 10))
def test_two_swapped_digits_are_refused(card, place):
    swapped = card[:place] + card[place + 1] + card[place] + card[place + 2 :]
    if swapped != card:
        with pytest.raises(ValidationError):
            validate_card_number(swapped)


@pytest.mark.django_db
def test_the_database_gives_numbers_that_hold(at):
    numbers = [make_member().card_number for _ in range(50)]
    assert len(set(numbers)) == 50
    for number in numbers:
        validate_card_number(number)


def test_a_card_number_may_be_typed_with_gaps():
    assert clean_card_number(" 8061-8033 9891 ") == "806180339891"
    assert clean_card_number("٨٠٦١٨٠٣٣٩٨٩١") == ""


@pytest.mark.parametrize(("check", "value"), [(validate_time_zone, "Mars/Olympus"), (validate_currency, "XXQ")])
def test_names_nobody_knows_are_refused(check, value):
    with pytest.raises(ValidationError, match=value):
        check(value)


def test_a_number_that_is_too_short_or_too_long_is_told_how_long_it_should_be():
    for number in ("123", "1234567890123"):
        with pytest.raises(ValidationError, match=f"has 12 digits; this one has {len(number)}"):
            validate_card_number(number)

from collections import Counter
from math import log2

import pytest

from rewards import codes


def test_a_code_has_sixty_bits_and_nothing_that_is_misread():
    assert codes.LENGTH * log2(len(codes.ALPHABET)) > 60
    assert not set(codes.ALPHABET) & set("OILSZBUAE")
    assert len(set(codes.ALPHABET)) == len(codes.ALPHABET)


def test_codes_are_unique_and_use_the_whole_alphabet_evenly():
    made = codes.new_codes(20_000, "MAY")
    assert len(set(made)) == 20_000
    assert all(code.startswith("MAY") and len(code) == 16 for code in made)
    counted = Counter("".join(code[3:] for code in made))
    assert set(counted) == set(codes.ALPHABET)
    mean = 20_000 * 13 / 27
    assert all(0.9 * mean < n < 1.1 * mean for n in counted.values())


def test_no_code_spells_an_insult(monkeypatch):
    drawn = iter(["C0CK000000000", "7T17000000000", "MFCK000000000", "9KPMT4XC0RQ7D"])
    monkeypatch.setattr(codes, "_random", lambda: next(drawn))
    assert codes.new_code() == "9KPMT4XC0RQ7D"


@pytest.mark.parametrize(
    "typed",
    ["9KPMT4XC0RQ7D", "9kpm-t4xc-0rq7d", " 9KPM T4XC 0RQ7D\n", "9KPM–T4XC–ORQ7D", "9kpm.t4xc.orq7d"],
)
def test_what_people_type_is_understood(typed):
    assert "9KPMT4XC0RQ7D" in codes.candidates(typed)


def test_a_prefix_is_left_as_it_is_and_the_rest_put_right():
    assert "SUMMER" + "5KPMT4XC0RQ71" in codes.candidates("summer-skpm-t4xc-orq7l")


@pytest.mark.parametrize("typed", ["", "   ", "--", "\0", "A" * 500])
def test_what_can_be_no_code_is_none(typed):
    assert codes.candidates(typed) == []


def test_a_code_is_shown_in_groups():
    assert codes.shown("SUMMER9KPMT4XC0RQ7D") == "SUMMER-9KPM-T4XC-0RQ7D"
    assert codes.shown("9KPMT4XC0RQ7D") == "9KPM-T4XC-0RQ7D"
    assert codes.shown("WELCOME10") == "WELCOME10"

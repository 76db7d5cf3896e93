"""Texts as words and themes."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from surveys.queries_words import telling
from surveys.ready_themes import THEMES
from surveys.wording import Dictionary, check_terms, cutter, singular, terms_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "The queues were long, and the FLAT White cold!",
            ["queue", "long", "flat", "white", "flat white", "cold", "white cold"],
        ),
        ("It isn't very clean. Never rude.", ["not clean", "not rude"]),
        ("Not a word. Friendly", ["not word", "friendly"]),  # what is denied ends with its clause
        ("排队太久，收银员态度不友好。", ["排队", "太久", "排队太久", "收银员", "态度", "收银员态度", "不友好"]),
        ("不贵，咖啡好", ["不贵", "咖啡", "好", "咖啡好"]),
        ("ＷｉＦｉ慢 15 分钟", ["wifi", "慢", "分钟"]),
        ("…！ 12 a 的", []),
    ],
)
def test_words_and_phrases_of_a_text(text, words):
    assert words_of(text, cutter()) == words


def test_regular_plurals_alone():
    pairs = {"prices": "price", "dishes": "dish", "berries": "berry", "cookies": "cookie", "glass": "glass"}
    assert {word: singular(word) for word in pairs} == pairs
    assert [singular(word) for word in ("service", "news", "bus", "this")] == ["service", "news", "bus", "this"]


def test_themes_are_whole_words_in_english_and_stand_anywhere_in_chinese():
    dictionary = Dictionary({1: terms_of("price，oat milk\n贵"), 2: ["clean*"], 3: ["wifi慢"]})

    def found(text: str) -> list[int]:
        return dictionary.themes_in(text)

    assert [found(text) for text in ("Prices!", "太贵了", "OAT  milks", "很price的")] == [[1]] * 4
    assert [found(text) for text in ("priceless", "oat. Milk", "unclean", "")] == [[]] * 4
    assert [found(text) for text in ("Cleanliness", "the cleanest")] == [[2]] * 2
    assert found("这里ＷＩＦＩ慢") == [3]


@given(st.text(max_size=300))
def test_any_text_can_be_read(text):
    words = words_of(text, cutter())
    assert len(words) == len(set(words))
    assert not any("\x1f" in word for word in words)
    assert Dictionary({1: ["price", "贵"]}).themes_in(text) in ([], [1])


@pytest.mark.parametrize("told", ["", " , ", "a", "!!", "*", "x" * 61, "\n".join(f"w{n}x" for n in range(201))])
def test_terms_that_find_nothing_or_everything_are_refused(told):
    with pytest.raises(ValidationError):
        check_terms(told)


def test_ready_themes_stand_the_check():
    for theme in THEMES.values():
        check_terms(theme.terms)


def test_a_phrase_stands_for_its_words_where_they_are_said_together():
    assert telling({"white": 10, "flat": 10, "flat white": 9, "coffee": 8, "coffee white": 2}) == {
        "flat white": 9,
        "coffee": 8,
    }
    assert telling({"态度": 9, "态度不好": 8, "不好": 20}) == {"不好": 20, "态度不好": 8}

"""What people write about: the words and phrases of texts, the themes they are of, and the scores beside them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from common.sql import fetch_all
from surveys.definition import Question
from surveys.models import Answer, Survey, Theme
from surveys.queries_report import EVERYBODY, INSIDE, Asked, Tally, parts_of, score_of
from surveys.scores import Change, Score, change, share
from surveys.wording import Dictionary, terms_of

LEAST = 2  # people who wrote a word before it is shown
SHOWN = 16  # words of a question
_LISTED = 80  # words of a question that are looked at for those shown
SAME = 0.8  # a word that so many of its writers wrote within a phrase is told by the phrase
RARE = 0.3  # a phrase of fewer than so many of the writers of each of its words is none

_FROM = """
FROM surveys_response AS response {joins}
JOIN surveys_answer AS answer ON answer.response_id = response.id
WHERE {where} AND answer.text <> ''
"""
# How many texts hold just these themes; none where they are not read yet.
_TEXTS = "SELECT {group}, answer.question, answer.themes::text, count(*)" + _FROM + "GROUP BY 1, 2, 3"
# Of each question the words that most people wrote. An answer holds each of its words once.
_WORDS = (
    """
SELECT question, word, n FROM (
    SELECT question, word, n, row_number() OVER (PARTITION BY question ORDER BY n DESC, word) AS place
    FROM (SELECT answer.question, word, count(*) AS n"""
    + _FROM.replace("WHERE", "CROSS JOIN LATERAL unnest(answer.words) AS word WHERE")
    + """    GROUP BY 1, 2 HAVING count(*) >= %(least)s) AS counted
) AS placed WHERE place <= %(listed)s ORDER BY question, place
"""
)
# How many people gave each overall score, by all the themes of what they wrote: "{1,2} {2}".
_SCORES = (
    """
WITH wrote AS (SELECT response.id, string_agg(answer.themes::text, ' ') AS themes"""
    + _FROM
    + """ AND answer.words IS NOT NULL GROUP BY 1)
SELECT wrote.themes, main.number, count(*)
FROM wrote LEFT JOIN surveys_answer AS main ON main.response_id = wrote.id AND main.question = %(main)s
GROUP BY 1, 2
"""
)


@dataclass(slots=True)
class Texts:
    """Texts of one question: how many are read, of how many; how many of those hold each theme, and each word."""

    read: int = 0
    all: int = 0
    themes: dict[int, int] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)


def themes_now() -> dict[int, Theme]:
    return {theme.pk: theme for theme in Theme.objects.all()}


def texts_in(asked: Asked) -> dict[str, dict[str, Texts]]:
    """What the texts of each question come to, by group where asked; words of everybody alone. Of an anonymous survey
    there are no groups, and neither themes nor words of fewer than its smallest group. Narrowed where a
    part of an anonymous survey is asked for."""
    survey = Survey.objects.get(pk=asked.survey_id)
    least = survey.smallest_group if survey.anonymous else 1
    parts, params = parts_of(asked, survey)
    found: dict[str, dict[str, Texts]] = {}
    if survey.anonymous and asked.by:
        return found
    for who, question, themes, n in fetch_all(_TEXTS.format(**parts), params):
        texts = found.setdefault(INSIDE.get(who, who), {}).setdefault(question, Texts())
        texts.all += n
        texts.read += n if themes is not None else 0
        for theme in _keys(themes or ""):
            texts.themes[theme] = texts.themes.get(theme, 0) + n
    for questions in found.values():
        for question, texts in list(questions.items()):
            texts.themes = {theme: n for theme, n in texts.themes.items() if n >= least}
            if texts.all < least:
                del questions[question]
    if not asked.by:
        params |= {"least": max(LEAST, least), "listed": _LISTED}
        listed: dict[str, dict[str, int]] = {}
        for question, word, n in fetch_all(_WORDS.format(**parts), params):
            listed.setdefault(question, {})[word] = n
        for question, counts in listed.items():
            if question in found.get(EVERYBODY, {}):
                found[EVERYBODY][question].words = telling(counts)
    return found


def _keys(themes: str) -> set[int]:
    return set(map(int, re.findall(r"\d+", themes)))


def telling(counts: Mapping[str, int]) -> dict[str, int]:
    """The words to show, those of most people first: phrases that are more than two words which met, and of the words
    those that are more than a part of a phrase."""

    def words_in(phrase: str) -> list[str]:
        return [word for word in counts if word != phrase and len(word) < len(phrase) and _holds(phrase, word)]

    parts = {phrase: found for phrase in counts if (found := words_in(phrase))}
    phrases = {
        phrase for phrase, words in parts.items() if counts[phrase] >= RARE * min(counts[word] for word in words)
    }
    told = {word for phrase in phrases for word in parts[phrase] if counts[phrase] >= SAME * counts[word]}
    kept = [word for word in counts if word not in told and (word in phrases or word not in parts)]
    return {word: counts[word] for word in sorted(kept, key=lambda word: (-counts[word], word))[:SHOWN]}


def _holds(phrase: str, word: str) -> bool:
    """Whether it begins or ends with the word."""
    if " " in phrase:
        return phrase.startswith(f"{word} ") or phrase.endswith(f" {word}")
    return word > "\u3400" and (phrase.startswith(word) or phrase.endswith(word))


@dataclass(frozen=True, slots=True)
class Beside:
    """A theme of the whole survey: the share of those who wrote anything, the overall score of who mentions it and of
    all others who wrote, and the difference where it can be told."""

    theme: Theme
    people: int
    share: Score
    score: Score
    rest: Score
    differs: Change | None

    @property
    def scores(self) -> tuple[Score, Score]:
        return self.score, self.rest


def beside(asked: Asked, main: Question) -> list[Beside]:
    """Themes of people, whichever question they wrote under, those of most first. Not of anonymous surveys: who may
    write the dictionary could make two themes that differ by one text, and tell the score that was given with it."""
    survey = Survey.objects.get(pk=asked.survey_id)
    if survey.anonymous:
        return []
    parts, params = parts_of(replace(asked, by=""), survey)
    people: dict[int, int] = {}
    numbers: dict[int, dict[float, int]] = {}
    for themes, number, n in fetch_all(_SCORES.format(**parts), params | {"main": main.id}):
        for key in {0, *_keys(themes)}:  # 0: all who wrote
            people[key] = people.get(key, 0) + n
            if number is not None:
                counts = numbers.setdefault(key, {})
                counts[float(number)] = counts.get(float(number), 0) + n
    everybody = numbers.get(0, {})
    found = []
    for pk, theme in themes_now().items():
        if not people.get(pk):
            continue
        mine = numbers.get(pk, {})
        score = score_of(main, Tally(numbers=mine))
        rest = score_of(main, Tally(numbers={value: n - mine.get(value, 0) for value, n in everybody.items()}))
        assert score is not None
        assert rest is not None
        part = share("share:1", people[pk], people[0])
        found.append(Beside(theme, people[pk], part, score, rest, change(rest, score)))
    return sorted(found, key=lambda one: -one.people)


@dataclass(frozen=True, slots=True)
class Caught:
    """Of the newest texts, so many hold one of the terms; the first of them."""

    looked: int
    count: int
    examples: list[str]


def caught_by(told: str, *, newest: int, most: int) -> Caught:
    """What the terms of a theme would find. Anonymous surveys are left out: their texts have no order of time."""
    texts = (
        Answer.objects.exclude(text="")
        .filter(words__isnull=False, response__survey__anonymous=False)
        .order_by("-pk")
        .values_list("text", flat=True)[:newest]
    )
    return _caught(texts, Dictionary({0: terms_of(told)}), most)


def _caught(texts: Iterable[str], dictionary: Dictionary, most: int) -> Caught:
    looked = count = 0
    examples: list[str] = []
    for text in texts:
        looked += 1
        if dictionary.themes_in(text):
            count += 1
            if len(examples) < most and text not in examples:
                examples.append(text)
    return Caught(looked, count, examples)

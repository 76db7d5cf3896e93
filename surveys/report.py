"""What a report shows: each question, its score and how its answers are spread; by group; and over time."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from surveys.definition import Question, said
from surveys.enums import SCALES, TEXTS, QuestionKind, Way
from surveys.forms_report import SCOPES, trait_words
from surveys.models import Survey, Theme
from surveys.queries_figures import drivers_of, main_of, questions_of
from surveys.queries_report import EVERYBODY, Asked, Report, Tally, rate_of, report, score_of, shares_of, shown_of
from surveys.queries_words import Texts, beside, texts_in, themes_now
from surveys.scores import Change, Score, change, share

FORMULAS = {
    "nps:1": _("NPS: share of 9 and 10 less share of 0 to 6, of all who answered"),
    "csat-top2:1": _("CSAT: share of 4 and 5 of 5, of all who answered"),
    "ces-mean:1": _("CES: mean of 1 to 7, of all who answered"),
    "mean:1": _("Mean, of all who answered"),
    "share:1": _("Share, of all who answered"),
    "spearman:1": _("Spearman's rank correlation, of those who answered both"),
}
ENDS = {"nps:1": (-100, 100), "csat-top2:1": (0, 100), "ces-mean:1": (1, 7)}
BLOCKS = {
    QuestionKind.NPS: ((0, 6, _("Detractors, 0–6")), (7, 8, _("Passives, 7–8")), (9, 10, _("Promoters, 9–10"))),
}
_PIPED = re.compile(r"\{\{.*?\}\}")
IN_ORDER = ("month", "wave", "version")


def figures(survey: Survey, asked: Asked, by: str = "", *, shared: bool = False) -> dict[str, Any]:
    """What surveys/report_figures.html is given: all questions of everybody asked for, and by group where one is
    chosen. Where it is `shared` with others, small groups are hidden as in an anonymous survey: parts, groups, months,
    and questions that fewer answered; and a part of the people, too, that all but a few belong to. Words and themes are
    for staff."""
    questions = questions_of(survey)
    whole, sizes = report(asked, hide=shared)
    if shared and (not sizes or _all_but_few(survey, asked, sizes[EVERYBODY])):
        return {"hidden": True}
    tallies = whole.get(EVERYBODY, {})
    main = main_of(questions)
    least = survey.smallest_group if shared else 0
    drivers = [] if asked.narrowed else drivers_of(survey, questions, hide=shared)
    told: dict[str, Any] = {
        "rate": rate_of(survey.pk),
        "n": sizes.get(EVERYBODY, 0),
        "hidden": survey.anonymous and not sizes,
        "narrowed": asked.narrowed,
        "cards": [card(question, tallies.get(question.id), least=least) for question in questions],
        "trend": trend(survey, asked, main, least=least) if main else None,
        "groups": groups(survey, asked, by, questions, tallies, least=least) if by else None,
        "drivers": [{"title": title_of(one.question), "score": one.score} for one in drivers],
        "main": title_of(main) if main else "",
    }
    if shared:
        return told
    texts, themes = texts_in(asked).get(EVERYBODY, {}), themes_now()
    for one in told["cards"]:
        one["texts"] = said_in(texts.get(one["question"].id), themes)
    return told | {
        "beside": beside(asked, main) if main else [],
        "unread": sum(one.all - one.read for one in texts.values()),
        "unsettled": [theme for theme in themes.values() if not theme.settled],
    }


def _all_but_few(survey: Survey, asked: Asked, n: int) -> bool:
    everybody = report(Asked(survey.pk, since=asked.since, until=asked.until))[1] if asked.of_some else {}
    return 0 < everybody.get(EVERYBODY, n) - n < survey.smallest_group


def title_of(question: Question) -> str:
    """What was asked; what it took over from earlier answers differs from one to the next, and is left open."""
    return _PIPED.sub("…", said(question.title, get_language() or "en")) or question.id


def card(question: Question, tally: Tally | None, *, least: int = 0) -> dict[str, Any]:
    """A question: its score, and how its answers are spread; not where fewer than `least` answered."""
    tally = tally or Tally()
    if 0 < tally.answered < least:
        return {"title": title_of(question), "few": least}
    score = score_of(question, tally)
    return {
        "question": question,
        "title": title_of(question),
        "kind": QuestionKind(question.kind).label,
        "asked": tally.asked,
        "answered": tally.answered,
        "passed": tally.asked - tally.answered,
        "words": question.kind in TEXTS,
        "score": score,
        "formula": FORMULAS.get(score.formula if score else "share:1", ""),
        "percent": bool(score and score.formula == "csat-top2:1"),
        "bars": list(_bars(question, tally)),
        "matrix": _matrix(question, tally),
    }


def _bars(question: Question, tally: Tally) -> Iterable[dict[str, Any]]:
    numbers: dict[float, int] = {int(value) if value == int(value) else value: n for value, n in tally.numbers.items()}
    if question.kind in BLOCKS:
        for low, high, label in BLOCKS[QuestionKind(question.kind)]:
            some = sum(n for value, n in numbers.items() if low <= value <= high)
            yield {"label": label, "n": some, "score": share_of(some, tally.answered), "strong": True}
    if numbers and question.kind != QuestionKind.MATRIX:
        steps: Iterable[Any] = sorted(numbers) if len(numbers) <= 20 else ()
        if question.kind in SCALES:
            low, high = SCALES[question.kind]
            steps = range(high, low - 1, -1)
        for value in steps:
            some = numbers.get(value, 0)
            yield {"label": str(value), "n": some, "score": share_of(some, tally.answered)}
        return
    if question.kind == QuestionKind.MATRIX:
        return
    names = {choice.id: said(choice.title, get_language() or "en") for choice in question.choices}
    names |= {"other": gettext("Other"), "yes": gettext("Yes"), "no": gettext("No")} if not names.get("other") else {}
    for key, score in shares_of(question, tally).items():
        n = tally.choices.get(key, 0)
        place = tally.places.get(key, 0) / n if n and question.kind == QuestionKind.RANKING else None
        yield {"label": names.get(key) or key, "n": n, "score": score, "place": place}


def share_of(some: int, n: int) -> Score:
    return share("share:1", some, n)


def _matrix(question: Question, tally: Tally) -> list[dict[str, Any]]:
    """By row: the share of each choice of those who answered that row."""
    if question.kind != QuestionKind.MATRIX:
        return []
    language = get_language() or "en"
    found = []
    for row in question.rows:
        n = sum(tally.rows.get((row.id, choice.id), 0) for choice in question.choices)
        shares = [share_of(tally.rows.get((row.id, choice.id), 0), n) for choice in question.choices]
        found.append({"label": said(row.title, language), "n": n, "shares": shares})
    return [{"heads": [said(choice.title, language) for choice in question.choices], "rows": found}]


def said_in(texts: Texts | None, themes: dict[int, Theme]) -> dict[str, Any] | None:
    """The themes of a question's texts, those of most people first, each with its share; and the words."""
    if texts is None or not texts.read:
        return None
    counts = sorted(((n, pk) for pk, n in texts.themes.items() if pk in themes), key=lambda pair: (-pair[0], pair[1]))
    return {
        "n": texts.read,
        "themes": [{"theme": themes[pk], "n": n, "share": share_of(n, texts.read)} for n, pk in counts],
        "words": texts.words,
    }


# --- by group -------------------------------------------------------------------------------------------------------
def group_name(survey: Survey, by: str, who: str) -> str:
    if by == "way":
        return str(Way(who).label) if who in Way.values else who
    if by == "language":
        return {"en": "English", "zh-hans": "简体中文"}.get(who, who)
    if by.startswith("segment:"):
        return gettext("in the segment") if who == "in" else gettext("not in it")
    if by == "wave":
        return gettext("Wave %(n)s") % {"n": who} if who else gettext("not by a wave")
    if by == "version":
        return gettext("Version %(n)s") % {"n": who}
    return trait_words(by, who) or gettext("not known")


def _in_order(by: str, sizes: dict[str, int]) -> list[str]:
    if by in IN_ORDER:
        return sorted(sizes, key=lambda who: (who == "", who.zfill(8)))
    return sorted(sizes, key=lambda who: (who == "", -sizes[who], who))[:12]


def groups(
    survey: Survey, asked: Asked, by: str, questions: list[Question], tallies: dict[str, Tally], *, least: int = 0
) -> dict[str, Any]:
    """Questions by groups: each score, and whether it differs from that of all others by more than noise. No group, and
    none of a question, below `least`."""
    found, sizes = by_group(asked, by, hide=bool(least))
    order = _in_order(by, sizes)
    rows = []
    for question in questions:
        whole = score_of(question, tallies.get(question.id))
        if whole is None:
            continue
        cells = []
        scores = {who: score for who in sizes if (score := score_of(question, found[who].get(question.id)))}
        shown = shown_of({who: score.n for who, score in scores.items()}, least)
        told = [scores[who].value for who in order if who in shown]
        ends = _ends(question, whole, [value for value in told if value is not None])
        for who in order:
            score = scores[who] if who in shown else score_of(question, None)
            assert score is not None
            rest = score_of(question, _without(tallies.get(question.id), found[who].get(question.id)))
            cells.append({"score": score, "heat": heat(score, ends), "differs": rest and change(rest, score)})
        rows.append({"title": title_of(question), "cells": cells, "whole": whole})
    heads = [{"name": group_name(survey, by, who), "n": sizes[who]} for who in order]
    return {"heads": heads, "rows": rows, "by": dict(SCOPES).get(by, ""), "left": len(sizes) - len(order)}


def by_group(asked: Asked, by: str, *, hide: bool = False) -> tuple[Report, dict[str, int]]:
    return report(replace(asked, by=by), hide=hide)


def _without(whole: Tally | None, part: Tally | None) -> Tally:
    less = part.numbers if part else {}
    return Tally(numbers={value: n - less.get(value, 0) for value, n in (whole.numbers if whole else {}).items()})


def _ends(question: Question, whole: Score, told: list[float]) -> tuple[float, float] | None:
    """Between which values colours are laid: the ends of the scale; of numbers without ends those of the groups, which
    are then held against each other alone. None where there are no two."""
    if whole.formula in ENDS:
        return ENDS[whole.formula]
    if question.low is not None and question.high is not None and question.low < question.high:
        return question.low, question.high
    return (min(told), max(told)) if told and min(told) < max(told) else None


def heat(score: Score, ends: tuple[float, float] | None) -> str:
    """How far up its scale a score is, in five steps; none where there is no score or no scale."""
    if score.value is None or ends is None:
        return ""
    low, high = ends
    return str(min(4, int(5 * (score.value - low) / (high - low))))


# --- over time ------------------------------------------------------------------------------------------------------
WIDE, TALL, EDGE = 640.0, 180.0, 24.0


def trend(survey: Survey, asked: Asked, question: Question, *, least: int = 0) -> list[dict[str, Any]]:
    """The overall score by month, and by wave where there were several; none of fewer than `least`."""
    found = []
    for by in ("month",) if survey.anonymous else ("month", "wave"):
        tallies, sizes = by_group(asked, by, hide=bool(least))
        scores = {who: score for who in sizes if (score := score_of(question, tallies[who].get(question.id)))}
        shown = shown_of({who: score.n for who, score in scores.items()}, least)
        points = []
        before: Score | None = None
        for who in _in_order(by, sizes):
            if who not in shown or (by == "wave" and not who):
                continue
            score = scores[who]
            told: Change | None = change(before, score) if before else None
            first = before is None
            points.append({"name": group_name(survey, by, who), "score": score, "change": told, "first": first})
            before = score
        if len(points) > 1:
            found.append({"by": by, "title": dict(SCOPES)[by], "points": points, "chart": _chart(points)})
    return found


def _chart(points: list[dict[str, Any]]) -> dict[str, Any]:
    """Where each score and its interval stand in a drawing; what is missing breaks the line."""
    scores = [one["score"] for one in points]
    known = [end for score in scores if score.value is not None for end in (score.value, score.low, score.high)]
    ends = [end for end in known if end is not None] or [0.0, 1.0]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    step = (WIDE - 4 * EDGE) / max(1, len(points) - 1)

    def up(value: float) -> str:
        return f"{TALL - EDGE - (value - low) / span * (TALL - 2 * EDGE):.1f}"

    marks: list[dict[str, Any]] = []
    lines: list[list[str]] = []
    line: list[str] = []
    for place, (point, score) in enumerate(zip(points, scores, strict=True)):
        across = f"{2 * EDGE + place * step:.1f}"
        if score.value is None:
            lines, line = [*lines, line], []
            continue
        line.append(f"{across},{up(score.value)}")
        mark = {"x": across, "y": up(score.value), "name": point["name"], "value": score.value}
        if score.low is not None and score.high is not None:
            mark |= {"low": up(score.low), "high": up(score.high)}
        marks.append(mark)
    # On a phone letters are twice as large in the drawing: as many names as stand beside each other there.
    longest = max((sum(20 if letter > "\u2e80" else 12 for letter in mark["name"]) for mark in marks), default=1)
    every = -(-len(marks) // max(1, int(WIDE / longest)))
    for place, mark in enumerate(reversed(marks)):
        mark["named"] = place % every == 0
    return {"marks": marks, "lines": [" ".join(one) for one in [*lines, line] if len(one) > 1]}

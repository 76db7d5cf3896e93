"""What people wrote in their own words, as one reads it: by question, score, words, who and when."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from surveys.definition import Question
from surveys.enums import QuestionKind, ResponseState
from surveys.models import Answer, Survey
from surveys.queries_report import Asked, Narrowed

# By kind of the overall score: the ends of who is content, in between, and not content.
LEVELS: Mapping[str, Mapping[str, tuple[int, int]]] = {
    QuestionKind.NPS: {"high": (9, 10), "middle": (7, 8), "low": (0, 6)},
    QuestionKind.CSAT: {"high": (4, 5), "middle": (3, 3), "low": (1, 2)},
    QuestionKind.CES: {"high": (5, 7), "middle": (4, 4), "low": (1, 3)},
    QuestionKind.STARS: {"high": (4, 5), "middle": (3, 3), "low": (1, 2)},
}


def verbatims(
    survey: Survey,
    asked: Asked,
    main: Question | None,
    *,
    question: str = "",
    level: str = "",
    words: str = "",
    language: str = "",
    word: str = "",
    theme: int | None = None,
) -> QuerySet[Answer]:
    """Open answers of complete responses, newest first, with the overall score of the same person as `score`.

    Of an anonymous survey: those that have been mixed, by question and by what each says itself (a word, a theme), in
    the order of what they say, so that neither a part nor the order tells which were written by one person; of a
    question that fewer answered than the smallest group, none. Narrowed where a part of it is asked for.
    """
    found = Answer.objects.filter(
        response__survey=survey, response__state=ResponseState.COMPLETE, text__gt=""
    ).select_related("response")
    if question:
        found = found.filter(question=question)
    said = Q()
    if word:
        said &= Q(words__contains=[word])
    if theme:
        said &= Q(themes__contains=[theme])
    if survey.anonymous:
        if asked.narrowed or level or words or language:
            raise Narrowed
        found = found.filter(response__mixed_at__isnull=False)
        few = [
            key
            for key in found.order_by().values_list("question", flat=True).distinct()
            if found.filter(question=key)[: survey.smallest_group].count() < survey.smallest_group
        ]
        return found.filter(said).exclude(question__in=few).order_by("question", "text", "pk")
    if main is not None:
        scores = Answer.objects.filter(response=OuterRef("response"), question=main.id).values("number")
        found = found.annotate(score=Subquery(scores))
    if level and main is not None:
        low, high = LEVELS[main.kind][level]
        told = Answer.objects.filter(question=main.id, number__range=(low, high))
        found = found.filter(Exists(told.filter(response=OuterRef("response"))))
    if words:
        found = found.filter(text__icontains=words)
    if language:
        found = found.filter(response__language=language)
    return found.filter(said, _part(asked)).order_by("-response__completed_at", "-pk")


def _part(asked: Asked) -> Q:
    told: dict[str, Any] = {
        "response__completed_at__gte": asked.since,
        "response__completed_at__lt": asked.until,
        "response__version__number": asked.version,
        "response__way": asked.way,
        "response__member__segments__segment": asked.segment,
        "response__traits__contains": dict(asked.traits),
    }
    return Q(**{name: value for name, value in told.items() if value})


QUOTED = 200  # of a question
_TRACES = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+|https?://\S+|\+?\d(?:[\s()./-]{0,2}\d){5,}")


def quoted(survey: Survey, asked: Asked, questions: Iterable[str]) -> dict[str, list[str]]:
    """What was written, by question, for others to read: the newest QUOTED of each, in the order of the alphabet, and
    none of a question that fewer answered than the smallest group. Left out of them ("…") is what leads to a person:
    the name of whoever wrote it where they are known, addresses, and long numbers. One query for each question."""
    found = {}
    every = verbatims(survey, asked, None).select_related("response__member")
    for question in questions:
        answers = every.filter(question=question)[:QUOTED]
        texts = sorted(_without_traces(one.text, getattr(one.response.member, "name", "")) for one in answers)
        if len(texts) >= survey.smallest_group:
            found[question] = texts
    return found


def _without_traces(text: str, name: str) -> str:
    parts = [re.escape(part) for part in (name, *name.split()) if len(part) > 1]
    if parts:
        names = "|".join(parts)
        text = re.sub(rf"(?<!\w)(?:{names})(?!\w)" if name.isascii() else names, "…", text, flags=re.IGNORECASE)
    return _TRACES.sub("…", text)

"""Reads: the definition that was answered to, what was answered so far, who a member is to a survey."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection

from members.segments.compile import selecting
from members.segments.tree import BadDefinition
from surveys.answers import Given
from surveys.definition import Known
from surveys.definition import Survey as Definition
from surveys.models import Answer, Response, SurveyVersion
from surveys.parser import parse


def reading(version_id: int) -> Definition:
    """The definition of a version, read. It never changes, so once for a process. Trees of segments are not looked at
    again: what they asked for may be gone since."""
    return _read(version_id)


@lru_cache(maxsize=256)
def _read(version_id: int) -> Definition:
    version = SurveyVersion.objects.select_related("survey").get(pk=version_id)
    pictures = frozenset(_pictures(version.definition))
    return parse(
        version.definition, Known(languages=tuple(version.survey.languages), pictures=pictures, published=True)
    )


def _pictures(raw: Any) -> Iterable[int]:
    if isinstance(raw, dict):
        if isinstance(raw.get("picture"), int):
            yield raw["picture"]
        raw = list(raw.values())
    if isinstance(raw, list):
        for each in raw:
            yield from _pictures(each)


def given_in(response: Response) -> dict[str, Given]:
    """What was answered or passed over so far, by question."""
    return {answer.question: given_of(answer) for answer in Answer.objects.filter(response=response)}


def given_of(answer: Answer) -> Given:
    return Given(
        number=answer.number,
        choices=tuple(answer.choices or ()),
        rows=answer.rows or {},
        text=answer.text,
        day=answer.day,
        upload=answer.upload_id,
    )


def fitting(trees: Sequence[Mapping[str, Any]], *, member_id: int | None, at: datetime) -> list[bool]:
    """Which trees of segments a member fits now; none where nobody is known."""
    if member_id is None:
        return [False] * len(trees)
    fits = []
    for tree in trees:
        statement, params = selecting(tree, at=at, member_ids=[member_id])
        with connection.cursor() as cursor:
            cursor.execute(statement, params)
            fits.append(cursor.fetchone() is not None)
    return fits


def member_fits(tree: Mapping[str, Any] | None, *, member_id: int | None, at: datetime) -> bool:
    """Whether a member fits a tree of segments (None: everybody does) now; nobody fits one that asks for what there is
    no more."""
    try:
        return tree is None or fitting([tree], member_id=member_id, at=at)[0]
    except BadDefinition:
        return False


def members_fitting(tree: Mapping[str, Any], *, member_ids: Sequence[int], at: datetime) -> set[int]:
    """Those of the members who fit a tree now, in one statement. BadDefinition."""
    statement, params = selecting(tree, at=at, member_ids=member_ids)
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return {row[0] for row in cursor.fetchall()}

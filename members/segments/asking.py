"""How many a definition is, who, and why somebody is in or not."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext
from psycopg.sql import SQL, Composable

from members.segments import words
from members.segments.compile import Query, asks_behaviour, condition, selecting
from members.segments.kinds import Moment
from members.segments.tree import Group, Leaf, Node, Not, leaves, parse

SMALL = 20_000  # members: up to here an exact count is as quick as an estimate
SAMPLE = 4_000  # members looked at for an estimate; fewer where many rows of each are read


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how many; `exact` where it was counted."""

    members: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Why:
    """One node of the answer: what it asks, whether it holds, the datum behind it, and the nodes within.

    `group` is "all", "any", "not" or "" for a leaf.
    """

    sentence: str
    value: bool
    datum: str = ""
    children: tuple["Why", ...] = ()
    group: str = ""


def _execute(statement: Composable) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)  # type: ignore[arg-type]


def _rows(statement: Composable, params: dict[str, Any]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)  # type: ignore[arg-type]
        return cursor.fetchall()


def _count(node: Node, query: Query) -> int:
    """How many of those whom the query looks at are in."""
    where = SQL("{} AND {}").format(condition(query, node), query.scope(SQL("m.id")))
    return _rows(SQL("SELECT count(*) FROM {} WHERE {}").format(query.joined, where), query.params)[0][0]


def count(definition: Any, *, at: datetime) -> int:
    """How many members are in, exactly, without regard to picks; BadDefinition."""
    return _count(parse(definition), Query(at))


def _table_size() -> int:
    """Members as the statistics of the database know them; -1 where there are none yet."""
    return int(_rows(SQL("SELECT reltuples FROM pg_class WHERE oid = 'members_member'::regclass"), {})[0][0])


def _sampled(size: int, about: int) -> list[int]:
    percent = min(100.0, 100 * about / max(size, 1))
    sample = SQL("SELECT id FROM members_member TABLESAMPLE SYSTEM ({})").format(percent)
    return [row[0] for row in _rows(sample, {})]


def estimate(definition: Any, *, at: datetime) -> Estimate:
    """About how many members are in, from a sample of whole pages of the table; exact for few; BadDefinition."""
    node = parse(definition)
    size = _table_size()
    sample = _sampled(size, SAMPLE) if size > SMALL else []
    if not sample:
        return Estimate(_count(node, Query(at)), exact=True)
    with transaction.atomic():
        # A few thousand rows by their keys, without workers that take longer to start than this takes.
        _execute(SQL("SET LOCAL random_page_cost = 1; SET LOCAL max_parallel_workers_per_gather = 0"))
        query = Query(at, sample)
        query.tree(node)
        if query.histories:  # many rows of each member are read: of fewer members then
            sample = sample[:: 1 + query.histories]
            query = Query(at, sample)
        found = _count(node, query)
    return Estimate(round(found * size / len(sample)), exact=False)


def sample(definition: Any, *, at: datetime, limit: int = 20) -> list[int]:
    """Ids of up to `limit` members who are in, scattered where there are many; BadDefinition."""
    node = parse(definition)
    size = _table_size()
    if size > SMALL:
        statement, params = selecting(node, at=at, member_ids=_sampled(size, SAMPLE))
        found = _rows(SQL("{} ORDER BY md5(m.id::text) LIMIT {}").format(statement, limit), params)
        if len(found) == limit:
            return [row[0] for row in found]
    statement, params = selecting(node, at=at)
    return [row[0] for row in _rows(SQL("{} LIMIT {}").format(statement, limit), params)]


def why(definition: Any, *, member_id: int, at: datetime, segment_id: int | None = None) -> Why:
    """Why a member is in or not, leaf by leaf, in the active language. BadDefinition; LookupError: no such member."""
    node = parse(definition)
    query = Query(at, [member_id])
    columns: list[Composable] = []
    for leaf in leaves(node):
        columns.append(SQL("{} IS TRUE").format(query.test(leaf)))
        columns.append((leaf.trait.shown or leaf.trait.datum)(query, leaf))
        columns.append(leaf.trait.also(query, leaf) if leaf.trait.also else SQL("NULL"))
    pick = "SELECT include FROM members_segmentpick WHERE segment_id = {} AND member_id = m.id"
    columns.append(SQL("(" + pick + ")").format(query.param(segment_id)))  # type: ignore[arg-type]
    columns += [SQL("m.merged_into_id IS NULL AND m.erased_at IS NULL"), SQL("m.personalised")]
    statement = SQL("SELECT {} FROM {} WHERE m.id = {}").format(
        SQL(", ").join(columns), query.joined, query.param(member_id)
    )
    rows = _rows(statement, query.params)
    if not rows:
        raise LookupError(member_id)
    *answers, picked, present, personalised = rows[0]
    found = iter(zip(answers[::3], answers[1::3], answers[2::3], strict=True))
    with timezone.override(query.zone):  # the days by which leaves are tested
        tree = _explained(node, found, query.currency)
    refused = not personalised and asks_behaviour(node)
    inside = present and picked is not False and (picked is True or (tree.value and not refused))
    reason = ""
    if not present:
        reason = gettext("has been merged into another member, or erased")
    elif picked is not None:
        reason = gettext("put in by hand") if picked else gettext("kept out by hand")
    elif refused:
        reason = gettext("wants no personalised treatment, and this segment asks for behaviour")
    sentence = gettext("Is in this segment") if inside else gettext("Is not in this segment")
    return Why(sentence, inside, reason, (tree,), "all")


def _explained(node: Node, found: Any, currency: str) -> Why:
    match node:
        case Leaf():
            value, datum, also = next(found)
            return Why(words.clause(node, currency), value, _told(node, datum, also, currency))
        case Not(child):
            inside = _explained(child, found, currency)
            return Why(gettext("None of this"), not inside.value, "", (inside,), "not")
        case Group(every, children):
            told = tuple(_explained(child, found, currency) for child in children)
            holds = all(each.value for each in told) if every else any(each.value for each in told)
            sentence = gettext("All of these") if every else gettext("Any of these")
            return Why(sentence, holds, "", told, "all" if every else "any")


def _told(leaf: Leaf, datum: Any, also: Any, currency: str) -> str:
    """The datum behind a leaf, in words."""
    trait = leaf.trait
    if datum is None and trait.missing is not None:
        datum = trait.missing
    if datum is None:
        return str(trait.nothing) or gettext("not known")
    said = (trait.shown_kind or trait.kind).told(datum, leaf.known, currency)
    if trait.found:
        said = trait.found % {"value": said, "count": words.counted(datum)}
    if also is not None:
        then = trait.also_words % {"value": Moment().told(also, {}, currency)}
        said = gettext("%(datum)s; %(also)s") % {"datum": said, "also": then}
    return said

"""A tree as one SQL query.

Every source that a leaf needs is LEFT JOINed once, and the tree is an expression over the joined columns: a hash join
stays possible however deep the leaf stands, where IN or EXISTS under an OR would be asked anew for each row. A leaf may
come out NULL, which is as good as false under AND and OR; "not" is `IS NOT TRUE`, so NULL never turns into true.
"""

from collections.abc import Callable, Hashable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext
from psycopg.sql import SQL, Composable, Composed, Identifier, Placeholder

from common.sql import fetch_all
from members.queries import get_programme
from members.segments.traits import find
from members.segments.tree import BadDefinition, Group, Leaf, Node, Not, Problem, is_profiling, parse, segments_used

MOST_SOURCES = 60

PRESENT = SQL("m.merged_into_id IS NULL AND m.erased_at IS NULL")
Scope = Callable[[Composable], Composable]


class Grouped:
    """Rows added up by member. `column` gives the SQL of an aggregate over them, NULL where a member has none."""

    def __init__(self, alias: Identifier, member: Composable, rows: Composable) -> None:
        self.alias, self.member, self.rows = alias, member, rows
        self.columns: dict[str, tuple[Identifier, Composable]] = {}

    def column(self, aggregate: Composable) -> Composable:
        """An aggregate over a member's rows: `count(*)`, say."""
        key = aggregate.as_string()
        if key not in self.columns:
            self.columns[key] = (Identifier(f"c{len(self.columns)}"), aggregate)
        return SQL("{}.{}").format(self.alias, self.columns[key][0])

    def join(self) -> Composable:
        columns = [SQL("{} AS {}").format(aggregate, name) for name, aggregate in self.columns.values()]
        listed = SQL(", ").join([SQL("{} AS member_id").format(self.member), *columns])
        return SQL("LEFT JOIN (SELECT {} FROM {} GROUP BY {}) AS {} ON {}.member_id = m.id").format(
            listed, self.rows, self.member, self.alias, self.alias
        )


class Query:
    """What the traits of one query ask for: parameters and joins. `member_ids` narrows every source to some members."""

    def __init__(self, at: datetime, member_ids: Sequence[int] | None = None) -> None:
        self.at = at
        self.params: dict[str, Any] = {}
        self._names: dict[Hashable, str] = {}
        self.sources: dict[Hashable, Grouped | tuple[Identifier, Composable]] = {}
        self.histories = 0  # sources that read many rows a member
        self._members = self.param(list(member_ids)) if member_ids is not None else None

    @cached_property
    def programme(self):
        return get_programme()

    @property
    def currency(self) -> str:
        return self.programme.currency

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.programme.time_zone)

    @cached_property
    def today(self) -> date:
        """The day in the programme's time zone."""
        return self.at.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """When a day begins in the programme's time zone."""
        return datetime.combine(day, time(), self.zone)

    def param(self, value: Any) -> Placeholder:
        """A value, as a parameter of the query; equal values share one."""
        many = isinstance(value, list)  # True equals 1 in Python, and Decimal(1): the types are part of what is equal
        key = (many, tuple((type(each), each) for each in (value if many else [value])))
        if key not in self._names:
            self._names[key] = f"segment_{len(self.params)}"
            self.params[self._names[key]] = value
        return Placeholder(self._names[key])

    def scope(self, member: Composable) -> Composable:
        """A condition on a source's column of members: all, or those asked for."""
        return SQL("{} = ANY({}::bigint[])").format(member, self._members) if self._members else SQL("TRUE")

    def one(
        self,
        table: str,
        *,
        member: str = "member_id",
        key: Hashable = None,
        only: Callable[[Identifier], Composable] | None = None,
    ) -> Identifier:
        """Joins a table that has at most one row a member (where `only` holds); its alias. `key` tells `only` apart."""
        source = (table, key)
        if source not in self.sources:
            alias = self._alias()
            on = SQL("{}.{} = m.id").format(alias, Identifier(member))
            if only:
                on = SQL("{} AND {}").format(on, only(alias))
            self.sources[source] = (alias, SQL("LEFT JOIN {} AS {} ON {}").format(Identifier(table), alias, on))
        return self.sources[source][0]  # type: ignore[index]

    def grouped(self, key: Hashable, *, member: Composable, rows: Callable[[], Composable]) -> Grouped:
        """Joins rows added up by `member`. `rows` gives what follows FROM, with `scope(member)` among its conditions.

        Leaves that give the same `key` share the join.
        """
        if key not in self.sources:
            self.histories += 1
            self.sources[key] = Grouped(self._alias(), member, rows())
        return self.sources[key]  # type: ignore[return-value]

    def relation(self, key: Hashable, rows: Callable[[], Composable]) -> Identifier:
        """Joins a query with one row a member, `member_id` among its columns; its alias."""
        if key not in self.sources:
            alias = self._alias()
            join = SQL("LEFT JOIN ({}) AS {} ON {}.member_id = m.id").format(rows(), alias, alias)
            self.histories += 1
            self.sources[key] = (alias, join)
        return self.sources[key][0]  # type: ignore[index]

    def within(self, leaf: Leaf, moment: Composable) -> Composable:
        """A condition that `moment` lies in the leaf's window; TRUE without one."""
        window = leaf.within
        if window is None:
            return SQL("TRUE")
        first, last = window.first, window.last
        if window.days is not None and leaf.trait.window == "next":
            until = self.midnight(self.today + timedelta(days=window.days + 1))
            return SQL("({0} > {1} AND {0} < {2})").format(moment, self.param(self.at), self.param(until))
        if window.days is not None:
            first = self.today - timedelta(days=window.days)
        bounds = [SQL("{} >= {}").format(moment, self.param(self.midnight(first)))] if first else []
        if last:
            bounds.append(SQL("{} < {}").format(moment, self.param(self.midnight(last + timedelta(days=1)))))
        return SQL("({})").format(SQL(" AND ").join(bounds))

    def _alias(self) -> Identifier:
        if len(self.sources) >= MOST_SOURCES:
            raise BadDefinition([Problem("", too_many_sources())])
        return Identifier(f"s{len(self.sources)}")

    @property
    def joined(self) -> Composable:
        """members_member AS m with all that was asked for, as it follows FROM."""
        joins = [s.join() if isinstance(s, Grouped) else s[1] for s in self.sources.values()]
        return SQL(" ").join([SQL("members_member AS m"), *joins])

    def test(self, leaf: Leaf) -> Composable:
        """SQL of one leaf: true where it holds, else false or NULL."""
        datum = leaf.trait.datum(self, leaf)
        return SQL("({})").format(
            leaf.trait.kind.whole_test(datum, leaf.operator, leaf.value, self, leaf.trait.missing)
        )

    def tree(self, node: Node) -> Composable:
        """SQL of a tree: true where it holds, else false or NULL."""
        match node:
            case Leaf():
                return self.test(node)
            case Not(child):
                return SQL("({} IS NOT TRUE)").format(self.tree(child))
            case Group(every, children):
                if not children:
                    return SQL("TRUE")
                return SQL("({})").format(SQL(" AND " if every else " OR ").join(map(self.tree, children)))


def too_many_sources() -> str:
    """Why a tree that asks for too many different things is refused."""
    words = gettext(
        "These conditions look at too many different things at once (more than %(most)d): please split them."
    )
    return words % {"most": MOST_SOURCES}


_TRAITS_BENEATH = """
WITH RECURSIVE reached (id) AS (
    SELECT unnest(%s::bigint[])
    UNION SELECT link.to_segment_id FROM members_segment_uses AS link JOIN reached ON link.from_segment_id = reached.id
)
SELECT DISTINCT trait #>> '{}' FROM members_segment JOIN reached USING (id),
    jsonb_path_query(definition, '$.**.trait') AS trait
"""


def asks_behaviour(node: Node) -> bool:
    """Whether the tree, or a segment that it asks for, asks what members did: who wants no personalised treatment is
    then not in, not even by not being in such a segment."""
    used = segments_used(node)
    if is_profiling(node) or not used:
        return is_profiling(node)
    names = {name for (name,) in fetch_all(_TRAITS_BENEATH, [sorted(used)])}
    return any(trait.profiling for trait in find(names).values())


def condition(query: Query, node: Node) -> Composable:
    """Who is in by the tree: present, and not profiled against their wish."""
    parts = [PRESENT, query.tree(node)]
    if asks_behaviour(node):
        parts.append(SQL("m.personalised"))
    return SQL(" AND ").join(parts)


def selecting(
    definition: Any, *, at: datetime, member_ids: Sequence[int] | None = None, segment_id: int | None = None
) -> tuple[Composed, dict[str, Any]]:
    """A query for the `id` of everybody who is in, and its parameters (named segment_0, segment_1, …).

    `member_ids` narrows it to some members; with `segment_id`, who was picked in or out by hand is. BadDefinition.
    """
    query = Query(at, member_ids)
    node = definition if isinstance(definition, Leaf | Group | Not) else parse(definition)
    where = SQL("{} AND {}").format(condition(query, node), query.scope(SQL("m.id")))
    if segment_id is None:
        return SQL("SELECT m.id FROM {} WHERE {}").format(query.joined, where), query.params
    segment = query.param(segment_id)
    # Picks stand apart: an OR with them would forbid every inner join.
    return SQL(
        "SELECT m.id FROM {joined} WHERE {where} AND NOT EXISTS"
        " (SELECT FROM members_segmentpick AS pick WHERE pick.segment_id = {segment} AND pick.member_id = m.id)"
        " UNION ALL SELECT m.id FROM members_segmentpick AS pick JOIN members_member AS m ON m.id = pick.member_id"
        " WHERE pick.segment_id = {segment} AND pick.include AND {present} AND {scope}"
    ).format(joined=query.joined, where=where, segment=segment, present=PRESENT, scope=query.scope(SQL("m.id"))), (
        query.params
    )

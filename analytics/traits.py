"""Traits of how a customer stands beside all others, and of where they stand by their own rhythm."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from psycopg.sql import SQL, Composable

from analytics.enums import Group as RfmGroup
from analytics.enums import Lifecycle
from analytics.lifecycle import STATE
from analytics.rules import MAP, SCORES, group_of
from members.segments.compile import Query
from members.segments.kinds import Choice, Number
from members.segments.traits import Group, Trait, register
from members.segments.tree import Leaf

_SCORE = Number(least=1, most=5, nullable=True)


def _score(column: str):
    def datum(query: Query, leaf: Leaf) -> Composable:
        return SQL("{}." + column).format(query.one("analytics_memberscore"))

    return datum


def _group(query: Query, leaf: Leaf) -> Composable:
    """The name of the cell, looked up in the map by its number."""
    names = [group_of(recency, value).value for recency in sorted(MAP) for value in SCORES]
    return SQL("({}::text[])[5 * {score}.recency - 5 + {score}.value]").format(
        query.param(names), score=query.one("analytics_memberscore")
    )


def _lifecycle(query: Query, leaf: Leaf) -> Composable:
    summary, at = query.one("members_purchasesummary"), query.param(query.at)
    return SQL(STATE.replace("summary.", "{summary}.").replace("%(at)s", "{at}")).format(summary=summary, at=at)


def _trait(name: str, label: Any, clause: Any, found: Any) -> Trait:
    return Trait(
        f"rfm.{name}",
        label,
        Group.SCORES,
        _SCORE,
        _score(name),
        clause,
        found=found,
        nothing=_("has no score"),
        profiling=True,
    )


def register_all() -> None:
    register(
        _trait("recency", _("recency score"), _("whose recency score is %(test)s"), _("recency score %(value)s")),
        _trait(
            "frequency", _("frequency score"), _("whose frequency score is %(test)s"), _("frequency score %(value)s")
        ),
        _trait("monetary", _("money score"), _("whose money score is %(test)s"), _("money score %(value)s")),
        _trait(
            "value",
            _("value score (frequency and money)"),
            _("whose value score is %(test)s"),
            _("value score %(value)s"),
        ),
        Trait(
            "rfm.group",
            _("RFM group"),
            Group.SCORES,
            Choice(nullable=True),
            _group,
            _("who are in the RFM group %(test)s"),
            found=_("RFM group %(value)s"),
            nothing=_("has no score"),
            choices=lambda: dict(RfmGroup.choices),
            profiling=True,
        ),
        Trait(
            "lifecycle",
            _("customer by their own rhythm"),
            Group.SCORES,
            Choice(),
            _lifecycle,
            _("who as customers are: %(test)s"),
            found=_("as a customer: %(value)s"),
            choices=lambda: dict(Lifecycle.choices),
            timed=True,
            profiling=True,
        ),
    )

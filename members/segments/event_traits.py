"""Traits of the timeline: what happened to a member, of any kind that the apps declare."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from psycopg.sql import SQL, Composable

from members.events import kinds
from members.segments.compile import Grouped, Query
from members.segments.kinds import Moment, Number
from members.segments.traits import Filter, Group, Trait, register
from members.segments.tree import Leaf

_KIND = Filter(
    "kind",
    _("kind of event"),
    _("of the kind %(values)s"),
    choices=lambda: {kind.name: kind.label for kind in sorted(kinds().values(), key=lambda kind: str(kind.label))},
)


def _events(query: Query, leaf: Leaf) -> Grouped:
    wanted = leaf.where.get("kind")

    def rows() -> Composable:
        of_kind = SQL("event.kind = ANY({})").format(query.param(list(wanted))) if wanted else SQL("TRUE")
        return SQL("members_timelineevent AS event WHERE {} AND {} AND {}").format(
            of_kind, query.within(leaf, SQL("event.at")), query.scope(SQL("event.member_id"))
        )

    return query.grouped(("events", wanted, leaf.within), member=SQL("event.member_id"), rows=rows)


register(
    Trait(
        "event.count",
        _("number of events"),
        Group.MESSAGES,
        Number(),
        lambda query, leaf: _events(query, leaf).column(SQL("count(*)")),
        ngettext_lazy("with %(test)s event%(where)s%(window)s", "with %(test)s events%(where)s%(window)s", "count"),
        found=ngettext_lazy("%(value)s event", "%(value)s events", "count"),
        also=lambda query, leaf: _events(query, leaf).column(SQL("max(event.at)")),
        also_words=_("last on %(value)s"),
        missing=0,
        filters=(_KIND,),
        window="past",
        profiling=True,
    ),
    Trait(
        "event.last",
        _("last event"),
        Group.MESSAGES,
        Moment(nullable=True),
        lambda query, leaf: _events(query, leaf).column(SQL("max(event.at)")),
        _("whose last event%(where)s was %(test)s"),
        found=_("last on %(value)s"),
        nothing=_("never"),
        filters=(_KIND,),
        profiling=True,
    ),
)

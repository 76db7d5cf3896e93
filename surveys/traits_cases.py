"""Traits for segments: what a member had to complain of (members.segments.traits)."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from psycopg.sql import SQL, Composable

from members.segments.compile import Grouped, Query
from members.segments.kinds import Moment, Number
from members.segments.traits import Filter, Group, Trait, register
from members.segments.tree import Leaf
from surveys.enums_cases import CaseKind, CaseState, Severity

_KIND = Filter("kind", _("kind"), _("of the kind %(values)s"), choices=lambda: dict(CaseKind.choices))
_STATE = Filter("state", _("state"), _("in the state %(values)s"), choices=lambda: dict(CaseState.choices))
_SEVERITY = Filter("severity", _("severity"), _("of the severity %(values)s"), choices=lambda: dict(Severity.choices))
_WHERE = {
    "kind": "one_case.kind = ANY({}::text[])",
    "state": "one_case.state = ANY({}::text[])",
    "severity": "one_case.severity = ANY({}::text[])",
}


def _cases(query: Query, leaf: Leaf, moment: str, extra: str = "") -> Grouped:
    """A member's cases by the leaf's filters, without what went into another; `moment` lies in its window."""

    def rows() -> Composable:
        at = SQL("one_case.{}").format(SQL(moment))  # type: ignore[arg-type]
        conditions = [query.within(leaf, at), query.scope(SQL("one_case.member_id")), SQL("one_case.state <> 'merged'")]
        if extra:
            conditions.append(SQL(extra))  # type: ignore[arg-type]
        for name, values in sorted(leaf.where.items()):
            conditions.append(SQL(_WHERE[name]).format(query.param(list(values))))  # type: ignore[arg-type]
        return SQL("surveys_case AS one_case WHERE {}").format(SQL(" AND ").join(conditions))

    key = ("cases", moment, extra, tuple(sorted(leaf.where.items())), leaf.within)
    return query.grouped(key, member=SQL("one_case.member_id"), rows=rows)


register(
    Trait(
        "case.count",
        _("number of cases"),
        Group.MESSAGES,
        Number(),
        lambda query, leaf: _cases(query, leaf, "opened_at").column(SQL("count(*)")),
        ngettext_lazy("with %(test)s case%(where)s%(window)s", "with %(test)s cases%(where)s%(window)s", "count"),
        found=ngettext_lazy("%(value)s case", "%(value)s cases", "count"),
        missing=0,
        filters=(_KIND, _STATE, _SEVERITY),
        window="past",
    ),
    Trait(
        "case.open",
        _("number of open cases"),
        Group.MESSAGES,
        Number(),
        lambda query, leaf: _cases(query, leaf, "opened_at", "one_case.state IN ('new', 'open', 'waiting')").column(
            SQL("count(*)")
        ),
        ngettext_lazy("with %(test)s open case%(where)s", "with %(test)s open cases%(where)s", "count"),
        found=ngettext_lazy("%(value)s open case", "%(value)s open cases", "count"),
        missing=0,
        filters=(_KIND, _SEVERITY),
    ),
    Trait(
        "case.last_opened",
        _("last case"),
        Group.MESSAGES,
        Moment(nullable=True),
        lambda query, leaf: _cases(query, leaf, "opened_at").column(SQL("max(one_case.opened_at)")),
        _("whose last case%(where)s was opened %(test)s"),
        found=_("last case %(value)s"),
        nothing=_("no case"),
        filters=(_KIND, _STATE, _SEVERITY),
    ),
    Trait(
        "case.last_closed",
        _("last case closed"),
        Group.MESSAGES,
        Moment(nullable=True),
        lambda query, leaf: _cases(query, leaf, "opened_at").column(SQL("max(one_case.closed_at)")),
        _("whose last case%(where)s was closed %(test)s"),
        found=_("last case closed %(value)s"),
        nothing=_("no case closed"),
        filters=(_KIND, _SEVERITY),
    ),
)

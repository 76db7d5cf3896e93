"""Traits of what a member bought. Without filter and window the roll-up answers; else the purchases themselves."""

from typing import Any

from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _
from psycopg.sql import SQL, Composable, Identifier

from members.enums import SalesChannel
from members.segments.compile import Grouped, Query
from members.segments.kinds import Kind, Moment, Money, Number, Operator
from members.segments.traits import Filter, Group, Trait, register
from members.segments.tree import Leaf
from members.segments.values import clean_number, number_words

_LINE = "members_purchaseline"
FILTERS = (
    Filter("product", _("product"), _("of the product %(values)s"), suggest=(_LINE, "sku")),
    Filter("category", _("category"), _("in the category %(values)s"), suggest=(_LINE, "category")),
    Filter("brand", _("brand"), _("of the brand %(values)s"), suggest=(_LINE, "brand")),
    Filter("store", _("store"), _("at the store %(values)s"), suggest=("members_purchase", "store")),
    Filter("channel", _("channel"), _("by the channel %(values)s"), choices=lambda: dict(SalesChannel.choices)),
)
_COLUMNS = {"product": "line.sku", "category": "line.category", "brand": "line.brand"}


def summary(query: Query) -> Identifier:
    return query.one("members_purchasesummary")


def _plain(leaf: Leaf) -> bool:
    return not leaf.where and leaf.within is None


def purchases(query: Query, leaf: Leaf) -> Grouped:
    """A member's purchases that pass the leaf's filters and window, as bought(at, currency, amount).

    The amount is net of refunds; with a filter for articles it is what their lines cost.
    """
    key = ("purchases", tuple(sorted(leaf.where.items())), leaf.within)

    def rows() -> Composable:
        conditions = [query.within(leaf, SQL("p.purchased_at")), query.scope(SQL("p.member_id"))]
        by_line = False
        for name, values in leaf.where.items():
            by_line = by_line or name in _COLUMNS
            column = SQL(_COLUMNS.get(name, f"p.{name}"))  # type: ignore[arg-type]
            conditions.append(SQL("{} = ANY({}::text[])").format(column, query.param(list(values))))
        where = SQL(" AND ").join(conditions)
        if not by_line:
            return SQL(
                "(SELECT p.member_id, p.purchased_at AS at, p.currency, p.amount_minor - p.refunded_minor AS amount"
                " FROM members_purchase AS p WHERE {}) AS bought"
            ).format(where)
        return SQL(
            "(SELECT p.member_id, p.purchased_at AS at, p.currency, sum(line.amount_minor) AS amount"
            " FROM members_purchase AS p JOIN members_purchaseline AS line ON line.purchase_id = p.id"
            " WHERE {} GROUP BY p.id) AS bought"
        ).format(where)

    return query.grouped(key, member=SQL("bought.member_id"), rows=rows)


def counted(query: Query, leaf: Leaf) -> Composable:
    if _plain(leaf):
        return SQL("{}.purchases").format(summary(query))
    return purchases(query, leaf).column(SQL("count(*)"))


def _of_amounts(aggregate: str):
    def datum(query: Query, leaf: Leaf) -> Composable:
        if _plain(leaf) and aggregate in _SUMMED:
            return SQL(_SUMMED[aggregate]).format(summary(query))  # type: ignore[arg-type]
        column = SQL("{}(bought.amount) FILTER (WHERE bought.currency = {})").format(
            SQL(aggregate),  # type: ignore[arg-type]
            query.param(query.currency),
        )
        return purchases(query, leaf).column(column)

    return datum


_SUMMED = {"sum": "{}.spent_minor"}


def _moment(aggregate: str, column: str):
    def datum(query: Query, leaf: Leaf) -> Composable:
        if _plain(leaf):
            return SQL("{}.{}").format(summary(query), Identifier(column))
        return purchases(query, leaf).column(SQL("{}(bought.at)").format(SQL(aggregate)))  # type: ignore[arg-type]

    return datum


def _visit_days(query: Query, leaf: Leaf) -> Composable:
    if _plain(leaf):
        return SQL("{}.visit_days").format(summary(query))
    zone = query.param(query.programme.time_zone)
    return purchases(query, leaf).column(SQL("count(DISTINCT (bought.at AT TIME ZONE {})::date)").format(zone))


def _overdue(query: Query, leaf: Leaf) -> Composable:
    """Time since the last purchase, in usual gaps of this member."""
    return SQL("extract(epoch FROM {0} - {1}.last_at) / 86400 / nullif({1}.rhythm_days, 0)").format(
        query.param(query.at), summary(query)
    )


def _overdue_shown(query: Query, leaf: Leaf) -> Composable:
    """To one decimal, cut off: who is told to be away for 2 times is so."""
    return SQL("trunc(({})::numeric, 1)").format(_overdue(query, leaf))


class Top(Kind):
    """A share of the best: 20 is the top 20 %. Who has as much as the last of them is among them too."""

    name = "top"
    own = {"top": Operator("top", _("among the top … %"), "number", "%(value)s")}

    def clean(self, operator: Operator, raw: Any, known: dict[Any, str] | None) -> Any:
        return clean_number(raw, whole=True, least=1, most=100)

    def test(self, datum: Composable, operator: Operator, value: Any, query: Query) -> Composable:
        # The amount at the last of their places: found once for all, by the index on what was spent.
        return SQL(
            "{} >= (SELECT spent_minor FROM members_purchasesummary ORDER BY spent_minor DESC LIMIT 1 OFFSET"
            " (SELECT greatest(ceil(count(*) * {} / 100.0)::bigint - 1, 0) FROM members_purchasesummary))"
        ).format(datum, query.param(int(value)))

    def said(self, value: Any, known: dict[Any, str], currency: str) -> str:
        return gettext("%(n)s%%") % {"n": number_words(value)}


def _rank(query: Query, leaf: Leaf) -> Composable:
    """Of 100 buyers, about how many spent more: asked for one member, when the why is told."""
    spent = SQL("{}.spent_minor").format(summary(query))
    return SQL(
        "(SELECT CASE WHEN {0} IS NOT NULL THEN greatest(ceil(100.0 * (count(*) FILTER (WHERE other.spent_minor > {0})"
        " + 1) / count(*)), 1) END FROM members_purchasesummary AS other)"
    ).format(spent)


def _refunds(aggregate: str):
    def datum(query: Query, leaf: Leaf) -> Composable:
        def rows() -> Composable:
            return SQL(
                "members_refund AS refund JOIN members_purchase AS p ON p.id = refund.purchase_id WHERE {} AND {}"
            ).format(query.within(leaf, SQL("refund.refunded_at")), query.scope(SQL("p.member_id")))

        refunds = query.grouped(("refunds", leaf.within), member=SQL("p.member_id"), rows=rows)
        only = SQL("p.currency = {}").format(query.param(query.currency))
        column = SQL("count(*)") if aggregate == "count" else SQL("sum(refund.amount_minor) FILTER (WHERE {})")
        return refunds.column(column.format(only))

    return datum


def purchase(name: str, label: Any, kind: Kind, datum: Any, clause: Any, **more: Any) -> Trait:
    narrowed = {"filters": FILTERS, "window": "past"} if more.pop("narrowed", True) else {}
    return Trait(
        f"purchase.{name}", label, Group.PURCHASES, kind, datum, clause, profiling=True, **{**narrowed, **more}
    )


register(
    purchase(
        "count",
        _("number of purchases"),
        Number(),
        counted,
        ngettext_lazy(
            "who bought %(test)s time%(where)s%(window)s", "who bought %(test)s times%(where)s%(window)s", "count"
        ),
        found=ngettext_lazy("bought %(value)s time", "bought %(value)s times", "count"),
        also=_moment("max", "last_at"),
        also_words=_("last on %(value)s"),
        missing=0,
    ),
    purchase(
        "spent",
        _("money spent"),
        Money(),
        _of_amounts("sum"),
        _("who spent %(test)s%(where)s%(window)s"),
        found=_("spent %(value)s"),
        also=_moment("max", "last_at"),
        also_words=_("last on %(value)s"),
        missing=0,
    ),
    purchase(
        "average",
        _("average purchase"),
        Money(nullable=True),
        _of_amounts("avg"),
        _("whose average purchase%(where)s%(window)s is %(test)s"),
        found=_("%(value)s on average"),
        nothing=_("bought nothing"),
    ),
    purchase(
        "largest",
        _("largest purchase"),
        Money(nullable=True),
        _of_amounts("max"),
        _("whose largest purchase%(where)s%(window)s is %(test)s"),
        found=_("%(value)s at most"),
        nothing=_("bought nothing"),
    ),
    purchase(
        "first",
        _("first purchase"),
        Moment(nullable=True),
        _moment("min", "first_at"),
        _("whose first purchase%(where)s%(window)s was %(test)s"),
        found=_("first bought on %(value)s"),
        nothing=_("bought nothing"),
    ),
    purchase(
        "last",
        _("last purchase"),
        Moment(nullable=True),
        _moment("max", "last_at"),
        _("whose last purchase%(where)s%(window)s was %(test)s"),
        found=_("last bought on %(value)s"),
        nothing=_("bought nothing"),
    ),
    purchase(
        "visit_days",
        _("days with a purchase"),
        Number(),
        _visit_days,
        ngettext_lazy(
            "who bought on %(test)s day%(where)s%(window)s", "who bought on %(test)s days%(where)s%(window)s", "count"
        ),
        found=ngettext_lazy("bought on %(value)s day", "bought on %(value)s days", "count"),
        missing=0,
    ),
    purchase(
        "rhythm",
        _("usual days between visits"),
        Number(whole=False, nullable=True),
        lambda query, leaf: SQL("{}.rhythm_days").format(summary(query)),
        _("who usually come every %(test)s days"),
        found=_("usually comes every %(value)s days"),
        nothing=_("fewer than three visits"),
        narrowed=False,
    ),
    purchase(
        "overdue",
        _("usual rhythm exceeded (times)"),
        Number(whole=False, nullable=True),
        _overdue,
        _("who have stayed away for %(test)s times their usual rhythm"),
        shown=_overdue_shown,
        found=_("away for %(value)s times the usual rhythm"),
        nothing=_("fewer than three visits"),
        narrowed=False,
        timed=True,
    ),
    purchase(
        "spent_percentile",
        _("top spenders"),
        Top(),
        lambda query, leaf: SQL("{}.spent_minor").format(summary(query)),
        _("who are among the top %(test)s by money spent"),
        shown=_rank,
        found=_("among the top %(value)s by money spent"),
        nothing=_("bought nothing"),
        narrowed=False,
        timed=True,
    ),
    purchase(
        "refunds",
        _("number of refunds"),
        Number(),
        _refunds("count"),
        ngettext_lazy(
            "who were given money back %(test)s time%(window)s",
            "who were given money back %(test)s times%(window)s",
            "count",
        ),
        found=ngettext_lazy("given money back %(value)s time", "given money back %(value)s times", "count"),
        missing=0,
        filters=(),
    ),
    purchase(
        "refunded",
        _("money given back"),
        Money(),
        _refunds("sum"),
        _("who were given back %(test)s%(window)s"),
        found=_("given back %(value)s"),
        missing=0,
        filters=(),
    ),
)

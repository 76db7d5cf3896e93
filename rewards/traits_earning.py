"""Traits for segments: what single rules gave, and events of other systems."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from psycopg.sql import SQL, Composable

from members.segments.compile import Grouped, Query
from members.segments.kinds import Moment, Number
from members.segments.traits import Filter, Group, Trait, register
from members.segments.tree import Leaf
from rewards.models import EarningRule


def _rules() -> dict[str, str]:
    return {str(rule.pk): str(rule) for rule in EarningRule.objects.order_by("position", "pk")}


_RULE = Filter("rule", _("rule"), _("by the rule %(values)s"), choices=_rules)
_KIND = Filter("kind", _("kind"), _("of the kind %(values)s"), suggest=("members_customevent", "kind"))
# A value anywhere on the first level of the data, as text: {"course": "Latte art"} has "Latte art".
_DATA = Filter("data", _("in its data"), _("with %(values)s in their data"))


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def _awards(query: Query, leaf: Leaf) -> Grouped:
    def rows() -> Composable:
        of: Composable = SQL("TRUE")
        if wanted := leaf.where.get("rule"):
            of = SQL("version.rule_id = ANY({}::bigint[])").format(query.param([int(one) for one in _listed(wanted)]))
        return SQL(
            "rewards_transfer AS award JOIN rewards_ruleversion AS version ON version.id = award.rule_id"
            " JOIN rewards_account AS wallet ON wallet.id = award.credit_id AND wallet.kind = 'wallet'"
            " WHERE award.kind = 'earn' AND {} AND {} AND {}"
        ).format(of, query.within(leaf, SQL("award.at")), query.scope(SQL("wallet.member_id")))

    key = ("awards", leaf.where.get("rule"), leaf.within)
    return query.grouped(key, member=SQL("wallet.member_id"), rows=rows)


def _events(query: Query, leaf: Leaf) -> Grouped:
    def rows() -> Composable:
        of: Composable = SQL("TRUE")
        having: Composable = SQL("TRUE")
        if wanted := leaf.where.get("kind"):
            of = SQL("told.kind = ANY({}::text[])").format(query.param(_listed(wanted)))
        if wanted := leaf.where.get("data"):
            having = SQL(
                "EXISTS (SELECT FROM jsonb_each_text(CASE jsonb_typeof(told.data) WHEN 'object' THEN told.data"
                " ELSE '{{}}' END) AS datum WHERE lower(datum.value) = ANY({}::text[]))"
            ).format(query.param([one.lower() for one in _listed(wanted)]))
        return SQL("members_customevent AS told WHERE {} AND {} AND {} AND {}").format(
            of, having, query.within(leaf, SQL("told.at")), query.scope(SQL("told.member_id"))
        )

    key = ("custom events", leaf.where.get("kind"), leaf.where.get("data"), leaf.within)
    return query.grouped(key, member=SQL("told.member_id"), rows=rows)


register(
    Trait(
        "rule.times",
        _("times a rule gave something"),
        Group.LOYALTY,
        Number(),
        lambda query, leaf: _awards(query, leaf).column(SQL("count(*)")),
        ngettext_lazy(
            "who got something %(test)s time%(where)s%(window)s",
            "who got something %(test)s times%(where)s%(window)s",
            "count",
        ),
        found=ngettext_lazy("got something %(value)s time", "got something %(value)s times", "count"),
        also=lambda query, leaf: _awards(query, leaf).column(SQL("max(award.at)")),
        also_words=_("last on %(value)s"),
        missing=0,
        filters=(_RULE,),
        window="past",
    ),
    Trait(
        "told.count",
        _("events of other systems"),
        Group.MESSAGES,
        Number(),
        lambda query, leaf: _events(query, leaf).column(SQL("count(*)")),
        ngettext_lazy(
            "of whom %(test)s event was told%(where)s%(window)s",
            "of whom %(test)s events were told%(where)s%(window)s",
            "count",
        ),
        found=ngettext_lazy("%(value)s event was told", "%(value)s events were told", "count"),
        also=lambda query, leaf: _events(query, leaf).column(SQL("max(told.at)")),
        also_words=_("last on %(value)s"),
        missing=0,
        filters=(_KIND, _DATA),
        window="past",
        profiling=True,
    ),
    Trait(
        "told.last",
        _("last event of another system"),
        Group.MESSAGES,
        Moment(nullable=True),
        lambda query, leaf: _events(query, leaf).column(SQL("max(told.at)")),
        _("whose last event%(where)s was %(test)s"),
        found=_("last on %(value)s"),
        nothing=_("no event was told"),
        filters=(_KIND, _DATA),
        profiling=True,
    ),
)

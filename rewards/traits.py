"""Traits for segments: tier, points, redemptions (members.segments.traits)."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from psycopg.sql import SQL, Composable

from members.segments.compile import Grouped, Query
from members.segments.kinds import Choice, Moment, Number, Operator
from members.segments.traits import Group, Trait, register
from members.segments.tree import Leaf
from rewards.models import Tier


class OnTier(Choice):
    """Who has no row stands on the tier from 0."""

    def test(self, datum: Composable, operator: Operator, value: Any, query: Query) -> Composable:
        base = Tier.objects.filter(rank=0).values_list("pk", flat=True).first()
        reached = super().test(datum, self.operators["any_of"], value, query)
        if base in value:
            reached = SQL("({} OR {} IS NULL)").format(reached, datum)
        return reached if operator.name == "any_of" else SQL("({}) IS NOT TRUE").format(reached)


def _tiers() -> dict[int, str]:
    return {tier.pk: tier.name for tier in Tier.objects.order_by("rank")}


def _status(column: str):
    return lambda query, leaf: SQL("{}.{}").format(query.one("rewards_membertier"), SQL(column))


def _tier_shown(query: Query, leaf: Leaf) -> Composable:
    base = "coalesce({}.tier_id, (SELECT id FROM rewards_tier WHERE rank = 0))"
    return SQL(base).format(query.one("rewards_membertier"))


def _balance(query: Query, leaf: Leaf) -> Composable:
    alias = query.one(
        "rewards_account",
        key="wallet",
        only=lambda alias: SQL("{0}.unit = 'points' AND {0}.kind = 'wallet'").format(alias),
    )
    return SQL("{}.balance").format(alias)


def _expiring(query: Query, leaf: Leaf) -> Composable:
    def rows() -> Composable:
        return SQL(
            "rewards_lot AS lot JOIN rewards_account AS wallet ON wallet.id = lot.account_id AND wallet.unit = 'points'"
            " WHERE lot.remaining > 0 AND {} AND {}"
        ).format(query.within(leaf, SQL("lot.expires_at")), query.scope(SQL("wallet.member_id")))

    lots = query.grouped(("expiring lots", leaf.within), member=SQL("wallet.member_id"), rows=rows)
    return lots.column(SQL("sum(lot.remaining)"))


def _earned(query: Query, leaf: Leaf) -> Composable:
    """Points that came in by purchases, gifts and adjustments; what refunds took back is not counted off."""

    def rows() -> Composable:
        return SQL(
            "rewards_transfer AS transfer JOIN rewards_account AS wallet"
            " ON wallet.id = transfer.credit_id AND wallet.unit = 'points' AND wallet.kind = 'wallet'"
            " WHERE transfer.kind IN ('earn', 'gift', 'adjust') AND {} AND {}"
        ).format(query.within(leaf, SQL("transfer.at")), query.scope(SQL("wallet.member_id")))

    earned = query.grouped(("earned", leaf.within), member=SQL("wallet.member_id"), rows=rows)
    return earned.column(SQL("sum(transfer.amount)"))


def _redemptions(query: Query, leaf: Leaf) -> Grouped:
    """What was redeemed: holds that were confirmed."""

    def rows() -> Composable:
        return SQL(
            "rewards_hold AS hold JOIN rewards_account AS wallet ON wallet.id = hold.account_id"
            " AND wallet.unit = 'points' WHERE hold.state = 'confirmed' AND {} AND {}"
        ).format(query.within(leaf, SQL("hold.settled_at")), query.scope(SQL("wallet.member_id")))

    return query.grouped(("redemptions", leaf.within), member=SQL("wallet.member_id"), rows=rows)


register(
    Trait(
        "tier",
        _("tier"),
        Group.LOYALTY,
        OnTier(cast="bigint"),
        _status("tier_id"),
        _("whose tier is %(test)s"),
        shown=_tier_shown,
        found=_("stands on %(value)s"),
        nothing=_("stands on no tier"),
        choices=_tiers,
    ),
    Trait(
        "tier.since",
        _("on the tier since"),
        Group.LOYALTY,
        Moment(nullable=True),
        _status("since"),
        _("who reached their tier %(test)s"),
        found=_("since %(value)s"),
        nothing=_("never assessed"),
    ),
    Trait(
        "tier.points",
        _("points in 12 months"),
        Group.LOYALTY,
        Number(),
        _status("qualifying_points"),
        ngettext_lazy(
            "who have %(test)s point that counts towards tiers",
            "who have %(test)s points that count towards tiers",
            "count",
        ),
        found=ngettext_lazy("%(value)s point in 12 months", "%(value)s points in 12 months", "count"),
        missing=0,
    ),
    Trait(
        "points",
        _("points"),
        Group.LOYALTY,
        Number(),
        _balance,
        ngettext_lazy("who have %(test)s point", "who have %(test)s points", "count"),
        found=ngettext_lazy("has %(value)s point", "has %(value)s points", "count"),
        missing=0,
    ),
    Trait(
        "points.expiring",
        _("points that expire soon"),
        Group.LOYALTY,
        Number(),
        _expiring,
        ngettext_lazy(
            "who have %(test)s point that expires%(window)s", "who have %(test)s points that expire%(window)s", "count"
        ),
        found=ngettext_lazy("%(value)s point expires", "%(value)s points expire", "count"),
        missing=0,
        window="next",
        needs_window=True,
        timed=True,
    ),
    Trait(
        "points.earned",
        _("points earned"),
        Group.LOYALTY,
        Number(),
        _earned,
        ngettext_lazy("who earned %(test)s point%(window)s", "who earned %(test)s points%(window)s", "count"),
        found=ngettext_lazy("earned %(value)s point", "earned %(value)s points", "count"),
        missing=0,
        window="past",
    ),
    Trait(
        "points.redeemed",
        _("points redeemed"),
        Group.LOYALTY,
        Number(),
        lambda query, leaf: _redemptions(query, leaf).column(SQL("sum(hold.amount)")),
        ngettext_lazy("who redeemed %(test)s point%(window)s", "who redeemed %(test)s points%(window)s", "count"),
        found=ngettext_lazy("redeemed %(value)s point", "redeemed %(value)s points", "count"),
        missing=0,
        window="past",
        profiling=True,
    ),
    Trait(
        "redemption.count",
        _("number of redemptions"),
        Group.LOYALTY,
        Number(),
        lambda query, leaf: _redemptions(query, leaf).column(SQL("count(*)")),
        ngettext_lazy(
            "who redeemed points %(test)s time%(window)s", "who redeemed points %(test)s times%(window)s", "count"
        ),
        found=ngettext_lazy("redeemed %(value)s time", "redeemed %(value)s times", "count"),
        also=lambda query, leaf: _redemptions(query, leaf).column(SQL("max(hold.settled_at)")),
        also_words=_("last on %(value)s"),
        missing=0,
        window="past",
        profiling=True,
    ),
    Trait(
        "redemption.last",
        _("last redemption"),
        Group.LOYALTY,
        Moment(nullable=True),
        lambda query, leaf: _redemptions(query, leaf).column(SQL("max(hold.settled_at)")),
        _("who last redeemed points %(test)s"),
        found=_("last redeemed on %(value)s"),
        nothing=_("never redeemed any"),
        profiling=True,
    ),
)

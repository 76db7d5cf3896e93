"""Traits for segments: coupons that members have, and how they use offers."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from psycopg.sql import SQL, Composable

from members.segments.compile import Grouped, Query
from members.segments.kinds import Moment, Number
from members.segments.traits import Filter, Group, Trait, register
from members.segments.tree import Leaf
from rewards.models import Offer


def _offers() -> dict[str, str]:
    return {str(offer.pk): offer.name for offer in Offer.objects.order_by("name")}


_OFFER = Filter("offer", _("offer"), _("of the offer %(values)s"), choices=_offers)
_OPEN = SQL(
    "coupon.state = 'issued' AND (coupon.expires_at IS NULL OR coupon.expires_at > {at}) AND (offer.kind = 'card'"
    " OR offer.state = 'live' AND (offer.ends_at IS NULL OR offer.ends_at > {at}))"
)


def _of(query: Query, leaf: Leaf, column: str) -> Composable:
    wanted = leaf.where.get("offer")
    if not wanted:
        return SQL("TRUE")
    ids = [int(one) for one in wanted]
    return SQL("{} = ANY({}::bigint[])").format(SQL(column), query.param(ids))  # type: ignore[arg-type]


def _coupons(query: Query, leaf: Leaf, name: str, test: Composable) -> Grouped:
    def rows() -> Composable:
        return SQL(
            "rewards_coupon AS coupon JOIN rewards_offer AS offer ON offer.id = coupon.offer_id"
            " WHERE coupon.member_id IS NOT NULL AND {} AND {} AND {}"
        ).format(test, _of(query, leaf, "coupon.offer_id"), query.scope(SQL("coupon.member_id")))

    key = (name, leaf.where.get("offer"), leaf.within)
    return query.grouped(key, member=SQL("coupon.member_id"), rows=rows)


def _held(query: Query, leaf: Leaf) -> Composable:
    held = _coupons(query, leaf, "coupons", _OPEN.format(at=query.param(query.at)))
    return held.column(SQL("count(*)"))


def _expiring(query: Query, leaf: Leaf) -> Composable:
    ends = SQL("least(coupon.expires_at, offer.ends_at)")
    test = SQL("{} AND {}").format(_OPEN.format(at=query.param(query.at)), query.within(leaf, ends))
    return _coupons(query, leaf, "expiring coupons", test).column(SQL("count(*)"))


def _unseen(query: Query, leaf: Leaf) -> Composable:
    test = SQL("{} AND coupon.seen_at IS NULL").format(_OPEN.format(at=query.param(query.at)))
    return _coupons(query, leaf, "unseen coupons", test).column(SQL("count(*)"))


def _uses(query: Query, leaf: Leaf) -> Grouped:
    def rows() -> Composable:
        return SQL("rewards_couponuse AS used WHERE used.state = 'used' AND {} AND {} AND {}").format(
            query.within(leaf, SQL("used.at")), _of(query, leaf, "used.offer_id"), query.scope(SQL("used.member_id"))
        )

    key = ("coupon uses", leaf.where.get("offer"), leaf.within)
    return query.grouped(key, member=SQL("used.member_id"), rows=rows)


register(
    Trait(
        "coupon.count",
        _("coupons to use"),
        Group.LOYALTY,
        Number(),
        _held,
        ngettext_lazy("who have %(test)s coupon to use%(where)s", "who have %(test)s coupons to use%(where)s", "count"),
        found=ngettext_lazy("has %(value)s coupon", "has %(value)s coupons", "count"),
        missing=0,
        filters=(_OFFER,),
        timed=True,
    ),
    Trait(
        "coupon.expiring",
        _("coupons that expire soon"),
        Group.LOYALTY,
        Number(),
        _expiring,
        ngettext_lazy(
            "who have %(test)s coupon%(where)s that expires%(window)s",
            "who have %(test)s coupons%(where)s that expire%(window)s",
            "count",
        ),
        found=ngettext_lazy("%(value)s coupon expires", "%(value)s coupons expire", "count"),
        missing=0,
        filters=(_OFFER,),
        window="next",
        needs_window=True,
        timed=True,
    ),
    Trait(
        "coupon.unseen",
        _("coupons not looked at"),
        Group.LOYALTY,
        Number(),
        _unseen,
        ngettext_lazy(
            "who have %(test)s coupon%(where)s they have not looked at",
            "who have %(test)s coupons%(where)s they have not looked at",
            "count",
        ),
        found=ngettext_lazy("has not looked at %(value)s coupon", "has not looked at %(value)s coupons", "count"),
        missing=0,
        filters=(_OFFER,),
        timed=True,
        profiling=True,
    ),
    Trait(
        "coupon.used",
        _("coupons used"),
        Group.LOYALTY,
        Number(),
        lambda query, leaf: _uses(query, leaf).column(SQL("count(*)")),
        ngettext_lazy(
            "who used %(test)s coupon%(where)s%(window)s", "who used %(test)s coupons%(where)s%(window)s", "count"
        ),
        found=ngettext_lazy("used %(value)s coupon", "used %(value)s coupons", "count"),
        also=lambda query, leaf: _uses(query, leaf).column(SQL("max(used.at)")),
        also_words=_("last on %(value)s"),
        missing=0,
        filters=(_OFFER,),
        window="past",
        profiling=True,
    ),
    Trait(
        "coupon.last_used",
        _("last coupon used"),
        Group.LOYALTY,
        Moment(nullable=True),
        lambda query, leaf: _uses(query, leaf).column(SQL("max(used.at)")),
        _("whose last use of a coupon%(where)s was %(test)s"),
        found=_("last used one on %(value)s"),
        nothing=_("never used one"),
        filters=(_OFFER,),
        profiling=True,
    ),
)

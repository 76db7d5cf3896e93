"""Traits for segments: which rewards members took, and which they could afford."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from psycopg.sql import SQL, Composable

from members.segments.compile import Grouped, Query
from members.segments.kinds import Choice, Moment, Number, Operator
from members.segments.traits import Filter, Group, Trait, register
from members.segments.tree import Leaf
from rewards.enums import RewardKind, RewardState
from rewards.models import Reward


def _rewards() -> dict[int, str]:
    return {reward.pk: reward.name for reward in Reward.objects.order_by("name")}


def _live() -> dict[int, str]:
    return {reward.pk: reward.name for reward in Reward.objects.filter(state=RewardState.LIVE).order_by("name")}


FILTERS = (
    Filter("reward", _("reward"), _("called %(values)s"), _rewards),
    Filter("kind", _("kind"), _("of the kind %(values)s"), lambda: dict(RewardKind.choices)),
)


def _taken(query: Query, leaf: Leaf) -> Grouped:
    """Redemptions that were confirmed, and not given back since."""

    def rows() -> Composable:
        wanted = [SQL("taken.state = 'confirmed'"), query.within(leaf, SQL("taken.confirmed_at"))]
        if rewards := leaf.where.get("reward"):
            wanted.append(SQL("taken.reward_id = ANY({}::bigint[])").format(query.param([int(r) for r in rewards])))
        if kinds := leaf.where.get("kind"):
            wanted.append(SQL("reward.kind = ANY({}::text[])").format(query.param(list(kinds))))
        return SQL(
            "rewards_redemption AS taken JOIN rewards_reward AS reward ON reward.id = taken.reward_id WHERE {} AND {}"
        ).format(SQL(" AND ").join(wanted), query.scope(SQL("taken.member_id")))

    where = tuple(sorted((name, tuple(values)) for name, values in leaf.where.items()))
    return query.grouped(("rewards taken", leaf.within, where), member=SQL("taken.member_id"), rows=rows)


class Affordable(Choice):
    """Whose points suffice for any of some rewards, at the price of their tier or the tiers below."""

    def test(self, datum: Composable, operator: Operator, value: Any, query: Query) -> Composable:
        found = SQL(
            "EXISTS (SELECT FROM rewards_reward AS reward WHERE reward.id = ANY({}::bigint[]) AND least(reward.points,"
            " (SELECT min(price.points) FROM rewards_rewardprice AS price JOIN rewards_tier AS step"
            " ON step.id = price.tier_id WHERE price.reward_id = reward.id AND step.rank <= coalesce((SELECT own.rank"
            " FROM rewards_membertier AS status JOIN rewards_tier AS own ON own.id = status.tier_id"
            " WHERE status.member_id = m.id), 0))) <= coalesce({}, 0))"
        ).format(query.param([int(pk) for pk in value]), datum)
        return found if operator.name == "any_of" else SQL("NOT {}").format(found)

    def passes(self, missing: Any, operator: Operator, value: Any) -> bool:
        return operator.name != "any_of"


def _points(query: Query, leaf: Leaf) -> Composable:
    alias = query.one(
        "rewards_account",
        key="wallet",
        only=lambda alias: SQL("{0}.unit = 'points' AND {0}.kind = 'wallet'").format(alias),
    )
    return SQL("{}.balance").format(alias)


register(
    Trait(
        "reward.count",
        _("rewards redeemed"),
        Group.LOYALTY,
        Number(),
        lambda query, leaf: _taken(query, leaf).column(SQL("count(*)")),
        ngettext_lazy(
            "who redeemed a reward%(where)s %(test)s time%(window)s",
            "who redeemed a reward%(where)s %(test)s times%(window)s",
            "count",
        ),
        found=ngettext_lazy("redeemed %(value)s reward", "redeemed %(value)s rewards", "count"),
        also=lambda query, leaf: _taken(query, leaf).column(SQL("max(taken.confirmed_at)")),
        also_words=_("last on %(value)s"),
        missing=0,
        filters=FILTERS,
        window="past",
        profiling=True,
    ),
    Trait(
        "reward.last",
        _("last reward redeemed"),
        Group.LOYALTY,
        Moment(nullable=True),
        lambda query, leaf: _taken(query, leaf).column(SQL("max(taken.confirmed_at)")),
        _("who last redeemed a reward%(where)s %(test)s"),
        found=_("last redeemed a reward on %(value)s"),
        nothing=_("never redeemed a reward"),
        filters=FILTERS,
        profiling=True,
    ),
    Trait(
        "reward.affordable",
        _("enough points for a reward"),
        Group.LOYALTY,
        Affordable(cast="bigint"),
        _points,
        _("who have enough points for %(test)s"),
        {"none_of": _("who have not enough points for %(test)s")},
        shown_kind=Number(),
        found=_("has %(value)s points"),
        nothing=_("has no points"),
        choices=_live,
    ),
)

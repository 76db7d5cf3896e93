"""Traits for segments: ways through the tiers, benefits had, memberships bought (members.segments.traits)."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from psycopg.sql import SQL, Composable

from members.segments.compile import Query
from members.segments.kinds import Flag, Number, Several
from members.segments.traits import Group, Trait, register
from members.segments.tree import Leaf
from rewards.models import Benefit, MembershipPlan, Tier


def _held(
    table: str, column: str, moment: str = "", only: str = "TRUE", timed: bool = False
) -> Callable[[Query, Leaf], Composable]:
    """Which of the ids that a leaf asks for stand in a member's rows."""

    def datum(query: Query, leaf: Leaf) -> Composable:
        values = list(leaf.value)

        def rows() -> Composable:
            within = query.within(leaf, SQL(moment)) if moment else SQL("TRUE")  # type: ignore[arg-type]
            narrowed = SQL(only).format(at=query.param(query.at)) if timed else SQL(only)  # type: ignore[arg-type]
            return SQL("{} AS held WHERE held.{} = ANY({}::bigint[]) AND {} AND {} AND {}").format(
                SQL(table),  # type: ignore[arg-type]
                SQL(column),  # type: ignore[arg-type]
                query.param(values),
                narrowed,
                within,
                query.scope(SQL("held.member_id")),
            )

        held = query.grouped((table, frozenset(values), leaf.within), member=SQL("held.member_id"), rows=rows)
        return held.column(SQL("array_agg(DISTINCT held.{})").format(SQL(column)))  # type: ignore[arg-type]

    return datum


def _dropping(query: Query, leaf: Leaf) -> Composable:
    alias = query.one("rewards_membertier")
    return SQL("({0}.noticed_at IS NOT NULL OR {0}.grace_until IS NOT NULL)").format(alias)


def _to_next(query: Query, leaf: Leaf) -> Composable:
    """Points missing for the lowest tier above that asks for points; NULL at the top."""
    alias = query.one("rewards_membertier")
    return SQL(
        # greatest() takes no notice of NULL: without a step above there must be no row to speak of
        "(SELECT greatest(0, step.threshold - coalesce({0}.qualifying_points, 0)) FROM rewards_tier AS step"
        " WHERE step.threshold IS NOT NULL AND step.rank > coalesce("
        "(SELECT rank FROM rewards_tier WHERE id = {0}.tier_id), 0) ORDER BY step.threshold LIMIT 1)"
    ).format(alias)


def _days_left(query: Query, leaf: Leaf) -> Composable:
    def rows() -> Composable:
        return SQL(
            "rewards_planmembership AS bought WHERE bought.state = 'active' AND bought.ends_at > {} AND {}"
        ).format(query.param(query.at), query.scope(SQL("bought.member_id")))

    bought = query.grouped("memberships", member=SQL("bought.member_id"), rows=rows)
    left = SQL("ceil(extract(epoch FROM max(bought.ends_at) - {}) / 86400)").format(query.param(query.at))
    return bought.column(left)


def _named(model: Any) -> Callable[[], dict[int, str]]:
    return lambda: {row.pk: row.name for row in model.objects.all()}


register(
    Trait(
        "tier.was",
        _("came to a tier"),
        Group.LOYALTY,
        Several(),
        _held("rewards_tierchange", "to_tier_id", "held.at"),
        _("who came to the tier %(test)s%(window)s"),
        {"none_of": _("who did not come to the tier %(test)s%(window)s")},
        found=_("came to %(value)s"),
        nothing=_("none of these tiers"),
        choices=_named(Tier),
        window="past",
    ),
    Trait(
        "tier.dropping",
        _("about to lose the tier"),
        Group.LOYALTY,
        Flag(),
        _dropping,
        _("who are about to lose their tier"),
        {"no": _("who are not about to lose their tier")},
    ),
    Trait(
        "tier.to_next",
        _("points to the next tier"),
        Group.LOYALTY,
        Number(nullable=True),
        _to_next,
        ngettext_lazy(
            "who lack %(test)s point for the next tier", "who lack %(test)s points for the next tier", "count"
        ),
        found=ngettext_lazy("lacks %(value)s point", "lacks %(value)s points", "count"),
        nothing=_("on the highest tier"),
    ),
    Trait(
        "benefit.used",
        _("benefit had"),
        Group.LOYALTY,
        Several(),
        _held("rewards_benefituse", "benefit_id", "held.at", "held.undone_at IS NULL"),
        _("who had the benefit %(test)s%(window)s"),
        {"none_of": _("who did not have the benefit %(test)s%(window)s")},
        found=_("had %(value)s"),
        nothing=_("none of these benefits"),
        choices=_named(Benefit),
        window="past",
        profiling=True,
    ),
    Trait(
        "plan",
        _("membership bought"),
        Group.LOYALTY,
        Several(),
        _held(
            "rewards_planmembership",
            "plan_id",
            only="held.state = 'active' AND held.starts_at <= {at} AND held.ends_at > {at}",
            timed=True,
        ),
        _("who hold the membership %(test)s"),
        {"none_of": _("who do not hold the membership %(test)s")},
        found=_("holds %(value)s"),
        nothing=_("none of these memberships"),
        choices=_named(MembershipPlan),
        timed=True,
    ),
    Trait(
        "plan.days_left",
        _("days left of a membership"),
        Group.LOYALTY,
        Number(nullable=True),
        _days_left,
        ngettext_lazy("whose membership lasts %(test)s day more", "whose membership lasts %(test)s days more", "count"),
        found=ngettext_lazy("%(value)s day left", "%(value)s days left", "count"),
        nothing=_("no membership"),
        timed=True,
    ),
)

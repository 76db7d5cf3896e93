"""Reads about benefits and memberships that are bought. docs/benefits.md."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils.translation import gettext

from common.sql import fetch_all
from members.models import Segment
from members.queries import BIRTHDAY_JOIN, birthday_patterns, get_programme
from rewards.enums import BenefitKind, PlanState
from rewards.models import Benefit, BenefitUse, MembershipPlan, PlanMembership, Tier

BIRTHDAY_DAYS = 7  # a birthday multiplier holds from the birthday on
# What is had once and again; all other kinds hold by themselves.
USED = (BenefitKind.FREE_SHIPPING, BenefitKind.PRIORITY, BenefitKind.VISITS, BenefitKind.OTHER)

# Which benefits members have at their moments, and by what: rows (n, member_id, at, benefit_id, kind, source_id).
_SOURCES = """
asked AS (
    SELECT asked.n, member.id AS member_id, asked.at, member.joined_at,
           coalesce(status.tier_id, (SELECT id FROM rewards_tier WHERE rank = 0)) AS tier_id
    FROM unnest(%(members)s::bigint[], %(ats)s::timestamptz[]) WITH ORDINALITY AS asked (member_id, at, n)
    JOIN members_member AS told ON told.id = asked.member_id
    JOIN members_member AS member ON member.id = coalesce(told.merged_into_id, told.id)
    LEFT JOIN rewards_membertier AS status ON status.member_id = member.id
),
source AS (
    SELECT asked.n, link.benefit_id, 'tier' AS kind, asked.tier_id AS source_id
    FROM asked JOIN rewards_benefit_tiers AS link USING (tier_id)
    UNION ALL
    SELECT asked.n, link.benefit_id, 'plan', bought.plan_id
    FROM asked
    JOIN rewards_planmembership AS bought ON bought.member_id = asked.member_id AND bought.state = 'active'
     AND bought.starts_at <= asked.at AND bought.ends_at > asked.at
    JOIN rewards_benefit_plans AS link ON link.membershipplan_id = bought.plan_id
    UNION ALL
    SELECT asked.n, benefit.id, 'segment', benefit.segment_id
    FROM asked
    JOIN members_segmentmember AS inside ON inside.member_id = asked.member_id
    JOIN rewards_benefit AS benefit ON benefit.segment_id = inside.segment_id
)
"""
# Rows (member_id, benefit_id, sources, start and end of its period, uses in it).
ENTITLED = f"""
WITH {_SOURCES},
held AS (
    SELECT source.n, source.benefit_id, array_agg(DISTINCT source.kind || ' ' || source.source_id) AS sources
    FROM source JOIN rewards_benefit AS benefit ON benefit.id = source.benefit_id AND benefit.active
    GROUP BY source.n, source.benefit_id
)
SELECT asked.member_id, benefit.id, held.sources, span.starts, span.ends, (
    SELECT count(*) FROM rewards_benefituse AS used
    WHERE used.member_id = asked.member_id AND used.benefit_id = benefit.id AND used.undone_at IS NULL
      AND used.at >= coalesce(span.starts, '-infinity') AND used.at < coalesce(span.ends, 'infinity')
)
FROM held JOIN asked USING (n) JOIN rewards_benefit AS benefit ON benefit.id = held.benefit_id
CROSS JOIN LATERAL (
    SELECT asked.at AT TIME ZONE %(zone)s AS now, (asked.joined_at AT TIME ZONE %(zone)s)::date AS joined
) AS local
CROSS JOIN LATERAL (
    SELECT rough.n - (local.joined + make_interval(years => rough.n) > local.now)::int AS n
    FROM (SELECT (extract(year FROM local.now) - extract(year FROM local.joined))::int) AS rough (n)
) AS nth
CROSS JOIN LATERAL (
    SELECT CASE benefit.period
               WHEN 'month' THEN date_trunc('month', local.now) WHEN 'year' THEN date_trunc('year', local.now)
               WHEN 'membership' THEN local.joined + make_interval(years => nth.n) END
               AT TIME ZONE %(zone)s AS starts,
           CASE benefit.period
               WHEN 'month' THEN date_trunc('month', local.now) + interval '1 month'
               WHEN 'year' THEN date_trunc('year', local.now) + interval '1 year'
               WHEN 'membership' THEN local.joined + make_interval(years => nth.n + 1) END
               AT TIME ZONE %(zone)s AS ends
) AS span
ORDER BY asked.n, benefit.position, benefit.id
"""


class Entitlement(NamedTuple):
    """A benefit that a member has. `left` is None where it may be had as often as one likes, or holds by itself;
    `used` counts this period, which ends at `period_end` (None: never). `from_what` names tier, plan and segment."""

    benefit: Benefit
    left: int | None
    used: int
    period_end: datetime | None
    from_what: tuple[str, ...]

    @property
    def is_used(self) -> bool:
        """Whether somebody writes down each time that it is had."""
        return self.benefit.kind in USED

    @property
    def value(self) -> str:
        """What its value says, in words."""
        return value_words(self.benefit)


def entitlements_of(member_ids: Iterable[int], at: datetime) -> dict[int, list[Entitlement]]:
    """The benefits of members at `at`, by member, in the order of the benefits. Five queries at most, for any number.

    Who was merged is answered for as the member they are now, under that number.
    """
    members = list(member_ids)
    params = {"members": members, "ats": [at] * len(members), "zone": get_programme().time_zone}
    rows = fetch_all(ENTITLED, params)
    benefits = Benefit.objects.in_bulk({row[1] for row in rows})
    names = _names({source for row in rows for source in row[2]})
    found: dict[int, list[Entitlement]] = {}
    for member_id, benefit_id, sources, _starts, ends, used in rows:
        benefit = benefits[benefit_id]
        counted = benefit.uses is not None and benefit.kind in USED
        left = max(0, benefit.uses - used) if counted else None  # type: ignore[operator]
        told = tuple(names[source] for source in sorted(sources, reverse=True))
        found.setdefault(member_id, []).append(Entitlement(benefit, left, used, ends, told))
    return found


def entitlements(member_id: int, at: datetime) -> list[Entitlement]:
    """The benefits that a member has at `at`, with what is left of them."""
    return next(iter(entitlements_of([member_id], at).values()), [])


def _names(sources: set[str]) -> dict[str, str]:
    """What tiers, plans and segments are called, by "tier 3"."""
    models: dict[str, Any] = {"tier": Tier, "plan": MembershipPlan, "segment": Segment}
    asked: dict[str, list[int]] = {}
    for source in sources:
        kind, _space, pk = source.partition(" ")
        asked.setdefault(kind, []).append(int(pk))
    found = {kind: models[kind].objects.in_bulk(pks) for kind, pks in asked.items()}
    return {f"{kind} {pk}": str(row) for kind, rows in found.items() for pk, row in rows.items()}


# The best of the multipliers that hold: those of every day, and the birthday's in its days.
_FACTORS = f"""
WITH {_SOURCES},
birthday AS (
    SELECT DISTINCT asked.n FROM {BIRTHDAY_JOIN} JOIN asked ON asked.member_id = member.id
    WHERE (asked.at AT TIME ZONE %(zone)s)::date - birthday.day BETWEEN 0 AND {BIRTHDAY_DAYS - 1}
)
SELECT DISTINCT ON (source.n) source.n, benefit.value, benefit.id
FROM source JOIN rewards_benefit AS benefit ON benefit.id = source.benefit_id AND benefit.active
WHERE benefit.value > 1
  AND (benefit.kind = 'multiplier' OR benefit.kind = 'birthday' AND source.n IN (SELECT n FROM birthday))
ORDER BY source.n, benefit.value DESC, benefit.id
"""


class Factor(NamedTuple):
    """What a benefit multiplies the points of a purchase by, and which benefit that is; 1 and None without any."""

    factor: Decimal
    benefit_id: int | None


PLAIN = Factor(Decimal(1), None)


def multipliers_of(asked: Sequence[tuple[int, datetime]]) -> list[Factor]:
    """The best multiplier by a benefit of each (member, moment), in their order. It goes with that of the tier, which
    is not in it: factor of a member = tier's multiplier × this. Two queries, or one where no benefit multiplies."""
    kinds = (BenefitKind.MULTIPLIER, BenefitKind.BIRTHDAY_MULTIPLIER)
    present = set(Benefit.objects.filter(kind__in=kinds, active=True, value__gt=1).values_list("kind", flat=True))
    if not present or not asked:
        return [PLAIN] * len(asked)
    zone = get_programme().time_zone
    days = set()
    if BenefitKind.BIRTHDAY_MULTIPLIER in present:
        today = {at.astimezone(ZoneInfo(zone)).date() for _member, at in asked}
        days = {day - timedelta(days=n) for day in today for n in range(BIRTHDAY_DAYS)}
    members, ats = zip(*asked, strict=True)
    params = {"members": list(members), "ats": list(ats), "zone": zone, **birthday_patterns(days)._asdict()}
    found = {n: Factor(factor, benefit_id) for n, factor, benefit_id in fetch_all(_FACTORS, params)}
    return [found.get(n, PLAIN) for n in range(1, len(asked) + 1)]


def multiplier_of(member_ids: Sequence[int], at: datetime) -> dict[int, Factor]:
    """The best multiplier by a benefit of each member at `at`; not in it is the tier's own (see `multipliers_of`)."""
    return dict(zip(member_ids, multipliers_of([(member_id, at) for member_id in member_ids]), strict=True))


_BEST = f"""
WITH {_SOURCES}
SELECT max(benefit.value) FROM source
JOIN rewards_benefit AS benefit ON benefit.id = source.benefit_id AND benefit.active AND benefit.kind = %(kind)s
"""


def best_value(member_id: int, kind: BenefitKind, at: datetime) -> Decimal:
    """The best value of the benefits of a kind that a member has at `at`: percent off of member prices, hours of early
    access. 0 without any. One query."""
    return fetch_all(_BEST, {"members": [member_id], "ats": [at], "kind": kind})[0][0] or Decimal(0)


def early_access(member_id: int, at: datetime) -> timedelta:
    """How long before all others the member may have what is to come."""
    return timedelta(hours=float(best_value(member_id, BenefitKind.EARLY_ACCESS, at)))


# --- memberships that are bought --------------------------------------------------------------------------------
def memberships(member_id: int) -> QuerySet[PlanMembership]:
    """All that a member ever bought, the latest first."""
    return PlanMembership.objects.filter(member_id=member_id).select_related("plan").order_by("-ends_at", "-pk")


def active_memberships(member_id: int, at: datetime) -> list[PlanMembership]:
    """What a member holds at `at`, and what is to begin, in its order."""
    held = PlanMembership.objects.filter(member_id=member_id, state=PlanState.ACTIVE, ends_at__gt=at)
    return list(held.select_related("plan").order_by("starts_at", "pk"))


def holding(member_ids: Iterable[int], at: datetime) -> QuerySet[PlanMembership]:
    """Of each member the membership held at `at` that ends last."""
    held = PlanMembership.objects.filter(
        member_id__in=member_ids, state=PlanState.ACTIVE, starts_at__lte=at, ends_at__gt=at
    )
    return held.order_by("member_id", "-ends_at", "-pk").distinct("member_id").select_related("plan")


def plans_on_sale() -> QuerySet[MembershipPlan]:
    return MembershipPlan.objects.filter(active=True).order_by("position", "pk")


def uses(member_id: int) -> QuerySet[BenefitUse]:
    """When a member had which benefit, the latest first, undone ones among them."""
    return BenefitUse.objects.filter(member_id=member_id).select_related("benefit", "actor").order_by("-at", "-pk")


def value_words(benefit: Benefit) -> str:
    """What the value of a benefit says: "× 2", "10% off", "24 hours before all others"; empty where it has none."""
    if benefit.value is None:
        return ""
    shown = {"value": f"{Decimal(benefit.value).normalize():f}"}
    if benefit.kind in (BenefitKind.MULTIPLIER, BenefitKind.BIRTHDAY_MULTIPLIER):
        return gettext("points × %(value)s") % shown
    if benefit.kind == BenefitKind.MEMBER_PRICE:
        return gettext("%(value)s%% off") % shown
    if benefit.kind == BenefitKind.EARLY_ACCESS:
        return gettext("%(value)s hours before all others") % shown
    return ""

"""A trait for segments: benefits that members have, and of which something is left (members.segments.traits)."""

from django.utils.translation import gettext_lazy as _
from psycopg.sql import SQL, Composable

from members.segments.compile import Query
from members.segments.kinds import Several
from members.segments.traits import Group, Trait, register
from members.segments.tree import Leaf
from rewards.models import Benefit
from rewards.queries_benefits import USED

# By tier, membership or segment, as rewards.queries_benefits has it for a few members; here for all, read by benefit.
# Uses are few beside members, so that those of this period are counted once, and not for each who has the benefit.
_LEFT = """
SELECT source.member_id, array_agg(DISTINCT benefit.id) AS ids
FROM (
    SELECT member.id AS member_id, link.benefit_id
    FROM members_member AS member LEFT JOIN rewards_membertier AS status ON status.member_id = member.id
    JOIN rewards_benefit_tiers AS link
      ON link.tier_id = coalesce(status.tier_id, (SELECT id FROM rewards_tier WHERE rank = 0))
    WHERE link.benefit_id = ANY({benefits}::bigint[]) AND member.merged_into_id IS NULL AND {members}
    UNION ALL
    SELECT bought.member_id, link.benefit_id
    FROM rewards_planmembership AS bought JOIN rewards_benefit_plans AS link ON link.membershipplan_id = bought.plan_id
    WHERE link.benefit_id = ANY({benefits}::bigint[]) AND bought.state = 'active'
      AND bought.starts_at <= {at} AND bought.ends_at > {at} AND {buyers}
    UNION ALL
    SELECT inside.member_id, benefit.id
    FROM rewards_benefit AS benefit JOIN members_segmentmember AS inside ON inside.segment_id = benefit.segment_id
    WHERE benefit.id = ANY({benefits}::bigint[]) AND {insiders}
) AS source
JOIN rewards_benefit AS benefit ON benefit.id = source.benefit_id
LEFT JOIN (
    SELECT used.member_id, used.benefit_id, count(*) AS n
    FROM rewards_benefituse AS used
    JOIN rewards_benefit AS benefit ON benefit.id = used.benefit_id
    JOIN members_member AS member ON member.id = used.member_id
    CROSS JOIN LATERAL (
        SELECT {at}::timestamptz AT TIME ZONE {zone} AS now,
               (member.joined_at AT TIME ZONE {zone})::date AS joined
    ) AS local
    CROSS JOIN LATERAL (
        SELECT (extract(year FROM local.now) - extract(year FROM local.joined))::int AS n
    ) AS rough
    WHERE used.benefit_id = ANY({benefits}::bigint[]) AND used.undone_at IS NULL AND used.at <= {at} AND {users}
      AND used.at >= CASE benefit.period
          WHEN 'month' THEN date_trunc('month', local.now) AT TIME ZONE {zone}
          WHEN 'year' THEN date_trunc('year', local.now) AT TIME ZONE {zone}
          WHEN 'membership' THEN (local.joined + make_interval(years => rough.n
              - (local.joined + make_interval(years => rough.n) > local.now)::int)) AT TIME ZONE {zone}
          ELSE '-infinity' END
    GROUP BY used.member_id, used.benefit_id
) AS had ON had.member_id = source.member_id AND had.benefit_id = source.benefit_id
WHERE benefit.active AND benefit.kind = ANY({counted}) AND coalesce(had.n, 0) < coalesce(benefit.uses, 2147483647)
GROUP BY source.member_id
"""


def _left(query: Query, leaf: Leaf) -> Composable:
    values = sorted(leaf.value)

    def rows() -> Composable:
        scopes = {"members": "member.id", "buyers": "bought.member_id", "insiders": "inside.member_id",
                  "users": "used.member_id"}  # fmt: skip
        return SQL(_LEFT).format(
            benefits=query.param(values),
            at=query.param(query.at),
            zone=query.param(query.zone.key),
            counted=query.param([str(kind) for kind in USED]),
            **{name: query.scope(SQL(column)) for name, column in scopes.items()},
        )

    return SQL("{}.ids").format(query.relation(("benefit.left", *values), rows))


def _benefits() -> dict[int, str]:
    """Those that are had once and again: all others hold by themselves."""
    return {one.pk: one.name for one in Benefit.objects.filter(kind__in=USED)}


register(
    Trait(
        "benefit.left",
        _("benefit left"),
        Group.LOYALTY,
        Several(),
        _left,
        _("who can still have the benefit %(test)s"),
        {"none_of": _("who cannot have the benefit %(test)s, or no more in its period")},
        found=_("can still have %(value)s"),
        nothing=_("none of these benefits is left"),
        choices=_benefits,
        timed=True,
    ),
)

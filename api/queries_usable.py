"""What a member can use now, read in one statement. The same as usable_coupons and entitlements, without their rows."""

import json
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.sql import fetch_prepared
from rewards.coupons.definition import parse
from rewards.coupons.words import effect_words, rest_words
from rewards.queries_benefits import ENTITLED, USED


class UsableCoupon(NamedTuple):
    """A coupon, or the code of an offer for all; `effect` in the active language; `ends_at` is None where it never
    ends."""

    code: str
    name: str
    effect: str
    ends_at: datetime | None
    rest_minor: int | None = None  # of a gift card


class UsableBenefit(NamedTuple):
    """A benefit; `left` in the period that ends at `until`, None where nobody counts; `value` is a factor, percent or
    hours, by its kind."""

    name: str
    kind: str
    left: int | None
    until: datetime | None
    value: Decimal | None = None


class Usable(NamedTuple):
    coupons: list[UsableCoupon]
    benefits: list[UsableBenefit]


NOTHING = Usable([], [])

_RUNNING = """
offer.state = 'live' AND (offer.starts_at IS NULL OR offer.starts_at <= %(at)s)
AND (offer.ends_at IS NULL OR offer.ends_at > %(at)s) AND (offer.uses_limit IS NULL OR offer.uses < offer.uses_limit)
"""
_USABLE = f"""
SELECT 'coupon', coupon.code, coalesce(nullif(offer.{{name}}, ''), offer.name_en), offer.kind, offer.definition,
       least(CASE WHEN offer.kind <> 'card' THEN offer.ends_at END, coupon.expires_at) AS until, NULL::int AS uses_left,
       0 AS position, CASE WHEN offer.kind = 'card' THEN (
           SELECT coalesce(sum(lot.remaining), 0)::bigint
           FROM rewards_account AS card JOIN rewards_lot AS lot ON lot.account_id = card.id
           WHERE card.coupon_id = coupon.id AND lot.remaining > 0 AND lot.available_from <= %(at)s
             AND (lot.expires_at IS NULL OR lot.expires_at > %(at)s)) END AS rest,
       NULL::numeric AS value
FROM rewards_coupon AS coupon JOIN rewards_offer AS offer ON offer.id = coupon.offer_id
WHERE coupon.member_id = %(member)s AND coupon.state = 'issued' AND (offer.kind = 'card' OR {_RUNNING})
  AND (coupon.expires_at IS NULL OR coupon.expires_at > %(at)s)
UNION ALL
SELECT 'coupon', offer.shared_code, coalesce(nullif(offer.{{name}}, ''), offer.name_en), offer.kind, offer.definition,
       offer.ends_at, NULL, 0, NULL, NULL
FROM rewards_offer AS offer
WHERE offer.listed AND offer.shared_code IS NOT NULL AND {_RUNNING}
  AND (offer.segment_id IS NULL
       OR EXISTS (SELECT FROM members_segmentmember WHERE segment_id = offer.segment_id AND member_id = %(member)s)
          AND NOT EXISTS (SELECT FROM members_segmentpick
                          WHERE segment_id = offer.segment_id AND member_id = %(member)s AND NOT include))
  AND (offer.uses_member IS NULL OR offer.uses_member > (
      SELECT count(*) FROM rewards_couponuse AS used WHERE used.offer_id = offer.id AND used.coupon_id IS NULL
         AND used.member_id = %(member)s AND used.state IN ('reserved', 'used')))
UNION ALL
SELECT 'benefit', NULL, coalesce(nullif(benefit.{{name}}, ''), benefit.name_en), benefit.kind, NULL, held.ends,
       CASE WHEN benefit.kind = ANY(%(counted)s) AND benefit.uses IS NOT NULL
            THEN greatest(0, benefit.uses - held.used)::int END, benefit.position, NULL, benefit.value
FROM ({ENTITLED}) AS held (member_id, benefit_id, sources, starts, ends, used)
JOIN rewards_benefit AS benefit ON benefit.id = held.benefit_id
ORDER BY 1 DESC, position, until NULLS LAST, 2
"""


def usable(member_id: int, at: datetime, *, zone: str, language: str) -> Usable:
    """Their coupons, what ends first first, and their benefits. `zone` is the programme's."""
    name = "name_zh_hans" if language.startswith("zh") else "name_en"
    params = {"member": member_id, "members": [member_id], "ats": [at], "at": at, "zone": zone}
    found = Usable([], [])
    rows = fetch_prepared(_USABLE.format(name=name), params | {"counted": [str(kind) for kind in USED]})
    for what, code, called, kind, definition, until, left, _position, rest, value in rows:
        if what == "coupon":
            told = parse(json.loads(definition), kind)
            effect = effect_words(told) if rest is None else rest_words(rest, told.currency)
            found.coupons.append(UsableCoupon(code, called, effect, until, rest))
        else:
            found.benefits.append(UsableBenefit(called, kind, left, until, value))
    return found

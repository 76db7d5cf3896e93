"""Points for purchases. What refunds take back: rewards.services.refunds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from common.money import minor_digits
from common.sql import fetch_all
from members.services.purchases import NewPurchase, follow_merges, record_purchases
from rewards.enums import AccountKind, TransferKind, VersionState
from rewards.models import RuleVersion, Transfer
from rewards.services.ledger import Posted, credit, lock_followed
from rewards.services.refunds import RefundTooLarge, lock_buyers, refund_purchase  # noqa: F401 (told from here, too)
from rewards.services.tiers import assess


@dataclass(frozen=True, slots=True)
class PostedPurchase:
    """What became of a NewPurchase: its id, whether it was new, and the points it gave (then, if it was not)."""

    id: int
    is_new: bool
    points: int


@transaction.atomic
def post_purchases(
    *, purchases: Sequence[NewPurchase], at: datetime, with_points: bool = True, actor_id: int | None = None
) -> list[PostedPurchase]:
    """Records purchases and gives their points, in the order given; a known one is answered as it was.

    KeyReused where a known key comes with another content: then nothing is recorded.
    """
    recorded = record_purchases(purchases=purchases, actor_id=actor_id)
    new_ids = [answer.id for answer in recorded if answer.is_new]
    if with_points and new_ids:
        new_keys = {_key(id_) for id_ in new_ids}
        buyers = (told.member_id for told, was in zip(purchases, recorded, strict=True) if was.is_new)
        wallets, followed = lock_followed(buyers)
        if followed:  # merged while this was on its way
            follow_merges(purchase_ids=new_ids)
        given = {posted.key: posted.amount for posted in _award(new_ids, at)}
        assess(wallets, at)
    else:
        new_keys, given = set(), {}
    known_keys = [key for answer in recorded if (key := _key(answer.id)) not in new_keys]
    if known_keys:
        given |= dict(Transfer.objects.filter(key__in=known_keys).values_list("key", "amount"))
    return [PostedPurchase(answer.id, answer.is_new, given.get(_key(answer.id), 0)) for answer in recorded]


@transaction.atomic
def award_purchases(*, purchase_ids: Sequence[int], at: datetime) -> int:
    """Gives the points of recorded purchases that have none yet; how many points. Tiers are left to the caller."""
    ids = list(purchase_ids)
    lock_buyers(ids)
    return sum(posted.amount for posted in _award(ids, at))


def _key(purchase_id: int) -> str:
    return f"earn:purchase:{purchase_id}"


# What `purchase` earns, as `earned.points`. The unit of a currency is 0.01 for cents: all factors are exact decimals,
# and floor() rounds once, at the end.
_EARNED = """
JOIN rewards_ruleversion AS version
    ON version.definition->'conditions' = jsonb_build_object('currency', purchase.currency)
   AND version.definition->'effect'->>'kind' = 'per_amount' AND version.state = 'published'
   AND tstzrange(version.valid_from, version.valid_until) @> purchase.purchased_at
JOIN rewards_earningrule AS rule ON rule.id = version.rule_id AND rule.state = 'live' AND rule.trigger = 'purchase'
JOIN unnest(%(currencies)s::text[], %(units)s::numeric[]) AS currency (code, unit) ON currency.code = purchase.currency
LEFT JOIN rewards_membertier AS status ON status.member_id = purchase.member_id
LEFT JOIN rewards_tier AS tier ON tier.id = coalesce(status.tier_id, (SELECT id FROM rewards_tier WHERE rank = 0))
CROSS JOIN LATERAL (SELECT purchase.amount_minor - purchase.refunded_minor AS minor,
                           (version.definition->'effect'->>'points')::numeric AS rate) AS net
CROSS JOIN LATERAL (
    SELECT floor(net.minor * currency.unit * net.rate * coalesce(tier.multiplier, 1))::bigint AS points
) AS earned
"""
# A purchase that a till dates into the future is spendable from the moment it is posted.
_EARN = f"""
SELECT 'earn:purchase:' || purchase.id, purchase.member_id, earned.points, purchase.purchased_at,
       least(purchase.purchased_at, %(at)s),
       purchase.purchased_at + make_interval(months => (version.definition->'expiry'->>'months')::int), '',
       jsonb_build_object('rule', rule.id, 'version', version.number, 'points_per_unit', net.rate,
                          'multiplier', coalesce(tier.multiplier, 1), 'amount_minor', net.minor,
                          'currency', purchase.currency),
       NULL::bigint, purchase.id
FROM members_purchase AS purchase {_EARNED}
WHERE purchase.id = ANY(%(purchases)s) AND earned.points > 0
"""


def foresee_points(*, select: str, params: dict[str, Any], at: datetime) -> int:
    """The points that purchases would give now: SQL for rows of (member_id or NULL, currency, amount_minor)."""
    bought = f"""SELECT *, 0 AS refunded_minor, %(at)s::timestamptz AS purchased_at
                 FROM ({select}) AS told (member_id, currency, amount_minor)"""
    statement = f"SELECT coalesce(sum(earned.points), 0)::bigint FROM ({bought}) AS purchase {_EARNED}"
    return fetch_all(statement, {**params, "at": at, **_units()})[0][0]


def _units() -> dict[str, list[str]]:
    rules = RuleVersion.objects.filter(state=VersionState.PUBLISHED)
    currencies = list({rule["currency"] for rule in rules.values_list("definition__conditions", flat=True)})
    return {"currencies": currencies, "units": [f"1e-{minor_digits(currency)}" for currency in currencies]}


def _award(purchase_ids: list[int], at: datetime) -> list[Posted]:
    return credit(
        kind=TransferKind.EARN,
        source=AccountKind.ISSUED,
        select=_EARN,
        params={"purchases": purchase_ids, "at": at, **_units()},
    )

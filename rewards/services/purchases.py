"""Points for purchases. What refunds take back: rewards.services.refunds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from common.sql import fetch_all
from members.services.purchases import NewPurchase, record_purchases
from rewards.earning.evaluate import evaluate, note
from rewards.earning.facts import Happening, Standing
from rewards.earning.triggers import PURCHASE
from rewards.enums import TransferKind, Unit
from rewards.models import Transfer
from rewards.services.earning.facts import bought, standings
from rewards.services.earning.live import home, live_rules, opened
from rewards.services.earning.posting import award_bought, units_given
from rewards.services.earning.rewarding import award_new
from rewards.services.ledger import lock_wallets
from rewards.services.refunds import RefundTooLarge, lock_buyers, refund_purchase  # noqa: F401 (told from here, too)


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
    """Records purchases and gives what they earn, in the order given; a known one is answered as it was.

    KeyReused where a known key comes with another content: then nothing is recorded.
    """
    recorded = record_purchases(purchases=purchases, actor_id=actor_id)
    new = [(told, was) for told, was in zip(purchases, recorded, strict=True) if was.is_new]
    points: dict[int, int] = {}
    if with_points and new:
        points = {one.case.purchase_id or 0: one.units() for one in award_new(new, opened(PURCHASE, ()), at)}
    known = [answer.id for answer in recorded if not answer.is_new]
    if known:
        points |= _points_of(known)
    return [PostedPurchase(answer.id, answer.is_new, points.get(answer.id, 0)) for answer in recorded]


def _points_of(purchase_ids: Sequence[int]) -> dict[int, int]:
    earned = Transfer.objects.filter(purchase__in=purchase_ids, kind=TransferKind.EARN, credit__unit=Unit.POINTS)
    given: dict[int, int] = {}
    for purchase_id, amount in earned.values_list("purchase_id", "amount"):
        given[purchase_id] = given.get(purchase_id, 0) + amount
    return given


@transaction.atomic
def award_purchases(*, purchase_ids: Sequence[int], at: datetime) -> int:
    """Gives what recorded purchases earn that earned nothing yet; how many points. Tiers are left to the caller."""
    ids = list(purchase_ids)
    wallets = lock_buyers(ids)
    earned = {row[0] for row in fetch_all(_EARNED, [ids, ids])}
    ids = [id_ for id_ in ids if id_ not in earned]
    rules, at_home, *_nobody = opened(PURCHASE, ())
    if not wallets or not rules:
        return 0
    found = bought(ids)
    if Unit.CREDIT in units_given(rules):
        lock_wallets({one.member_id for one in found}, units=[Unit.CREDIT])
    return sum(one.units() for one in award_bought(found, rules, at_home, at))


_EARNED = """
SELECT purchase_id FROM rewards_transfer WHERE purchase_id = ANY(%s) AND kind = 'earn'
UNION SELECT purchase_id FROM rewards_evaluation WHERE purchase_id = ANY(%s)
"""


def foresee_points(*, select: str, params: dict[str, Any]) -> int:
    """The points that purchases would give: SQL for rows of (member_id or NULL, currency, amount_minor, purchased_at,
    store, channel). Whoever is not known yet counts as a new member each time."""
    rows = fetch_all(select, params)
    rules = [live.rule for live in live_rules(PURCHASE)]
    if not rows or not rules:
        return 0
    at_home = home()
    known = standings(rules, {row[0] for row in rows if row[0]}, [row[3] for row in rows])
    base = standings(rules, [0], [row[3] for row in rows])[0]
    points = 0
    for member_id, currency, amount_minor, at, store, channel in rows:
        standing = known.get(member_id) or Standing(base.tier, base.multiplier, first=True)
        happening = Happening(PURCHASE, at, currency, amount_minor, store=store, channel=channel)
        outcome = evaluate(rules, happening, standing, zone=at_home.zone, home=at_home.currency)
        note(outcome, happening, standing, {})
        points += sum(award.points for award in outcome.awards if award.rule.definition.unit == Unit.POINTS)
    return points

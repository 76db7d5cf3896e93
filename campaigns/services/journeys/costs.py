"""What a journey's gifts and messages cost the shop, in minor units of the programme's currency, for the cap in money.

A coupon counts when it is given, as if it were used; a message when it is written. So a journey never costs more than
its cap, and often less.
"""

from collections.abc import Iterable
from decimal import Decimal

from django.db.models import Avg

from campaigns.models import Sender
from common.money import minor_digits, to_minor
from members.models import Purchase
from members.queries import get_programme
from rewards.enums import OfferKind
from rewards.models import Offer
from rewards.queries import reward_settings

USUAL_PURCHASE = 2000  # minor units, where nothing was bought yet


def point_cost() -> Decimal:
    """What one point costs."""
    return reward_settings().point_cost.scaleb(minor_digits(get_programme().currency))


def coupon_costs(offers: Iterable[Offer]) -> dict[int, int | None]:
    """What one coupon costs, by offer: as the offer says; else the amount that it takes off, or its share of a purchase
    as they lately were on the average; None where nobody knows."""
    own, found, usual = get_programme().currency, {}, None
    for offer in offers:
        told, cost = offer.definition, offer.unit_cost_minor
        if cost is None and offer.kind == OfferKind.AMOUNT and told.get("currency") == own:
            cost = to_minor(Decimal(told["amount"]), own)
        elif cost is None and offer.kind == OfferKind.PERCENT:
            usual = usual_purchase() if usual is None else usual
            cost = int(usual * Decimal(told["percent"]) / 100)
            if told.get("most") and told.get("currency") == own:
                cost = min(cost, to_minor(Decimal(told["most"]), own))
        found[offer.pk] = cost
    return found


def message_costs(senders: Iterable[Sender]) -> dict[str, Decimal]:
    """What one message costs, by channel."""
    digits = minor_digits(get_programme().currency)
    return {sender.channel: sender.message_cost.scaleb(digits) for sender in senders}


def usual_purchase() -> int:
    """What the last thousand purchases were on the average."""
    recent = Purchase.objects.filter(currency=get_programme().currency).order_by("-id").values("amount_minor")[:1000]
    return int(recent.aggregate(usual=Avg("amount_minor"))["usual"] or USUAL_PURCHASE)

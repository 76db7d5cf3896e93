"""What an offer would take off lately's purchases: for whoever edits it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from members.models import Purchase
from members.queries import get_programme
from rewards.coupons.definition import Definition
from rewards.coupons.pricing import Line, discount, minimum_of

WEEKS = 4
MOST = 500


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of `purchases` looked at, how many `fit` its terms, and what it would take off one of those on average."""

    purchases: int
    fit: int
    average_minor: int


def estimate(*, definition: Definition, at: datetime) -> Estimate:
    """Over the newest MOST purchases of the last WEEKS weeks. Three queries."""
    programme = get_programme()
    zone, currency = ZoneInfo(programme.time_zone), programme.currency
    bought = Purchase.objects.filter(
        purchased_at__gt=at - timedelta(weeks=WEEKS), purchased_at__lte=at, currency=currency
    )
    seen, fit, total = 0, 0, 0
    for purchase in bought.order_by("-purchased_at").prefetch_related("lines")[:MOST]:
        seen += 1
        lines = [Line(one.quantity, one.amount_minor, one.sku, one.category, one.brand) for one in purchase.lines.all()]
        if not definition.open_at(purchase.purchased_at.astimezone(zone)):
            continue
        if not definition.in_store(purchase.store) or not definition.in_channel(purchase.channel):
            continue
        found = discount(definition, lines)
        if found.missing or minimum_of(definition, lines) < definition.minimum_minor:
            continue
        fit += 1
        total += found.total
    return Estimate(seen, fit, round(total / fit) if fit else 0)

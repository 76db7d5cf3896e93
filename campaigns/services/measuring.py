"""What a campaign brought, what it cost, and what remains: in minor units of the programme's currency. Writes nothing,
but for what is measured at all."""

from dataclasses import dataclass
from decimal import Decimal

from campaigns.enums import CampaignKind
from campaigns.models import Broadcast, Campaign, Journey, Sender
from campaigns.queries_measure import Given, Lift, given, sent_by_sender
from campaigns.services.journeys.costs import coupon_costs, message_costs, point_cost
from rewards.models import Offer


@dataclass(frozen=True, slots=True)
class Cost:
    """Minor units. `unknown`: a coupon was used of which nobody knows what it costs."""

    points: Decimal = Decimal(0)
    coupons: Decimal = Decimal(0)
    sending: Decimal = Decimal(0)
    unknown: bool = False

    @property
    def whole(self) -> Decimal:
        return self.points + self.coupons + self.sending


def cost_of(campaign: Campaign) -> tuple[Cost, Given]:
    """What a campaign has cost so far: points when given, coupons when used, each message when sent. What a journey
    gives by steps of its own is counted as for its cap: coupons when given."""
    sent = sent_by_sender(campaign.pk)
    senders = list(Sender.objects.filter(pk__in=sent))
    each = message_costs(senders)
    sending = sum((each[sender.channel] * sent[sender.pk] for sender in senders), Decimal(0))
    if campaign.kind == CampaignKind.JOURNEY:
        journey = Journey.objects.get(pk=campaign.pk)
        points = journey.points_given * point_cost()
        coupons = max(journey.cost_minor - points - sending, Decimal(0))
        return Cost(points, coupons, sending), Given(journey.points_given, {0: journey.coupons_given}, {})
    broadcast = Broadcast.objects.filter(pk=campaign.pk).first()
    gave = given(campaign.pk, with_coupons=broadcast is not None and broadcast.offer_id is not None)
    costs = coupon_costs(Offer.objects.filter(pk__in=gave.used))
    used = sum((Decimal(costs[pk] or 0) * n for pk, n in gave.used.items()), Decimal(0))
    unknown = any(n and costs.get(pk) is None for pk, n in gave.used.items())
    return Cost(gave.points * point_cost(), used, sending, unknown), gave


@dataclass(frozen=True, slots=True)
class Return:
    """What is left of what a campaign brought when its cost is paid: so much, between two bounds (95 %), and for each
    unit of money put in."""

    left: Decimal
    low: Decimal
    high: Decimal
    each: Decimal | None


def return_of(lift: Lift, cost: Cost) -> Return | None:
    """None where there is not enough data, or a cost is not known."""
    if not lift.enough or lift.difference is None or cost.unknown:
        return None
    n, gap = lift.got.members, lift.difference
    left, low, high = (Decimal(bound * n) - cost.whole for bound in (gap.estimate, gap.low, gap.high))
    return Return(left, low, high, left / cost.whole if cost.whole else None)


def set_measures(
    *, campaign_id: int, measure_clicks: bool, measure_opens: bool, utm_campaign: str, goal_days: int
) -> Campaign:
    """What is measured of the mails that are written from now on, and until when a purchase counts, for all of them."""
    campaign = Campaign.objects.get(pk=campaign_id)
    campaign.measure_clicks, campaign.measure_opens = measure_clicks, measure_opens
    campaign.utm_campaign, campaign.goal_days = utm_campaign, goal_days
    campaign.save(update_fields=["measure_clicks", "measure_opens", "utm_campaign", "goal_days"])
    return campaign

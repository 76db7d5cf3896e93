"""Everything that is known of one member and one campaign, in the order in which it happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from campaigns.enums import CampaignKind
from campaigns.models import Campaign, DeliveryEvent, JourneyLog, JourneyRun, Message, TrackEvent
from members.models import Consent, Member, Purchase, TimelineEvent
from rewards.models import Coupon, CouponUse

MOST = 20  # messages, and ways through a journey


@dataclass(frozen=True, slots=True)
class Known:
    """Rows about one member and one campaign, each list oldest first."""

    messages: Sequence[Message]
    runs: Sequence[JourneyRun]
    notes: Sequence[JourneyLog]
    deliveries: Sequence[DeliveryEvent]
    tracks: Sequence[TrackEvent]
    settled: Sequence[TimelineEvent]
    consents: Sequence[Consent]
    coupons: Sequence[Coupon]
    uses: Sequence[CouponUse]
    purchases: Sequence[Purchase]


def known_of(campaign: Campaign, member: Member) -> Known:
    """In a constant number of queries. Purchases are those within the campaign's days."""
    own = Message.objects.filter(campaign=campaign, member=member).select_related("campaign", "gift", "sender")
    messages = list(own.order_by("-due_at", "-id")[:MOST])[::-1]
    ids, keys = [one.pk for one in messages], [f"message:{one.uid}" for one in messages]
    runs: list[JourneyRun] = []
    if campaign.kind == CampaignKind.JOURNEY:
        found = JourneyRun.objects.filter(journey=campaign.pk, member=member).select_related("version")
        runs = list(found.order_by("-entered_at", "-id")[:MOST])[::-1]
    begun = [one.due_at for one in messages] + [run.entered_at for run in runs]
    goal = timedelta(days=campaign.goal_days)
    bought: list[Purchase] = []
    if begun:
        rows = Purchase.objects.filter(
            member=member, purchased_at__gte=min(begun), purchased_at__lt=max(begun) + goal
        ).order_by("purchased_at")
        bought = [row for row in rows[:200] if any(at <= row.purchased_at < at + goal for at in begun)]
    told: Any = TimelineEvent.objects.filter(member=member, kind="message.settled", data__message__in=ids)
    coupons = list(Coupon.objects.filter(issue_key__in=keys).select_related("offer").order_by("issued_at"))
    return Known(
        messages=messages,
        runs=runs,
        notes=list(JourneyLog.objects.filter(run__in=runs).select_related("run").order_by("id")),
        deliveries=list(DeliveryEvent.objects.filter(message__in=ids).order_by("at", "id")),
        tracks=list(TrackEvent.objects.filter(message__in=ids).select_related("link").order_by("at", "id")[:200]),
        settled=list(told.order_by("at", "id")),
        consents=_consents(campaign, member, min(begun, default=None)),
        coupons=coupons,
        uses=list(CouponUse.objects.filter(coupon__in=coupons).order_by("at")),
        purchases=bought,
    )


def _consents(campaign: Campaign, member: Member, since: datetime | None) -> list[Consent]:
    """What the member said of the campaign's purpose: the last word before it, and all since."""
    said = Consent.objects.filter(member=member, purpose=campaign.purpose).order_by("at", "id")
    rows = list(said[:100])
    if since is None:
        return rows
    before = {row.channel: row for row in rows if row.at < since}
    return [*before.values(), *(row for row in rows if row.at >= since)]

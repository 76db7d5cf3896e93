"""What happened after staff led a member into a journey from a case."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Sum

from campaigns.enums import BY_HAND
from campaigns.models import JourneyLog, JourneyRun, Message
from members.models import Purchase
from rewards.models import Coupon

MOST = 10  # ways of one case


@dataclass(slots=True)
class After:
    """One way that began on a case, and what came of it, oldest first. Money in minor units, net of refunds."""

    run: JourneyRun
    messages: list[Message] = field(default_factory=list)
    points: list[tuple[datetime, int]] = field(default_factory=list)
    coupons: list[Coupon] = field(default_factory=list)
    purchases: int = 0
    first_purchase: datetime | None = None
    spent: dict[str, int] = field(default_factory=dict)  # by currency


def after(*, case_id: int, member_id: int) -> list[After]:
    """The ways that staff began from this case, newest first, in a constant number of queries but for purchases, which
    are asked for each."""
    rows = JourneyRun.objects.filter(member=member_id, key__startswith=BY_HAND, why__case=case_id)
    found = {
        run.pk: After(run) for run in rows.select_related("journey__campaign").order_by("-entered_at", "-pk")[:MOST]
    }
    notes: dict[str, dict[int, int]] = {"message": {}, "coupon": {}}
    for note in JourneyLog.objects.filter(run__in=found).order_by("id"):
        why: dict[str, Any] = note.why
        for name, of in notes.items():
            if why.get(name):
                of[why[name]] = note.run_id
        if note.what == "did" and why.get("points"):
            found[note.run_id].points.append((note.at, why["points"]))
    for message in Message.objects.filter(pk__in=notes["message"]).order_by("due_at", "pk"):
        found[notes["message"][message.pk]].messages.append(message)
    for coupon in (
        Coupon.objects.filter(pk__in=notes["coupon"])
        .select_related("offer")
        .prefetch_related("coupon_uses")
        .order_by("issued_at")
    ):
        found[notes["coupon"][coupon.pk]].coupons.append(coupon)
    for one in found.values():
        bought = Purchase.objects.filter(member=member_id, purchased_at__gte=one.run.entered_at)
        for currency, n, first, amount, refunded in (
            bought.values("currency")
            .annotate(n=Count("pk"), first=Min("purchased_at"), spent=Sum("amount_minor"), back=Sum("refunded_minor"))
            .values_list("currency", "n", "first", "spent", "back")
        ):
            one.purchases += n
            one.first_purchase = min(first, one.first_purchase or first)
            one.spent[currency] = amount - refunded
    return list(found.values())

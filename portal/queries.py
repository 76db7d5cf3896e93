"""What members see of themselves, gathered from the rooms below."""

from django.db.models import Case, F, QuerySet, Sum, Value, When

from members.models import ConsentWording, Purchase
from rewards.enums import TransferKind


def current_wordings() -> dict[str, ConsentWording]:
    """The wording in force per purpose."""
    latest = ConsentWording.objects.order_by("purpose", "-version").distinct("purpose")
    return {wording.purpose: wording for wording in latest}


def purchases(member_id: int) -> QuerySet[Purchase]:
    """A member's purchases, newest first, with `points`: what each gave, less what refunds took back."""
    given = Case(
        When(transfers__kind=TransferKind.EARN, then=F("transfers__amount")),
        When(transfers__kind=TransferKind.REVERSE, then=-F("transfers__amount")),
        default=Value(0),
    )
    found = Purchase.objects.filter(member_id=member_id).annotate(points=Sum(given, default=0))
    return found.prefetch_related("lines").order_by("-purchased_at", "-id")

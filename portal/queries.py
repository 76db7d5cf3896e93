"""What members see of themselves, gathered from the rooms below."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db.models import Case, F, QuerySet, Sum, Value, When

from campaigns.models import Message
from members.events import describe
from members.models import ConsentWording, Member, Purchase
from members.queries import timeline
from rewards.enums import TransferKind
from rewards.models import MemberTier
from rewards.queries import balance, explain, history


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


PROFILE = ("card_number", "name", "email", "language", "time_zone", "city", "joined_at")
BIRTHDAY = ("calendar", "month", "day", "year", "leap_month")
MESSAGE = (
    "campaign",
    "channel",
    "purpose",
    "due_at",
    "state",
    "reason",
    "sent_at",
    "to",
    "language",
    "subject",
    "text",
)


def everything_about(member: Member) -> dict[str, Any]:
    """All that is held on a member, as plain values for JSON. Amounts are strings in major units of their currency."""
    user = member.user
    return {
        "profile": {
            **{name: getattr(member, name) for name in PROFILE},
            "phone": str(member.phone),
            "birthday": {name: getattr(member, f"birthday_{name}") for name in BIRTHDAY},
            "29_february": member.leap_day_rule,
        },
        "account": {
            "email_addresses": list(EmailAddress.objects.filter(user=user).values("email", "verified", "primary")),
            "second_factors": list(
                Authenticator.objects.filter(user=user).values("type", "created_at", "last_used_at")
            ),
            "created_at": user.date_joined if user else None,
            "last_sign_in": user.last_login if user else None,
        },
        "customer_numbers": list(member.identities.values("system", "value")),
        "card_claims": list(member.claims.values("started_at", "claimed_at")),
        "consents": [
            {
                "channel": consent.channel,
                "purpose": consent.purpose,
                "granted": consent.granted,
                "at": consent.at,
                "source": consent.source,
                "wording": consent.wording.text if consent.wording else None,
                "wording_version": consent.wording.version if consent.wording else None,
            }
            for consent in member.consents.select_related("wording").order_by("at", "id")
        ],
        "purchases": [_purchase(purchase) for purchase in purchases(member.pk).prefetch_related("refunds")],
        "tier": _tier(member),
        "points": {
            "balance": balance(member.pk),
            "movements": [
                {"at": moved.at, "kind": moved.kind, "points": moved.change, "why": explain(moved)}  # type: ignore[attr-defined]
                for moved in history(member.pk)
            ],
        },
        "messages": list(Message.objects.filter(member=member).order_by("due_at").values(*MESSAGE)),
        "timeline": [
            {"at": event.at, "kind": event.kind, "what": describe(event), "details": event.data}
            for event in timeline(member.pk)
        ],
    }


def _tier(member: Member) -> dict[str, Any] | None:
    status = MemberTier.objects.select_related("tier").filter(member=member).first()
    if status is None:
        return None
    return {"name": status.tier.name, "points_in_12_months": status.qualifying_points, "since": status.since}


def _purchase(purchase: Purchase) -> dict[str, Any]:
    return {
        "at": purchase.purchased_at,
        "source": purchase.source,
        "key": purchase.key,
        "store": purchase.store,
        "channel": purchase.channel,
        "currency": purchase.currency,
        "amount": purchase.amount,
        "points": purchase.points,  # type: ignore[attr-defined]
        "lines": [
            {
                "article": line.sku,
                "name": line.name,
                "category": line.category,
                "quantity": line.quantity,
                "amount": line.amount,
            }
            for line in purchase.lines.all()
        ],
        "refunds": [
            {"at": refund.refunded_at, "amount": refund.amount, "reason": refund.reason}
            for refund in purchase.refunds.all()
        ],
    }

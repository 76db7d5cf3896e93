"""What the members app tells a member of what it holds on them."""

from typing import Any

from django.db.models import F, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from common.money import to_major
from members.events import attribute_labels, describe
from members.models import (
    AccessLog,
    Attribute,
    CardClaim,
    Consent,
    CustomEvent,
    DataExport,
    ErasureRequest,
    Identity,
    ImportedMember,
    Member,
    MemberListEntry,
    MemberPin,
    MemberTag,
    Note,
    Purchase,
    PurchaseSummary,
    SegmentChange,
    SegmentMember,
    SegmentPick,
    Task,
)
from members.privacy import exempt, register_export
from members.queries import timeline

_PROFILE = (
    "card_number",
    "name",
    "email",
    "email_verified_at",
    "phone",
    "phone_verified_at",
    "street",
    "postal_code",
    "city",
    "country",
    "language",
    "time_zone",
    "personalised",
    "source",
    "joined_at",
    "updated_at",
)
_BIRTHDAY = ("calendar", "month", "day", "year", "leap_month")


def _profile(member_id: int) -> dict[str, Any]:
    member = Member.objects.select_related("household", "guardian").get(pk=member_id)
    guardian = getattr(member, "guardian", None)
    values = {name: getattr(member, name) for name in _PROFILE}
    return {
        **values,
        "phone": str(member.phone or ""),
        "birthday": {name: getattr(member, f"birthday_{name}") for name in _BIRTHDAY},
        "29_february": member.leap_day_rule,
        "attributes": _attributes(member),
        "household": member.household.name if member.household else None,
        "guardian": guardian and {"name": guardian.name, "evidence": guardian.evidence, "at": guardian.at},
    }


def _attributes(member: Member) -> list[dict[str, Any]]:
    """The custom attributes that are told, by their labels; what was archived keeps its key."""
    known = {attribute.key: attribute for attribute in Attribute.objects.filter(key__in=member.attributes)}
    told = []
    for key, value in member.attributes.items():
        attribute = known.get(key)
        options = {option["key"]: option for option in attribute.options} if attribute else {}
        shown = options.get(value, {}).get(get_language() or "en", value) if isinstance(value, str) else value
        told.append({"name": attribute.label if attribute else key, "value": shown})
    return told


def _consents(member_id: int) -> list[dict[str, Any]]:
    said = Consent.objects.filter(member_id=member_id).select_related("wording").order_by("at", "id")
    return [
        {
            "channel": consent.channel,
            "purpose": consent.purpose,
            "granted": consent.granted,
            "at": consent.at,
            "source": consent.source,
            "evidence": consent.evidence,
            "wording": consent.wording.text if consent.wording else None,
            "wording_version": consent.wording.version if consent.wording else None,
        }
        for consent in said
    ]


def _purchases(member_id: int) -> list[dict[str, Any]]:
    bought = Purchase.objects.filter(member_id=member_id).prefetch_related("lines", "refunds")
    return [_purchase(purchase) for purchase in bought.order_by("purchased_at", "id")]


def _events(member_id: int) -> list[Any]:
    """What other systems told of the member."""
    told = CustomEvent.objects.filter(member_id=member_id).order_by("at", "id")
    return list(told.values("at", "source", "key", "kind", "data"))


def _purchase(purchase: Purchase) -> dict[str, Any]:
    """Amounts in major units of the currency."""
    lines, refunds = purchase.lines.all(), purchase.refunds.all()
    return {
        "at": purchase.purchased_at,
        "source": purchase.source,
        "key": purchase.key,
        "store": purchase.store,
        "channel": purchase.channel,
        "currency": purchase.currency,
        "amount": purchase.amount,
        "lines": [
            {
                "article": line.sku,
                "name": line.name,
                "category": line.category,
                "brand": line.brand,
                "quantity": line.quantity,
                "amount": to_major(line.amount_minor, purchase.currency),
            }
            for line in lines
        ],
        "refunds": [
            {
                "at": refund.refunded_at,
                "amount": to_major(refund.amount_minor, purchase.currency),
                "reason": refund.reason,
            }
            for refund in refunds
        ],
    }


def _habits(member_id: int) -> dict[str, Any] | None:
    fields = ("purchases", "visit_days", "spent_minor", "first_at", "last_at", "rhythm_days")
    return PurchaseSummary.objects.filter(pk=member_id).values(*fields).first()


def _timeline(member_id: int) -> list[dict[str, Any]]:
    events = list(timeline(member_id))
    labels = attribute_labels(events)
    return [
        {"at": event.at, "kind": event.kind, "what": describe(event, labels), "details": event.data} for event in events
    ]


def _segments(member_id: int) -> dict[str, Any]:
    def rows(model: Any, *fields: str) -> list[dict[str, Any]]:
        found = model.objects.filter(member_id=member_id).order_by("pk").select_related("segment")
        return [{"name": row.segment.name, **{field: getattr(row, field) for field in fields}} for row in found]

    return {
        "now": rows(SegmentMember, "entered_at"),
        "changes": rows(SegmentChange, "entered", "at"),
        "picked_by_staff": rows(SegmentPick, "include", "at"),
        "lists": list(MemberListEntry.objects.filter(member_id=member_id).values_list("list__name", flat=True)),
    }


def _notes(member_id: int) -> dict[str, Any]:
    """What staff wrote about the member. Who of them wrote it is theirs, and stays out."""
    tasks = Task.objects.filter(member_id=member_id).order_by("pk")
    return {
        "tags": list(MemberTag.objects.filter(member_id=member_id).order_by("pk").values("at", name=F("tag__name"))),
        "notes": list(Note.objects.filter(member_id=member_id).order_by("pk").values("text", "at", "edited_at")),
        "tasks": list(tasks.values("title", "details", "due_on", "created_at", "done_at", "outcome")),
    }


def _accesses(member_id: int) -> list[Any]:
    seen = AccessLog.objects.filter(Q(member=member_id) | Q(member__merged_into=member_id)).order_by("-at", "-id")
    return list(seen.values("at", "action", "what"))


def _requests(member_id: int) -> dict[str, Any]:
    exports = DataExport.objects.filter(member_id=member_id).order_by("pk")
    wishes = ErasureRequest.objects.filter(member_id=member_id).order_by("pk")
    return {
        "data_exports": list(exports.values("requested_at", "finished_at", "expires_at")),
        "erasure": list(wishes.values("requested_at", "due_at", "cancelled_at")),
        "card_claims": list(CardClaim.objects.filter(member_id=member_id).values("started_at", "claimed_at")),
    }


def _imports(member_id: int) -> list[Any]:
    came = ImportedMember.objects.filter(member_id=member_id).order_by("pk")
    file_name, at = F("customer_import__name"), F("customer_import__as_of")
    return list(came.values("row", "created", "before", "after", file=file_name, at=at))


def _identities(member_id: int) -> list[Any]:
    return list(Identity.objects.filter(member_id=member_id).order_by("pk").values("system", "value", "verified_at"))


def _till(member_id: int) -> dict[str, Any] | None:
    """That there is a PIN. What it is stands nowhere."""
    kept = MemberPin.objects.filter(member_id=member_id).first()
    return {"pin_set_at": kept.set_at} if kept else None


def register_all() -> None:
    register_export("profile", _("Profile"), _profile, models=["members.Member", "members.Guardian"], order=10)
    register_export("identities", _("Numbers and addresses"), _identities, models=["members.Identity"], order=20)
    register_export(
        "consents", _("What you agreed to"), _consents, models=["members.Consent", "members.ConsentState"], order=30
    )
    register_export("purchases", _("Purchases"), _purchases, models=["members.Purchase"], order=40)
    register_export("events", _("Events of other systems"), _events, models=["members.CustomEvent"], order=42)
    register_export("habits", _("Purchases, added up"), _habits, models=["members.PurchaseSummary"], order=45)
    in_segments = ["SegmentMember", "SegmentChange", "SegmentPick", "MemberListEntry"]
    register_export(
        "segments", _("Groups you are in"), _segments, models=[f"members.{name}" for name in in_segments], order=60
    )
    register_export("timeline", _("Everything that happened"), _timeline, models=["members.TimelineEvent"], order=80)
    about = ["members.MemberTag", "members.Note", "members.Task"]
    register_export("notes", _("What our staff noted"), _notes, models=about, order=82)
    register_export("imports", _("Files you were in"), _imports, models=["members.ImportedMember"], order=84)
    register_export("accesses", _("Who looked at your data"), _accesses, models=["members.AccessLog"], order=90)
    requests = ["members.DataExport", "members.ErasureRequest", "members.CardClaim"]
    register_export("requests", _("What you asked for"), _requests, models=requests, order=95)
    register_export("till", _("At the till"), _till, models=["members.MemberPin"], order=22)
    exempt("members.TillCode", "The hash of a code that holds for five minutes: it tells nothing.")
    exempt("members.Duplicate", "A guess that two members are one person: it would tell the one of the other.")
    exempt("members.MemberMerge", "How to undo a merge: what was brought together stands in the other sections.")
    exempt("members.ChangedMember", "A queue of numbers, emptied within seconds.")

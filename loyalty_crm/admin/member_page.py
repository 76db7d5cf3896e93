"""What the member page shows: who this is, at a glance, in a constant number of queries."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, gettext_noop, ngettext

from common.money import format_money
from members.enums import MARKETING, Channel
from members.events import describe
from members.models import Consent, Member, Purchase
from members.queries import consent_state, purchase_totals, timeline
from rewards import queries as rewards

TIMELINE_PAGE, PURCHASES, MOVEMENTS = 15, 8, 10
# By the first part of the kind's name; what is not here gets a dot.
ICONS = {
    "member": "person",
    "consent": "verified_user",
    "purchase": "shopping_bag",
    "points": "stars",
    "tier": "military_tech",
    "message": "mail",
}
# Where consents are stated, for the translators.
SOURCES = (
    gettext_noop("portal"),
    gettext_noop("till"),
    gettext_noop("phone"),
    gettext_noop("e-mail"),
    gettext_noop("letter"),
    gettext_noop("unsubscribe link"),
)


@dataclass(frozen=True, slots=True)
class ConsentCell:
    """What a member last said about one channel and purpose; `consent` None where they were never asked."""

    channel: str
    consent: Consent | None

    @property
    def where(self) -> str:
        """Where it was said, in the active language as far as it is one of SOURCES."""
        return gettext(self.consent.source) if self.consent else ""


def days_ago(moment: datetime, at: datetime) -> str:
    """How many days lie between, by the calendar of the active time zone, in words."""
    days = (timezone.localtime(at).date() - timezone.localtime(moment).date()).days
    if days <= 0:
        return gettext("today")
    if days == 1:
        return gettext("yesterday")
    return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}


def member_page(member: Member, *, at: datetime, older: str = "") -> dict[str, Any]:
    """The context of templates/admin/member.html. `older` is the cursor of an older part of the timeline."""
    totals = purchase_totals(member.pk)
    standing = rewards.tier_standing(member.pk, at)
    return {
        "member": member,
        "points": rewards.balance(member.pk),
        "expiring": rewards.expiring_next(member.pk, at),
        "standing": standing,
        "progress": _progress(standing),
        "spent": [format_money(minor, currency) for currency, minor in totals.spent_minor.items()],
        "times": totals.times,
        "last_visit": totals.last_at and days_ago(totals.last_at, at),
        "last_visit_at": totals.last_at,
        "birthday": _birthday(member, timezone.localtime(at).date()),
        "identities": list(member.identities.order_by("system", "value")),
        "consents": _consents(member),
        "purchases": _purchases(member),
        "movements": _movements(member),
        **_timeline(member, older),
    }


def _progress(standing) -> int | None:
    """How far it is to the next tier, in percent; None at the top."""
    if not standing.points_to_next:
        return None
    return round(100 * standing.qualifying_points / (standing.qualifying_points + standing.points_to_next))


def _birthday(member: Member, today: date) -> dict[str, Any] | None:
    birthday = member.birthday
    if birthday is None:
        return None
    return {"next": birthday.next_on_or_after(today).day, "is_today": birthday.next_on_or_after(today).day == today}


def _consents(member: Member) -> list[tuple[str, list[ConsentCell]]]:
    state = consent_state(member.pk)
    return [
        (str(purpose.label), [ConsentCell(str(c.label), state.get((c, purpose))) for c in Channel])
        for purpose in MARKETING
    ]


def _purchases(member: Member) -> list[Purchase]:
    rows = Purchase.objects.filter(member=member).order_by("-purchased_at", "-id").prefetch_related("lines")
    return list(rows[:PURCHASES])


def _movements(member: Member) -> list[dict[str, Any]]:
    rows = rewards.history(member.pk)[:MOVEMENTS]
    return [{"transfer": row, "change": row.change, "sentence": rewards.explain(row)} for row in rows]


def _timeline(member: Member, older: str) -> dict[str, Any]:
    """A page of the timeline from the cursor "moment|id" on, and the cursor of the next."""
    events = timeline(member.pk)
    moment, _bar, last_id = older.partition("|")
    try:
        before = parse_datetime(moment) if last_id.isdigit() else None
    except ValueError:  # an address that somebody typed
        before = None
    if before is not None:
        events = events.filter(at__lte=before).exclude(at=before, pk__gte=int(last_id))
    page = list(events[: TIMELINE_PAGE + 1])
    more = page[TIMELINE_PAGE:]
    page = page[:TIMELINE_PAGE]
    shown = [{"event": e, "sentence": describe(e), "icon": ICONS.get(e.kind.partition(".")[0], "circle")} for e in page]
    return {"events": shown, "older": f"{page[-1].at.isoformat()}|{page[-1].pk}" if more else None}

"""What the member page shows: who this is at a glance, the panels of every app, and the timeline."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext

from common.money import format_money
from members import events, panels
from members.enums import OWN_CARD, OWN_EMAIL, OWN_PHONE
from members.models import Member, Note, PurchaseSummary, Task, TimelineEvent
from members.queries import PurchaseTotals, get_programme, purchase_totals
from members.queries_timeline import Sought, timeline_page
from members.rules import birthday_words
from rewards import queries as rewards
from rewards.queries_tiers import keep_words, missing_words, tier_standing, window_words

TIMELINE_PAGE, MORE = 20, 120
UNUSUAL_GAP = 2  # times the usual days between visits


def days_ago(moment: datetime, at: datetime) -> str:
    """How many days lie between, by the calendar of the active time zone, in words."""
    days = (timezone.localtime(at).date() - timezone.localtime(moment).date()).days
    if days <= 0:
        return gettext("today")
    if days == 1:
        return gettext("yesterday")
    return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}


def member_head(member: Member, *, at: datetime) -> dict[str, Any]:
    """Who this is: what the till needs, and the top of everybody's page."""
    standing = tier_standing(member.pk, at)
    return {
        "member": member,
        "points": rewards.balance(member.pk),
        "expiring": rewards.expiring_next(member.pk, at),
        "standing": standing,
        "progress": None if standing.progress is None else round(100 * standing.progress),
        "to_next": missing_words(standing.to_next, standing.next_any, standing.currency),
        "keep": keep_words(standing),
        "window": window_words(standing.window),
        "birthday": _birthday(member, timezone.localtime(at).date()),
    }


def member_page(member: Member, *, at: datetime, request: HttpRequest) -> dict[str, Any]:
    """The context of templates/admin/member.html."""
    shown = panels.show_all(member, at=at, request=request)
    return {
        **member_head(member, at=at),
        **_bought(member, at),
        **_contacts(member),
        "top": [one.context for one in shown if one.panel.column == panels.TOP],
        "main": [one.context for one in shown if one.panel.column == panels.MAIN],
        "side": [one.context for one in shown if one.panel.column == panels.SIDE],
        **member_timeline(member, request),
    }


def _birthday(member: Member, today: date) -> dict[str, Any] | None:
    birthday = member.birthday
    if birthday is None:
        return None
    following = birthday.next_on_or_after(today).day
    return {"next": following, "is_today": following == today, "words": birthday_words(birthday)}


def _bought(member: Member, at: datetime) -> dict[str, Any]:
    """Spend and rhythm, from the summary; counted anew where it is not there yet."""
    summary = PurchaseSummary.objects.filter(member=member).first()
    if summary is None:
        totals = purchase_totals(member.pk)
    else:
        totals = PurchaseTotals(summary.purchases, {get_programme().currency: summary.spent_minor}, summary.last_at)
    rhythm = summary.rhythm_days if summary else None
    away = (at - totals.last_at).days if totals.last_at else 0
    return {
        "spent": [format_money(minor, currency) for currency, minor in totals.spent_minor.items()],
        "times": totals.times,
        "last_visit": totals.last_at and days_ago(totals.last_at, at),
        "last_visit_at": totals.last_at,
        "rhythm": rhythm and max(1, round(rhythm)),
        "late": bool(rhythm and away > UNUSUAL_GAP * rhythm),
    }


def _contacts(member: Member) -> dict[str, Any]:
    """Every address, phone and card, the first ones first, each with whether it is proved; and numbers elsewhere."""
    known = list(member.identities.order_by("created_at", "id"))
    of = {system: [i for i in known if i.system == system] for system in (OWN_EMAIL, OWN_PHONE, OWN_CARD)}
    return {
        "emails": [
            *([(member.email, member.email_verified_at)] if member.email else []),
            *((i.value, i.verified_at) for i in of[OWN_EMAIL]),
        ],
        "phones": [
            *([(member.phone.as_international, member.phone_verified_at)] if member.phone else []),
            *((i.value, i.verified_at) for i in of[OWN_PHONE]),
        ],
        "cards": [i.value for i in of[OWN_CARD]],
        "identities": [i for i in known if i.system not in of],
    }


# --- The timeline ---------------------------------------------------------------------------------------------------
def member_timeline(member: Member, request: HttpRequest) -> dict[str, Any]:
    """A part of the timeline as the address asks for it, and what the form that filters it shows."""
    asked = request.GET
    since, until = _day(asked.get("since", "")), _day(asked.get("until", ""))
    known = events.groups()
    chosen = [name for name in asked.getlist("kinds") if name in known]
    text = asked.get("text", "").replace("\0", "").strip()[:100]
    sought = Sought(groups=chosen, since=_start(since), until=_start(until, days=1), text=text)
    page = timeline_page(member.pk, sought=sought, older=asked.get("older", ""), size=TIMELINE_PAGE)
    kept = [("kinds", name) for name in chosen]
    kept += [(name, asked[name]) for name in ("since", "until", "text") if asked.get(name)]
    return {
        "events": _told(page.events, request),
        "older": page.older and urlencode([*kept, ("older", page.older)]),
        "groups": [(group, group.name in chosen) for group in known.values()],
        "sought": sought,
        "since": since,
        "until": until,
        "timeline_url": reverse("admin:members_member_timeline", args=[member.pk]),
    }


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _start(day: date | None, days: int = 0) -> datetime | None:
    """The first moment of a day in the shop, or of one some days later. None past the end of the calendar."""
    try:
        return timezone.make_aware(datetime.combine(day + timedelta(days), time.min)) if day else None
    except (OverflowError, ValueError):
        return None


# What staff wrote stands where it can be erased; the event holds the key to it.
_WRITTEN: dict[str, tuple[type[Note | Task], str]] = {"note": (Note, "text"), "task": (Task, "title")}


def _told(page: list[TimelineEvent], request: HttpRequest) -> list[dict[str, Any]]:
    """Events as sentences, each with its icon, who did it, and where to read on."""
    words: dict[tuple[str, int], str] = {}
    for name, (model, field) in _WRITTEN.items():
        ids = [event.data[name] for event in page if event.kind.startswith(f"{name}.") and name in event.data]
        if ids and request.user.has_perm(f"members.view_{name}"):
            words |= {(name, pk): text for pk, text in model.objects.filter(pk__in=ids).values_list("pk", field)}
    told, labels = [], events.attribute_labels(page)
    for event in page:
        group = event.kind.partition(".")[0]
        more = event.data.get("store", "") or words.get((group, event.data.get(group)), "")
        icon = events.groups()[group].icon if event.kind in events.kinds() else "circle"
        link = _link(event, request)
        sentence = events.describe(event, labels)
        told.append({"event": event, "sentence": sentence, "more": more[:MORE], "icon": icon, "link": link})
    return told


def _link(event: TimelineEvent, request: HttpRequest) -> str:
    """The page of the record behind an event, for who may see it."""
    known = events.kinds().get(event.kind)
    if known is None or known.about is None:
        return ""
    label, key = known.about
    app, _dot, model = label.partition(".")
    pk = event.data.get(key)
    if pk is None or not request.user.has_perm(f"{app}.view_{model}"):
        return ""
    try:
        return reverse(f"{admin.site.name}:{app}_{model}_change", args=[pk])
    except NoReverseMatch:
        return ""

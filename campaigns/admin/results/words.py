"""What happened with one member and one campaign, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.admin.journeys.runs import REASONS, WHATS
from campaigns.admin.verdict_words import because
from campaigns.enums import TrackKind
from campaigns.journeys.words import step_words
from campaigns.models import JourneyLog, Message
from campaigns.queries_trace import Known
from campaigns.services.journeys.definitions import known, read_version
from common.moments import format_moment
from common.money import format_money
from members.events import describe
from rewards.queries import explain, points_text

# Where our own pages heard of a consent; other systems stand there by their names.
_PLACES = {
    "portal": _("on the member's pages"),
    "admin": _("by staff, here"),
    "till-page": _("at the till"),
    "unsubscribe link": _("by the link in a mail"),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. `address` leads to its record; `detail` says more."""

    at: datetime
    words: str
    detail: str = ""
    address: str = ""

    @property
    def when(self) -> str:
        return format_moment(self.at)


def story(found: Known) -> list[Moment]:
    """All that happened, oldest first."""
    told = [moment for message in found.messages for moment in _of_message(message)]
    told += _of_notes(found)
    told += [Moment(one.at, one.get_kind_display(), one.detail[:200]) for one in found.deliveries]
    for track in found.tracks:
        words = {
            TrackKind.OPEN: gettext("The mail was opened"),
            TrackKind.CLICK: gettext("A link was followed"),
            TrackKind.TRAP: gettext("A link that people cannot see was fetched"),
        }[TrackKind(track.kind)]
        who = gettext("%(who)s: %(why)s") % {"who": track.get_verdict_display(), "why": because(track.rule)}
        place = track.link.url if track.link else ""
        told.append(
            Moment(
                track.at,
                f"{words}: {place}" if place else words,
                f"{who} ({track.times}×)" if track.times > 1 else who,
                reverse("admin:campaigns_trackevent_change", args=[track.pk]),
            )
        )
    told += [Moment(event.at, describe(event), str(event.data.get("reason", ""))) for event in found.settled]
    for said in found.consents:
        words = gettext("Agreed: %(what)s") if said.granted else gettext("Said no: %(what)s")
        what = f"{said.get_purpose_display()}, {said.get_channel_display()}"
        told.append(Moment(said.at, words % {"what": what}, str(_PLACES.get(said.source, said.source))))
    for coupon in found.coupons:
        if coupon.issued_at:
            words = gettext("Got a coupon of “%(offer)s”") % {"offer": coupon.offer}
            told.append(Moment(coupon.issued_at, words, "", reverse("admin:rewards_coupon_change", args=[coupon.pk])))
    told += [Moment(use.at, gettext("Used the coupon")) for use in found.uses]
    for purchase in found.purchases:
        amount = format_money(purchase.amount_minor - purchase.refunded_minor, purchase.currency)
        address = reverse("admin:members_purchase_change", args=[purchase.pk])
        told.append(
            Moment(purchase.purchased_at, gettext("Bought for %(amount)s, which counts") % {"amount": amount},
                   purchase.store, address)
        )  # fmt: skip
    return sorted(told, key=lambda moment: moment.at)


def _of_message(message: Message) -> Iterator[Moment]:
    address = reverse("admin:campaigns_message_change", args=[message.pk])
    words = {"channel": message.get_channel_display(), "moment": format_moment(message.due_at)}
    begun = min(message.created_at, message.changed_at, message.frozen_at or message.created_at)
    yield Moment(begun, gettext("Taken down, due %(moment)s, by %(channel)s") % words, "", address)
    for attempt in message.tries:
        try:
            at = datetime.fromisoformat(attempt["at"])
        except (KeyError, TypeError, ValueError):
            continue
        yield Moment(at, gettext("An attempt failed"), str(attempt.get("error", "")), address)
    to = gettext("to %(address)s, by “%(sender)s”") % {"address": message.to or "–", "sender": message.sender or "–"}
    steps = (
        (message.frozen_at, gettext("Written"), message.subject),
        (message.dot_at, gettext("Left our hands"), to),
        (message.answered_at, gettext("Taken by the server"), message.provider_id),
        (message.sent_at, gettext("Sent"), ""),
        (message.read_at, gettext("Read on the member's pages"), ""),
        (message.gift.at if message.gift else None, gettext("Gift"), explain(message.gift) if message.gift else ""),
    )
    yield from (Moment(at, what, detail, address) for at, what, detail in steps if at)
    if message.state not in ("sent", "claimed", "handing_over"):
        said = message.get_reason_display() if message.reason else message.error
        yield Moment(message.changed_at, message.get_state_display(), said, address)


def _of_notes(found: Known) -> Iterator[Moment]:
    there = known() if found.notes else None
    read = {pk: read_version(pk) for pk in {note.run.version_id for note in found.notes}}
    for note in found.notes:
        step = read[note.run.version_id].steps.get(note.step)
        what = str(WHATS.get(note.what, note.what))
        words = f"{step_words(step, there)}: {what}" if step and there else what
        yield Moment(note.at, words, _why(note), reverse("admin:campaigns_journeyrun_change", args=[note.run_id]))


def _why(note: JourneyLog) -> str:
    if "points" in note.why and note.what == "did":
        return gettext("%(points)s given") % {"points": points_text(note.why["points"])}
    return str(REASONS.get(note.why.get("reason", ""), ""))

"""Why a message was planned, in sentences."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext, ngettext

from campaigns.admin.broadcasts.words import who_words
from campaigns.enums import CampaignKind
from campaigns.journeys.words import step_words
from campaigns.models import Broadcast, JourneyRun, Message
from campaigns.services.journeys.definitions import known, read_version
from common.moments import format_moment
from members.enums import Calendar
from members.rules import Birthday, birthday_words


def why_words(message: Message) -> str:
    """What led to a message. `message.campaign` is read."""
    return _WORDS[CampaignKind(message.campaign.kind)](message)


def _birthday(message: Message) -> str:
    why: Mapping[str, Any] = message.why
    if "calendar" not in why:  # taken out with all that an erased member had
        return "–"
    said = Birthday(Calendar(why["calendar"]), why["month"], why["day"], why["leap_month"])
    words = {"birthday": birthday_words(said), "hour": why["hour"][:5], "zone": why["time_zone"]}
    text = gettext("Birthday on %(birthday)s; due at %(hour)s in %(zone)s")
    if not why["days_ahead"]:
        return text % words
    ahead = ngettext("%(n)d day before", "%(n)d days before", why["days_ahead"]) % {"n": why["days_ahead"]}
    return f"{text % words}, {ahead}"


def _broadcast(message: Message) -> str:
    broadcast = Broadcast.objects.filter(pk=message.campaign_id).first()
    if broadcast is None:
        return "–"
    said = gettext("Meant for: %(who)s") % {"who": who_words(broadcast)}
    if message.variant and broadcast.variants.count() > 1:
        letter = {"letter": "ABCDEFGHIJ"[message.variant - 1]}
        said = gettext("%(said)s Drawn for version %(letter)s.") % {"said": said, **letter}
    return said


def _journey(message: Message) -> str:
    run_id = message.occurrence.partition(":")[0]
    run = JourneyRun.objects.filter(pk=run_id).select_related("version").first() if run_id.isdecimal() else None
    if run is None:
        return gettext("A step of the journey “%(journey)s”.") % {"journey": message.campaign}
    step = read_version(run.version_id).steps.get(message.why.get("step") or "")
    words = {
        "journey": message.campaign,
        "when": format_moment(run.entered_at),
        "version": run.version.number,
        "step": step_words(step, known()) if step else "–",
    }
    return gettext("Came into the journey “%(journey)s” on %(when)s, version %(version)s; step: %(step)s.") % words


def _service(message: Message) -> str:
    return gettext("A message of service: it is about the member's own business and asks for no consent.")


def _survey(message: Message) -> str:
    return gettext("An invitation to the survey “%(survey)s”.") % {"survey": message.campaign}


_WORDS: Mapping[CampaignKind, Callable[[Message], str]] = {
    CampaignKind.BIRTHDAY: _birthday,
    CampaignKind.BROADCAST: _broadcast,
    CampaignKind.JOURNEY: _journey,
    CampaignKind.SURVEY: _survey,
    CampaignKind.SERVICE: _service,
}

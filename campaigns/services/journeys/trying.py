"""Looking without touching: a member's way by a clock that leaps, and why somebody came in or did not."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext

from campaigns.enums import CampaignState, RunState
from campaigns.journeys import dates
from campaigns.journeys.definition import TIMED, Again
from campaigns.journeys.definition import Journey as Definition
from campaigns.journeys.parser import parse
from campaigns.journeys.walk import Assumed, Stop, walk
from campaigns.journeys.words import trigger_words
from campaigns.models import Journey, JourneyRun
from campaigns.queries import zone_of
from campaigns.queries_journeys import source
from campaigns.services.journeys.acts import days_of
from campaigns.services.journeys.definitions import known, read_version
from campaigns.services.journeys.entering import fitting
from common.moments import format_moment
from common.sql import fetch_all
from members.models import Member, TimelineEvent
from members.segments import asking
from members.segments.compile import selecting
from members.segments.tree import BadDefinition

LOOK_BACK = timedelta(days=60)


def dry_run(*, journey: Journey, member: Member, buys_after: int | None, at: datetime) -> list[Stop]:
    """The member's way through the draft, as if they came in now. Conditions are answered as they stand today.
    BadJourney."""
    read = parse(journey.draft, known())
    assumed: tuple[Assumed, ...] = ()
    if buys_after is not None:
        bought = {"amount_minor": 10**9}
        assumed = (Assumed("purchase.paid", timedelta(days=buys_after, minutes=1), bought),)

    def answer(condition: Any) -> bool:
        statement, params = selecting(condition, at=at, member_ids=[member.pk])
        return bool(fetch_all(statement, params))  # type: ignore[arg-type]

    def day_of(name: str, moment: datetime) -> date | None:
        return days_of(name, {member.pk: moment}, {member.pk: member}, moment).get(member.pk)

    return walk(
        read,
        member_id=member.pk,
        salt=str(journey.uid),
        start=at,
        zone=zone_of(member),
        answer=answer,
        day_of=day_of,
        assumed=assumed,
    )


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that had to be so. `holds`: whether it was; None where it does not matter."""

    holds: bool | None
    sentence: str


def why(*, journey: Journey, member: Member, at: datetime) -> list[Reason]:
    """Why a member came in or did not, point by point, as far as it can be told today."""
    said: list[Reason] = []
    runs = list(JourneyRun.objects.filter(journey=journey, member=member).order_by("-entered_at", "-id")[:5])
    words = {
        RunState.MISSED: gettext("Would have come in at %(when)s, but it was too late by then."),
        RunState.HELD: gettext("Was held out at %(when)s, to measure what the journey brings."),
    }
    said += [
        Reason(
            run.state not in (RunState.MISSED, RunState.HELD),
            words.get(RunState(run.state), gettext("Came in at %(when)s.")) % {"when": format_moment(run.entered_at)},
        )
        for run in runs
    ]
    if journey.number == 0:
        return [Reason(False, gettext("The journey was never published."))]
    state = CampaignState(journey.campaign.state)
    runs_now = state is CampaignState.RUNNING
    said.append(
        Reason(runs_now, gettext("The journey runs.") if runs_now else gettext("The journey does not run now."))
    )
    if member.merged_into_id or member.erased_at:
        said.append(Reason(False, gettext("The member was merged into another, or erased.")))
        return said
    read = read_version(journey.versions.latest("number").pk)
    said.append(_trigger(journey, read, member, at))
    if read.audience is not None:
        said.append(_audience(read, member, at))
    said.append(_again(read, runs))
    if read.entry_limit is not None:
        full = journey.entered >= read.entry_limit
        numbers = {"n": journey.entered, "most": read.entry_limit}
        said.append(Reason(not full, gettext("%(n)d of at most %(most)d members have come in.") % numbers))
    if journey.campaign.holdout_percent:
        drawn = dates.draw(f"{journey.uid}:hold", member.pk) < float(journey.campaign.holdout_percent) / 100
        sentence = gettext("Is drawn to be held out.") if drawn else gettext("Is not drawn to be held out.")
        said.append(Reason(not drawn, sentence))
    return said


def _trigger(journey: Journey, read: Definition, member: Member, at: datetime) -> Reason:
    words = trigger_words(read, known())
    since = max(journey.active_since or at, at - LOOK_BACK)
    when: datetime | None = None
    if read.kind in TIMED:
        if who := source(read, since=since, until=at, member_id=member.pk):
            statement = f"SELECT max(at) FROM ({who.sql}) AS came WHERE member_id = %(asked_of)s"
            ((when,),) = fetch_all(statement, who.params | {"asked_of": member.pk})
    else:
        events = TimelineEvent.objects.filter(member=member, kind__in=[p.event for p in read.patterns], at__gt=since)
        found = fitting(read, list(events.order_by("-at")[:200]))
        when = found[0].at if found else None
    if when is None:
        sentence = gettext("%(trigger)s: that did not happen to this member since %(when)s.")
        return Reason(False, sentence % {"trigger": words, "when": format_moment(since)})
    sentence = gettext("%(trigger)s: that happened last at %(when)s.")
    return Reason(True, sentence % {"trigger": words, "when": format_moment(when)})


def _audience(read: Definition, member: Member, at: datetime) -> Reason:
    try:
        found = asking.why(read.audience, member_id=member.pk, at=at)
    except BadDefinition as bad:
        return Reason(False, gettext("The audience cannot be asked any more: %(error)s") % {"error": bad})
    data = "; ".join(part for part in (_told(found)) if part)
    sentence = gettext("Belongs to the audience") if found.value else gettext("Does not belong to the audience")
    return Reason(found.value, f"{sentence}: {data}" if data else sentence)


def _told(node: asking.Why) -> list[str]:
    own = [f"{node.sentence} ({node.datum})"] if not node.children and node.datum else []
    return own + [text for child in node.children for text in _told(child)]


def _again(read: Definition, runs: list[JourneyRun]) -> Reason:
    if any(run.state in (RunState.ACTIVE, RunState.STUCK) for run in runs):
        return Reason(False, gettext("Is inside now, and nobody is inside twice."))
    before = [run for run in runs if run.state != RunState.MISSED]
    if not before:
        return Reason(True, gettext("Has not been inside before."))
    last = format_moment(before[0].entered_at)
    match read.again:
        case Again.ALWAYS:
            return Reason(True, gettext("Was inside before, and may come in each time."))
        case Again.NEVER:
            return Reason(False, gettext("Came in at %(when)s, and each member does so once only.") % {"when": last})
    sentence = gettext("Came in at %(when)s, and may do so again %(n)d days after that.")
    return Reason(None, sentence % {"when": last, "n": read.again_days})

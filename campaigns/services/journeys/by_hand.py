"""Staff lead a member into a journey: what stands in the way, and doing it, once for each form that is sent."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from campaigns.enums import BY_HAND, CampaignState, Medium, Obstacle, RunState
from campaigns.events import JOURNEY_STARTED
from campaigns.journeys.definition import Again, StepKind
from campaigns.journeys.definition import Journey as Definition
from campaigns.models import Campaign, Journey, JourneyRun, Suppression, TopicChoice
from campaigns.queries import address_key, address_of
from campaigns.queries_journeys import Source
from campaigns.queries_preferences import first_channel_of
from campaigns.queries_pressure import room_for
from campaigns.services.journeys.acts import channels_of
from campaigns.services.journeys.definitions import read_version
from campaigns.services.journeys.entering import door, let_in, running
from common.doorbell import ring
from common.sql import fetch_all
from members.events import record
from members.models import ConsentState, Member
from members.segments.compile import selecting
from members.segments.tree import BadDefinition
from members.services.purchases import KeyReused
from surveys.models import Case
from surveys.services.cases.opening import note_change

SHOWN = 20


class CannotStart(Exception):
    """Why not now: `obstacle` says it as a sentence."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle.value)
        self.obstacle = obstacle


@dataclass(frozen=True, slots=True)
class Choice:
    """A journey that staff may start. `waits_until`: messages of other campaigns take the room, so that its first waits
    until then."""

    journey: Journey
    read: Definition
    obstacle: Obstacle | None
    waits_until: datetime | None


def choices(*, member: Member, at: datetime) -> list[Choice]:
    """The running journeys that may be started by hand, and what stands in each one's way for this member."""
    found = []
    for journey, version in running():
        read = read_version(version.pk)
        if not read.starts_by_hand:
            continue
        why = obstacle(journey=journey, read=read, member=member, at=at)
        found.append(Choice(journey, read, why, None if why else _waits_until(journey.campaign, read, member, at)))
        if len(found) == SHOWN:
            break
    return found


def obstacle(*, journey: Journey, read: Definition, member: Member, at: datetime) -> Obstacle | None:
    """The first thing that keeps this member from being led in now."""
    if member.merged_into_id or member.erased_at:
        return Obstacle.GONE
    if not read.starts_by_hand:
        return Obstacle.NOT_BY_HAND
    if journey.campaign.state != CampaignState.RUNNING:
        return Obstacle.NOT_RUNNING
    before = JourneyRun.objects.filter(journey=journey, member=member)
    if before.filter(state__in=[RunState.ACTIVE, RunState.STUCK]).exists():
        return Obstacle.INSIDE
    last = before.exclude(state=RunState.MISSED).order_by("-entered_at").values_list("entered_at", flat=True).first()
    if last and read.again == Again.NEVER:
        return Obstacle.BEFORE
    if last and read.again == Again.AFTER and (at - last).total_seconds() < read.again_days * 86400:
        return Obstacle.TOO_SOON
    if read.entry_limit is not None and journey.entered >= read.entry_limit:
        return Obstacle.FULL
    if read.audience is not None and not _belongs(read, member, at):
        return Obstacle.AUDIENCE
    return _unreachable(journey.campaign, read, member, at)


def _belongs(read: Definition, member: Member, at: datetime) -> bool:
    try:
        statement, params = selecting(read.audience, at=at, member_ids=[member.pk])
        return bool(fetch_all(statement, params))  # type: ignore[arg-type]
    except BadDefinition:
        return False


def _channels(campaign: Campaign, read: Definition) -> list[str]:
    """The channels that its messages may take, in their order; none where it sends nothing."""
    sends = [step for step in read.steps.values() if step.kind is StepKind.SEND]
    wanted = [channels_of(step, campaign) for step in sends]
    return list(dict.fromkeys(channel for channels in wanted for channel in channels))


def _ways(campaign: Campaign, channels: Sequence[str], member: Member) -> dict[str, str]:
    """The channels that the member agreed to, each with its address. Any yes to the purpose counts for the pages of
    their own, and any no to the topic against them: so hand-over asks too."""
    said = ConsentState.objects.filter(member=member, purpose=campaign.purpose, granted=True)
    agreed = set(said.values_list("channel", flat=True))
    off: set[str] = set()
    if campaign.topic_id:
        let_go = TopicChoice.objects.filter(member=member, topic=campaign.topic_id, wanted=False)
        off = set(let_go.values_list("channel", flat=True))
    if agreed and not off:
        agreed.add(Medium.APP.value)
    first = first_channel_of(member.pk)
    ways = sorted((one for one in channels if one in agreed - off), key=lambda one: one != first)
    return {one: "" if one == Medium.APP else address_of(member, one) for one in ways}


def _unreachable(campaign: Campaign, read: Definition, member: Member, at: datetime) -> Obstacle | None:
    channels = _channels(campaign, read)
    if not channels:
        return None
    ways = _ways(campaign, channels, member)
    if not ways:
        return Obstacle.NO_CONSENT
    if Medium.APP.value in ways:
        return None
    addressed = {channel: address_key(value) for channel, value in ways.items() if value}
    if not addressed:
        return Obstacle.NO_ADDRESS
    valid = Q(expires_at=None) | Q(expires_at__gt=at)
    listed = set(
        Suppression.objects.filter(valid, address__in=addressed.values(), lifted_at=None).values_list(
            "channel", "address"
        )
    )
    return Obstacle.SUPPRESSED if all(pair in listed for pair in addressed.items()) else None


def _waits_until(campaign: Campaign, read: Definition, member: Member, at: datetime) -> datetime | None:
    channels = _channels(campaign, read)
    ways = list(_ways(campaign, channels, member))
    if not ways or not campaign.counts_for_cap:
        return None
    room = room_for([member.pk], ways[0], at)[member.pk]
    return room.free_at if room.left == 0 else None


@transaction.atomic
def start_by_hand(
    *, journey_id: int, member_id: int, key: UUID, at: datetime, actor_id: int | None, case_id: int | None = None
) -> JourneyRun:
    """Leads a member in, from the page of a case where `case_id` is given, whose history says so. The lot does not hold
    them out: somebody chose them, so they are not measured either. The same key gives the same way again.

    CannotStart; KeyReused where the key started another journey; Member.DoesNotExist.
    """
    entered = door(journey_id)
    name = f"{BY_HAND}{key}"
    there = JourneyRun.objects.filter(member=member_id, key=name).first()
    if there is not None:
        if there.journey_id != journey_id:
            raise KeyReused(name)
        return there
    if entered is None:
        raise CannotStart(Obstacle.NOT_RUNNING)
    member = Member.objects.get(pk=member_id)
    journey = Journey.objects.select_related("campaign").get(pk=journey_id)
    if why := obstacle(journey=journey, read=read_version(entered.version_id), member=member, at=at):
        raise CannotStart(why)
    told = {"actor": actor_id, **({"case": case_id} if case_id else {})}
    let_in(
        journey=entered._replace(holdout=0.0),
        who=Source(
            "SELECT %(who)s::bigint AS member_id, %(key)s::text AS key, %(now)s::timestamptz AS at,"
            " %(why)s::jsonb AS why",
            {"who": member_id, "key": name, "why": json.dumps(told)},
        ),
        at=at,
        ids=[member_id],
    )
    run = JourneyRun.objects.filter(journey=journey_id, key=name).first()
    if run is None:  # published this very moment
        raise CannotStart(Obstacle.NOT_RUNNING)
    data = {"journey": journey_id, "name": journey.campaign.name, "run": run.pk}
    record(member_id=member_id, kind=JOURNEY_STARTED, at=at, data=data, actor_id=actor_id)
    if case_id is not None:
        case = Case.objects.get(pk=case_id)
        note_change(case, "offered", at=at, actor_id=actor_id, data={"name": journey.campaign.name})
    ring("campaigns.tasks.run_journeys")
    return run

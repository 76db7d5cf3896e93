"""What people do with a broadcast: write it down, ask for it, approve it, pause it, stop it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from campaigns.content.blocks import complete_languages
from campaigns.enums import CampaignKind, CampaignPurpose, CampaignState, Medium, MessageState, SkipReason
from campaigns.models import Broadcast, BroadcastVariant, Campaign, CampaignSettings, Message, TemplateVersion
from campaigns.services.broadcasts.audience import Estimate, NoDate, estimate, segment_versions, timing_of
from common.doorbell import ring
from members.queries_segments import SegmentNotReady

TASK = "campaigns.tasks.run_broadcasts"
ALIVE = (CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED)


class WrongState(Exception):
    """What was asked for cannot be done with a broadcast in this state."""


class NotReady(Exception):
    """What keeps a broadcast from going out; `problems` are sentences."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


class SamePerson(Exception):
    """Who asked for a broadcast cannot be the one who approves it."""


@dataclass(frozen=True, slots=True)
class Version:
    """What people choose for one version of a broadcast."""

    version_id: int
    subject: dict[str, str] = field(default_factory=dict)
    share: int = 1
    minutes_later: int = 0


def get_settings() -> CampaignSettings:
    """What holds for all broadcasts; made where there is none yet."""
    return CampaignSettings.objects.get_or_create(pk=1)[0]


@transaction.atomic
def create(*, name: str, actor_id: int | None, purpose: str = CampaignPurpose.OFFERS, **values: Any) -> Broadcast:
    """A draft that means nobody yet."""
    campaign = Campaign.objects.create(
        kind=CampaignKind.BROADCAST,
        name=name,
        purpose=purpose,
        holdout_percent=get_settings().holdout_percent,
        created_by_id=actor_id,
    )
    return Broadcast.objects.create(campaign=campaign, **values)


def _held(campaign_id: int, *states: str) -> Broadcast:
    """The broadcast, locked with its campaign. WrongState where it is in none of these states."""
    campaign = Campaign.objects.select_for_update().get(pk=campaign_id, kind=CampaignKind.BROADCAST)
    broadcast = Broadcast.objects.select_for_update().get(pk=campaign_id)
    broadcast.campaign = campaign
    if states and campaign.state not in states:
        raise WrongState(campaign.state)
    return broadcast


@transaction.atomic
def edit(
    *,
    campaign_id: int,
    campaign: Mapping[str, Any] | None = None,
    broadcast: Mapping[str, Any] | None = None,
    groups: Mapping[str, Sequence[Any]] | None = None,
    versions: Sequence[Version] | None = None,
) -> Broadcast:
    """Changes a draft: fields of its campaign, its own, its groups by name, its versions. WrongState; ValidationError,
    by field, for what cannot be."""
    held = _held(campaign_id, CampaignState.DRAFT)
    for row, values in ((held.campaign, campaign or {}), (held, broadcast or {})):
        for name, value in values.items():
            setattr(row, name, value)
        row.full_clean(validate_unique=False)
        row.save()
    for name, chosen in (groups or {}).items():
        getattr(held, name).set(chosen)
    if versions is not None:
        held.variants.all().delete()
        BroadcastVariant.objects.bulk_create(
            BroadcastVariant(
                broadcast=held,
                number=number,
                version_id=one.version_id,
                subject={language: text for language, text in one.subject.items() if text},
                share=one.share,
                minutes_later=one.minutes_later,
            )
            for number, one in enumerate(versions, 1)
        )
    return held


def problems(broadcast: Broadcast, *, at: datetime) -> list[str]:
    """What keeps a broadcast from going out, as sentences; none of them counts members."""
    found = []
    meant = broadcast.everybody or broadcast.follows_id is not None
    if not meant and not any(getattr(broadcast, name).exists() for name in ("segments", "lists", "tags")):
        found.append(gettext("Nobody is chosen yet: pick a segment, a list or a tag, or everybody."))
    variants = list(broadcast.variants.select_related("version__template"))
    if not variants:
        found.append(gettext("It says nothing yet: choose a template."))
    found += [
        gettext("The template “%(template)s” is archived.") % {"template": variant.version.template}
        for variant in variants
        if variant.version.template.archived_at
    ]
    if Medium.SMS in broadcast.campaign.channels:
        texts = [(one.version.template, one.version.content) for one in variants]
        found += [
            gettext("“%(template)s” has no short text, so text messages would be empty.") % {"template": template}
            for template, content in texts
            if not all((content["sms"] or {}).get(language) for language in complete_languages(content))
        ]
    offer = broadcast.offer
    if offer is not None and (offer.state != "live" or offer.shared_code or (offer.ends_at and offer.ends_at <= at)):
        found.append(gettext("No coupons are issued of “%(offer)s” now.") % {"offer": offer})
    try:
        timing = timing_of(broadcast, at=at)
        if broadcast.when == "moment" and timing.start <= at:
            found.append(gettext("The moment is over already."))
        if timing.day is not None and timing.day < at.date() and timing.start < at:
            found.append(gettext("The day is over already."))
    except (NoDate, ValueError) as error:
        found.append(str(error))
    return found


def needs_approval(reached: int) -> bool:
    """Whether a broadcast to so many members needs a second person."""
    above = get_settings().approval_above
    return above is not None and reached > above


@transaction.atomic
def ask(*, campaign_id: int, at: datetime, actor_id: int | None) -> Broadcast:
    """Schedules a draft, or has it wait for approval where it goes to many. NotReady with what is in the way."""
    held = _held(campaign_id, CampaignState.DRAFT)
    held.asked_at, held.asked_by_id = at, actor_id
    wrong = problems(held, at=at)
    if wrong:
        raise NotReady(wrong)
    try:
        told = estimate(held, at=at)
    except SegmentNotReady as error:
        raise NotReady([str(error)]) from error
    held.estimate = told.kept()
    if needs_approval(told.reached):
        held.campaign.state, held.campaign.paused_why = CampaignState.WAITING, ""
        held.save()
        held.campaign.save(update_fields=["state", "paused_why"])
        return held
    return _schedule(held, at)


def _schedule(held: Broadcast, at: datetime) -> Broadcast:
    timing = timing_of(held, at=at)
    held.starts_at = max(timing.start, at) if held.when != "moment" else timing.start
    held.occurrence_key = timing.key
    held.save()
    held.campaign.state, held.campaign.paused_why = CampaignState.SCHEDULED, ""
    held.campaign.save(update_fields=["state", "paused_why"])
    ring(TASK)
    return held


@transaction.atomic
def approve(*, campaign_id: int, at: datetime, actor_id: int) -> Broadcast:
    """A second person's yes. SamePerson; NotReady where something came in the way since it was asked for."""
    held = _held(campaign_id, CampaignState.WAITING)
    if held.asked_by_id == actor_id:
        raise SamePerson
    wrong = problems(held, at=at)
    if wrong:
        raise NotReady(wrong)
    held.approved_by_id, held.approved_at = actor_id, at
    if held.when == "now":
        held.asked_at = at
    return _schedule(held, at)


@transaction.atomic
def take_back(*, campaign_id: int, why: str = "") -> Broadcast:
    """Makes a draft again of what waits or is scheduled: to change it, or because a second person said no, and why."""
    held = _held(campaign_id, CampaignState.WAITING, CampaignState.SCHEDULED)
    held.asked_at = held.asked_by = held.approved_by = held.approved_at = held.starts_at = None
    held.occurrence_key, held.estimate = "", {}
    held.save()
    held.campaign.state, held.campaign.paused_why = CampaignState.DRAFT, why[:200]
    held.campaign.save(update_fields=["state", "paused_why"])
    return held


@transaction.atomic
def begin(*, campaign_id: int, at: datetime) -> bool:
    """Starts what is scheduled; the definitions of its segments are kept for the whole audience."""
    try:
        held = _held(campaign_id, CampaignState.SCHEDULED)
    except WrongState:
        return False
    held.versions_of_segments = segment_versions(held)
    held.save(update_fields=["versions_of_segments"])
    held.campaign.state = CampaignState.RUNNING
    held.campaign.save(update_fields=["state"])
    return True


@transaction.atomic
def pause(*, campaign_id: int, why: str) -> None:
    """Stops it at once, what is claimed too: delivery looks at the campaign before it hands over."""
    held = _held(campaign_id, CampaignState.SCHEDULED, CampaignState.RUNNING)
    held.campaign.state, held.campaign.paused_why = CampaignState.PAUSED, why[:200]
    held.campaign.save(update_fields=["state", "paused_why"])


@transaction.atomic
def resume(*, campaign_id: int, at: datetime) -> None:
    """Goes on where it stopped. What became too late meanwhile is listed as missed."""
    held = _held(campaign_id, CampaignState.PAUSED)
    begun = bool(held.versions_of_segments) or held.cursor > 0 or held.planned_at is not None
    if held.planned_at is None and held.versions_of_segments:
        held.versions_of_segments = segment_versions(held)
        held.save(update_fields=["versions_of_segments"])
    held.campaign.state = CampaignState.RUNNING if begun else CampaignState.SCHEDULED
    held.campaign.paused_why = ""
    held.campaign.save(update_fields=["state", "paused_why"])
    # What a worker had in hand when it was paused waits a minute, untried.
    Message.objects.filter(
        campaign=campaign_id, state=MessageState.QUEUED, attempts=0, due_at__lte=at,
        next_try_at__gt=at, next_try_at__lte=at + timedelta(minutes=1),
    ).update(next_try_at=at)  # fmt: skip
    ring(TASK)
    ring("campaigns.tasks.deliver_messages")


@transaction.atomic
def cancel(*, campaign_id: int, at: datetime) -> None:
    """Stops it for good, at once. What is being handed over at this moment is not called back; the rows of all others
    follow in chunks (`campaigns.services.broadcasts.running`)."""
    held = _held(campaign_id, CampaignState.DRAFT, CampaignState.WAITING, *ALIVE)
    held.campaign.state, held.campaign.paused_why = CampaignState.CANCELLED, ""
    held.campaign.save(update_fields=["state", "paused_why"])
    held.finished_at = at
    held.save(update_fields=["finished_at"])
    Message.objects.filter(campaign=campaign_id, state=MessageState.CLAIMED).update(
        state=MessageState.CANCELLED,
        reason=SkipReason.CAMPAIGN_CANCELLED,
        lease_until=None,
        token=None,
        changed_at=at,
    )
    ring(TASK)


@transaction.atomic
def follow_up(*, campaign_id: int, at: datetime, actor_id: int | None) -> Broadcast:
    """A draft of the same for just those who did not get it: missed, failed, in doubt, cancelled, or over the limit."""
    old = Broadcast.objects.select_related("campaign").get(pk=campaign_id)
    name = gettext("%(name)s: those who missed it") % {"name": old.campaign.name}
    new = create(name=name[:120], actor_id=actor_id, purpose=old.campaign.purpose, follows=old)
    kept = (
        "channels",
        "topic",
        "priority",
        "goal_days",
        "rate_per_minute",
        "quiet_from",
        "quiet_until",
        "utm_campaign",
        "measure_clicks",
        "measure_opens",
    )
    edit(
        campaign_id=new.pk,
        campaign={name: getattr(old.campaign, name) for name in kept} | {"holdout_percent": 0},
        broadcast={name: getattr(old, name) for name in ("gift_points", "gift_valid_days", "offer", "late_hours")},
        versions=[
            Version(variant.version_id, variant.subject, variant.share, variant.minutes_later)
            for variant in old.variants.all()
        ],
    )
    return Broadcast.objects.select_related("campaign").get(pk=new.pk)


def newest_version(template_id: int) -> TemplateVersion | None:
    """What a template says now."""
    return TemplateVersion.objects.filter(template=template_id).order_by("-number").first()


def check(broadcast: Broadcast, *, at: datetime) -> tuple[Estimate | None, list[str]]:
    """The estimate, where one can be made, and what is in the way."""
    wrong = problems(broadcast, at=at)
    try:
        return estimate(broadcast, at=at), wrong
    except SegmentNotReady as error:
        return None, [*wrong, str(error)]
    except (NoDate, ValueError):
        return None, wrong

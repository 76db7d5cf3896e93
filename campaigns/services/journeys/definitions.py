"""Journeys as staff make them: saved as a draft, published as a version, paused and resumed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.enums import CampaignKind, CampaignPurpose, CampaignState
from campaigns.journeys.definition import WAITABLE, Known
from campaigns.journeys.definition import Journey as Definition
from campaigns.journeys.parser import parse
from campaigns.models import Campaign, Journey, JourneyVersion, Occasion, Template
from campaigns.services.journeys.costs import coupon_costs
from campaigns.services.senders import usable_channels
from members.enums import AttributeKind
from members.events import kinds
from members.models import Attribute, Segment
from members.segments import tree
from rewards.enums import OfferState, RewardState
from rewards.models import Offer, Reward, Tier


class NotPublished(Exception):
    """A journey runs only once it has a version."""


class WrongState(Exception):
    """The journey is not in a state in which that can be done."""


def known() -> Known:
    """What a journey may refer to, as it is now; names in the active language."""
    declared = kinds()
    names = {*WAITABLE, "member.joined"}
    offers = list(Offer.objects.filter(state=OfferState.LIVE, shared_code=None).order_by("-created_at"))
    return Known(
        templates=dict(Template.objects.filter(archived_at=None).order_by("name").values_list("pk", "name")),
        segments={one.pk: one.name for one in Segment.objects.filter(archived_at=None).order_by("name")},
        offers={one.pk: one.name for one in offers},
        rewards={one.pk: one.name for one in Reward.objects.filter(state=RewardState.LIVE)},
        tiers={one.pk: one.name for one in Tier.objects.order_by("rank")},
        occasions={one.key: one.name for one in Occasion.objects.filter(active=True).exclude(kind="member")},
        events={name: str(declared[name].label) for name in sorted(names) if name in declared},
        attributes={
            one.key: str(one.label) for one in Attribute.objects.filter(kind=AttributeKind.DATE, archived_at=None)
        },
        channels={medium.value: str(medium.label) for medium in usable_channels()},
        costs=coupon_costs(offers),
        tree=tree.parse,
    )


class _Anything(Mapping[Any, str]):
    """Whatever a version refers to was there when it was published."""

    def __getitem__(self, key: Any) -> str:
        return str(key)

    def __contains__(self, key: object) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0


_ANY = _Anything()
TRUSTED = Known(_ANY, _ANY, _ANY, _ANY, _ANY, _ANY, _ANY, _ANY, _ANY, _ANY)


_READ: dict[int, Definition] = {}  # versions are for ever, and there are few of them


def read_version(version_id: int) -> Definition:
    """A published version, read. What it refers to may have gone meanwhile: its step says so when it comes to that."""
    if version_id not in _READ:
        _READ[version_id] = parse(JourneyVersion.objects.get(pk=version_id).definition, TRUSTED)
    return _READ[version_id]


def read_versions(version_ids: set[int]) -> None:
    """Reads versions that are about to be asked for, in one query."""
    for version in JourneyVersion.objects.filter(pk__in=version_ids - _READ.keys()):
        _READ[version.pk] = parse(version.definition, TRUSTED)


@transaction.atomic
def save_journey(
    *,
    journey_id: int | None,
    name: str,
    purpose: str = CampaignPurpose.OFFERS,
    definition: Any,
    at: datetime,
    actor_id: int | None = None,
    **settings: Any,
) -> Journey:
    """Keeps what is being worked on, right or not: who is inside, or comes in, sees nothing of it before it is
    published. `settings` are fields of the campaign. Journey.DoesNotExist."""
    if journey_id is None:
        campaign = Campaign.objects.create(
            kind=CampaignKind.JOURNEY, purpose=purpose, name=name, created_by_id=actor_id, **settings
        )
        return Journey.objects.create(campaign=campaign, draft=definition, changed_at=at)
    journey = Journey.objects.select_for_update().select_related("campaign").get(pk=journey_id)
    campaign = journey.campaign
    campaign.name, campaign.purpose = name, purpose
    for field, value in settings.items():
        setattr(campaign, field, value)
    campaign.save(update_fields=["name", "purpose", *settings])
    journey.draft, journey.changed_at = definition, at
    journey.save(update_fields=["draft", "changed_at"])
    return journey


@transaction.atomic
def publish_journey(*, journey_id: int, at: datetime, actor_id: int | None = None) -> JourneyVersion:
    """Makes the draft a version and lets members in by it from now on; those inside finish on theirs. BadJourney."""
    journey = Journey.objects.select_for_update().get(pk=journey_id)
    parse(journey.draft, known())
    newest = journey.versions.filter(number=journey.number).first()
    if newest is None or newest.definition != journey.draft:
        journey.number += 1
        newest = JourneyVersion.objects.create(
            journey=journey, number=journey.number, definition=journey.draft, at=at, actor_id=actor_id
        )
    if journey.active_since is None:
        journey.active_since = journey.last_checked_at = at
    journey.save(update_fields=["number", "active_since", "last_checked_at"])
    Campaign.objects.filter(pk=journey_id).update(state=CampaignState.RUNNING, paused_why="")
    return newest


@transaction.atomic
def pause_journey(*, journey_id: int, why: str = "") -> None:
    """Nobody comes in and nobody goes on. WrongState where it does not run."""
    paused = Campaign.objects.filter(pk=journey_id, state=CampaignState.RUNNING)
    if not paused.update(state=CampaignState.PAUSED, paused_why=why[:200]):
        raise WrongState


@transaction.atomic
def resume_journey(*, journey_id: int) -> None:
    """Goes on where it stood; what is later by then than the journey allows is missed. NotPublished; WrongState."""
    if not Journey.objects.filter(pk=journey_id, number__gt=0).exists():
        raise NotPublished
    paused = Campaign.objects.filter(pk=journey_id, state=CampaignState.PAUSED)
    if not paused.update(state=CampaignState.RUNNING, paused_why=""):
        raise WrongState

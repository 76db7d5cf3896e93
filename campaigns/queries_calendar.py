"""What hangs on the days of the calendar: broadcasts that go out, and journeys that an occasion begins."""

from collections import defaultdict
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import F

from campaigns.enums import BroadcastWhen, CampaignState
from campaigns.journeys.definition import OWN_DAYS
from campaigns.models import Broadcast, Campaign, JourneyVersion
from campaigns.queries_occasions import dates_between
from members.queries import get_programme

FURTHEST = timedelta(days=60)  # that anything hangs before or after an occasion
_ASKED = (
    CampaignState.WAITING,
    CampaignState.SCHEDULED,
    CampaignState.RUNNING,
    CampaignState.PAUSED,
    CampaignState.DONE,
)
_LIVE = (CampaignState.RUNNING, CampaignState.PAUSED)


class Hanging(NamedTuple):
    """A campaign on a day. `own_day` names the members' own day that it waits for, if there is none of the calendar."""

    campaign: Campaign
    own_day: str = ""


def hanging(first: date, last: date) -> tuple[dict[date, list[Hanging]], list[Hanging]]:
    """By day of the shop, from `first` to `last`, both included, as things are now; and what goes out every day, to
    those whose own day it is. In three queries."""
    comings = list(dates_between(first - FURTHEST, last + FURTHEST))
    falls = {coming.key: coming.day for coming in comings}
    found: list[tuple[date | None, Hanging]] = [
        (_day_of(broadcast, falls), Hanging(broadcast.campaign))
        for broadcast in Broadcast.objects.filter(campaign__state__in=_ASKED)
        .select_related("campaign")
        .order_by("starts_at", "pk")
    ]
    every_day: list[Hanging] = []
    for version in (
        JourneyVersion.objects.filter(number=F("journey__number"), journey__campaign__state__in=_LIVE)
        .filter(definition__trigger__kind="occasion")
        .select_related("journey__campaign")
        .order_by("pk")
    ):
        told, campaign = version.definition["trigger"], version.journey.campaign
        if told["occasion"] in OWN_DAYS:
            every_day.append(Hanging(campaign, str(OWN_DAYS[told["occasion"]])))
            continue
        later = timedelta(days=told["days"])
        found += [
            (coming.day + later, Hanging(campaign)) for coming in comings if coming.occasion.key == told["occasion"]
        ]
    days: dict[date, list[Hanging]] = defaultdict(list)
    for day, one in found:
        if day is not None and first <= day <= last:
            days[day].append(one)
    return dict(days), every_day


def _day_of(broadcast: Broadcast, falls: dict[str, date]) -> date | None:
    """The day where each member is, or where the shop is; None where its occasion falls elsewhere or not at all."""
    if broadcast.when == BroadcastWhen.LOCAL:
        return broadcast.day
    if broadcast.when == BroadcastWhen.OCCASION:
        day = falls.get(broadcast.occurrence_key)
        return day and day + timedelta(days=broadcast.days_after)
    at = broadcast.starts_at or broadcast.send_at
    return at and at.astimezone(ZoneInfo(get_programme().time_zone)).date()

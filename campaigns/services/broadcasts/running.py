"""The beat of broadcasts: begins what is due, takes down audiences, judges versions, ends what is over.

Every step asks the tables what is to do and can be killed at any moment; the next beat finds the rest.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils.translation import gettext_noop

from campaigns.enums import OPEN, CampaignKind, CampaignState, MessageState
from campaigns.models import Broadcast, Campaign, Message
from campaigns.services.broadcasts.audience import NoDate, groups_of, timing_of
from campaigns.services.broadcasts.control import begin, pause
from campaigns.services.broadcasts.planning import SegmentChanged, take_down
from campaigns.services.broadcasts.testing import judge_due, release_undecided
from common.sql import execute
from members.queries_segments import SegmentNotReady

log = structlog.get_logger(__name__)
Clock = Callable[[], datetime]
RUN = timedelta(minutes=4)  # of one beat
CHUNK = 20_000
CHANGED = gettext_noop("A segment of its audience was changed while the audience was taken down.")
NO_DATE = gettext_noop("Its occasion does not take place any more.")


def run_broadcasts(*, clock: Clock) -> None:
    """One beat over all broadcasts that are not over."""
    until = clock() + RUN
    waiting = Broadcast.objects.filter(campaign__kind=CampaignKind.BROADCAST).order_by("starts_at", "pk")
    for broadcast in waiting.filter(campaign__state=CampaignState.SCHEDULED).select_related("campaign", "occasion"):
        _begin_if_due(broadcast, clock())
    for campaign_id in list(waiting.filter(campaign__state=CampaignState.RUNNING).values_list("pk", flat=True)):
        _take_down(campaign_id, clock, until)
        judge_due(campaign_id=campaign_id, at=clock())
        while clock() < until and release_undecided(campaign_id=campaign_id, at=clock()):
            pass
        _end_if_over(campaign_id, clock())
    over = Campaign.objects.filter(kind=CampaignKind.BROADCAST, state=CampaignState.CANCELLED)
    left = Message.objects.filter(campaign__in=over, state=MessageState.QUEUED).order_by()
    for campaign_id in list(left.values_list("campaign", flat=True).distinct()):
        while clock() < until and settle_cancelled(campaign_id=campaign_id, at=clock()):
            pass


def _begin_if_due(broadcast: Broadcast, at: datetime) -> None:
    """An occasion that was moved takes along what hangs on it, as long as it has not begun."""
    try:
        timing = timing_of(broadcast, at=at)
    except (NoDate, ValueError):
        pause(campaign_id=broadcast.pk, why=NO_DATE)
        return
    if broadcast.occasion_id and broadcast.starts_at != timing.start:
        broadcast.starts_at = timing.start
        Broadcast.objects.filter(pk=broadcast.pk).update(starts_at=timing.start)
    if broadcast.starts_at is None or broadcast.starts_at > at:
        return
    try:
        groups_of(broadcast, at=at)
    except SegmentNotReady as error:  # it will be, in minutes; until then the page says why it waits
        log.warning("broadcast waits for a segment", broadcast=broadcast.pk, reason=str(error))
        return
    begin(campaign_id=broadcast.pk, at=at)


def _take_down(campaign_id: int, clock: Clock, until: datetime) -> None:
    broadcast = Broadcast.objects.select_related("campaign", "occasion").get(pk=campaign_id)
    if broadcast.planned_at is not None:
        return
    try:
        timing = timing_of(broadcast, at=clock())
        while clock() < until and take_down(campaign_id=campaign_id, timing=timing, now=clock()):
            pass
    except SegmentChanged:
        pause(campaign_id=campaign_id, why=CHANGED)
    except (NoDate, ValueError):
        pause(campaign_id=campaign_id, why=NO_DATE)
    except SegmentNotReady as error:
        log.warning("broadcast waits for a segment", broadcast=campaign_id, reason=str(error))


@transaction.atomic
def _end_if_over(campaign_id: int, at: datetime) -> None:
    ready = Campaign.objects.select_for_update().filter(pk=campaign_id, state=CampaignState.RUNNING)
    campaign = ready.exclude(broadcast__planned_at=None).first()
    if campaign is None or Message.objects.filter(campaign=campaign_id, state__in=OPEN).exists():
        return
    campaign.state = CampaignState.DONE
    campaign.save(update_fields=["state"])
    Broadcast.objects.filter(pk=campaign_id).update(finished_at=at)


_CANCEL = """
UPDATE campaigns_message SET state = 'cancelled', reason = 'campaign_cancelled', changed_at = %(at)s
WHERE id IN (SELECT id FROM campaigns_message WHERE campaign_id = %(campaign)s AND state = 'queued'
             LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


@transaction.atomic
def settle_cancelled(*, campaign_id: int, at: datetime, limit: int = CHUNK) -> int:
    """Writes down of the next messages of a cancelled broadcast that they will not go out; how many."""
    return execute(_CANCEL, {"campaign": campaign_id, "at": at, "limit": limit})

"""The test of versions: judged once, at the moment set before, and then the rest gets the better one."""

from datetime import datetime, timedelta

from django.db import transaction

from campaigns.enums import CampaignState, Metric
from campaigns.experiments import Arm, judge
from campaigns.models import Broadcast
from campaigns.queries_broadcast_results import arms
from campaigns.services.broadcasts.planning import judged_after
from common.doorbell import ring
from common.sql import execute

CHUNK = 20_000


@transaction.atomic
def judge_due(*, campaign_id: int, at: datetime) -> bool:
    """Judges a test whose time is over. One look: looking until something shows would find it by chance."""
    rows = Broadcast.objects.select_for_update(of=("self",)).select_related("campaign")
    broadcast = rows.filter(pk=campaign_id, judged_at=None, campaign__state=CampaignState.RUNNING).first()
    if broadcast is None or broadcast.planned_at is None:
        return False
    variants = list(broadcast.variants.all())
    over = judged_after(broadcast)
    if len(variants) < 2 or over is None or over > at:
        return False
    found = arms(broadcast, variants, at=at)
    verdict = judge(found, minimum=broadcast.minimum)
    decides = broadcast.metric != Metric.OPENS
    winner = verdict.winner if decides else None
    broadcast.judged_at = at
    broadcast.verdict = {
        "winner": winner,
        "reason": verdict.reason if decides else "only_reported",
        "p": verdict.p,
        # Without a winner the rest gets the first version: it is no worse for all that is known.
        "rest": winner or variants[0].number,
        "arms": [[arm.number, arm.trials, arm.successes] for arm in found],
    }
    broadcast.save(update_fields=["judged_at", "verdict"])
    return True


# Rows that wait for the verdict are those whose next try lies years behind their time (planning.UNDECIDED).
_RELEASE = """
UPDATE campaigns_message SET variant = %(variant)s, next_try_at = greatest(due_at, %(at)s), changed_at = %(at)s
WHERE id IN (SELECT id FROM campaigns_message
             WHERE campaign_id = %(campaign)s AND state = 'queued' AND next_try_at > %(far)s
             LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
"""


@transaction.atomic
def release_undecided(*, campaign_id: int, at: datetime, limit: int = CHUNK) -> int:
    """Gives the next of those who waited the version that was chosen; how many."""
    broadcast = Broadcast.objects.filter(pk=campaign_id).exclude(judged_at=None).first()
    if broadcast is None:
        return 0
    params = {"variant": broadcast.verdict["rest"], "campaign": campaign_id, "at": at, "limit": limit}
    released = execute(_RELEASE, {**params, "far": at + timedelta(days=365 * 20)})
    if released:
        ring("campaigns.tasks.deliver_messages")
    return released


def arm_rates(broadcast: Broadcast) -> list[Arm]:
    """The figures on which the verdict rests."""
    return [Arm(*row) for row in broadcast.verdict.get("arms", [])]

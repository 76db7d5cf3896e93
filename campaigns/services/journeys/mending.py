"""Ways that are stuck: tried again or led past the step that fails, by staff, with a reason."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from campaigns.enums import RunState
from campaigns.journeys.definition import END
from campaigns.models import JourneyLog, JourneyRun
from campaigns.services.journeys.definitions import read_version
from common.doorbell import ring

MOST = 10_000


@transaction.atomic
def retry(*, run_ids: Sequence[int], reason: str, at: datetime, actor_id: int | None) -> int:
    """Lets ways that are stuck try their step again at once; how many. Those that are not stuck any more stay as they
    are."""
    return _mend(run_ids, "retried", reason, at, actor_id)


@transaction.atomic
def skip(*, run_ids: Sequence[int], reason: str, at: datetime, actor_id: int | None) -> int:
    """Leads ways that are stuck past their step, which does nothing for them: past a question, as if it did not hold;
    how many."""
    return _mend(run_ids, "passed", reason, at, actor_id)


def _mend(run_ids: Sequence[int], what: str, reason: str, at: datetime, actor_id: int | None) -> int:
    stuck = JourneyRun.objects.filter(pk__in=run_ids, state=RunState.STUCK)
    runs = list(stuck.order_by("pk").select_for_update()[:MOST])
    pairs = {(run.journey_id, run.member_id) for run in runs}
    active = JourneyRun.objects.filter(
        journey__in={journey for journey, _ in pairs}, member__in={member for _, member in pairs}, state=RunState.ACTIVE
    )
    inside = set(active.values_list("journey_id", "member_id"))  # two of them were merged
    notes = []
    for run in runs:
        notes.append(JourneyLog(run=run, step=run.step, at=at, what=what, why={"by": actor_id}))
        # What people write is kept where it can be erased; the log never is.
        run.why = {**run.why, "mended": [*run.why.get("mended", []), {"what": what, "step": run.step, "said": reason}]}
        if (run.journey_id, run.member_id) in inside:
            run.state, run.ended_at = RunState.GONE, at
            continue
        inside.add((run.journey_id, run.member_id))
        if what == "passed" and run.step != END:
            exits = read_version(run.version_id).steps[run.step].exits
            run.step = exits.get("next", exits.get("no", next(iter(exits.values()))))
            run.arrived_at = run.should_at = at
        run.state, run.due_at, run.attempts, run.error = RunState.ACTIVE, at, 0, ""
    JourneyRun.objects.bulk_update(
        runs, ["state", "step", "arrived_at", "should_at", "due_at", "ended_at", "attempts", "error", "why"]
    )
    JourneyLog.objects.bulk_create(notes)
    if runs:
        ring("campaigns.tasks.run_journeys")
    return len(runs)

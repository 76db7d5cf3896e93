"""Triggers: what happened to members leads to invitations, some hours later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import md5
from typing import Any

from django.db import transaction

from members.models import Purchase, SegmentMember
from surveys.enums import SurveyState, TriggerEvent
from surveys.models import DueInvitation, SurveyTrigger
from surveys.services.inviting import CHUNK, invite, plan_wave

HEARD = {
    "purchase.paid": TriggerEvent.PURCHASE,
    "reward.redeemed": TriggerEvent.REDEMPTION,
    "tier.changed": TriggerEvent.TIER,
    "case.closed": TriggerEvent.CASE,
    "event.told": TriggerEvent.CUSTOM,
}
TOO_LATE = timedelta(days=7)  # of a survey that was not open: nobody remembers the visit any more


@dataclass(frozen=True, slots=True)
class Happened:
    """An event: its key in the timeline, its kind, to whom, when, and its data."""

    id: int
    kind: str
    member_id: int
    at: datetime
    data: Mapping[str, Any]


def hear(*, events: Sequence[Happened]) -> int:
    """Writes down whom triggers will invite; how many. The same events again write nothing new."""
    kinds = {HEARD[event.kind] for event in events if event.kind in HEARD}
    triggers = list(
        SurveyTrigger.objects.filter(active=True, event__in=kinds, survey__state=SurveyState.OPEN).select_related(
            "survey"
        )
    )
    due = [
        DueInvitation(
            trigger=trigger,
            member_id=event.member_id,
            key=f"trigger:{trigger.pk}:{event.id}",
            purchase_id=event.data.get("purchase") if trigger.event == TriggerEvent.PURCHASE else None,
            due_at=event.at + timedelta(hours=trigger.after_hours),
        )
        for trigger in triggers
        for event in events
        if HEARD.get(event.kind) == trigger.event and _concerns(trigger, event) and _drawn(trigger, event)
    ]
    there = set(
        Purchase.objects.filter(pk__in=[one.purchase_id for one in due if one.purchase_id]).values_list("pk", flat=True)
    )
    for one in due:
        one.purchase_id = one.purchase_id if one.purchase_id in there else None
    DueInvitation.objects.bulk_create(due, ignore_conflicts=True)
    return len(due)


def _concerns(trigger: SurveyTrigger, event: Happened) -> bool:
    match trigger.event:
        case TriggerEvent.PURCHASE:
            return (not trigger.store or trigger.store == event.data.get("store")) and (
                trigger.least_minor is None or (event.data.get("amount_minor") or 0) >= trigger.least_minor
            )
        case TriggerEvent.CUSTOM:
            return trigger.name == event.data.get("event")
    return True


def _drawn(trigger: SurveyTrigger, event: Happened) -> bool:
    """By chance, and the same whenever it is asked."""
    drawn = int(md5(f"{trigger.survey.uid}:{event.id}".encode(), usedforsecurity=False).hexdigest()[:8], 16)
    return drawn < trigger.share * 2**32 / 100


def invite_due(*, at: datetime) -> int:
    """Invites those whose hours are over, trigger by trigger, a chunk in a transaction; how many are invited."""
    DueInvitation.objects.filter(due_at__lt=at - TOO_LATE).delete()
    total = 0
    open_ones = SurveyTrigger.objects.filter(survey__state=SurveyState.OPEN, active=True).select_related("survey")
    for trigger in open_ones.filter(due__due_at__lte=at).order_by("pk").distinct():
        while (done := _invite_chunk(trigger, at)) is not None:
            total += done
    return total


@transaction.atomic
def _invite_chunk(trigger: SurveyTrigger, at: datetime) -> int | None:
    waiting = DueInvitation.objects.select_for_update(skip_locked=True).filter(trigger=trigger, due_at__lte=at)
    rows = list(waiting.order_by("pk")[:CHUNK])
    if not rows:
        return None
    asked = rows
    if trigger.segment_id:
        inside = set(
            SegmentMember.objects.filter(
                segment=trigger.segment_id, member__in=[row.member_id for row in rows]
            ).values_list("member", flat=True)
        )
        asked = [row for row in rows if row.member_id in inside]
    done = invite(
        survey_id=trigger.survey_id,
        member_ids=[row.member_id for row in asked],
        keys=[row.key for row in asked],
        purchase_ids=[row.purchase_id for row in asked],
        days_open=trigger.days_open,
        trigger=trigger,
        at=at,
    )
    DueInvitation.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return done.invited


def plan_scheduled(*, at: datetime) -> int:
    """Plans the waves that come round; how many. Days that were missed are not made up for."""
    due = SurveyTrigger.objects.filter(
        event=TriggerEvent.SCHEDULE, active=True, next_at__lte=at, survey__state=SurveyState.OPEN
    )
    return sum(_plan(pk, at) for pk in due.order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def _plan(trigger_id: int, at: datetime) -> bool:
    trigger = SurveyTrigger.objects.select_for_update().get(pk=trigger_id)
    if trigger.next_at is None or trigger.next_at > at or not trigger.every_days:
        return False
    plan_wave(
        survey_id=trigger.survey_id,
        due_at=at,
        share=trigger.share,
        segment_id=trigger.segment_id,
        days_open=trigger.days_open,
    )
    every = timedelta(days=trigger.every_days)
    trigger.next_at += every * ((at - trigger.next_at) // every + 1)
    trigger.save(update_fields=["next_at"])
    return True

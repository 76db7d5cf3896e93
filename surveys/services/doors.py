"""Places and triggers of a survey, and the shop's rule of asking: made, changed, taken back."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from surveys.enums import PlaceKind, TriggerEvent, Way
from surveys.models import AskingRule, Survey, SurveyPlace, SurveyTrigger


@transaction.atomic
def make_place(
    *, survey_id: int, kind: PlaceKind, at: datetime, store: str = "", table: str = "", idle_seconds: int = 60
) -> SurveyPlace:
    """A code to hang up, or a tablet's link; its way of answering is opened with it."""
    survey = Survey.objects.select_for_update().get(pk=survey_id)
    way = Way.KIOSK if kind == PlaceKind.TABLET else Way.PUBLIC
    if way not in survey.ways:
        survey.ways = [*survey.ways, way]
        survey.save(update_fields=["ways"])
    return SurveyPlace.objects.create(
        survey=survey, kind=kind, store=store, table=table, idle_seconds=idle_seconds, created_at=at
    )


def revoke_place(*, place_id: int, survey_id: int, at: datetime) -> int:
    """From now on its link takes no answers."""
    return SurveyPlace.objects.filter(pk=place_id, survey=survey_id, revoked_at=None).update(revoked_at=at)


def make_trigger(
    *,
    survey_id: int,
    event: TriggerEvent,
    at: datetime,
    name: str = "",
    store: str = "",
    least_minor: int | None = None,
    after_hours: int = 2,
    share: Decimal = Decimal(100),
    cooldown_days: int = 30,
    every_days: int | None = None,
    days_open: int = 30,
    segment_id: int | None = None,
) -> SurveyTrigger:
    """Another trigger; one by days begins at once."""
    by_days = event == TriggerEvent.SCHEDULE
    return SurveyTrigger.objects.create(
        survey_id=survey_id,
        event=event,
        name=name,
        store=store,
        least_minor=least_minor,
        after_hours=after_hours,
        share=share,
        cooldown_days=cooldown_days,
        every_days=(every_days or 30) if by_days else None,
        next_at=at + timedelta(minutes=1) if by_days else None,
        days_open=days_open,
        segment_id=segment_id,
    )


@transaction.atomic
def switch_trigger(*, trigger_id: int, survey_id: int, active: bool) -> int:
    """Who waits by one that is switched off is not invited, nor when it is switched on again."""
    trigger = SurveyTrigger.objects.select_for_update().filter(pk=trigger_id, survey=survey_id).first()
    if trigger is None or trigger.active == active:
        return 0
    trigger.due.all().delete()
    trigger.active = active
    trigger.save(update_fields=["active"])
    return 1


@transaction.atomic
def change_trigger(
    *,
    trigger_id: int,
    survey_id: int,
    at: datetime,
    name: str,
    store: str,
    least_minor: int | None,
    after_hours: int,
    share: Decimal,
    cooldown_days: int,
    every_days: int | None,
    days_open: int,
    segment_id: int | None,
) -> SurveyTrigger:
    """Says anew whom it asks, and when; its event stays. Who waits already keeps their hour; whether they are in the
    group, how long they can answer and the days between is judged when it has come. One by days comes round so many
    days after it did last. SurveyTrigger.DoesNotExist."""
    trigger = SurveyTrigger.objects.select_for_update().get(pk=trigger_id, survey=survey_id)
    trigger.name, trigger.store, trigger.least_minor = name, store, least_minor
    trigger.after_hours, trigger.share, trigger.cooldown_days = after_hours, share, cooldown_days
    trigger.days_open, trigger.segment_id = days_open, segment_id
    if trigger.next_at and trigger.every_days and every_days and every_days != trigger.every_days:
        last = trigger.next_at - timedelta(days=trigger.every_days)
        trigger.next_at = max(last + timedelta(days=every_days), at + timedelta(minutes=1))
        trigger.every_days = every_days
    trigger.save()
    return trigger


@transaction.atomic
def delete_trigger(*, trigger_id: int, survey_id: int) -> int:
    """It and those who wait by it are gone; how many waited. Who was invited stays so. SurveyTrigger.DoesNotExist."""
    trigger = SurveyTrigger.objects.select_for_update().get(pk=trigger_id, survey=survey_id)
    waited = trigger.due.all().delete()[0]
    trigger.delete()
    return waited


def set_rest(*, days: int) -> None:
    """How many days lie between any two invitations to a member, whichever survey asks."""
    AskingRule.objects.update_or_create(pk=1, defaults={"days": days})

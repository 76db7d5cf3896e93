"""What staff are to do for a member."""

from datetime import date, datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members import events
from members.models import Task, User


def _clean(task: Task) -> None:
    task.title, task.details = " ".join(task.title.split()), task.details.strip()
    task.clean_fields(exclude=["member", "assignee", "created_by", "done_by"])
    if task.assignee_id and not User.objects.filter(pk=task.assignee_id, is_staff=True, is_active=True).exists():
        raise ValidationError({"assignee": _("Please choose somebody of the staff.")})


@transaction.atomic
def add_task(
    *,
    member_id: int,
    title: str,
    details: str = "",
    due_on: date | None = None,
    assignee_id: int | None = None,
    at: datetime,
    actor_id: int | None,
) -> Task:
    """Something to do for a member; without `assignee_id` it is anybody's. ValidationError by field."""
    task = Task(
        member_id=member_id,
        title=title,
        details=details,
        due_on=due_on,
        assignee_id=assignee_id,
        created_by_id=actor_id,
        created_at=at,
    )
    _clean(task)
    task.save()
    events.record(member_id=member_id, kind=events.TASK_ADDED, at=at, data={"task": task.pk}, actor_id=actor_id)
    return task


@transaction.atomic
def edit_task(*, task_id: int, title: str, details: str, due_on: date | None, assignee_id: int | None) -> Task:
    """Other words, another day or somebody else. ValidationError by field."""
    task = Task.objects.select_for_update().get(pk=task_id)
    task.title, task.details, task.due_on, task.assignee_id = title, details, due_on, assignee_id
    _clean(task)
    task.save(update_fields=["title", "details", "due_on", "assignee"])
    return task


@transaction.atomic
def finish_task(*, task_id: int, outcome: str = "", at: datetime, actor_id: int) -> Task:
    """Done, with what came of it. Done twice is done once. ValidationError where the outcome is too long."""
    task = Task.objects.select_for_update().get(pk=task_id)
    if task.done_at is not None:
        return task
    task.outcome, task.done_at, task.done_by_id = outcome.strip(), at, actor_id
    task.clean_fields(exclude=["member", "assignee", "created_by", "done_by"])
    task.save(update_fields=["outcome", "done_at", "done_by"])
    events.record(member_id=task.member_id, kind=events.TASK_DONE, at=at, data={"task": task.pk}, actor_id=actor_id)
    return task


@transaction.atomic
def reopen_task(*, task_id: int) -> Task:
    """Not done after all."""
    task = Task.objects.select_for_update().get(pk=task_id)
    task.done_at = task.done_by_id = None
    task.save(update_fields=["done_at", "done_by"])
    return task

"""Improvements: what is changed so that a cause does not come back, and whether it did; suggestions, liked and
answered."""

from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.models import PRESENT, Member
from surveys.enums_cases import ActionState, CaseKind, IdeaState
from surveys.models import Case, ImprovementAction, Suggestion, SuggestionLike
from surveys.queries_effect import effect_of
from surveys.services.cases.acting import keep
from surveys.services.cases.opening import note_change


class TooEarly(Exception):
    """The days after which the effect is looked at are not over; `until` is when they are (None: it is not done)."""

    def __init__(self, until: datetime | None) -> None:
        super().__init__(until)
        self.until = until


class NoSuggestion(Exception):
    """The case is no suggestion."""


@transaction.atomic
def plan(
    *,
    title: str,
    cause_id: int,
    at: datetime,
    actor_id: int | None,
    details: str = "",
    assignee_id: int | None = None,
    due_on: date | None = None,
    check_days: int = 56,
    case_id: int | None = None,
) -> ImprovementAction:
    """Plans a change; for one case to begin with, or for none yet. ValidationError by field."""
    action = ImprovementAction(
        title=" ".join(title.split()), details=details.strip(), cause_id=cause_id, assignee_id=assignee_id,
        due_on=due_on, check_days=check_days, created_at=at, created_by_id=actor_id,
    )  # fmt: skip
    action.clean_fields(exclude=["cause", "assignee", "created_by", "effect", "found"])
    action.save()
    if case_id is not None:
        share(action_id=action.pk, case_id=case_id, at=at, actor_id=actor_id)
    return action


@transaction.atomic
def share(*, action_id: int, case_id: int, at: datetime, actor_id: int | None) -> Case:
    """The improvement is for this case, too."""
    case = Case.objects.select_for_update(no_key=True).get(pk=case_id)
    if not case.actions.filter(pk=action_id).exists():
        case.actions.add(action_id)
        if case.cause_id is None:
            case.cause_id = ImprovementAction.objects.get(pk=action_id).cause_id
        note_change(case, "action", at=at, actor_id=actor_id, data={"action": action_id})
        keep(case, at=at)
    return case


@transaction.atomic
def set_state(*, action_id: int, state: ActionState | str, at: datetime) -> ImprovementAction:
    """Begun, done or dropped. Done again is done then: its effect is looked at anew."""
    action = ImprovementAction.objects.select_for_update().get(pk=action_id)
    if action.state == state:
        return action
    action.state = state
    action.done_at = at if state == ActionState.DONE else None
    action.effect, action.found, action.checked_at = "", {}, None
    action.save()
    return action


@transaction.atomic
def check(*, action_id: int, at: datetime) -> ImprovementAction:
    """Looks whether the cause came back, and keeps the figures. TooEarly."""
    action = ImprovementAction.objects.select_for_update().get(pk=action_id)
    found = effect_of(action, at=at)
    if found is None:
        raise TooEarly(None)
    if not found.over:
        raise TooEarly(found.ends_at)
    action.effect = found.verdict
    action.found = found.told()
    action.checked_at = at
    action.save(update_fields=["effect", "found", "checked_at"])
    return action


def check_due(*, at: datetime) -> int:
    """Checks every improvement whose days are over; how many."""
    checked = 0
    done = ImprovementAction.objects.filter(state=ActionState.DONE, checked_at=None).order_by("pk")
    for pk in list(done.values_list("pk", flat=True)):
        try:
            check(action_id=pk, at=at)
            checked += 1
        except TooEarly:
            continue
    return checked


# --- Suggestions ------------------------------------------------------------------------------------------------
@transaction.atomic
def publish(*, case_id: int, at: datetime, actor_id: int | None, shown: bool = True, **values: Any) -> Suggestion:
    """Shows a suggestion to all members, in the shop's words, with what the shop says to it (title and answer in each
    language, state); or takes it away (`shown`). NoSuggestion; ValidationError by field."""
    case = Case.objects.select_for_update(no_key=True).get(pk=case_id)
    if case.kind != CaseKind.SUGGESTION:
        raise NoSuggestion
    idea = Suggestion.objects.filter(case=case).first() or Suggestion(case=case)
    for name, value in values.items():
        setattr(idea, name, value)
    idea.changed_at = at
    if shown and idea.published_at is None:
        idea.published_at = at
    elif not shown:
        idea.published_at = None
    idea.clean_fields(exclude=["case"])
    if idea.state == IdeaState.DONE and not idea.answer_en.strip():  # type: ignore[attr-defined]
        raise ValidationError({"answer_en": _("Please say what was done.")})
    idea.save()
    what = "published" if shown else "withdrawn"
    note_change(case, what, at=at, actor_id=actor_id, data={"state": str(idea.state)})
    return idea


@transaction.atomic
def like(*, suggestion_id: int, member_id: int, wanted: bool, at: datetime) -> int:
    """A member wants it, too, or no longer; how many want it. Suggestion.DoesNotExist where it is not shown."""
    idea = Suggestion.objects.get(pk=suggestion_id, published_at__isnull=False)
    if not Member.objects.filter(PRESENT, pk=member_id).exists():
        raise Suggestion.DoesNotExist
    if wanted:
        SuggestionLike.objects.bulk_create(
            [SuggestionLike(suggestion=idea, member_id=member_id, at=at)], ignore_conflicts=True
        )
    else:
        idea.likes.filter(member_id=member_id).delete()
    return idea.likes.filter(member__merged_into=None, member__erased_at=None).count()

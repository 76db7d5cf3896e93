"""Surveys made, published, opened and closed."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from members.enums import Language
from members.segments.tree import BadDefinition
from members.segments.tree import parse as parse_tree
from surveys import piping
from surveys.definition import BadSurvey, Known, Problem
from surveys.definition import Survey as Definition
from surveys.enums import SurveyState, Way
from surveys.logic import holds, trees_of
from surveys.models import Quota, Response, Survey, SurveyPicture, SurveyVersion
from surveys.parser import condition_of, parse
from surveys.queries import given_in, members_fitting

_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that are mistaken for one another
_STEPS = {
    SurveyState.DRAFT: {SurveyState.OPEN, SurveyState.ARCHIVED},
    SurveyState.OPEN: {SurveyState.PAUSED, SurveyState.CLOSED},
    SurveyState.PAUSED: {SurveyState.OPEN, SurveyState.CLOSED},
    SurveyState.CLOSED: {SurveyState.OPEN, SurveyState.ARCHIVED},
    SurveyState.ARCHIVED: {SurveyState.CLOSED},
}


class WrongState(Exception):
    """Not from the state that the survey is in."""


class Locked(Exception):
    """What cannot be changed any more once somebody has answered: whether a survey is anonymous."""


def known_for(survey: Survey) -> Known:
    """What its definition may refer to."""
    pictures = frozenset(survey.pictures.values_list("pk", flat=True)) if survey.pk else frozenset()
    return Known(
        languages=tuple(survey.languages),
        pictures=pictures,
        anonymous=survey.anonymous,
        tree=parse_tree,
        profile=frozenset(name for name, _label in piping.fields()),
    )


def read_draft(survey: Survey) -> Definition:
    """The draft, read. BadSurvey."""
    return parse(survey.draft, known_for(survey))


@transaction.atomic
def make_survey(
    *, name: str, definition: Any, at: datetime, languages: Sequence[str] = tuple(Language.values), **settings: Any
) -> Survey:
    """A new draft; it may be wrong still."""
    return Survey.objects.create(
        name=name,
        code="".join(secrets.choice(_LETTERS) for _ in range(8)),
        draft=definition,
        languages=list(languages),
        ways=settings.pop("ways", None) or [Way.LINK, Way.PORTAL],
        created_at=at,
        changed_at=at,
        **settings,
    )


@transaction.atomic
def save_draft(*, survey_id: int, at: datetime, definition: Any = None, **settings: Any) -> Survey:
    """Changes the draft and the settings; it may be wrong until it is published. Locked."""
    survey = Survey.objects.select_for_update().get(pk=survey_id)
    if settings.get("anonymous", survey.anonymous) != survey.anonymous and _answered(survey):
        raise Locked
    if definition is not None:
        survey.draft = definition
    if "response_limit" in settings and survey.response_limit is None:
        survey.taken = Response.objects.filter(survey=survey, state="complete").count()
    for name, value in settings.items():
        setattr(survey, name, value)
    survey.changed_at = at
    survey.save()
    return survey


def _answered(survey: Survey) -> bool:
    return Response.objects.filter(survey=survey).exists()


@transaction.atomic
def publish(*, survey_id: int, at: datetime, actor_id: int | None = None) -> SurveyVersion:
    """Makes the draft the version that is asked from now on; who has begun finishes on theirs. The newest stays where
    nothing changed. A quota that asks for what is not asked any more is refused, too. BadSurvey."""
    survey = Survey.objects.select_for_update().get(pk=survey_id)
    read = read_draft(survey)
    for quota in Quota.objects.filter(survey=survey).order_by("pk"):
        if quota.condition is None:
            continue
        try:
            condition_of(quota.condition, read)
        except BadSurvey as bad:
            raise BadSurvey(
                [problem.__class__(f"/quotas/{quota.pk}", problem.sentence) for problem in bad.problems]
            ) from None
    newest = survey.versions.filter(number=survey.number).first()
    if newest is not None and newest.definition == survey.draft:
        return newest
    survey.number += 1
    version = SurveyVersion.objects.create(
        survey=survey, number=survey.number, definition=survey.draft, at=at, actor_id=actor_id
    )
    survey.changed_at = at
    survey.save(update_fields=["number", "changed_at"])
    return version


@transaction.atomic
def move(*, survey_id: int, to: SurveyState, at: datetime, actor_id: int | None = None) -> Survey:
    """Opens, pauses, closes or archives; opening a draft publishes it. WrongState; BadSurvey."""
    survey = Survey.objects.select_for_update().get(pk=survey_id)
    if to not in _STEPS[SurveyState(survey.state)] or (to == SurveyState.ARCHIVED and survey.number == 0):
        raise WrongState(survey.state)
    if to == SurveyState.OPEN and survey.number == 0:
        publish(survey_id=survey.pk, at=at, actor_id=actor_id)
        survey.refresh_from_db()
    survey.state, survey.changed_at = to, at
    survey.save(update_fields=["state", "changed_at"])
    return survey


@transaction.atomic
def save_quota(
    *,
    survey_id: int,
    name: str,
    most: int,
    at: datetime,
    condition: Any = None,
    who: Mapping[str, Any] | None = None,
    quota_id: int | None = None,
) -> Quota:
    """How many are wanted of those for whom the condition on answers holds (None: all), of members who fit the tree
    `who` (None: of everybody). Those there are already are counted, by who they are now. BadSurvey."""
    survey = Survey.objects.select_for_update().get(pk=survey_id)
    draft = read_draft(survey)
    read = None if condition is None else condition_of(condition, draft)
    if condition is None and who is None:
        raise BadSurvey([Problem("", gettext("Please say of which answers, or of which members."))])
    if trees_of(read):  # those of a quota stand apart, in `who`
        raise BadSurvey([Problem("", gettext("Here must be a condition."))])
    done = Response.objects.filter(survey=survey, state="complete").order_by("pk")
    if who is not None:
        done = done.filter(member__in=_fitting(who, survey, at))
    if read is None:
        taken = done.count()
    else:
        taken = sum(holds(read, given_in(each), each.fits) for each in done.iterator())
    values = {
        "survey": survey, "name": name, "condition": condition, "who": who, "most": max(most, taken), "taken": taken,
    }  # fmt: skip
    if quota_id is None:
        return Quota.objects.create(**values)
    Quota.objects.filter(pk=quota_id, survey=survey).update(**values)
    return Quota.objects.get(pk=quota_id, survey=survey)


def _fitting(who: Mapping[str, Any], survey: Survey, at: datetime) -> set[int]:
    if survey.anonymous:
        raise BadSurvey([Problem("", gettext("In an anonymous survey nobody asks who somebody is."))])
    answered = Response.objects.filter(survey=survey, state="complete", member__isnull=False)
    try:
        parse_tree(who)
        return members_fitting(who, member_ids=list(answered.values_list("member", flat=True).distinct()), at=at)
    except BadDefinition as bad:
        raise BadSurvey([Problem(one.path, one.sentence) for one in bad.problems]) from bad


def remove_quota(*, survey_id: int, quota_id: int) -> None:
    """Takes a quota away; what it let in or turned away stays so."""
    Quota.objects.filter(pk=quota_id, survey=survey_id).delete()


@transaction.atomic
def copy_survey(*, survey_id: int, name: str, at: datetime) -> Survey:
    """A draft with the same questions, pictures and settings; neither answers nor dates nor quotas."""
    survey = Survey.objects.get(pk=survey_id)
    kept = ("anonymous", "ways", "ask_every_days", "thanks_points", "thanks_days", "smallest_group", "response_limit")
    settings = {field: getattr(survey, field) for field in kept}
    made = make_survey(name=name, definition=survey.draft, languages=survey.languages, at=at, **settings)
    renamed: dict[int, int] = {}
    for picture in SurveyPicture.objects.filter(survey=survey).order_by("pk"):
        before = picture.pk
        picture.pk, picture.survey, picture.created_at = None, made, at
        picture.save(force_insert=True)  # of the same file, which is never deleted
        renamed[before] = picture.pk
    if renamed:
        made.draft = _with_pictures(made.draft, renamed)
        made.save(update_fields=["draft"])
    return made


def _with_pictures(raw: Any, renamed: dict[int, int]) -> Any:
    if isinstance(raw, dict):
        return {
            key: renamed.get(value, value) if key == "picture" and isinstance(value, int)
            else _with_pictures(value, renamed)
            for key, value in raw.items()
        }  # fmt: skip
    return [_with_pictures(each, renamed) for each in raw] if isinstance(raw, list) else raw

"""Answering a survey: begun, saved as one goes, and finished once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_noop

from members.events import record
from members.queries import get_programme
from rewards.services.gifts import Gift, give_points
from surveys.answers import Given, Refused, clean
from surveys.definition import Question
from surveys.enums import InvitationState, QuestionKind, ResponseState, SurveyState, Way
from surveys.events import SURVEY_ANSWERED, SURVEY_DETRACTOR
from surveys.logic import holds, path, unanswered
from surveys.models import Answer, Invitation, Quota, Response, ResponseChange, Survey
from surveys.parser import condition_of
from surveys.queries import fitting, given_in, member_fits, reading
from surveys.queries_reach import who_traits

DETRACTOR = {QuestionKind.NPS: 6, QuestionKind.CSAT: 2, QuestionKind.CES: 3}  # that much or less is unhappy


class NotOpen(Exception):
    """The survey takes no answers: `reason` is draft, paused, closed, not_yet, expired, full or way."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AlreadyAnswered(Exception):
    """This invitation, or this response, is finished; nothing was changed."""


class CannotVoid(Exception):
    """Not complete, of an anonymous survey, or without a reason."""


@dataclass
class BadAnswers(Exception):
    """Answers that cannot be taken, each with its sentence; nothing was saved."""

    sentences: Mapping[str, str]


@dataclass
class Unfinished(Exception):
    """Questions that must be answered before it is finished."""

    questions: list[Question]


def check_open(survey: Survey, *, way: str, at: datetime) -> None:
    """NotOpen where the survey takes no answers this way at that moment."""
    if survey.state != SurveyState.OPEN:
        raise NotOpen(survey.state)
    if survey.opens_at and at < survey.opens_at:
        raise NotOpen("not_yet")
    if survey.closes_at and at >= survey.closes_at:
        raise NotOpen("closed")
    if way not in survey.ways:
        raise NotOpen("way")
    if survey.response_limit is not None and survey.taken >= survey.response_limit:
        raise NotOpen("full")


@transaction.atomic
def begin(
    *,
    survey_id: int,
    way: Way,
    language: str,
    at: datetime,
    member_id: int | None = None,
    invitation: UUID | None = None,
    key: str = "",
    traits: Mapping[str, Any] | None = None,
    asked_for: str = "open",
    uid: UUID | None = None,
) -> Response:
    """Begins an answer, or goes on with the one that the invitation, or the key, has begun.

    Who answers by the portal, or by a link in any mail, has an invitation from then on, with the key `asked_for`, so
    nobody answers twice. An anonymous survey's response
    knows neither member nor invitation; only whoever holds its uid goes on with it. A `uid` that was shown with the
    first questions is the answer's; sent twice, it is one. NotOpen; AlreadyAnswered.
    """
    survey = Survey.objects.get(pk=survey_id)
    check_open(survey, way=way, at=at)
    asked = _invited(survey, invitation, member_id, at, asked_for)
    if asked is not None:
        if asked.state == InvitationState.ANSWERED:
            raise AlreadyAnswered
        if asked.expires_at and at >= asked.expires_at:
            raise NotOpen("expired")
        member_id = asked.member_id
        if not survey.anonymous:
            begun = Response.objects.filter(invitation=asked).first()
            if begun is not None:
                return begun
            Invitation.objects.filter(pk=asked.pk).update(state=InvitationState.STARTED)
    elif key and (begun := Response.objects.filter(survey=survey, key=key).first()) is not None:
        return begun
    version = survey.versions.get(number=survey.number)
    moment = at.replace(hour=0, minute=0, second=0, microsecond=0) if survey.anonymous else at
    nobody = survey.anonymous
    values = {
        "version": version,
        "invitation": None if nobody else asked,
        "member_id": None if nobody else member_id,
        "purchase_id": None if nobody or asked is None else asked.purchase_id,
        "key": "" if nobody else key,
        "way": way,
        "language": language,
        "fits": [] if nobody else fitting(reading(version.pk).trees, member_id=member_id, at=at),
        "traits": {} if nobody else who_traits(member_id, asked) | dict(traits or {}),
        "started_at": moment,
        "changed_at": moment,
    }
    return Response.objects.get_or_create(survey=survey, uid=uid or uuid4(), defaults=values)[0]


def _invited(
    survey: Survey, invitation: UUID | None, member_id: int | None, at: datetime, key: str
) -> Invitation | None:
    """The invitation, locked; one of their own for a member who comes without."""
    if invitation is not None:
        return Invitation.objects.select_for_update().get(uid=invitation, survey=survey)
    if member_id is None:
        return None
    Invitation.objects.bulk_create(
        [Invitation(survey=survey, member_id=member_id, key=key, created_at=at)], ignore_conflicts=True
    )
    return Invitation.objects.select_for_update().get(survey=survey, member_id=member_id, key=key)


@transaction.atomic
def decline(*, invitation: UUID, at: datetime) -> Invitation:
    """Whoever was asked does not want to answer; an answer that has come stays. They may think better of it."""
    asked = Invitation.objects.select_for_update().get(uid=invitation)
    if asked.state in (InvitationState.OPEN, InvitationState.STARTED):
        asked.state = InvitationState.DECLINED
        asked.save(update_fields=["state"])
    return asked


@transaction.atomic
def answer(*, response_id: int, values: Mapping[str, Any], at: datetime) -> dict[str, Given]:
    """Saves answers (as surveys.answers.clean reads them) to questions that are asked; what was answered before may be
    changed until the end. All that is known then. BadAnswers; AlreadyAnswered; NotOpen."""
    response = _open(response_id, at)
    survey = reading(response.version_id)
    given = given_in(response)
    taken: dict[str, Given] = {}
    sentences: dict[str, str] = {}
    for key, raw in values.items():
        question = survey.question(key)
        if question is None:
            raise BadAnswers({key: key})
        try:
            taken[key] = clean(question, raw)
        except Refused as refused:
            sentences[key] = str(refused)
    if sentences:
        raise BadAnswers(sentences)
    given |= taken
    asked = {question.id for question in path(survey, given, response.fits, str(response.uid))}
    _save(response, {key: value for key, value in taken.items() if key in asked})
    if not response.survey.anonymous:
        Response.objects.filter(pk=response.pk).update(changed_at=at)
    return {key: value for key, value in given.items() if key in asked}


def _open(response_id: int, at: datetime) -> Response:
    response = Response.objects.select_for_update(of=("self",)).select_related("survey").get(pk=response_id)
    if response.state != ResponseState.STARTED:
        raise AlreadyAnswered
    check_open(response.survey, way=response.way, at=at)
    return response


def _save(response: Response, taken: Mapping[str, Given]) -> None:
    Answer.objects.bulk_create(
        [
            Answer(
                response=response,
                question=key,
                number=given.number,
                choices=list(given.choices) or None,
                rows=dict(given.rows) or None,
                text=given.text,
                day=given.day,
                upload_id=given.upload,
            )
            for key, given in taken.items()
        ],
        update_conflicts=True,
        unique_fields=["response", "question"],
        update_fields=["number", "choices", "rows", "text", "day", "upload"],
    )


@transaction.atomic
def complete(*, response_id: int, at: datetime, invitation: UUID | None = None) -> Response:
    """Finishes a response, once: answers off the way go, quotas and limit are counted under their locks, and who
    answered is thanked whatever they said, also where a quota was full by then.

    An anonymous answer is handed in with the invitation that it answers, which is not kept with it (surveys.services.
    mixing). Unfinished; AlreadyAnswered; NotOpen.
    """
    response = Response.objects.select_for_update(of=("self",)).select_related("survey").get(pk=response_id)
    if response.state != ResponseState.STARTED:
        raise AlreadyAnswered
    survey = response.survey
    if survey.state not in (SurveyState.OPEN, SurveyState.PAUSED, SurveyState.CLOSED):
        raise NotOpen(survey.state)
    read = reading(response.version_id)
    given = given_in(response)
    seed = str(response.uid)
    if left := unanswered(read, given, response.fits, seed):
        raise Unfinished(left)
    asked = _answering(response, invitation, at)
    on_way = {question.id for question in path(read, given, response.fits, seed)}
    if given.keys() - on_way:
        Answer.objects.filter(response=response).exclude(question__in=on_way).delete()
    given = {key: value for key, value in given.items() if key in on_way}
    response.state = ResponseState.COMPLETE if _counted(survey, given, response, at) else ResponseState.OVER_QUOTA
    response.completed_at = response.started_at if survey.anonymous else at
    response.save(update_fields=["state", "completed_at"])
    member_id = asked.member_id if asked else response.member_id
    if member_id is not None:
        _tell(response, member_id, read.questions(), given, at)
        _thank(survey, member_id, f"survey:{asked.uid}" if asked else f"response:{response.uid}", at)
    return response


def _answering(response: Response, uid: UUID | None, at: datetime) -> Invitation | None:
    """The invitation that is answered by this, marked so."""
    one = Q(pk=response.invitation_id) if response.invitation_id else Q(uid=uid, survey=response.survey_id)
    if response.invitation_id is None and uid is None:
        return None
    asked = Invitation.objects.select_for_update().get(one)
    if asked.state == InvitationState.ANSWERED:
        raise AlreadyAnswered
    asked.state, asked.answered_on = InvitationState.ANSWERED, at.date()
    asked.save(update_fields=["state", "answered_on"])
    return asked


def _counted(survey: Survey, given: Mapping[str, Given], response: Response, at: datetime) -> bool:
    """Whether it counts: the survey is open still, and there is room in its limit and in each quota it falls under.
    All or nothing; the rows are locked in the order of their keys. Who they are is looked at as it is now; who is not
    known falls under no quota of members."""
    if survey.state != SurveyState.OPEN or (survey.closes_at and at >= survey.closes_at):
        return False
    return _takes_place(survey, given, response, at)


def _takes_place(survey: Survey, given: Mapping[str, Given], response: Response, at: datetime) -> bool:
    locked = Survey.objects.select_for_update().get(pk=survey.pk) if survey.response_limit is not None else survey
    if locked.response_limit is not None and locked.taken >= locked.response_limit:
        return False
    under = _under(survey, given, response, at)
    quotas = list(Quota.objects.select_for_update().filter(pk__in=under).order_by("pk"))
    if any(quota.taken >= quota.most for quota in quotas):
        return False
    if locked.response_limit is not None:
        Survey.objects.filter(pk=survey.pk).update(taken=F("taken") + 1)
    Quota.objects.filter(pk__in=under).update(taken=F("taken") + 1)
    return True


def _under(survey: Survey, given: Mapping[str, Given], response: Response, at: datetime) -> list[int]:
    return [
        quota.pk
        for quota in Quota.objects.filter(survey=survey)
        if _holds(quota, given, response) and member_fits(quota.who, member_id=response.member_id, at=at)
    ]


@transaction.atomic
def void(*, response_id: int, reason: str, at: datetime, actor_id: int | None) -> Response:
    """Takes a complete answer out of the figures, and its places in limit and quotas are free again; it stays, and can
    be put back. Not of anonymous surveys: figures before and after would tell what somebody said. CannotVoid."""
    response = _found(response_id)
    if response.state != ResponseState.COMPLETE or response.survey.anonymous or not reason.strip():
        raise CannotVoid
    under = _under(response.survey, given_in(response), response, at)
    if response.survey.response_limit is not None:
        Survey.objects.filter(pk=response.survey_id, taken__gt=0).update(taken=F("taken") - 1)
    locked = Quota.objects.select_for_update().filter(pk__in=under, taken__gt=0).order_by("pk")
    Quota.objects.filter(pk__in=[quota.pk for quota in locked]).update(taken=F("taken") - 1)
    return _voided(response, ResponseState.VOID, reason, at, actor_id)


@transaction.atomic
def put_back(*, response_id: int, reason: str, at: datetime, actor_id: int | None) -> Response:
    """Counts again what was taken out. CannotVoid; NotOpen("full") where its place in limit or quota was taken."""
    response = _found(response_id)
    if response.state != ResponseState.VOID or not reason.strip():
        raise CannotVoid
    if not _takes_place(response.survey, given_in(response), response, at):
        raise NotOpen("full")
    return _voided(response, ResponseState.COMPLETE, reason, at, actor_id)


def _found(response_id: int) -> Response:
    return Response.objects.select_for_update(of=("self",)).select_related("survey").get(pk=response_id)


def _voided(response: Response, state: ResponseState, reason: str, at: datetime, actor_id: int | None) -> Response:
    response.state = state
    response.save(update_fields=["state"])
    ResponseChange.objects.create(
        response=response,
        void=state == ResponseState.VOID,
        reason=" ".join(reason.split())[:200],
        at=at,
        actor_id=actor_id,
    )
    return response


def _holds(quota: Quota, given: Mapping[str, Given], response: Response) -> bool:
    if quota.condition is None:
        return True
    return holds(condition_of(quota.condition, reading(response.version_id)), given, response.fits)


def _tell(response: Response, member_id: int, questions: Any, given: Mapping[str, Given], at: datetime) -> None:
    """Writes to the member's timeline that they answered; what they said only where it is theirs."""
    survey = response.survey
    data: dict[str, Any] = {"survey": survey.pk, "name": survey.name}
    if survey.anonymous:
        record(member_id=member_id, kind=SURVEY_ANSWERED, at=at, data=data)
        return
    scores = {
        question.kind: int(number)
        for question in questions
        if question.kind in DETRACTOR and (number := given.get(question.id, Given()).number) is not None
    }
    record(member_id=member_id, kind=SURVEY_ANSWERED, at=at, data=data | {"response": response.pk, "scores": scores})
    low = next((score for kind, score in scores.items() if score <= DETRACTOR[QuestionKind(kind)]), None)
    if low is not None:
        record(member_id=member_id, kind=SURVEY_DETRACTOR, at=at, data=data | {"response": response.pk, "score": low})


def _thank(survey: Survey, member_id: int, key: str, at: datetime) -> None:
    if not survey.thanks_points:
        return
    expires = None
    if survey.thanks_days:
        zone = ZoneInfo(get_programme().time_zone)
        expires = datetime.combine(at.astimezone(zone).date() + timedelta(days=survey.thanks_days + 1), time(), zone)
    give_points(
        gifts=[
            Gift(
                member_id=member_id,
                amount=survey.thanks_points,
                key=key,
                reason=gettext_noop("Thanks for your answers"),
                expires_at=expires,
                why={"survey": survey.pk, "name": survey.name},
            )
        ],
        at=at,
    )

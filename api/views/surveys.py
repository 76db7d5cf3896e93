"""GET /surveys and POST /surveys/{code}/answers."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from ninja import Router

from api import schemas_surveys as schemas
from api.enums import Scope
from api.errors import Refused, respond
from api.services.answers import Done
from api.views.common import answer_once, call, member_of, rfc3339
from surveys.enums import QuestionKind, ResponseState, SurveyState, Way
from surveys.models import Invitation, Survey
from surveys.queries import reading
from surveys.services.answering import AlreadyAnswered, BadAnswers, NotOpen, Unfinished, answer, begin, complete

router = Router(tags=[gettext_noop("Surveys")])
MOST = 100


@call(
    router,
    "GET",
    "/surveys",
    Scope.SURVEYS_WRITE,
    {200: schemas.OpenSurveys},
    summary=gettext_lazy("Surveys that can be answered"),
    description=gettext_lazy("Those that are open and take answers of other systems, with what they ask. At most 100."),
    operation_id="list_surveys",
)
def open_surveys(request: HttpRequest) -> HttpResponse:
    found = Survey.objects.filter(state=SurveyState.OPEN, ways__contains=[Way.API]).order_by("-pk")[:MOST]
    return respond(200, {"surveys": [_told(survey) for survey in found]})


def _told(survey: Survey) -> dict[str, Any]:
    read = reading(survey.versions.values_list("pk", flat=True).get(number=survey.number))
    return {
        "code": survey.code,
        "languages": survey.languages,
        "anonymous": survey.anonymous,
        "thanks_points": survey.thanks_points,
        "closes_at": rfc3339(survey.closes_at),
        "questions": [
            {
                "id": one.id,
                "kind": one.kind,
                "title": dict(one.title),
                "required": one.required,
                "choices": [{"id": choice.id, "title": dict(choice.title)} for choice in one.choices],
                "rows": [{"id": row.id, "title": dict(row.title)} for row in one.rows],
                "low": one.low,
                "high": one.high,
            }
            for one in read.questions()
            if one.kind not in (QuestionKind.STATEMENT, QuestionKind.PHOTO)
        ],
    }


@call(
    router,
    "POST",
    "/surveys/{code}/answers",
    Scope.SURVEYS_WRITE,
    {201: schemas.Answered, 200: schemas.Answered},
    summary=gettext_lazy("Answer a survey"),
    description=gettext_lazy(
        "All answers of one person, finished at once. A member, or an invitation, answers once; their points of thanks "
        "are given whatever they said. “counted” is false where the survey, or a quota of it, was full."
    ),
    operation_id="answer_survey",
)
def post_answers(request: HttpRequest, code: str, body: schemas.NewAnswers) -> HttpResponse:
    survey = Survey.objects.filter(code=code[:20]).exclude(state=SurveyState.DRAFT).first()
    if survey is None:
        raise Refused(404, "no_such_survey", _("There is no such survey."))
    told = {**request.told, "survey": code}  # type: ignore[attr-defined]
    if survey.anonymous:  # what is kept of the call must not tell what was answered
        told.pop("answers", None)
    return answer_once(request, "surveys", body.key, lambda: _answer(request, survey, body), body=told)


@transaction.atomic
def _answer(request: HttpRequest, survey: Survey, body: schemas.NewAnswers) -> Done:
    at = now()
    member_id = member_of(request, body.member) if body.member else None
    uid = UUID(body.invitation) if body.invitation else None
    try:
        response = begin(
            survey_id=survey.pk,
            way=Way.API,
            language=body.language if body.language in survey.languages else survey.languages[0],
            at=at,
            member_id=None if uid else member_id,
            invitation=uid,
            traits={"store": body.store} if body.store else None,
        )
        if uid is None and member_id is not None:
            uid = Invitation.objects.values_list("uid", flat=True).get(survey=survey, member=member_id, key="open")
        answer(response_id=response.pk, values=body.answers, at=at)
        done = complete(response_id=response.pk, at=at, invitation=uid)
    except Invitation.DoesNotExist:
        text = _("There is no such invitation to this survey.")
        raise Refused(404, "no_such_invitation", text, field="invitation") from None
    except NotOpen as closed:
        raise Refused(409, "not_open", _("The survey takes no answers now."), facts={"why": closed.reason}) from None
    except AlreadyAnswered:
        raise Refused(409, "already_answered", _("This person has answered already. Nothing was changed.")) from None
    except BadAnswers as bad:
        question, sentence = next(iter(bad.sentences.items()))
        if question == sentence:
            sentence = _("There is no such question in this survey.")
        raise Refused(422, "bad_answer", sentence, field=f"answers.{question}") from None
    except Unfinished as left:
        field = f"answers.{left.questions[0].id}"
        raise Refused(422, "unanswered", _("This question has to be answered."), field=field) from None
    asked = Invitation.objects.filter(uid=uid).first() if uid else None
    points = survey.thanks_points if asked else 0
    counted = done.state == ResponseState.COMPLETE
    said = {"key": body.key, "survey": survey.code, "counted": counted, "thanks_points": points}
    return Done(201, said, asked.member_id if asked else None)

"""What surveys tell a member of what they were asked and answered. Anonymous answers are nobody's, so in no export."""

from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from members.privacy import exempt, register_export
from surveys.definition import Question, said
from surveys.logic import in_words, piped
from surveys.models import Case, Invitation, Response, SuggestionLike
from surveys.queries import given_in, reading


def _responses(member_id: int) -> list[dict[str, Any]]:
    responses = Response.objects.filter(member_id=member_id).select_related("survey", "member").order_by("started_at")
    return [
        {
            "survey": response.survey.name,
            "state": response.state,
            "started_at": response.started_at,
            "completed_at": response.completed_at,
            "answers": _answers(response),
        }
        for response in responses
    ]


def _answers(response: Response) -> list[dict[str, str]]:
    survey, known = reading(response.version_id), given_in(response)
    language, name = get_language() or "en", response.member.name if response.member else ""

    def asked(question: Question) -> str:
        return piped(said(question.title, language), survey, known, language=language, name=name)

    return [
        {"question": asked(question), "answer": in_words(question, given, language)}
        for key, given in known.items()
        if (question := survey.question(key)) is not None
    ]


def _invitations(member_id: int) -> list[dict[str, Any]]:
    asked = Invitation.objects.filter(member_id=member_id).select_related("survey").order_by("created_at")
    return [
        {
            "survey": one.survey.name,
            "asked": one.key,
            "at": one.created_at,
            "state": one.state,
            "answered_on": one.answered_on,
        }
        for one in asked
    ]


def _cases(member_id: int) -> list[dict[str, Any]]:
    cases = Case.objects.filter(member_id=member_id).prefetch_related("messages__files").order_by("opened_at")
    return [
        {
            "number": case.number,
            "kind": case.kind,
            "subject": case.subject,
            "state": case.state,
            "opened_at": case.opened_at,
            "closed_at": case.closed_at,
            "messages": [
                {
                    "kind": message.kind,
                    "at": message.at,
                    "text": message.text,
                    "files": [file.name for file in message.files.all()],
                }
                for message in case.messages.all()
            ],
        }
        for case in cases
    ]


def _likes(member_id: int) -> list[dict[str, Any]]:
    liked = SuggestionLike.objects.filter(member_id=member_id).select_related("suggestion").order_by("at")
    return [{"title": one.suggestion.title, "at": one.at} for one in liked]


def register_all() -> None:
    register_export(
        "survey_responses",
        _("What you answered"),
        _responses,
        models=["surveys.Response"],
        order=75,
    )
    register_export(
        "survey_invitations", _("What you were asked"), _invitations, models=["surveys.Invitation"], order=76
    )
    exempt("surveys.SurveyVersion", _("what is asked of all; a member of staff published it"))
    exempt("surveys.DueInvitation", _("hours old; then it is an invitation, or nothing"))
    register_export("cases", _("What you told us, and what we answered"), _cases, models=["surveys.Case"], order=77)
    register_export(
        "suggestions_liked", _("Suggestions you liked"), _likes, models=["surveys.SuggestionLike"], order=78
    )
    for model in ("CaseRule", "CareSettings", "CareSettings_on_duty", "Category"):
        exempt(f"surveys.{model}", _("who of the staff looks after cases"))
    exempt("surveys.SharedReport", _("who of the staff shared a report"))
    exempt("surveys.CaseChange", _("the steps of a case; what was said stands with the case"))
    exempt("surveys.ResponseChange", _("the state stands with the answers"))
    exempt("surveys.CaseFile", _("told with the case"))
    exempt("surveys.CaseMessage", _("told with the case"))
    exempt("surveys.Remedy", _("told with the points and coupons that were given"))
    exempt("surveys.ImprovementAction", _("what the shop changes for all"))

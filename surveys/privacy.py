"""What surveys tell a member of what they were asked and answered. Anonymous answers are nobody's, so in no export."""

from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from members.privacy import exempt, register_export
from surveys.definition import said
from surveys.logic import in_words
from surveys.models import Invitation, Response
from surveys.queries import given_in, reading


def _responses(member_id: int) -> list[dict[str, Any]]:
    responses = Response.objects.filter(member_id=member_id).select_related("survey").order_by("started_at")
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
    survey = reading(response.version_id)
    language = get_language() or "en"
    return [
        {"question": said(question.title, language), "answer": in_words(question, given, language)}
        for key, given in given_in(response).items()
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

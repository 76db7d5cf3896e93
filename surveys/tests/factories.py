"""Surveys for tests."""

from datetime import UTC, datetime, time
from typing import Any

from django.contrib.auth.models import Group
from django.core.files.base import ContentFile

from surveys.enums import SurveyState, Way
from surveys.models import (
    CannedReply,
    CareSettings,
    CareTarget,
    CaseRule,
    Category,
    Holiday,
    OpeningHours,
    RemedyLimit,
    RootCause,
    Survey,
    Theme,
)
from surveys.services.cases.improving import plan, publish
from surveys.services.cases.opening import open_case
from surveys.services.publishing import make_survey, move

AT = datetime(2026, 5, 12, 9, tzinfo=UTC)
AB = [{"id": "a", "title": {"en": "Fine", "zh-hans": "好"}}, {"id": "b", "title": {"en": "Poor", "zh-hans": "差"}}]


def question(key: str, kind: str = "short", **more) -> dict:
    return {"id": key, "kind": kind, "title": {"en": key.upper(), "zh-hans": f"{key}？"}, **more}


def satisfaction() -> dict:
    """Recommendation, its reason for those who are unhappy, and one choice."""
    return {
        "sections": [
            {
                "id": "s1",
                "questions": [
                    question("q1", "nps", required=True),
                    question("q2", "long", show_if={"answer": "q1", "op": "at_most", "value": 6}),
                    question("q3", "single", choices=AB),
                ],
            }
        ]
    }


def open_survey(definition: Any = None, **settings) -> Survey:
    settings.setdefault("ways", list(Way.values))
    survey = make_survey(name="How was it?", definition=definition or satisfaction(), at=AT, **settings)
    return move(survey_id=survey.pk, to=SurveyState.OPEN, at=AT)


def cases_of(member) -> dict[str, int]:
    """One of everything that hangs on cases, by the beginning of the names of its pages."""
    case = open_case(kind="suggestion", text="Oat milk, please", source="staff", member_id=member.pk, at=AT)
    cause = RootCause.objects.create(name_en="No oat milk")
    action = plan(title="Buy oat milk", cause_id=cause.pk, at=AT, actor_id=None, case_id=case.pk)
    message = case.messages.get()
    message.picture.save("milk.png", ContentFile(b"picture"))
    idea = publish(case_id=case.pk, title_en="Oat milk", at=AT, actor_id=None)
    return {
        "surveys_caserule": CaseRule.objects.create(severity="low").pk,
        "surveys_caresettings": CareSettings.objects.create(pk=1).pk,
        "surveys_caretarget": CareTarget.objects.create(severity="low", answer_minutes=60, resolve_minutes=90).pk,
        "surveys_case": case.pk,
        "message_of_case": message.pk,
        "surveys_improvementaction": action.pk,
        "surveys_suggestion": idea.pk,
        "surveys_category": Category.objects.create(name_en="Milk").pk,
        "surveys_rootcause": cause.pk,
        "surveys_theme": Theme.objects.create(name_en="Milk", terms="milk", changed_at=AT).pk,
        "surveys_cannedreply": CannedReply.objects.create(name="Sorry", text_en="We are sorry").pk,
        "surveys_openinghours": OpeningHours.objects.create(weekday=0, opens=time(9), closes=time(17)).pk,
        "surveys_holiday": Holiday.objects.create(day=AT.date()).pk,
        "surveys_remedylimit": RemedyLimit.objects.create(role=Group.objects.get(name="Till"), points=10, coupons=0).pk,
    }

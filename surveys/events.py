"""What surveys write to a member's timeline."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from members.events import group, kind
from surveys.enums_cases import CaseKind


def _answered(data: dict[str, Any]) -> str:
    return gettext("“%(survey)s” answered") % {"survey": data["name"]}


def _detractor(data: dict[str, Any]) -> str:
    return gettext("Unhappy in “%(survey)s”: %(score)s") % {"survey": data["name"], "score": data["score"]}


group("survey", _("Surveys"), "reviews")
SURVEY_INVITED = kind(
    "survey.invited",
    _("Asked to answer a survey"),
    lambda data: gettext("Asked to answer “%(survey)s”") % {"survey": data["name"]},
    changes=False,
    about=("surveys.invitation", "invitation"),
)
SURVEY_ANSWERED = kind("survey.answered", _("Survey answered"), _answered)
SURVEY_DETRACTOR = kind("survey.detractor", _("Unhappy in a survey"), _detractor)

group("case", _("Cases"), "support_agent")


def _of_case(sentence: str, data: dict[str, Any]) -> str:
    return sentence % {"number": f"C-{data['case']}", "kind": CaseKind(data["kind"]).label}


# data: case (its id), kind, severity. What it is about stands in the case, where it can be erased.
CASE_OPENED = kind(
    "case.opened",
    _("Case opened"),
    lambda data: _of_case(gettext("%(kind)s opened as %(number)s"), data),
    about=("surveys.case", "case"),
)
CASE_ANSWERED = kind(
    "case.answered",
    _("Case answered"),
    lambda data: _of_case(gettext("%(number)s answered"), data),
    about=("surveys.case", "case"),
    changes=False,
)
CASE_CLOSED = kind(
    "case.closed",
    _("Case closed"),
    lambda data: _of_case(gettext("%(number)s closed"), data),
    about=("surveys.case", "case"),
)
CASE_REOPENED = kind(
    "case.reopened",
    _("Case opened again"),
    lambda data: _of_case(gettext("%(number)s opened again"), data),
    about=("surveys.case", "case"),
)

"""What surveys write to a member's timeline."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from members.events import group, kind


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

from surveys.models.action import ImprovementAction, Suggestion, SuggestionLike
from surveys.models.care import (
    CannedReply,
    CareSettings,
    CareTarget,
    CaseRule,
    Category,
    Holiday,
    OpeningHours,
    RemedyLimit,
    RootCause,
)
from surveys.models.case import Case, CaseChange, CaseFile, CaseMessage, Remedy
from surveys.models.place import SurveyPlace
from surveys.models.reach import Invitation, Wave
from surveys.models.response import Answer, Response, ResponseChange, Upload
from surveys.models.shared import SharedReport
from surveys.models.survey import Quota, Survey, SurveyPicture, SurveyVersion
from surveys.models.theme import Theme
from surveys.models.trigger import AskingRule, DueInvitation, SurveyTrigger

__all__ = [
    "Answer",
    "AskingRule",
    "CannedReply",
    "CareSettings",
    "CareTarget",
    "Case",
    "CaseChange",
    "CaseFile",
    "CaseMessage",
    "CaseRule",
    "Category",
    "DueInvitation",
    "Holiday",
    "ImprovementAction",
    "Invitation",
    "OpeningHours",
    "Quota",
    "Remedy",
    "RemedyLimit",
    "Response",
    "ResponseChange",
    "RootCause",
    "SharedReport",
    "Suggestion",
    "SuggestionLike",
    "Survey",
    "SurveyPicture",
    "SurveyPlace",
    "SurveyTrigger",
    "SurveyVersion",
    "Theme",
    "Upload",
    "Wave",
]

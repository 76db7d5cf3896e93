from surveys.models.place import SurveyPlace
from surveys.models.reach import Invitation, Wave
from surveys.models.response import Answer, Response, Upload
from surveys.models.survey import Quota, Survey, SurveyPicture, SurveyVersion
from surveys.models.trigger import AskingRule, DueInvitation, SurveyTrigger

__all__ = [
    "Answer",
    "AskingRule",
    "DueInvitation",
    "Invitation",
    "Quota",
    "Response",
    "Survey",
    "SurveyPicture",
    "SurveyPlace",
    "SurveyTrigger",
    "SurveyVersion",
    "Upload",
    "Wave",
]

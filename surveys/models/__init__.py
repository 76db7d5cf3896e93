from surveys.models.reach import Invitation, Wave
from surveys.models.response import Answer, Response, Upload
from surveys.models.survey import Quota, Survey, SurveyVersion

__all__ = ["Answer", "Invitation", "Quota", "Response", "Survey", "SurveyVersion", "Upload", "Wave"]

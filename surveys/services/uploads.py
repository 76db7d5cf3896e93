"""Pictures that come with answers, or are to be chosen: checked and written anew, like those of rewards."""

import io
from datetime import datetime
from typing import IO
from uuid import uuid4

from django.core.files.base import ContentFile

from rewards.services.pictures import LARGE, SMALL, encode_for_mail
from surveys.models import Survey, SurveyPicture, Upload


def add_upload(*, response_id: int, file: IO[bytes], at: datetime) -> Upload:
    """The picture of an answer, which has still to name it. rewards.services.pictures.PictureRefused."""
    data, extension, (width, height) = encode_for_mail(io.BytesIO(file.read()), LARGE)
    upload = Upload(response_id=response_id, width=width, height=height, created_at=at)
    upload.picture.save(f"{uuid4().hex}.{extension}", ContentFile(data), save=False)
    upload.save()
    return upload


def add_picture(*, survey_id: int, file: IO[bytes], at: datetime) -> SurveyPicture:
    """A picture that a choice of the survey can name. PictureRefused; Survey.DoesNotExist."""
    survey = Survey.objects.get(pk=survey_id)
    data, extension, (width, height) = encode_for_mail(io.BytesIO(file.read()), SMALL)
    made = SurveyPicture(survey=survey, width=width, height=height, created_at=at)
    made.picture.save(f"{uuid4().hex}.{extension}", ContentFile(data), save=False)
    made.save()
    return made

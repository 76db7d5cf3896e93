"""Pictures that come with answers: checked and written anew, like those of rewards."""

import io
from datetime import datetime
from typing import IO
from uuid import uuid4

from django.core.files.base import ContentFile

from rewards.services.pictures import LARGE, encode_for_mail
from surveys.models import Upload


def add_upload(*, response_id: int, file: IO[bytes], at: datetime) -> Upload:
    """The picture of an answer, which has still to name it. rewards.services.pictures.PictureRefused."""
    data, extension, (width, height) = encode_for_mail(io.BytesIO(file.read()), LARGE)
    upload = Upload(response_id=response_id, width=width, height=height, created_at=at)
    upload.picture.save(f"{uuid4().hex}.{extension}", ContentFile(data), save=False)
    upload.save()
    return upload

"""Files that come with a mail: pictures are written anew, PDFs are kept as they are for staff and the member to save,
anything else is named with the reason why it is not kept."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from uuid import uuid4

from django.core.files.base import ContentFile

from rewards.services.pictures import LARGE, MOST_BYTES, PictureRefused, encode_for_mail
from surveys.enums_cases import NotKept
from surveys.models import CaseFile, CaseMessage

MOST_FILES = 8  # of one mail


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it came: neither its name nor its kind is believed."""

    name: str
    data: bytes


def keep_files(message: CaseMessage, files: Sequence[Sent]) -> None:
    """Puts them to the message; `message.not_kept` names the others as [name, reason] (NotKept)."""
    kept = 0
    for file in files:
        name = (PurePath(file.name.replace("\\", "/").replace("\x00", "")).name or "?")[-120:]
        reason = NotKept.NUMBER if kept == MOST_FILES else _keep(message, name, file.data)
        if reason:
            message.not_kept.append([name, str(reason)])
        kept += not reason
    message.not_kept = message.not_kept[:50]
    if message.not_kept:
        message.save(update_fields=["not_kept"])


def _keep(message: CaseMessage, name: str, data: bytes) -> str:
    """Why it is not kept; "" where it is."""
    if len(data) > MOST_BYTES:
        return NotKept.SIZE
    made = CaseFile(message=message, name=name)
    if data.startswith(b"%PDF-"):
        if b"%%EOF" not in data[-2048:]:
            return NotKept.DAMAGED
        extension = "pdf"
    else:
        try:
            data, extension, (made.width, made.height) = encode_for_mail(io.BytesIO(data), LARGE)
        except PictureRefused:
            return NotKept.KIND
    made.file.save(f"{uuid4().hex}.{extension}", ContentFile(data), save=False)
    made.save()
    return ""

"""Text messages. A backend is a class with `send(to, text)`; the default writes to the outbox on disk."""

import uuid
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class SmsBackend(Protocol):
    def send(self, to: str, text: str) -> None:
        """Hands `text` over for the number `to` (E.164). Raises OSError where that fails."""


class OutboxBackend:
    """Writes each text message to a file that staff can open."""

    def send(self, to: str, text: str) -> None:
        folder = Path(settings.OUTBOX_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{uuid.uuid4()}"
        part.write_text(f"To: {to}\n\n{text}\n", encoding="utf-8")
        part.rename(folder / f"{part.name[1:]}.sms")


def send_sms(to: str, text: str) -> None:
    """Sends by the backend of the setting SMS_BACKEND."""
    import_string(settings.SMS_BACKEND)().send(to, text)

"""Messages written to files that staff can open: what text messages and calls do until a provider is set."""

from pathlib import Path

from django.conf import settings

from campaigns.channels import Begin, Outgoing
from campaigns.channels.answers import of_exception


class DiskLine:
    """A file for each message, by its own id: the same message twice is one file."""

    harmless = True

    def open(self) -> None:
        try:
            Path(settings.OUTBOX_DIR).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise of_exception(error) from error

    def close(self) -> None:
        pass

    def send(self, message: Outgoing, begin: Begin, following: Outgoing | None = None) -> str:
        begin()
        folder = Path(settings.OUTBOX_DIR)
        part = folder / f".{message.uid}"
        part.write_text(f"To: {message.to}\n\n{message.text}\n", encoding="utf-8")
        part.rename(folder / f"{message.uid}.sms")
        return message.uid

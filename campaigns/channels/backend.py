"""Any mail backend of Django: providers by their HTTP interface (django-anymail), the outbox on disk, a test's."""

from typing import Any

from django.core.mail import get_connection

from campaigns.channels import Begin, Outgoing
from campaigns.channels.answers import of_exception
from common.mail import SmtpBackend


class BackendLine:
    """The mail backend of the settings. A provider that takes a key for it is given the message's own id."""

    def __init__(self) -> None:
        self.backend: Any = get_connection()
        self.harmless = getattr(self.backend, "idempotent", False)

    def open(self) -> None:
        try:
            self.backend.open()
        except Exception as error:
            said = of_exception(error)
            said.about_server = True
            raise said from error

    def close(self) -> None:
        self.backend.close()

    def send(self, message: Outgoing, begin: Begin, following: Outgoing | None = None) -> str:
        mail = message.mail()
        mail.metadata = {"message": message.uid}  # type: ignore[attr-defined]  # anymail hands it back in webhooks
        mail.extra_headers["X-Idempotency-Key"] = message.uid
        if type(self.backend).__module__.endswith("anymail.backends.resend"):
            mail.esp_extra = {"headers": {"Idempotency-Key": message.uid}}  # type: ignore[attr-defined]
        begin()
        self.backend.send_messages([mail])
        status = getattr(mail, "anymail_status", None)
        return str(status.message_id or "") if status is not None and isinstance(status.message_id, str) else ""


def speaks_smtp() -> bool:
    """Whether mail goes by SMTP, where our own client is faster and knows when a mail leaves."""
    return isinstance(get_connection(), SmtpBackend)

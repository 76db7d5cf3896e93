"""Mail backends: an outbox on disk that people can open, and SMTP that says when a message leaves our hands."""

import os
import smtplib
from collections.abc import Callable
from email.utils import formataddr, parseaddr
from pathlib import Path

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend


def sender(name: str) -> str:
    """The From of a mail: our address (DEFAULT_FROM_EMAIL) under the name that the recipient knows."""
    known, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return formataddr((" ".join(name.split()) or known, address))


class OutboxBackend(BaseEmailBackend):
    """Writes each message to a file named by its Message-ID: the same message twice is one file."""

    idempotent = True

    def send_messages(self, email_messages) -> int:
        folder = Path(settings.OUTBOX_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        for email in email_messages:
            message = email.message()
            name = "".join(c for c in message["Message-ID"] if c.isalnum() or c in "@.-_").strip(".")
            part = folder / f".{name}.{os.getpid()}"
            part.write_bytes(message.as_bytes())
            part.rename(folder / f"{name}.eml")
        return len(email_messages)


class SmtpBackend(EmailBackend):
    """SMTP with a hook. `before_body()` runs once the server has said 354, before the first byte of the message: up
    to then a failure means nothing was sent; after it, silence means nobody knows (RFC 1047)."""

    before_body: Callable[[], None] | None = None

    @property
    def connection_class(self):
        backend = self
        base = smtplib.SMTP_SSL if self.use_ssl else smtplib.SMTP

        class Connection(base):  # type: ignore[valid-type, misc]
            asked = False  # DATA was said, and 354 is the answer to wait for

            def data(self, msg):
                self.asked = True
                try:
                    return super().data(msg)
                finally:
                    self.asked = False

            def getreply(self):
                reply = super().getreply()
                if self.asked and reply[0] == 354 and backend.before_body is not None:
                    backend.before_body()
                return reply

        return Connection

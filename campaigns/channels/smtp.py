"""SMTP by one connection for many mails, with pipelining where the server offers it (RFC 2920).

smtplib opens the connection, for TLS and signing in; the mails go by its socket. A mail is ready bytes, and the caller
is asked after the server has said 354, before the first byte of the mail. Where it is known which mail follows, its
envelope goes with the last bytes of the one before, so that each mail costs one wait, and it is written while the
database takes down that the one before may leave.
"""

import re
import smtplib
from contextlib import suppress
from typing import Any

from django.core.mail import get_connection

from campaigns.channels import Begin, Outgoing, Refusal
from campaigns.channels.answers import of_exception, refusal
from campaigns.content.headers import ascii_domain

_UNFIT = re.compile(r'[<>\\"(), ]')
_REUSED_BY_SERVERS = 100  # mails by a connection: many servers close it after so many


class SmtpLine:
    """The mail server of the settings."""

    harmless = False

    def __init__(self) -> None:
        self.backend: Any = get_connection()
        self.sent = 0
        self.smtp: smtplib.SMTP | None = None
        self.pipelining = False
        self.announced: int | None = None  # whose envelope the server has, and has yet to answer
        self.prepared: tuple[int, bytes] | None = None

    def open(self) -> None:
        if self.smtp is not None:
            return
        try:
            self.backend.open()
            self.smtp = self.backend.connection
            self.smtp.ehlo_or_helo_if_needed()
        except Exception as error:
            self.close()
            said = of_exception(error)
            said.about_server = True
            raise said from error
        self.pipelining, self.sent = self.smtp.has_extn("pipelining"), 0

    def close(self) -> None:
        """Without a QUIT, which would wait for a server that hangs."""
        connection, self.smtp = self.backend.connection, None
        self.announced, self.prepared = None, None
        if connection is not None:
            connection.close()
            self.backend.connection = None

    def send(self, message: Outgoing, begin: Begin, following: Outgoing | None = None) -> str:
        if self.announced not in (None, message.id):
            self.close()  # the server waits for another mail, which will not come
        self.open()
        smtp = self.smtp
        assert smtp is not None  # open() saw to it
        assert smtp.sock is not None
        try:
            frame = self._frame(message)
            self._accepted(smtp, message)
            begin(lambda: self._prepare(following))
        except Refusal:
            raise  # the server said so, and waits for the next
        except Exception:
            self.close()  # the server may wait for a mail that will not come
            raise
        envelope = self._envelope(smtp, following) if following is not None and self.pipelining else b""
        smtp.sock.sendall(_ended(frame) + envelope)
        if following is not None and envelope:
            self.announced = following.id
        code, said = smtp.getreply()
        if code != 250:
            if code == 421:
                self.close()
            raise refusal(code, said)
        self.sent += 1
        if self.sent >= _REUSED_BY_SERVERS and not self.pipelining:
            self.close()
        return ""

    def _prepare(self, message: Outgoing | None) -> None:
        """Written while the database is busy. What cannot be made says so when its turn comes."""
        if message is not None:
            with suppress(Exception):
                self.prepared = message.id, message.frame()

    def _frame(self, message: Outgoing) -> bytes:
        prepared, self.prepared = self.prepared, None
        return prepared[1] if prepared is not None and prepared[0] == message.id else message.frame()

    def _envelope(self, smtp: smtplib.SMTP, message: Outgoing) -> bytes:
        """The lines before a mail; none for an address that this server takes none for."""
        try:
            return "".join(f"{step}\r\n" for step in _steps(smtp, message)).encode()
        except (ValueError, smtplib.SMTPNotSupportedError):
            return b""

    def _accepted(self, smtp: smtplib.SMTP, message: Outgoing) -> None:
        """Up to the 354 of DATA. Refusal."""
        assert smtp.sock is not None
        replies = []
        if self.pipelining:
            if self.announced is None:
                smtp.sock.sendall("".join(f"{step}\r\n" for step in _steps(smtp, message)).encode())
            self.announced = None
            replies = [smtp.getreply() for _step in range(3)]
        else:
            for step in _steps(smtp, message):
                smtp.sock.sendall(f"{step}\r\n".encode())
                replies.append(smtp.getreply())
                if replies[-1][0] >= 400:
                    break
        for place, (code, said) in enumerate(replies):
            good = code == 354 if place == 2 else 200 <= code < 300
            if not good:
                if replies[-1][0] == 354:  # it would take a mail for nobody: give it an empty one
                    smtp.sock.sendall(b".\r\n")
                    smtp.getreply()
                if code == 421:
                    self.close()
                else:
                    smtp.sock.sendall(b"RSET\r\n")
                    smtp.getreply()
                raise refusal(code, said, about_us=place == 0)


def _steps(smtp: smtplib.SMTP, message: Outgoing) -> list[str]:
    """ValueError, SMTPNotSupportedError for an address that no mail can go to."""
    options, sender, to = "", _bare(message.sender), _bare(message.to)
    if not (to.isascii() and sender.isascii()):
        if not smtp.has_extn("smtputf8"):
            raise smtplib.SMTPNotSupportedError("this server takes no address that is not ASCII")
        options = " SMTPUTF8"
    return [f"MAIL FROM:<{sender}>{options}", f"RCPT TO:<{to}>", "DATA"]


def _bare(address: str) -> str:
    """An address fit for an envelope. ValueError for one that would be something else there."""
    if not address.isprintable() or _UNFIT.search(address):
        raise ValueError("not an address")
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or "@" in local:
        raise ValueError("not an address")
    return ascii_domain(address)


def _ended(frame: bytes) -> bytes:
    """With dots doubled at the beginning of lines, and the dot that ends it (RFC 5321 4.5.2)."""
    if b"\r\n." in frame:
        frame = frame.replace(b"\r\n.", b"\r\n..")
    return frame + (b".\r\n" if frame.endswith(b"\r\n") else b"\r\n.\r\n")

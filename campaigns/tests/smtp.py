"""A real SMTP server that can be told to misbehave, and that keeps what it accepted."""

import asyncio
import logging
from collections import Counter
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

logging.getLogger("mail.log").setLevel(logging.ERROR)


class Sink:
    """`trouble` maps a stage to what happens there: an SMTP answer, "hang" or "drop". `kept` are accepted mails."""

    def __init__(self) -> None:
        self.trouble: dict[str, str] = {}
        self.only_for: str | None = None
        self.kept: list[EmailMessage] = []
        self.connections = 0
        self.slow = 0.0  # seconds between the last dot and the answer

    async def act(self, stage: str, server: SMTP, to: str = "") -> str | None:
        if self.only_for is not None and to != self.only_for:
            return None
        told = self.trouble.get(stage)
        if told == "hang":
            await asyncio.sleep(60)
        elif told == "drop":
            server.transport.abort()
        return told

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.connections += 1
        session.host_name = hostname
        await self.act("EHLO", server)
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        if told := await self.act("MAIL", server):
            return told
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if told := await self.act("RCPT", server, address):
            return told
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos[0]
        if told := await self.act("DOT", server, to):
            return told
        mail = message_from_bytes(envelope.content, policy=default)
        await asyncio.sleep(self.slow / 2)
        self.kept.append(mail)
        await asyncio.sleep(self.slow / 2)
        if told := await self.act("ACCEPTED", server, to):
            return told
        return "250 kept"

    def received(self) -> Counter[str]:
        """How many mails each address got."""
        return Counter(mail["To"] for mail in self.kept)


class _Server(SMTP):
    async def smtp_DATA(self, arg):
        if told := await self.event_handler.act("DATA", self, *self.envelope.rcpt_tos[:1]):
            await self.push(told)
            return
        await super().smtp_DATA(arg)


class SinkServer(Controller):
    """Runs a Sink on a free port of this machine, in a thread."""

    def __init__(self) -> None:
        self.sink = Sink()
        super().__init__(self.sink, hostname="127.0.0.1", port=0)

    def factory(self):
        return _Server(self.handler, hostname="sink.test")

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

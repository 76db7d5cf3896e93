"""The mail of a message: its headers, its parts, and the links to leave by."""

from datetime import datetime
from email.mime.image import MIMEImage
from email.utils import format_datetime, formataddr, parseaddr
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from campaigns.channels import Outgoing
from campaigns.content.compiled import Compiled, compiled
from campaigns.content.headers import ascii_domain
from campaigns.content.links import Measure
from campaigns.content.look import look
from campaigns.enums import Medium
from campaigns.models import Campaign, Sender
from campaigns.services.objections import Held
from campaigns.services.tracking import measure_of, token_of, utm_of
from campaigns.services.unsubscribe import unsubscribe_url
from common.mail import sender as from_header

_CALLED = (Medium.SMS, Medium.WEBHOOK)
_NOT_IN_NAMES = dict.fromkeys(map(ord, '"\\<>'))  # an address would end where they stand


@lru_cache(maxsize=1024)
def _address(member_id: int, channel: str, purpose: str) -> str:
    return unsubscribe_url(member_id=member_id, channel=channel, purpose=purpose)


@lru_cache(maxsize=64)
def _date(moment: datetime) -> str:
    return format_datetime(moment)


def link_of(message: Held) -> str:
    """Where its reader unsubscribes."""
    return _address(message.member_id, message.channel, message.purpose)


def links_of(message: Held) -> dict[str, dict[str, str]]:
    """The links that a template may show; none in mail about the member's own business."""
    if message.purpose == "service":
        return {}
    link = link_of(message)
    return {"links": {"unsubscribe": link, "preferences": f"{link}choices/"}}


class Envelope:
    """What all mails of a sender share."""

    def __init__(self, sender: Sender) -> None:
        programme = look().programme
        self.sender = sender
        self.address = ascii_domain(sender.address or parseaddr(settings.DEFAULT_FROM_EMAIL)[1])
        self.name = " ".join((sender.name or programme.name).split())
        self.reply_to = sender.reply_to or programme.contact_email
        self.templates: dict[tuple[int, str, Measure], Compiled] = {}
        self.measured: dict[int, tuple[Measure, str]] = {}
        self.host = urlsplit(settings.SITE_URL).hostname

    def template(self, message: Held) -> Compiled:
        """Looked up once for a chunk: whether the brand has changed is a question to the database."""
        if message.campaign_id not in self.measured:
            campaign = Campaign.objects.get(pk=message.campaign_id)
            named = utm_of(campaign.kind, campaign.name, campaign.utm_campaign, message.channel)
            self.measured[message.campaign_id] = (measure_of(campaign), named)
        measure, _named = self.measured[message.campaign_id]
        key = (message.version_id or 0, message.language, measure)
        if key not in self.templates:
            self.templates[key] = compiled(*key)
        return self.templates[key]

    def links(self, message: Held) -> dict[str, dict[str, str]]:
        """Of this one message, once its template was looked up."""
        links = links_of(message)
        if links:
            _measure, named = self.measured[message.campaign_id]
            links["links"] |= {"token": token_of(message.id), "utm": named}
        return links

    def headers(self, message: Held, at: datetime) -> dict[str, str]:
        """Those of every attempt: the moment is that of writing."""
        name = self.name.translate(_NOT_IN_NAMES)
        quoted = f'"{name}"' if name.isascii() else name
        headers = {"From": f"{quoted} <{self.address}>", "To": ascii_domain(message.to)}
        if self.reply_to:
            headers["Reply-To"] = self.reply_to
        headers["Message-ID"] = f"<{message.uid}@{self.host}>"
        headers["Date"] = _date(message.frozen_at or at)
        if message.purpose != "service":
            headers["List-Unsubscribe"] = f"<{link_of(message)}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        headers["Auto-Submitted"] = "auto-generated"
        return headers

    def outgoing(self, message: Held, at: datetime) -> Outgoing:
        if message.channel == Medium.EMAIL:
            self.template(message)  # now: a mail is made while the database is busy with another
        return Outgoing(
            id=message.id,
            uid=str(message.uid),
            to=message.to,
            sender=self.address,
            subject=message.subject,
            text=message.text,
            member=message.card_number,
            campaign_id=message.campaign_id,
            rate_per_minute=message.rate_per_minute,
            frame=lambda: self.frame(message, at),
            mail=lambda: self.mail(message, at),
            unsubscribe=link_of(message) if message.channel in _CALLED and message.purpose != "service" else "",
        )

    def frame(self, message: Held, at: datetime) -> bytes:
        """The whole mail. ValueError for an address that no mail can be made for; LiquidError."""
        template = self.template(message)
        headers = self.headers(message, at) | {"Subject": message.subject}
        return template.mime(message.values | self.links(message), headers)

    def mail(self, message: Held, at: datetime) -> EmailMultiAlternatives:
        made = self.template(message).render(message.values | self.links(message))
        headers = self.headers(message, at)
        mail = EmailMultiAlternatives(message.subject, made.text, from_header(self.name), [message.to], headers=headers)
        if self.sender.address:
            mail.from_email = formataddr((self.name, self.address))
        for name in ("From", "To"):
            headers.pop(name)
        mail.extra_headers = headers
        mail.attach_alternative(made.html, "text/html")
        for name, png in made.images.items():
            mail.attach(_inline(name, png))
        return mail


def _inline(name: str, png: bytes):
    part = MIMEImage(png, "png")
    part.add_header("Content-ID", f"<{name}>")
    part.add_header("Content-Disposition", "inline", filename=f"{name}.png")
    return part

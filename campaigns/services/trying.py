"""Looking at a template before anybody gets it: as a member, and as a test message."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.mime.image import MIMEImage
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.core.mail import EmailMultiAlternatives, get_connection
from django.utils.translation import gettext, override
from liquid.exceptions import LiquidError

from campaigns import merge
from campaigns.channels import Outgoing
from campaigns.channels.lines import line_of
from campaigns.content.compiled import Compiled, Content
from campaigns.content.look import look
from campaigns.enums import Medium
from campaigns.merge import Number, Recipient
from campaigns.services.senders import default_sender, usable_channels
from campaigns.services.templates import example
from common.mail import sender
from members.models import Member
from members.queries import get_programme

_NIGHT = re.compile(r"@media \(prefers-color-scheme: dark\)")


def values_for(made: Compiled, member: Member | None, at: datetime) -> dict[str, Any]:
    """What the fields say for a member, with a gift of 100 points as if it were given; made up without one. A coupon
    that the member does not have is made up too, so that its place is seen."""
    with override(made.language):
        samples = example()
        if member is None:
            return samples
        today = at.astimezone(ZoneInfo(get_programme().time_zone)).date()
        recipient = Recipient(member, made.language, at, today, gift_points=0)
        (values,) = merge.values([recipient], made.spaces)
        gift = {"points": Number(100), "expires_on": samples["gift"]["expires_on"]}
        for space in made.codes:
            if not values[space]["code"]:
                values[space] = samples["coupon"]
        if "survey" in values and not values["survey"]["question"]:
            values["survey"] = samples["survey"]
        return {**values, "gift": gift, "links": samples["links"]}


def shown(content: Content, *, dark: bool) -> str:
    """The HTML as a page of its own, with its pictures in it, by day or by night."""
    html = content.html
    for name, png in content.images.items():
        html = html.replace(f"cid:{name}", "data:image/png;base64," + base64.b64encode(png).decode("ascii"))
    return _NIGHT.sub("@media all" if dark else "@media not all", html)


def testable() -> list[Medium]:
    """The channels by which a test can go. How a message looks in the inbox is shown beside the editor."""
    return [channel for channel in usable_channels() if channel is not Medium.APP]


def send_test(
    *,
    content: Mapping[str, Any],
    kind: str,
    languages: Sequence[str],
    member: Member | None,
    to: str,
    at: datetime,
    more: Mapping[str, Any] | None = None,
    channel: str = Medium.EMAIL,
) -> int:
    """Sends a template in each of those languages to one address of a channel, marked as a test; how many messages
    went. LiquidError where it cannot be made for that member; OSError where the mail server refuses, Refusal where
    another way does."""
    style = look()
    made: dict[str, tuple[Compiled, dict[str, Any]]] = {}
    for language in languages:
        one = Compiled(content, language, kind, style, at)
        if one.language not in made:
            made[one.language] = one, {**values_for(one, member, at), **(more or {})}
    if channel == Medium.EMAIL:
        mails = [_mail(one.render(values), to) for one, values in made.values()]
        get_connection().send_messages(mails)
    else:
        _tell(channel, to, [_text(channel, one, values) for one, values in made.values()], member)
    return len(made)


def _text(channel: str, made: Compiled, values: dict[str, Any]) -> str:
    text = made.sms(values)
    if not text and channel == Medium.SMS:
        raise LiquidError(gettext("The template has no short text."), token=None)
    return f"[Test] {text or made.render(values).text}"


def _tell(channel: str, to: str, texts: Sequence[str], member: Member | None) -> None:
    """By the sender of the channel, as its messages go; no message is written down."""
    sender_ = default_sender(channel)
    line = line_of(sender_)
    line.open()
    try:
        for text in texts:
            test = Outgoing(
                id=0,
                uid=f"test-{uuid4()}",
                to=to,
                sender=sender_.address,
                subject="",
                text=text,
                member=member.card_number if member else "",
                campaign_id=0,
                rate_per_minute=None,
                frame=bytes,
                mail=EmailMultiAlternatives,
            )
            line.send(test, lambda *_: None)
    finally:
        line.close()


def _mail(content: Content, to: str) -> EmailMultiAlternatives:
    programme = get_programme()
    mail = EmailMultiAlternatives(
        f"[Test] {content.subject}",
        content.text,
        sender(programme.name),
        [to],
        reply_to=[programme.contact_email] if programme.contact_email else None,
        headers={"Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(content.html, "text/html")
    for name, png in content.images.items():
        image = MIMEImage(png, "png")
        image.add_header("Content-ID", f"<{name}>")
        image.add_header("Content-Disposition", "inline", filename=f"{name}.png")
        mail.attach(image)
    if content.images:
        mail.mixed_subtype = "related"  # type: ignore[attr-defined]
    return mail

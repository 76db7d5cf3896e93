"""Looking at a template before anybody gets it: as a member, and as a test mail."""

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.mime.image import MIMEImage
from typing import Any
from zoneinfo import ZoneInfo

from django.core.mail import EmailMultiAlternatives, get_connection
from django.utils.translation import override

from campaigns import merge
from campaigns.content.compiled import Compiled, Content
from campaigns.content.look import look
from campaigns.merge import Number, Recipient
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


def send_test(
    *,
    content: Mapping[str, Any],
    kind: str,
    languages: Sequence[str],
    member: Member | None,
    to: str,
    at: datetime,
    more: Mapping[str, Any] | None = None,
) -> int:
    """Sends a template in each of those languages to one address, marked as a test; how many mails went. LiquidError
    where it cannot be made for that member; OSError where the mail server refuses."""
    style, mails = look(), {}
    for language in languages:
        made = Compiled(content, language, kind, style, at)
        if made.language not in mails:
            mails[made.language] = _mail(made.render({**values_for(made, member, at), **(more or {})}), to)
    get_connection().send_messages(list(mails.values()))
    return len(mails)


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

"""From a marketer's text to a mail: Liquid makes plain text, MJML the frame around it, css-inline fits it to mail.

Nothing from outside reaches the HTML but as escaped text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import mjml
from css_inline import CSSInliner
from django.utils.translation import gettext, override
from liquid import BoundTemplate, Environment, StrictUndefined
from liquid.exceptions import LiquidError

from campaigns import merge
from campaigns.merge import Recipient
from campaigns.models import BirthdayGreeting
from campaigns.queries import zone_of
from members.models import Member
from members.queries import get_programme
from rewards.queries import points_text

_inliner = CSSInliner(keep_style_tags=True, keep_at_rules=True, load_remote_stylesheets=False)


@dataclass(frozen=True, slots=True)
class Content:
    """A finished mail."""

    subject: str
    text: str
    html: str


@cache
def _layout() -> BoundTemplate:
    compiled = mjml.mjml2html(Path(__file__).with_name("mail.mjml").read_text(encoding="utf-8"))
    return Environment(undefined=StrictUndefined, autoescape=True).from_string(compiled)


def recipient_of(member: Member, birthday: date, greeting: BirthdayGreeting, at: datetime) -> Recipient:
    """A member as the reader of the greeting for one birthday."""
    expires_on = None
    if greeting.gift_points and greeting.gift_valid_days:
        expires_on = at.astimezone(zone_of(member)).date() + timedelta(days=greeting.gift_valid_days)
    return Recipient(member, member.language, at, birthday, greeting.gift_points, expires_on)


def render_greetings(
    greeting: BirthdayGreeting,
    recipients: Sequence[Recipient],
    unsubscribe_urls: Sequence[str],
    made_up: Mapping[str, Mapping[str, Any]] | None = None,
    buttons: Sequence[tuple[str, str]] | None = None,
) -> list[Content | LiquidError]:
    """A mail for each recipient, in order, in their language; a text that cannot be rendered gives its error.

    `made_up` are fields that say something else than the tables; `buttons` where the button leads each, and what
    stands at the end of the HTML.
    """
    address = [line.strip() for line in get_programme().postal_address.splitlines() if line.strip()]
    texts = {}
    for language in {recipient.language for recipient in recipients}:
        with override(language):  # the translated fields answer in the active language
            texts[language] = (
                merge.environment.from_string(greeting.subject),
                merge.environment.from_string(greeting.body),
            )
    finished: list[Content | LiquidError] = []
    buttons = buttons or [("", "")] * len(recipients)
    for recipient, values, url, (button, end) in zip(
        recipients, merge.values(recipients), unsubscribe_urls, buttons, strict=True
    ):
        subject, body = texts[recipient.language]
        with override(recipient.language):
            try:
                said = {**values, **(made_up or {})}
                finished.append(_render(subject, body, said, recipient.language, address, url, button, end))
            except LiquidError as error:
                finished.append(error)
    return finished


def sample(greeting: BirthdayGreeting, *, language: str, at: datetime, unsubscribe_url: str) -> Content | LiquidError:
    """The mail as a made-up member with 1,250 points would get it."""
    with override(language):
        member = Member(name=gettext("Mei Lin"), city=gettext("Hangzhou"), card_number="812345678901", joined_at=at)
    member.language = language
    recipient = recipient_of(member, at.date(), greeting, at)
    made_up = {"points": {"balance": merge.Number(1250 + greeting.gift_points)}}
    return render_greetings(greeting, [recipient], [unsubscribe_url], made_up)[0]


def _render(
    subject: BoundTemplate,
    body: BoundTemplate,
    values: dict[str, Any],
    language: str,
    address: list[str],
    unsubscribe_url: str,
    button_url: str,
    end: str,
) -> Content:
    title = " ".join(subject.render(**values).split())
    paragraphs = _paragraphs(body.render(**values))
    words = _words(values)
    html = (
        _layout()
        .render(
            **values,
            language=language,
            subject=title,
            preview=" ".join(paragraphs[0]) if paragraphs else title,
            paragraphs=paragraphs,
            words=words,
            address=address,
            unsubscribe_url=unsubscribe_url,
            button_url=button_url or values["programme"]["url"],
        )
        .replace("</body>", end + "</body>")
    )
    facts = [gettext("Your points: %(points)s") % {"points": values["points"]["balance"]}, values["programme"]["url"]]
    leave = gettext("Unsubscribe: %(address)s") % {"address": unsubscribe_url}
    foot = [words["because"], leave, values["programme"]["name"], *address]
    blocks = ["\n".join(lines) for lines in (*paragraphs, facts, ["-- ", *foot])]
    return Content(title, "\n\n".join(blocks) + "\n", _inliner.inline(html))


def _paragraphs(text: str) -> list[list[str]]:
    """Paragraphs as lists of lines. What a condition left empty leaves no gap."""
    paragraphs: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            paragraphs[-1].append(line.strip())
        elif paragraphs[-1]:
            paragraphs.append([])
    return [paragraph for paragraph in paragraphs if paragraph]


def _words(values: dict[str, Any]) -> dict[str, str]:
    until = values["gift"]["expires_on"]
    return {
        "gift": gettext("Your birthday gift"),
        "gift_points": points_text(values["gift"]["points"]),
        "gift_until": gettext("to spend until %(day)s") % {"day": until} if until else gettext("yours to keep"),
        "balance": gettext("Your points"),
        "tier": gettext("Your tier"),
        "button": gettext("See your card and points"),
        "because": gettext("You get this mail because you agreed to birthday greetings from %(programme)s.")
        % {"programme": values["programme"]["name"]},
        "unsubscribe": gettext("Unsubscribe"),
    }

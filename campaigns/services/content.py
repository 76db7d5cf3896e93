"""Writing a message: the last look at consent, the gift, and the words, in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_noop, override
from liquid.exceptions import LiquidError

from campaigns import events, merge
from campaigns.content.compiled import compiled
from campaigns.enums import CampaignKind, MessageState, SkipReason
from campaigns.merge import Recipient
from campaigns.models import BirthdayGreeting, Message
from campaigns.queries import zone_of
from campaigns.rendering import Content, recipient_of, render_greetings, sample
from campaigns.services.unsubscribe import unsubscribe_url
from campaigns.services.writers import Writer, writer_of
from common.mail import sender
from members.enums import Language
from members.models import Consent
from members.queries import get_programme
from rewards.services.gifts import Gift, give_points


@transaction.atomic
def freeze(*, messages: Sequence[Message], at: datetime) -> list[Message]:
    """Makes claimed messages ready to send; returns those that are, with their content.

    The others are settled: skipped with the reason, or failed because the text cannot be rendered. Content and gift of
    an earlier attempt stay as they are; the address is the member's present one.
    """
    held = Message.objects.filter(pk__in=[m.pk for m in messages], state=MessageState.CLAIMED).order_by("pk")
    tokens = {message.pk: message.token for message in messages}
    mine = [m for m in held.select_for_update(of=("self",)).select_related("member", "campaign") if m.token == tokens[m.pk]]
    wanted = _consenting(mine)
    ready, new = [], []
    for message in mine:
        if reason := _reason_against(message, wanted):
            _end(message, at, state=MessageState.SKIPPED, reason=reason)
        elif message.frozen_at is None:
            new.append(message)
        else:
            message.to = message.member.email  # not where it was first tried: the address may have been mended
            message.save(update_fields=["to"])
            ready.append(message)
    return sorted(ready + _write(new, at), key=lambda message: (message.next_try_at, message.pk))


def _consenting(messages: Sequence[Message]) -> set[tuple[int, str, str]]:
    last_words = (
        Consent.objects.filter(member_id__in=[message.member_id for message in messages])
        .order_by("member_id", "channel", "purpose", "-at", "-id")
        .distinct("member_id", "channel", "purpose")
    )
    return {(word.member_id, word.channel, word.purpose) for word in last_words if word.granted}


def _reason_against(message: Message, wanted: set[tuple[int, str, str]]) -> str:
    if (message.member_id, message.channel, message.campaign.purpose) not in wanted:
        return SkipReason.NO_CONSENT
    if not message.member.email:
        return SkipReason.NO_ADDRESS
    if message.frozen_at is not None or message.campaign.kind != CampaignKind.BIRTHDAY:
        return ""
    birthday = message.member.birthday
    if birthday is None or birthday.falls_on(message.occurrence_year) != message.occurrence_day:
        return SkipReason.BIRTHDAY_CHANGED
    return ""


def _write(messages: list[Message], at: datetime) -> list[Message]:
    greetings, ready = [], []
    for kind in sorted({message.campaign.kind for message in messages}):
        of_kind = [message for message in messages if message.campaign.kind == kind]
        writer = writer_of(kind)
        if writer is None:
            greetings += of_kind
        else:
            ready += _write_by(writer, of_kind, at)
    return ready + _write_greetings(greetings, at)


def _write_by(writer: Writer, messages: list[Message], at: datetime) -> list[Message]:
    ready = []
    for message, said in zip(messages, writer(messages, at), strict=True):
        message.language, message.to, message.gift_id = said.language, message.member.email, said.gift_id
        leave = _link(message)
        values = {**said.values, "links": {"unsubscribe": leave, "preferences": leave + "choices/"}}
        try:
            content = compiled(said.version_id, said.language).render(values)
            subject = content.subject
            if said.subject:
                with override(said.language):
                    line = merge.environment.from_string(said.subject).render(**merge.revived(values))
                subject = " ".join(line.split())
        except LiquidError as error:
            _end(message, at, state=MessageState.FAILED, error=str(error))
            events.record_messages(events.MESSAGE_FAILED, [message.pk], at)
            continue
        message.frozen_at = at
        message.subject, message.text, message.html = subject[:500], content.text, content.html
        ready.append(message)
    Message.objects.bulk_update(messages, ["language", "to", "gift", "frozen_at", "subject", "text", "html"])
    return ready


def _write_greetings(messages: list[Message], at: datetime) -> list[Message]:
    if not messages:
        return []
    greeting = BirthdayGreeting.objects.get(pk=1)
    recipients = [recipient_of(message.member, message.occurrence_day, greeting, at) for message in messages]
    if greeting.gift_points:
        gifts = [_gift(message, recipient) for message, recipient in zip(messages, recipients, strict=True)]
        given = give_points(gifts=gifts, at=at)
        for message, gift in zip(messages, gifts, strict=True):
            message.gift_id = given[gift.key]
    links = [_link(message) for message in messages]
    ready = []
    for message, recipient, content in zip(
        messages, recipients, render_greetings(greeting, recipients, links), strict=True
    ):
        message.language = recipient.language
        message.to = recipient.member.email
        if isinstance(content, LiquidError):
            _end(message, at, state=MessageState.FAILED, error=str(content))
            events.record_messages(events.MESSAGE_FAILED, [message.pk], at)
            continue
        message.frozen_at = at
        message.subject, message.text, message.html = content.subject, content.text, content.html
        ready.append(message)
    Message.objects.bulk_update(messages, ["language", "to", "gift", "frozen_at", "subject", "text", "html"])
    return ready


def _gift(message: Message, recipient: Recipient) -> Gift:
    last_day = recipient.gift_expires_on
    zone = zone_of(recipient.member)
    return Gift(
        member_id=message.member_id,
        amount=recipient.gift_points,
        key=f"birthday:{message.member_id}:{message.occurrence_year}",
        reason=gettext_noop("Birthday gift"),
        expires_at=datetime.combine(last_day + timedelta(days=1), time(), zone) if last_day else None,
        why={"campaign": message.campaign.kind, "message": message.pk, "day": message.occurrence_day.isoformat()},
    )


def _end(message: Message, at: datetime, *, state: MessageState, reason: str = "", error: str = "") -> None:
    message.state, message.reason, message.error = state, reason, error
    message.lease_until, message.token, message.changed_at = None, None, at
    message.save(update_fields=["state", "reason", "error", "lease_until", "token", "changed_at"])


def _link(message: Message) -> str:
    return unsubscribe_url(member_id=message.member_id, channel=message.channel, purpose=message.campaign.purpose)


def email(message: Message, *, name: str, reply_to: str) -> EmailMultiAlternatives:
    """The mail of a message as it was frozen. Every attempt has the same Message-ID and content."""
    content = Content(message.subject, message.text, message.html)
    return compose(
        content,
        name=name,
        to=message.to,
        link=_link(message),
        reply_to=reply_to,
        headers={"Message-ID": message.message_id},
    )


def compose(
    content: Content, *, name: str, to: str, link: str, reply_to: str, headers: Mapping[str, str] | None = None
) -> EmailMultiAlternatives:
    """A mail from `name` with both parts, from which mail programs can unsubscribe with one click (RFC 8058)."""
    mail = EmailMultiAlternatives(
        content.subject,
        content.text,
        sender(name),
        [to],
        reply_to=[reply_to] if reply_to else None,
        headers={
            "List-Unsubscribe": f"<{link}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
            **(headers or {}),
        },
    )
    mail.attach_alternative(content.html, "text/html")
    return mail


def send_test(*, greeting: BirthdayGreeting, to: str, at: datetime) -> None:
    """Sends a made-up member's greeting in each language to one address.

    LiquidError where the text cannot be rendered; OSError where the mail server refuses.
    """
    link = settings.SITE_URL + reverse("campaigns:unsubscribe", args=["test"])
    programme, mails = get_programme(), []
    for language in Language.values:
        content = sample(greeting, language=language, at=at, unsubscribe_url=link)
        if isinstance(content, LiquidError):
            raise content
        mails.append(compose(content, name=programme.name, to=to, link=link, reply_to=programme.contact_email))
    get_connection().send_messages(mails)

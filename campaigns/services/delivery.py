"""Delivery: claim, write, hand over, mark. Each step is committed before the next; docs/messages.md.

A message is claimed for a while (a lease), under a token: whoever lost the claim can write nothing more. Its content
and its gift are fixed in one transaction before the first attempt. `handing_over` is committed at the last moment
before the first byte of the message leaves; up to then a failure means nothing was sent, and it is tried again; after
it only the server's own word counts, and without one the message is `unknown` and is never sent again by itself.
"""

import smtplib
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection as database
from django.db import transaction
from django.db.models import F, QuerySet

from campaigns import events
from campaigns.enums import CampaignState, MessageState
from campaigns.models import Campaign, Message
from campaigns.services.birthdays import record_missed
from campaigns.services.content import email, freeze
from campaigns.services.pressure import admit
from common.mail import SmtpBackend
from members.models import Programme
from members.queries import get_programme

log = structlog.get_logger(__name__)
Clock = Callable[[], datetime]

BATCH = 50
LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 8
RUN = timedelta(minutes=5)  # of one task; the next tick goes on
_LOCK = 0x4D41494C  # one deliverer at a time: a slow mail server holds up one worker, not all of them


class LostClaim(Exception):
    """The message is no longer ours: the lease ran out, or the member said no."""


class _Halt(Exception):
    """The server, not the message, is in trouble: leave the rest for later. `args[0]` says what happened."""


def pause(attempts: int) -> timedelta:
    """How long a message waits after its n-th attempt: 1 min, 4 min, 16 min, 64 min, 4 h, then 6 h."""
    return min(timedelta(minutes=4 ** (attempts - 1)), timedelta(hours=6))


def deliver(*, clock: Clock) -> int:
    """Sends what waits until nothing is due, the server is in trouble or five minutes are over; how many were sent."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    try:
        until, sent = clock() + RUN, 0
        sweep(at=clock())
        while clock() < until:
            claimed = claim(at=clock())
            if not claimed:
                break
            done, halted = _deliver_batch(claimed, clock)
            sent += done
            if halted:
                break
        return sent
    finally:
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


@transaction.atomic
def sweep(*, at: datetime) -> None:
    """Takes over from the dead: claims that ran out wait again, too late is `missed`, in doubt is `unknown`."""
    stale = Message.objects.filter(lease_until__lte=at)
    stale.filter(state=MessageState.CLAIMED).update(
        state=MessageState.QUEUED, next_try_at=at, changed_at=at, lease_until=None
    )
    late = Message.objects.filter(state=MessageState.QUEUED, expires_at__lte=at)
    if late.update(state=MessageState.MISSED, changed_at=at):
        record_missed(at=at)
    for message in stale.filter(state=MessageState.HANDING_OVER).order_by("pk"):
        _unknown(message, at, "The worker was stopped while it handed the message over.")


@transaction.atomic
def claim(*, at: datetime, limit: int = BATCH) -> list[Message]:
    """Takes messages that are due, longest waiting first. The attempt counts even if the worker dies."""
    running = Campaign.objects.filter(state=CampaignState.RUNNING)
    due = Message.objects.filter(
        state=MessageState.QUEUED, next_try_at__lte=at, expires_at__gt=at, campaign__in=running
    )
    messages: list[Message] = []
    while not messages:  # what pressure holds back is not due any more
        found = list(due.order_by("next_try_at", "id").select_for_update(of=("self",), skip_locked=True)[:limit])
        if not found:
            return []
        admitted = admit(message_ids=[message.pk for message in found], at=at)
        messages = [message for message in found if message.pk in admitted]
    claim = {"state": MessageState.CLAIMED, "token": uuid.uuid4(), "lease_until": at + LEASE, "changed_at": at}
    Message.objects.filter(pk__in=[m.pk for m in messages]).update(**claim, attempts=F("attempts") + 1)
    for message in messages:
        message.attempts += 1
        for name, value in claim.items():
            setattr(message, name, value)
    return messages


def _deliver_batch(claimed: list[Message], clock: Clock) -> tuple[int, bool]:
    """How many were sent, and whether the server is in trouble."""
    deadline = clock() + LEASE * 3 / 4
    waiting = []
    for message in claimed:
        if message.attempts > MAX_ATTEMPTS:
            _fail(message, clock(), message.error or "The worker died at every attempt.")
        else:
            waiting.append(message)
    ready = _freeze(waiting, clock)
    smtp, programme, sent = get_connection(), get_programme(), 0
    try:
        for place, message in enumerate(ready):
            if clock() > deadline:
                _release(ready[place:], clock(), wait=timedelta())
                break
            try:
                sent += _hand_over(message, _mail(message, programme), smtp, clock)
            except _Halt as trouble:
                log.warning("mail server in trouble", error=str(trouble))
                _release(ready[place + 1 :], clock(), wait=pause(1))
                return sent, True
    finally:
        _close(smtp)
    return sent, False


def _mail(message: Message, programme: Programme) -> EmailMessage:
    return email(message, name=programme.name, reply_to=programme.contact_email)


def _freeze(messages: list[Message], clock: Clock) -> list[Message]:
    """Writes the contents of a batch. If one of them breaks it, each goes by itself and the bad one waits."""
    try:
        return freeze(messages=messages, at=clock())
    except Exception as error:
        if len(messages) > 1:
            return [ready for message in messages for ready in _freeze([message], clock)]
        log.exception("message cannot be written", message_id=messages[0].pk)
        _retry(messages[0], clock(), f"{type(error).__name__}: {error}")
        return []


def _hand_over(message: Message, mail: EmailMessage, smtp: BaseEmailBackend, clock: Clock) -> bool:
    """One message to the server. True where it said yes; _Halt where it is no use to go on."""
    begun = False

    def begin() -> None:
        nonlocal begun
        _begin(message, clock())
        begun = True

    try:
        smtp.open()
    except Exception as error:
        _retry(message, clock(), _describe(error))
        raise _Halt(str(error)) from error
    try:
        if isinstance(smtp, SmtpBackend):
            smtp.before_body = begin
        elif not getattr(smtp, "idempotent", False):
            begin()
        smtp.send_messages([mail])
    except LostClaim:
        _close(smtp)
        return False
    except Exception as error:
        _settle_error(message, error, begun, clock())
        if _is_about_server(error):
            _close(smtp)
            raise _Halt(str(error)) from error
        return False
    return _sent(message, clock())


def _is_about_server(error: Exception) -> bool:
    """Whether the next message would meet the same trouble."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return 421 in _codes(error)
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code == 421
    return isinstance(error, OSError) and not isinstance(error, smtplib.SMTPNotSupportedError)


def _settle_error(message: Message, error: Exception, begun: bool, at: datetime) -> None:
    text = _describe(error)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        for_good = min(_codes(error)) >= 500
    elif isinstance(error, smtplib.SMTPDataError):  # the server's word counts even after the last dot
        for_good = error.smtp_code >= 500
    elif isinstance(error, (ValueError, smtplib.SMTPNotSupportedError)):  # an address that no mail can be made for
        for_good = True
    elif begun:
        _unknown(message, at, text)
        return
    else:  # a wrong password or sender is for the operator to mend, and until then no reason to lose a greeting
        for_good = False
    if for_good:
        _fail(message, at, text)
    else:
        _retry(message, at, text)


def _codes(error: smtplib.SMTPRecipientsRefused) -> list[int]:
    return [code for code, _ in error.recipients.values()]


def _describe(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{code} {text.decode(errors='replace')}" for code, text in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return f"{error.smtp_code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    return f"{type(error).__name__}: {error}"


def _close(smtp: BaseEmailBackend) -> None:
    """Drops the connection without a QUIT, which would wait for a server that hangs."""
    connection = getattr(smtp, "connection", None)
    if connection is not None:
        connection.close()
        smtp.connection = None  # type: ignore[attr-defined]


# --- the moves of one message; each checks that the claim still holds --------------------------------------------
def _mine(message: Message, *states: MessageState) -> QuerySet[Message]:
    return Message.objects.filter(pk=message.pk, token=message.token, state__in=states)


def _begin(message: Message, at: datetime) -> None:
    lease = at + timedelta(seconds=2 * settings.EMAIL_TIMEOUT) + LEASE
    mine = _mine(message, MessageState.CLAIMED)
    if not mine.update(state=MessageState.HANDING_OVER, lease_until=lease, changed_at=at):
        raise LostClaim


@transaction.atomic
def _sent(message: Message, at: datetime) -> bool:
    # A server's yes also settles what was put down as unknown while it took its time.
    mine = _mine(message, MessageState.CLAIMED, MessageState.HANDING_OVER, MessageState.UNKNOWN)
    moved = mine.update(state=MessageState.SENT, sent_at=at, changed_at=at, lease_until=None, error="")
    if moved:
        events.record_messages(events.MESSAGE_SENT, [message.pk], at)
    return bool(moved)


@transaction.atomic
def _fail(message: Message, at: datetime, error: str) -> None:
    mine = _mine(message, MessageState.CLAIMED, MessageState.HANDING_OVER, MessageState.UNKNOWN)
    if mine.update(state=MessageState.FAILED, changed_at=at, lease_until=None, error=error):
        events.record_messages(events.MESSAGE_FAILED, [message.pk], at)


@transaction.atomic
def _unknown(message: Message, at: datetime, error: str) -> None:
    mine = _mine(message, MessageState.HANDING_OVER)
    if mine.update(state=MessageState.UNKNOWN, changed_at=at, lease_until=None, error=error):
        events.record_messages(events.MESSAGE_UNKNOWN, [message.pk], at)


def _retry(message: Message, at: datetime, error: str) -> None:
    if message.attempts >= MAX_ATTEMPTS:
        _fail(message, at, error)
        return
    _mine(message, MessageState.CLAIMED, MessageState.HANDING_OVER, MessageState.UNKNOWN).update(
        state=MessageState.QUEUED,
        next_try_at=at + pause(message.attempts),
        changed_at=at,
        lease_until=None,
        error=error,
    )


def _release(messages: Sequence[Message], at: datetime, *, wait: timedelta) -> None:
    """Gives back what was not tried; it does not count as an attempt."""
    mine = Message.objects.filter(state=MessageState.CLAIMED, pk__in=[message.pk for message in messages])
    if messages:
        mine.filter(token=messages[0].token).update(
            state=MessageState.QUEUED,
            attempts=F("attempts") - 1,
            next_try_at=at + wait,
            changed_at=at,
            lease_until=None,
        )

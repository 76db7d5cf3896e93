"""Double opt-in: where the shop chose so, a yes counts only once somebody at that address pressed the button behind the
link that went there. docs/preferences.md."""

import smtplib
from datetime import datetime, timedelta

import structlog
from anymail.exceptions import AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import send_mail
from django.core.signing import BadSignature, Signer
from django.db import connection, transaction
from django.db.models import F, QuerySet, Sum
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, override

from campaigns import events
from campaigns.models import OptInRule, PendingConsent
from common.doorbell import ring
from common.mail import sender
from common.sms import send_sms
from members.enums import Channel, Purpose
from members.events import record
from members.models import Member
from members.queries import get_programme
from members.services.consent import Asked, register_gate, state_consent

log = structlog.get_logger(__name__)
MESSAGES = 3  # to one address for one yes
BETWEEN = timedelta(minutes=10)
A_DAY = 5  # to one member, however often they change their mind
TRY_AGAIN = timedelta(minutes=5)
_signer = Signer(salt="campaigns.opt_in", sep="~")


class BadLink(Exception):
    """The link is cut off or altered."""


class TooLate(Exception):
    """The yes ran out, was taken back, or the address is no longer the member's."""


class NotYet(Exception):
    """A message went out a moment ago, or as many as there may be."""


def gate(asked: Asked) -> bool:
    """Takes in a yes that has to be confirmed first; a no ends the waiting. Called by state_consent, in its
    transaction, under the lock of the member."""
    waiting = _waiting(asked.member.pk, asked.channel, asked.purpose)
    if not asked.granted:
        waiting.update(withdrawn_at=asked.at, send_at=None)
        return False
    rule = OptInRule.objects.filter(channel=asked.channel, purpose=asked.purpose, active=True).first()
    if rule is None:
        return False
    waiting.filter(expires_at__lte=asked.at).update(withdrawn_at=F("expires_at"), send_at=None)
    address = address_of(asked.member, asked.channel)
    known = waiting.first()
    if known is not None and known.address == address:
        if _may_send(known, asked.at):
            _queue(known, asked.at)
        return True
    waiting.update(withdrawn_at=asked.at, send_at=None)
    pending = PendingConsent.objects.create(
        member=asked.member,
        channel=asked.channel,
        purpose=asked.purpose,
        address=address,
        wording=asked.wording,
        source=asked.source[:40],
        evidence=asked.evidence[:200],
        actor_id=asked.actor_id,
        asked_at=asked.at,
        expires_at=asked.at + timedelta(days=rule.days),
    )
    record(
        member_id=asked.member.pk, kind=events.CONSENT_ASKED, at=asked.at, data=_said(pending), actor_id=asked.actor_id
    )
    if _may_send(pending, asked.at):
        _queue(pending, asked.at)
    return True


def register() -> None:
    register_gate(gate)


def address_of(member: Member, channel: str) -> str:
    """Where a member is written to by a channel."""
    return str(member.phone or "") if channel == Channel.SMS else member.email


def _waiting(member_id: int, channel: str, purpose: str) -> QuerySet[PendingConsent]:
    return PendingConsent.objects.filter(
        member_id=member_id, channel=channel, purpose=purpose, confirmed_at=None, withdrawn_at=None
    )


def _said(pending: PendingConsent) -> dict[str, str]:
    return {"channel": pending.channel, "purpose": pending.purpose, "source": pending.source}


def _may_send(pending: PendingConsent, at: datetime) -> bool:
    if not pending.address or pending.sent >= MESSAGES:
        return False
    if pending.sent_at is not None and at - pending.sent_at < BETWEEN:
        return False
    lately = PendingConsent.objects.filter(member_id=pending.member_id, sent_at__gt=at - timedelta(days=1))
    return (lately.aggregate(n=Sum("sent"))["n"] or 0) < A_DAY


def _queue(pending: PendingConsent, at: datetime) -> None:
    PendingConsent.objects.filter(pk=pending.pk).update(send_at=at)
    ring("campaigns.tasks.send_confirmations")


@transaction.atomic
def send_again(*, pending_id: int, at: datetime) -> None:
    """One more message for a yes that waits. NotYet; TooLate."""
    pending = PendingConsent.objects.select_for_update().get(pk=pending_id)
    if pending.confirmed_at or pending.withdrawn_at or pending.expires_at <= at:
        raise TooLate
    if not _may_send(pending, at):
        raise NotYet
    _queue(pending, at)


def send_due(*, at: datetime) -> int:
    """Sends the messages that wait; how many went out. One that a crash cuts off may go twice: it asks the same."""
    due = PendingConsent.objects.filter(
        send_at__lte=at, confirmed_at=None, withdrawn_at=None, expires_at__gt=at
    ).order_by("send_at")
    sent = 0
    for pending_id in list(due.values_list("pk", flat=True)):
        try:
            sent += _send(pending_id, at)
        except (smtplib.SMTPRecipientsRefused, AnymailRecipientsRefused, ValueError):  # no better in a while
            log.warning("confirmation refused", pending=pending_id, exc_info=True)
            PendingConsent.objects.filter(pk=pending_id).update(send_at=None)
        except Exception as error:
            if not connection.is_usable():  # the database is away: nothing can be written down
                raise
            log.warning("confirmation not sent", pending=pending_id, exc_info=True)
            PendingConsent.objects.filter(pk=pending_id).update(send_at=at + TRY_AGAIN)
            if isinstance(error, OSError):  # the others would meet the same
                break
    return sent


@transaction.atomic
def _send(pending_id: int, at: datetime) -> bool:
    found = PendingConsent.objects.select_for_update(skip_locked=True, of=("self",)).select_related("member")
    pending = found.filter(pk=pending_id, send_at__isnull=False).first()
    if pending is None:
        return False
    with override(pending.member.language):
        subject, text = _words(pending)
        if pending.channel == Channel.SMS:
            send_sms(pending.address, text)
        else:
            send_mail(subject, text, sender(get_programme().name), [pending.address])
    pending.sent, pending.sent_at, pending.send_at = pending.sent + 1, at, None
    pending.save(update_fields=["sent", "sent_at", "send_at"])
    return True


def confirm_url(pending: PendingConsent) -> str:
    """The full address of the page that asks."""
    return settings.SITE_URL + reverse("campaigns:confirm", args=[_signer.sign(str(pending.uid))])


def _words(pending: PendingConsent) -> tuple[str, str]:
    words = {
        "programme": get_programme().name,
        "what": Purpose(pending.purpose).label,
        "link": confirm_url(pending),
        "day": date_format(localtime(pending.expires_at), "DATE_FORMAT"),
        "wording": pending.wording.text if pending.wording else "",
    }
    if pending.channel == Channel.SMS:
        return "", gettext("%(programme)s: please confirm “%(what)s” here: %(link)s") % words
    subject = gettext("Please confirm: %(what)s from %(programme)s") % words
    parts = [
        gettext("You asked us to write to you: %(what)s. Please confirm that this address is yours:") % words,
        str(words["link"]),
        str(words["wording"]),
        gettext("The link works until %(day)s. If it was not you, do nothing: then we do not write to you.") % words,
        str(words["programme"]),
    ]
    return subject, "\n\n".join(part for part in parts if part) + "\n"


def read_confirmation(*, token: str, at: datetime) -> PendingConsent:
    """The yes that a link is about, confirmed already or still waiting. BadLink; TooLate."""
    try:
        uid = _signer.unsign(token)
        pending = PendingConsent.objects.select_related("member", "wording").filter(uid=uid).first()
    except (BadSignature, ValueError) as error:
        raise BadLink from error
    if pending is None or pending.withdrawn_at:
        raise TooLate
    if pending.confirmed_at is None and (
        pending.expires_at <= at or address_of(pending.member, pending.channel) != pending.address
    ):
        raise TooLate
    return pending


@transaction.atomic
def confirm(*, token: str, at: datetime) -> PendingConsent:
    """Makes the yes count, in the words that were shown when it was said. A second time changes nothing. BadLink;
    TooLate; MemberGone."""
    pending = read_confirmation(token=token, at=at)
    Member.objects.select_for_update(no_key=True).get(pk=pending.member_id)  # a no may come at the same moment
    pending = read_confirmation(token=token, at=at)
    if pending.confirmed_at is not None:
        return pending
    evidence = f"{pending.evidence} " if pending.evidence else ""
    state_consent(
        member_id=pending.member_id,
        channel=pending.channel,
        purpose=pending.purpose,
        granted=True,
        source=pending.source,
        evidence=f"{evidence}confirmed by link {pending.uid}",
        wording=pending.wording,
        actor_id=pending.actor_id,
        confirmed=True,
        at=at,
    )
    PendingConsent.objects.filter(pk=pending.pk, confirmed_at=None).update(confirmed_at=at, send_at=None)
    pending.confirmed_at = at
    return pending

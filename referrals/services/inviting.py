"""Mails that members ask us to send to friends: few a day, and never again to who does not want any."""

import smtplib
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.signing import Signer
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext, override

from common.doorbell import ring
from common.mail import sender
from common.sql import lock
from members.models import Member
from members.queries import get_programme
from referrals.marks import mail_mark
from referrals.models import Advocate, Invite, Unwilling
from referrals.queries import open_to, reading
from referrals.services.blocks import is_blocked
from referrals.words import first_name, share_text, text

log = structlog.get_logger(__name__)
BATCH = 100


class TooManyInvites(Exception):
    """As many as there may be within 24 hours."""


class NoProgramme(Exception):
    """Nobody is thanked for bringing friends, or not this member."""


@transaction.atomic
def invite(*, advocate: Advocate, address: str, language: str, at: datetime) -> bool:
    """Asks for a mail to a friend; whether one will go out. Whoever is a member already, or wants no such mails, gets
    none, and the giver is not told which. An address is asked once. ValidationError; TooManyInvites; NoProgramme."""
    address = address.strip()
    validate_email(address)
    lock(f"referrals.invite:{advocate.pk}")
    programme = open_to([advocate.member_id], at).get(advocate.member_id)
    if programme is None:
        raise NoProgramme
    asked = Invite.objects.filter(advocate=advocate, created_at__gt=at - timedelta(days=1)).count()
    if asked >= reading(programme[1]).invites_per_day:
        raise TooManyInvites
    mark = mail_mark(address)
    is_unwanted = (
        Unwilling.objects.filter(mark=mark).exists()
        or Member.objects.filter(email__iexact=address).exists()
        or is_blocked([Member(email=address)])
    )
    _made, is_new = Invite.objects.get_or_create(
        advocate=advocate,
        mark=mark,
        defaults={
            "address": "" if is_unwanted else address,
            "language": language,
            "created_at": at,
            "failed_at": at if is_unwanted else None,
        },
    )
    if is_new and not is_unwanted:
        ring("referrals.tasks.send_invites", every=5)
    return is_new and not is_unwanted


def send_waiting(*, at: datetime) -> int:
    """Sends what was asked for; how many. What was handed over to the mail server is never handed over again: a crash
    in between loses that one invitation."""
    sent = 0
    for pk in (
        Invite.objects.filter(sent_at=None, failed_at=None).order_by("created_at").values_list("pk", flat=True)[:BATCH]
    ):
        sent += _send(pk, at)
    return sent


def _send(pk: int, at: datetime) -> int:
    with transaction.atomic():
        waiting = Invite.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            pk=pk, sent_at=None, failed_at=None
        )
        one = waiting.select_related("advocate__member").first()
        if one is None:
            return 0
        address, one.address, one.sent_at = one.address, "", at
        one.save(update_fields=["address", "sent_at"])
        programme = open_to([one.advocate.member_id], at).get(one.advocate.member_id)
        if programme is None or Unwilling.objects.filter(mark=one.mark).exists():
            return 0
    with override(one.language):
        definition, club = reading(programme[1]), get_programme().name
        giver = first_name(one.advocate.member.name) if one.advocate.shows_name else ""
        link = settings.SITE_URL + reverse("portal:referral", args=[one.advocate.code]) + "?c=invite"
        refuse = settings.SITE_URL + reverse("portal:invites_refuse", args=[_signer().sign(one.mark)])
        name = giver or gettext("A friend")
        said = share_text(definition, name=name, link=link)
        why = gettext(
            "%(name)s asked us to send you this one message. We have not kept your address. "
            "If you never want such a message again: %(refuse)s"
        ) % {"name": name, "refuse": refuse}
        terms = text(definition, "terms")
        small = "\n\n".join([f"{club}\n{why}", *([f"{gettext('Terms')}: {terms}"] if terms else [])])
        subject = " ".join(f"{name}: {text(definition, 'headline')}".split())
        mail = EmailMessage(subject, f"{said}\n\n--\n{small}\n", sender(club), [address])
        mail.extra_headers["List-Unsubscribe"] = f"<{refuse}>"
    try:
        mail.send()
    except (smtplib.SMTPException, OSError) as error:
        log.warning("invitation could not be sent", error=type(error).__name__)
        Invite.objects.filter(pk=pk).update(sent_at=None, failed_at=at)
        return 0
    return 1


def _signer() -> Signer:
    return Signer(salt="referrals.invites")


def wants_invites(token: str) -> bool:
    """Whether the mailbox of an invitation's link may get more of them. The link holds its mark, so that it can be
    refused when the invitation itself is long forgotten. BadSignature."""
    return not Unwilling.objects.filter(mark=_signer().unsign(token)).exists()


@transaction.atomic
def refuse_invites(*, token: str, at: datetime) -> None:
    """The mailbox of an invitation's link gets none from anybody, for ever. BadSignature."""
    mark = _signer().unsign(token)
    Unwilling.objects.get_or_create(mark=mark, defaults={"at": at})
    Invite.objects.filter(mark=mark, sent_at=None).update(address="", failed_at=at)

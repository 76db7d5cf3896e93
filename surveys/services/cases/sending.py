"""Mail of cases: answers to members, and words to staff whose time runs out."""

import smtplib
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, send_mail
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, override

from common.mail import sender
from members.models import User
from members.queries import get_programme
from surveys.enums_cases import UNDONE
from surveys.models import Case, CaseMessage
from surveys.queries_desk import told_when_late
from surveys.services.cases.acting import address_of
from surveys.services.cases.hearing import LINE
from surveys.services.cases.opening import note_change, wind

log = structlog.get_logger(__name__)
TRY_AGAIN = timedelta(minutes=5)


def reply_address(case: Case) -> str:
    """Where an answer to a mail of this case goes: the shop's mailbox with the case's token; "" where it has none."""
    name, at_sign, domain = settings.CASES_MAILBOX.partition("@")
    return f"{name}+{case.uid.hex}@{domain}" if at_sign else ""


def send_due(*, at: datetime) -> int:
    """Sends the answers that wait; how many went out. One that a crash cuts off may go twice, under one Message-ID."""
    sent = 0
    for pk in list(CaseMessage.objects.filter(send_at__lte=at).order_by("send_at").values_list("pk", flat=True)[:500]):
        try:
            sent += _send(pk, at)
        except (smtplib.SMTPRecipientsRefused, ValueError):  # it will not be better in a while
            log.warning("case mail refused", message=pk, exc_info=True)
            CaseMessage.objects.filter(pk=pk).update(send_at=None, refused=True)
        except OSError:
            log.warning("case mail not sent", message=pk, exc_info=True)
            CaseMessage.objects.filter(pk=pk).update(send_at=at + TRY_AGAIN)
            break
    return sent


@transaction.atomic
def _send(pk: int, at: datetime) -> bool:
    found = CaseMessage.objects.select_for_update(skip_locked=True, of=("self",)).select_related("case__member")
    message = found.filter(pk=pk, send_at__isnull=False).first()
    if message is None:
        return False
    case, address = message.case, address_of(message.case)
    message.send_at = None
    if address:
        with override(case.member.language if case.member else settings.LANGUAGE_CODE):
            _mail(case, message, address).send()
        message.sent_at = at
    else:  # erased or merged in the meantime
        message.refused = True
    message.save(update_fields=["send_at", "sent_at", "refused"])
    return bool(address)


def _mail(case: Case, message: CaseMessage, address: str) -> EmailMessage:
    programme = get_programme().name
    back = reply_address(case)
    foot = []
    if back:
        foot.append(gettext("You can simply answer this mail; please write above this line."))
    if case.member is not None and case.member.user_id is not None:
        link = settings.SITE_URL + reverse("portal:case", args=[case.uid])
        foot.append(gettext("The whole conversation: %(link)s") % {"link": link})
    body = "\n\n".join([message.text, f"{LINE} {' '.join([programme, '·', case.number])}", *foot]) + "\n"
    domain = settings.SITE_URL.partition("://")[2].partition("/")[0].partition(":")[0] or "localhost"
    return EmailMessage(
        subject=f"[{case.number}] {case.subject}",
        body=body,
        from_email=sender(programme),
        to=[address],
        reply_to=[back] if back else None,
        headers={"Message-ID": f"<case-{case.uid.hex}-{message.pk}@{domain}>"},
    )


def tell_owners() -> int:
    """Tells people by mail of cases that landed with them; how many mails went out."""
    told = 0
    for pk in list(Case.objects.filter(owner_untold=True).order_by("pk").values_list("pk", flat=True)[:500]):
        try:
            told += _tell_owner(pk)
        except smtplib.SMTPRecipientsRefused:
            log.warning("owner not told", case=pk, exc_info=True)
            Case.objects.filter(pk=pk).update(owner_untold=False)
        except OSError:
            log.warning("owner not told", case=pk, exc_info=True)
            break
    return told


@transaction.atomic
def _tell_owner(pk: int) -> bool:
    found = Case.objects.select_for_update(skip_locked=True, of=("self",)).select_related("owner", "member")
    case = found.filter(pk=pk, owner_untold=True).first()
    if case is None:
        return False
    Case.objects.filter(pk=pk).update(owner_untold=False)
    if case.owner is None or not case.owner.is_active or case.state not in UNDONE:
        return False
    until = case.next_due
    words = {
        "number": case.number,
        "kind": case.get_kind_display(),  # type: ignore[attr-defined]
        "subject": case.subject,
        "when": date_format(localtime(until), "SHORT_DATETIME_FORMAT") if until else "–",
        "link": settings.SITE_URL + reverse("admin:surveys_case_change", args=[case.pk]),
    }
    subject = gettext("%(number)s is on your desk: %(kind)s") % words
    text = gettext("%(subject)s\n\nSomebody waits for you until %(when)s.\n\n%(link)s\n") % words
    send_mail(subject, text, sender(get_programme().name), [case.owner.email])
    return True


def watch(*, at: datetime) -> int:
    """Reminds owners before a time runs out, and tells whoever hears of late cases once it did; of how many."""
    due = Case.objects.filter(remind_at__lte=at).order_by("remind_at")
    told = 0
    for pk in list(due.values_list("pk", flat=True)[:500]):
        try:
            told += _watch(pk, at)
        except OSError:
            log.warning("reminder not sent", case=pk, exc_info=True)
            break
    return told


@transaction.atomic
def _watch(pk: int, at: datetime) -> bool:
    found = Case.objects.select_for_update(skip_locked=True, of=("self",)).select_related("owner")
    case = found.filter(Q(pk=pk, remind_at__lte=at)).first()
    if case is None:
        return False
    until = case.next_due
    if until is None:
        wind(case, at=at)
        case.save(update_fields=["remind_at"])
        return False
    is_late = at >= until
    case.remind_at = None if is_late else until
    if is_late:
        case.escalated_at = case.escalated_at or at
    case.save(update_fields=["remind_at", "escalated_at"])
    note_change(case, "late" if is_late else "reminded", at=at, data={"until": until.isoformat()})
    people = {user.pk: user for user in ([case.owner] if case.owner else [])}
    if is_late or not people:
        people |= {user.pk: user for user in told_when_late()}
    for user in people.values():
        _remind(user, case, until, is_late)
    return True


def _remind(user: User, case: Case, until: datetime, is_late: bool) -> None:
    words = {
        "number": case.number,
        "what": gettext("a first answer") if case.answered_at is None else gettext("to be put right"),
        "when": date_format(localtime(until), "SHORT_DATETIME_FORMAT"),
        "link": settings.SITE_URL + reverse("admin:surveys_case_change", args=[case.pk]),
    }
    if is_late:
        subject = gettext("%(number)s is late") % words
        text = gettext("%(number)s waits for %(what)s; its time ran out %(when)s.\n\n%(link)s\n") % words
    else:
        subject = gettext("%(number)s: until %(when)s") % words
        text = gettext("%(number)s waits for %(what)s until %(when)s.\n\n%(link)s\n") % words
    send_mail(subject, text, sender(get_programme().name), [user.email])

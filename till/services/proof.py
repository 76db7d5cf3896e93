"""The member's word: their PIN, or a code that is sent to them, where an act costs them much. docs/grants.md."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.core.mail import get_connection, send_mail
from django.utils.formats import time_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext, override

from common.mail import sender
from common.money import to_major
from common.sms import send_sms
from members.models import Member
from members.queries import get_programme
from members.services.pins import CODE_VALID_FOR, Proof, check_pin, check_till_code, new_till_code
from rewards.queries import reward_settings

log = structlog.get_logger(__name__)
PIN, CODE = "pin", "code"
PATIENCE = 4  # seconds that a customer waits for our mail server


@dataclass(frozen=True, slots=True)
class Word:
    """What was typed: the PIN or the code that was sent, as `by` says."""

    by: str = ""
    typed: str = ""


class Unproven(Exception):
    """The member's word is missing or wrong."""

    def __init__(self, by: str, proof: Proof | None) -> None:
        super().__init__(by, proof and proof.reason)
        self.by = by
        self.proof = proof

    @property
    def sentence(self) -> str:
        """For the cashier, in the active language."""
        if self.proof is None:
            return gettext("Please ask the member for the PIN or the code.")
        if self.proof.reason == "locked" and self.proof.until:
            words = {"time": time_format(localtime(self.proof.until), "TIME_FORMAT")}
            return gettext("Too many wrong PINs. It is locked until %(time)s; a code can be sent instead.") % words
        if self.proof.reason == "none" and self.by == CODE:
            return gettext("This code no longer holds. Please send a new one.")
        if self.proof.reason == "none":
            return gettext("The member has no PIN. Please send a code.")
        text = ngettext("That is wrong. %(n)s try is left.", "That is wrong. %(n)s tries are left.", self.proof.left)
        return text % {"n": self.proof.left}


class NoContact(Exception):
    """There is neither an e-mail address nor a phone to send a code to."""


class NotSent(Exception):
    """The mail or text message could not be handed over."""


def is_asked(*, points: int, credit_minor: int = 0) -> bool:
    """Whether an act that costs so much needs the member's word. Store credit counts as the points it is worth."""
    settings = reward_settings()
    if settings.till_confirm_points is None or not (points or credit_minor):
        return False
    if credit_minor and settings.point_cost:
        points += int(to_major(credit_minor, get_programme().currency) / settings.point_cost)
    return points >= settings.till_confirm_points


def prove(*, member_id: int, word: Word, at: datetime) -> None:
    """Unproven, unless what was typed is the member's PIN or code. A code is used up."""
    typed = word.typed.strip()
    if not typed:
        raise Unproven(word.by, None)
    if word.by == CODE:
        proof = check_till_code(member_id=member_id, code=typed, at=at)
    else:
        proof = check_pin(member_id=member_id, pin=typed, at=at)
    if not proof.ok:
        raise Unproven(word.by, proof)


def send_code(*, member: Member, at: datetime) -> str:
    """Sends the member a code by mail, else by text message; where to, masked. NoContact; NotSent; pins.TooManyCodes.

    Sent from here and not by the worker: the customer waits, and the code stands in no table and no queue.
    """
    if not (member.email or member.phone):
        raise NoContact
    code = new_till_code(member_id=member.pk, at=at)
    programme = get_programme()
    with override(member.language):
        words = {"shop": programme.name, "code": code, "n": int(CODE_VALID_FOR.total_seconds() // 60)}
        subject = gettext("%(code)s is your code for the till") % words
        text = gettext(
            "Tell the cashier at %(shop)s this code: %(code)s\n\n"
            "It holds for %(n)s minutes. If you are not at the till just now, tell it to nobody and write to us."
        )
    try:
        if member.email:
            carrier = get_connection(timeout=PATIENCE)
            send_mail(subject, text % words, sender(programme.name), [member.email], connection=carrier)
            return masked_email(member.email)
        send_sms(str(member.phone), text % words)
    except OSError as error:
        log.warning("till code not sent", member=member.pk, exc_info=True)
        raise NotSent from error
    return f"… {str(member.phone)[-3:]}"


def masked_email(address: str) -> str:
    """ "a…@example.com": enough for its owner, too little for who reads along."""
    name, _at, host = address.partition("@")
    return f"{name[:1]}…@{host}"

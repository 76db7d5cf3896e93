"""Existing members come to their portal account by their card.

Whoever asks for a card proves it with a code that goes to the e-mail or phone on file, and learns nothing else: a card
that is not ours, one without a contact and one that already has an account get the same answer as any other.
"""

import secrets
import smtplib
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import connection, transaction
from django.db.models import Count, Q
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext, override

from common.doorbell import ring
from common.mail import sender
from common.sms import send_sms
from members.enums import Channel
from members.models import CardClaim, Member, User
from members.models.claim import MAX_TRIES
from members.queries import find_member, get_programme
from members.services.joining import open_account
from members.services.profile import AlreadyLinked
from members.validators import clean_card_number, validate_card_number

log = structlog.get_logger(__name__)
VALID_FOR = timedelta(minutes=15)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# With 5 tries each, a code of six digits is guessed once in 50,000 days per card, once in 33,000 per account.
USER_LIMITS = ((HOUR, 3), (DAY, 6))
CARD_LIMITS = ((HOUR, 3), (DAY, 4))
_START_LOCK = 0x636C61696D  # "claim"
_SEND_LOCK = 0x636F646573  # "codes"


class TooManyClaims(Exception):
    """This user, or anyone for this card, has asked too often. The same for cards that are nobody's."""


class CodeExpired(Exception):
    """The code is too old, used, or was tried too often."""


class CodeWrong(Exception):
    """Not the code. `args[0]` is how many tries are left, at least 1."""


@transaction.atomic
def start_claim(*, user: User, card_number: str, channel: Channel, language: str, at: datetime) -> CardClaim:
    """Asks for a card. The code is sent by the worker, if there is anyone to send it to.

    ValidationError where the check digit is wrong, AlreadyLinked where the user has a card, TooManyClaims.
    """
    number = clean_card_number(card_number)
    validate_card_number(number)
    if Member.objects.filter(user=user).exists():
        raise AlreadyLinked
    with connection.cursor() as cursor:  # claims are rare: one at a time makes the count below exact
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_START_LOCK])
    _check_limits(Q(user=user), USER_LIMITS, at)
    _check_limits(Q(card_number=number), CARD_LIMITS, at)
    claim = CardClaim.objects.create(
        user=user,
        card_number=number,
        member=find_member(card=number),
        channel=channel,
        language=language,
        started_at=at,
        expires_at=at + VALID_FOR,
    )
    ring("members.tasks.send_claim_codes")
    return claim


def _check_limits(whose: Q, limits: tuple[tuple[timedelta, int], ...], at: datetime) -> None:
    counts = {str(n): Count("id", filter=Q(started_at__gt=at - span)) for n, (span, _limit) in enumerate(limits)}
    since = at - max(span for span, _limit in limits)
    counted = CardClaim.objects.filter(whose, started_at__gt=since).aggregate(**counts)
    if any(counted[str(n)] >= limit for n, (_span, limit) in enumerate(limits)):
        raise TooManyClaims


def send_due_codes(*, at: datetime) -> int:
    """Sends the code of every claim that waits for one; how many were handled.

    The code is made here, so that it stands neither in the broker nor in the table: only its keyed hash is kept. Where
    sending fails the claim stays due, and the next call makes and sends a new code. A mail server that hangs holds up
    one worker: only one call sends at a time, and it stops at the first sign that the server is away.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_SEND_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    try:
        return _send_due(at)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_SEND_LOCK])


def _send_due(at: datetime) -> int:
    due = CardClaim.objects.filter(handled_at=None, expires_at__gt=at).order_by("id").values_list("pk", flat=True)
    handled = 0
    for claim_id in list(due):
        try:
            handled += _send_code(claim_id, at)
        except smtplib.SMTPRecipientsRefused:
            log.warning("claim code refused", claim=claim_id, exc_info=True)
        except OSError:  # what SMTP and text message backends raise, smtplib's own errors among it
            log.warning("claim code not sent", claim=claim_id, exc_info=True)
            break
    return handled


@transaction.atomic
def _send_code(claim_id: int, at: datetime) -> bool:
    claims = CardClaim.objects.select_for_update(skip_locked=True, of=("self",)).select_related("member")
    claim = claims.filter(pk=claim_id, handled_at=None).first()
    if claim is None:
        return False
    member = claim.member
    claim.handled_at = at
    with override(claim.language):
        if member is not None and member.user_id is None:
            code = f"{secrets.randbelow(10**6):06d}"
            claim.code_hash = _hash(claim, code)
            _write_to(member, claim.channel, *_code_message(code))
        elif member is not None:
            _write_to(member, claim.channel, *_has_account_message())
    claim.save(update_fields=["handled_at", "code_hash"])
    return True


def confirm_claim(*, claim_id: int, user: User, code: str, at: datetime) -> Member:
    """Links the card to the user who asked for it. Every call uses up a try, whatever becomes of it.

    CodeWrong, CodeExpired; AlreadyLinked where the user or the member has come to an account in the meantime.
    """
    with transaction.atomic():
        open_claims = CardClaim.objects.select_for_update().filter(user=user, claimed_at=None, expires_at__gt=at)
        claim = open_claims.filter(pk=claim_id, tries__lt=MAX_TRIES).first()
        if claim is None:
            raise CodeExpired
        claim.tries += 1
        is_right = bool(claim.code_hash) and constant_time_compare(claim.code_hash, _hash(claim, code))
        claim.claimed_at = at if is_right else None
        claim.save(update_fields=["tries", "claimed_at"])
        if is_right and claim.member_id is not None:
            return open_account(member_id=claim.member_id, user=user, language=claim.language, at=at)
    # raised outside: the try that was used up stays so
    if claim.tries == MAX_TRIES:
        raise CodeExpired
    raise CodeWrong(MAX_TRIES - claim.tries)


def _hash(claim: CardClaim, code: str) -> str:
    """Keyed by the site's secret, so that the table alone does not give six digits away."""
    digits = "".join(c for c in code if c.isdigit())
    return salted_hmac(f"card claim {claim.pk}", digits, algorithm="sha256").hexdigest()


def _code_message(code: str) -> tuple[str, str, str]:
    """Subject and body of a mail, and the text message."""
    words = {"code": code, "programme": get_programme().name, "minutes": int(VALID_FOR.total_seconds() // 60)}
    return (
        gettext("Your code for %(programme)s") % words,
        gettext(
            "Your code is %(code)s. It links your card to your account with %(programme)s and is valid for"
            " %(minutes)s minutes.\n\nIf you did not ask for it, do nothing: without the code your card stays yours."
        )
        % words,
        gettext("%(code)s is your code for %(programme)s, valid for %(minutes)s minutes.") % words,
    )


def _has_account_message() -> tuple[str, str, str]:
    words = {"programme": get_programme().name, "url": settings.SITE_URL}
    text = gettext(
        "Someone asked for your %(programme)s card. It already has an account: sign in at %(url)s."
        " If that was not you, there is nothing to do; your card is safe."
    )
    return gettext("Your card already has an account"), text % words, text % words


def _write_to(member: Member, channel: str, subject: str, body: str, short: str) -> None:
    """By the preferred channel where the member has that contact, else by the other, else not at all."""
    by_sms = bool(member.phone) and (channel == Channel.SMS or not member.email)
    if by_sms:
        send_sms(str(member.phone), short)
    elif member.email:
        send_mail(subject, body, sender(get_programme().name), [member.email])

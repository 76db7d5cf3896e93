"""How a member proves at the till that it is they: a PIN of their own choice, or a code that holds for five minutes.

Both are short, so what protects them is how seldom one may guess. A PIN of four digits is locked for 15 minutes after
five wrong tries, and after each further one for twice as long, up to a day: some 10,000 days for all of them. Of codes
a member gets at most five in an hour, each good for five tries: a code of six digits is guessed once in 40,000 hours.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.contrib.auth.hashers import check_password, make_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.models import PRESENT, Member, MemberPin, TillCode

PIN_LENGTHS = range(4, 9)
FREE_TRIES = 5
LOCK, LONGEST_LOCK = timedelta(minutes=15), timedelta(days=1)
CODE_DIGITS = 6
CODE_VALID_FOR = timedelta(minutes=5)
CODE_TRIES = 5
CODES_AN_HOUR = 5
HOUR = timedelta(hours=1)


class TooManyCodes(Exception):
    """The member has asked for CODES_AN_HOUR codes within the hour."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a try came to. `reason` is "" where it is right, else "none" (there is nothing to check against: no PIN, no
    code that still holds), "wrong" or "locked".

    `left` is how many tries remain before the lock (or before the code is dead), `until` when the lock ends.
    """

    reason: str = ""
    left: int = 0
    until: datetime | None = None

    @property
    def ok(self) -> bool:
        return not self.reason


def validate_pin(pin: str) -> None:
    """ValidationError for what is no PIN, or one that everybody tries first."""
    if not (pin.isascii() and pin.isdigit() and len(pin) in PIN_LENGTHS):
        raise ValidationError(_("Please choose 4 to 8 digits."))
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    if steps in ({0}, {1}, {9}):
        raise ValidationError(_("That is too easy to guess. Please choose digits that do not just follow each other."))


def set_pin(*, member_id: int, pin: str, at: datetime) -> None:
    """Gives the member a PIN, or a new one, which also ends a lock. ValidationError; Member.DoesNotExist."""
    validate_pin(pin)
    digest = make_password(pin)
    with transaction.atomic():
        member = _present(member_id)
        values = {"digest": digest, "failures": 0, "locked_until": None, "set_at": at}
        MemberPin.objects.update_or_create(member=member, defaults=values)


def remove_pin(*, member_id: int) -> None:
    """The member has no PIN any more."""
    MemberPin.objects.filter(member=member_id).delete()


def has_pin(member_id: int) -> bool:
    return MemberPin.objects.filter(member=member_id).exists()


# Durable: a wrong try must count, also where what it was for is rolled back.
@transaction.atomic(durable=True)
def check_pin(*, member_id: int, pin: str, at: datetime) -> Proof:
    """Tries a PIN. While it is locked nothing is compared, so that a lock tells nothing."""
    known = MemberPin.objects.select_for_update().filter(member=member_id, member__in=Member.objects.filter(PRESENT))
    kept = known.first()
    if kept is None:
        return Proof("none")
    if kept.locked_until and kept.locked_until > at:
        return Proof("locked", until=kept.locked_until)
    if check_password(pin, kept.digest):
        kept.failures, kept.locked_until = 0, None
        kept.save(update_fields=["failures", "locked_until"])
        return Proof()
    kept.failures = min(kept.failures + 1, 100)
    over = kept.failures - FREE_TRIES
    kept.locked_until = at + min(LOCK * 2 ** min(over, 10), LONGEST_LOCK) if over >= 0 else None
    kept.save(update_fields=["failures", "locked_until"])
    if kept.locked_until:
        return Proof("locked", until=kept.locked_until)
    return Proof("wrong", left=-over)


@transaction.atomic
def new_till_code(*, member_id: int, at: datetime) -> str:
    """Six digits for one act at the till within CODE_VALID_FOR; the member's earlier codes are dead. TooManyCodes;
    Member.DoesNotExist."""
    member = _present(member_id)
    codes = TillCode.objects.filter(member=member)
    if codes.filter(made_at__gt=at - HOUR).count() >= CODES_AN_HOUR:
        raise TooManyCodes
    codes.filter(made_at__lte=at - HOUR).delete()
    codes.filter(used_at=None, expires_at__gt=at).update(expires_at=at)
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    TillCode.objects.create(member=member, digest=make_password(code), made_at=at, expires_at=at + CODE_VALID_FOR)
    return code


@transaction.atomic(durable=True)
def check_till_code(*, member_id: int, code: str, at: datetime) -> Proof:
    """Tries a code; a right one is used up by it."""
    live = TillCode.objects.select_for_update().filter(member=member_id, used_at=None, expires_at__gt=at)
    kept = live.filter(failures__lt=CODE_TRIES).order_by("-made_at", "-id").first()
    if kept is None:
        return Proof("none")
    if check_password(code, kept.digest):
        kept.used_at = at
        kept.save(update_fields=["used_at"])
        return Proof()
    kept.failures += 1
    kept.save(update_fields=["failures"])
    return Proof("wrong", left=CODE_TRIES - kept.failures)


def _present(member_id: int) -> Member:
    """The member, locked: two sets or two codes at once come one after the other."""
    return Member.objects.select_for_update(no_key=True).filter(PRESENT).get(pk=member_id)

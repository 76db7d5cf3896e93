"""What was scanned or typed at the till: a reward's code, a member, a coupon, or nothing that we know."""

from dataclasses import dataclass
from datetime import datetime

from members.enums import AccessAction
from members.models import Member
from members.queries import found_exactly, search
from members.services.access import log_access
from rewards.models import Redemption
from rewards.services.coupons.guessing import attempt, hit
from rewards.services.coupons.using import Validation, validate
from rewards.services.fulfilment import find_code

SHOWN = 8
FEWEST = 2  # characters that are worth a search


@dataclass(frozen=True, slots=True)
class Found:
    """One of these is filled; of `members` there may be several, more than SHOWN of them where `more`."""

    redemption: Redemption | None = None
    members: tuple[Member, ...] = ()
    more: bool = False
    coupon: Validation | None = None


def find(*, text: str, actor_id: int, at: datetime) -> Found:
    """What a text means. Everything that is nobody's counts as a guess: guessing.TooManyGuesses."""
    text = text.strip()
    who = f"till:{actor_id}"
    attempt(who, at)
    found = _find(text, actor_id, at)
    if found != Found():
        hit(who, at)
    return found


def _find(text: str, actor_id: int, at: datetime) -> Found:
    if len(text) < FEWEST:
        return Found()
    if redemption := find_code(text):
        return Found(redemption=redemption)
    exactly = found_exactly(text)
    if len(exactly) == 1:
        return Found(members=(Member.objects.get(pk=exactly[0]),))
    coupon = validate(code=text, member_id=None, at=at)
    if coupon.offer is not None:
        return Found(coupon=coupon)
    members = tuple(search(text).order_by("name", "pk")[: SHOWN + 1])
    if members:
        log_access(
            actor_id=actor_id, action=AccessAction.SEARCHED, what="search of members", members=len(members), at=at
        )
    return Found(members=members[:SHOWN], more=len(members) > SHOWN)

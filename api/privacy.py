"""What an erasure does with the answers about a member."""

from collections.abc import Sequence
from datetime import datetime

from api.models import Answer
from members.privacy import exempt, register_eraser


def erase_answers(member_ids: Sequence[int], at: datetime) -> None:
    """That there was an answer stays, so that an old call has no second effect; what it said goes."""
    Answer.objects.filter(member__in=member_ids).update(status=410, body={}, fingerprint=b"")


def register_all() -> None:
    exempt("api.Answer", "what was answered to a till stands in the purchases, redemptions and coupons themselves")
    register_eraser("api", erase_answers)

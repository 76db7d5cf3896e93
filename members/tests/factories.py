"""Members and purchases for tests, made as the product makes them: by its services."""

from datetime import UTC, datetime
from itertools import count

from members.models import Member
from members.services.profile import create_member
from members.services.purchases import NewPurchase

JOINED = datetime(2025, 1, 1, 9, 0, tzinfo=UTC)
_numbers = count(1)


def make_member(**profile) -> Member:
    """A member who joined on 1 January 2025, with an address of their own unless told otherwise."""
    number = next(_numbers)
    defaults = {"name": f"Member {number}", "email": f"member{number}@example.com"}
    return create_member(at=JOINED, profile={**defaults, **profile}, source="test")


def new_purchase(member: Member, **values) -> NewPurchase:
    """A purchase of 10.00 EUR with a key of its own unless told otherwise; not yet recorded."""
    defaults = {
        "source": "till",
        "key": f"p{next(_numbers)}",
        "purchased_at": datetime(2026, 5, 12, 8, 0, tzinfo=UTC),
        "currency": "EUR",
        "amount_minor": 1000,
    }
    return NewPurchase(member_id=member.pk, **{**defaults, **values})

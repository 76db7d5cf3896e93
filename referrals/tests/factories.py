"""Referral programmes and people for tests."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.db import transaction

from members.models import Member
from members.services.profile import create_member
from referrals.enums import ProgrammeState, Source
from referrals.models import Programme, Referral
from referrals.services.advocates import advocate_of
from referrals.services.attribution import Came, attribute
from referrals.services.programmes import make_programme, move
from referrals.services.qualifying import consider
from rewards.tests.factories import post

AT = datetime.fromisoformat("2026-05-12T09:00:00+00:00")
_numbers = count(1)


def definition(**changes: Any) -> dict[str, Any]:
    """200 points for who brings, 100 for the friend, after a first purchase of 20.00 and 14 days."""
    texts = {
        "headline": "A gift",
        "text": "Bring them",
        "welcome": "Come in",
        "share": "Come too: {link}",
        "terms": "One each.",
    }
    return {
        "qualifies": {"by": "purchase", "least": "20.00"},
        "giver": {"points": 200},
        "friend": {"points": 100},
        "texts": {name: {"en": text, "zh-hans": f"{text}。"} for name, text in texts.items()},
        **changes,
    }


def live_programme(budget_minor: int | None = None, **changes: Any) -> Programme:
    made = make_programme(
        name="Bring a friend", definition=definition(**changes), at=AT - timedelta(days=1), budget_minor=budget_minor
    )
    return move(programme_id=made.pk, to=ProgrammeState.LIVE, at=AT - timedelta(days=1))


def newcomer(at: datetime = AT, **profile: Any) -> Member:
    """Somebody who has just joined."""
    number = next(_numbers)
    there = {"name": f"Friend {number}", "email": f"friend.no{number}x@example.org"}
    return create_member(at=at, profile={**there, **profile}, source="test")


def code_of(giver: Member) -> str:
    return advocate_of(member_id=giver.pk, at=AT).code


def bring(giver: Member, friend: Member, at: datetime = AT, source: Source = Source.LINK, **more: Any) -> Referral:
    came = [Came(code_of(giver), source, at, "whatsapp")]
    return attribute(friend_id=friend.pk, came=came, at=at, **more)


def buys(friend: Member, minor: int = 2_500, at: datetime = AT, **values: Any) -> int:
    """A purchase, and what follows of it; its id."""
    bought = post(friend, at, amount_minor=minor, purchased_at=at, **values)
    with transaction.atomic():
        consider(friend_ids=[friend.pk], at=at)
    return bought.id

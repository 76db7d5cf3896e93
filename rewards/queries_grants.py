"""Reads about gifts by hand: what waits, and why."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext

from rewards.enums import GrantState
from rewards.models import GrantRequest
from rewards.queries import points_text


def waiting_grants() -> QuerySet[GrantRequest]:
    """What waits for another person, the oldest first."""
    return GrantRequest.objects.filter(state=GrantState.WAITING).order_by("requested_at", "pk")


def to_decide(user_id: int | None) -> int:
    """How many gifts wait for a decision that this person may take: all but those they asked for."""
    return waiting_grants().exclude(requested_by=user_id).count()


def waits_text(why: Mapping[str, Any]) -> str:
    """Why a gift waits, as a sentence; "" where it does not."""
    if not why:
        return ""
    words = {name: points_text(why[name]) for name in ("limit", "given", "points") if name in why}
    if why["code"] == "once":
        return gettext("One person may give at most %(limit)s at once.") % words
    if why["code"] == "role":
        return gettext("For this, %(limit)s are left that one person of this role may give.") % words
    return gettext("One person may give at most %(limit)s in a day; with what went before it would be more.") % words

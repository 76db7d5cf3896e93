"""What referrals do about events from below."""

from django.utils import timezone

from members.events import EVENT_TOLD, MEMBER_JOINED, PURCHASE_PAID, PURCHASE_REFUNDED, reacts_to
from members.models import TimelineEvent

_ANY = "EXISTS (SELECT FROM referrals_programme)"


@reacts_to(MEMBER_JOINED, unless="import", where=_ANY)
def welcome_invited(events: list[TimelineEvent]) -> None:
    """Who was invited by mail is known by their address when they join, whatever way they came."""
    from referrals.services.attribution import attribute_invited

    attribute_invited(member_ids=[event.member_id for event in events], at=timezone.now())


@reacts_to(PURCHASE_PAID, unless="import", where=_ANY)
def look_at_purchases(events: list[TimelineEvent]) -> None:
    from referrals.services.qualifying import consider

    consider(friend_ids=[event.member_id for event in events], at=timezone.now())


@reacts_to(EVENT_TOLD, "survey.answered", where=_ANY)
def look_at_events(events: list[TimelineEvent]) -> None:
    from referrals.services.qualifying import consider

    for event in events:
        consider(friend_ids=[event.member_id], at=timezone.now(), happened=event.kind, data=event.data)


@reacts_to(PURCHASE_REFUNDED, where=_ANY)
def look_at_refunds(events: list[TimelineEvent]) -> None:
    from referrals.services.qualifying import refunded

    refunded(friend_ids=[event.member_id for event in events], at=timezone.now())

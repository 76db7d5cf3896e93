"""What referrals do about events from below."""

from datetime import datetime

from members.events import EVENT_TOLD, MEMBER_JOINED, MEMBER_MERGED, PURCHASE_PAID, PURCHASE_REFUNDED, reacts_to
from members.models import TimelineEvent
from referrals.enums import ReferralState
from referrals.events import REFERRAL_REWARDED
from referrals.models import Referral

_ANY = "EXISTS (SELECT FROM referrals_programme)"
_RULES = "EXISTS (SELECT FROM rewards_earningrule WHERE trigger = 'referral')"


@reacts_to(MEMBER_JOINED, unless="import", where=_ANY)
def welcome_invited(events: list[TimelineEvent], at: datetime) -> None:
    """Who was invited by mail is known by their address when they join, whatever way they came."""
    from referrals.services.attribution import attribute_invited

    attribute_invited(member_ids=[event.member_id for event in events], at=at)


@reacts_to(PURCHASE_PAID, unless="import", where=_ANY)
def look_at_purchases(events: list[TimelineEvent], at: datetime) -> None:
    """Who was said to have brought the buyer is noted first: the purchase at which it is said counts."""
    from referrals.services.qualifying import consider
    from referrals.services.saying import hear

    friends = hear(purchase_ids=[event.data["purchase"] for event in events])
    consider(friend_ids=[*friends, *(event.member_id for event in events)], at=at)


@reacts_to(EVENT_TOLD, "survey.answered", where=_ANY)
def look_at_events(events: list[TimelineEvent], at: datetime) -> None:
    from referrals.services.qualifying import consider

    for event in events:
        consider(friend_ids=[event.member_id], at=at, happened=event.kind, data=event.data)


@reacts_to(PURCHASE_REFUNDED, where=_ANY)
def look_at_refunds(events: list[TimelineEvent], at: datetime) -> None:
    from referrals.services.qualifying import refunded

    refunded(friend_ids=[event.member_id for event in events], at=at)


@reacts_to(MEMBER_MERGED, where=_ANY)
def look_at_merges(events: list[TimelineEvent], at: datetime) -> None:
    from referrals.services.qualifying import merged

    for event in events:
        merged(member_id=event.member_id, at=at)


@reacts_to(REFERRAL_REWARDED, where=_RULES)
def reward_givers(events: list[TimelineEvent], at: datetime) -> None:
    """Rules may give something to who brought a friend, once that friend counts, whatever the programme thanks with."""
    from rewards.services.earning.events import saw

    for one in events:  # both sides are told of it; the rule is for who brought the other
        brought = Referral.objects.filter(pk=one.data["referral"], state=ReferralState.REWARDED)
        # Locked: what is taken back at the same moment finds what the rules gave, or they give nothing.
        if brought.exclude(friend=one.member_id).select_for_update(no_key=True, of=("self",)).exists():
            key = f"referral:{one.data['referral']}"
            saw(trigger="referral", member_id=one.member_id, key=key, moment=one.at, at=at)

"""From a friend who came to one who counts: qualified, looked at, held, thanked, taken back. docs/referrals.md."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext_noop

from common.sql import fetch_all
from members.events import record
from members.queries import family, merged_into
from referrals.definition import Definition
from referrals.enums import COUNTED, OPEN, Occasion, Period, Qualifies, ReferralState, Verdict
from referrals.events import (
    REFERRAL_LAPSED,
    REFERRAL_QUALIFIED,
    REFERRAL_REFUSED,
    REFERRAL_REVERSED,
    REFERRAL_REVIEWED,
    REFERRAL_REWARDED,
)
from referrals.fairness import score
from referrals.models import Referral, ReferralStep
from referrals.queries import reading
from referrals.services.signals import signals_of
from referrals.services.thanking import promise, spend, take_back, thank

NO_BUDGET = gettext_noop("The programme has given all that it had to give")
TOO_LATE = gettext_noop("The time to become a customer is over")
GIVEN_BACK = gettext_noop("What was bought has been given back")
SAME = gettext_noop("Both turned out to be one person")
UNCLEAR = gettext_noop("It could not be cleared up in time")


class NotOpen(Exception):
    """It has been decided, or thanked, or has run out."""


class ObjectedBefore(Exception):
    """An objection can be made once, to what was refused."""


# The purchases of some friends that could count, oldest first: what they left the shop in money, after discounts and
# what was given back, without what points and credit paid. One statement for all friends.
_BOUGHT = """
SELECT referral.id, purchase.id, purchase.purchased_at, purchase.amount_minor - purchase.refunded_minor - coalesce((
           SELECT sum((paid.why->>'worth_minor')::bigint) FROM rewards_transfer AS paid
           WHERE paid.purchase_id = purchase.id AND paid.kind = 'pay'), 0)
FROM referrals_referral AS referral
JOIN members_member AS known ON known.id = referral.friend_id OR known.merged_into_id = referral.friend_id
JOIN members_purchase AS purchase ON purchase.member_id = known.id
JOIN members_member AS friend ON friend.id = referral.friend_id
WHERE referral.id = ANY(%(ids)s) AND purchase.purchased_at >= friend.joined_at - interval '1 day'
  AND purchase.purchased_at <= referral.joined_at + %(window)s * interval '1 day'
ORDER BY referral.id, purchase.purchased_at, purchase.id
"""


def consider(*, friend_ids: Iterable[int], at: datetime, happened: str = "", data: dict[str, Any] | None = None) -> int:
    """Looks at the referrals of these members that are on the way: who has done what their programme asks for goes on.
    `happened` is the event that just came. How many qualified. In the caller's transaction."""
    waiting = Referral.objects.filter(friend__in=list(friend_ids), state=ReferralState.JOINED).order_by("pk")
    done = 0
    for referral in waiting.select_for_update(no_key=True, of=("self",)):
        definition = reading(referral.version_id)
        why = _fulfilled(referral, definition, at, happened, data or {})
        if why is not None:
            _qualify(referral, definition, why, at)
            done += 1
    return done


def _fulfilled(
    referral: Referral, definition: Definition, at: datetime, happened: str, data: dict[str, Any]
) -> dict[str, Any] | None:
    """What makes the friend a customer by the programme, or None."""
    if referral.due_at is None or at > referral.due_at:
        return None
    match definition.by:
        case Qualifies.SIGN_UP:
            return {"by": "sign_up"}
        case Qualifies.EVENT:
            return {"by": "event", "event": definition.event} if data.get("kind") == definition.event else None
        case Qualifies.SURVEY:
            return {"by": "survey", "survey": data.get("survey")} if happened == "survey.answered" else None
    rows = fetch_all(_BOUGHT, {"ids": [referral.pk], "window": definition.window_days})
    enough = [(purchase, net) for _id, purchase, _at, net in rows if net >= max(definition.least, 1)]
    if len(enough) < definition.count:
        return None
    counted = enough[: definition.count]
    return {
        "by": definition.by,
        "purchases": [purchase for purchase, _net in counted],
        "minor": int(sum(net for _purchase, net in counted)),
        "least": definition.least,
    }


def _qualify(referral: Referral, definition: Definition, why: dict[str, Any], at: datetime) -> None:
    referral.is_capped = _is_capped(referral, definition, at)
    cost = promise(definition, is_capped=referral.is_capped)
    purchases = why.get("purchases") or [None]
    referral.purchase_id = purchases[-1]
    referral.save(update_fields=["purchase"])
    found = signals_of([referral.pk]).get(referral.pk, {})
    referral.why = {"qualified": why, "signals": {str(signal): evidence for signal, evidence in found.items()}}
    referral.score = score(found)
    referral.qualified_at = at
    if not spend(programme_id=referral.programme_id, minor=cost):
        _end(referral, ReferralState.LAPSED, at, NO_BUDGET)
        return
    referral.promised_minor = cost
    if referral.score >= definition.review_from:
        _go(referral, ReferralState.REVIEW, at, due=at + timedelta(days=definition.review_days))
        record(member_id=referral.giver_id, kind=REFERRAL_REVIEWED, at=at, data={"referral": referral.pk})
    else:
        _go(referral, ReferralState.HELD, at, due=at + timedelta(days=definition.hold_days))
    record(member_id=referral.giver_id, kind=REFERRAL_QUALIFIED, at=at, data={"referral": referral.pk})


_SPANS = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 30, Period.YEAR: 365}


def _is_capped(referral: Referral, definition: Definition, at: datetime) -> bool:
    """Whether the giver is above a limit of the programme: the days are rolling ones. The giver's other referrals are
    counted under their locks, so that two at once do not both find room."""
    if not definition.limits:
        return False
    others = Referral.objects.filter(
        giver=referral.giver_id, programme=referral.programme_id, state__in=COUNTED, is_capped=False
    ).exclude(pk=referral.pk)
    fetch_all("SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))", {"name": f"referrals:{referral.giver_id}"})
    for limit in definition.limits:
        within = others
        if days := _SPANS.get(Period(limit.period)):
            within = others.filter(qualified_at__gt=at - timedelta(days=days))
        if within.count() >= limit.most:
            return True
    return False


def _go(referral: Referral, state: ReferralState, at: datetime, *, due: datetime, actor_id: int | None = None) -> None:
    referral.state, referral.due_at, referral.ended_at = state, due, None
    referral.save()
    ReferralStep.objects.create(referral=referral, state=state, at=at, actor_id=actor_id)


def _end(referral: Referral, state: ReferralState, at: datetime, reason: str = "", actor_id: int | None = None) -> None:
    """Ends it, and gives the budget back what was promised and not given."""
    if state != ReferralState.REWARDED:
        spend(programme_id=referral.programme_id, minor=-referral.promised_minor)
        referral.promised_minor = 0
    referral.state, referral.due_at, referral.ended_at, referral.reason = state, None, at, reason[:200]
    referral.save()
    ReferralStep.objects.create(referral=referral, state=state, at=at, note=reason[:200], actor_id=actor_id)
    kinds = {
        ReferralState.REWARDED: REFERRAL_REWARDED,
        ReferralState.REFUSED: REFERRAL_REFUSED,
        ReferralState.LAPSED: REFERRAL_LAPSED,
        ReferralState.REVERSED: REFERRAL_REVERSED,
    }
    for member_id in _people(referral):
        record(member_id=member_id, kind=kinds[state], at=at, data={"referral": referral.pk}, actor_id=actor_id)


def settle_due(*, at: datetime, limit: int = 500) -> int:
    """Ends what is due: who waited is thanked, what nobody looked at is decided as the programme says, what came to
    nothing runs out. Each in a transaction of its own; who else is at it takes others. How many."""
    done = 0
    while done < limit and _settle_one(at):
        done += 1
    return done


@transaction.atomic
def _settle_one(at: datetime) -> bool:
    due = Referral.objects.filter(state__in=OPEN, due_at__lte=at).order_by("due_at", "pk")
    referral = due.select_for_update(no_key=True, skip_locked=True, of=("self",)).first()
    if referral is None:
        return False
    definition = reading(referral.version_id)
    match referral.state:
        case ReferralState.JOINED:
            _end(referral, ReferralState.LAPSED, at, TOO_LATE)
        case ReferralState.REVIEW if definition.review_then == Verdict.REFUSE:
            _end(referral, ReferralState.REFUSED, at, UNCLEAR)
        case ReferralState.REVIEW:
            _go(referral, ReferralState.HELD, at, due=_hold_until(referral, definition, at))
        case _:
            if len(_people(referral)) == 1:
                _end(referral, ReferralState.REFUSED, at, SAME)
            elif not _still_bought(referral, definition):
                _lose(referral, definition, at)
            else:
                _end(referral, ReferralState.REWARDED, at)
                thank(referral=referral, definition=definition, at=at)
                _settle_promise(referral)
    return True


def _people(referral: Referral) -> list[int]:
    """Giver and friend as who they are now; one, where they were merged with one another."""
    both = [referral.giver_id, referral.friend_id]
    now = merged_into(both)
    return list(dict.fromkeys(now.get(one, one) for one in both))


def _settle_promise(referral: Referral) -> None:
    """What was promised and could not be given, to who is gone for one, goes back to the budget."""
    given = referral.thanks.filter(occasion=Occasion.QUALIFIED).aggregate(n=Sum("cost_minor"))["n"] or 0
    spend(programme_id=referral.programme_id, minor=given - referral.promised_minor)
    referral.promised_minor = given
    referral.save(update_fields=["promised_minor"])


def _hold_until(referral: Referral, definition: Definition, at: datetime) -> datetime:
    """The hold counts from the purchase, not from the end of the review."""
    return max(at, (referral.qualified_at or at) + timedelta(days=definition.hold_days))


def _still_bought(referral: Referral, definition: Definition) -> bool:
    """Whether the purchases that qualified still are what was asked for."""
    purchases = referral.why.get("qualified", {}).get("purchases")
    if not purchases:
        return True
    rows = fetch_all(_BOUGHT, {"ids": [referral.pk], "window": definition.window_days})
    net = {purchase: left for _id, purchase, _at, left in rows}
    return all(net.get(purchase, 0) >= max(definition.least, 1) for purchase in purchases)


def _lose(referral: Referral, definition: Definition, at: datetime) -> None:
    """What qualified was given back before anybody was thanked: another purchase may still do, while there is time."""
    until = referral.joined_at + timedelta(days=definition.window_days)
    if at >= until:
        _end(referral, ReferralState.LAPSED, at, GIVEN_BACK)
        return
    spend(programme_id=referral.programme_id, minor=-referral.promised_minor)
    referral.promised_minor, referral.qualified_at, referral.purchase_id, referral.is_capped = 0, None, None, False
    referral.score, referral.why = 0, referral.why | {"lost": referral.why.get("qualified")}
    _go(referral, ReferralState.JOINED, at, due=until)
    consider(friend_ids=[referral.friend_id], at=at)


@transaction.atomic
def refunded(*, friend_ids: Sequence[int], at: datetime) -> int:
    """Looks at the referrals of members who gave something back: what no longer is what was asked for counts no more,
    and after the thanks these are taken back. How many."""
    counted = Referral.objects.filter(friend__in=family(friend_ids), state__in=COUNTED).order_by("pk")
    changed = 0
    for referral in counted.select_for_update(no_key=True, of=("self",)):
        definition = reading(referral.version_id)
        if _still_bought(referral, definition):
            continue
        changed += 1
        if referral.state == ReferralState.REWARDED:
            _reverse(referral, at, GIVEN_BACK)
        else:
            _lose(referral, definition, at)
    return changed


def _reverse(referral: Referral, at: datetime, reason: str) -> None:
    take_back(referral=referral, at=at)
    referral.promised_minor = 0
    _end(referral, ReferralState.REVERSED, at, reason)


@transaction.atomic
def merged(*, member_id: int, at: datetime) -> int:
    """Ends what was between members who turned out to be one person; who was thanked for it gives it back. How many."""
    people = family([member_id])
    between = Referral.objects.filter(giver__in=people, friend__in=people, state__in=[*OPEN, ReferralState.REWARDED])
    found = list(between.order_by("pk").select_for_update(no_key=True, of=("self",)))
    for referral in found:
        if referral.state == ReferralState.REWARDED:
            _reverse(referral, at, SAME)
        else:
            _end(referral, ReferralState.REFUSED, at, SAME)
    return len(found)


@transaction.atomic
def decide(*, referral_id: int, verdict: Verdict, reason: str, at: datetime, actor_id: int) -> Referral:
    """A person decides what is looked at. `reason` is read by the giver where it is refused, and then must be there.
    NotOpen; ValueError."""
    referral = Referral.objects.select_for_update(no_key=True, of=("self",)).get(pk=referral_id)
    if referral.state != ReferralState.REVIEW:
        raise NotOpen(referral.state)
    definition = reading(referral.version_id)
    if verdict == Verdict.APPROVE:
        _go(referral, ReferralState.HELD, at, due=_hold_until(referral, definition, at), actor_id=actor_id)
    elif not reason.strip():
        raise ValueError("what is refused is refused for a reason")
    else:
        _end(referral, ReferralState.REFUSED, at, reason.strip(), actor_id)
    return referral


@transaction.atomic
def object_to(*, referral_id: int, giver_id: int, text: str, at: datetime) -> Referral:
    """The giver objects, once: a person looks again. ObjectedBefore; NotOpen where nothing was refused, or the budget
    has nothing left; Referral.DoesNotExist where it is not theirs."""
    mine = Q(pk=referral_id) & Q(giver__in=family([giver_id]))
    referral = Referral.objects.select_for_update(no_key=True, of=("self",)).get(mine)
    if referral.objected_at is not None:
        raise ObjectedBefore
    if referral.state != ReferralState.REFUSED:
        raise NotOpen(referral.state)
    definition = reading(referral.version_id)
    cost = promise(definition, is_capped=referral.is_capped)
    if not spend(programme_id=referral.programme_id, minor=cost):
        raise NotOpen(referral.state)
    referral.promised_minor, referral.objection, referral.objected_at = cost, text.strip()[:2_000], at
    _go(referral, ReferralState.REVIEW, at, due=at + timedelta(days=definition.review_days))
    return referral

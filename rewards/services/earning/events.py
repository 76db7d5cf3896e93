"""What happens to members beside purchases, and what rules give for it: events of other systems, sign-ups, birthdays,
check-ins. Each is a custom event under a key of its own, so that it counts once."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from common.sql import fetch_all
from members.models import CustomEvent, Member
from members.services.custom_events import KIND, MOST_DATA, NewEvent, RecordedEvent, record_custom_events
from rewards.earning.basket import AHEAD, BACK, LENGTHS, Refusal
from rewards.earning.facts import Happening
from rewards.earning.triggers import CHECK_IN, PURCHASE, SEEN, of_event
from rewards.enums import CouponState, TransferKind, Unit
from rewards.models import CheckInPoint, Coupon, EarningRule, Transfer
from rewards.queries_coupons import rule_coupon_keys
from rewards.services.coupons.issuing import void_coupons
from rewards.services.earning.live import home, live_rules
from rewards.services.earning.posting import Case, Granted, award, units_given
from rewards.services.gifts import take_back_gifts
from rewards.services.ledger import lock_followed
from rewards.services.receipts import Earned, Stand, earned_now, stands_of
from rewards.services.tiers import assess

OWN = "crm"  # the source of events that this programme tells itself


@dataclass(frozen=True, slots=True)
class EventReceipt:
    """What became of an event. Told again, `earned` is empty: it was given then."""

    event_id: int
    is_new: bool
    member_id: int
    earned: tuple[Earned, ...]
    stand: Stand
    unfired: tuple[tuple[int, str, dict[str, Any]], ...] = ()


def post_events(*, told: Sequence[NewEvent], at: datetime, actor_id: int | None = None) -> list[EventReceipt | Refusal]:
    """Records events and gives what they earn; one answer for each, in their order."""
    return [_post_one(one, at, actor_id) for one in told]


def _post_one(one: NewEvent, at: datetime, actor_id: int | None) -> EventReceipt | Refusal:
    if (refusal := _refusal(one, at)) is not None:
        return refusal
    with transaction.atomic():
        (recorded,) = record_custom_events(told=[one], actor_id=actor_id)
        if recorded.is_reused:
            text = gettext("The key “%(key)s” belongs to another event.") % {"key": one.key}
            return Refusal("key_reused", text, "key")
        granted = _award([(one, recorded)], at)
        member_id = granted[0].case.member_id if granted else one.member_id
        return EventReceipt(
            event_id=recorded.id,
            is_new=recorded.is_new,
            member_id=member_id,
            earned=tuple(earned_now(granted[0], at)) if granted else (),
            stand=stands_of({member_id}, at)[member_id],
            unfired=tuple((u.rule.id, u.reason, u.facts) for u in granted[0].outcome.unfired) if granted else (),
        )


_PERSON = "SELECT erased_at IS NOT NULL FROM members_member WHERE id = %s"


def _refusal(one: NewEvent, at: datetime) -> Refusal | None:
    rows = fetch_all(_PERSON, [one.member_id])
    if not rows:
        return Refusal("member", gettext("There is no such member."), "member")
    if rows[0][0]:
        return Refusal("member_gone", gettext("This member's data were erased."), "member")
    if not KIND.fullmatch(one.kind) or one.kind == PURCHASE:
        text = gettext("A kind is a word of small letters, digits, points, dashes and underscores.")
        return Refusal("kind", text, "kind")
    if one.kind in SEEN and one.source != OWN:
        words = {"kind": one.kind}
        text = gettext("“%(kind)s” is seen here itself and cannot be told. Please take a word of your own.") % words
        return Refusal("own_kind", text, "kind")
    try:
        data = json.dumps(one.data, allow_nan=False)
    except (TypeError, ValueError):
        data = "\\u0000"
    if len(data) > MOST_DATA or "\\u0000" in data:
        return Refusal("data", gettext("The data are at most %(n)s characters of JSON.") % {"n": MOST_DATA}, "data")
    if not 0 < len(one.key) <= LENGTHS["key"] or "\0" in one.key:
        return Refusal("key", gettext("An event needs a key of its own."), "key")
    if one.at.tzinfo is None or not at - BACK <= one.at <= at + AHEAD:
        return Refusal("at", gettext("The time is within a year back and a day ahead."), "at")
    return None


def _award(told: Sequence[tuple[NewEvent, RecordedEvent]], at: datetime) -> list[Granted]:
    """Gives what new events earn."""
    new = [(one, was) for one, was in told if was.is_new]
    rules = live_rules(*{of_event(one.kind) for one, _was in new}) if new else []
    if not rules:
        return []
    wallets, followed = lock_followed({one.member_id for one, _was in new}, units=units_given(rules))
    cases = [
        Case(
            key=f"earn:event:{was.id}",
            member_id=followed.get(one.member_id, one.member_id),
            happening=Happening(of_event(one.kind), one.at, data=one.data),
            event_id=was.id,
        )
        for one, was in new
    ]
    granted = award(cases, rules, home(), at)
    assess(wallets, at)
    return granted


def is_rewarded(trigger: str) -> bool:
    """Whether any live rule hangs on this trigger."""
    return EarningRule.objects.filter(trigger=trigger, state="live").exists()


@transaction.atomic
def happened(*, trigger: str, to: Mapping[int, str], moments: Mapping[int, datetime], at: datetime) -> list[Granted]:
    """Something that the programme itself sees happened to members: `to` holds the key of each, by their id. What is
    known counts no more, and where no rule looks at it nothing is written."""
    if not to or not is_rewarded(trigger):
        return []
    told = [NewEvent(id_, OWN, key, trigger, moments[id_]) for id_, key in sorted(to.items())]
    return _award(list(zip(told, record_custom_events(told=told), strict=True)), at)


def saw(*, trigger: str, member_id: int, key: str, moment: datetime, at: datetime) -> None:
    """The same for one member, told by a room above; who was erased meanwhile earns nothing."""
    if Member.objects.filter(pk=member_id, erased_at=None).exists():
        happened(trigger=trigger, to={member_id: key}, moments={member_id: moment}, at=at)


@transaction.atomic
def withdraw(*, key: str, reason: str, at: datetime) -> None:
    """What the programme itself saw under this key (`saw`) no longer stands: what rules gave for it is taken back, with
    the coupons that nobody has used. Nothing where nothing was seen, and once however often it is told."""
    event = CustomEvent.objects.filter(source=OWN, key=key).first()
    if event is None:
        return
    wallets, _followed = lock_followed([event.member_id], units=list(Unit))
    given = Transfer.objects.filter(key__startswith=f"earn:event:{event.pk}:", kind=TransferKind.EARN)
    take_back_gifts(transfer_ids=list(given.values_list("pk", flat=True)), reason=reason, at=at)
    keys = rule_coupon_keys(f"event:{event.pk}")
    coupons = Coupon.objects.filter(issue_key__in=list(keys), state=CouponState.ISSUED)
    void_coupons(coupon_ids=list(coupons.values_list("pk", flat=True)), reason=reason, at=at)
    assess(wallets, at)


def award_event(
    *, member_id: int, trigger: str, key: str, at: datetime, data: Mapping[str, Any] | None = None
) -> EventReceipt | Refusal:
    """One event of the programme's own, recorded whether a rule looks at it or not."""
    return post_events(told=[NewEvent(member_id, OWN, key, trigger.removeprefix("custom:"), at, data or {})], at=at)[0]


# --- check-ins --------------------------------------------------------------------------------------------------------
class UnknownPoint(Exception):
    """There is no check-in point with this token, or it is no longer active."""


class TooSoon(Exception):
    """The member checked in here not long ago; again from `again_at` on."""

    def __init__(self, again_at: datetime) -> None:
        super().__init__(again_at)
        self.again_at = again_at


def make_check_in_point(*, name: str, store: str = "", cooldown_hours: int = 12, active: bool = True) -> CheckInPoint:
    """A place to check in, with a token that nobody guesses."""
    token = secrets.token_urlsafe(18)
    kept = {"name": name, "store": store, "cooldown_hours": cooldown_hours, "active": active}
    return CheckInPoint.objects.create(token=token, **kept)


@transaction.atomic
def check_in(*, token: str, member_id: int, at: datetime) -> EventReceipt | Refusal:
    """The member scanned the code of a place. UnknownPoint; TooSoon within the place's pause."""
    point = CheckInPoint.objects.filter(token=token, active=True).first()
    if point is None:
        raise UnknownPoint
    lock_followed([member_id])  # two scans at once are one
    visits = CustomEvent.objects.filter(member=member_id, kind=CHECK_IN, data__point=point.pk)
    pause = timedelta(hours=point.cooldown_hours)
    last = visits.filter(at__gt=at - pause).order_by("-at").values_list("at", flat=True).first()
    if last is not None:
        raise TooSoon(last + pause)
    data = {"point": point.pk, "place": point.name, "store": point.store}
    key = f"check_in:{point.pk}:{member_id}:{at.isoformat()}"
    return award_event(member_id=member_id, trigger=CHECK_IN, key=key, at=at, data=data)

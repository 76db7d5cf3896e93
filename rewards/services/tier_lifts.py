"""Tiers that staff give: a higher one than was reached, until a day. docs/tiers.md.

Where the member stands is MemberTier, kept by its `grace_until`: nights, notices and refunds treat it as any tier that
is no longer reached.
"""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from members.events import record
from members.models import PRESENT, Member
from members.queries import family, get_programme
from members.services.profile import MemberGone
from members.services.purchases import KeyReused
from rewards.earning.exact import local_midnight
from rewards.enums import Downgrade, TierCause
from rewards.events import TIER_CHANGED
from rewards.models import MemberTier, Tier, TierChange, TierLift
from rewards.queries import reward_settings
from rewards.services.ledger import lock_followed
from rewards.services.tiers import assess


class NotHigher(Exception):
    """The member has reached this tier, or a higher one: `tier` is the one they stand on."""

    def __init__(self, tier: Tier | None) -> None:
        super().__init__(tier and tier.pk)
        self.tier = tier


class DayNeeded(Exception):
    """It has to end on a day that is still to come."""


@transaction.atomic
def lift_tier(
    *, member_id: int, tier_id: int, last_day: date | None, reason: str, key: str, at: datetime, actor_id: int | None
) -> TierLift:
    """Sets a member on a higher tier than they have reached, to the end of `last_day` in the programme's time zone, or
    changes that day of one who was set there. Where nobody goes down, it has no end, and no day is asked for.

    From then on they go down as the settings say. Who reaches the tier by then holds it as everybody does. The same key
    with the same content gives the same; KeyReused. NotHigher; DayNeeded; MemberGone; Tier.DoesNotExist; ValueError
    without a reason.
    """
    if not reason.strip():
        raise ValueError("a tier is given for a reason")
    tier = Tier.objects.get(pk=tier_id)
    wallets, followed = lock_followed([member_id])
    member_id = followed.get(member_id, member_id)
    until = None if reward_settings().downgrade == Downgrade.NONE else _end(last_day, at)
    if known := TierLift.objects.filter(key=key).first():
        same = (known.tier_id, known.until, known.reason) == (tier_id, until, reason)
        if not same or known.member_id not in family([member_id]):
            raise KeyReused(key)
        return known
    if not Member.objects.filter(PRESENT, pk=member_id).exists():
        raise MemberGone
    assess(wallets, at)
    status = MemberTier.objects.select_related("tier").filter(member=member_id).first()
    held = status.tier if status else Tier.objects.filter(rank=0).first()
    is_other_day = status is not None and held == tier and status.grace_until is not None
    if not is_other_day and held is not None and tier.rank <= held.rank:
        raise NotHigher(held)
    values = {"tier": tier, "grace_until": until, "noticed_at": None}
    if not is_other_day:
        values["since"] = at
    made = {"qualifying_points": 0, "assessed_at": at}
    MemberTier.objects.update_or_create(member_id=member_id, defaults=values, create_defaults=values | made)
    if not is_other_day:
        _note(member_id, held, tier, at, actor_id)
    return TierLift.objects.create(
        member_id=member_id, tier=tier, until=until, reason=reason, key=key, at=at, actor_id=actor_id
    )


def _end(last_day: date | None, at: datetime) -> datetime:
    if last_day is None:
        raise DayNeeded
    try:
        end = local_midnight(last_day + timedelta(days=1), ZoneInfo(get_programme().time_zone))
    except OverflowError as error:  # the last day that there is
        raise DayNeeded from error
    if end <= at:
        raise DayNeeded
    return end


def _note(member_id: int, held: Tier | None, tier: Tier, at: datetime, actor_id: int | None) -> None:
    TierChange.objects.create(
        member_id=member_id, from_tier=held, to_tier=tier, cause=TierCause.STAFF, at=at, actor_id=actor_id
    )
    name = {"en": tier.name_en, "zh-hans": tier.name_zh_hans}  # type: ignore[attr-defined]
    data = {"from": held and held.pk, "to": tier.pk, "up": True, "name": name}
    record(member_id=member_id, kind=TIER_CHANGED, at=at, data=data, actor_id=actor_id)

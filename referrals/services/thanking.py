"""What both sides get, once; and what is taken back. docs/referrals.md."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop

from common.money import to_minor
from members.models import PRESENT, Member
from members.queries import get_programme, merged_into
from referrals.definition import Definition, Thanks
from referrals.enums import Occasion, Role
from referrals.models import MilestoneReached, Programme, Referral, ThanksGiven
from referrals.queries import brought
from rewards.enums import IssuedBy, PlanState, Unit
from rewards.models import Offer, PlanMembership
from rewards.queries import reward_settings
from rewards.services.coupons.issuing import OfferNotRunning, OutOfCodes, issue_coupons, void_coupons
from rewards.services.earning.events import withdraw
from rewards.services.gifts import Gift, give_points, take_back_gifts
from rewards.services.ledger import lock_wallets
from rewards.services.plans import AlreadyOver, LaterMembership, NotOnSale, buy_plan, cancel_plan
from rewards.services.tier_lifts import DayNeeded, NotHigher, lift_tier

REASONS = {
    Role.GIVER: gettext_noop("Thank you for bringing a friend"),
    Role.FRIEND: gettext_noop("Welcome from a friend"),
    Role.SECOND: gettext_noop("Your friend brought a friend"),
}
MILESTONE = gettext_noop("Thank you for bringing so many friends")
UNITS = (Unit.POINTS, Unit.CREDIT)
TAKEN_BACK = gettext_noop("The referral no longer counts")


@dataclass(frozen=True, slots=True)
class _Due:
    """Something that somebody gets. `key` names it for ever."""

    member_id: int
    role: Role
    occasion: Occasion
    thanks: Thanks
    key: str

    @property
    def reason(self) -> str:
        return MILESTONE if self.occasion == Occasion.MILESTONE else REASONS[self.role]


def point_minor() -> Decimal:
    """What a point costs the shop, in minor units of the programme's currency."""
    return (reward_settings().point_cost or Decimal(0)) * to_minor(Decimal(1), get_programme().currency)


def cost_of(thanks: Thanks, point: Decimal | None = None) -> int:
    """What thanks cost the shop, in minor units of the programme's currency, rounded up; a tier costs nothing. `point`:
    see point_minor, where it was asked before."""
    cost = thanks.credit
    if thanks.points:
        point = point_minor() if point is None else point
        cost += int((thanks.points * point).to_integral_value(ROUND_CEILING))
    if thanks.offer:
        offer = Offer.objects.filter(pk=thanks.offer).values_list("unit_cost_minor", flat=True).first()
        cost += offer or 0
    return cost


def promise(definition: Definition, *, is_capped: bool) -> int:
    """What a referral takes of the budget once it qualifies, milestones left out: they are counted when reached."""
    given = [definition.friend] if is_capped else [definition.giver, definition.friend, definition.second]
    point = point_minor()
    return sum(cost_of(thanks, point) for thanks in given)


def spend(*, programme_id: int, minor: int) -> bool:
    """Takes money of the budget, or gives it back where negative; whether there was enough."""
    programme = Programme.objects.select_for_update(no_key=True).get(pk=programme_id)
    spent = programme.spent_minor + minor
    if minor > 0 and programme.budget_minor is not None and spent > programme.budget_minor:
        return False
    programme.spent_minor = max(spent, 0)
    programme.save(update_fields=["spent_minor"])
    return True


@transaction.atomic
def welcome(*, referral: Referral, definition: Definition, at: datetime) -> None:
    """What the friend gets for coming, if the budget has it."""
    if not definition.welcome:
        return
    lock_wallets([referral.friend_id], units=UNITS)
    if not spend(programme_id=referral.programme_id, minor=cost_of(definition.welcome)):
        return
    key = f"referral:{referral.pk}:welcome"
    _give(referral, [_Due(referral.friend_id, Role.FRIEND, Occasion.WELCOME, definition.welcome, key)], at)


@transaction.atomic
def thank(*, referral: Referral, definition: Definition, at: datetime) -> list[ThanksGiven]:
    """Gives both sides what was promised, and what a milestone brings. The caller has locked the referral and set it
    REWARDED. Who is gone gets nothing; the other side does."""
    base = f"referral:{referral.pk}"
    above = Referral.objects.filter(friend=referral.giver_id).values_list("giver_id", flat=True).first()
    lock_wallets([referral.friend_id, referral.giver_id, *([above] if above else [])], units=UNITS)
    due = [_Due(referral.friend_id, Role.FRIEND, Occasion.QUALIFIED, definition.friend, f"{base}:friend")]
    if not referral.is_capped:
        due.append(_Due(referral.giver_id, Role.GIVER, Occasion.QUALIFIED, definition.giver, f"{base}:giver"))
        if above:
            due.append(_Due(above, Role.SECOND, Occasion.QUALIFIED, definition.second, f"{base}:second"))
        due += _milestones(referral, definition, at)
    return _give(referral, [one for one in due if one.thanks], at)


def milestone_key(referral_id: int, friends: int) -> str:
    return f"referral:{referral_id}:milestone{friends}"


def _milestones(referral: Referral, definition: Definition, at: datetime) -> Iterator[_Due]:
    """The milestones that this referral reaches, each once in the giver's life, if the budget has them."""
    if not definition.milestones:
        return
    friends = brought(referral.giver_id, referral.programme_id)
    for milestone in definition.milestones:
        if milestone.friends > friends:
            continue
        _row, is_new = MilestoneReached.objects.get_or_create(
            member_id=referral.giver_id,
            programme_id=referral.programme_id,
            friends=milestone.friends,
            defaults={"referral": referral, "at": at},
        )
        if is_new and spend(programme_id=referral.programme_id, minor=cost_of(milestone.thanks)):
            yield _Due(
                referral.giver_id,
                Role.GIVER,
                Occasion.MILESTONE,
                milestone.thanks,
                milestone_key(referral.pk, milestone.friends),
            )


def _give(referral: Referral, due: list[_Due], at: datetime) -> list[ThanksGiven]:
    """Everything in one transaction. What cannot be given any more (an offer that ended, a tier already held) is left
    out; everything else is given."""
    followed = merged_into([one.member_id for one in due])
    due = [replace(one, member_id=followed.get(one.member_id, one.member_id)) for one in due]
    there = set(Member.objects.filter(PRESENT, pk__in=[d.member_id for d in due]).values_list("pk", flat=True))
    due = [one for one in due if one.member_id in there]
    given: list[ThanksGiven] = []

    def note(one: _Due, what: str, **more) -> None:
        given.append(
            ThanksGiven(
                referral=referral, member_id=one.member_id, role=one.role,
                occasion=one.occasion, what=what, key=f"{one.key}:{what}", given_at=at, **more,
            )
        )  # fmt: skip

    point = point_minor() if any(one.thanks.points for one in due) else Decimal(0)
    for unit, what in ((Unit.POINTS, "points"), (Unit.CREDIT, "credit")):
        gifts = {}
        for one in due:
            amount = getattr(one.thanks, what)
            if amount:
                days = one.thanks.points_days if unit == Unit.POINTS else None
                gifts[f"{one.key}:{what}"] = (one, Gift(
                    member_id=one.member_id, amount=amount, key=f"{one.key}:{what}",
                    reason=one.reason, expires_at=at + timedelta(days=days) if days else None,
                    why={"referral": referral.pk},
                ))  # fmt: skip
        made = give_points(gifts=[gift for _one, gift in gifts.values()], at=at, unit=unit)
        for key, (one, gift) in gifts.items():
            cost = cost_of(Thanks(points=gift.amount) if unit == Unit.POINTS else Thanks(credit=gift.amount), point)
            note(one, what, amount=gift.amount, cost_minor=cost, transfer_id=made[key])
    for one in due:
        member = one.member_id
        if one.thanks.offer:
            try:
                with transaction.atomic():
                    coupons = issue_coupons(
                        offer_id=one.thanks.offer, member_ids=[member], keys=[f"{one.key}:offer"],
                        issued_by=IssuedBy.REFERRAL, at=at,
                    )  # fmt: skip
            except (Offer.DoesNotExist, OfferNotRunning, OutOfCodes):
                coupons = []
            if coupons:
                cost = cost_of(Thanks(offer=one.thanks.offer))
                note(one, "offer", amount=1, cost_minor=cost, coupon_id=coupons[0].pk)
        if one.thanks.tier and one.thanks.tier_days:
            zone = ZoneInfo(get_programme().time_zone)
            day = (at + timedelta(days=one.thanks.tier_days)).astimezone(zone).date()
            try:
                with transaction.atomic():
                    lift_tier(
                        member_id=member, tier_id=one.thanks.tier, last_day=day, reason=one.reason,
                        key=f"{one.key}:tier", at=at, actor_id=None,
                    )  # fmt: skip
            except (NotHigher, DayNeeded):
                pass
            else:
                note(one, "tier", amount=one.thanks.tier)
        if one.thanks.plan:
            try:
                with transaction.atomic():
                    buy_plan(
                        member_id=member, plan_id=one.thanks.plan, source="referral", key=one.key, at=at, paid_minor=0
                    )
            except NotOnSale:
                pass
            else:
                note(one, "plan", amount=one.thanks.plan)
    return ThanksGiven.objects.bulk_create(given)


@transaction.atomic
def take_back(*, referral: Referral, at: datetime, reason: str = TAKEN_BACK) -> int:
    """Takes back what was given for a referral, by its programme, by milestones that are no longer reached and by
    earning rules, and gives its cost back to the budget; how many things. What a friend was welcomed with stays theirs;
    of what was taken, a coupon that was used and a tier are left. The caller has locked it, and then ends it."""
    qualified = Q(referral=referral, occasion=Occasion.QUALIFIED)
    members = ThanksGiven.objects.filter(qualified).values_list("member_id", flat=True)
    lock_wallets([referral.giver_id, *members], units=UNITS)  # two of a giver's at once are counted one after another
    reached = MilestoneReached.objects.filter(member=referral.giver_id, programme=referral.programme_id)
    left = brought(referral.giver_id, referral.programme_id) - (not referral.is_capped)
    lost = reached.filter(friends__gt=left)
    of_lost = Q(occasion=Occasion.MILESTONE, pk__in=[])
    for one in lost:
        of_lost |= Q(referral=one.referral_id, key__startswith=f"{milestone_key(one.referral_id, one.friends)}:")
    given = list(ThanksGiven.objects.filter(qualified | of_lost, taken_at=None).select_related("coupon"))
    cost = sum(one.cost_minor for one in given)
    _take(given, at, reason)
    lost.delete()
    withdraw(key=f"referral:{referral.pk}", reason=reason, at=at)
    if cost:
        spend(programme_id=referral.programme_id, minor=-cost)
    return len(given)


def _take(given: list[ThanksGiven], at: datetime, reason: str) -> None:
    take_back_gifts(transfer_ids=[one.transfer_id for one in given if one.transfer_id], reason=reason, at=at)
    void_coupons(coupon_ids=[one.coupon_id for one in given if one.coupon_id], reason=reason, at=at)
    for one in given:
        if one.what == "plan":
            key = one.key.removesuffix(":plan")
            held = PlanMembership.objects.filter(source="referral", key=key, state=PlanState.ACTIVE).first()
            if held is not None:
                try:
                    with transaction.atomic():
                        cancel_plan(membership_id=held.pk, at=at)
                except (AlreadyOver, LaterMembership):
                    continue
    ThanksGiven.objects.filter(pk__in=[one.pk for one in given]).update(taken_at=at)

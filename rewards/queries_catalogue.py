"""Reads about the catalogue: what it holds for a member, at which price, and what stands in the way. docs/catalogue.md.

The list and the reservation ask the same function (`_reasons`), so that neither promises what the other refuses.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, QuerySet

from members.models import PRESENT, Member
from members.queries_segments import in_segments
from rewards.coupons.definition import parse
from rewards.enums import CouponState, OfferState, RedemptionState, RewardKind, RewardState, WaitingState
from rewards.models import (
    Coupon,
    CouponJob,
    MemberTier,
    Offer,
    Redemption,
    Reward,
    RewardPrice,
    RewardSession,
    Tier,
    WaitingEntry,
)
from rewards.queries import balance, balances
from rewards.queries_benefits import early_access
from rewards.reasons import Reason

STANDING = (RedemptionState.RESERVED, RedemptionState.CONFIRMED)  # what counts against limits, stock and places
BY_CODE = (RewardKind.COUPON, RewardKind.GIFT_CARD, RewardKind.TRIAL)  # what is a coupon in the end


class Price(NamedTuple):
    """What a member pays, and the tier whose price it is; None for the price of all."""

    points: int
    money_minor: int
    tier_id: int | None


@dataclass(frozen=True, slots=True)
class SessionShelf:
    """A date that can be looked at: places that anybody may still take, and what stands in the way of this member.

    `waiting` is the member's own entry in the waiting list, or None.
    """

    session: RewardSession
    left: int
    reasons: tuple[Reason, ...]
    waiting: WaitingEntry | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """A reward as one member finds it. No reasons: they can have it now. `early`: how long before all others they may
    see and have it."""

    reward: Reward
    price: Price
    reasons: tuple[Reason, ...]
    sessions: tuple[SessionShelf, ...] = ()
    early: timedelta = timedelta()

    @property
    def price_points(self) -> int:
        return self.price.points

    @property
    def price_money_minor(self) -> int:
        return self.price.money_minor

    @property
    def points_missing(self) -> int:
        """How many points the member has too few; 0 where they suffice."""
        return next((reason.facts["missing"] for reason in self.reasons if reason.code == "points_missing"), 0)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is known of a member for some rewards, asked once for all of them."""

    member_id: int | None
    present: bool
    tiers: dict[int, Tier]
    tier: Tier | None
    balance: int
    had: dict[int, int]
    segments: dict[int, bool | None]
    codes: dict[int, int]  # by offer with codes of an uploaded pool: how many are free
    waiting: dict[int, WaitingEntry] = field(default_factory=dict)
    early: timedelta = timedelta()


def shown(*, at: datetime, early: timedelta = timedelta()) -> QuerySet[Reward]:
    """The rewards that stand in the catalogue at `at`, for whomever; with those that come within `early`."""
    return Reward.objects.filter(
        Q(visible_from=None) | Q(visible_from__lte=at + early),
        Q(visible_until=None) | Q(visible_until__gt=at),
        state=RewardState.LIVE,
    )


def catalogue(
    *,
    member_id: int | None,
    at: datetime,
    kinds: Collection[str] = (),
    green: bool = False,
    affordable: bool = False,
) -> list[Shelf]:
    """What the catalogue holds for a member (None: for a stranger), in its order, each with price and reasons.

    Left out is what is for a segment that the member is not known to be in. `kinds` narrows to some kinds, `green` to
    what is good for the planet, `affordable` to what nothing stands in the way of. Who has early access is shown what
    is to come. So many queries, however many rewards.
    """
    rewards = shown(at=at, early=early_access(member_id, at) if member_id is not None else timedelta())
    if kinds:
        rewards = rewards.filter(kind__in=kinds)
    if green:
        rewards = rewards.filter(green=True)
    shelves = look(rewards, member_id=member_id, at=at)
    hidden = ("not_in_segment", "segment_not_ready")
    shelves = [shelf for shelf in shelves if not any(reason.code in hidden for reason in shelf.reasons)]
    return [shelf for shelf in shelves if not shelf.reasons] if affordable else shelves


def why_not(*, reward_id: int, member_id: int, at: datetime, session_id: int | None = None) -> tuple[Reason, ...]:
    """What keeps a member from a reward now; () where nothing does. Reward.DoesNotExist."""
    shelf = look_at(reward_id, member_id=member_id, at=at)
    return for_session(shelf, session_id) if shelf.reward.kind == RewardKind.EXPERIENCE else shelf.reasons


def for_session(shelf: Shelf, session_id: int | None) -> tuple[Reason, ...]:
    """What keeps the member from this date of an experience."""
    general = tuple(reason for reason in shelf.reasons if reason.code not in ("no_session", "session_full"))
    if session_id is None:
        return (*general, Reason("session_needed"))
    for offered in shelf.sessions:
        if offered.session.pk == session_id:
            return (*general, *offered.reasons)
    return (*general, Reason("session_unknown"))


def look_at(reward_id: int, *, member_id: int | None, at: datetime) -> Shelf:
    """One reward as a member finds it, shown or not. Reward.DoesNotExist."""
    shelves = look(Reward.objects.filter(pk=reward_id), member_id=member_id, at=at)
    if not shelves:
        raise Reward.DoesNotExist
    return shelves[0]


def look(rewards: QuerySet[Reward], *, member_id: int | None, at: datetime) -> list[Shelf]:
    """These rewards as a member finds them, shown or not."""
    waiting = Count("waiting", filter=Q(waiting__state=WaitingState.WAITING))
    sessions = RewardSession.objects.annotate(queue=waiting).filter(starts_at__gt=at).order_by("starts_at", "pk")
    found = list(
        rewards.select_related("offer").prefetch_related(
            "tiers",
            "pictures",
            Prefetch("prices", RewardPrice.objects.select_related("tier")),
            Prefetch("sessions", sessions, to_attr="coming"),
        )
    )
    standing = _standing(member_id, found, at)
    return [_shelf(reward, standing, at) for reward in found]


def _standing(member_id: int | None, rewards: Sequence[Reward], at: datetime) -> _Standing:
    tiers = {tier.pk: tier for tier in Tier.objects.all()}
    base = next((tier for tier in tiers.values() if tier.rank == 0), None)
    offers = {reward.offer_id for reward in rewards if reward.kind in BY_CODE and reward.offer_id}
    codes = pool(offers)
    segments = {reward.segment_id for reward in rewards if reward.segment_id}
    if member_id is None:
        return _Standing(None, True, tiers, base, 0, {}, dict.fromkeys(segments, False), codes)
    ids = [reward.pk for reward in rewards]
    starts = [start for reward in rewards for start in (reward.visible_from, reward.redeemable_from) if start]
    own = Redemption.objects.filter(member=member_id, reward__in=ids, state__in=STANDING)
    status = MemberTier.objects.filter(member=member_id).values_list("tier_id", flat=True).first()
    open_entries = WaitingEntry.objects.filter(
        member=member_id,
        session__reward__in=[reward.pk for reward in rewards if reward.kind == RewardKind.EXPERIENCE],
        state__in=[WaitingState.WAITING, WaitingState.OFFERED],
    )
    return _Standing(
        member_id,
        Member.objects.filter(PRESENT, pk=member_id).exists(),
        tiers,
        base if status is None else tiers[status],
        balance(member_id, at),
        dict(own.order_by().values_list("reward").annotate(n=Count("pk"))),
        in_segments(member_id, segments, at=at),
        codes,
        {entry.session_id: entry for entry in open_entries},
        early_access(member_id, at) if any(start > at for start in starts) else timedelta(),
    )


def pool(offer_ids: Iterable[int]) -> dict[int, int]:
    """How many codes of uploaded pools are free: in stock, and not promised to a reservation. Offers whose codes are
    made as they are needed are left out."""
    ids = list(offer_ids)
    if not ids:
        return {}
    pooled = Offer.objects.filter(Exists(CouponJob.objects.filter(offer=OuterRef("pk"), uploaded=True)), pk__in=ids)
    # Of a bearer's offer the codes in stock are in people's hands: others are made (rewards.services.coupons.issuing).
    found = {offer.pk: 0 for offer in pooled if not parse(offer.definition, offer.kind).bearer}
    if not found:
        return {}
    stock = Coupon.objects.filter(offer__in=found, state=CouponState.STOCK).order_by()
    found |= dict(stock.values_list("offer").annotate(n=Count("pk")))
    promised = Redemption.objects.filter(reward__offer__in=found, state=RedemptionState.RESERVED).order_by()
    for offer_id, n in promised.values_list("reward__offer").annotate(n=Count("pk")):
        found[offer_id] -= n
    return found


def price_of(reward: Reward, tier: Tier | None) -> Price:
    """The best price for a member of a tier: of the list price and those of their tier and the ones below it, that
    with the fewest points, then with the least money."""
    prices = [Price(reward.points, reward.money_minor, None)]
    if tier is not None:
        prices += [
            Price(price.points, price.money_minor, price.tier_id)
            for price in reward.prices.all()
            if price.tier.rank <= tier.rank
        ]
    return min(prices, key=lambda price: (price.points, price.money_minor))


def _shelf(reward: Reward, standing: _Standing, at: datetime) -> Shelf:
    price = price_of(reward, standing.tier)
    sessions = tuple(_session(session, standing, at) for session in reward.coming)  # type: ignore[attr-defined]
    return Shelf(reward, price, tuple(_reasons(reward, price, sessions, standing, at)), sessions, standing.early)


def _reasons(
    reward: Reward, price: Price, sessions: tuple[SessionShelf, ...], standing: _Standing, at: datetime
) -> Iterable[Reason]:
    """All that stands in the way, what cannot be helped first."""
    if not standing.present:
        yield Reason("member_gone")
    if reward.state != RewardState.LIVE:
        yield Reason("not_live")
    if reward.redeemable_from is not None and (start := reward.redeemable_from - standing.early) > at:
        yield Reason("not_yet", {"from": start.isoformat()})
    if reward.redeemable_until is not None and reward.redeemable_until <= at:
        yield Reason("over", {"until": reward.redeemable_until.isoformat()})
    allowed = sorted(reward.tiers.all(), key=lambda tier: tier.rank)
    if allowed and (standing.tier is None or standing.tier not in allowed):
        yield Reason("not_your_tier", {"tiers": [tier.name for tier in allowed], "ids": [tier.pk for tier in allowed]})
    if reward.segment_id is not None:
        inside = standing.segments[reward.segment_id]
        if inside is None:
            yield Reason("segment_not_ready")
        elif not inside:
            yield Reason("not_in_segment")
    if reward.stock == 0 or (reward.limit_total is not None and reward.redeemed >= reward.limit_total):
        yield Reason("sold_out")
    if reward.limit_member is not None and standing.had.get(reward.pk, 0) >= reward.limit_member:
        yield Reason("limit_reached", {"limit": reward.limit_member, "had": standing.had.get(reward.pk, 0)})
    offer = reward.offer if reward.kind in BY_CODE else None
    if offer is not None and (
        offer.state != OfferState.LIVE or offer.shared_code or (offer.ends_at is not None and offer.ends_at <= at)
    ):
        yield Reason("offer_over")
    if reward.kind in BY_CODE and reward.offer_id in standing.codes and standing.codes[reward.offer_id] <= 0:
        yield Reason("no_codes")
    if reward.kind == RewardKind.EXPERIENCE and all(session.reasons for session in sessions):
        full = any(reason.code == "session_full" for session in sessions for reason in session.reasons)
        yield Reason("session_full" if full else "no_session")
    if standing.member_id is not None and price.points > standing.balance:
        facts = {"price": price.points, "balance": standing.balance, "missing": price.points - standing.balance}
        yield Reason("points_missing", facts)


def _session(session: RewardSession, standing: _Standing, at: datetime) -> SessionShelf:
    entry = standing.waiting.get(session.pk)
    kept = (
        entry is not None
        and entry.state == WaitingState.OFFERED
        and entry.offered_until is not None
        and entry.offered_until > at
    )
    # Whoever waits comes before whoever only now looks.
    left = max(0, session.capacity - session.booked - session.queue)  # type: ignore[attr-defined]
    reasons = []
    if session.cancelled:
        reasons.append(Reason("session_called_off"))
    if session.closes_at is not None and session.closes_at <= at:
        reasons.append(Reason("session_closed", {"closed": session.closes_at.isoformat()}))
    if not left and not kept:
        reasons.append(Reason("session_full", {"capacity": session.capacity, "waiting": session.queue}))  # type: ignore[attr-defined]
    return SessionShelf(session, left, tuple(reasons), entry)


def kept_places(member_id: int, at: datetime) -> QuerySet[WaitingEntry]:
    """Places that are kept for a member who waited for them, with date and reward, soonest over first."""
    kept = WaitingEntry.objects.filter(member=member_id, state=WaitingState.OFFERED, offered_until__gt=at)
    return kept.select_related("session__reward").order_by("offered_until")


def affordable(member_ids: Sequence[int], *, at: datetime) -> dict[int, list[Reward]]:
    """For each of many members what their points suffice for at the moment, most points first. What is for a segment
    or sold out is left out; limits of a member are not asked for. So many queries, however many members."""
    open_ = shown(at=at).filter(
        Q(redeemable_from=None) | Q(redeemable_from__lte=at),
        Q(redeemable_until=None) | Q(redeemable_until__gt=at),
        Q(stock=None) | Q(stock__gt=0),
        Q(limit_total=None) | Q(redeemed__lt=F("limit_total")),
        segment=None,
    )
    prices = Prefetch("prices", RewardPrice.objects.select_related("tier"))
    rewards = list(open_.prefetch_related("tiers", prices))
    tiers = {tier.pk: tier for tier in Tier.objects.all()}
    base = next((tier for tier in tiers.values() if tier.rank == 0), None)
    held = dict(MemberTier.objects.filter(member__in=member_ids).values_list("member", "tier"))
    found: dict[int, list[Reward]] = {}
    for member_id, points in balances(member_ids, at).items():
        tier = tiers[held[member_id]] if member_id in held else base
        within = [
            (price_of(reward, tier).points, reward)
            for reward in rewards
            if not (allowed := list(reward.tiers.all())) or tier in allowed
        ]
        dearest = sorted((row for row in within if row[0] <= points), key=lambda row: -row[0])
        found[member_id] = [reward for _, reward in dearest]
    return found


def last_taken(member_ids: Sequence[int]) -> dict[int, Redemption]:
    """The last reward that each member redeemed and kept."""
    taken = Redemption.objects.filter(member__in=member_ids, state=RedemptionState.CONFIRMED).select_related("reward")
    rows = taken.order_by("member", "-confirmed_at", "-pk").distinct("member")
    return {row.member_id: row for row in rows}


def redemptions_of(member_id: int) -> QuerySet[Redemption]:
    """A member's redemptions, newest first, with all that a list of them shows."""
    own = Redemption.objects.filter(member=member_id).select_related("reward", "session", "coupon", "hold")
    return own.prefetch_related("reward__pictures").order_by("-created_at", "-pk")


def with_free_places(*, at: datetime) -> QuerySet[RewardSession]:
    """Dates for which somebody waits although there is room."""
    waits = WaitingEntry.objects.filter(session=OuterRef("pk"), state=WaitingState.WAITING)
    coming = RewardSession.objects.filter(Exists(waits), cancelled=False, starts_at__gt=at, booked__lt=F("capacity"))
    return coming.order_by("pk")

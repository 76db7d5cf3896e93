"""Taking a reward: reserved, then confirmed or cancelled, or lapsed by itself; given back later. docs/catalogue.md.

Points, stock, places and coupons move in one transaction. Locks come in one order everywhere: wallets, then dates, then
rewards, each by id; the reward, which hundreds may want at once, last and for as short as can be.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import override

from common.sql import fetch_all
from members.events import record
from members.queries import family
from members.services.purchases import KeyReused
from rewards.codes import new_code
from rewards.enums import Fulfilment, IssuedBy, RedemptionState, RewardKind, Unit, WaitingState
from rewards.events import REWARD_REDEEMED
from rewards.models import Coupon, Redemption, Reward, RewardSettings, WaitingEntry
from rewards.queries_catalogue import BY_CODE, Shelf, for_session, look_at, pool
from rewards.reasons import Reason
from rewards.services import holds
from rewards.services.coupons.issuing import OfferNotRunning, OutOfCodes, issue_coupons
from rewards.services.handing_over import end_redemptions, give_credit, owners, take_coupon, take_credit
from rewards.services.ledger import InsufficientPoints, lock_followed, lock_wallets
from rewards.services.places import leave, lock_dates, take_place

CHUNK = 500
COLLECTED = (RewardKind.GOODS, RewardKind.EXPERIENCE)  # what a code is shown for
AT_ONCE = (*BY_CODE, RewardKind.CREDIT, RewardKind.DONATION, RewardKind.TREE)  # nothing is left to wait for


class RedemptionRefused(Exception):
    """The member cannot have it; `reasons` say why not, in codes, facts and sentences."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__(*(reason.code for reason in reasons))
        self.reasons = reasons


class RedemptionSettled(Exception):
    """The redemption is no longer what the act needs it to be; `state` says what it is."""

    def __init__(self, state: RedemptionState) -> None:
        super().__init__(state)
        self.state = state


def reserve_reward(
    *,
    member_id: int,
    reward_id: int,
    source: str,
    key: str,
    at: datetime,
    session_id: int | None = None,
    actor_id: int | None = None,
    store: str = "",
) -> Redemption:
    """Sets a reward aside for a member, with its points and, of an experience, a place at a date; until `expires_at`.

    The same source and key with the same member, reward and date give the same redemption, whatever became of it.
    RedemptionRefused; KeyReused where the key is known with another content; Reward.DoesNotExist.
    """
    with _one_key(key), transaction.atomic():
        redemption, is_new = _reserve(member_id, reward_id, source, key, at, session_id, actor_id, store)
        if is_new:
            _take_last(redemption.reward)
        return redemption


def redeem_reward(
    *,
    member_id: int,
    reward_id: int,
    source: str,
    key: str,
    at: datetime,
    session_id: int | None = None,
    actor_id: int | None = None,
    store: str = "",
) -> Redemption:
    """Reserves and confirms at once, in one transaction; the arguments of reserve_reward. A known key gives the known
    redemption, whatever became of it."""
    with _one_key(key), transaction.atomic():
        redemption, is_new = _reserve(member_id, reward_id, source, key, at, session_id, actor_id, store)
        if redemption.state == RedemptionState.RESERVED:
            redemption = confirm_redemption(redemption_id=redemption.pk, at=at, actor_id=actor_id)
        if is_new:
            _take_last(redemption.reward)
        return redemption


def redeem_by_member(
    *,
    member_id: int,
    reward_id: int,
    source: str,
    key: str,
    at: datetime,
    session_id: int | None = None,
    actor_id: int | None = None,
    address: dict[str, str] | None = None,
) -> Redemption:
    """As redeem_reward, for a member by themselves; what is sent goes to `address`. What costs money besides stays
    reserved: it is confirmed where the money is paid."""
    with _one_key(key), transaction.atomic():
        redemption, is_new = _reserve(member_id, reward_id, source, key, at, session_id, actor_id, "")
        if redemption.state == RedemptionState.RESERVED:
            if not redemption.money_minor:
                redemption = confirm_redemption(redemption_id=redemption.pk, at=at, actor_id=actor_id, address=address)
            elif address and not redemption.address:
                redemption.address = address
                redemption.save(update_fields=["address"])
        if is_new:
            _take_last(redemption.reward)
        return redemption


@contextmanager
def _one_key(key: str) -> Iterator[None]:
    """Somebody else may come with this key at the same moment: KeyReused."""
    try:
        yield
    except IntegrityError as error:
        if "rewards_redemption_key" in str(error):
            raise KeyReused(key) from error
        raise


def _reserve(
    member_id: int,
    reward_id: int,
    source: str,
    key: str,
    at: datetime,
    session_id: int | None,
    actor_id: int | None,
    store: str,
) -> tuple[Redemption, bool]:
    """The redemption, and whether it is a new one: for that, _take_last is owed."""
    _, followed = lock_followed([member_id])
    member_id = followed.get(member_id, member_id)
    if known := Redemption.objects.filter(source=source, key=key).first():
        same = (known.reward_id, known.session_id) == (reward_id, session_id)
        if not same or known.member_id not in family([member_id]):
            raise KeyReused(key)
        return known, False
    shelf = look_at(reward_id, member_id=member_id, at=at)
    reward, price = shelf.reward, shelf.price
    is_dated = reward.kind == RewardKind.EXPERIENCE
    reasons = for_session(shelf, session_id) if is_dated else shelf.reasons
    if session_id is not None and not is_dated:
        reasons = (*reasons, Reason("session_unknown"))
    if reasons:
        raise RedemptionRefused(*reasons)
    minutes = reward.hold_minutes or RewardSettings.objects.values_list("hold_minutes", flat=True).get()
    redemption = Redemption.objects.create(
        source=source,
        key=key,
        member_id=member_id,
        reward=reward,
        session_id=session_id,
        points=price.points,
        money_minor=price.money_minor,
        why=_why(shelf),
        expires_at=at + timedelta(minutes=minutes),
        created_at=at,
        actor_id=actor_id,
        store=store,
    )
    if price.points:
        _hold(redemption, at, actor_id)
    if session_id is not None:
        _take_place(redemption, session_id, at)
    if reward.kind not in BY_CODE:
        return redemption, True
    _take_piece(reward)
    if reward.offer_id is not None and pool([reward.offer_id]).get(reward.offer_id, 0) < 0:
        raise RedemptionRefused(Reason("no_codes"))  # all that are left were promised a moment ago
    return redemption, True


def _why(shelf: Shelf) -> dict:
    """The price and the gates as they were."""
    return {
        "price_of_tier": shelf.price.tier_id,
        "list_points": shelf.reward.points,
        "unit_cost_minor": shelf.reward.unit_cost_minor,
        "segment": shelf.reward.segment_id,
    }


def _hold(redemption: Redemption, at: datetime, actor_id: int | None) -> None:
    with override(redemption.member.language):
        reason = redemption.reward.name
    try:
        redemption.hold = holds.reserve(
            member_id=redemption.member_id,
            amount=redemption.points,
            key=f"reward:{redemption.pk}",
            at=at,
            lapses_at=redemption.expires_at,
            reason=reason,
            actor_id=actor_id,
        )
    except InsufficientPoints as short:
        facts = {"price": short.asked, "balance": short.available, "missing": short.asked - short.available}
        raise RedemptionRefused(Reason("points_missing", facts)) from short
    redemption.save(update_fields=["hold"])


def _take_place(redemption: Redemption, session_id: int, at: datetime) -> None:
    """Takes the place kept for this member, under whichever of their cards, or a free one; they wait no more."""
    lock_dates([session_id])  # or one that is offered to them at this moment would be kept beside the one they take
    own = Q(member=redemption.member_id) | Q(member__merged_into=redemption.member_id)
    waits = WaitingEntry.objects.filter(
        own, session=session_id, state__in=[WaitingState.WAITING, WaitingState.OFFERED]
    ).order_by("state", "pk")  # a kept one first
    entries = list(waits.values_list("pk", "state"))
    if not (entries and entries[0][1] == WaitingState.OFFERED) and not take_place(session_id):
        raise RedemptionRefused(Reason("session_full"))
    if entries:
        WaitingEntry.objects.filter(pk=entries[0][0]).update(state=WaitingState.TAKEN)
        leave([pk for pk, _state in entries[1:]], at=at)


_TAKE_PIECE = """
UPDATE rewards_reward SET stock = stock - 1, redeemed = redeemed + 1
WHERE id = %(reward)s AND (stock IS NULL OR stock > 0) AND (limit_total IS NULL OR redeemed < limit_total)
RETURNING stock
"""


def _take_last(reward: Reward) -> None:
    """Takes one of the shelf when all else is done: others who want the same reward wait for the commit alone. Of what
    is a coupon it has been taken already, as the lock of a reward comes before that of an offer."""
    if reward.kind not in BY_CODE:
        _take_piece(reward)


def _take_piece(reward: Reward) -> None:
    if not fetch_all(_TAKE_PIECE, {"reward": reward.pk}):
        raise RedemptionRefused(Reason("sold_out"))


@transaction.atomic
def confirm_redemption(
    *,
    redemption_id: int,
    at: datetime,
    actor_id: int | None = None,
    address: dict | None = None,
    store: str = "",
) -> Redemption:
    """Spends the points of a reservation and gives what it was for: a coupon or credit at once, else a code to collect
    it with, or a parcel to be sent to `address` (the member's own where none is told). Twice is once.

    RedemptionSettled where it was cancelled, has lapsed or was given back; RedemptionRefused where no coupon is left;
    Redemption.DoesNotExist.
    """
    redemption = _locked(redemption_id)
    if redemption.state == RedemptionState.CONFIRMED:
        return redemption
    if redemption.state == RedemptionState.RESERVED and redemption.expires_at <= at:  # its tick has not come by yet
        raise RedemptionSettled(RedemptionState.LAPSED)
    if redemption.state != RedemptionState.RESERVED:
        raise RedemptionSettled(RedemptionState(redemption.state))
    if redemption.hold is not None:
        holds.confirm(key=redemption.hold.key, at=at, actor_id=actor_id, told=False)
    redemption.state, redemption.confirmed_at = RedemptionState.CONFIRMED, at
    redemption.store = store or redemption.store
    redemption.actor_id = actor_id or redemption.actor_id
    reward = redemption.reward
    if reward.kind in COLLECTED:
        redemption.code = new_code()
        sent = reward.kind == RewardKind.GOODS and reward.ships
        redemption.fulfilment = Fulfilment.TO_SHIP if sent else Fulfilment.TO_COLLECT
        if sent:
            known = redemption.address or _home(redemption)  # told when it was reserved, or the member's own
            redemption.address = address if address is not None else known
            redemption.code = None  # nobody comes to collect it
        elif redemption.session is not None:
            redemption.collect_until = redemption.session.starts_at + timedelta(days=1)
        elif reward.valid_days:
            redemption.collect_until = at + timedelta(days=reward.valid_days)
    elif reward.kind == RewardKind.CREDIT:
        give_credit(redemption, at=at, actor_id=actor_id)
    elif reward.kind in BY_CODE:
        redemption.coupon = _coupon(redemption, at)
    redemption.save()
    data = {
        "redemption": redemption.pk,
        "reward": reward.pk,
        "kind": reward.kind,
        "points": redemption.points,
        "name": {"en": reward.name_en, "zh-hans": reward.name_zh_hans},  # type: ignore[attr-defined]
    }
    record(member_id=redemption.member_id, kind=REWARD_REDEEMED, at=at, data=data, actor_id=actor_id)
    return redemption


def _coupon(redemption: Redemption, at: datetime) -> Coupon:
    try:
        (coupon,) = issue_coupons(
            offer_id=redemption.reward.offer_id,  # type: ignore[arg-type]  # a coupon's reward has one by constraint
            member_ids=[redemption.member_id],
            keys=[f"redemption:{redemption.pk}"],
            issued_by=IssuedBy.REDEMPTION,
            at=at,
        )
    except OutOfCodes as out:
        raise RedemptionRefused(Reason("no_codes")) from out
    except OfferNotRunning as ended:
        raise RedemptionRefused(Reason("offer_over")) from ended
    return coupon


def _home(redemption: Redemption) -> dict[str, str]:
    member = redemption.member
    fields = ("name", "street", "postal_code", "city", "country")
    return {name: getattr(member, name) for name in fields if getattr(member, name)}


@transaction.atomic
def cancel_redemption(*, redemption_id: int, at: datetime, actor_id: int | None = None) -> Redemption:
    """Ends a reservation: points to their lots, the piece to the shelf, the place to who waits. Twice is once.
    RedemptionSettled where it was confirmed, has lapsed or was given back; Redemption.DoesNotExist."""
    redemption = _locked(redemption_id)
    if redemption.state == RedemptionState.CANCELLED:
        return redemption
    if redemption.state != RedemptionState.RESERVED:
        raise RedemptionSettled(RedemptionState(redemption.state))
    end_redemptions([redemption.pk], state=RedemptionState.CANCELLED, at=at, actor_id=actor_id)
    redemption.refresh_from_db()
    return redemption


@transaction.atomic
def refund_redemption(*, redemption_id: int, at: datetime, actor_id: int | None = None, reason: str = "") -> Redemption:
    """Takes back what was given: points to the lots they came from, the piece to the shelf, the coupon out of use, the
    credit out of the wallet. Twice is once.

    RedemptionSettled where nothing was confirmed; handing_over.CannotTakeBack where the coupon or the credit is used;
    Redemption.DoesNotExist.
    """
    redemption = _locked(redemption_id)
    if redemption.state == RedemptionState.REFUNDED:
        return redemption
    if redemption.state != RedemptionState.CONFIRMED:
        raise RedemptionSettled(RedemptionState(redemption.state))
    take_coupon(redemption, at=at, actor_id=actor_id, reason=reason)
    if redemption.reward.kind == RewardKind.CREDIT:
        take_credit(redemption, at=at, actor_id=actor_id)
    end_redemptions([redemption.pk], state=RedemptionState.REFUNDED, at=at, actor_id=actor_id, note=reason)
    redemption.refresh_from_db()
    return redemption


def lapse_due(*, at: datetime) -> int:
    """Ends the reservations that nobody confirmed until `at`; how many. Safe to kill and to repeat."""
    lapsed = 0
    while ended := _lapse(at):
        lapsed += ended
    return lapsed


@transaction.atomic
def _lapse(at: datetime) -> int:
    due = Redemption.objects.filter(state=RedemptionState.RESERVED, expires_at__lte=at).order_by("expires_at")[:CHUNK]
    ids = list(due.values_list("pk", flat=True))
    if not ids:
        return 0
    lock_wallets(owners(ids))
    return end_redemptions(ids, state=RedemptionState.LAPSED, at=at, actor_id=None)


def _locked(redemption_id: int) -> Redemption:
    """The redemption as it stands once its member's wallet is locked."""
    kind = Redemption.objects.values_list("reward__kind", flat=True).get(pk=redemption_id)
    units = (Unit.POINTS, Unit.CREDIT) if kind == RewardKind.CREDIT else (Unit.POINTS,)
    lock_wallets(owners([redemption_id]), units=units)
    return Redemption.objects.select_related("reward", "session", "hold", "member", "coupon").get(pk=redemption_id)

"""Which coupon or offer a typed code means, and what is known of it for a basket."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Count, Q
from django.db.models.functions import Upper

from members.models import SegmentMember, SegmentPick
from members.queries import get_programme
from rewards.codes import candidates, fold
from rewards.coupons.definition import Definition, parse
from rewards.coupons.pricing import Discount, discount_all
from rewards.coupons.terms import Basket, Standing, why_not
from rewards.coupons.words import Reason
from rewards.enums import CouponState, CouponUseState, OfferKind
from rewards.models import Coupon, CouponUse, Offer
from rewards.queries_cards import rests

LIVE_USES = (CouponUseState.RESERVED, CouponUseState.USED)


@dataclass(slots=True)
class Found:
    """What a code means: a coupon, or an offer by its shared code. `reserved` is this caller's own reservation.
    Of a gift card, `rest_minor` can be spent, and it pays `pays_minor` of the basket."""

    typed: str
    offer: Offer | None = None
    coupon: Coupon | None = None
    definition: Definition | None = None
    reserved: CouponUse | None = None
    reasons: list[Reason] = field(default_factory=list)
    discount: Discount = field(default_factory=lambda: Discount(()))
    rest_minor: int = 0
    pays_minor: int = 0

    @property
    def is_card(self) -> bool:
        return self.offer is not None and self.offer.kind == OfferKind.CARD

    @property
    def code(self) -> str:
        """As it is stored."""
        if self.coupon is not None:
            return self.coupon.code
        return (self.offer.shared_code or "") if self.offer else self.typed


def find(typed: Sequence[str], *, lock: bool = False) -> list[Found]:
    """What each of the codes means, in their order; one that is typed twice counts once. With `lock` the coupons are
    locked, in the order of their ids."""
    wanted = {code: candidates(code) for code in typed}
    forms = [form for each in wanted.values() for form in each]
    coupons = Coupon.objects.filter(code__in=forms).select_related("offer").order_by("pk")
    if lock:
        coupons = coupons.select_for_update(of=("self",), no_key=True)
    by_code = {coupon.code: coupon for coupon in coupons}
    shared = _shared() if any(not by_code.keys() & set(each) for each in wanted.values()) else {}
    found: dict[tuple, Found] = {}
    for code, each in wanted.items():
        one = Found(code)
        one.coupon = next((by_code[form] for form in each if form in by_code), None)
        one.offer = one.coupon.offer if one.coupon else _meant(each, shared)
        if one.offer is None:
            one.reasons = [Reason("unknown")]
        else:
            one.definition = parse(one.offer.definition, one.offer.kind)
        key = (one.offer.pk, one.coupon and one.coupon.pk) if one.offer else (None, code)
        found.setdefault(key, one)
    return list(found.values())


def _shared() -> dict[str, Offer]:
    """Offers by their shared code. There are few."""
    offers = Offer.objects.filter(shared_code__isnull=False).annotate(upper=Upper("shared_code"))
    return {offer.upper: offer for offer in offers}  # type: ignore[attr-defined]


def _meant(forms: list[str], shared: dict[str, Offer]) -> Offer | None:
    """The offer whose code this is; or, put right, the only one whose code it may be."""
    for form in forms:
        if form in shared:
            return shared[form]
    alike = [offer for code, offer in shared.items() if forms and fold(code) == fold(forms[0])]
    return alike[0] if len(alike) == 1 else None


def judge(
    found: Sequence[Found], basket: Basket, *, source: str, at: datetime, key: str | None = None, lock: bool = False
) -> None:
    """Fills in the reasons why each cannot be used on this basket, alone and together, and what each takes off. What
    `source` has reserved for the member (with `key`, under that alone) does not stand in its own way; with `lock` it is
    locked, so that it does not lapse meanwhile."""
    known = [one for one in found if one.offer is not None and not one.is_card]
    standings = _standings(known, basket, source, key, lock)
    local = at.astimezone(ZoneInfo(get_programme().time_zone))
    for one, standing in zip(known, standings, strict=True):
        assert one.offer
        assert one.definition
        one.reasons = why_not(one.offer, one.coupon, one.definition, basket, standing, at=at, local=local)
    if len(known) > 1:
        _together(known)
    good = [one for one in known if not one.reasons]
    cards = [one for one in found if one.is_card]
    if basket.lines is None:
        _judge_cards(cards, basket, at)
        return
    taken = discount_all([one.definition for one in good if one.definition], basket.lines)
    for one, taken_off in zip(good, taken, strict=True):
        one.discount = taken_off
        if taken_off.missing:
            one.reasons = [Reason("nothing_left")]
    _judge_cards(cards, basket, at, total_minor=sum(line.amount_minor for line in basket.lines) - _off(good))


def _off(good: Sequence[Found]) -> int:
    return sum(one.discount.total for one in good)


def _judge_cards(cards: Sequence[Found], basket: Basket, at: datetime, *, total_minor: int = 0) -> None:
    """What is on each, and what it pays of what coupons leave, in the order told. Whose a card is, and whether more are
    issued, is not asked: whoever has the code may use it."""
    on_them = rests([one.coupon.pk for one in cards if one.coupon], at)
    for one in cards:
        assert one.coupon
        assert one.definition
        one.rest_minor = on_them.get(one.coupon.pk, 0)
        if reason := card_reason(one.coupon, one.rest_minor, at):
            one.reasons = [reason]
        elif basket.lines is not None and basket.currency != one.definition.currency:
            one.reasons = [Reason("wrong_currency", {"currency": one.definition.currency})]
        else:
            one.pays_minor = max(0, min(one.rest_minor, total_minor))
            total_minor -= one.pays_minor


def card_reason(coupon: Coupon, rest_minor: int, at: datetime) -> Reason | None:
    """Why nothing can be paid with a gift card."""
    if coupon.state == CouponState.VOID:
        return Reason("void")
    if coupon.state == CouponState.STOCK:
        return Reason("not_issued")
    if rest_minor:
        return None
    over = coupon.state != CouponState.USED and coupon.expires_at is not None and coupon.expires_at <= at
    return (
        Reason("expired", {"at": coupon.expires_at.isoformat()}) if over and coupon.expires_at else Reason("card_empty")
    )


def _together(known: Sequence[Found]) -> None:
    """Coupons go together where each says so; of one offer there is one in a basket."""
    offers = [one.offer.pk for one in known if one.offer]
    for one in known:
        assert one.offer
        if not one.offer.stackable or offers.count(one.offer.pk) > 1:
            one.reasons.append(Reason("not_with_others", {"offer": one.offer.name}))


def _standings(known: Sequence[Found], basket: Basket, source: str, key: str | None, lock: bool) -> list[Standing]:
    member_id = basket.member_id
    shared = [one.offer for one in known if one.offer and one.coupon is None]
    segments = _segments(member_id, [offer.segment_id for offer in shared if offer.segment_id])
    reserved = _reservations(known, member_id, source, key, lock)
    uses = _uses(member_id, [offer.pk for offer in shared])  # after it: one that lapsed meanwhile is not counted
    used_at = _used_at([one.coupon.pk for one in known if one.coupon and one.coupon.state == CouponState.USED])
    standings = []
    for one in known:
        assert one.offer
        if one.coupon is not None:
            one.reserved = next((use for use in reserved if use.coupon_id == one.coupon.pk), None)
            when = used_at.get(one.coupon.pk)
            standings.append(Standing(reserved_here=one.reserved is not None, used_at=when))
            continue
        one.reserved = next((use for use in reserved if use.coupon_id is None and use.offer_id == one.offer.pk), None)
        own = one.reserved is not None
        standings.append(
            Standing(
                in_segment=one.offer.segment_id is None or one.offer.segment_id in segments,
                uses=uses.get(one.offer.pk, 0) - own,
                reserved_here=own,
            )
        )
    return standings


def _segments(member_id: int | None, segment_ids: Iterable[int]) -> set[int]:
    """Those of the segments that the member is in, as they are now; who was kept out by hand a moment ago is out."""
    ids = list(segment_ids)
    if member_id is None or not ids:
        return set()
    held = SegmentMember.objects.filter(member_id=member_id, segment__in=ids).values_list("segment_id", flat=True)
    out = SegmentPick.objects.filter(member_id=member_id, segment__in=ids, include=False)
    return set(held) - set(out.values_list("segment_id", flat=True))


def _uses(member_id: int | None, offer_ids: list[int]) -> dict[int, int]:
    """How often the member has used each of the offers by its shared code."""
    if member_id is None or not offer_ids:
        return {}
    uses = CouponUse.objects.filter(member_id=member_id, offer__in=offer_ids, coupon=None, state__in=LIVE_USES)
    return dict(uses.values_list("offer_id").annotate(n=Count("pk")).order_by())


def _reservations(
    known: Sequence[Found], member_id: int | None, source: str, key: str | None, lock: bool
) -> list[CouponUse]:
    """What this caller has reserved for this member of these."""
    held = [one for one in known if one.coupon is None or one.coupon.state == CouponState.RESERVED]
    if not held:
        return []
    whose = Q(member=member_id) if member_id is not None else Q(member=None)
    open_ = CouponUse.objects.filter(
        whose, state=CouponUseState.RESERVED, source=source, offer__in=[one.offer for one in held]
    )
    open_ = (open_ if key is None else open_.filter(key=key)).order_by("pk")
    return list(open_.select_for_update(of=("self",), no_key=True) if lock else open_)


def _used_at(coupon_ids: list[int]) -> dict[int, datetime]:
    if not coupon_ids:
        return {}
    used = CouponUse.objects.filter(coupon__in=coupon_ids, state=CouponUseState.USED)
    return dict(used.values_list("coupon_id", "at"))

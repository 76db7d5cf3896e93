"""Reads about coupons. Each is a constant number of queries, whatever a member has."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Value, When

from members.models import SegmentMember, SegmentPick
from rewards.codes import shown
from rewards.coupons.definition import Definition, parse
from rewards.coupons.words import condition_words, effect_words, rest_words
from rewards.enums import CouponState, CouponUseState, OfferKind, OfferState
from rewards.models import Coupon, CouponUse, Offer, RuleVersion
from rewards.queries_cards import rests

_LIVE = (CouponUseState.RESERVED, CouponUseState.USED)


@dataclass(frozen=True, slots=True)
class Usable:
    """A coupon that a member may use: their own, or the code for all of an offer (`coupon` is None).

    `ends_at` is when it is over (None: never); `left` how many uses remain of the first so many.
    """

    offer: Offer
    coupon: Coupon | None
    code: str
    ends_at: datetime | None
    left: int | None
    is_new: bool
    definition: Definition
    rest_minor: int | None = None

    @property
    def is_card(self) -> bool:
        """A gift card: `rest_minor` is on it, and whoever has the code may pay with it."""
        return self.definition.kind == OfferKind.CARD

    @property
    def code_shown(self) -> str:
        """In groups, easy to read."""
        return shown(self.code)

    @property
    def effect(self) -> str:
        """What it gives, in the active language: "20% off drinks"."""
        if self.rest_minor is not None:
            return rest_words(self.rest_minor, self.definition.currency)
        return effect_words(self.definition)

    @property
    def conditions(self) -> list[str]:
        """On which terms, in the active language."""
        return condition_words(self.definition)


def _running(prefix: str, at: datetime) -> Q:
    """Of an offer that holds at `at`, with uses left."""
    terms = Q(**{f"{prefix}state": OfferState.LIVE})
    terms &= Q(**{f"{prefix}starts_at": None}) | Q(**{f"{prefix}starts_at__lte": at})
    terms &= Q(**{f"{prefix}ends_at": None}) | Q(**{f"{prefix}ends_at__gt": at})
    return terms & (Q(**{f"{prefix}uses_limit": None}) | Q(**{f"{prefix}uses__lt": F(f"{prefix}uses_limit")}))


def open_coupons(at: datetime) -> QuerySet[Coupon]:
    """Coupons in members' hands that can be used at `at`, as far as the calendar goes."""
    alive = Q(expires_at=None) | Q(expires_at__gt=at)
    running = _running("offer__", at) | Q(offer__kind=OfferKind.CARD)  # its money stays good
    return Coupon.objects.filter(alive, running, state=CouponState.ISSUED, member__isnull=False)


def usable_coupons(member_id: int, at: datetime) -> list[Usable]:
    """What the member may use at `at`, what ends first first; whether a basket is of the right kind is asked of
    rewards.services.coupons.using.validate. Two queries, and one for gift cards."""
    own = open_coupons(at).filter(member=member_id).select_related("offer")
    on_them = rests([coupon.pk for coupon in own if coupon.offer.kind == OfferKind.CARD], at)
    found = [_usable(coupon.offer, coupon, on_them.get(coupon.pk)) for coupon in own]
    found += [_usable(offer, None) for offer in shared_offers(member_id, at)]
    return sorted(found, key=lambda one: (one.ends_at is None, one.ends_at or at, one.code))


def shared_offers(member_id: int, at: datetime) -> QuerySet[Offer]:
    """Offers with a code for all that are shown to members and that this one may use."""
    used = CouponUse.objects.filter(offer=OuterRef("pk"), coupon=None, member=member_id, state__in=_LIVE)
    count = used.order_by().values("offer").annotate(n=Count("pk")).values("n")
    inside = SegmentMember.objects.filter(segment=OuterRef("segment"), member=member_id)
    kept_out = SegmentPick.objects.filter(segment=OuterRef("segment"), member=member_id, include=False)
    offers = Offer.objects.filter(_running("", at), listed=True, shared_code__isnull=False)
    offers = offers.filter(Q(segment=None) | Exists(inside) & ~Exists(kept_out)).annotate(mine=count)
    return offers.filter(Q(uses_member=None) | Q(mine=None) | Q(mine__lt=F("uses_member")))


def _usable(offer: Offer, coupon: Coupon | None, rest_minor: int | None = None) -> Usable:
    offer_ends = None if offer.kind == OfferKind.CARD else offer.ends_at
    ends = [moment for moment in (offer_ends, coupon.expires_at if coupon else None) if moment is not None]
    return Usable(
        offer=offer,
        coupon=coupon,
        code=coupon.code if coupon else offer.shared_code or "",
        ends_at=min(ends, default=None),
        left=None if offer.uses_limit is None else offer.uses_limit - offer.uses,
        is_new=coupon is not None and coupon.seen_at is None,
        definition=parse(offer.definition, offer.kind),
        rest_minor=rest_minor,
    )


def coupons_of(member_id: int, at: datetime) -> QuerySet[Coupon]:
    """All coupons a member ever had, newest first, each with how it `stands` at `at`: issued, reserved, used, void or
    expired."""
    ended = Q(offer__ends_at__lte=at) | Q(offer__state=OfferState.ENDED)
    over = Q(expires_at__lte=at) | ended & ~Q(offer__kind=OfferKind.CARD)
    stands = Case(When(over & Q(state=CouponState.ISSUED), then=Value("expired")), default=F("state"))
    return (
        Coupon.objects.filter(member=member_id)
        .select_related("offer")
        .annotate(stands=stands)
        .order_by("-issued_at", "-pk")
    )


def take_up(offers: QuerySet[Offer]) -> QuerySet[Offer]:
    """The offers with how many coupons were `issued`, how many uses there are (`used`), and what they took off."""
    coupons = Coupon.objects.filter(offer=OuterRef("pk")).order_by().values("offer")
    uses = CouponUse.objects.filter(offer=OuterRef("pk"), state=CouponUseState.USED).order_by().values("offer")
    issued = coupons.exclude(state=CouponState.STOCK).filter(member__isnull=False).annotate(n=Count("pk")).values("n")
    stock = coupons.filter(state=CouponState.STOCK).annotate(n=Count("pk")).values("n")
    return offers.annotate(issued=issued, stock=stock, used=uses.annotate(n=Count("pk")).values("n"))


def rule_coupon_keys(cause: str) -> dict[str, int]:
    """Under which keys rules may have given a coupon for a cause ("purchase:5", "event:7"), and which rule each is
    of."""
    versions = RuleVersion.objects.filter(definition__effect__kind="coupon", published_at__isnull=False)
    rules = versions.order_by().values_list("rule_id", flat=True).distinct()
    return {f"rule:{rule_id}:{cause}": rule_id for rule_id in rules}


def coupons_of_purchase(purchase_id: int) -> tuple[dict[int, str], dict[int, str]]:
    """The offers' names, by use, of what a purchase was made with; and, by coupon, of what it brought and nobody has
    used."""
    used = CouponUse.objects.filter(purchase=purchase_id, state__in=_LIVE).select_related("offer")
    keys = rule_coupon_keys(f"purchase:{purchase_id}")
    given = Coupon.objects.filter(issue_key__in=list(keys), state=CouponState.ISSUED)
    return (
        {one.pk: str(one.offer) for one in used.order_by("pk")},
        {one.pk: str(one.offer) for one in given.select_related("offer").order_by("pk")},
    )

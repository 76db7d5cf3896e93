"""Coupons given to members: one or many, one statement for each step. Each issue has a key, and happens once."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from common.sql import fetch_all
from members.events import record_many
from members.models import PRESENT, Member
from members.queries import get_programme, merged_into
from members.queries_segments import members_of
from rewards.codes import new_codes
from rewards.coupons.definition import parse
from rewards.enums import CouponState, IssuedBy, OfferKind, OfferState
from rewards.events import COUPON_ISSUED, COUPON_WITHDRAWN
from rewards.models import Coupon, CouponJob, Offer
from rewards.services.cards import empty_cards, lock_cards, open_cards


class OfferNotRunning(Exception):
    """Nothing is issued of an offer that is not live, is over, or has one code for everybody."""


class OutOfCodes(Exception):
    """The offer's codes came in a file, and there are not enough of them in stock: `available` for `asked`."""

    def __init__(self, *, available: int, asked: int) -> None:
        super().__init__(available, asked)
        self.available = available
        self.asked = asked


def expiry(offer: Offer, at: datetime) -> datetime | None:
    """When a coupon issued at `at` expires: at the end of its last day in the programme's time zone, or with the
    offer. The money on a gift card stays good when no more are issued."""
    ends_at = None if offer.kind == OfferKind.CARD else offer.ends_at
    if offer.valid_days is None:
        return ends_at
    local = at.astimezone(ZoneInfo(get_programme().time_zone)) + timedelta(days=offer.valid_days + 1)
    last = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return min(last, ends_at) if ends_at else last


def check_running(offer: Offer, at: datetime) -> None:
    """OfferNotRunning where nothing can be issued of it."""
    over = offer.ends_at is not None and offer.ends_at <= at
    if offer.state != OfferState.LIVE or over or offer.shared_code:
        raise OfferNotRunning


def has_pool(offer_id: int) -> bool:
    """Whether its codes came in a file: then none are made."""
    return CouponJob.objects.filter(offer=offer_id, uploaded=True).exists()


@transaction.atomic
def issue_coupons(
    *,
    offer_id: int,
    member_ids: Sequence[int],
    keys: Sequence[str],
    issued_by: IssuedBy | str,
    at: datetime,
    actor_id: int | None = None,
    job_id: int | None = None,
) -> list[Coupon]:
    """Gives a coupon to each of the members, under the key beside it; those of keys that are known, as they were.

    A code out of the uploaded pool, else a new one. Who is merged gets it as who they are now; who is erased or not in
    the offer's segment (unless a redemption paid for it) is left out. OfferNotRunning; OutOfCodes, then nothing is
    issued.
    """
    offer = Offer.objects.get(pk=offer_id)
    wanted = _wanted(member_ids, keys)
    known = _known(keys)
    new = {key: member_id for key, member_id in wanted.items() if key not in known}
    if new:
        check_running(offer, at)
        new = _entitled(offer, new, issued_by)
        made = _give(offer, new, issued_by, at, job_id)
        known = _known(keys)  # some may have been issued by others at the same moment
        given = [known[key] for key in made]
        if offer.kind == OfferKind.CARD:
            amount = parse(offer.definition, offer.kind).amount_minor
            open_cards(coupon_ids=[coupon.pk for coupon in given], amount_minor=amount, at=at, actor_id=actor_id)
        names = {"en": offer.name_en, "zh-hans": offer.name_zh_hans}  # type: ignore[attr-defined]
        record_many(
            kind=COUPON_ISSUED,
            events=[
                (
                    coupon.member_id,  # type: ignore[misc]
                    at,
                    {
                        "offer": offer.pk,
                        "coupon": coupon.pk,
                        "name": names,
                        "until": coupon.expires_at.isoformat() if coupon.expires_at else None,
                    },
                )
                for coupon in given
            ],
            actor_id=actor_id,
        )
    return [known[key] for key in keys if key in known]


def _wanted(member_ids: Sequence[int], keys: Sequence[str]) -> dict[str, int]:
    """The member of each key, by who they are now; nobody who is erased."""
    now = merged_into(member_ids)
    members = [now.get(id_, id_) for id_ in member_ids]
    present = set(Member.objects.filter(PRESENT, pk__in=members).values_list("pk", flat=True))
    return {key: id_ for key, id_ in zip(keys, members, strict=True) if id_ in present}


def _known(keys: Iterable[str]) -> dict[str | None, Coupon]:
    return {coupon.issue_key: coupon for coupon in Coupon.objects.filter(issue_key__in=list(keys))}


def _entitled(offer: Offer, new: dict[str, int], issued_by: str) -> dict[str, int]:
    if offer.segment_id is None or issued_by == IssuedBy.REDEMPTION:
        return new
    inside = set(members_of(offer.segment_id).filter(pk__in=new.values()).values_list("pk", flat=True))
    return {key: id_ for key, id_ in new.items() if id_ in inside}


_NEW = """
INSERT INTO rewards_coupon (code, offer_id, job_id, member_id, state, issue_key, issued_by, issued_at, expires_at, why)
SELECT code, %(offer)s, %(job)s::bigint, member_id, 'issued', key, %(by)s, %(at)s, %(expires)s, '{}'
FROM unnest(%(codes)s::text[], %(members)s::bigint[], %(keys)s::text[]) AS told (code, member_id, key)
ON CONFLICT DO NOTHING
RETURNING issue_key
"""
# Two who issue at once take different codes; nobody waits.
_FROM_POOL = """
WITH told AS (
    SELECT row_number() OVER () AS n, member_id, key
    FROM unnest(%(members)s::bigint[], %(keys)s::text[]) AS told (member_id, key)
),
taken AS (
    SELECT row_number() OVER (ORDER BY id) AS n, id FROM (
        SELECT id FROM rewards_coupon WHERE offer_id = %(offer)s AND state = 'stock'
        ORDER BY id LIMIT %(count)s FOR NO KEY UPDATE SKIP LOCKED
    ) AS stock
)
UPDATE rewards_coupon AS coupon
SET member_id = told.member_id, issue_key = told.key, state = 'issued', issued_by = %(by)s, issued_at = %(at)s,
    expires_at = %(expires)s
FROM taken JOIN told USING (n) WHERE coupon.id = taken.id
RETURNING coupon.issue_key
"""


def _give(offer: Offer, new: dict[str, int], issued_by: str, at: datetime, job_id: int | None) -> list[str]:
    """Those of the keys in `new` for which this call issued a coupon."""
    left, made = dict(new), []
    pool = has_pool(offer.pk) and not is_bearer(offer)  # a bearer's codes may be in somebody's hands
    fields = {"offer": offer.pk, "job": job_id, "by": issued_by, "at": at, "expires": expiry(offer, at)}
    while left:
        params = {**fields, "members": list(left.values()), "keys": list(left), "count": len(left)}
        if pool:
            try:
                with transaction.atomic():
                    given = {key for (key,) in fetch_all(_FROM_POOL, params)}
            except IntegrityError:  # somebody issued one of these keys at the same moment
                given = set()
            else:
                if len(given) < len(left):
                    raise OutOfCodes(available=len(given), asked=len(left))
        else:
            codes = new_codes(len(left))
            given = {key for (key,) in fetch_all(_NEW, {**params, "codes": codes})}
        made += [key for key in left if key in given]
        # What is left was issued by somebody else at the same moment, or its code was there already: then once more.
        left = {key: id_ for key, id_ in left.items() if key not in given}
        if left:
            known = _known(left)
            left = {key: id_ for key, id_ in left.items() if key not in known}
    return made


@transaction.atomic
def void_coupons(*, coupon_ids: Sequence[int], reason: str, at: datetime, actor_id: int | None = None) -> int:
    """Withdraws coupons that nobody has used, and gift cards that are whole; how many. What was used or withdrawn stays
    as it is."""
    lock_cards(coupon_ids)
    coupons = Coupon.objects.filter(pk__in=coupon_ids, state__in=[CouponState.STOCK, CouponState.ISSUED])
    held = list(coupons.order_by("pk").select_for_update(of=("self",), no_key=True).select_related("offer"))
    cards = {one.pk for one in held if one.offer.kind == OfferKind.CARD and one.state == CouponState.ISSUED}
    left = cards - empty_cards(coupon_ids=sorted(cards), reason=reason, at=at, actor_id=actor_id)
    held = [coupon for coupon in held if coupon.pk not in left]
    for coupon in held:
        coupon.state = CouponState.VOID
        coupon.why = coupon.why | {"void": {"at": at.isoformat(), "reason": reason[:200], "actor": actor_id}}
    Coupon.objects.bulk_update(held, ["state", "why"], batch_size=1_000)
    record_many(
        kind=COUPON_WITHDRAWN,
        events=[
            (
                coupon.member_id,
                at,
                {
                    "offer": coupon.offer_id,
                    "coupon": coupon.pk,
                    "name": {"en": coupon.offer.name_en, "zh-hans": coupon.offer.name_zh_hans},  # type: ignore[attr-defined]
                },
            )
            for coupon in held
            if coupon.member_id is not None
        ],
        actor_id=actor_id,
    )
    return len(held)


@transaction.atomic
def activate_card(*, coupon_id: int, at: datetime, actor_id: int | None = None) -> bool:
    """Puts its money on a gift card in stock that was sold or handed over, for whoever has it; whether it did. A card
    that is active, and what is no card, stays as it is. OfferNotRunning."""
    stock = Coupon.objects.filter(pk=coupon_id, state=CouponState.STOCK, offer__kind=OfferKind.CARD)
    coupon = stock.select_related("offer").select_for_update(of=("self",), no_key=True).first()
    if coupon is None:
        return False
    check_running(coupon.offer, at)
    coupon.state, coupon.issued_at, coupon.issued_by = CouponState.ISSUED, at, IssuedBy.STAFF
    coupon.expires_at = expiry(coupon.offer, at)
    coupon.save(update_fields=["state", "issued_at", "issued_by", "expires_at"])
    amount = parse(coupon.offer.definition, coupon.offer.kind).amount_minor
    open_cards(coupon_ids=[coupon.pk], amount_minor=amount, at=at, actor_id=actor_id)
    return True


def is_bearer(offer: Offer) -> bool:
    """Whether its codes in stock are good for whoever brings them."""
    return parse(offer.definition, offer.kind).bearer


def mark_seen(*, member_id: int, at: datetime) -> int:
    """The member has looked at their coupons; how many of them were new."""
    return Coupon.objects.filter(member=member_id, state=CouponState.ISSUED, seen_at=None).update(seen_at=at)

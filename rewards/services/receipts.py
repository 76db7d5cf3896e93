"""What a till is told of a purchase that was taken."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from dateutil.relativedelta import relativedelta
from django.utils.translation import get_language

from common.sql import fetch_prepared
from rewards.earning.triggers import PURCHASE
from rewards.enums import NEVER, TransferKind, Unit
from rewards.models import Coupon, Transfer
from rewards.queries_awards import award_sentence, award_words
from rewards.queries_cards import CardPaid
from rewards.queries_having import OPEN_CREDIT, OPEN_POINTS
from rewards.services.earning.at_once import AtOnce
from rewards.services.earning.live import Opened, live_rules
from rewards.services.earning.posting import Granted
from rewards.services.tiers import CALM, assess


class Earned(NamedTuple):
    """What a rule gave: `amount` in its unit (credit in minor units; a coupon is one), and why, for the member."""

    rule_id: int
    version: int
    name: str
    unit: str
    amount: int
    why: str
    state: str  # "spendable", "pending", "expired" (of a purchase told late) or "coupon"
    available_from: datetime | None  # of what waits for an event: at the latest, None where never without it
    waits_for: str = ""  # the kind of that event


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a basket. Told again it is answered anew, with what was given then and what there is now.

    `due_minor` is left to pay with money. `spendable` and `pending` are the member's points now, `credit` their store
    credit in minor units; tiers are ids, `tier` the name of the present one. `unfired` says of each rule that gave
    nothing why, as (rule, code, facts).
    """

    purchase_id: int
    is_new: bool
    member_id: int
    currency: str
    total_minor: int
    due_minor: int
    discount_minor: int
    earned: tuple[Earned, ...]
    spendable: int
    pending: int
    credit: int
    tier_before: int | None
    tier_after: int | None
    tier: str
    unfired: tuple[tuple[int, str, dict[str, Any]], ...] = ()
    cards: tuple[CardPaid, ...] = ()

    @property
    def tier_changed(self) -> bool:
        return self.tier_before != self.tier_after


class Stand(NamedTuple):
    """What a member has now: points, credit in minor units, and the tier."""

    spendable: int = 0
    pending: int = 0
    credit: int = 0
    tier_id: int | None = None
    tier: str = ""


_STANDS = """
{before}
SELECT member.id, coalesce(points.spendable, 0), coalesce(points.pending, 0), coalesce(credit.spendable, 0), tier.id,
       tier.name_en, tier.name_zh_hans{more}
FROM unnest(%(members)s::bigint[]) AS member (id)
LEFT JOIN rewards_membertier AS status ON status.member_id = member.id
LEFT JOIN rewards_tier AS tier ON tier.id = coalesce(status.tier_id, (SELECT id FROM rewards_tier WHERE rank = 0))
LEFT JOIN LATERAL ({points}) AS points ON true
LEFT JOIN LATERAL ({credit}) AS credit ON true
"""
_OPEN_BOTH = {"points": OPEN_POINTS, "credit": OPEN_CREDIT}
# Who is calm has the tier that they had.
_SETTLED = _STANDS.format(
    before=f"WITH calm AS ({CALM})", more=", member.id IN (SELECT member_id FROM calm)", **_OPEN_BOTH
)
_STANDS = _STANDS.format(before="", more="", **_OPEN_BOTH)


def stands_of(member_ids: Collection[int], at: datetime) -> dict[int, Stand]:
    """What members have at `at`, in one query."""
    return _stands(fetch_prepared(_STANDS, {"members": list(member_ids), "at": at}))


def settle(wallet_ids: list[int], member_ids: Collection[int], at: datetime) -> dict[int, Stand]:
    """Assesses the tiers of the members of these wallets, which the caller has locked; what members have then: nearly
    always in one statement."""
    if not wallet_ids:
        return stands_of(member_ids, at)
    rows = fetch_prepared(_SETTLED, {"members": list(member_ids), "at": at, "wallets": wallet_ids})
    if not all(row[7] for row in rows):
        assess(wallet_ids, at)
        return stands_of(member_ids, at)
    return _stands(rows)


def settle_at_once(done: AtOnce, begun: Opened, at: datetime) -> dict[int, Stand]:
    """The same after all was written in one statement: asked again only of those whose tier may change."""
    chinese = (get_language() or "").startswith("zh")
    came: dict[tuple[int, str], int] = defaultdict(int)
    for one in done.granted or ():
        for award in one.outcome.awards:
            state = "pending" if award.available_from and award.available_from > at else award.rule.definition.unit
            if state == "pending" and award.rule.definition.unit != Unit.POINTS:
                continue
            if state == "pending" or award.expires_at is None or award.expires_at > at:
                came[one.case.member_id, state] += award.points
    stands = {}
    for id_ in done.staying:
        has = done.has[id_]
        stands[id_] = Stand(
            has.spendable + came[id_, Unit.POINTS],
            has.pending + came[id_, "pending"],
            has.credit + came[id_, Unit.CREDIT],
            has.tier_id,
            (has.zh if chinese else has.en) or has.en or "",
        )
    others = {one.case.member_id for one in done.granted or ()} - stands.keys()
    if others:
        assess([wallet for (id_, _unit), wallet in begun.wallets.items() if id_ in others], at)
        stands |= stands_of(others, at)
    return stands


def _stands(rows: Iterable[tuple]) -> dict[int, Stand]:
    chinese = (get_language() or "").startswith("zh")
    return {
        id_: Stand(spendable, pending, credit, tier, (zh if chinese else en) or en or "")
        for id_, spendable, pending, credit, tier, en, zh, *_calm in rows
    }


def earned_now(granted: Granted, at: datetime) -> list[Earned]:
    """What was just given, `at` now."""
    found, language = [], get_language()  # asked once: asking costs more than the sentence
    for award in granted.outcome.awards:
        rule = award.rule
        coupon = award.offer is not None
        state = "coupon" if coupon else "pending" if award.available_from else "spendable"
        ends = award.expires_at
        if ends is None and award.inactivity_months:
            ends = granted.case.happening.at + relativedelta(months=award.inactivity_months)
        if not coupon and ends is not None and ends <= at:
            state = "expired"
        found.append(
            Earned(
                rule_id=rule.id,
                version=rule.number,
                name=rule.name,
                unit=rule.definition.unit,
                amount=1 if coupon else award.points,
                why=rule.name if coupon else award_words(award.why, rule.name, language),
                state=state,
                available_from=_by_itself(award.available_from),
                waits_for=award.why.get("waits", {}).get("for", ""),
            )
        )
    return found


def _by_itself(moment: datetime | None) -> datetime | None:
    return None if moment is None or moment >= NEVER else moment


_PAID = """
SELECT purchase.amount_minor,
       (SELECT coalesce(sum(discount_minor), 0)::bigint FROM members_purchaseline WHERE purchase_id = purchase.id),
       (SELECT coalesce(sum((why->>'worth_minor')::bigint), 0)::bigint FROM rewards_transfer
        WHERE purchase_id = purchase.id AND kind = 'pay')
FROM members_purchase AS purchase WHERE purchase.id = %s
"""


def as_it_was(purchase_id: int) -> tuple[int, int, int, tuple[Earned, ...]]:
    """Total, discount and what was due, in minor units, and what was earned then."""
    total, discount, worth = fetch_prepared(_PAID, [purchase_id])[0]
    earned = []
    given = Transfer.objects.filter(purchase=purchase_id, kind=TransferKind.EARN)
    for transfer in given.select_related("rule__rule", "credit", "lot").order_by("id"):
        ends = transfer.lot.expires_at
        pending, over = transfer.lot.available_from > transfer.created_at, ends and ends <= transfer.created_at
        earned.append(
            Earned(
                rule_id=transfer.rule.rule_id if transfer.rule else 0,
                version=transfer.rule.number if transfer.rule else 0,
                name=str(transfer.rule.rule) if transfer.rule else "",
                unit=transfer.credit.unit,
                amount=transfer.amount,
                why=award_sentence(transfer),
                state="expired" if over else "pending" if pending else "spendable",
                available_from=_by_itself(transfer.lot.available_from) if pending else None,
                waits_for=transfer.why.get("waits", {}).get("for", "") if pending else "",
            )
        )
    coupons = [live.rule for live in live_rules(PURCHASE) if live.rule.definition.effect.kind == "coupon"]
    keys = {f"rule:{rule.id}:purchase:{purchase_id}": rule for rule in coupons}
    for key in Coupon.objects.filter(issue_key__in=keys).values_list("issue_key", flat=True) if keys else ():
        rule = keys[str(key)]
        earned.append(Earned(rule.id, rule.number, rule.name, rule.definition.unit, 1, rule.name, "coupon", None))
    return total, discount, total - worth, tuple(earned)

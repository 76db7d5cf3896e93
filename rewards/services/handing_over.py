"""What a redemption gives, and taking it back: of one redemption or of hundreds, in the same few statements."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from common.sql import execute, fetch_all
from members.events import record_selected
from rewards.enums import AccountKind, ExpiredReturn, HoldState, RedemptionState, TransferKind, Unit
from rewards.events import REWARD_RETURNED
from rewards.models import Redemption, Reward, Transfer
from rewards.queries import reward_settings
from rewards.services import holds
from rewards.services.coupons.issuing import void_coupons
from rewards.services.ledger import credit, debit
from rewards.services.moved_points import forward
from rewards.services.places import free_places
from rewards.services.taking_back import settle_returned


def owners(redemption_ids: Sequence[int]) -> set[int]:
    """Whose wallets these redemptions move points of: the members, and those of old cards that hold their points."""
    rows = Redemption.objects.filter(pk__in=redemption_ids).values_list("member_id", "hold__account__member_id")
    return {member_id for row in rows for member_id in row if member_id is not None}


class CannotTakeBack(Exception):
    """What was given is used already: `what` is "coupon" or "credit"."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


_GIVE_CREDIT = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(at)s::timestamptz, NULL::timestamptz,
       %(reason)s, jsonb_build_object('redemption', %(redemption)s::bigint), %(actor)s::bigint, NULL::bigint
"""
_TAKE_CREDIT = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(reason)s,
       jsonb_build_object('redemption', %(redemption)s::bigint), %(actor)s::bigint, NULL::bigint, %(reverses)s::bigint
"""


def give_credit(redemption: Redemption, *, at: datetime, actor_id: int | None) -> None:
    """Puts the store credit of a confirmed redemption into the member's wallet. The caller has locked and opened it."""
    params = _credit_params(redemption, f"reward:{redemption.pk}", at, actor_id)
    credit(kind=TransferKind.GIFT, source=AccountKind.ISSUED, unit=Unit.CREDIT, select=_GIVE_CREDIT, params=params)


def take_credit(redemption: Redemption, *, at: datetime, actor_id: int | None) -> None:
    """Takes that credit back. CannotTakeBack where it is spent."""
    given = Transfer.objects.filter(key=f"reward:{redemption.pk}").values_list("pk", "amount").get()
    params = _credit_params(redemption, f"reward-back:{redemption.pk}", at, actor_id)
    params |= {"reverses": given[0], "amount": given[1]}
    if not debit(
        kind=TransferKind.REVERSE, target=AccountKind.ISSUED, unit=Unit.CREDIT, select=_TAKE_CREDIT, params=params
    ):
        raise CannotTakeBack("credit")


def _credit_params(redemption: Redemption, key: str, at: datetime, actor_id: int | None) -> dict:
    return {
        "key": key,
        "member": redemption.member_id,
        "amount": redemption.reward.credit_minor,
        "at": at,
        "reason": redemption.hold.reason if redemption.hold else redemption.reward.name,
        "redemption": redemption.pk,
        "actor": actor_id,
    }


def take_coupon(redemption: Redemption, *, at: datetime, actor_id: int | None, reason: str) -> None:
    """Puts the coupon of a redemption out of use. CannotTakeBack where it is used, or lies in a basket."""
    coupon_id = redemption.coupon_id
    if coupon_id is not None and not void_coupons(coupon_ids=[coupon_id], reason=reason, at=at, actor_id=actor_id):
        raise CannotTakeBack("coupon")


_END = """
UPDATE rewards_redemption SET state = %(state)s, settled_at = %(at)s, fulfilment = 'none',
       note = CASE WHEN %(note)s = '' THEN note ELSE left(%(note)s, 200) END
WHERE id = ANY(%(ids)s) AND state = %(before)s
RETURNING id, reward_id, session_id, hold_id
"""
_BACK_ON_THE_SHELF = """
UPDATE rewards_reward AS reward SET stock = reward.stock + back.n, redeemed = reward.redeemed - back.n
FROM unnest(%(rewards)s::bigint[], %(counts)s::int[]) AS back (id, n) WHERE reward.id = back.id
"""
_TOLD = """
SELECT redemption.member_id, %(at)s::timestamptz, jsonb_build_object(
    'redemption', redemption.id, 'reward', reward.id, 'points', redemption.points,
    'name', jsonb_build_object('en', reward.name_en, 'zh-hans', reward.name_zh_hans))
FROM rewards_redemption AS redemption JOIN rewards_reward AS reward ON reward.id = redemption.reward_id
WHERE redemption.id = ANY(%(ids)s) ORDER BY redemption.id
"""


def end_redemptions(
    ids: Sequence[int], *, state: RedemptionState, at: datetime, actor_id: int | None, note: str = ""
) -> int:
    """Cancels or lapses reservations, or gives back what was confirmed: points into the lots they came from, pieces to
    the shelf, places to who waits; how many ended. Those that have ended already are left as they are. The caller has
    locked the wallets."""
    refunds = state == RedemptionState.REFUNDED
    before = RedemptionState.CONFIRMED if refunds else RedemptionState.RESERVED
    ended = fetch_all(_END, {"ids": list(ids), "state": state, "before": before, "at": at, "note": note})
    hold_ids = [hold_id for *_, hold_id in ended if hold_id is not None]
    if refunds:
        give_back(hold_ids, at=at, actor_id=actor_id)
    elif hold_ids:
        holds.release(hold_ids, HoldState(state), at, actor_id)
    free_places(Counter(session_id for _, _, session_id, _ in ended if session_id is not None), at=at)
    pieces = Counter(reward_id for _, reward_id, _, _ in ended)
    list(Reward.objects.filter(pk__in=pieces).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    execute(_BACK_ON_THE_SHELF, {"rewards": list(pieces), "counts": list(pieces.values())})
    if refunds and ended:
        params = {"ids": [id_ for id_, *_ in ended], "at": at}
        record_selected(kind=REWARD_RETURNED, select=_TOLD, params=params, actor_id=actor_id)
    return len(ended)


_GIVE_BACK = """
WITH back AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, hold.id AS hold_id, hold.account_id,
           hold.amount, hold.reason, hold.transfer_id, spent.id AS spent_id, spent.credit_id AS redeemed_id
    FROM rewards_hold AS hold JOIN rewards_transfer AS spent ON spent.key = 'confirm:' || hold.id
    WHERE hold.id = ANY(%(holds)s)
),
posted AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, reason, why, actor_id, reverses_id)
    SELECT id, 'return:' || hold_id, 'return', redeemed_id, account_id, amount, %(at)s, reason,
           jsonb_build_object('hold', hold_id), %(actor)s::bigint, spent_id
    FROM back
),
parts AS (
    SELECT back.id, back.account_id, taken.lot_id, taken.amount,
           coalesce(lot.expires_at <= %(at)s AND %(anew_until)s::timestamptz IS NOT NULL, false) AS is_anew
    FROM back JOIN rewards_lotuse AS taken ON taken.transfer_id = back.transfer_id
    JOIN rewards_lot AS lot ON lot.id = taken.lot_id
),
used AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount) SELECT id, lot_id, -amount FROM parts WHERE NOT is_anew
),
lot AS (
    UPDATE rewards_lot AS lot SET remaining = lot.remaining + came.amount
    FROM (SELECT lot_id, sum(amount) AS amount FROM parts WHERE NOT is_anew GROUP BY lot_id) AS came
    WHERE lot.id = came.lot_id
),
opened AS (
    INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at)
    SELECT account_id, id, sum(amount), sum(amount), %(at)s, %(anew_until)s::timestamptz
    FROM parts WHERE is_anew GROUP BY account_id, id
)
UPDATE rewards_account AS account SET balance = account.balance + came.amount
FROM (SELECT account_id, sum(amount) AS amount FROM back GROUP BY account_id) AS came WHERE account.id = came.account_id
"""


def give_back(hold_ids: Sequence[int], *, at: datetime, actor_id: int | None) -> None:
    """Gives the points of confirmed holds back to the lots they came from. What of them has expired since expires at
    the next sweep, or lives for some days in a lot of its own, as the reward settings say; what belongs to a merged
    member goes on to who they are now; what purchases gave that are refunded since is taken back."""
    if not hold_ids:
        return
    settings = reward_settings()
    in_grace = settings.expired_return == ExpiredReturn.GRACE
    anew_until = at + timedelta(days=settings.expired_return_days) if in_grace else None
    execute(_GIVE_BACK, {"holds": list(hold_ids), "at": at, "actor": actor_id, "anew_until": anew_until})
    merged = Transfer.objects.filter(hold__in=hold_ids, debit__member__merged_into__isnull=False)
    forward(member_ids=sorted(set(merged.values_list("debit__member_id", flat=True))), at=at)
    back = Transfer.objects.filter(key__in=[f"return:{hold_id}" for hold_id in hold_ids])
    settle_returned(transfer_ids=back.values_list("pk", flat=True), at=at, actor_id=actor_id)

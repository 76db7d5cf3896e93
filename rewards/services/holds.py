"""Points set aside for something that is not final yet: reserved, then confirmed, cancelled or lapsed."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from common.sql import fetch_all
from members.events import record
from members.queries import family
from members.services.purchases import KeyReused
from rewards.enums import AccountKind, HoldState, TransferKind, Unit
from rewards.events import POINTS_REDEEMED, told_unit
from rewards.models import Account, Hold, Transfer
from rewards.queries import balance
from rewards.services.ledger import InsufficientPoints, debit, lock_followed, lock_wallets, touch
from rewards.services.moved_points import forward
from rewards.services.taking_back import settle_refunds

CHUNK = 1_000


class HoldSettled(Exception):
    """The hold is no longer open; `state` says how it ended."""

    def __init__(self, state: HoldState) -> None:
        super().__init__(state)
        self.state = state


_TAKE = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(reason)s, '{}'::jsonb,
       %(actor)s::bigint, NULL::bigint, NULL::bigint
"""


@transaction.atomic
def reserve(
    *,
    member_id: int,
    amount: int,
    key: str,
    at: datetime,
    lapses_at: datetime,
    reason: str = "",
    actor_id: int | None = None,
    unit: Unit = Unit.POINTS,
) -> Hold:
    """Sets points, or credit in minor units, aside until `lapses_at`. They are spent for everyone else.

    The same key with the same content gives the same hold. KeyReused where it comes with another content;
    InsufficientPoints; ValueError for an amount below 1 or a hold that has lapsed before it begins.
    """
    if amount < 1 or lapses_at <= at:
        raise ValueError("a hold keeps points for a while")
    lock_wallets([member_id], units=[unit])
    if known := Hold.objects.select_related("account").filter(key=key).first():
        same = (known.amount, known.reason, known.account.unit) == (amount, reason, unit)
        if not same or known.account.member_id not in family([member_id]):
            raise KeyReused(key)
        return known
    posted = debit(
        kind=TransferKind.HOLD,
        target=AccountKind.HELD,
        select=_TAKE,
        params={
            "key": f"hold:{key}",
            "member": member_id,
            "amount": amount,
            "at": at,
            "reason": reason,
            "actor": actor_id,
        },
        unit=unit,
    )
    if not posted:
        raise InsufficientPoints(available=balance(member_id, at, unit), asked=amount)
    touch({member_id: at}, now=at)
    transfer = Transfer.objects.get(pk=posted[0].id)
    return Hold.objects.create(
        key=key, account_id=transfer.debit_id, amount=amount, reason=reason, transfer=transfer, lapses_at=lapses_at
    )


@transaction.atomic
def confirm(*, key: str, at: datetime, actor_id: int | None = None, told: bool = True) -> Hold:
    """Spends what was reserved. Twice is once. HoldSettled where it was cancelled or has lapsed; Hold.DoesNotExist.

    Without `told` it is left to the caller to say so on the timeline.
    """
    hold, member_id = _locked(key)
    if hold.state == HoldState.CONFIRMED:
        return hold
    if hold.state == HoldState.RESERVED and hold.lapses_at <= at:  # the tick that lapses it has not come by yet
        raise HoldSettled(HoldState.LAPSED)
    if hold.state != HoldState.RESERVED:
        raise HoldSettled(HoldState(hold.state))
    unit = hold.account.unit
    system = dict(Account.objects.filter(member=None, coupon=None, unit=unit).values_list("kind", "pk"))
    Transfer.objects.create(
        key=f"confirm:{hold.pk}",
        kind=TransferKind.REDEEM,
        debit_id=system[AccountKind.HELD],
        credit_id=system[AccountKind.REDEEMED],
        amount=hold.amount,
        at=at,
        reason=hold.reason,
        why={"hold": hold.pk},
        actor_id=actor_id,
    )
    hold.state, hold.settled_at = HoldState.CONFIRMED, at
    hold.save(update_fields=["state", "settled_at"])
    settle_refunds(hold_ids=[hold.pk], at=at, actor_id=actor_id)
    if told:
        data = {"points": hold.amount, "reason": hold.reason, **told_unit(unit)}
        record(member_id=member_id, kind=POINTS_REDEEMED, at=at, data=data, actor_id=actor_id)
    return hold


@transaction.atomic
def cancel(*, key: str, at: datetime, actor_id: int | None = None) -> Hold:
    """Gives back what was reserved, to the lots it came from. Twice is once. HoldSettled where it was confirmed or
    has lapsed; Hold.DoesNotExist."""
    hold, _ = _locked(key)
    if hold.state == HoldState.CANCELLED:
        return hold
    if hold.state != HoldState.RESERVED:
        raise HoldSettled(HoldState(hold.state))
    release([hold.pk], HoldState.CANCELLED, at, actor_id)
    hold.refresh_from_db()
    return hold


def lapse_due(*, at: datetime) -> int:
    """Gives back what was reserved until `at` or earlier; how many holds lapsed. Safe to kill and to repeat."""
    lapsed = 0
    while released := _lapse(at):
        lapsed += released
    return lapsed


@transaction.atomic
def _lapse(at: datetime) -> int:
    # What was reserved for a reward lapses with its redemption, which gives back the reward as well.
    due = Hold.objects.filter(state=HoldState.RESERVED, lapses_at__lte=at, redemption=None).order_by("lapses_at")[
        :CHUNK
    ]
    holds = list(due.values_list("pk", "account__member_id"))
    if not holds:
        return 0
    lock_wallets(member for _, member in holds)
    return release([pk for pk, _ in holds], HoldState.LAPSED, at, None)


def _locked(key: str) -> tuple[Hold, int]:
    """The hold as it stands once its member's wallet is locked, and who that member is now."""
    member_id = Hold.objects.values_list("account__member_id", flat=True).get(key=key)
    _, followed = lock_followed([member_id])
    return Hold.objects.select_related("account").get(key=key), followed.get(member_id, member_id)


_RELEASE = """
WITH settled AS (
    UPDATE rewards_hold SET state = %(state)s, settled_at = %(at)s WHERE id = ANY(%(holds)s) AND state = 'reserved'
    RETURNING id, account_id, amount, reason, transfer_id
),
posted AS (
    INSERT INTO rewards_transfer (key, kind, debit_id, credit_id, amount, at, reason, why, actor_id, reverses_id)
    SELECT 'release:' || settled.id, 'release', held.id, settled.account_id, settled.amount, %(at)s, settled.reason,
           jsonb_build_object('hold', settled.id, 'state', %(state)s::text), %(actor)s::bigint, settled.transfer_id
    FROM settled JOIN rewards_account AS wallet ON wallet.id = settled.account_id
    JOIN rewards_account AS held ON held.kind = 'held' AND held.unit = wallet.unit AND held.member_id IS NULL
    RETURNING id, credit_id, amount, reverses_id
),
back AS (
    SELECT posted.id, taken.lot_id, taken.amount
    FROM posted JOIN rewards_lotuse AS taken ON taken.transfer_id = posted.reverses_id
),
used AS (
    INSERT INTO rewards_lotuse (transfer_id, lot_id, amount) SELECT id, lot_id, -amount FROM back
),
lot AS (
    UPDATE rewards_lot AS lot SET remaining = lot.remaining + came.amount
    FROM (SELECT lot_id, sum(amount) AS amount FROM back GROUP BY lot_id) AS came WHERE lot.id = came.lot_id
),
wallet AS (
    UPDATE rewards_account AS account SET balance = account.balance + came.amount
    FROM (SELECT credit_id, sum(amount) AS amount FROM posted GROUP BY credit_id) AS came
    WHERE account.id = came.credit_id
)
SELECT count(*) FROM settled
"""


def release(holds: Sequence[int], state: HoldState, at: datetime, actor_id: int | None) -> int:
    """Gives back what these open holds reserve, to the lots it came from; how many they were. The caller has locked
    the wallets."""
    params = {"holds": list(holds), "state": state, "at": at, "actor": actor_id}
    released = fetch_all(_RELEASE, params)[0][0]
    merged = Hold.objects.filter(pk__in=holds, account__member__merged_into__isnull=False)
    forward(member_ids=sorted(set(merged.values_list("account__member_id", flat=True))), at=at)
    settle_refunds(hold_ids=holds, at=at, actor_id=actor_id)
    return released

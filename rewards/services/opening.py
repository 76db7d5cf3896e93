"""Points that new members bring along from another programme: a column of an import of customers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from common.sql import fetch_all
from members import events
from members.services.imports.cells import Bad, bad
from members.services.imports.customers.fields import Extra, register_extra
from rewards.enums import AccountKind, TransferKind
from rewards.events import POINTS_ADJUSTED
from rewards.services.ledger import credit, debit, lock_wallets

FIELD = "points"
MOST = 1_000_000_000
REASON, TAKEN_BACK = gettext_noop("Brought along"), gettext_noop("Import taken back")
# They never expire by themselves, as what staff give by hand.
_GIVE = """
SELECT 'import:' || %(key)s || ':' || n, member_id, value::bigint, %(at)s::timestamptz, %(at)s::timestamptz,
       NULL::timestamptz, %(reason)s, '{{}}'::jsonb, %(actor)s::bigint, NULL::bigint
FROM ({select}) AS told WHERE value::bigint > 0
"""
_TOLD = """
SELECT member_id, %(at)s::timestamptz, jsonb_build_object('points', value::bigint, 'reason', %(reason)s::text,
       'customer_import', %(key)s::bigint)
FROM ({select}) AS told WHERE value::bigint > 0
"""
_GIVEN = """
SELECT wallet.member_id, transfer.id, transfer.amount
FROM rewards_account AS wallet JOIN rewards_transfer AS transfer ON transfer.credit_id = wallet.id
WHERE wallet.member_id = ANY(%(members)s) AND wallet.unit = 'points' AND wallet.kind = 'wallet'
  AND transfer.key LIKE 'import:' || %(key)s || ':%%'
"""
_TAKE = """
SELECT 'import-back:' || given.id, given.member_id, given.amount, %(at)s::timestamptz, %(reason)s, '{}'::jsonb,
       %(actor)s::bigint, NULL::bigint, given.id
FROM unnest(%(member)s::bigint[], %(transfer)s::bigint[], %(amount)s::bigint[]) AS given (member_id, id, amount)
"""


def read_points(cell: str, mark: str) -> str | Bad:
    """A whole number of points, 0 to a milliard; thousands may be parted."""
    digits = cell.replace("," if mark == "." else ".", "").replace(" ", "").replace("'", "")
    whole, _mark, rest = digits.partition(mark)
    if not whole.isdigit() or not whole.isascii() or rest.strip("0") or int(whole) > MOST:
        return bad("no_points", cell)
    return str(int(whole))


def give(*, select: str, params: dict[str, Any], at: datetime, actor_id: int | None, key: str) -> None:
    """Gives what the rows (member_id, n, value) of an SQL query say, in the caller's transaction."""
    lock_wallets(row[0] for row in fetch_all(select, params))
    given = {**params, "at": at, "actor": actor_id, "key": key, "reason": REASON}
    credit(kind=TransferKind.ADJUST, source=AccountKind.ADJUSTED, select=_GIVE.format(select=select), params=given)
    events.record_selected(kind=POINTS_ADJUSTED, select=_TOLD.format(select=select), params=given, actor_id=actor_id)


def take_back(*, member_ids: Sequence[int], key: str, actor_id: int | None) -> list[int]:
    """Takes the points back from who still has them all; the members who have not."""
    lock_wallets(member_ids)
    given = fetch_all(_GIVEN, {"members": list(member_ids), "key": key})
    members, transfers, amounts = ([row[i] for row in given] for i in range(3))
    params = {
        "member": members,
        "transfer": transfers,
        "amount": amounts,
        "at": timezone.now(),
        "reason": TAKEN_BACK,
        "actor": actor_id,
    }
    posted = debit(kind=TransferKind.ADJUST, target=AccountKind.ADJUSTED, select=_TAKE, params=params)
    back = {int(transfer.key.rpartition(":")[2]) for transfer in posted}
    return [member for member, transfer, _amount in given if transfer not in back]


def register_all() -> None:
    register_extra(
        Extra(
            name=FIELD,
            label=_("points brought along"),
            names="points, opening balance, points balance, loyalty points, punkte, 积分, 积分余额, 可用积分, 期初积分",
            read=read_points,
            post=give,
            undo=take_back,
        )
    )

"""Recomputing the ledger from its transfers, and telling the first difference of each kind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.money import minor_digits
from common.sql import execute, fetch_all
from members.merging import Strategy, relations
from members.models import Purchase
from rewards.services.check import Check
from rewards.services.verify_catalogue import CATALOGUE_CHECKS
from rewards.services.verify_coupons import COUPON_CHECKS
from rewards.services.verify_figures import FIGURE_CHECKS
from rewards.services.verify_ledger import LEDGER_CHECKS
from rewards.services.verify_tiers import TIER_CHECKS


class Difference(NamedTuple):
    """The first row that is wrong: its table and id, what it should say and what it says; how many there are."""

    table: str
    id: int
    expected: str | None
    found: str | None
    rows: int


class Result(NamedTuple):
    """What a check looked at, how many rows, and the first difference, if any."""

    check: str | Promise
    rows: int
    difference: Difference | None


CHECKS = [
    Check(
        _("A wallet's balance is what came in less what went out"),
        "rewards_account",
        """
        SELECT wallet.id, coalesce(moved.amount, 0) AS expected, wallet.balance AS found
        FROM rewards_account AS wallet LEFT JOIN (
            SELECT account_id, sum(amount) AS amount FROM (
                SELECT credit_id AS account_id, amount FROM rewards_transfer
                UNION ALL SELECT debit_id, -amount FROM rewards_transfer
            ) AS side GROUP BY account_id
        ) AS moved ON moved.account_id = wallet.id
        WHERE wallet.balance IS NOT NULL
        """,
    ),
    Check(
        _("A wallet's balance is what remains in its lots"),
        "rewards_account",
        """
        SELECT wallet.id, coalesce(lots.remaining, 0) AS expected, wallet.balance AS found
        FROM rewards_account AS wallet LEFT JOIN (
            SELECT account_id, sum(remaining) AS remaining FROM rewards_lot GROUP BY account_id
        ) AS lots ON lots.account_id = wallet.id
        WHERE wallet.kind IN ('wallet', 'card')
        """,
    ),
    Check(
        _("What remains in a lot is what came in less what was used"),
        "rewards_lot",
        """
        SELECT lot.id, lot.amount - coalesce(used.amount, 0) AS expected, lot.remaining AS found
        FROM rewards_lot AS lot LEFT JOIN (
            SELECT lot_id, sum(amount) AS amount FROM rewards_lotuse GROUP BY lot_id
        ) AS used ON used.lot_id = lot.id
        """,
    ),
    Check(
        _("What comes into a wallet opens a lot of that wallet, or goes back into its lots"),
        "rewards_transfer",
        """
        SELECT transfer.id, transfer.amount AS expected, coalesce(opened.amount, 0) - coalesce(back.amount, 0) AS found
        FROM rewards_transfer AS transfer
        JOIN rewards_account AS wallet ON wallet.id = transfer.credit_id AND wallet.kind IN ('wallet', 'card')
        LEFT JOIN rewards_lot AS opened ON opened.transfer_id = transfer.id AND opened.account_id = wallet.id
        LEFT JOIN (
            SELECT used.transfer_id, lot.account_id, sum(used.amount) AS amount
            FROM rewards_lotuse AS used JOIN rewards_lot AS lot ON lot.id = used.lot_id WHERE used.amount < 0
            GROUP BY used.transfer_id, lot.account_id
        ) AS back ON back.transfer_id = transfer.id AND back.account_id = wallet.id
        """,
    ),
    Check(
        _("What goes out of a wallet comes from its lots"),
        "rewards_transfer",
        """
        SELECT transfer.id, transfer.amount AS expected, coalesce(taken.amount, 0) AS found
        FROM rewards_transfer AS transfer
        JOIN rewards_account AS wallet ON wallet.id = transfer.debit_id AND wallet.kind IN ('wallet', 'card')
        LEFT JOIN (
            SELECT used.transfer_id, lot.account_id, sum(used.amount) AS amount
            FROM rewards_lotuse AS used JOIN rewards_lot AS lot ON lot.id = used.lot_id WHERE used.amount > 0
            GROUP BY used.transfer_id, lot.account_id
        ) AS taken ON taken.transfer_id = transfer.id AND taken.account_id = wallet.id
        """,
    ),
    Check(
        _("Lots are used only by transfers of their own wallet"),
        "rewards_lotuse",
        """
        SELECT used.id, lot.account_id AS expected,
               CASE WHEN used.amount > 0 THEN transfer.debit_id ELSE transfer.credit_id END AS found
        FROM rewards_lotuse AS used
        JOIN rewards_lot AS lot ON lot.id = used.lot_id
        JOIN rewards_transfer AS transfer ON transfer.id = used.transfer_id
        """,
    ),
    Check(
        _("No more is taken back than was given"),
        "rewards_transfer",
        """
        SELECT given.id, least(given.amount, back.amount) AS expected, back.amount AS found
        FROM (SELECT reverses_id, sum(amount) AS amount FROM rewards_transfer
              WHERE reverses_id IS NOT NULL GROUP BY reverses_id) AS back
        JOIN rewards_transfer AS given ON given.id = back.reverses_id
        """,
    ),
    Check(
        _("All accounts together come to nothing"),
        "rewards_account",
        """
        SELECT system.id, -coalesce(moved.amount, 0) AS expected,
               coalesce((SELECT sum(balance) FROM rewards_account AS own WHERE own.unit = system.unit), 0) AS found
        FROM (SELECT min(id) AS id, unit FROM rewards_account WHERE balance IS NULL GROUP BY unit) AS system
        LEFT JOIN (
            SELECT credit.unit, sum(CASE WHEN credit.balance IS NULL THEN amount ELSE 0 END
                                    - CASE WHEN debit.balance IS NULL THEN amount ELSE 0 END) AS amount
            FROM rewards_transfer AS transfer
            JOIN rewards_account AS credit ON credit.id = transfer.credit_id
            JOIN rewards_account AS debit ON debit.id = transfer.debit_id
            GROUP BY credit.unit
        ) AS moved ON moved.unit = system.unit
        """,
    ),
    Check(
        _("Nothing expires before its time"),
        "rewards_transfer",
        """
        SELECT transfer.id, greatest(transfer.at, coalesce(lot.expires_at, 'infinity')) AS expected,
               transfer.at AS found
        FROM rewards_transfer AS transfer
        JOIN rewards_lotuse AS used ON used.transfer_id = transfer.id
        JOIN rewards_lot AS lot ON lot.id = used.lot_id
        WHERE transfer.kind = 'expire'
        """,
    ),
    Check(
        _("What was refunded of a purchase is the sum of its refunds"),
        "members_purchase",
        """
        SELECT purchase.id, coalesce(refunds.amount, 0) AS expected, purchase.refunded_minor AS found
        FROM members_purchase AS purchase LEFT JOIN (
            SELECT purchase_id, sum(amount_minor) AS amount FROM members_refund GROUP BY purchase_id
        ) AS refunds ON refunds.purchase_id = purchase.id
        """,
    ),
    Check(
        _("A hold's transfers are those of its state"),
        "rewards_hold",
        """
        SELECT hold.id, CASE hold.state
                   WHEN 'reserved' THEN concat_ws(' ', 'hold', hold.account_id, hold.amount)
                   WHEN 'confirmed' THEN concat_ws(' ', 'hold', hold.account_id, hold.amount, 'redeem', hold.amount)
                   ELSE concat_ws(' ', 'hold', hold.account_id, hold.amount, 'release', hold.account_id, hold.amount)
               END AS expected,
               concat_ws(' ', taken.kind, taken.debit_id, taken.amount, spent.kind, spent.amount,
                         back.kind, back.credit_id, back.amount) AS found
        FROM rewards_hold AS hold
        JOIN rewards_transfer AS taken ON taken.id = hold.transfer_id
        LEFT JOIN rewards_transfer AS spent ON spent.key = 'confirm:' || hold.id
        LEFT JOIN rewards_transfer AS back ON back.key = 'release:' || hold.id AND back.reverses_id = taken.id
        """,
    ),
    Check(
        _("What is held is what open holds reserve"),
        "rewards_account",
        """
        SELECT held.id,
               (SELECT coalesce(sum(hold.amount), 0) FROM rewards_hold AS hold
                JOIN rewards_account AS wallet ON wallet.id = hold.account_id
                WHERE hold.state = 'reserved' AND wallet.unit = held.unit) AS expected,
               (SELECT coalesce(sum(amount), 0) FROM rewards_transfer WHERE credit_id = held.id)
               - (SELECT coalesce(sum(amount), 0) FROM rewards_transfer WHERE debit_id = held.id) AS found
        FROM rewards_account AS held WHERE held.kind = 'held'
        """,
    ),
    Check(
        _("The wallet of who was merged is empty"),
        "rewards_account",
        """
        SELECT wallet.id, 0 AS expected, wallet.balance AS found
        FROM rewards_account AS wallet JOIN members_member AS member ON member.id = wallet.member_id
        WHERE member.merged_into_id IS NOT NULL
        """,
    ),
    Check(
        _("What a merge brought is what the other wallet gave"),
        "rewards_transfer",
        """
        SELECT moved.id, concat_ws(' ', used.amount, 'from', from_lot.account_id, CASE WHEN same.times
                   THEN to_char(from_lot.expires_at, 'YYYY-MM-DD') END) AS expected,
               concat_ws(' ', lot.amount, 'from', moved.debit_id, CASE WHEN same.times
                   THEN to_char(lot.expires_at, 'YYYY-MM-DD') END) AS found
        FROM rewards_transfer AS moved
        LEFT JOIN rewards_lot AS lot ON lot.transfer_id = moved.id
        LEFT JOIN rewards_lotuse AS used ON used.transfer_id = moved.id
        LEFT JOIN rewards_lot AS from_lot ON from_lot.id = used.lot_id
        JOIN rewards_account AS target ON target.id = moved.credit_id AND target.kind = 'wallet'
        -- Staff, or what the member did, may have moved the times of either since.
        CROSS JOIN LATERAL (SELECT lot.inactivity_months IS NULL AND NOT EXISTS (
            SELECT FROM rewards_lotchange AS change WHERE change.lot_id IN (lot.id, from_lot.id)
        ) AS times) AS same
        WHERE moved.kind = 'merge' AND moved.reverses_id IS NULL
        """,
    ),
    *LEDGER_CHECKS,
    *CATALOGUE_CHECKS,
    *COUPON_CHECKS,
    *TIER_CHECKS,
    *FIGURE_CHECKS,
]


def verify() -> Iterator[Result]:
    """Runs every check on one snapshot of the database, and yields each result as it is there."""
    with _snapshot():
        currencies = list(Purchase.objects.values_list("currency", flat=True).order_by().distinct())
        params = {"currencies": currencies, "units": [f"1e-{minor_digits(currency)}" for currency in currencies]}
        for check in checks():
            yield Result(check.name, *_run(check, params))


def checks() -> list[Check]:
    """All checks. Which tables follow a merged member is known once every app has registered its own."""
    followers = ", ".join(
        f"CASE WHEN EXISTS (SELECT FROM {relation.table} AS row WHERE row.{relation.column} = gone.id"
        f" AND NOT ({(relation.stays or 'false').format(survivor='gone.merged_into_id')})) THEN '{relation.table}' END"
        for relation in relations()
        if relation.strategy is Strategy.MOVE
    )
    # Latecomers have a few minutes to be gathered in (members.services.merging.gather_latecomers).
    follow = f"""
        SELECT gone.id, NULL AS expected, nullif(concat_ws(', ', {followers}), '') AS found
        FROM members_member AS gone
        JOIN members_membermerge AS merge ON merge.merged_id = gone.id AND merge.undone_at IS NULL
        WHERE gone.merged_into_id IS NOT NULL AND merge.at < now() - interval '10 minutes'
        """
    return [Check(_("All that hung on a merged member has followed"), "members_member", follow), *CHECKS]


@contextmanager
def _snapshot() -> Iterator[None]:
    """What the checks compare must not move between them."""
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _run(check: Check, params: dict[str, list[str]]) -> tuple[int, Difference | None]:
    wrong = "expected IS DISTINCT FROM found"
    rows, count = fetch_all(f"SELECT count(*), count(*) FILTER (WHERE {wrong}) FROM ({check.sql}) AS row", params)[0]
    if not count:
        return rows, None
    first = fetch_all(
        f"SELECT id, expected::text, found::text FROM ({check.sql}) AS row WHERE {wrong} ORDER BY id LIMIT 1", params
    )[0]
    id_, expected, found = first
    return rows, Difference(check.table, id_, expected, found, count)

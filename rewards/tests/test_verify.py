"""The checker is itself checked: every kind of damage must be named by the check that is there for it."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from common.sql import execute, fetch_all
from members.models import PurchaseImport
from members.services.merging import merge_members
from members.tests.factories import make_member, new_purchase
from rewards.models import RewardSession, WaitingEntry
from rewards.services.expiry import expire_due
from rewards.services.gifts import Gift, give_points
from rewards.services.holds import cancel, confirm, reserve
from rewards.services.purchases import award_purchases, post_purchases, refund_purchase
from rewards.services.redemptions import redeem_reward, refund_redemption
from rewards.services.tier_nights import reassess_all
from rewards.services.verify import checks, verify
from rewards.tests.coupons import make_offer
from rewards.tests.factories import adjust, make_reward, make_rule, make_tiers, post
from rewards.tests.ledger_damages import LEDGER_DAMAGES, every_movement
from rewards.tests.promise_damages import PROMISE_DAMAGES, every_promise

pytestmark = pytest.mark.django_db


@pytest.fixture
def at() -> datetime:
    """Lately, as the checker looks at what counts by now."""
    return datetime.now(UTC) - timedelta(days=2)


@pytest.fixture
def ledger(at):
    """A ledger with a movement of every kind, and now being `at` + 2 days."""
    make_rule()
    make_tiers()
    merged, *members = (make_member() for _ in range(3))
    give_points(gifts=[Gift(merged.pk, 5, "before", expires_at=at + timedelta(days=1))], at=at)
    merge_members(survivor_id=members[0].pk, merged_id=merged.pk, at=at)
    every_movement(at)
    redeem(*members, at)
    every_promise(members[0], at)
    for member in members:
        bought = post(member, at, amount_minor=60_000, purchased_at=at)
        refund_purchase(purchase_id=bought.id, source="till", key=f"r{member.pk}", amount_minor=9_999, at=at)
        adjust(member, 7, at, key=f"plus{member.pk}")
        adjust(member, -9, at, key=f"minus{member.pk}")
        for key, end in (("open", None), ("spent", confirm), ("back", cancel)):
            key = f"{key}{member.pk}"
            reserve(member_id=member.pk, amount=40, key=key, at=at, lapses_at=at + timedelta(days=9))
            if end:
                end(key=key, at=at)
        give_points(gifts=[Gift(member.pk, 30, f"g{member.pk}", expires_at=at + timedelta(days=1))], at=at)
    expire_due(at=at + timedelta(days=2))


def redeem(member, waiting, at):
    """A redemption of every kind and end, and a place that is kept."""
    adjust(member, 900, at, key="for rewards")
    offer = make_offer()
    dated = make_reward(kind="experience")
    session = RewardSession.objects.create(reward=dated, starts_at=at + timedelta(days=9), capacity=2, booked=1)
    WaitingEntry.objects.create(
        session=session, member=waiting, state="offered", at=at, offered_until=at + timedelta(days=3)
    )
    what = [
        (make_reward(kind="credit", credit_minor=500), {}),
        (make_reward(kind="coupon", offer=offer), {}),
        (dated, {"session_id": session.pk}),
        (make_reward(stock=5), {}),
    ]
    for n, (reward, more) in enumerate(what):
        values = {"member_id": member.pk, "reward_id": reward.pk, "source": "test", "at": at, **more}
        one = redeem_reward(key=f"{n}", **values)
        if not more:
            refund_redemption(redemption_id=one.pk, at=at)
            redeem_reward(key=f"again{n}", **values)


def of_tiers():
    return next(result for result in verify() if "A member's tier" in str(result.check))


def damage(statement):
    """Does what no service can and no trigger would let pass."""
    execute("SET CONSTRAINTS ALL IMMEDIATE")  # what waits to be checked at the end was sound
    execute("SET LOCAL session_replication_role = replica")
    assert execute(statement) == 1
    execute("SET LOCAL session_replication_role = origin")


def own(table: str) -> bool:
    """Whether a check's table is of this room or below; the rooms above try their checks themselves."""
    return table.startswith(("rewards_", "members_"))


def test_a_sound_ledger_passes_and_every_check_has_something_to_look_at(ledger):
    results = list(verify())
    assert [r.difference for r in results] == [None] * len(checks())
    tables = {str(check.name): check.table for check in checks()}
    assert [r.check for r in results if not r.rows and own(tables[str(r.check)])] == []


DAMAGES = [
    *LEDGER_DAMAGES,
    *PROMISE_DAMAGES,
    (
        "A wallet's balance is what came in",
        "UPDATE rewards_account SET balance = balance + 1 WHERE id = (SELECT max(id) FROM rewards_account)",
    ),
    (
        "A wallet's balance is what came in",
        "UPDATE rewards_transfer SET amount = amount + 1"
        " WHERE id = (SELECT max(id) FROM rewards_transfer WHERE kind = 'gift')",
    ),
    (
        "A wallet's balance is what remains",
        "UPDATE rewards_lot SET remaining = remaining - 1"
        " WHERE id = (SELECT max(id) FROM rewards_lot WHERE remaining > 0)",
    ),
    (
        "What remains in a lot",
        "UPDATE rewards_lotuse SET amount = amount + 1 WHERE id = (SELECT max(id) FROM rewards_lotuse)",
    ),
    ("opens a lot", "DELETE FROM rewards_lot WHERE id = (SELECT max(id) FROM rewards_lot)"),
    (
        "opens a lot",
        "DELETE FROM rewards_lotuse WHERE id = (SELECT max(id) FROM rewards_lotuse WHERE amount < 0)",
    ),
    (
        "opens a lot",
        "UPDATE rewards_lot SET account_id = (SELECT min(id) FROM rewards_account WHERE kind = 'wallet')"
        " WHERE id = (SELECT max(id) FROM rewards_lot)",
    ),
    (
        "comes from its lots",
        "DELETE FROM rewards_lotuse WHERE id = (SELECT max(id) FROM rewards_lotuse WHERE amount > 0)",
    ),
    (
        "only by transfers of their own wallet",
        "UPDATE rewards_lotuse SET lot_id = (SELECT min(id) FROM rewards_lot)"
        " WHERE id = (SELECT max(id) FROM rewards_lotuse)",
    ),
    (
        "No more is taken back",
        "UPDATE rewards_transfer SET amount = 601"
        " WHERE id = (SELECT max(id) FROM rewards_transfer WHERE kind = 'reverse')",
    ),
    (
        "come to nothing",
        "UPDATE rewards_account SET balance = balance + 1 WHERE id = (SELECT max(id) FROM rewards_account)",
    ),
    (
        "Nothing expires before its time",
        "UPDATE rewards_transfer SET at = at - interval '1 microsecond'"
        " WHERE id = (SELECT max(id) FROM rewards_transfer WHERE kind = 'expire')",
    ),
    (
        "Nothing expires before its time",
        "UPDATE rewards_lot SET expires_at = NULL"
        " WHERE transfer_id = (SELECT max(id) FROM rewards_transfer WHERE kind = 'gift')",
    ),
    (
        "what the rule gives",
        "UPDATE members_purchase SET member_id = (SELECT min(id) FROM members_member)"
        " WHERE id = (SELECT max(id) FROM members_purchase)",
    ),
    *(
        (
            "Points for a purchase",
            f"UPDATE members_purchase SET {change} WHERE id = (SELECT max(id) FROM members_purchase)",
        )
        for change in ("amount_minor = amount_minor - 1", "amount_minor = amount_minor + 1", "currency = 'USD'")
    ),
    (
        "Points for a purchase",
        'UPDATE rewards_transfer SET why = why || \'{"currency": "USD"}\''
        " WHERE id = (SELECT max(id) FROM rewards_transfer WHERE kind = 'earn')",
    ),
    (
        "What was refunded of a purchase",
        "DELETE FROM members_refund WHERE id = (SELECT max(id) FROM members_refund)",
    ),
    (
        "What was refunded of a purchase",
        "UPDATE members_purchase SET refunded_minor = 0 WHERE id = (SELECT max(id) FROM members_purchase)",
    ),
    *(
        (
            "A hold's transfers",
            f"UPDATE rewards_hold SET state = '{wrong}', settled_at = {settled}"
            f" WHERE id = (SELECT max(id) FROM rewards_hold WHERE state = '{right}')",
        )
        for right, wrong, settled in [
            ("reserved", "confirmed", "now()"),
            ("confirmed", "lapsed", "now()"),
            ("cancelled", "reserved", "NULL"),
        ]
    ),
    (
        "A hold's transfers",
        "UPDATE rewards_transfer SET amount = amount + 1"
        " WHERE id = (SELECT max(id) FROM rewards_transfer WHERE kind = 'redeem')",
    ),
    (
        "The wallet of who was merged",
        "UPDATE rewards_account SET balance = 3 WHERE id = (SELECT min(id) FROM rewards_account WHERE kind = 'wallet')",
    ),
    (
        "What a merge brought",
        "UPDATE rewards_lot SET expires_at = expires_at + interval '1 day'"
        " WHERE transfer_id = (SELECT max(id) FROM rewards_transfer WHERE kind = 'merge')",
    ),
    (
        "All that hung on a merged member",
        "UPDATE members_timelineevent SET member_id = (SELECT min(id) FROM members_member)"
        " WHERE id = (SELECT max(id) FROM members_timelineevent)",
    ),
    (
        "What is taken of a reward",
        "UPDATE rewards_reward SET redeemed = redeemed + 1 WHERE id = (SELECT max(id) FROM rewards_reward)",
    ),
    ("The places taken of a date", "UPDATE rewards_rewardsession SET booked = 1"),
    ("The places taken of a date", "UPDATE rewards_waitingentry SET state = 'gone'"),
    *(
        ("The points of a redemption", f"UPDATE rewards_redemption SET {change} WHERE id = ({which})")
        for change, which in [
            ("points = points + 1", "SELECT max(id) FROM rewards_redemption"),
            ("state = 'cancelled'", "SELECT max(id) FROM rewards_redemption"),
            ("hold_id = NULL", "SELECT max(id) FROM rewards_redemption"),
            ("state = 'confirmed'", "SELECT max(id) FROM rewards_redemption WHERE state = 'refunded'"),
            ("member_id = (SELECT max(id) FROM members_member)", "SELECT max(id) FROM rewards_redemption"),
        ]
    ),
    *(
        ("What a redemption gave", statement)
        for statement in [
            "UPDATE rewards_redemption SET coupon_id = NULL"
            " WHERE id = (SELECT max(id) FROM rewards_redemption WHERE coupon_id IS NOT NULL)",
            "UPDATE rewards_coupon SET state = 'issued' WHERE state = 'void'",
            "DELETE FROM rewards_transfer"
            " WHERE key = (SELECT max(key) FROM rewards_transfer WHERE key LIKE 'reward:%%')",
            "DELETE FROM rewards_transfer WHERE key LIKE 'reward-back:%%'",
        ]
    ),
    ("What is held", "DELETE FROM rewards_hold WHERE id = (SELECT max(id) FROM rewards_hold WHERE state = 'reserved')"),
    (
        "A member's tier",
        "UPDATE rewards_membertier SET qualifying_points = qualifying_points + 1"
        " WHERE member_id = (SELECT max(id) FROM members_member)",
    ),
    (
        "A member's tier",
        "DELETE FROM rewards_membertier WHERE member_id = (SELECT max(id) FROM members_member)",
    ),
    (
        "A member's tier",
        "UPDATE rewards_membertier SET tier_id = (SELECT id FROM rewards_tier WHERE rank = 2)"
        " WHERE member_id = (SELECT max(id) FROM members_member)",
    ),
]


def test_each_damage_is_named_by_its_check(ledger):
    unnamed = []
    for check, statement in DAMAGES:  # each is undone before the next: the ledger takes a second to make
        with transaction.atomic():
            damage(statement)
            found = next(r for r in verify() if check in str(r.check)).difference
            if found is None or found.rows != 1 or found.expected == found.found:
                unnamed.append((check, statement, found))
            else:
                assert fetch_all(f"SELECT count(*) FROM {found.table}")[0][0] > 0
            transaction.set_rollback(True)
    assert unnamed == []


def test_every_check_has_a_damage_that_it_names():
    mine = [str(check.name) for check in checks() if own(check.table)]
    assert [name for name in mine if not any(part in name for part, _ in DAMAGES)] == []


def test_without_a_single_tier_row_every_member_who_earned_is_named(ledger):
    assert execute("DELETE FROM rewards_membertier") == 3
    difference = of_tiers().difference
    assert (difference.rows, difference.found) == (3, "nothing")


def test_a_purchase_that_was_refunded_before_its_award_is_sound(at, ledger):
    bought = post_purchases(purchases=[new_purchase(make_member())], at=at, with_points=False)[0]
    for key in ("r1", "r2"):
        refund_purchase(purchase_id=bought.id, source="till", key=key, amount_minor=200, at=at)
    award_purchases(purchase_ids=[bought.id], at=at)
    reassess_all(at=at)
    refund_purchase(purchase_id=bought.id, source="till", key="r3", amount_minor=200, at=at)
    assert [r for r in verify() if r.difference] == []


def test_the_command_says_what_it_looked_at_and_fails_on_a_difference(ledger):
    out = StringIO()
    call_command("verify", stdout=out)
    assert "OK   A wallet's balance is what remains in its lots: 6 rows\n" in out.getvalue()
    assert out.getvalue().endswith("The ledger adds up.\n")
    wallet, balance = fetch_all("SELECT id, balance FROM rewards_account ORDER BY id DESC LIMIT 1")[0]
    damage(f"UPDATE rewards_account SET balance = balance + 1 WHERE id = {wallet}")
    out = StringIO()
    with pytest.raises(CommandError, match="3 checks failed") as failed:
        call_command("verify", stdout=out)
    assert failed.value.returncode == 1
    assert f"rewards_account {wallet}: expected {balance}, found {balance + 1} (1 such rows)" in out.getvalue()


def test_tiers_are_left_out_while_an_import_runs(ledger):
    damage("UPDATE rewards_membertier SET qualifying_points = 0 WHERE member_id = (SELECT max(id) FROM members_member)")
    running = PurchaseImport.objects.create(name="file.csv", source="till", currency="EUR")
    assert of_tiers()[1:] == (0, None)
    running.finished_at = running.created_at
    running.save()
    assert of_tiers().difference


@pytest.mark.django_db(transaction=True)
def test_it_reads_one_snapshot_and_writes_nothing():
    from django.db import connection, transaction

    results = verify()
    next(results)
    assert connection.in_atomic_block
    with pytest.raises(Exception, match="read-only transaction"), transaction.atomic():
        adjust(make_member(), 1, None)
    assert fetch_all("SHOW transaction_isolation")[0][0] == "repeatable read"
    assert len(list(results)) == len(checks()) - 1

"""Import of purchases with points, beside hand-written SQL that writes the same rows on the same server.

Both read the same file into a database that holds nothing else, and must leave the same number of rows and points.
"""

import csv
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bench.base import Row, migrated, product_on, seconds
from bench.importing import Import, assert_flat, say

SOURCE, CURRENCY, STORES = "till", "EUR", 20
AS_OF = datetime(2026, 5, 1, tzinfo=UTC)


def write_file(path: Path, rows: int, members: int) -> None:
    """A year of purchases, every member with at least one, in the order of a till's export."""
    chance = random.Random(rows)
    first = AS_OF - timedelta(days=360)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["customer", "purchased_at", "amount", "receipt", "store"])
        for i in range(rows):
            moment = first + timedelta(seconds=i * 31_000_000 // rows)
            customer = i if i < members else chance.randrange(members)
            amount = f"{chance.randrange(100, 20_000) / 100:.2f}"
            out.writerow([f"C{customer:07}", f"{moment:%Y-%m-%d %H:%M:%S}", amount, f"R{i:08}", f"Store {i % STORES}"])


# --- by hand ------------------------------------------------------------------------------------------------------
# What a careful person would write who knew this file and these tables: one transaction, each table filled once.
BY_HAND = """
ANALYZE raw;
CREATE TEMP TABLE customer AS
    SELECT customer AS ref, nextval(pg_get_serial_sequence('members_member', 'id')) AS id, min(purchased_at) AS first_at
    FROM raw GROUP BY customer;
ANALYZE customer;
INSERT INTO members_member (id, name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule, joined_at)
    SELECT id, '', '', '', 'en', 'UTC', '', 'solar', false, 'feb28', first_at FROM customer;
INSERT INTO members_identity (member_id, system, value) SELECT id, 'till', ref FROM customer;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT id, 'member.joined', first_at, '{"source": "till", "import": 1}' FROM customer;
CREATE TEMP TABLE bought AS
    SELECT nextval(pg_get_serial_sequence('members_purchase', 'id')) AS id, customer.id AS member_id, receipt,
           purchased_at, (amount * 100)::bigint AS minor, floor(amount)::bigint AS points, store
    FROM raw JOIN customer ON customer.ref = raw.customer;
ANALYZE bought;
INSERT INTO members_purchase
        (id, member_id, source, key, fingerprint, purchased_at, currency, amount_minor, store, channel)
    SELECT id, member_id, 'till', receipt, md5(concat_ws('|', member_id, 'EUR', minor, extract(epoch FROM purchased_at),
           store, 'store', '[]'))::uuid, purchased_at, 'EUR', minor, store, 'store' FROM bought;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT member_id, 'purchase.paid', purchased_at,
           jsonb_build_object('purchase', id, 'amount_minor', minor, 'currency', 'EUR', 'store', store) FROM bought;
INSERT INTO rewards_account (kind, unit, member_id, balance)
    SELECT 'wallet', 'points', member_id, sum(points) FROM bought GROUP BY member_id;
CREATE TEMP TABLE earned AS
    SELECT nextval(pg_get_serial_sequence('rewards_transfer', 'id')) AS id, bought.id AS purchase_id,
           wallet.id AS wallet_id, bought.minor, bought.points, bought.purchased_at
    FROM bought JOIN rewards_account AS wallet USING (member_id) WHERE bought.points > 0;
ANALYZE earned;
INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, reason, rule_id, why, purchase_id)
    SELECT earned.id, 'earn:purchase:' || purchase_id || ':' || rule.rule_id, 'earn',
           (SELECT id FROM rewards_account WHERE kind = 'issued' AND unit = 'points'), wallet_id, points,
           purchased_at, '', rule.id,
           jsonb_build_object('rule', rule.rule_id, 'version', rule.number, 'effect', rule.definition->'effect',
               'factor', '1', 'currency', 'EUR', 'lines', jsonb_build_array(jsonb_build_array(NULL, minor,
               trim_scale(minor * 0.01)::text)), 'exact', trim_scale(minor * 0.01)::text, 'asked', points,
               'granted', points, 'cut', NULL), purchase_id
    FROM earned, rewards_ruleversion AS rule;
INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at)
    SELECT wallet_id, id, points, points, purchased_at, purchased_at + interval '12 months' FROM earned;
CREATE TEMP TABLE stands AS
    SELECT member_id, points, tier.id AS tier_id, coalesce(tier.threshold, 0) AS asked,
           later < coalesce(tier.threshold, 0) AS warned
    FROM (
        SELECT member_id, sum(points) AS points,
               coalesce(sum(points) FILTER (
                   WHERE purchased_at + interval '12 months' > %(as_of)s + interval '30 days'), 0) AS later
        FROM bought WHERE purchased_at + interval '12 months' > %(as_of)s GROUP BY member_id
    ) AS total CROSS JOIN LATERAL (
        SELECT id, threshold FROM rewards_tier WHERE coalesce(threshold, 0) <= points ORDER BY rank DESC LIMIT 1
    ) AS tier;
ANALYZE stands;
INSERT INTO rewards_membertier (member_id, tier_id, qualifying_points, since, assessed_at, noticed_at)
    SELECT member_id, tier_id, points, %(as_of)s, %(as_of)s, CASE WHEN warned THEN %(as_of)s END FROM stands;
INSERT INTO rewards_tierchange (member_id, from_tier_id, to_tier_id, cause, why, at)
    SELECT member_id, base.id, tier_id, 'earned', jsonb_build_object('points', points, 'spend_minor', 0, 'visits', 0,
           'days', floor(extract(epoch FROM %(as_of)s - joined_at) / 86400)::int, 'window', 'rolling', 'asked',
           jsonb_build_object('rank', tier.rank, 'threshold', asked, 'combine', tier.combine)), %(as_of)s
    FROM stands JOIN members_member AS member ON member.id = member_id
    JOIN rewards_tier AS tier ON tier.id = tier_id JOIN rewards_tier AS base ON base.rank = 0
    WHERE tier.id <> base.id;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT member_id, 'tier.changed', %(as_of)s,
           jsonb_build_object('from', base.id, 'to', tier.id, 'up', true, 'name', jsonb_build_object('en', tier.name_en,
                              'zh-hans', tier.name_zh_hans))
    FROM stands JOIN rewards_tier AS tier ON tier.id = stands.tier_id, rewards_tier AS base
    WHERE base.rank = 0 AND tier.id <> base.id;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT DISTINCT ON (stands.member_id) stands.member_id, 'tier.will_drop', %(as_of)s, jsonb_build_object(
               'tier', tier.id, 'name', jsonb_build_object('en', tier.name_en, 'zh-hans', tier.name_zh_hans),
               'until', (falls.at - interval '1 microsecond')::date,
               'missing', jsonb_build_object('points', asked - falls.points), 'currency', 'EUR')
    FROM stands JOIN rewards_tier AS tier ON tier.id = tier_id JOIN (
        SELECT stands.member_id, bought.purchased_at + interval '12 months' AS at,
               stands.points - sum(bought.points) OVER (
                   PARTITION BY stands.member_id ORDER BY bought.purchased_at) AS points
        FROM stands JOIN bought USING (member_id)
        WHERE warned AND bought.purchased_at + interval '12 months' > %(as_of)s
    ) AS falls USING (member_id)
    WHERE falls.points < asked ORDER BY stands.member_id, falls.at;
INSERT INTO members_changedmember (member_id) SELECT id FROM customer;
"""
RAW = "customer text, purchased_at timestamptz, amount numeric, receipt text, store text"
COUNTED = {
    "members": "SELECT count(*) FROM members_member",
    "identities": "SELECT count(*) FROM members_identity",
    "purchases": "SELECT count(*) || '/' || sum(amount_minor) FROM members_purchase",
    "events": "SELECT count(*) FROM members_timelineevent",
    "of tiers": """SELECT md5(string_agg(md5(kind || data), '' ORDER BY md5(kind || data)))
        FROM members_timelineevent WHERE kind LIKE 'tier.%'""",
    "changes": "SELECT count(*) FROM rewards_tierchange",
    "transfers": "SELECT count(*) || '/' || sum(amount) FROM rewards_transfer",
    "lots": "SELECT count(*) || '/' || sum(remaining) FROM rewards_lot",
    "wallets": "SELECT count(*) || '/' || sum(balance) FROM rewards_account",
    "tiers": "SELECT count(*) || '/' || sum(qualifying_points) || '/' || sum(tier_id) FROM rewards_membertier",
}


IMPORT = Import("import purchases", "bench.import_purchases", RAW, BY_HAND, AS_OF, COUNTED, at_least=0.5)


# --- by the product -----------------------------------------------------------------------------------------------
def child(path: Path) -> None:
    """The import alone, in its own process."""
    import django

    django.setup()
    from django.core.management import call_command

    options = {"source": SOURCE, "currency": CURRENCY, "at": AS_OF}
    with Path(os.devnull).open("w") as nowhere:
        taken = seconds(lambda: call_command("import_purchases", str(path), **options, stdout=nowhere))
    say(taken)


# --- side by side -------------------------------------------------------------------------------------------------
def prepare() -> None:
    """One earning rule and two tiers."""
    from rewards.models import Tier
    from rewards.services.rules import publish_rule

    publish_rule(currency=CURRENCY, points_per_unit=Decimal(1), valid_months=12, at=AS_OF - timedelta(days=400))
    steps = (("Member", "会员", None, 1), ("Silver", "银卡", 400, "1.25"))
    for rank, (name, chinese, threshold, multiplier) in enumerate(steps):
        told = {"name_en": name, "name_zh_hans": chinese, "threshold": threshold}
        Tier.objects.create(rank=rank, multiplier=Decimal(multiplier), **told)


def run(server: str) -> Iterator[Row]:
    made = []
    with migrated(server, "bench_import") as template, tempfile.TemporaryDirectory() as folder:
        with product_on(template):
            prepare()
        for rows, members, times in ((100_000, 20_000, 3), (1_000_000, 200_000, 1)):
            path = Path(folder) / "purchases.csv"
            write_file(path, rows, members)
            made.append(IMPORT.compared(server, "bench_import", path, rows, times))
            yield made[-1]
    assert_flat(*made)


if __name__ == "__main__":
    child(Path(sys.argv[1]))

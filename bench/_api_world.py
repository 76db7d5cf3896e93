"""The shop that the API's benchmark calls: members with wallets, five live rules, and transfers of before."""

import psycopg

_FILL = """
SET session_replication_role = replica;
DROP INDEX members_member_name_trgm, members_member_attributes;
INSERT INTO members_member (id, name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule)
    SELECT n, 'Member ' || n, '', '', 'en', 'UTC', '', 'solar', false, 'feb28' FROM generate_series(1, {members}) AS n;
INSERT INTO members_identity (member_id, system, value) SELECT n, 'drill', n FROM generate_series(1, {members}) AS n;
INSERT INTO rewards_account (kind, unit, member_id, balance)
    SELECT 'wallet', 'points', n, 0 FROM generate_series(1, {members}) AS n;
INSERT INTO rewards_membertier (member_id, tier_id, qualifying_points, since, assessed_at)
    SELECT n, (SELECT id FROM rewards_tier WHERE rank = 0), 0, now(), now() FROM generate_series(1, {members}) AS n;
RESET session_replication_role;
"""
_EARLIER = """
SET session_replication_role = replica;
WITH told AS (
    SELECT n, wallet.id AS wallet, now() - (n %% 360) * interval '1 day' AS at, nextval(pg_get_serial_sequence(
        'rewards_transfer', 'id')) AS id
    FROM generate_series(%(had)s + 1, %(wanted)s) AS n
    JOIN rewards_account AS wallet ON wallet.member_id = 1 + n %% %(members)s AND wallet.kind = 'wallet'
), moved AS (
    INSERT INTO rewards_transfer (id, key, kind, debit_id, credit_id, amount, at, rule_id)
    SELECT id, 'earlier' || n, 'earn',
           (SELECT id FROM rewards_account WHERE kind = 'issued' AND unit = 'points'), wallet, 10,
           at, (SELECT min(id) FROM rewards_ruleversion)
    FROM told
)
INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at)
SELECT wallet, id, 10, 0, at, at + interval '12 months' FROM told;
RESET session_replication_role;
"""
# What they counted is known, as a night leaves it (rewards.services.tiers).
_COUNTED = """
UPDATE rewards_membertier AS status
SET qualifying_points = counted.points, assessed_at = now(),
    counted_to = (SELECT last_value FROM rewards_transfer_id_seq), counts_until = counted.since + interval '12 months'
FROM (
    SELECT wallet.member_id, sum(earn.amount) AS points, min(earn.at) AS since
    FROM rewards_transfer AS earn JOIN rewards_account AS wallet ON wallet.id = earn.credit_id
    WHERE earn.kind = 'earn' AND earn.at > now() - interval '12 months' GROUP BY wallet.member_id
) AS counted WHERE status.member_id = counted.member_id
"""
# Two of the five fire on these baskets: a point for each euro, and double points on drinks as a transfer of its own.
_RULES = [
    {"effect": {"kind": "per_amount", "points": "1", "per": "1.00"}, "conditions": {"currency": "EUR"}},
    {"effect": {"kind": "multiplier", "factor": "2"}, "conditions": {"categories": ["drinks"]}},
    {"effect": {"kind": "fixed", "points": 50}, "conditions": {"minimum": "500.00", "currency": "EUR"}},
    {"effect": {"kind": "per_item", "points": 5}, "conditions": {"products": ["gift"]}},
    {"effect": {"kind": "fixed", "points": 20}, "conditions": {"stores": ["Elsewhere"]}},
]


def prepare(url: str, members: int) -> None:
    from django.utils import timezone

    from members.models import Programme
    from rewards.models import Tier
    from rewards.services.earning.publishing import publish, save_draft

    Programme.objects.create(pk=1)
    for rank, (name, threshold) in enumerate((("Bronze", None), ("Silver", 1_000_000), ("Gold", 5_000_000))):
        Tier.objects.create(rank=rank, name_en=name, threshold=threshold)
    at = timezone.now()
    for n, definition in enumerate(_RULES):
        definition |= {"expiry": {"kind": "rolling", "months": 12}}
        draft = save_draft(names={"en": f"Rule {n}"}, definition=definition, at=at)
        publish(rule_id=draft.rule_id, at=at)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _FILL.format(members=members).strip().split(";\n"):
            connection.execute(statement)
        connection.execute("VACUUM ANALYZE")


# What holds no constraint is made again once all rows are there: row by row it takes most of the time.
_INDEXES = """
SELECT pg_get_indexdef(indexrelid), indexrelid::regclass::text FROM pg_index
WHERE indrelid IN ('rewards_transfer'::regclass, 'rewards_lot'::regclass) AND NOT indisunique
"""


def grow(url: str, transfers: int, members: int, step: int = 500_000) -> None:
    """Fills up to so many transfers, over the year gone by, their points spent since."""
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        had = connection.execute("SELECT count(*) FROM rewards_transfer").fetchone()[0]
        indexes = connection.execute(_INDEXES).fetchall() if transfers - had > step else []
        for _made, name in indexes:
            connection.execute(f"DROP INDEX {name}")
        for done in range(had, transfers, step):
            connection.execute(_EARLIER, {"had": done, "wanted": min(done + step, transfers), "members": members})
        for made, _name in indexes:
            connection.execute(made)
        connection.execute(_COUNTED)
        connection.execute("VACUUM ANALYZE rewards_transfer, rewards_lot, rewards_membertier")


# Through the system's cache alone: the server keeps what it is asked for.
_WARM = "SELECT sum(pg_prewarm(oid::regclass, 'read')) FROM pg_class WHERE relkind IN ('r', 'i') AND relname !~ '^pg_'"


def warm(url: str) -> None:
    """What was filled is written out, and all of it read once: right before it is timed."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        connection.execute("CHECKPOINT")
        connection.execute(_WARM)

"""The rows of a purchase by the API, written by hand: one at a time by pgbench, and a thousand in one statement."""

import random
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

# What a careful person writes: each row once, the wallet locked, what gave nothing and the answer kept, and up to where
# the tier's points are counted, so that nobody counts them anew.
_BY_HAND = """
\\set member random(1, :members)
\\set n random(1, 1000000000000000)
BEGIN;
SELECT id FROM api_apikey WHERE digest = ':digest';
SELECT id AS wallet FROM rewards_account WHERE member_id = (
    SELECT member_id FROM members_identity WHERE system = 'drill' AND value = (:member)::text
) AND kind = 'wallet' AND unit = 'points' FOR NO KEY UPDATE \\gset
INSERT INTO members_purchase (member_id, source, key, fingerprint, purchased_at, currency, amount_minor, store, channel)
    VALUES (:member, 'hand', (:n)::text, md5((:n)::text)::uuid, now(), 'EUR', 2000, 'Store 1', 'store')
    RETURNING id AS bought \\gset
INSERT INTO members_purchaseline (purchase_id, sku, name, category, brand, quantity, amount_minor, discount_minor)
    VALUES (:bought, 'sku1', '', 'drinks', '', 2, 900, 0), (:bought, 'beans', '', 'food', '', 1, 1100, 0);
INSERT INTO members_timelineevent (member_id, kind, at, data) VALUES (:member, 'purchase.paid', now(),
    jsonb_build_object('purchase', (:bought)::bigint, 'amount_minor', 2000, 'currency', 'EUR', 'store', 'Store 1'))
    RETURNING id AS event \\gset
{pending}INSERT INTO members_changedmember (member_id) VALUES (:member);
INSERT INTO rewards_transfer (key, kind, debit_id, credit_id, amount, at, purchase_id, rule_id, why)
    VALUES ('hand-a' || (:n)::text, 'earn', :issued, :wallet, 20, now(), :bought, :rule, '{why}')
    RETURNING id AS first \\gset
INSERT INTO rewards_transfer (key, kind, debit_id, credit_id, amount, at, purchase_id, rule_id, why)
    VALUES ('hand-b' || (:n)::text, 'earn', :issued, :wallet, 9, now(), :bought, :rule, '{why}')
    RETURNING id AS second \\gset
INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at)
    VALUES (:wallet, :first, 20, 20, now(), now() + interval '12 months'),
           (:wallet, :second, 9, 9, now(), now() + interval '12 months');
UPDATE rewards_account SET balance = balance + 29 WHERE id = :wallet;
INSERT INTO rewards_evaluation (purchase_id, at, trace) VALUES (:bought, now(), '{trace}');
UPDATE rewards_membertier SET qualifying_points = qualifying_points + 29, assessed_at = now(), counted_to = :second,
    counts_until = least(counts_until, now() + interval '12 months') WHERE member_id = :member;
INSERT INTO api_answer (call, source, key, fingerprint, status, body, member_id)
    VALUES ('purchases', 'hand', (:n)::text, sha256((:n)::text::bytea), 201, '{body}', :member);
COMMIT;
"""

_PENDING = "INSERT INTO members_pendingreaction (event_id, reaction) VALUES (:event, '{}');\n"
# The same for a thousand: one statement, each row once.
_MANY = """
WITH told AS (
    SELECT told.n, %(run)s || '-' || told.n AS key, wallet.member_id AS member, wallet.id AS wallet
    FROM unnest(%(members)s::bigint[]) WITH ORDINALITY AS told (member, n)
    JOIN members_identity AS known ON known.system = 'drill' AND known.value = told.member::text
    JOIN rewards_account AS wallet
        ON wallet.member_id = known.member_id AND wallet.kind = 'wallet' AND wallet.unit = 'points'
), purchase AS (
    INSERT INTO members_purchase (member_id, source, key, fingerprint, purchased_at, currency, amount_minor, store,
                                  channel)
    SELECT member, 'hand', key, md5(key)::uuid, now(), 'EUR', 2000, 'Store 1', 'store' FROM told
    RETURNING id, key
), bought AS (SELECT purchase.id, told.* FROM purchase JOIN told USING (key)), line AS (
    INSERT INTO members_purchaseline (purchase_id, sku, name, category, brand, quantity, amount_minor, discount_minor)
    SELECT id, sku, '', category, '', quantity, minor, 0
    FROM bought,
         (VALUES ('sku1', 'drinks', 2, 900), ('beans', 'food', 1, 1100)) AS line (sku, category, quantity, minor)
), timeline AS (
    INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT member, 'purchase.paid', now(), jsonb_build_object('purchase', id, 'amount_minor', 2000, 'currency', 'EUR',
        'store', 'Store 1') FROM bought
    RETURNING id
), pending AS (
    INSERT INTO members_pendingreaction (event_id, reaction)
    SELECT timeline.id, reaction FROM timeline, unnest(%(reactions)s::text[]) AS reaction
), changed AS (INSERT INTO members_changedmember (member_id) SELECT member FROM bought), moved AS (
    INSERT INTO rewards_transfer (key, kind, debit_id, credit_id, amount, at, purchase_id, rule_id, why)
    SELECT award || key, 'earn', %(issued)s, wallet, points, now(), id, %(rule)s, %(why)s::jsonb
    FROM bought, (VALUES ('a', 20), ('b', 9)) AS award (award, points)
    RETURNING id, credit_id, amount
), lot AS (
    INSERT INTO rewards_lot (account_id, transfer_id, amount, remaining, available_from, expires_at)
    SELECT credit_id, id, amount, amount, now(), now() + interval '12 months' FROM moved
), evaluation AS (
    INSERT INTO rewards_evaluation (purchase_id, at, trace) SELECT id, now(), %(trace)s::jsonb FROM bought
), sum AS (SELECT member, wallet, 29 * count(*) AS points FROM told GROUP BY member, wallet), tier AS (
    UPDATE rewards_membertier AS status
    SET qualifying_points = qualifying_points + sum.points, assessed_at = now(),
        counted_to = (SELECT max(id) FROM moved), counts_until = least(counts_until, now() + interval '12 months')
    FROM sum WHERE status.member_id = sum.member
), answer AS (
    INSERT INTO api_answer (call, source, key, fingerprint, status, body, member_id)
    SELECT 'purchases', 'hand', key, sha256(key::bytea), 201, %(body)s::jsonb, member FROM told
)
UPDATE rewards_account AS wallet SET balance = balance + sum.points FROM sum WHERE wallet.id = sum.wallet
"""
_LOCK = """
SELECT id FROM rewards_account WHERE member_id = ANY(%s) AND kind = 'wallet' AND unit = 'points'
ORDER BY id FOR NO KEY UPDATE
"""


def _told(url: str) -> dict:
    """What the product wrote, to be written again: whose points, which rule, why, what gave nothing, and an answer."""
    with psycopg.connect(url) as connection:

        def one(statement: str):
            return connection.execute(statement).fetchone()[0]  # type: ignore[index]

        return {
            "issued": one("SELECT id FROM rewards_account WHERE kind = 'issued' AND unit = 'points'"),
            "rule": one("SELECT min(id) FROM rewards_ruleversion"),
            "digest": one("SELECT digest FROM api_apikey"),
            "why": one("SELECT why::text FROM rewards_transfer WHERE why <> '{}' LIMIT 1"),
            "trace": one("SELECT trace::text FROM rewards_evaluation LIMIT 1"),
            "body": one("SELECT body::text FROM api_answer WHERE status = 201 LIMIT 1"),
            "reactions": one("SELECT coalesce(array_agg(DISTINCT reaction), '{}') FROM members_pendingreaction"),
        }


@contextmanager
def one_by_one(url: str, *, members: int, clients: int, seconds: float) -> Iterator[Callable[[], float]]:
    """What tells how many transactions a second pgbench does."""
    from loyalty_crm.launch.binaries import find_postgres

    told = _told(url)
    pending = "".join(_PENDING.format(reaction) for reaction in told["reactions"])
    script = _BY_HAND.replace(":digest", told["digest"]).replace("{pending}", pending)
    for name in ("why", "trace", "body"):
        # pgbench takes a colon and a letter or digit for a variable, within texts as well: "09:30".
        script = script.replace(f"{{{name}}}", re.sub(r":(?=\w)", ".", told[name]).replace("'", "''"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "purchase.sql"
        path.write_text(script)
        argv = [str(find_postgres()[0] / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2"]
        argv += ["-T", str(max(1, round(seconds))), "-f", str(path)]
        for name, value in {"members": members, "issued": told["issued"], "rule": told["rule"]}.items():
            argv += ["-D", f"{name}={value}"]

        def run() -> float:
            done = subprocess.run([*argv, url], capture_output=True, text=True)
            if done.returncode or not (rate := float(done.stdout.split("tps = ")[1].split()[0])):
                raise SystemExit(f"bench: pgbench: {done.stdout[-600:]}{done.stderr[-600:]}")
            return rate

        yield run


def by_thousands(url: str, *, members: int, clients: int, seconds: float, at_once: int = 1_000) -> float:
    """How many purchases a second: each client writes a thousand in one transaction, again and again."""
    told = _told(url)
    until, counts = time.monotonic() + seconds, []

    def client() -> None:
        dice, count = random.Random(), 0
        with psycopg.connect(url, prepare_threshold=0) as connection:
            while time.monotonic() < until:
                whom = [dice.randint(1, members) for _ in range(at_once)]
                connection.execute("SELECT id FROM api_apikey WHERE digest = %s", [told["digest"]])
                connection.execute(_LOCK, [whom])
                connection.execute(_MANY, told | {"members": whom, "run": f"{time.time_ns()}-{dice.random()}"})
                connection.commit()
                count += at_once
        counts.append(count)

    started = time.monotonic()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - started)

"""A chunk of a plan on its way into the members' tables: who is new, which purchases, what was there already.

All of it in the caller's transaction, which holds the import and, with `queue_up`, keeps other imports out, so two
files that tell of the same customers or purchases take turns.
"""

from dataclasses import dataclass
from typing import Any

from common.sql import execute, fetch_all
from members import events
from members.models import PurchaseImport
from members.queries import get_programme
from members.services.imports.plan import FIND, ways
from members.services.imports.tables import exists, tables
from members.services.purchases import record_selected

MOST_PROBLEMS = 10_000  # bad rows kept with their sentences; all are counted
_TURN = 7_411_205_130  # any number that no other advisory lock uses


@dataclass(frozen=True, slots=True)
class Chunk:
    """The rows n of an import's plan with after < n <= to."""

    purchase_import: PurchaseImport
    after: int
    to: int

    @property
    def names(self) -> dict[str, str]:
        return tables(self.purchase_import)

    @property
    def params(self) -> dict[str, Any]:
        i = self.purchase_import
        return {"import": i.pk, "source": i.source, "after": self.after, "to": self.to, "time_zone": i.time_zone}


_GOOD = "plan.n > %(after)s AND plan.n <= %(to)s AND plan.problem IS NULL AND NOT plan.repeats"
_NOT_THERE = """
NOT EXISTS (SELECT FROM members_purchase AS there WHERE there.source = %(source)s AND there.key = plan.key)
"""
_UNKNOWN = f"""
SELECT DISTINCT who.id FROM {{plan}} AS plan JOIN {{who}} AS who ON who.id = plan.who
WHERE {_GOOD} AND who.member_id IS NULL
"""
_ALL = f"SELECT DISTINCT plan.who FROM {{plan}} AS plan WHERE {_GOOD}"
# Whose key is there already belongs to another customer: such a row makes no member.
_NEWCOMERS = f"""
who.id = ANY(%(unknown)s) AND who.member_id IS NULL
AND EXISTS (SELECT FROM {{plan}} AS plan WHERE plan.who = who.id AND {_GOOD} AND {_NOT_THERE})
"""
_JOIN = f"""
WITH newcomer AS (
    SELECT who.id, nextval(pg_get_serial_sequence('members_member', 'id')) AS member_id, who.first_at,
           coalesce(who.name, '') AS name, coalesce(who.email, '') AS email, coalesce(who.phone, '') AS phone
    FROM {{who}} AS who WHERE {_NEWCOMERS} ORDER BY who.id
),
joined AS (
    INSERT INTO members_member (id, name, email, phone, language, time_zone, city, birthday_calendar,
                                birthday_leap_month, leap_day_rule, joined_at)
    SELECT member_id, name, email, phone, %(language)s, %(time_zone)s, '', 'solar', false, 'feb28', first_at
    FROM newcomer
)
UPDATE {{who}} AS who SET member_id = newcomer.member_id FROM newcomer WHERE who.id = newcomer.id
RETURNING who.id, who.member_id
"""
_IDENTIFY = """
INSERT INTO members_identity (member_id, system, value)
SELECT root.member_id, %(source)s, who.ref FROM {who} AS who JOIN {who} AS root ON root.id = who.root
WHERE who.kind = 'customer' AND root.id = ANY(%(roots)s) AND root.member_id IS NOT NULL
ON CONFLICT (system, value) DO NOTHING
"""
_PURCHASES = f"""
SELECT who.member_id, %(source)s, plan.key, plan.purchased_at, plan.currency, plan.amount, plan.store, plan.channel,
       CASE WHEN coalesce(nullif(plan.product, ''), nullif(plan.category, ''), nullif(plan.brand, ''),
                          plan.quantity::text) IS NULL
            THEN '[]'::jsonb
            ELSE jsonb_build_array(jsonb_build_object('sku', '', 'name', coalesce(plan.product, ''), 'category',
                 coalesce(plan.category, ''), 'brand', coalesce(plan.brand, ''),
                 'quantity', coalesce(plan.quantity, 1), 'amount_minor', plan.amount)) END
FROM {{plan}} AS plan JOIN {{who}} AS who ON who.id = plan.who
WHERE {_GOOD} AND who.member_id IS NOT NULL
ORDER BY plan.n
"""
_SETTLE = f"""
WITH known AS (
    SELECT plan.number,
           CASE WHEN there.member_id IS DISTINCT FROM who.member_id THEN 'key_of_another'
                WHEN (there.purchased_at, there.amount_minor, there.currency)
                     <> (plan.purchased_at, plan.amount, plan.currency) THEN 'key_reused' END AS problem,
           jsonb_build_object('key', plan.key, 'amount_minor', there.amount_minor, 'currency', there.currency,
                              'purchased_at', there.purchased_at, 'time_zone', %(time_zone)s::text) AS params
    FROM {{plan}} AS plan JOIN {{who}} AS who ON who.id = plan.who
    JOIN members_purchase AS there ON there.source = %(source)s AND there.key = plan.key
    LEFT JOIN unnest(%(new_ids)s::bigint[]) AS added (id) ON added.id = there.id
    WHERE NOT %(all_new)s AND {_GOOD} AND added.id IS NULL
),
bad AS (
    SELECT number, problem, params, others FROM {{plan}} AS plan
    WHERE plan.n > %(after)s AND plan.n <= %(to)s AND plan.problem IS NOT NULL
    UNION ALL
    SELECT number, problem, params, NULL FROM known WHERE problem IS NOT NULL
),
kept AS (
    INSERT INTO members_importproblem (purchase_import_id, row, code, params, others)
    SELECT %(import)s, number, problem, coalesce(params, '{{{{}}}}'), coalesce(others, '[]')
    FROM bad ORDER BY number LIMIT %(room)s
)
SELECT (SELECT count(*) FROM bad),
       (SELECT count(*) FROM known WHERE problem IS NULL)
       + (SELECT count(*) FROM {{plan}} AS plan
          WHERE plan.n > %(after)s AND plan.n <= %(to)s AND plan.problem IS NULL AND plan.repeats)
"""


def queue_up() -> None:
    """Waits until no other import has a chunk in hand; until the transaction ends this one has."""
    execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])


def welcome(chunk: Chunk) -> int:
    """Makes the chunk's unknown customers members; how many were new."""
    i = chunk.purchase_import
    params = chunk.params
    used = ways(i)
    params["unknown"] = _ids(chunk, _UNKNOWN, params)
    if params["unknown"]:
        # Somebody may have come in since the plan was made, by another import or by themselves.
        for way in used:
            execute(FIND[way].format(**chunk.names, only="AND asked.id = ANY(%(unknown)s)"), params)
    programme = get_programme()
    rows = fetch_all(
        _JOIN.format(**chunk.names), {**params, "language": programme.language, "time_zone": programme.time_zone}
    )
    members = [member_id for _, member_id in rows]
    # Where the file names customers in several ways, a number may be new for a member who is not.
    roots = _ids(chunk, _ALL, params) if len(used) > 1 else [root for root, _ in rows]
    execute(_IDENTIFY.format(**chunk.names), {**params, "roots": roots})
    if members:
        events.record_selected(
            kind=events.MEMBER_JOINED,
            select="SELECT id, joined_at, jsonb_build_object('source', %(source)s::text, 'import', %(import)s::bigint)"
            " FROM members_member WHERE id = ANY(%(members)s)",
            params={**params, "members": members},
            actor_id=i.created_by_id,
        )
    return len(members)


def count_newcomers(chunk: Chunk) -> int:
    """How many members `welcome` would make, each counted once in all chunks."""
    params = chunk.params
    params["unknown"] = _ids(chunk, _UNKNOWN, params)
    return execute(
        f"UPDATE {{who}} AS who SET counted = true WHERE NOT counted AND {_NEWCOMERS}".format(**chunk.names), params
    )


def record(chunk: Chunk) -> list[int]:
    """Records the chunk's purchases; the ids of those that were new."""
    return record_selected(
        select=_PURCHASES.format(**chunk.names), params=chunk.params, actor_id=chunk.purchase_import.created_by_id
    )


def new_purchases(chunk: Chunk) -> tuple[str, dict[str, Any]]:
    """SQL for rows of (member_id or NULL, currency, amount_minor, purchased_at, store, channel) of the purchases that
    `record` would add."""
    statement = f"""
        SELECT who.member_id, plan.currency, plan.amount, plan.purchased_at, plan.store, plan.channel
        FROM {{plan}} AS plan JOIN {{who}} AS who ON who.id = plan.who
        WHERE {_GOOD} AND {_NOT_THERE}"""
    return statement.format(**chunk.names), chunk.params


def settle(chunk: Chunk, new_ids: list[int], kept_problems: int) -> tuple[int, int]:
    """Keeps what is wrong with the chunk's rows, up to MOST_PROBLEMS in all; how many are bad, how many were there
    already, in the file or before it."""
    room = max(0, MOST_PROBLEMS - kept_problems)
    good = _ids(chunk, f"SELECT count(*) FROM {{plan}} AS plan WHERE {_GOOD}", chunk.params)[0]
    params = {**chunk.params, "new_ids": new_ids, "room": room, "all_new": len(new_ids) == good}
    return fetch_all(_SETTLE.format(**chunk.names), params)[0]  # type: ignore[return-value]


def _ids(chunk: Chunk, statement: str, params: dict[str, Any]) -> list[int]:
    return [row[0] for row in fetch_all(statement.format(**chunk.names), params)]


def touched_members(purchase_import: PurchaseImport, after: int, limit: int) -> list[int]:
    """Members of the import, in the order of their ids, `limit` of those after `after`. None where none are staged."""
    who = tables(purchase_import)["who"]
    if not exists(who):
        return []
    statement = f"SELECT DISTINCT member_id FROM {who} WHERE member_id > %s ORDER BY member_id LIMIT %s"
    return [row[0] for row in fetch_all(statement, [after, limit])]

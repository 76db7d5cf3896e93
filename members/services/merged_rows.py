"""The rows that follow a merged member, and their way back. One statement a table, whatever their number."""

import json
from collections.abc import Sequence
from contextlib import ExitStack

import pgtrigger

from common.sql import execute, fetch_all
from members.merging import Merging, Relation, Strategy, relations

# The two members stand in the statements as plain numbers, for pgtrigger.ignore knows no named parameters.
_DROP = "DELETE FROM {table} WHERE {column} = {merged:d}"
_DROP_CLASHING = """
DELETE FROM {table} AS row WHERE row.{column} = {merged:d} AND EXISTS (
    SELECT FROM {table} AS other WHERE other.{column} = {survivor:d} AND other.{once_per} = row.{once_per}
)
RETURNING to_jsonb(row)
"""
_MOVE = """
UPDATE {table} AS row SET {column} = {survivor:d} WHERE row.{column} = {merged:d} AND NOT ({stays}) RETURNING row.id
"""
_BACK = "UPDATE {table} SET {column} = {merged:d} WHERE id = ANY(%s) AND {column} = {survivor:d}"
_RESTORE = """
INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, told)).* FROM unnest(%(rows)s::jsonb[]) AS told
ON CONFLICT DO NOTHING
"""
_QUEUE = "INSERT INTO members_changedmember (member_id) SELECT unnest(%s::bigint[])"


def _statement(template: str, relation: Relation, merging: Merging) -> str:
    return template.format(
        table=relation.table,
        column=relation.column,
        once_per=relation.once_per,
        stays=(relation.stays or "false").format(survivor=int(merging.survivor_id)),
        survivor=merging.survivor_id,
        merged=merging.merged_id,
    )


def move(merging: Merging) -> None:
    """Lets the rows follow to the survivor, and notes in the journal which did and which were dropped."""
    moved: dict[str, list[int]] = {}
    dropped: dict[str, list[dict]] = {}
    for relation in relations():
        if relation.strategy is Strategy.DROP:
            execute(_statement(_DROP, relation, merging))
        if relation.strategy is not Strategy.MOVE:
            continue
        if relation.once_per:
            rows = fetch_all(_statement(_DROP_CLASHING, relation, merging))
            dropped[relation.label] = [json.loads(row) for (row,) in rows]
        with _passing_by(relation):
            moved[relation.label] = [id_ for (id_,) in fetch_all(_statement(_MOVE, relation, merging))]
    merging.journal |= {"moved": moved, "dropped": dropped}


def give_back(merging: Merging) -> None:
    """Sends back what the journal names and what is still with the survivor; puts back what was dropped. What is
    derived of it is worked out anew, for both."""
    for relation in relations():
        if relation.strategy is not Strategy.MOVE:
            continue
        if ids := merging.journal["moved"].get(relation.label):
            with _passing_by(relation):
                execute(_statement(_BACK, relation, merging), [ids])
        if rows := merging.journal["dropped"].get(relation.label):
            execute(_statement(_RESTORE, relation, merging), {"rows": [json.dumps(row) for row in rows]})
    execute(_QUEUE, [[merging.survivor_id, merging.merged_id]])


def _passing_by(relation: Relation) -> ExitStack:
    """Until it ends, the append-only triggers of the relation let a move pass."""
    stack = ExitStack()
    if relation.ignoring:
        stack.enter_context(pgtrigger.ignore(*relation.ignoring))
    return stack


def with_latecomers(merged_ids: Sequence[int]) -> list[int]:
    """Which of these merged members have rows that should have followed."""
    late: set[int] = set()
    for relation in relations():
        if relation.strategy is Strategy.MOVE and merged_ids:
            late |= {id_ for (id_,) in fetch_all(latecomers(relation), {"members": list(merged_ids)})}
    return sorted(late)


def latecomers(relation: Relation) -> str:
    """SQL for the ids of those of %(members)s who have rows of a relation that should have followed."""
    stays = (relation.stays or "false").format(survivor="gone.merged_into_id")
    return (
        f"SELECT DISTINCT row.{relation.column} FROM {relation.table} AS row"
        f" JOIN members_member AS gone ON gone.id = row.{relation.column} AND gone.merged_into_id IS NOT NULL"
        f" WHERE row.{relation.column} = ANY(%(members)s) AND NOT ({stays})"
    )

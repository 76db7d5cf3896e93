"""Taking an import of customers back, by its journal: whom it brought in goes, what it changed becomes as it was.

What somebody else has touched since stays as it is, and its journal row says why. The rest of the journal goes with the
work, so that what is left of it is always what still has to be done, or could not be.
"""

from dataclasses import dataclass
from typing import Any

import pgtrigger
from django.db.models import ForeignKey
from django.db.models.fields.reverse_related import ForeignObjectRel

from common.sql import execute, fetch_all, lock
from members import events
from members.enums import Purpose
from members.merging import Strategy, relations
from members.models import CustomerImport, Member
from members.services.imports.customers.difference import BIRTHDAY, TEXTS, set_birthday
from members.services.imports.customers.fields import extras
from members.services.segments.membership import take_out
from members.services.summaries import DERIVED

APPEND_ONLY = ("members.TimelineEvent:append_only", "members.Consent:append_only")
# What an import writes itself, and what follows from it without anybody's doing. Who has nothing else can go.
_OWN = ("TimelineEvent", "Identity", "MemberTag", "Consent", "SegmentChange")
_QUEUES = ("members.ChangedMember.member", "members.ImportedMember.member")
_UNTOUCHED = (events.SEGMENT_ENTERED, events.SEGMENT_LEFT, "tier.changed")
_CURRENT = ", ".join(f"'{field}', member.{field}" for field in TEXTS)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of some rows of the journal."""

    rows: int
    removed: int
    restored: int
    kept: int


# `why` is why something stays; `stays` whether the row of a member who goes must remain, as nobody's.
_TAKE = """
CREATE TEMP TABLE undone ON COMMIT DROP AS
SELECT journal.id, journal.member_id, journal.created, journal.before, journal.after, journal.added,
       NULL::text AS why, false AS stays, NULL::jsonb AS restore
FROM members_importedmember AS journal WHERE journal.customer_import_id = %(import)s AND journal.kept = ''
ORDER BY journal.row LIMIT %(most)s
"""
_LOCK = """
SELECT member.id FROM members_member AS member WHERE member.id IN (SELECT member_id FROM undone)
ORDER BY member.id FOR UPDATE
"""
_GONE = """
UPDATE undone SET why = 'member_gone' WHERE NOT EXISTS (
    SELECT FROM members_member AS member
    WHERE member.id = undone.member_id AND member.merged_into_id IS NULL AND member.erased_at IS NULL)
"""
_HAPPENED = """
UPDATE undone SET why = 'happened' FROM members_member AS member
WHERE undone.created AND undone.why IS NULL AND member.id = undone.member_id AND (
    member.user_id IS NOT NULL
    OR EXISTS (SELECT FROM members_timelineevent AS event WHERE event.member_id = member.id
               AND event.kind <> ALL(%(untouched)s)
               AND event.data ->> 'customer_import' IS DISTINCT FROM %(import)s::text)
    OR EXISTS (SELECT FROM members_identity AS identity WHERE identity.member_id = member.id
               AND NOT coalesce(undone.added -> 'identities', '[]') @> to_jsonb(identity.id))
    OR EXISTS (SELECT FROM members_membertag AS pinned WHERE pinned.member_id = member.id
               AND NOT coalesce(undone.added -> 'tags', '[]') @> to_jsonb(pinned.id))
    OR EXISTS (SELECT FROM members_consent AS said WHERE said.member_id = member.id
               AND NOT coalesce(undone.added -> 'consents', '[]') @> to_jsonb(said.id))
    $others
)
"""
_STAYS = """
UPDATE undone SET stays = true WHERE undone.created AND undone.why IS NULL AND ($others)
"""
_EXISTS = "EXISTS (SELECT FROM {table} AS other WHERE other.{column} = undone.member_id)"
_GOING = "IN (SELECT member_id FROM undone WHERE created AND why IS NULL {which})"
_ANONYMISE = """
UPDATE members_member AS member SET name = '', email = '', phone = '', street = '', postal_code = '', city = '',
    country = '', birthday_month = NULL, birthday_day = NULL, birthday_year = NULL, birthday_leap_month = false,
    attributes = '{}', household_id = NULL, email_verified_at = NULL, phone_verified_at = NULL, erased_at = now()
WHERE member.id IN (SELECT member_id FROM undone WHERE created AND why IS NULL AND stays)
"""
# What still is as the import left it goes back; the rest was changed since.
_RESTORE = f"""
UPDATE undone SET
    restore = coalesce(found.restore, '{{}}'),
    why = CASE WHEN found.changed THEN 'changed' END
FROM (
    SELECT undone.id,
           (SELECT jsonb_object_agg(key, undone.before -> key) FROM jsonb_object_keys(undone.before) AS key
            WHERE key <> 'attributes' AND (now.data -> key = undone.after -> key
                  OR (key LIKE '%%_verified_at' AND now.data -> replace(key, '_verified_at', '')
                                                    = undone.after -> replace(key, '_verified_at', '')))
           ) || jsonb_build_object('attributes', (
            SELECT coalesce(jsonb_object_agg(key, undone.before -> 'attributes' -> key), '{{}}')
            FROM jsonb_object_keys(coalesce(undone.after -> 'attributes', '{{}}')) AS key
            WHERE coalesce(now.attributes -> key, 'null') = undone.after -> 'attributes' -> key)) AS restore,
           EXISTS (SELECT FROM jsonb_each(undone.after) AS said (key, value)
                   WHERE key <> 'attributes' AND now.data -> key IS DISTINCT FROM value)
           OR EXISTS (SELECT FROM jsonb_each(coalesce(undone.after -> 'attributes', '{{}}')) AS said (key, value)
                      WHERE coalesce(now.attributes -> key, 'null') <> value) AS changed
    FROM undone JOIN (
        SELECT member.id, member.attributes,
               jsonb_build_object({_CURRENT}, 'birthday', {BIRTHDAY}, 'joined_at', member.joined_at) AS data
        FROM members_member AS member WHERE member.id IN (SELECT member_id FROM undone WHERE NOT created)
    ) AS now ON now.id = undone.member_id
    WHERE NOT undone.created AND undone.why IS NULL
) AS found WHERE undone.id = found.id
"""
# What the member had belongs to somebody else by now.
_TAKEN = """
UPDATE undone SET why = 'taken', restore = restore - '{field}'
WHERE NOT created AND nullif(restore ->> '{field}', '') IS NOT NULL AND (
    EXISTS (SELECT FROM members_member AS other WHERE other.id <> undone.member_id AND other.{field} <> ''
            AND {own} = lower(undone.restore ->> '{field}'))
    OR EXISTS (SELECT FROM members_identity AS other WHERE other.system = '{field}'
               AND other.member_id <> undone.member_id AND other.value = lower(undone.restore ->> '{field}')))
"""
_WRITE = f"""
UPDATE members_member AS member SET
    {", ".join(f"{field} = coalesce(undone.restore ->> '{field}', member.{field})" for field in TEXTS)},
    {set_birthday("undone.restore ? 'birthday'", "(undone.restore ->> 'birthday')")},
    joined_at = coalesce((undone.restore ->> 'joined_at')::timestamptz, member.joined_at),
    email_verified_at = CASE WHEN undone.restore ? 'email' THEN (undone.restore ->> 'email_verified_at')::timestamptz
                             ELSE member.email_verified_at END,
    phone_verified_at = CASE WHEN undone.restore ? 'phone' THEN (undone.restore ->> 'phone_verified_at')::timestamptz
                             ELSE member.phone_verified_at END,
    attributes = jsonb_strip_nulls(member.attributes || coalesce(undone.restore -> 'attributes', '{{}}')),
    updated_at = now()
FROM undone WHERE undone.member_id = member.id AND NOT undone.created AND undone.restore IS NOT NULL
"""
_UNPIN = """
DELETE FROM {table} WHERE id IN (
    SELECT each.id::bigint FROM undone, jsonb_array_elements_text(undone.added -> '{what}') AS each (id)
    WHERE undone.why IS DISTINCT FROM 'member_gone' AND NOT undone.created)
"""
# The log of consent is never rewritten: what the import said, and nobody since, is said to be otherwise from now on.
_SAY_OTHERWISE = """
INSERT INTO members_consent (member_id, channel, purpose, granted, source, evidence, at, actor_id)
SELECT state.member_id, state.channel, state.purpose, NOT state.granted, 'import taken back', %(evidence)s, now(),
       %(actor)s::bigint
FROM undone, jsonb_array_elements_text(undone.added -> 'consents') AS each (id)
JOIN members_consentstate AS state ON state.consent_id = each.id::bigint
WHERE NOT undone.created AND undone.why IS DISTINCT FROM 'member_gone'
ORDER BY state.member_id
"""
_PERSONALISED = f"""
UPDATE members_member AS member SET personalised = state.granted
FROM undone JOIN members_consentstate AS state
  ON state.member_id = undone.member_id AND state.purpose = '{Purpose.PROFILING}'
WHERE member.id = undone.member_id AND member.personalised <> state.granted AND undone.added ? 'consents'
"""
_KEEP = """
UPDATE members_importedmember AS journal SET kept = undone.why
FROM undone WHERE undone.id = journal.id AND undone.why IS NOT NULL
"""
_FORGET = "DELETE FROM members_importedmember WHERE id IN (SELECT id FROM undone WHERE why IS NULL)"
_COUNT = """
SELECT count(*), count(*) FILTER (WHERE created AND why IS NULL), count(*) FILTER (WHERE NOT created AND why IS NULL),
       count(*) FILTER (WHERE why IS NOT NULL)
FROM undone
"""


def undo_chunk(i: CustomerImport, *, most: int) -> TakenBack:
    """Takes back up to `most` rows of the journal, in the caller's transaction."""
    params: dict[str, Any] = {
        "import": i.pk,
        "most": most,
        "untouched": list(_UNTOUCHED),
        "actor": i.created_by_id,
        "evidence": i.name[:200],
    }

    def run(statement: str) -> None:
        execute(statement, params)

    lock(DERIVED)  # a refresh in its middle would put a member who goes here into a segment
    run(_TAKE)
    run("ANALYZE undone")
    fetch_all(_LOCK)
    run(_GONE)
    moved, others = _others()
    run(_HAPPENED.replace("$others", "".join(f" OR {each}" for each in moved)))
    _take_extras_back(i)
    run(_STAYS.replace("$others", " OR ".join(others) or "false"))
    _let_go()
    run(_RESTORE)
    for field in ("email", "phone"):
        run(_TAKEN.format(field=field, own=f"lower(other.{field})" if field == "email" else f"other.{field}"))
    run(_WRITE)
    for what, table in (("tags", "members_membertag"), ("identities", "members_identity")):
        run(_UNPIN.format(what=what, table=table))
    run(_SAY_OTHERWISE)
    run(_PERSONALISED)
    events.record_selected(
        kind=events.PROFILE_CHANGED,
        select="SELECT undone.member_id, now(), jsonb_build_object('source', 'import taken back', 'customer_import',"
        " %(import)s::bigint, 'fields', (SELECT coalesce(jsonb_agg(key ORDER BY key), '[]')"
        " FROM jsonb_object_keys(undone.restore || coalesce(undone.restore -> 'attributes', '{}')) AS key"
        " WHERE key <> 'attributes'))"
        " FROM undone WHERE NOT created AND restore IS NOT NULL",
        params=params,
        actor_id=i.created_by_id,
    )
    run(_KEEP)
    run(_FORGET)
    taken_back = TakenBack(*fetch_all(_COUNT)[0])
    run("DROP TABLE undone")
    return taken_back


def _others() -> tuple[list[str], list[str]]:
    """SQL for: something of the member's own stands in this table; something that only must not be left without its
    member."""
    own = {f"members.{name}.member" for name in _OWN} | {"members.Member.merged_into"} | set(_QUEUES)
    moved = {r.label for r in relations() if r.strategy == Strategy.MOVE} - own
    dropped = {r.label for r in relations() if r.strategy == Strategy.DROP}
    things, others = [], []
    for field in _keys_to_members():
        label = f"{field.model._meta.label}.{field.name}"
        exists = _EXISTS.format(table=field.model._meta.db_table, column=field.column)
        if label in moved:
            things.append(exists)
        elif label not in own | dropped and not label.startswith("members.Duplicate."):
            others.append(exists)
    return things, others


def _keys_to_members() -> list[ForeignKey]:
    relations_to = (r for r in Member._meta.get_fields(include_hidden=True) if isinstance(r, ForeignObjectRel))
    return [r.field for r in relations_to if isinstance(r.field, ForeignKey)]


def _take_extras_back(i: CustomerImport) -> None:
    """What higher apps brought in for new members; where they cannot take it back, the member stays."""
    for name, extra in extras().items():
        if name not in i.mapping:
            continue
        rows = fetch_all("SELECT member_id FROM undone WHERE created AND why IS NULL AND added ? %s", [name])
        failed = extra.undo(member_ids=[row[0] for row in rows], key=f"{i.pk}", actor_id=i.created_by_id)
        execute("UPDATE undone SET why = 'spent' WHERE member_id = ANY(%s)", [failed])


def _let_go() -> None:
    """Removes the new members, or makes nobody of those whose row something else needs."""
    going, removed = _GOING.format(which=""), _GOING.format(which="AND NOT stays")
    take_out(going)
    with pgtrigger.ignore(*APPEND_ONLY):
        execute(
            "DELETE FROM members_pendingreaction USING members_timelineevent AS event"
            f" WHERE event.id = event_id AND event.member_id {going}"
        )
        for table in ("consent", "consentstate", "timelineevent", "membertag", "identity", "segmentchange"):
            execute(f"DELETE FROM members_{table} WHERE member_id {going}")
        for relation in relations():
            if relation.strategy == Strategy.DROP and relation.label != "members.ConsentState.member":
                execute(f"DELETE FROM {relation.table} WHERE {relation.column} {going}")
        execute(f"DELETE FROM members_duplicate WHERE first_id {going} OR second_id {going}")
        execute(_ANONYMISE)
        execute(f"DELETE FROM members_changedmember WHERE member_id {removed}")
        execute(f"DELETE FROM members_member WHERE id {removed}")

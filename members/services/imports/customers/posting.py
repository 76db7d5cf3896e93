"""A chunk of a plan on its way into the members' tables, with the journal by which it can be taken back.

Each function works in the caller's transaction, which holds the import. One statement does one thing for the whole
chunk. The dry run asks the same questions of the same SQL and only counts.
"""

from dataclasses import dataclass
from typing import Any

from common.sql import execute, fetch_all
from members import events
from members.enums import Purpose
from members.models import CustomerImport
from members.services.imports.customers.difference import CHANGES, MINE, TEXTS, set_birthday
from members.services.imports.customers.fields import extras
from members.services.imports.tables import tables

MOST_PROBLEMS = 100_000  # bad rows kept with their sentences; all are counted


@dataclass(frozen=True, slots=True)
class Chunk:
    """The rows n of an import's plan with after < n <= to."""

    customer_import: CustomerImport
    after: int
    to: int
    language: str
    time_zone: str

    @property
    def params(self) -> dict[str, Any]:
        i = self.customer_import
        return {
            "import": i.pk,
            "source": i.source,
            "as_of": i.as_of,
            "actor": i.created_by_id,
            "language": self.language,
            "time_zone": self.time_zone,
            "after": self.after,
            "to": self.to,
        }

    def run(self, statement: str, **more: Any) -> int:
        return execute(statement.replace("$row", tables(self.customer_import)["row"]), {**self.params, **more})

    def ask(self, statement: str, **more: Any) -> list[tuple]:
        return fetch_all(statement.replace("$row", tables(self.customer_import)["row"]), {**self.params, **more})


_NEW_TAGS = f"""
SELECT row.n, row.member_id, lower(word) AS tag FROM $row AS row, jsonb_array_elements_text(row.tags) AS word
WHERE {MINE} AND row.act = 'update' AND NOT EXISTS (
    SELECT FROM members_membertag AS pinned JOIN members_tag AS tag ON tag.id = pinned.tag_id
    WHERE pinned.member_id = row.member_id AND lower(tag.name) = lower(word))
"""
_NEW_NUMBERS = f"""
SELECT row.n FROM $row AS row WHERE {MINE} AND row.act = 'update' AND row.customer_holder IS NULL
AND row.customer IS NOT NULL
"""
# What was said at that time and is not what the member had said last before it. A no of who was never asked adds
# nothing, except that it ends personalised treatment.
_SAID = f"""
SELECT row.n, $member AS member_id, said.*
FROM $row AS row $join, jsonb_to_recordset(row.consents)
     AS said (channel text, purpose text, granted boolean, at timestamptz, source text, evidence text)
WHERE {MINE} AND row.consents IS NOT NULL AND $which
AND coalesce((SELECT before.granted FROM members_consent AS before
              WHERE before.member_id = $member AND before.channel = said.channel
                AND before.purpose = said.purpose AND before.at <= said.at
              ORDER BY before.at DESC, before.id DESC LIMIT 1), said.purpose = '{Purpose.PROFILING}') <> said.granted
"""


def _said(*, member: str, join: str = "", which: str = "true") -> str:
    return _SAID.replace("$member", member).replace("$join", join).replace("$which", which)


_COUNT = f"""
SELECT count(*) FILTER (WHERE act = 'create'), count(*) FILTER (WHERE act = 'update'),
       count(*) FILTER (WHERE act = 'skip')
FROM $row AS row WHERE {MINE}
"""
_COUNT_CHANGED = f"""
SELECT count(DISTINCT n) FROM (
    SELECT n FROM ({CHANGES}) AS changed WHERE after <> '{{}}' OR attributes_after IS NOT NULL
    UNION ALL SELECT n FROM ({_NEW_TAGS}) AS tagged
    UNION ALL {_NEW_NUMBERS}
    UNION ALL SELECT n FROM ({_said(member="row.member_id", which="row.act = 'update'")}) AS said
) AS each
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows of a chunk."""

    created: int
    updated: int
    unchanged: int
    skipped: int


def count(chunk: Chunk) -> Counts:
    """What `post` would do."""
    create, update, skip = chunk.ask(_COUNT)[0]
    changed = chunk.ask(_COUNT_CHANGED)[0][0] if update else 0
    return Counts(create, changed, update - changed, skip)


# --- Writing ------------------------------------------------------------------------------------------------------
_TOUCHED = """
CREATE TEMP TABLE touched (
    n int, number int, member_id bigint, created boolean, before jsonb, after jsonb, added jsonb DEFAULT '{}'
) ON COMMIT DROP
"""
# Who was merged or erased since the plan was made.
_GONE = f"""
UPDATE $row AS row SET act = 'bad', faults = '[{{"code": "member_erased", "params": {{}}}}]'
WHERE {MINE} AND row.act = 'update' AND NOT EXISTS (
    SELECT FROM members_member AS member
    WHERE member.id = row.member_id AND member.merged_into_id IS NULL AND member.erased_at IS NULL)
"""
# A second look, after somebody else was quicker: what they hold now is theirs.
_TAKEN = f"""
UPDATE $row AS row SET act = 'bad', faults = jsonb_build_array(jsonb_build_object(
    'code', 'contact_taken', 'params', jsonb_build_object('field', taken.field, 'value', taken.value)))
FROM (
    SELECT row.n, 'email' AS field, row.email AS value, member.id AS holder
    FROM $row AS row JOIN members_member AS member ON lower(member.email) = row.email AND member.email <> ''
    WHERE {MINE}
    UNION ALL
    SELECT row.n, 'phone', row.phone, member.id
    FROM $row AS row JOIN members_member AS member ON member.phone = row.phone AND member.phone <> '' WHERE {MINE}
    UNION ALL
    SELECT row.n, 'customer', row.customer, known.member_id
    FROM $row AS row JOIN members_identity AS known ON known.system = %(source)s AND known.value = row.customer
    WHERE {MINE}
) AS taken
WHERE row.n = taken.n AND row.act IN ('create', 'update') AND taken.holder IS DISTINCT FROM row.member_id
"""
_CREATE = f"""
WITH newcomer AS MATERIALIZED (
    SELECT row.*, nextval(pg_get_serial_sequence('members_member', 'id')) AS new_id FROM $row AS row
    WHERE {MINE} AND row.act = 'create' ORDER BY row.n
),
joined AS (
    INSERT INTO members_member (id, name, email, phone, language, time_zone, street, postal_code, city, country,
                                birthday_calendar, birthday_month, birthday_day, birthday_year, birthday_leap_month,
                                leap_day_rule, attributes, source, joined_at)
    SELECT new_id, coalesce(name, ''), coalesce(email, ''), coalesce(phone, ''), coalesce(language, %(language)s),
           coalesce(time_zone, %(time_zone)s), coalesce(street, ''), coalesce(postal_code, ''), coalesce(city, ''),
           coalesce(country, ''), coalesce(nullif(split_part(birthday, '/', 1), ''), 'solar'),
           nullif(split_part(birthday, '/', 2), '')::smallint, nullif(split_part(birthday, '/', 3), '')::smallint,
           nullif(nullif(split_part(birthday, '/', 4), ''), '0')::smallint,
           coalesce(split_part(birthday, '/', 5), '') = '1', 'feb28',
           coalesce(jsonb_strip_nulls(attributes), '{{}}'), %(source)s, coalesce(joined_at, %(as_of)s)
    FROM newcomer
)
INSERT INTO touched (n, number, member_id, created, before, after)
SELECT n, number, new_id, true, '{{}}', '{{}}' FROM newcomer
"""
# In the order of their ids, so that two who change the same members at once do not lock each other up.
_LOCK = f"""
SELECT member.id FROM members_member AS member
WHERE member.id IN (SELECT row.member_id FROM $row AS row WHERE {MINE} AND row.act = 'update')
  AND member.merged_into_id IS NULL AND member.erased_at IS NULL
ORDER BY member.id FOR NO KEY UPDATE
"""
_FINDCHANGES = f"""
INSERT INTO touched (n, number, member_id, created, before, after)
SELECT n, number, member_id, false,
       before || CASE WHEN attributes_after IS NULL THEN '{{}}'
                      ELSE jsonb_build_object('attributes', attributes_before) END,
       after || CASE WHEN attributes_after IS NULL THEN '{{}}'
                     ELSE jsonb_build_object('attributes', attributes_after) END
FROM ({CHANGES}) AS changes
"""
_UPDATE = f"""
UPDATE members_member AS member SET
    {", ".join(f"{field} = coalesce(touched.after ->> '{field}', member.{field})" for field in TEXTS)},
    {set_birthday("touched.after ? 'birthday'", "(touched.after ->> 'birthday')")},
    joined_at = coalesce((touched.after ->> 'joined_at')::timestamptz, member.joined_at),
    attributes = jsonb_strip_nulls(member.attributes || coalesce(touched.after -> 'attributes', '{{}}')),
    email_verified_at = CASE WHEN touched.after ? 'email' THEN NULL ELSE member.email_verified_at END,
    phone_verified_at = CASE WHEN touched.after ? 'phone' THEN NULL ELSE member.phone_verified_at END,
    updated_at = now()
FROM touched WHERE touched.member_id = member.id AND NOT touched.created AND touched.after <> '{{}}'
"""
_TAGS = (
    f"""
    INSERT INTO members_tag (name)
    SELECT DISTINCT ON (lower(word)) word FROM $row AS row, jsonb_array_elements_text(row.tags) AS word
    WHERE {MINE} AND row.act IN ('create', 'update') ORDER BY lower(word), row.n
    ON CONFLICT DO NOTHING
    """,
    f"""
    WITH pinned AS (
        INSERT INTO members_membertag (member_id, tag_id, actor_id, at)
        SELECT DISTINCT touched.member_id, tag.id, %(actor)s::bigint, %(as_of)s::timestamptz
        FROM $row AS row JOIN touched ON touched.n = row.n, jsonb_array_elements_text(row.tags) AS word
        JOIN members_tag AS tag ON lower(tag.name) = lower(word) WHERE {MINE}
        ON CONFLICT (member_id, tag_id) DO NOTHING RETURNING id, member_id
    )
    UPDATE touched SET added = added || jsonb_build_object('tags', pinned.ids)
    FROM (SELECT member_id, jsonb_agg(id) AS ids FROM pinned GROUP BY member_id) AS pinned
    WHERE touched.member_id = pinned.member_id
    """,
)
_NUMBERS = f"""
WITH known AS (
    INSERT INTO members_identity (member_id, system, value)
    SELECT touched.member_id, %(source)s, row.customer FROM $row AS row JOIN touched ON touched.n = row.n
    WHERE {MINE} AND row.customer IS NOT NULL AND row.customer_holder IS NULL
    RETURNING id, member_id
)
UPDATE touched SET added = added || jsonb_build_object('identities', jsonb_build_array(known.id))
FROM known WHERE touched.member_id = known.member_id
"""
_CONSENTS = f"""
WITH said AS ({_said(member="touched.member_id", join="JOIN touched ON touched.n = row.n")}),
kept AS (
    INSERT INTO members_consent (member_id, channel, purpose, granted, source, evidence, at, actor_id)
    SELECT member_id, channel, purpose, granted, source, evidence, at, %(actor)s::bigint FROM said
    ORDER BY member_id, at
    RETURNING id, member_id
)
UPDATE touched SET added = added || jsonb_build_object('consents', kept.ids)
FROM (SELECT member_id, jsonb_agg(id ORDER BY id) AS ids FROM kept GROUP BY member_id) AS kept
WHERE touched.member_id = kept.member_id
"""
_PERSONALISED = f"""
UPDATE members_member AS member SET personalised = state.granted
FROM touched JOIN members_consentstate AS state
  ON state.member_id = touched.member_id AND state.purpose = '{Purpose.PROFILING}'
WHERE member.id = touched.member_id AND member.personalised <> state.granted AND touched.added ? 'consents'
"""
_JOURNAL = """
INSERT INTO members_importedmember (customer_import_id, member_id, row, created, before, after, added, kept)
SELECT %(import)s, member_id, number, created, before, after, added, '' FROM touched
WHERE created OR after <> '{}' OR added <> '{}' ORDER BY number
"""
_DATA = "jsonb_build_object('source', %(source)s::text, 'customer_import', %(import)s::bigint"


def post(chunk: Chunk) -> Counts:
    """Brings the chunk in."""
    i = chunk.customer_import
    chunk.run(_TOUCHED)
    create, update, skip = chunk.ask(_COUNT)[0]
    if update and len(chunk.ask(_LOCK)) < update:
        update -= chunk.run(_GONE)
    if create:
        chunk.run(_CREATE)
    if update:
        chunk.run(_FINDCHANGES)
        chunk.run("ANALYZE touched")
        chunk.run(_UPDATE)
    if "tags" in i.mapping:
        for statement in _TAGS:
            chunk.run(statement)
    if "customer" in i.mapping:
        chunk.run(_NUMBERS)
    if any(field.startswith("consent.") for field in i.mapping):
        chunk.run(_CONSENTS)
        chunk.run(_PERSONALISED)
    for name, extra in extras().items():
        if name in i.mapping:
            _bring_in(chunk, name, extra.post)
    chunk.run(_JOURNAL)
    changed = chunk.ask("SELECT count(*) FROM touched WHERE NOT created AND (after <> '{}' OR added <> '{}')")[0][0]
    _record(chunk, create, changed)
    chunk.run("DROP TABLE touched")
    return Counts(create, changed, update - changed, skip)


def _bring_in(chunk: Chunk, name: str, extra_post: Any) -> None:
    # For new members only: the same file a second time must not give twice.
    i = chunk.customer_import
    select = f"""
        SELECT touched.member_id, touched.n, row.extras ->> '{name}' AS value
        FROM {tables(i)["row"]} AS row JOIN touched ON touched.n = row.n
        WHERE row.extras ? '{name}' AND touched.created AND {MINE}"""
    extra_post(select=select, params=chunk.params, at=i.as_of, actor_id=i.created_by_id, key=f"{i.pk}")
    chunk.run(
        f"""UPDATE touched SET added = added || jsonb_build_object('{name}', true)
            FROM $row AS row WHERE row.n = touched.n AND row.extras ? '{name}' AND touched.created AND {MINE}"""
    )


def _record(chunk: Chunk, created: int, changed: int) -> None:
    params, actor = chunk.params, chunk.customer_import.created_by_id
    if created:
        events.record_selected(
            kind=events.MEMBER_JOINED,
            select=f"SELECT member.id, member.joined_at, {_DATA}) FROM members_member AS member"
            " JOIN touched ON touched.member_id = member.id WHERE touched.created",
            params=params,
            actor_id=actor,
        )
    if changed:
        fields = """'fields', (SELECT coalesce(jsonb_agg(key ORDER BY key), '[]') FROM (
            SELECT key FROM jsonb_object_keys(touched.after) AS key WHERE key <> 'attributes'
            UNION SELECT key FROM jsonb_object_keys(coalesce(touched.after -> 'attributes', '{}')) AS key
            UNION SELECT key FROM jsonb_object_keys(touched.added) AS key WHERE key <> 'consents') AS each)"""
        events.record_selected(
            kind=events.PROFILE_CHANGED,
            select=f"SELECT member_id, %(as_of)s::timestamptz, {_DATA}, {fields}) FROM touched"
            " WHERE NOT created AND (after <> '{}' OR added - 'consents' <> '{}')",
            params=params,
            actor_id=actor,
        )
    for kind, granted in ((events.CONSENT_GRANTED, True), (events.CONSENT_WITHDRAWN, False)):
        if any(field.startswith("consent.") for field in chunk.customer_import.mapping):
            events.record_selected(
                kind=kind,
                select="SELECT said.member_id, said.at, jsonb_build_object('channel', said.channel, 'purpose', "
                "said.purpose, 'source', said.source, 'customer_import', %(import)s::bigint) FROM touched,"
                " jsonb_array_elements_text(touched.added -> 'consents') AS added (id)"
                " JOIN members_consent AS said ON said.id = added.id::bigint WHERE said.granted = %(granted)s",
                params={**params, "granted": granted},
                actor_id=actor,
            )


def look_again(chunk: Chunk) -> None:
    """Judges a chunk anew after somebody else was quicker to take an address, a phone or a number."""
    chunk.run(_TAKEN)


_KEEP = f"""
WITH bad AS (SELECT number, faults FROM $row AS row WHERE {MINE} AND row.act = 'bad'),
kept AS (
    INSERT INTO members_customerproblem (customer_import_id, row, faults)
    SELECT %(import)s, number, faults FROM bad ORDER BY number LIMIT %(room)s
)
SELECT fault ->> 'code', count(DISTINCT number), (SELECT count(*) FROM bad)
FROM bad, jsonb_array_elements(faults) AS fault GROUP BY 1
"""


def keep_problems(chunk: Chunk, kept: int) -> tuple[int, dict[str, int]]:
    """Keeps what is wrong with the chunk's rows, up to MOST_PROBLEMS in all; how many are bad, and of which kind."""
    rows = chunk.ask(_KEEP, room=max(0, MOST_PROBLEMS - kept))
    return (rows[0][2] if rows else 0), {code: n for code, n, _all in rows}

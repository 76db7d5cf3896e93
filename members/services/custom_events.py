"""What other systems tell of members beside purchases, written down once however often it is told."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from common.sql import fetch_all
from members import events
from members.queries import ever_with

KIND = re.compile(r"[a-z0-9][a-z0-9_.-]{0,52}")
MOST_DATA = 4096  # characters of its JSON


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened to a member. (`source`, `key`) names it for ever. `told` says whether the moment was
    told, and so belongs to what must stay the same when it is told again."""

    member_id: int
    source: str
    key: str
    kind: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    told_at: bool = True

    def content(self) -> str:
        at = self.at.astimezone(UTC).isoformat() if self.told_at else ""
        return json.dumps([self.kind, at, self.data], sort_keys=True)


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """Its id, whether it was new, and whether its key is known with another content."""

    id: int
    is_new: bool
    is_reused: bool = False


_RECORD = """
WITH input AS (
    SELECT told.*, md5(concat_ws('|', member_id, content))::uuid AS fingerprint
    FROM unnest(%(members)s::bigint[], %(sources)s::text[], %(keys)s::text[], %(kinds)s::text[], %(ats)s::timestamptz[],
                %(data)s::jsonb[], %(contents)s::text[])
        AS told (member_id, source, key, kind, at, data, content)
),
added AS (
    INSERT INTO members_customevent (source, key, fingerprint, member_id, kind, at, data)
    SELECT source, key, fingerprint, member_id, kind, at, data FROM input ORDER BY source, key
    ON CONFLICT (source, key) DO NOTHING
    RETURNING id, source, key
)
SELECT source, key, added.id FROM input LEFT JOIN added USING (source, key)
"""
_KNOWN = """
SELECT source, key, id, fingerprint FROM members_customevent
WHERE (source, key) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_PRINTS = "SELECT md5(concat_ws('|', member_id, %s::text))::uuid FROM unnest(%s::bigint[]) AS member (member_id)"


@transaction.atomic
def record_custom_events(*, told: Sequence[NewEvent], actor_id: int | None = None) -> list[RecordedEvent]:
    """Records events, in the order given; a known key is answered as before, and says so where the content is another.

    ValueError for a key that stands twice in one call, or a kind or data that no event can have.
    """
    if not told:
        return []
    if len({(one.source, one.key) for one in told}) != len(told):
        raise ValueError("a key stands twice in one call")
    if any(not KIND.fullmatch(one.kind) or len(json.dumps(one.data)) > MOST_DATA for one in told):
        raise ValueError("no event is like this")
    columns = {
        "members": [one.member_id for one in told],
        "sources": [one.source for one in told],
        "keys": [one.key for one in told],
        "kinds": [one.kind for one in told],
        "ats": [one.at for one in told],
        "data": [json.dumps(one.data) for one in told],
        "contents": [one.content() for one in told],
    }
    added = {(source, key): id_ for source, key, id_ in fetch_all(_RECORD, columns)}
    new = [(one, added[one.source, one.key]) for one in told if added[one.source, one.key] is not None]
    events.record_many(
        kind=events.EVENT_TOLD,
        events=[(one.member_id, one.at, {"event": id_, "kind": one.kind}) for one, id_ in new],
        actor_id=actor_id,
    )
    pairs = [pair for pair, id_ in added.items() if id_ is None]
    stored = {}
    if pairs:
        sources, keys = zip(*pairs, strict=True)
        rows = fetch_all(_KNOWN, [list(sources), list(keys)])
        stored = {(source, key): (id_, fingerprint) for source, key, id_, fingerprint in rows}
    return [_answer(one, added[one.source, one.key], stored) for one in told]


def _answer(one: NewEvent, id_: int | None, stored: Mapping[tuple[str, str], tuple[int, Any]]) -> RecordedEvent:
    if id_ is not None:
        return RecordedEvent(id_, True)
    known, fingerprint = stored[one.source, one.key]
    # Under the names that the member had before a merge, as well.
    same = fingerprint in {row[0] for row in fetch_all(_PRINTS, [one.content(), ever_with([one.member_id])])}
    return RecordedEvent(known, False, not same)

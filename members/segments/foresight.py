"""What a definition would change, before it is saved."""

from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from psycopg.sql import SQL

from members.segments.compile import selecting

_CHANGE = SQL("""
SELECT count(*) FILTER (WHERE held.member_id IS NULL), count(*) FILTER (WHERE wanted.id IS NULL),
       count(*) FILTER (WHERE wanted.id = held.member_id)
FROM ({selecting}) AS wanted
FULL JOIN (SELECT member_id FROM members_segmentmember WHERE segment_id = %(_segment)s) AS held
  ON held.member_id = wanted.id
""")


class Foresight(NamedTuple):
    """How many members would come in, go out, and stay."""

    enter: int
    leave: int
    stay: int


def foresee(definition: Any, *, segment_id: int | None, at: datetime) -> Foresight:
    """What saving this definition would do to who is in, picks heeded; no id for a new segment. BadDefinition."""
    selected, params = selecting(definition, at=at, segment_id=segment_id)
    with connection.cursor() as cursor:
        cursor.execute(_CHANGE.format(selecting=selected), {**params, "_segment": segment_id})
        return Foresight(*cursor.fetchone())

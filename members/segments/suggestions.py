"""Values there are, offered while somebody types one."""

from django.db import connection
from psycopg.sql import SQL, Identifier

from members.segments.traits import find

MOST = 20
SAMPLE = 50_000  # rows looked at: what is rare beyond it is typed in full
# Columns of members_member that hold the same words again and again.
_OF_MEMBERS = {"city", "country", "source", "time_zone"}


def suggestions(trait_name: str, filter_name: str, text: str) -> list[str]:
    """Up to MOST values with `text` in them, the frequent first, for a trait or one of its filters; [] for others."""
    trait = find([trait_name]).get(trait_name)
    if trait is None:
        return []
    place = next((each.suggest for each in trait.filters if each.name == filter_name), None)
    if not filter_name and trait_name in _OF_MEMBERS:
        place = ("members_member", trait_name)
    if place is None:
        return []
    table, column = map(Identifier, place)
    like = text.replace("\0", "").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [place[0]])
        percent = min(100.0, 100 * SAMPLE / max(cursor.fetchone()[0], 1))
        statement = SQL(
            "SELECT {column} FROM {table} TABLESAMPLE SYSTEM ({percent})"
            " WHERE {column} ILIKE %s AND {column} <> '' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {most}"
        ).format(column=column, table=table, percent=percent, most=MOST)
        cursor.execute(statement, [f"%{like}%"])
        return [row[0] for row in cursor.fetchall()]

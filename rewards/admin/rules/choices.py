"""What can be chosen: triggers that there are, and words that really stand in purchases."""

from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _
from psycopg.sql import SQL, Identifier

from members.models import CustomEvent
from rewards.earning import triggers as registry

MOST = 20
SAMPLE = 50_000  # rows looked at: what is rare beyond it is typed in full
_PLACES = {
    "products": ("members_purchaseline", "sku"),
    "categories": ("members_purchaseline", "category"),
    "brands": ("members_purchaseline", "brand"),
    "stores": ("members_purchase", "store"),
}
_NAMED = "products"  # an article is found by its name as well


def triggers() -> list[tuple[str, Any]]:
    """Everything that can set a rule off, and at the end a kind of event that another system may tell."""
    known = [(trigger.name, trigger.label) for trigger in registry.triggers().values()]
    told = CustomEvent.objects.order_by("kind").values_list("kind", flat=True).distinct()[:MOST]
    names = {name for name, _label in known}
    heard = [(f"{registry.CUSTOM}{kind}", kind) for kind in told if kind not in names]
    return [*known, *heard, (registry.CUSTOM, _("Another event, told by another system…"))]


def suggestions(field: str, text: str) -> list[str]:
    """Up to MOST values with `text` in them, the frequent first; [] for a field that has none."""
    place = _PLACES.get(field.removeprefix("not_"))
    if place is None:
        return []
    table, column = map(Identifier, place)
    like = text.replace("\0", "").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    named = SQL(" OR name ILIKE %(like)s") if place == _PLACES[_NAMED] else SQL("")
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [place[0]])
        percent = min(100.0, 100 * SAMPLE / max(cursor.fetchone()[0], 1))
        statement = SQL(
            "SELECT {column} FROM {table} TABLESAMPLE SYSTEM ({percent})"
            " WHERE ({column} ILIKE %(like)s{named}) AND {column} <> ''"
            " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT {most}"
        ).format(column=column, table=table, percent=percent, most=MOST, named=named)
        cursor.execute(statement, {"like": f"%{like}%"})
        return [row[0] for row in cursor.fetchall()]


def favourite(field: str) -> str:
    """The value that is bought most; "" where nothing was."""
    return next(iter(suggestions(field, "")), "")

"""What goes to PostgreSQL by a kept plan arrives as it was."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from common.sql import LONG, fetch_prepared
from rewards.enums import Unit

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
TEXTS = ["", "NULL", None, 'a "b" \\ {c,d}', "100 %", "%s", "O'Neil\n", "积分", Unit.POINTS]
STATEMENT = """
SELECT %(texts)s::text[], %(numbers)s::bigint[], %(moments)s::timestamptz[], %(flags)s::boolean[], %(bytes)s::bytea[],
       %(amount)s::numeric, %(at)s::timestamptz, %(nothing)s::bigint, %(text)s::text, %(text)s::text || '%%'
"""


@pytest.mark.parametrize("times", [1, LONG])
def test_parameters_arrive_as_they_were(times):
    given = {
        "texts": TEXTS * times,
        "numbers": [1, None, -(2**62)],
        "moments": [AT, None],
        "flags": [True, False, None],
        "bytes": [b"\x00\\\xff", None],
        "amount": Decimal("12.50"),
        "at": AT,
        "nothing": None,
        "text": TEXTS[3],
    }
    came = fetch_prepared(STATEMENT, given)
    assert came == [(*given.values(), f"{TEXTS[3]}%")]
    assert fetch_prepared("SELECT %s::int[], %s::text WHERE false", [[], "x"]) == []

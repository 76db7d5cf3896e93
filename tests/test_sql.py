"""What goes to PostgreSQL by a kept plan arrives as it was."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from common.sql import LONG, fetch_prepared, fetch_together
from rewards.enums import Unit

pytestmark = pytest.mark.django_db
AT = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
TEXTS = ["", "NULL", None, 'a "b" \\ {c,d}', "100 %", "%s", "O'Neil\n", "积分", Unit.POINTS]
STATEMENT = """
SELECT %(texts)s::text[], %(numbers)s::bigint[], %(moments)s::timestamptz[], %(flags)s::boolean[], %(bytes)s::bytea[],
       %(amount)s::numeric, %(at)s::timestamptz, %(nothing)s::bigint, %(text)s::text, %(text)s::text || '%%'
"""

_ADD = "INSERT INTO members_tag (name) VALUES (%s)"


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


@pytest.mark.parametrize("times", [1, LONG])
def test_lists_of_one_kind_arrive_as_they_were(times):
    texts = [text for text in TEXTS if type(text) is str] * times
    moments = [AT, AT.astimezone(ZoneInfo("Asia/Shanghai")), AT - timedelta(days=1)] * times
    assert fetch_prepared("SELECT %s::text[], %s::timestamptz[]", [texts, moments]) == [(texts, moments)]
    assert fetch_prepared("SELECT %s::text[]", [[""]]) == [([""],)]
    with pytest.raises(DatabaseError), transaction.atomic():  # and never two texts of one
        fetch_prepared("SELECT %s::text[]", [["a\0b", *texts]])


def test_statements_sent_together_are_answered_in_their_order():
    members, nothing, sum_ = fetch_together(
        [("SELECT %s::int", [1]), ("SELECT 1 WHERE %s::boolean", [False]), ("SELECT %s::int + 1", [2])]
    )
    assert (members, nothing, sum_) == ([(1,)], [], [(3,)])
    told = fetch_together([("SELECT cardinality(%s::int[])", [list(range(LONG + 1))]), ("SELECT %s::text", ["x"])])
    assert told == [[(LONG + 1,)], [("x",)]]


def test_the_first_that_fails_is_raised_and_what_follows_is_not_run():
    with pytest.raises(IntegrityError), transaction.atomic():
        fetch_together([("SELECT %s::int", [1]), (_ADD, [None]), (_ADD, ["after"])])
    assert fetch_prepared("SELECT count(*) FROM members_tag WHERE %s::boolean", [True]) == [(0,)]


@pytest.mark.django_db(transaction=True)
def test_the_last_statements_commit_where_the_transaction_is_nobody_elses():
    def seen_by_others() -> list[str]:
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
            return [name for (name,) in other.execute("SELECT name FROM members_tag ORDER BY name")]

    with transaction.atomic():
        fetch_together([(_ADD, ["a"])], last=True)
        assert seen_by_others() == ["a"]
    with transaction.atomic():
        with transaction.atomic():
            fetch_together([(_ADD, ["b"])], last=True)
        assert seen_by_others() == ["a"]
        transaction.set_rollback(True)
    with pytest.raises(IntegrityError), transaction.atomic():
        fetch_together([(_ADD, ["c"]), (_ADD, ["a"])], last=True)
    assert seen_by_others() == ["a"]

"""What a check of `verify` is."""

from typing import NamedTuple

from django.utils.functional import Promise


class Check(NamedTuple):
    """`sql` gives one row (id, expected, found) for each row of `table` that is looked at."""

    name: str | Promise
    table: str
    sql: str

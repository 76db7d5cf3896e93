"""Benchmarks find their own databases, also on a server that is reached by a socket folder."""

import pytest

from bench.base import name_of, url_of


@pytest.mark.parametrize(
    ("server", "other"),
    [
        ("postgres://app:pw@db.example:5432/app", "postgres://app:pw@db.example:5432/bench"),
        ("postgresql://app:pw@/app?host=/a/b&port=5432", "postgresql://app:pw@/bench?host=/a/b&port=5432"),
    ],
)
def test_another_database_of_the_same_server(server, other):
    assert url_of(server, "bench") == other
    assert (name_of(server), name_of(other)) == ("app", "bench")

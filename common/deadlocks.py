"""Two that lock each other up: the database ends one of them, and that one is done again."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog
from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

P = ParamSpec("P")
R = TypeVar("R")
log = structlog.get_logger(__name__)
TRIES = 6


def again_after_deadlock(act: Callable[P, R]) -> Callable[P, R]:
    """Does a whole transaction again, TRIES times in all, where the database ended it because of a deadlock: nothing of
    it is left then. Within a transaction of its caller it does nothing, for all of that is undone. For what locks rows
    in an order that others choose, as a list of purchases does: of many at once, one may be ended several times."""

    @wraps(act)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return act(*args, **kwargs)
        for _ in range(TRIES - 1):
            try:
                return act(*args, **kwargs)
            except OperationalError as error:
                if not isinstance(error.__cause__, DeadlockDetected):
                    raise
                log.warning("deadlock, done again", act=act.__qualname__)
        return act(*args, **kwargs)

    return wrapped

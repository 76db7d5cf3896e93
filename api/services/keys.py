"""Keys of connected systems: made, shown once, known again by their hash, counted, revoked."""

import re
import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, connection
from django.utils.translation import gettext_lazy as _

from api.enums import Scope
from api.models import ApiKey
from common.sql import Params, execute, fetch_all, fetch_prepared
from members.enums import OWN_SOURCES, OWN_SYSTEMS

_BEGINS = "crm_"
_PREFIX = 8  # characters of a key that staff see, to tell keys apart: too few to guess the rest by


class UnknownKey(Exception):
    """No key of ours, or none any more."""


class KeyRevoked(Exception):
    """The key was valid once."""


class TooManyCalls(Exception):
    """The key's limit for this minute is reached. `args[0]` is in how many seconds the next begins."""


class Caller(NamedTuple):
    """Who calls: the key's id, the system that it speaks for, and what it may do."""

    key_id: int
    source: str
    scopes: frozenset[str]
    lately: bool = False  # known from a call just before, see seen_lately


def digest(key: str) -> str:
    """SHA-256 as hex. A key holds 256 random bits, so that no slow hash is needed to keep it from being guessed."""
    return sha256(key.encode()).hexdigest()


def clean_source(source: str) -> str:
    """The word for a system, as it stands beside its keys. ValidationError."""
    source = source.strip().lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", source):
        raise ValidationError({"source": _("Please give a short word of letters, digits and hyphens.")})
    if source in (*OWN_SYSTEMS, *OWN_SOURCES):
        raise ValidationError({"source": _("This word has a meaning of its own here. Please take another.")})
    return source


def create_key(
    *, name: str, source: str, scopes: Sequence[str], per_minute: int | None = None, actor_id: int | None = None
) -> tuple[ApiKey, str]:
    """A new key and its row; the key itself is kept nowhere. ValidationError by field."""
    if not name.strip():
        raise ValidationError({"name": _("Please give a name.")})
    if unknown := sorted(set(scopes) - set(Scope.values)):
        raise ValidationError({"scopes": _("There is no “%(scope)s”.") % {"scope": unknown[0]}})
    if not scopes:
        raise ValidationError({"scopes": _("Please choose what it may do.")})
    key = _BEGINS + secrets.token_urlsafe(32)
    row = ApiKey.objects.create(
        name=name.strip()[:80],
        source=clean_source(source),
        scopes=sorted(set(scopes)),
        per_minute=per_minute,
        prefix=key[:_PREFIX],
        digest=digest(key),
        created_by_id=actor_id,
    )
    return row, key


def revoke_key(*, key_id: int, at: datetime) -> None:
    """From now on the key opens nothing. Twice is once."""
    ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=at)


_FIND = """
SELECT id, source, scopes, per_minute, revoked_at IS NOT NULL,
       last_used_at IS NULL OR last_used_at < now() - interval '1 minute'
FROM api_apikey WHERE digest = %s
"""
_USED = """
UPDATE api_apikey SET last_used_at = now()
WHERE id = %s AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""
_COUNT = """
UPDATE api_apikey AS key
SET calls = CASE WHEN key.minute = present.minute THEN calls + 1 ELSE 1 END, minute = present.minute
FROM (SELECT floor(extract(epoch FROM now()) / 60)::bigint AS minute) AS present
WHERE key.id = %s RETURNING calls, ceil(60 - extract(epoch FROM now())::numeric %% 60)::int
"""


def _find(printed: str) -> list[tuple]:
    """The first question of every call: it tells as well whether the connection still lives, so that nobody need ask
    for that before."""
    connection.ensure_connection()
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        return fetch_prepared(_FIND, [printed])
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        return fetch_prepared(_FIND, [printed])


def recognise(key: str) -> Caller:
    """Whom a key belongs to: one query, and one more where its calls are limited. Called outside of a transaction, so
    that calls do not wait for each other. UnknownKey, KeyRevoked, TooManyCalls."""
    rows = _find(digest(key)) if key.startswith(_BEGINS) and key.isascii() else []
    if not rows:
        raise UnknownKey
    ((key_id, source, scopes, per_minute, revoked, unseen),) = rows
    if revoked:
        raise KeyRevoked
    if unseen:
        execute(_USED, [key_id])
    if per_minute is not None:
        ((calls, rest),) = fetch_all(_COUNT, [key_id])
        if calls > per_minute:
            raise TooManyCalls(max(rest, 1))
    caller = Caller(key_id, source, frozenset(scopes))
    if per_minute is None:
        connection.caller_lately = (connection.connection, key, time.monotonic(), caller)  # type: ignore[attr-defined]
    return caller


_LATELY = 1  # second
_STILL = """
SELECT ({}) WHERE EXISTS (
    SELECT FROM api_apikey WHERE id = %(caller)s::bigint AND revoked_at IS NULL AND per_minute IS NULL
                             AND source = %(caller_source)s AND scopes @> %(caller_scopes)s::varchar[]
)
"""


def seen_lately(key: str) -> Caller | None:
    """Whose key this connection has recognised within the last second, where its calls are not limited. Whether it
    still opens anything must be asked with what the call begins with: `still`. So a busy till waits for one question
    less, and a key that is revoked is refused at the next call all the same."""
    raw, seen, when, caller = getattr(connection, "caller_lately", None) or (None, "", 0.0, None)
    if caller is None or raw is not connection.connection or seen != key or time.monotonic() - when > _LATELY:
        return None
    connection.health_check_done = True  # type: ignore[attr-defined]
    return caller._replace(lately=True)


def still(caller: Caller, find: tuple[str, Params]) -> tuple[str, Params]:
    """A statement for an id, given by name, as one that answers NULL where the caller's key is not what it was."""
    statement, params = find
    own = {"caller": caller.key_id, "caller_source": caller.source, "caller_scopes": sorted(caller.scopes)}
    return _still(statement), {**params, **own}  # type: ignore[dict-item]


@lru_cache
def _still(statement: str) -> str:
    return _STILL.format(statement)

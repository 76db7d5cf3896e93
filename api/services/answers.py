"""Every call that changes something has a key, and is done once. docs/api.md.

The row that keeps the answer and what the call did are one transaction, so that what was acknowledged is there, and
there once, whatever dies. The row is written last, and its key is unique: of two that are sent at the same moment the
second to write it undoes all that it did, and answers as the first. A call that is refused leaves no row: it may be
sent again when what was missing is there.
"""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from pydantic_core import to_json

from common.deadlocks import again_after_deadlock
from common.sql import Params, fetch_prepared


class KeyReused(Exception):
    """The key was used for a call with another body."""


class MemberErased(Exception):
    """The key is known, and the member it was about has been erased, with what was answered."""


class Done(NamedTuple):
    """What a call answers: HTTP status, body, and whom it was about."""

    status: int
    body: dict[str, Any]
    member_id: int | None = None


_printed = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def fingerprint(body: Any) -> bytes:
    """SHA-256 of a body as JSON with its names in order: spaces and the order of names make no other body."""
    return sha256(_printed(body).encode()).digest()


class Unsure(Exception):
    """Whether the caller may call at all has to be asked first. What is known of the call is told to nobody before."""


class _Outrun(Exception):
    """The same call, sent at the same moment, was answered first."""


_KNOWN = "SELECT fingerprint, status, body::text FROM api_answer WHERE call = %s AND source = %s AND key = %s"
_KEEP = """
INSERT INTO api_answer (call, source, key, fingerprint, status, body, member_id)
VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s) ON CONFLICT (call, source, key) DO NOTHING RETURNING id
"""


@again_after_deadlock
def once(*, call: str, source: str, key: str, body: Any, act: Callable[[], Done]) -> Done:
    """What `act` answers, or has answered to the same call before: that with 200, whatever it was then.

    KeyReused, MemberErased. What `act` raises undoes all of it.
    """
    printed, named = fingerprint(body), [call, source, key]
    try:
        with transaction.atomic():
            known = fetch_prepared(_KNOWN, named)
            if not known:
                done = act()
                if fetch_prepared(_KEEP, _told(named, printed, done)):
                    return done
                raise _Outrun
    except Unsure:
        raise
    except Exception:
        # Outrun, or refused what the same call has just been given.
        known = fetch_prepared(_KNOWN, named)
        if not known:
            raise
    return _again(known[0], printed)


_KEEP_NEW = """
INSERT INTO api_answer (call, source, key, fingerprint, status, body, member_id)
VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s)
"""
Keep = Callable[[Done], tuple[str, Params]]


@again_after_deadlock
def once_new(*, call: str, source: str, key: str, body: Any, act: Callable[[Keep | None], Done]) -> Done:
    """As `once`, for calls that are many and hardly ever sent again: one is taken for new until its answer, or an
    IntegrityError of its effect, says that it is not.

    `act` is given what makes the statement that keeps its answer, to be sent with its last one; it need not use it, and
    is given None where it has to look first.
    """
    printed, named = fingerprint(body), [call, source, key]
    kept: list[Done] = []

    def keep(done: Done) -> tuple[str, Params]:
        kept.append(done)
        return _KEEP_NEW, _told(named, printed, done)

    try:
        with transaction.atomic():
            done = act(keep)
            if not kept:
                fetch_prepared(_KEEP_NEW, _told(named, printed, done))
            return done
    except Unsure:
        raise
    except Exception as error:
        # Outrun, or refused what the same call has just been given.
        if known := fetch_prepared(_KNOWN, named):
            return _again(known[0], printed)
        if not isinstance(error, IntegrityError):
            raise
    return once(call=call, source=source, key=key, body=body, act=lambda: act(None))


def _told(named: list[str], printed: bytes, done: Done) -> list[Any]:
    return [*named, printed, done.status, to_json(done.body).decode(), done.member_id]


def _again(known: tuple, printed: bytes) -> Done:
    kept, status, body = known
    if status == 410:
        raise MemberErased
    if bytes(kept) != printed:
        raise KeyReused
    return Done(200, json.loads(body))


_KNOWN_MANY = """
SELECT key, fingerprint, status, body::text FROM api_answer
WHERE call = %(call)s AND source = %(source)s AND key = ANY(%(keys)s::text[])
"""
_KEEP_MANY = """
INSERT INTO api_answer (call, source, key, fingerprint, status, body, member_id)
SELECT %(call)s, %(source)s, told.*
FROM unnest(%(keys)s::text[], %(prints)s::bytea[], %(statuses)s::int[], %(bodies)s::jsonb[], %(members)s::bigint[])
    AS told (key, fingerprint, status, body, member_id)
ORDER BY key  -- two calls with the same keys in another order must not lock each other up
ON CONFLICT (call, source, key) DO NOTHING RETURNING key
"""

# Wallets are locked until the commit. Of two batches of a thousand among a million members, two in three share one: the
# second would wait for all of the first, and so would the tills of those who are in it.
AT_ONCE = 200

Kept = Done | KeyReused | MemberErased


def once_each(
    *,
    call: str,
    source: str,
    bodies: dict[str, Any],
    act: Callable[[Sequence[str]], dict[str, Done | None]],
) -> dict[str, Kept | None]:
    """The same for many calls, by their keys. `act` is given the keys that are new, and answers each of them; None for
    a refusal, which leaves no row. AT_ONCE of them are one transaction, of two statements beside what `act` does."""
    names, keys = {"call": call, "source": source}, list(bodies)
    answers: dict[str, Kept | None] = {}
    for n in range(0, len(keys), AT_ONCE):
        answers |= _once_each(names, {key: fingerprint(bodies[key]) for key in keys[n : n + AT_ONCE]}, act)
    return answers


@again_after_deadlock
def _once_each(
    names: dict[str, str], prints: dict[str, bytes], act: Callable[[Sequence[str]], dict[str, Done | None]]
) -> dict[str, Kept | None]:
    while True:
        try:
            return _settle(names, prints, act)
        except _Outrun:  # some of them: now they are known
            continue


@transaction.atomic
def _settle(
    names: dict[str, str], prints: dict[str, bytes], act: Callable[[Sequence[str]], dict[str, Done | None]]
) -> dict[str, Kept | None]:
    answers: dict[str, Kept | None] = {}
    for key, *known in fetch_prepared(_KNOWN_MANY, names | {"keys": list(prints)}):
        try:
            answers[key] = _again(tuple(known), prints[key])
        except (KeyReused, MemberErased) as error:
            answers[key] = error
    if new := [key for key in prints if key not in answers]:
        done = act(new)
        answers |= done
        _keep_many(names, prints, {key: answer for key, answer in done.items() if answer is not None})
    return answers


def _keep_many(names: dict[str, str], prints: dict[str, bytes], done: dict[str, Done]) -> None:
    columns = {
        "keys": list(done),
        "prints": [prints[key] for key in done],
        "statuses": [answer.status for answer in done.values()],
        "bodies": [to_json(answer.body).decode() for answer in done.values()],
        "members": [answer.member_id for answer in done.values()],
    }
    if done and len(fetch_prepared(_KEEP_MANY, names | columns)) < len(done):
        raise _Outrun

"""Every call that changes something has a key, and is done once. docs/api.md.

The row that keeps the answer is written first: its unique key is the lock on which the same call, sent again at the
same moment, waits. Row and effect are one transaction, so that what was acknowledged is there, and there once, whatever
dies. A call that is refused leaves no row: it may be sent again when what was missing is there.
"""

import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from django.db import transaction

from common.deadlocks import again_after_deadlock
from common.sql import execute, fetch_all, fetch_prepared


class KeyReused(Exception):
    """The key was used for a call with another body."""


class MemberErased(Exception):
    """The key is known, and the member it was about has been erased, with what was answered."""


class Done(NamedTuple):
    """What a call answers: HTTP status, body, and whom it was about."""

    status: int
    body: dict[str, Any]
    member_id: int | None = None


def fingerprint(body: Any) -> bytes:
    """SHA-256 of a body as JSON with its names in order: spaces and the order of names make no other body."""
    return sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).digest()


_CLAIM = """
INSERT INTO api_answer (call, source, key, fingerprint) VALUES (%s, %s, %s, %s)
ON CONFLICT (call, source, key) DO NOTHING RETURNING id
"""
_KNOWN = "SELECT fingerprint, status, body::text FROM api_answer WHERE call = %s AND source = %s AND key = %s"
_KEEP = "UPDATE api_answer SET status = %s, body = %s::jsonb, member_id = %s WHERE id = %s"


@again_after_deadlock
@transaction.atomic
def once(*, call: str, source: str, key: str, body: Any, act: Callable[[], Done]) -> Done:
    """What `act` answers, or has answered to the same call before: that with 200, whatever it was then.

    KeyReused, MemberErased. What `act` raises undoes all of it.
    """
    printed = fingerprint(body)
    claimed = fetch_prepared(_CLAIM, [call, source, key, printed])
    if not claimed:
        return _again(fetch_all(_KNOWN, [call, source, key])[0], printed)
    done = act()
    fetch_prepared(_KEEP, [done.status, json.dumps(done.body), done.member_id, claimed[0][0]])
    return done


def _again(known: tuple, printed: bytes) -> Done:
    kept, status, body = known
    if status == 410:
        raise MemberErased
    if bytes(kept) != printed:
        raise KeyReused
    return Done(200, json.loads(body))


_CLAIM_MANY = """
INSERT INTO api_answer (call, source, key, fingerprint)
SELECT %(call)s, %(source)s, key, fingerprint
FROM unnest(%(keys)s::text[], %(prints)s::bytea[]) AS told (key, fingerprint)
ORDER BY key  -- two calls with the same keys in another order must not lock each other up
ON CONFLICT (call, source, key) DO NOTHING RETURNING key
"""
_KNOWN_MANY = """
SELECT key, fingerprint, status, body::text FROM api_answer
WHERE call = %s AND source = %s AND key = ANY(%s)
"""
_KEEP_MANY = """
UPDATE api_answer AS answer SET status = told.status, body = told.body, member_id = told.member_id
FROM unnest(%(keys)s::text[], %(statuses)s::int[], %(bodies)s::jsonb[], %(members)s::bigint[])
    AS told (key, status, body, member_id)
WHERE answer.call = %(call)s AND answer.source = %(source)s AND answer.key = told.key
"""
_FORGET_MANY = "DELETE FROM api_answer WHERE call = %s AND source = %s AND key = ANY(%s)"

Kept = Done | KeyReused | MemberErased


@again_after_deadlock
@transaction.atomic
def once_each(
    *,
    call: str,
    source: str,
    bodies: dict[str, Any],
    act: Callable[[Sequence[str]], dict[str, Done | None]],
) -> dict[str, Kept | None]:
    """The same for many calls at once, by their keys. `act` is given the keys that are new, and answers each of them;
    None for a refusal, which leaves no row. Five statements, however many there are."""
    prints = {key: fingerprint(body) for key, body in bodies.items()}
    names = {"call": call, "source": source}
    told = {**names, "keys": list(prints), "prints": list(prints.values())}
    new = {key for (key,) in fetch_all(_CLAIM_MANY, told)}
    answers: dict[str, Kept | None] = {}
    if len(new) < len(prints):
        for key, *known in fetch_all(_KNOWN_MANY, [call, source, [key for key in prints if key not in new]]):
            try:
                answers[key] = _again(tuple(known), prints[key])
            except (KeyReused, MemberErased) as error:
                answers[key] = error
    if new:
        done = act([key for key in prints if key in new])
        answers |= done
        _keep_many(names, done)
    return answers


def _keep_many(names: dict[str, str], answers: dict[str, Done | None]) -> None:
    done = {key: answer for key, answer in answers.items() if answer is not None}
    if done:
        columns = {
            "keys": list(done),
            "statuses": [answer.status for answer in done.values()],
            "bodies": [json.dumps(answer.body) for answer in done.values()],
            "members": [answer.member_id for answer in done.values()],
        }
        execute(_KEEP_MANY, names | columns)
    if len(done) < len(answers):
        refused = [key for key, answer in answers.items() if answer is None]
        execute(_FORGET_MANY, [names["call"], names["source"], refused])

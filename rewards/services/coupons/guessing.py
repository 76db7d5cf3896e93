"""Who tries codes is let try a few times a minute. Shared codes are words that can be guessed; ours are not.

`who` names the guesser: "key:5" of an API ("key:5:77" of a member there), "ip:…", "session:…", "till:7". It is counted
in the cache, outside of the caller's transaction: what a rollback undid would not be counted.
"""

from collections.abc import Sequence
from datetime import datetime

from django.core.cache import cache
from django.db import transaction

from common.sql import lock
from rewards.models import CouponJob
from rewards.services.coupons.finding import Found, find

MISSES = 10  # in a minute
_MINUTE = 60


class TooManyGuesses(Exception):
    """Too many codes that there are not. `retry_after`: seconds until it may be tried again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


def _key(who: str, at: datetime) -> str:
    return f"coupon-misses:{who}:{int(at.timestamp()) // _MINUTE}"


def attempt(who: str, at: datetime) -> None:
    """Call before a code is looked up. TooManyGuesses; else it counts as a miss, until `hit` says that it was none."""
    with transaction.atomic():
        lock(f"coupon-misses:{who}")  # a hundred at once are counted one by one
        misses = cache.get(_key(who, at), 0)
        if misses >= MISSES:
            raise TooManyGuesses(_MINUTE - int(at.timestamp()) % _MINUTE)
        cache.set(_key(who, at), misses + 1, 2 * _MINUTE)


def hit(who: str, at: datetime) -> None:
    """Call where the code is one: it was no guess."""
    with transaction.atomic():
        lock(f"coupon-misses:{who}")
        misses = cache.get(_key(who, at), 0)
        cache.set(_key(who, at), max(0, misses - 1), 2 * _MINUTE)


def made_here(found: Sequence[Found]) -> set[str]:
    """What was typed that is a code of our making: nobody guesses 61 bits, so it may be used however many were missed.
    Codes of a file may be any words."""
    coupons = {one.typed: one.coupon for one in found if one.coupon}
    jobs = {coupon.job_id for coupon in coupons.values() if coupon.job_id}
    files = set(CouponJob.objects.filter(pk__in=jobs, uploaded=True).values_list("pk", flat=True)) if jobs else set()
    return {typed for typed, coupon in coupons.items() if coupon.job_id not in files}


def let_through(whos: Sequence[str], baskets: Sequence[Sequence[str]], at: datetime) -> list[int]:
    """For baskets with codes, in their order, each of a guesser: 0 for one that may be looked at, else in how many
    seconds. Counts each code that there is not as a miss; after too many, this guesser is not told whether the next is
    one, unless it is of our making. Call it outside of the transaction that uses the codes."""
    codes = {code for basket in baskets for code in basket}
    if not codes:
        return [0] * len(baskets)
    found = find(sorted(codes))
    unknown = {one.typed for one in found if one.offer is None}
    wait = _MINUTE - int(at.timestamp()) % _MINUTE
    asked = list(zip(whos, baskets, strict=True))
    with transaction.atomic():
        for who in sorted({who for who, basket in asked if unknown.intersection(basket)}):
            lock(f"coupon-misses:{who}")
        before = cache.get_many({_key(who, at) for who, basket in asked if basket})
        misses, answers, made = dict(before), [], made_here(found)
        for who, basket in asked:
            key = _key(who, at)
            shut = not made.issuperset(basket) and misses.get(key, 0) >= MISSES
            answers.append(wait if shut else 0)
            if not shut and (missed := len(unknown.intersection(basket))):
                misses[key] = misses.get(key, 0) + missed
        if misses != before:
            cache.set_many({key: n for key, n in misses.items() if n != before.get(key)}, 2 * _MINUTE)
    return answers

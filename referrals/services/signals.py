"""The signals of many referrals, in a few statements whatever their number."""

from collections.abc import Iterable
from typing import Any

from common.sql import fetch_all
from members.similarity import mailbox
from referrals.enums import Signal
from referrals.fairness import MANY_A_DAY
from referrals.throwaway import is_throwaway

# What giver and friend have in common; how many friends the giver brought around the time; how alike the names are.
_SIGNALS = """
SELECT referral.id,
       EXISTS (SELECT FROM referrals_trace AS own JOIN referrals_trace AS other USING (kind, mark)
               WHERE own.member_id = giver.id AND other.member_id = friend.id AND own.kind = 'network'),
       EXISTS (SELECT FROM referrals_trace AS own JOIN referrals_trace AS other USING (kind, mark)
               WHERE own.member_id = giver.id AND other.member_id = friend.id AND own.kind = 'browser'),
       giver.name <> '' AND friend.name <> '' AND similarity(lower(giver.name), lower(friend.name)) >= 0.75,
       giver.street <> '' AND lower(giver.street) = lower(friend.street)
           AND giver.postal_code = friend.postal_code AND lower(giver.city) = lower(friend.city),
       (SELECT count(*) FROM referrals_referral AS other WHERE other.giver_id = giver.id
            AND other.joined_at > referral.joined_at - interval '1 day' AND other.joined_at <= referral.joined_at),
       giver.email, friend.email,
       purchase.refunded_minor > 0
FROM referrals_referral AS referral
JOIN members_member AS giver ON giver.id = referral.giver_id
JOIN members_member AS friend ON friend.id = referral.friend_id
LEFT JOIN members_purchase AS purchase ON purchase.id = referral.purchase_id
WHERE referral.id = ANY(%(ids)s)
"""


def signals_of(referral_ids: Iterable[int]) -> dict[int, dict[Signal, Any]]:
    """By referral: its signals, each with its evidence, as far as a person may read it."""
    found: dict[int, dict[Signal, Any]] = {}
    for row in fetch_all(_SIGNALS, {"ids": list(referral_ids)}):
        pk, network, browser, name, street, many, given, came, refunded = row
        signals: dict[Signal, Any] = {}
        for signal, so in (
            (Signal.NETWORK, network),
            (Signal.DEVICE, browser),
            (Signal.NAME, name),
            (Signal.STREET, street),
            (Signal.REFUNDED, refunded),
            (Signal.DISPOSABLE, bool(came) and is_throwaway(came)),
            (Signal.ADDRESS, bool(given) and bool(came) and alike(given, came)),
        ):
            if so:
                signals[signal] = True
        if many > MANY_A_DAY:
            signals[Signal.VELOCITY] = int(many)
        found[pk] = signals
    return found


def alike(one: str, other: str) -> bool:
    """Whether two mail addresses differ by no more than digits at the end of their names ("ann1@", "ann2@")."""
    first, second = (mailbox(address).partition("@") for address in (one, other))
    return (
        first[2] == second[2]
        and len(first[0].rstrip("0123456789")) >= 3
        and (first[0].rstrip("0123456789") == second[0].rstrip("0123456789"))
    )

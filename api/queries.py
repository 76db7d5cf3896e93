"""Reads for callers who wait: each is one statement, whatever hangs on the member."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError

from common.sql import Params, fetch_prepared
from members.enums import OWN_CARD, OWN_EMAIL, OWN_PHONE
from members.models import Programme
from members.services.identities import clean_identity
from rewards.enums import Unit


class Ref(NamedTuple):
    """How a caller names a member: `system` is "card", "email", "phone", or the caller's own for `key:…`."""

    system: str
    value: str


def read_ref(text: str, source: str) -> Ref | None:
    """A card number, email:…, phone:… or key:…; None where it is none of these."""
    prefix, colon, value = text.partition(":")
    if not colon:
        system, value = OWN_CARD, text
    elif prefix in (OWN_EMAIL, OWN_PHONE, OWN_CARD):
        system = prefix
    elif prefix == "key":
        system = source
    else:
        return None
    try:
        return Ref(system, clean_identity(system, value))
    except ValidationError:
        return None


# Of each system: (value, id of who has it). A card's first owner may have been merged; another's may have come later.
_ELSEWHERE = "SELECT value, member_id AS id FROM members_identity WHERE system = %(system)s AND value = ANY(%(values)s)"
_OWN = {
    OWN_CARD: "SELECT card_number AS value, coalesce(merged_into_id, id) AS id FROM members_member"
    " WHERE card_number = ANY(%(values)s)",
    OWN_EMAIL: "SELECT lower(email) AS value, id FROM members_member"
    " WHERE email <> '' AND lower(email) = ANY(%(values)s)",
    OWN_PHONE: "SELECT phone AS value, id FROM members_member WHERE phone <> '' AND phone = ANY(%(values)s)",
}


def _finding(system: str) -> str:
    return f"{_OWN[system]} UNION ALL {_ELSEWHERE}" if system in _OWN else _ELSEWHERE


@lru_cache
def _present(system: str) -> str:
    return f"""
        SELECT found.value, min(member.id) FROM ({_finding(system if system in _OWN else "")}) AS found
        JOIN members_member AS member
        ON member.id = found.id AND member.merged_into_id IS NULL AND member.erased_at IS NULL GROUP BY 1
    """


def find_members(refs: Iterable[Ref]) -> dict[Ref, int]:
    """The present members behind these names; one query for each system."""
    values = defaultdict(set)
    for ref in refs:
        values[ref.system].add(ref.value)
    found: dict[Ref, int] = {}
    for system, named in values.items():
        rows = fetch_prepared(_present(system), {"system": system, "values": sorted(named)})
        found |= {Ref(system, value): id_ for value, id_ in rows}
    return found


def finding(ref: Ref) -> tuple[str, Params]:
    """The same for one, as a statement of the id alone, which is NULL where there is none."""
    return _one(ref.system), {"system": ref.system, "values": [ref.value]}


@lru_cache
def _one(system: str) -> str:
    return f"SELECT min(id) FROM ({_present(system)}) AS present (value, id)"


class Standing(NamedTuple):
    """What a till shows of a member. Points are whole numbers, `credit_minor` minor units of `currency`; `expiring` is
    (points, when), soonest first; `zone` is the programme's. Whether they have coupons and benefits is asked
    only where they may have some."""

    member_id: int
    card: str
    name: str
    tier: str | None
    currency: str
    zone: str
    spendable: int
    pending: int
    expiring: list[tuple[int, datetime]]
    credit_minor: int
    may_have_coupons: bool
    may_have_benefits: bool


SOONEST = 12  # how many moments of expiry are told
_STANDING = """
SELECT member.id, member.card_number, member.name,
       (SELECT coalesce(nullif(tier.{name}, ''), tier.name_en) FROM rewards_tier AS tier
        WHERE tier.id = coalesce((SELECT tier_id FROM rewards_membertier WHERE member_id = member.id),
                                 (SELECT id FROM rewards_tier WHERE rank = 0))),
       coalesce((SELECT currency FROM members_programme WHERE id = 1), %(currency)s),
       coalesce((SELECT time_zone FROM members_programme WHERE id = 1), %(zone)s),
       coalesce(points.spendable, 0), coalesce(points.pending, 0),
       ARRAY(SELECT ARRAY[sum(remaining)::text, expires_at::text] FROM (
                 SELECT remaining, available_from, expires_at FROM rewards_lot
                 WHERE account_id = points.id AND remaining > 0 OFFSET 0
             ) AS own
             WHERE available_from <= %(at)s AND expires_at > %(at)s
             GROUP BY expires_at ORDER BY expires_at LIMIT %(soonest)s),
       coalesce(credit.spendable, 0),
       EXISTS (SELECT FROM rewards_coupon WHERE member_id = member.id AND state = 'issued')
           OR EXISTS (SELECT FROM rewards_offer WHERE listed AND state = 'live' AND shared_code IS NOT NULL),
       EXISTS (SELECT FROM rewards_benefit WHERE active)
FROM members_member AS member
LEFT JOIN LATERAL ({points}) AS points ON true
LEFT JOIN LATERAL ({credit}) AS credit ON true
WHERE member.id = (
    SELECT min(present.id) FROM ({found}) AS found JOIN members_member AS present
    ON present.id = found.id AND present.merged_into_id IS NULL AND present.erased_at IS NULL
)
"""
# Wallets are looked up by their member and lots by their wallet (OFFSET 0), whatever the statistics of a young shop
# say: that no lot is open, so that the next of all to expire seem as quickly found as those of one wallet.
_PURSE = """
    SELECT wallet.id, (wallet.balance - closed.remaining)::bigint AS spendable, closed.pending
    FROM (
        SELECT id, balance FROM rewards_account
        WHERE member_id = member.id AND kind = 'wallet' AND unit = '{unit}' OFFSET 0
    ) AS wallet CROSS JOIN LATERAL (
        SELECT coalesce(sum(remaining), 0) AS remaining,
               coalesce(sum(remaining) FILTER (WHERE expires_at IS NULL OR expires_at > %(at)s), 0)::bigint AS pending
        FROM rewards_lot WHERE account_id = wallet.id AND remaining > 0
                           AND (expires_at <= %(at)s OR available_from > %(at)s)
    ) AS closed
"""


@lru_cache
def _standing(name: str, system: str) -> str:
    points, credit = (_PURSE.format(unit=unit) for unit in (Unit.POINTS, Unit.CREDIT))
    return _STANDING.format(name=name, points=points, credit=credit, found=_finding(system))


def standing(ref: Ref, at: datetime, language: str) -> Standing | None:
    """Who that is and what they have; None where there is nobody. One statement."""
    name = "name_zh_hans" if language.startswith("zh") else "name_en"
    currency, zone = (Programme._meta.get_field(field).default for field in ("currency", "time_zone"))  # type: ignore[union-attr]
    params: dict[str, Any] = {"at": at, "soonest": SOONEST, "currency": currency, "zone": zone}
    statement = _standing(name, ref.system if ref.system in _OWN else "")
    rows = fetch_prepared(statement, params | {"system": ref.system, "values": [ref.value]})
    if not rows:
        return None
    row = list(rows[0])
    row[8] = [(int(points), datetime.fromisoformat(moment)) for points, moment in row[8]]
    return Standing(*row)

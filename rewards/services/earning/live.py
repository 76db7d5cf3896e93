"""The rules that count. What is published never changes, so that what was read of a version once can be kept; which
versions there are, and whether their rules are live, is asked each time."""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import get_language

from common.sql import fetch_prepared
from members.services.purchases import DRAWN
from rewards.earning.definition import parse
from rewards.earning.facts import Rule, Standing
from rewards.enums import Unit
from rewards.queries_budgets import LEFT
from rewards.services.ledger import LOCK


class LiveRule(NamedTuple):
    """A rule as the engine takes it, and what is left of its budget, as it was just now; None where it has none."""

    rule: Rule
    budget_left: int | None


_LIVE = f"""
SELECT rule.id, version.id, version.number, rule.name_en, rule.name_zh_hans, version.definition::text, rule.trigger,
       rule.unit, version.valid_from, version.valid_until, {LEFT}
FROM rewards_earningrule AS rule JOIN rewards_ruleversion AS version ON version.rule_id = rule.id
WHERE rule.state = 'live' AND rule.trigger = ANY(%s) AND version.state = 'published'
ORDER BY rule.position, rule.id, version.number
"""


def live_rules(*triggers: str) -> list[LiveRule]:
    """All published versions of the live rules of these triggers, whenever they are in force."""
    return _rules(fetch_prepared(_LIVE, [list(triggers)]))


def _rules(rows: Iterable[Sequence[Any]]) -> list[LiveRule]:
    chinese = (get_language() or "").startswith("zh")
    return [LiveRule(_rule(chinese, *row), left) for *row, left in rows]


# What is kept of a version is looked up by all that was read of it: whatever is edited is read anew.
@lru_cache(maxsize=4096)
def _rule(
    chinese: bool,
    rule_id: int,
    version_id: int,
    number: int,
    en: str | None,
    zh: str | None,
    definition: str,
    trigger: str,
    unit: str,
    since: datetime | None,
    until: datetime | None,
) -> Rule:
    return Rule(
        id=rule_id,
        version_id=version_id,
        number=number,
        name=(zh if chinese else en) or en or zh or "",
        definition=parse(json.loads(definition), trigger, unit),
        since=since,
        until=until,
    )


class Home(NamedTuple):
    """The programme's time zone and currency, and whether any benefit multiplies points."""

    zone: ZoneInfo
    currency: str
    multiplies: bool = False


_HOME = """
SELECT coalesce(programme.time_zone, 'UTC'), coalesce(programme.currency, 'EUR'), EXISTS (
    SELECT FROM rewards_benefit WHERE active AND kind IN ('multiplier', 'birthday') AND value > 1
){more} FROM (SELECT 1) AS one LEFT JOIN members_programme AS programme ON programme.id = 1
"""


def home() -> Home:
    """Where the programme is at home; one look-up by key."""
    zone, currency, multiplies = fetch_prepared(_HOME.format(more=""))[0]
    return Home(ZoneInfo(zone), currency, multiplies)


class Opened(NamedTuple):
    """What a checkout begins with: the rules, the programme, who the buyers are now (None for who is erased), their
    wallets by member and unit, which are locked, and ids drawn for as many purchases and lines. `known` is where they
    stand, where that was asked with it, see at_once.begin."""

    rules: list[LiveRule]
    home: Home
    people: dict[int, int | None]
    wallets: dict[tuple[int, str], int]
    purchase_ids: list[int]
    line_ids: list[int]
    known: dict[int, Standing] | None = None


_PEOPLE = f""", (
    SELECT array_agg(ARRAY[id, coalesce(merged_into_id, id), (erased_at IS NULL)::int])
    FROM members_member WHERE id = ANY(%(people)s)
), (SELECT array_agg(ARRAY[id, member_id, (unit = 'points')::int]) FROM locked WHERE kind = 'wallet'), {DRAWN}"""
# The first row has the programme, the people and their wallets, the others a rule each.
_OPENED = f"""
WITH live AS ({_LIVE.replace("%s", "%(triggers)s")}), locked AS MATERIALIZED ({LOCK.replace("members", "people")})
SELECT programme.*, NULL::bigint, NULL::bigint, NULL::int, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text,
       NULL::timestamptz, NULL::timestamptz, NULL::bigint FROM ({_HOME.format(more=_PEOPLE)}) AS programme
UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, live.* FROM live
"""


def opened(trigger: str, people: Collection[int], *, purchases: int = 0, lines: int = 0) -> Opened:
    """All of it in one statement, at the end of which the wallets that these people have are locked."""
    return read_opened(fetch_prepared(*opening(trigger, people, purchases=purchases, lines=lines)))


def opening(trigger: str, people: Collection[int], *, purchases: int, lines: int) -> tuple[str, dict[str, Any]]:
    """The statement that asks for it, for read_opened."""
    return _OPENED, {"triggers": [trigger], "people": list(people), "purchases": purchases, "lines": lines}


def read_opened(rows: list[tuple]) -> Opened:
    programme = next(row for row in rows if row[7] is None)
    zone, currency, multiplies, known, wallets, purchase_ids, line_ids = programme[:7]
    return Opened(
        _rules(row[7:] for row in rows if row[7] is not None),
        Home(ZoneInfo(zone), currency, multiplies),
        {id_: now if there else None for id_, now, there in known or ()},
        {(member_id, Unit.POINTS if points else Unit.CREDIT): id_ for id_, member_id, points in wallets or ()},
        purchase_ids,
        line_ids,
    )

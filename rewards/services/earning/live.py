"""The rules that count. What is published never changes, so that what was read of a version once can be kept; which
versions there are, and whether their rules are live, is asked each time."""

import json
import re
from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import get_language

from common.sql import Params, fetch_prepared
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


# One row: all that tells what they are, as JSON, and what is left of each one's budget.
_LIVE = f"""
SELECT json_agg(json_build_array(
           rule.id, version.id, version.number, rule.name_en, rule.name_zh_hans, version.definition, rule.trigger,
           rule.unit, version.valid_from, version.valid_until
       ) ORDER BY rule.position, rule.id, version.number)::text AS told,
       array_agg({LEFT} ORDER BY rule.position, rule.id, version.number) AS budgets
FROM rewards_earningrule AS rule JOIN rewards_ruleversion AS version ON version.rule_id = rule.id
WHERE rule.state = 'live' AND rule.trigger = ANY(%(triggers)s) AND version.state = 'published'
"""


def live_rules(*triggers: str) -> list[LiveRule]:
    """All published versions of the live rules of these triggers, whenever they are in force."""
    return _live(*fetch_prepared(_LIVE, {"triggers": list(triggers)})[0])


def _live(told: str | None, budgets: list[int | None] | None) -> list[LiveRule]:
    chinese = (get_language() or "").startswith("zh")
    return list(map(LiveRule, _rules(chinese, told or "[]"), budgets or ()))


# What was read is kept by all that was told of it: whatever is edited is read anew.
@lru_cache(maxsize=64)
def _rules(chinese: bool, told: str) -> list[Rule]:
    return [_rule(chinese, *row[:5], json.dumps(row[5]), *row[6:]) for row in json.loads(told)]


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
    since: str | None,
    until: str | None,
) -> Rule:
    return Rule(
        id=rule_id,
        version_id=version_id,
        number=number,
        name=(zh if chinese else en) or en or zh or "",
        definition=parse(json.loads(definition), trigger, unit),
        since=datetime.fromisoformat(since) if since else None,
        until=datetime.fromisoformat(until) if until else None,
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
), (SELECT array_agg(ARRAY[id, member_id, (unit = 'points')::int]) FROM locked WHERE kind = 'wallet'), {DRAWN},
live.told, live.budgets"""
_OPENED = f"""
WITH locked AS MATERIALIZED ({LOCK.replace("members", "people")})
{_HOME.format(more=_PEOPLE)} CROSS JOIN ({_LIVE}) AS live
"""


# A statement for the id of a member, NULL for nobody.
Find = tuple[str, Params]
_BUYER = "SELECT set_config('crm.buyer', coalesce(({}), 0)::text, true)::bigint"


@lru_cache(maxsize=64)
def buyer(find: str) -> str:
    """Finds who buys, and says it to the statements after it, until the transaction ends. It answers 0 for nobody."""
    return _BUYER.format(find)


@lru_cache(maxsize=64)
def of_buyer(statement: str) -> str:
    """A statement about `people`, or `members`, as one about the buyer whom a statement before it has found."""
    return re.sub(r"%\((people|members)\)s", "ARRAY[current_setting('crm.buyer')::bigint]", statement)


def opened(trigger: str, people: Collection[int], *, purchases: int = 0, lines: int = 0) -> Opened:
    """All of it in one statement, at the end of which the wallets that these people have are locked."""
    return read_opened(fetch_prepared(*opening(trigger, people, purchases=purchases, lines=lines)))


def opening(trigger: str, people: Collection[int], *, purchases: int, lines: int) -> tuple[str, dict[str, Any]]:
    """The statement that asks for it, for read_opened."""
    return _OPENED, {"triggers": [trigger], "people": list(people), "purchases": purchases, "lines": lines}


def read_opened(rows: list[tuple]) -> Opened:
    zone, currency, multiplies, known, wallets, purchase_ids, line_ids, told, budgets = rows[0]
    return Opened(
        _live(told, budgets),
        Home(ZoneInfo(zone), currency, multiplies),
        {id_: now if there else None for id_, now, there in known or ()},
        {(member_id, Unit.POINTS if points else Unit.CREDIT): id_ for id_, member_id, points in wallets or ()},
        purchase_ids,
        line_ids,
    )

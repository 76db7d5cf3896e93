"""The rules that count. What is published never changes, so that what was read of a version once can be kept; which
versions there are, and whether their rules are live, is asked each time."""

import json
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import get_language

from common.sql import fetch_all, fetch_prepared
from members.enums import Language
from rewards.earning.definition import Definition, parse
from rewards.earning.facts import Rule


class LiveRule(NamedTuple):
    """A rule as the engine takes it, and what is left of its budget, as it was just now; None where it has none."""

    rule: Rule
    budget_left: int | None


_LIVE = """
SELECT rule.id, version.id, version.number, rule.name_en, rule.name_zh_hans, version.definition::text, rule.trigger,
       rule.unit, version.valid_from, version.valid_until, rule.budget - rule.budget_spent
FROM rewards_earningrule AS rule JOIN rewards_ruleversion AS version ON version.rule_id = rule.id
WHERE rule.state = 'live' AND rule.trigger = ANY(%s) AND version.state = 'published'
ORDER BY rule.position, rule.id, version.number
"""


def live_rules(*triggers: str) -> list[LiveRule]:
    """All published versions of the live rules of these triggers, whenever they are in force."""
    chinese = (get_language() or "").startswith("zh")
    return [
        LiveRule(
            Rule(
                id=rule_id,
                version_id=version_id,
                number=number,
                name=(zh if chinese else en) or en or zh or "",
                definition=_parsed(version_id, definition, trigger, unit),
                since=since,
                until=until,
            ),
            left,
        )
        for rule_id, version_id, number, en, zh, definition, trigger, unit, since, until, left in fetch_prepared(
            _LIVE, [list(triggers)]
        )
    ]


@lru_cache(maxsize=4096)
def _parsed(version_id: int, definition: str, trigger: str, unit: str) -> Definition:
    return parse(json.loads(definition), trigger, unit)


class Home(NamedTuple):
    """The programme's time zone and currency."""

    zone: ZoneInfo
    currency: str


def home() -> Home:
    """Where the programme is at home; one look-up by key."""
    rows = fetch_prepared("SELECT time_zone, currency FROM members_programme WHERE id = 1")
    zone, currency = rows[0] if rows else ("UTC", "EUR")
    return Home(ZoneInfo(zone), currency)


_NAMES = """
SELECT 'tier', id, {name} FROM rewards_tier WHERE id = ANY(%(tiers)s)
UNION ALL SELECT 'segment', id, {name} FROM members_segment WHERE id = ANY(%(segments)s)
UNION ALL SELECT 'offer', id, {name} FROM rewards_offer WHERE id = ANY(%(offers)s)
"""


def names_in(definitions: list[Definition]) -> dict[tuple[str, int], str]:
    """What the tiers, segments and offers of rules are called in the active language, for rewards.earning.words."""
    asked = {
        "tiers": {id_ for one in definitions for id_ in one.conditions.tiers},
        "segments": {id_ for one in definitions for id_ in one.conditions.segments | one.conditions.not_segments},
        "offers": {one.effect.offer for one in definitions if one.effect.offer},
    }
    if not any(asked.values()):
        return {}
    other = "name_zh_hans" if get_language() == Language.CHINESE else "name_en"
    statement = _NAMES.format(name=f"coalesce(nullif({other}, ''), name_en, '')")
    rows = fetch_all(statement, {name: sorted(ids) for name, ids in asked.items()})
    return {(kind, id_): name for kind, id_, name in rows}

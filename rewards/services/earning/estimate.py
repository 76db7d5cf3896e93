"""About how much a rule will give: what it would have given for what was bought lately. docs/rules.md."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from common.money import minor_digits
from common.sql import fetch_all
from members.queries import get_programme
from rewards.earning.definition import parse
from rewards.earning.evaluate import evaluate, note
from rewards.earning.facts import Rule
from rewards.earning.triggers import PURCHASE
from rewards.enums import RuleState, Unit
from rewards.models import RewardSettings
from rewards.queries import reward_settings
from rewards.services.earning.history import purchases
from rewards.services.earning.programme import in_use, tried_rule
from rewards.services.earning.publishing import version_at

ESTIMATE_WEEKS = 4
MOST = 3_000  # purchases looked at; of more, those of every n-th member
_OWN = 0  # the id of the rule being estimated: no rule has it


@dataclass(frozen=True, slots=True)
class Estimate:
    """Units a week, and what they cost in minor units (None for what is money already); `fired` of `purchases` looked
    at got something."""

    amount: int
    cost_minor: int | None
    purchases: int
    fired: int
    sampled: bool


_COUNT = "SELECT count(*) FROM members_purchase WHERE purchased_at >= %(since)s AND purchased_at < %(until)s"
_BUYERS = """
SELECT DISTINCT member_id FROM members_purchase
WHERE purchased_at >= %(since)s AND purchased_at < %(until)s AND member_id %% %(step)s = 0
"""


def estimate_week(
    *, definition: dict[str, Any], trigger: str, unit: str, at: datetime, rule_id: int | None = None
) -> Estimate:
    """What a definition would have given a week, over the last ESTIMATE_WEEKS weeks. A multiplier multiplies what the
    live rules give. Budgets are left aside. BadRule."""
    own = Rule(_OWN, _OWN, 0, "", parse(definition, trigger, unit))
    rules = [own, *(_live(at, rule_id) if own.definition.effect.kind == "multiplier" else [])]
    period = {"since": at - timedelta(weeks=ESTIMATE_WEEKS), "until": at}
    known = fetch_all(_COUNT, period)[0][0]
    step = -(-known // MOST) or 1
    buyers = [row[0] for row in fetch_all(_BUYERS, {**period, "step": step})]
    programme = get_programme()
    zone, amount, seen, fired = ZoneInfo(programme.time_zone), 0, 0, 0
    for past in purchases(buyers, rules, **period):
        outcome = evaluate(rules, past.happening, past.standing, zone=zone, home=programme.currency)
        note(outcome, past.happening, past.standing, {})
        given = [award for award in outcome.awards if award.rule.id == _OWN]
        amount += sum(award.points for award in given)
        fired += bool(given)
        seen += 1
    # What the sample has more or less of than its share of all purchases is made up for.
    weekly = round(Decimal(amount) * known / max(seen, 1) / ESTIMATE_WEEKS)
    cost = cost_minor(weekly, reward_settings(), programme.currency) if unit == Unit.POINTS else None
    return Estimate(weekly, cost, seen, fired, step > 1)


def cost_minor(points: int, settings: RewardSettings, currency: str) -> int:
    """What points cost the shop, in minor units of the programme's currency."""
    return round(points * settings.point_cost * 10 ** minor_digits(currency))


def _live(at: datetime, but: int | None) -> list[Rule]:
    found = []
    for rule in in_use(PURCHASE):
        version = version_at(rule.published, at) if rule.state == RuleState.LIVE and rule.pk != but else None
        if version is not None and version.definition.get("effect", {}).get("kind") != "multiplier":
            found.append(tried_rule(rule, version))
    return found

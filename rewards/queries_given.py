"""What rules gave, for the pages about them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from common.sql import fetch_all


@dataclass(frozen=True, slots=True)
class Given:
    """So many units of the rule's, so often, to so many members."""

    amount: int = 0
    times: int = 0
    members: int = 0


_GIVEN = """
SELECT version.rule_id, sum(transfer.amount)::bigint, count(*), count(DISTINCT wallet.member_id)
FROM rewards_ruleversion AS version
JOIN rewards_transfer AS transfer ON transfer.rule_id = version.id
JOIN rewards_account AS wallet ON wallet.id = transfer.credit_id
WHERE version.rule_id = ANY(%(rules)s) AND transfer.kind = 'earn'
  AND transfer.at >= %(since)s AND transfer.at < %(until)s
GROUP BY version.rule_id
"""


def given_by(rule_ids: Iterable[int], *, since: datetime, until: datetime) -> dict[int, Given]:
    """What each rule gave in a period, before anything was taken back; rules that gave nothing are left out."""
    rows = fetch_all(_GIVEN, {"rules": list(rule_ids), "since": since, "until": until})
    return {rule_id: Given(*rest) for rule_id, *rest in rows}

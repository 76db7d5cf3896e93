"""Changing the steps of the tiers, and who that would move."""

from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.doorbell import ring
from common.sql import fetch_all
from rewards.models import Tier

_MOVES = """
WITH stood AS (
    SELECT wallet.member_id, coalesce(status.qualifying_points, 0) AS points, coalesce(old.threshold, 0) AS old
    FROM rewards_account AS wallet
    LEFT JOIN rewards_membertier AS status ON status.member_id = wallet.member_id
    LEFT JOIN rewards_tier AS old ON old.id = status.tier_id
    WHERE wallet.kind = 'wallet' AND wallet.unit = 'points'
)
SELECT width_bucket(old, %(before)s::bigint[]), width_bucket(points, %(after)s::bigint[]), count(*)
FROM stood GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Moves:
    """How many members a change would put on another tier, by their points as last assessed; `on` counts who would
    stand on the changed tier, `on_before` who stands there now."""

    up: int
    down: int
    on: int
    on_before: int


@transaction.atomic
def save_tier(*, tier_id: int | None, name_en: str, name_zh_hans: str, threshold: int, multiplier: Decimal) -> Tier:
    """Adds a tier or changes one; a change of its step has all members assessed anew, in the background.

    ValidationError, by field: the steps must stay in their order, and the lowest must be everyone's.
    """
    tiers = list(Tier.objects.select_for_update().order_by("threshold"))
    tier = next((tier for tier in tiers if tier.pk == tier_id), None)
    if tier_id is not None and tier is None:
        raise Tier.DoesNotExist
    _check_order(tier, [other for other in tiers if other != tier], threshold)
    moved = tier is None or tier.threshold != threshold
    tier = tier or Tier()
    tier.name_en, tier.name_zh_hans = name_en, name_zh_hans  # type: ignore[attr-defined]
    tier.threshold, tier.multiplier = threshold, multiplier
    tier.full_clean(validate_unique=False, validate_constraints=False)
    tier.save()
    if moved:
        ring("rewards.tasks.reassess_tiers")
    return tier


def _check_order(tier: Tier | None, others: list[Tier], threshold: int) -> None:
    if not any(other.threshold == 0 for other in others) and threshold != 0:
        raise ValidationError({"threshold": _("The lowest tier begins at 0 points, so that everybody stands on one.")})
    for other in others:
        if other.threshold == threshold:
            words = {"tier": other, "points": threshold}
            raise ValidationError({"threshold": _("%(tier)s begins at %(points)s points already.") % words})
        if tier is not None and (other.threshold > tier.threshold) != (other.threshold > threshold):
            sentence = (
                _("That would put %(tier)s above %(other)s, which begins at %(points)s points.")
                if threshold > other.threshold
                else _("That would put %(tier)s below %(other)s, which begins at %(points)s points.")
            )
            raise ValidationError({"threshold": sentence % {"tier": tier, "other": other, "points": other.threshold}})


def moves(*, tier_id: int | None, threshold: int) -> Moves:
    """Who a step at `threshold` would move, were it saved: of the tier `tier_id`, or of a new one."""
    steps = dict(Tier.objects.values_list("pk", "threshold"))
    after = sorted([*(step for pk, step in steps.items() if pk != tier_id), threshold])
    # The order stays, so a step keeps its number; where one is added, the old ones are found among the new.
    before = sorted(steps.values()) if tier_id else after
    rows = fetch_all(_MOVES, {"before": before, "after": after})
    changed = after.index(threshold) + 1
    return Moves(
        up=sum(n for old, new, n in rows if new > old),
        down=sum(n for old, new, n in rows if new < old),
        on=sum(n for _old, new, n in rows if new == changed),
        on_before=sum(n for old, _new, n in rows if old == changed),
    )

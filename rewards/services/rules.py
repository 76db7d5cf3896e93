"""Publishing what purchases earn."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from rewards.models import EarningRule


@transaction.atomic
def publish_rule(
    *, currency: str, points_per_unit: Decimal, valid_months: int, at: datetime, actor_id: int | None = None
) -> EarningRule:
    """A new version of what purchases in a currency earn, from now on; the present one where nothing changes.

    ValidationError by field. What was earned stays as it is, and keeps the version that gave it.
    """
    versions = EarningRule.objects.filter(currency=currency)
    present = versions.select_for_update().filter(active=True).first()
    if present and (present.points_per_unit, present.valid_months) == (points_per_unit, valid_months):
        return present
    last = versions.aggregate(last=Max("version"))["last"] or 0
    rule = EarningRule(
        currency=currency,
        version=last + 1,
        points_per_unit=points_per_unit,
        valid_months=valid_months,
        created_at=at,
        created_by_id=actor_id,
    )
    rule.full_clean(validate_constraints=False)  # the rule that is still active would stand against it
    versions.filter(active=True).update(active=False)
    rule.save()
    return rule

"""Publishing rules. A version that is published stays as it is; a change is the next one."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import transaction
from django.db.models import F, Max, Q
from django.utils.translation import gettext_lazy as _

from members.validators import validate_currency
from rewards.enums import RuleState, Unit, VersionState
from rewards.models import EarningRule, RuleVersion
from rewards.queries import plain_rules


@transaction.atomic
def publish_definition(
    *, rule_id: int, definition: dict[str, Any], valid_from: datetime | None, at: datetime, actor_id: int | None = None
) -> RuleVersion:
    """The rule's next version, from `valid_from` on (None: the first one, from ever); the rule is live with it. What
    was to hold from then on or later gives way; what was earned keeps the version that gave it."""
    rule = EarningRule.objects.select_for_update().get(pk=rule_id)
    versions = rule.versions.filter(state=VersionState.PUBLISHED)
    if valid_from is not None:
        # Of those that have not begun by then, an empty period remains: they stay as what once was meant.
        versions.filter(valid_from__gte=valid_from).exclude(valid_until__lte=valid_from).update(
            valid_until=F("valid_from")
        )
        open_until = Q(valid_until=None) | Q(valid_until__gt=valid_from)
        versions.filter(Q(valid_from=None) | Q(valid_from__lt=valid_from)).filter(open_until).update(
            valid_until=valid_from
        )
    last = rule.versions.aggregate(last=Max("number"))["last"] or 0
    version = RuleVersion.objects.create(
        rule=rule,
        number=last + 1,
        state=VersionState.PUBLISHED,
        definition=definition,
        valid_from=valid_from,
        created_at=at,
        created_by_id=actor_id,
        published_at=at,
        published_by_id=actor_id,
    )
    if rule.state != RuleState.LIVE:
        rule.state = RuleState.LIVE
        rule.save(update_fields=["state"])
    return version


@transaction.atomic
def publish_rule(
    *, currency: str, points_per_unit: Decimal, valid_months: int, at: datetime, actor_id: int | None = None
) -> EarningRule:
    """The plain rule of a currency: so many points for each 1.00, good for so many months. Its next version, from `at`
    on; the present one where nothing changes. ValidationError by field."""
    _check_plain(currency, points_per_unit, valid_months)
    definition = {
        "effect": {"kind": "per_amount", "points": f"{Decimal(points_per_unit).normalize():f}", "per": "1"},
        "conditions": {"currency": currency},
        "expiry": {"kind": "rolling", "months": valid_months},
    }
    present = plain_rules(currency).order_by("rule_id", "-number").first()
    if present is None:
        name = {"name_en": f"Purchases in {currency}", "name_zh_hans": f"{currency} 消费"}
        rule = EarningRule.objects.create(
            trigger="purchase", unit=Unit.POINTS, state=RuleState.LIVE, created_at=at, created_by_id=actor_id, **name
        )
        publish_definition(rule_id=rule.pk, definition=definition, valid_from=None, at=at, actor_id=actor_id)
    elif present.definition != definition:
        start = max(at, present.valid_from or at)
        publish_definition(rule_id=present.rule_id, definition=definition, valid_from=start, at=at, actor_id=actor_id)
    else:
        return present.rule
    return EarningRule.objects.get(pk=present.rule_id if present else rule.pk)


def _check_plain(currency: str, points_per_unit: Decimal, valid_months: int) -> None:
    problems: dict[str, Any] = {}
    try:
        validate_currency(currency)
    except ValidationError as problem:
        problems["currency"] = problem
    if points_per_unit <= 0:
        problems["points_per_unit"] = _("More than 0.")
    for check in (MinValueValidator(1), MaxValueValidator(120)):
        try:
            check(valid_months)
        except ValidationError as problem:
            problems["valid_months"] = problem
    if problems:
        raise ValidationError(problems)

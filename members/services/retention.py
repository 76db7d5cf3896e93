"""Letting go of what has been kept long enough, by the rules that a manager has switched on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members.models import RetentionRule
from members.privacy import Retention, retentions

log = structlog.get_logger(__name__)
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would let go of now: how many, and a few of them in words."""

    count: int
    sample: list[str]


def make_rules() -> None:
    """A rule for everything that can be given a time, switched off, where there is none yet."""
    known = set(RetentionRule.objects.values_list("subject", flat=True))
    RetentionRule.objects.bulk_create(
        [
            RetentionRule(subject=retention.subject, days=retention.default_days)
            for retention in retentions().values()
            if retention.subject not in known
        ],
        ignore_conflicts=True,
    )


def preview(*, subject: str, days: int, at: datetime) -> Preview:
    """What `days` for this subject would mean today. Nothing is changed."""
    retention, before = retentions()[subject], at - timedelta(days=days)
    return Preview(retention.due(before), retention.sample(before))


def check_days(*, subject: str, days: int) -> None:
    """ValidationError for a time that is shorter than what the subject may be given."""
    least = retentions()[subject].least_days
    if days < least:
        raise ValidationError({"days": _("At least %(days)d days, please.") % {"days": least}})


@transaction.atomic
def set_rule(*, subject: str, days: int, active: bool, at: datetime, actor_id: int | None) -> RetentionRule:
    """Sets the time of a subject and switches it on or off. ValidationError for too short a time."""
    check_days(subject=subject, days=days)
    rule = RetentionRule.objects.select_for_update().get(subject=subject)
    rule.days, rule.active = days, active
    rule.save(update_fields=["days", "active"])
    log.info("retention rule set", subject=subject, days=days, active=active, by=actor_id)
    return rule


def run_rules(*, at: datetime, going_on: Callable[[], bool] = lambda: True) -> dict[str, int]:
    """Applies every rule that is on, chunk by chunk; how many rows by subject. Safe to kill and to repeat.

    What one rule fails at does not stop the others. Stops between two chunks once `going_on` says no.
    """
    done = {}
    for rule in RetentionRule.objects.filter(active=True, subject__in=retentions()).order_by("subject"):
        try:
            done[rule.subject] = _run(rule, retentions()[rule.subject], at, going_on)
        except Exception:
            log.exception("retention rule failed", subject=rule.subject)
    return done


def _run(rule: RetentionRule, retention: Retention, at: datetime, going_on: Callable[[], bool]) -> int:
    affected = 0
    while going_on():
        with transaction.atomic():
            chunk = retention.apply(at - timedelta(days=rule.days), CHUNK)
        affected += chunk
        if chunk < CHUNK:
            break
    RetentionRule.objects.filter(pk=rule.pk).update(last_run_at=at, last_affected=affected)
    if affected:
        log.info("retention rule applied", subject=rule.subject, rows=affected)
    return affected

"""Changing how points behave. Who changed what is kept for ever."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from rewards.models import RewardSettings, RewardSettingsChange


@transaction.atomic
def save_reward_settings(*, values: dict[str, Any], at: datetime, actor_id: int | None = None) -> RewardSettings:
    """Sets the fields named in `values`; the others stay. ValidationError by field. Nothing is written where nothing
    changes."""
    RewardSettings.objects.bulk_create([RewardSettings()], ignore_conflicts=True)
    kept = RewardSettings.objects.select_for_update(no_key=True).get(pk=1)
    before = {name: getattr(kept, name) for name in values}
    for name, value in values.items():
        setattr(kept, name, value)
    kept.full_clean(validate_unique=False)
    if kept.grant_limit_day is not None and kept.grant_limit is not None and kept.grant_limit_day < kept.grant_limit:
        raise ValidationError({"grant_limit_day": _("A day allows at least as much as one gift.")})
    changes = {name: [_text(was), _text(values[name])] for name, was in before.items() if was != values[name]}
    if changes:
        kept.save(update_fields=sorted(changes))
        RewardSettingsChange.objects.create(at=at, actor_id=actor_id, changes=changes)
    return kept


def _text(value: Any) -> str | None:
    return None if value is None else str(value)

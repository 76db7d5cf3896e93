"""The columns that points and tiers bring to an export of members."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from members.exporting import register_columns
from rewards.models import MemberTier
from rewards.queries import balances


def _columns() -> dict[str, str]:
    return {"tier": str(_("Tier")), "points": str(_("Points"))}


def _rows(member_ids: Sequence[int], keys: Sequence[str]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {pk: {} for pk in member_ids}
    if "points" in keys:
        for pk, points in balances(member_ids).items():
            found[pk]["points"] = points
    if "tier" in keys:
        for status in MemberTier.objects.filter(member__in=member_ids).select_related("tier"):
            found[status.member_id]["tier"] = status.tier.name
    return found


def register_all() -> None:
    register_columns("rewards", _("Reward"), _columns, _rows, order=60, chosen=True)

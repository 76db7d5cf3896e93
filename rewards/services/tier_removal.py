"""Deleting a tier that nothing and nobody knows of. docs/tiers.md."""

from dataclasses import dataclass, fields
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from members.models import Segment
from rewards.models import Benefit, EarningRule, MemberTier, Reward, RewardPrice, Tier, TierChange, TierLift


@dataclass(frozen=True)
class TierUse:
    """What a tier is used by: how many members stand on it or stood there once, and names. `is_base`: it is
    everybody's, and others stand above it."""

    is_base: bool = False
    members: int = 0
    past: int = 0
    benefits: tuple[str, ...] = ()
    rewards: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))


class TierInUse(Exception):
    """The tier cannot go; `use` says by what it is used."""

    def __init__(self, use: TierUse) -> None:
        super().__init__(use)
        self.use = use


def tier_use(tier: Tier) -> TierUse:
    """By what a tier is used. A rule counts with all its versions: what they gave is explained by them for ever."""
    changes = TierChange.objects.filter(Q(from_tier=tier) | Q(to_tier=tier))
    lifts = TierLift.objects.filter(tier=tier)
    past = {*changes.values_list("member", flat=True)} | {*lifts.values_list("member", flat=True)}
    named = {"definition__conditions__tiers__contains": [tier.pk]}
    priced = RewardPrice.objects.filter(tier=tier).values("reward")
    return TierUse(
        is_base=tier.rank == 0 and Tier.objects.exclude(pk=tier.pk).exists(),
        members=MemberTier.objects.filter(tier=tier).count(),
        past=len(past),
        benefits=_names(Benefit.objects.filter(tiers=tier)),
        rewards=_names(Reward.objects.filter(Q(tiers=tier) | Q(pk__in=priced)).distinct()),
        rules=_names(
            EarningRule.objects.filter(**{f"versions__{path}": ids for path, ids in named.items()}).distinct()
        ),
        segments=tuple(str(one) for one in Segment.objects.order_by("pk") if _asks(one.definition, tier.pk)),
    )


def _names(found: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in found)


def _asks(node: Any, tier_id: int) -> bool:
    """Whether a part of a segment's definition asks for the tier."""
    if isinstance(node, list):
        return any(_asks(one, tier_id) for one in node)
    if not isinstance(node, dict):
        return False
    if "trait" not in node:
        return any(_asks(one, tier_id) for one in node.values())
    value = node.get("value")
    values = value if isinstance(value, list) else [value]
    return str(node["trait"]).startswith("tier") and str(tier_id) in map(str, values)


@transaction.atomic
def delete_tier(*, tier_id: int) -> None:
    """Deletes a tier; those above it move down by a rank. TierInUse; Tier.DoesNotExist."""
    tiers = {tier.pk: tier for tier in Tier.objects.select_for_update().order_by("pk")}  # nobody comes to it meanwhile
    if tier_id not in tiers:
        raise Tier.DoesNotExist
    tier = tiers[tier_id]
    if use := tier_use(tier):
        raise TierInUse(use)
    rank = tier.rank
    tier.delete()
    for above in Tier.objects.filter(rank__gt=rank).order_by("rank").values_list("pk", flat=True):
        Tier.objects.filter(pk=above).update(rank=F("rank") - 1)

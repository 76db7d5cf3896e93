"""A programme for tests, made by the services."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from members.models import Member, Purchase, TimelineEvent
from members.tests.factories import new_purchase
from rewards.enums import AccountKind, TransferKind, Unit
from rewards.models import EarningRule, Reward, RuleVersion, Tier, Transfer
from rewards.services.adjustments import adjust_points
from rewards.services.ledger import credit, lock_wallets
from rewards.services.purchases import PostedPurchase, post_purchases
from rewards.services.rules import publish_definition, publish_rule
from rewards.services.tiers import assess

FOUNDED = datetime(2024, 1, 1, tzinfo=UTC)


def make_rule(currency: str = "EUR", points_per_unit: str = "1", valid_months: int = 12) -> EarningRule:
    """What purchases in a currency earn; 1 point per 1.00 for 12 months unless told otherwise."""
    return publish_rule(
        currency=currency, points_per_unit=Decimal(points_per_unit), valid_months=valid_months, at=FOUNDED
    )


def make_rule_of(name: str, definition: dict[str, Any], **values) -> EarningRule:
    """A live rule with one version, from ever; for purchases in EUR and points unless told otherwise."""
    if values.get("trigger", "purchase") == "purchase":
        definition = {**definition, "conditions": {"currency": "EUR", **definition.get("conditions", {})}}
    rule = EarningRule.objects.create(name_en=name, created_at=FOUNDED, **values)
    publish_definition(rule_id=rule.pk, definition=definition, valid_from=None, at=FOUNDED)
    return rule


def make_tiers(**multipliers: str) -> dict[str, Tier]:
    """Bronze from 0, Silver from 500, Gold from 1,000; `multipliers` by name in lower case."""
    steps = [("bronze", "Bronze", "铜卡", None), ("silver", "Silver", "银卡", 500), ("gold", "Gold", "金卡", 1000)]
    return {
        key: Tier.objects.create(
            name_en=en,
            name_zh_hans=zh,
            rank=rank,
            threshold=threshold,
            multiplier=Decimal(multipliers.get(key, "1")),
        )
        for rank, (key, en, zh, threshold) in enumerate(steps)
    }


def post(member: Member, at: datetime, **values) -> PostedPurchase:
    """Posts a purchase of 10.00 EUR of two hours before `at`, unless told otherwise."""
    values = {"purchased_at": at - timedelta(hours=2), **values}
    return post_purchases(purchases=[new_purchase(member, **values)], at=at)[0]


def adjust(member: Member, amount: int, at: datetime, key: str = "a1", **values) -> Transfer:
    """Gives or takes points by hand."""
    return adjust_points(member_id=member.pk, amount=amount, reason="Goodwill", key=key, at=at, **values)


def event_data(member: Member, kind: str) -> list[dict[str, Any]]:
    """What the member's timeline holds of one kind, oldest first."""
    return [event.data for event in TimelineEvent.objects.filter(member=member, kind=kind).order_by("id")]


def make_reward(**values) -> Reward:
    """Free coffee for 100 points, live and endless, to be collected, unless told otherwise."""
    names = {"name_en": values.pop("name", "Free coffee"), "name_zh_hans": "免费咖啡"}
    return Reward.objects.create(**{"kind": "goods", "points": 100, "state": "live", **names, **values})


def _any_rule(unit: Unit) -> RuleVersion:
    known = RuleVersion.objects.filter(rule__unit=unit).first()
    if known:
        return known
    rule = EarningRule.objects.create(name="Any", unit=unit, state="ended", created_at=FOUNDED)
    return RuleVersion.objects.create(rule=rule, number=1, created_at=FOUNDED)


def award(purchase_id: int, amount: int, at: datetime, *, lines=(), unit: Unit = Unit.POINTS, **columns) -> Transfer:
    """An award for a purchase as the ledger gets it, of `lines` (id, what it earned exactly); `columns`: pending_until,
    expires_at, rule (a RuleVersion), inactivity_months, name (tells several apart)."""
    purchase = Purchase.objects.get(pk=purchase_id)
    version = columns.get("rule") or _any_rule(unit)
    parts = [[id_, 0, str(exact)] for id_, exact in lines] or [[None, purchase.amount_minor, str(amount)]]
    exact = sum(Fraction(part[2]) for part in parts)
    why = {"rule": version.rule_id, "version": version.number, "currency": purchase.currency, "lines": parts}
    why |= {"exact": str(exact), "asked": int(exact), "granted": amount}
    lock_wallets([purchase.member_id], units=[unit])
    key = f"earn:purchase:{purchase_id}:{columns.get('name', 'x')}"
    credit(
        kind=TransferKind.EARN,
        source=AccountKind.ISSUED,
        select="SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(from)s::timestamptz,"
        " %(until)s::timestamptz, '', %(why)s::jsonb, NULL::bigint, %(purchase)s::bigint, %(rule)s::bigint,"
        " %(months)s::smallint",
        also=["rule_id", "inactivity_months"],
        params={
            "key": key,
            "member": purchase.member_id,
            "amount": amount,
            "at": at,
            "from": columns.get("pending_until", at),
            "until": columns.get("expires_at"),
            "why": json.dumps(why),
            "purchase": purchase_id,
            "rule": version.pk,
            "months": columns.get("inactivity_months"),
        },
        unit=unit,
    )
    assess(lock_wallets([purchase.member_id]), at)
    return Transfer.objects.get(key=key)


def old_award(purchase_id: int, at: datetime) -> Transfer:
    """An award of the kind there was before rules had versions of their own: one point for each 1.00."""
    purchase = Purchase.objects.get(pk=purchase_id)
    lock_wallets([purchase.member_id])
    key = f"earn:purchase:{purchase_id}"
    why = {"rule": 1, "version": 1, "points_per_unit": 1, "multiplier": 1, "currency": purchase.currency}
    credit(
        kind=TransferKind.EARN,
        source=AccountKind.ISSUED,
        select="SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(at)s::timestamptz,"
        " NULL::timestamptz, '', %(why)s::jsonb, NULL::bigint, %(purchase)s::bigint",
        params={
            "key": key,
            "member": purchase.member_id,
            "amount": purchase.amount_minor // 100,
            "at": at,
            "why": json.dumps(why | {"amount_minor": purchase.amount_minor}),
            "purchase": purchase_id,
        },
    )
    assess(lock_wallets([purchase.member_id]), at)
    return Transfer.objects.get(key=key)

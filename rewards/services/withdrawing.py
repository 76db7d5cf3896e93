"""Coupons that rules gave for a purchase, withdrawn once it no longer stands for them. docs/refunds.md."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_noop

from members.models import Purchase, PurchaseLine
from members.queries import get_programme
from rewards.earning.definition import parse
from rewards.earning.evaluate import stands_for
from rewards.earning.facts import Happening, Item
from rewards.earning.triggers import PURCHASE
from rewards.enums import CouponState
from rewards.models import Coupon, RuleVersion
from rewards.queries_coupons import rule_coupon_keys
from rewards.services.coupons.issuing import void_coupons
from rewards.services.refund_lines import bought_lines, in_money, is_whole

REFUNDED = gettext_noop("The purchase was refunded")


def withdraw_coupons(*, purchase: Purchase, at: datetime, actor_id: int | None = None) -> int:
    """Withdraws the coupons that rules gave for a purchase and that nobody has used: all where all of it was given
    back, else those of rules that asked for more of the basket than is left of it. How many."""
    versions = RuleVersion.objects.filter(definition__effect__kind="coupon", published_at__isnull=False)
    keys = rule_coupon_keys(f"purchase:{purchase.pk}")
    given = Coupon.objects.filter(issue_key__in=list(keys), state=CouponState.ISSUED)
    coupons = {coupon_id: keys[str(key)] for coupon_id, key in given.values_list("pk", "issue_key")}
    if coupons and not is_whole(purchase):
        fallen = _fallen(purchase, list(versions.filter(rule__in=coupons.values()).select_related("rule")))
        coupons = {coupon_id: rule_id for coupon_id, rule_id in coupons.items() if rule_id in fallen}
    return void_coupons(coupon_ids=list(coupons), reason=REFUNDED, at=at, actor_id=actor_id) if coupons else 0


def _fallen(purchase: Purchase, versions: list[RuleVersion]) -> set[int]:
    """Rules that what was bought stood for, under the version of its moment, and what is left does not."""
    programme = get_programme()
    zone, home = ZoneInfo(programme.time_zone), programme.currency
    before, after = _bought(purchase, left=False), _bought(purchase, left=True)
    fallen = set()
    for version in versions:
        since, until, moment = version.valid_from, version.valid_until, purchase.purchased_at
        if (since is None or since <= moment) and (until is None or moment < until):
            definition = parse(version.definition, version.rule.trigger, version.rule.unit)
            if stands_for(definition, before, zone=zone, home=home) and not stands_for(
                definition, after, zone=zone, home=home
            ):
                fallen.add(version.rule_id)
    return fallen


def _bought(purchase: Purchase, *, left: bool) -> Happening:
    """The purchase as it was, or what refunds left of it."""
    back = bought_lines(purchase.pk)
    items = []
    for line in PurchaseLine.objects.filter(purchase=purchase).order_by("pk"):
        was = back[line.pk]
        quantity, amount = (was.left_quantity, was.left_minor) if left else (was.quantity, was.amount_minor)
        if quantity > 0 and (amount > 0 or not left):
            items.append(Item(line.pk, amount, quantity, line.sku, line.category, line.brand))
    refunded = purchase.refunded_minor if left else 0
    money = in_money(purchase, purchase.amount_minor, purchase.amount_minor)[0]
    if refunded:
        money -= in_money(purchase, refunded, refunded)[0]
    return Happening(
        PURCHASE,
        purchase.purchased_at,
        purchase.currency,
        purchase.amount_minor - refunded,
        items=tuple(items),
        money_minor=money,
    )

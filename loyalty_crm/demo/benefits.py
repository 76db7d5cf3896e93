"""What the tiers of the demo café bring besides points, and a membership that some guests have bought."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from loyalty_crm.demo.people import Guest
from members.models import User
from rewards.models import Benefit, MembershipPlan, MemberTier, RewardSettings, Tier
from rewards.queries_benefits import entitlements
from rewards.services.benefits import use_benefit
from rewards.services.ledger import InsufficientPoints
from rewards.services.plans import buy_plan
from rewards.services.tier_steps import run_reassessment, save_qualifying

# name, in Chinese, kind, value, uses, period, ranks of the tiers, comes with the membership
BENEFITS = (
    ("Free delivery", "免费配送", "shipping", None, None, "year", (2,), True),
    ("Birthday week, double points", "生日周双倍积分", "birthday", "2", None, "year", (1, 2), True),
    ("Tasting of new beans", "新豆品鉴会", "visits", None, 2, "year", (2,), False),
    ("A cake to share", "分享蛋糕", "other", None, 1, "month", (1, 2), False),
    ("New blends two days early", "新品提前两天尝", "early", "48", None, "year", (2,), True),
)
PLAN = ("Coffee Plus", "咖啡尊享会员", 3900, 390)
DESCRIBED = (
    ("Everybody begins here.", "人人从这里开始。"),
    ("For guests who come often.", "献给常来的客人。"),
    ("For those who feel at home.", "献给把这里当家的客人。"),
)


def open_benefits() -> None:
    """Benefits, the membership, and a notice before anybody loses a tier."""
    plan, _made = MembershipPlan.objects.update_or_create(
        name_en=PLAN[0],
        defaults={"name_zh_hans": PLAN[1], "months": 12, "price_minor": PLAN[2], "price_points": PLAN[3]},
    )
    tiers = {tier.rank: tier for tier in Tier.objects.all()}
    for rank, (english, chinese) in enumerate(DESCRIBED):
        Tier.objects.filter(rank=rank).update(description=english, description_en=english, description_zh_hans=chinese)
    for position, (english, chinese, kind, value, uses, period, ranks, with_plan) in enumerate(BENEFITS):
        told = {"kind": kind, "value": value and Decimal(value), "uses": uses, "period": period, "position": position}
        benefit, _made = Benefit.objects.update_or_create(name_en=english, defaults={**told, "name_zh_hans": chinese})
        benefit.tiers.set([tiers[rank] for rank in ranks])
        benefit.plans.set([plan] if with_plan else [])
    RewardSettings.objects.update_or_create(pk=1, defaults={"grace_days": 14, "notice_days": 30})


def take_anew(at: datetime, by: User) -> None:
    """The marketer gives who goes down more time, for which all members are assessed anew."""
    job = save_qualifying(values={"grace_days": 30}, at=at, actor_id=by.pk)
    if job is not None:
        run_reassessment(job_id=job.pk)


def enjoy(random: Random, guests: list[Guest], at: datetime, staff: dict[str, User]) -> None:
    """Some guests have bought the membership, and the better guests have had some of what is theirs."""
    plan = MembershipPlan.objects.get(name_en=PLAN[0])
    till = staff["Till"].pk
    for n, guest in enumerate(guests[2::23]):
        bought_at = max(guest.first, at - timedelta(days=random.randint(20, 330)))
        told: dict[str, Any] = {
            "member_id": guest.member.pk,
            "plan_id": plan.pk,
            "source": "demo",
            "key": f"plan-{guest.member.pk}",
        }
        try:
            buy_plan(**told, at=bought_at if n % 2 else at, with_points=not n % 2, actor_id=till)
        except InsufficientPoints:
            buy_plan(**told, at=bought_at, actor_id=till)
    better = set(MemberTier.objects.filter(tier__rank__gt=0).values_list("member_id", flat=True))
    for guest in [guest for guest in guests if guest.member.pk in better][:60]:
        had_at = at - timedelta(days=random.randint(0, 25), hours=random.randint(1, 6))
        for held in entitlements(guest.member.pk, had_at):
            if held.left and random.random() < 0.7:
                use_benefit(
                    member_id=guest.member.pk,
                    benefit_id=held.benefit.pk,
                    source="demo",
                    key=f"benefit-{held.benefit.pk}-{guest.member.pk}",
                    at=had_at,
                    store=guest.store,
                    actor_id=till,
                )

"""The demo café's catalogue: twelve rewards of all kinds, their pictures drawn here, their dates, and who took what."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty_crm.demo import drawings
from loyalty_crm.demo.people import Guest
from members.models import User
from rewards.enums import Fulfilment, RewardKind, RewardState
from rewards.models import Offer, Redemption, Reward, RewardPrice, RewardSession, Tier
from rewards.services.fulfilment import redeem_code, set_fulfilment
from rewards.services.pictures import add_picture
from rewards.services.places import CannotWait, join_waiting
from rewards.services.redemptions import RedemptionRefused, redeem_reward, refund_redemption, reserve_reward

# (key, kind, points, cents, what else, tiers, names, one line, picture, ground, what it shows)
REWARDS: tuple[tuple, ...] = (
    (
        "coffee",
        RewardKind.GOODS,
        60,
        0,
        {"valid_days": 30, "unit_cost_minor": 70},
        (),
        ("Free coffee", "免费咖啡"),
        ("Any size, any milk", "杯型和奶任选"),
        drawings.cup,
        "#a8643c",
        ("A cup of coffee", "一杯咖啡"),
    ),
    (
        "cake",
        RewardKind.GOODS,
        90,
        0,
        {"valid_days": 30, "unit_cost_minor": 140},
        (),
        ("Free cake", "免费蛋糕"),
        ("A piece from the counter", "柜台任选一块"),
        drawings.cake,
        "#d98f7a",
        ("A piece of cake", "一块蛋糕"),
    ),
    (
        "beans",
        RewardKind.GOODS,
        150,
        0,
        {"ships": True, "stock": 140, "unit_cost_minor": 520},
        (),
        ("House beans 250 g", "招牌咖啡豆 250 克"),
        ("Sent to your door", "送货上门"),
        drawings.bag,
        "#e0c9a6",
        ("A bag of beans", "一袋咖啡豆"),
    ),
    (
        "mug",
        RewardKind.GOODS,
        220,
        500,
        {"ships": True, "stock": 24, "limit_member": 2, "unit_cost_minor": 610, "hold_minutes": 2880},
        (),
        ("Corner mug", "街角马克杯"),
        ("Thrown by hand in Potsdam", "波茨坦手工拉坯"),
        drawings.mug,
        "#bcd8d4",
        ("A green mug", "绿色马克杯"),
    ),
    (
        "lunch",
        RewardKind.COUPON,
        80,
        0,
        {"unit_cost_minor": 150},
        (),
        ("20% off lunch", "午餐八折券"),
        ("A coupon for your next lunch", "下次午餐可用"),
        drawings.ticket,
        "#e7b75f",
        ("A coupon", "一张优惠券"),
    ),
    (
        "gift",
        RewardKind.GIFT_CARD,
        400,
        0,
        {"limit_member": 3, "unit_cost_minor": 1000},
        (),
        ("Gift card of €10", "10 欧元礼品卡"),
        ("For you or somebody you like", "自用或送人"),
        drawings.card,
        "#d9b3c3",
        ("A gift card", "一张礼品卡"),
    ),
    (
        "credit",
        RewardKind.CREDIT,
        200,
        0,
        {"credit_minor": 500, "unit_cost_minor": 500},
        (),
        ("€5 of store credit", "5 欧元储值余额"),
        ("Pay with it at any till", "可在任一门店付款"),
        drawings.coin,
        "#7b8f63",
        ("Coins", "硬币"),
    ),
    (
        "tasting",
        RewardKind.EXPERIENCE,
        180,
        0,
        {"unit_cost_minor": 900, "limit_member": 2},
        (),
        ("Coffee tasting", "咖啡品鉴会"),
        ("Five beans, one table, two hours", "五款豆，一张桌，两小时"),
        drawings.table,
        "#8fb3a9",
        ("A table with cups", "摆着杯子的桌子"),
    ),
    (
        "barista",
        RewardKind.EXPERIENCE,
        450,
        1500,
        {"unit_cost_minor": 2500, "limit_member": 1, "hold_minutes": 2880},
        ("Gold",),
        ("Barista class", "咖啡师体验课"),
        ("A morning at our machine, for Gold", "金卡会员专享的吧台上午"),
        drawings.lamp,
        "#5e7185",
        ("An espresso machine", "咖啡机"),
    ),
    (
        "donation",
        RewardKind.DONATION,
        100,
        0,
        {"green": True, "unit_cost_minor": 100},
        (),
        ("Meals for neighbours", "为邻里送餐"),
        ("We give €1 to the neighbourhood kitchen", "我们向社区厨房捐 1 欧元"),
        drawings.heart,
        "#f4d5d0",
        ("A heart", "一颗心"),
    ),
    (
        "tree",
        RewardKind.TREE,
        250,
        0,
        {"green": True, "unit_cost_minor": 250},
        (),
        ("A tree in Brandenburg", "勃兰登堡的一棵树"),
        ("Planted each November", "每年十一月栽种"),
        drawings.tree,
        "#cfe3c8",
        ("A tree", "一棵树"),
    ),
    (
        "trial",
        RewardKind.TRIAL,
        120,
        0,
        {"limit_member": 1, "unit_cost_minor": 300},
        (),
        ("A month of beans by mail", "邮寄咖啡豆试用一个月"),
        ("Two bags, no strings", "两袋，无需续订"),
        drawings.calendar,
        "#c4d2e3",
        ("A calendar", "一本日历"),
    ),
)
# What lies over the counter week by week, and how often.
_USUAL = (("coffee", 40), ("cake", 22), ("beans", 12), ("lunch", 9), ("donation", 7), ("credit", 5), ("tree", 3),
          ("gift", 1), ("mug", 1))  # fmt: skip


def fill_catalogue(at: datetime) -> dict[str, Reward]:
    """The rewards by key, with pictures, prices for tiers and dates to come. `at` is when the café opened."""
    tiers = {tier.name_en: tier for tier in Tier.objects.all()}  # type: ignore[attr-defined]
    offers = _offers()
    made = {}
    for position, row in enumerate(REWARDS):
        key, kind, points, cents, more, only, names, lines, picture, ground, alts = row
        reward = Reward.objects.create(
            kind=kind,
            points=points,
            money_minor=cents,
            state=RewardState.LIVE,
            position=position,
            name_en=names[0],
            name_zh_hans=names[1],
            summary_en=lines[0],
            summary_zh_hans=lines[1],
            offer=offers.get(key),
            created_at=at,
            **more,
        )
        reward.tiers.set([tiers[name] for name in only if name in tiers])
        add_picture(reward_id=reward.pk, file=drawings.draw(picture, ground), alts={"en": alts[0], "zh-hans": alts[1]})
        made[key] = reward
    if "Gold" in tiers:
        RewardPrice.objects.create(reward=made["beans"], tier=tiers["Gold"], points=120)
        RewardPrice.objects.create(reward=made["mug"], tier=tiers["Gold"], points=200, money_minor=0)
    return made


def _offers() -> dict[str, Offer]:
    """What the codes of coupons, gift cards and trials stand for."""
    said = {
        "lunch": ("percent", "20% off lunch", "午餐八折", {"percent": "20", "items": {"categories": ["Lunch"]}}),
        "gift": ("card", "Gift card of €10", "10 欧元礼品卡", {"currency": "EUR", "amount": "10.00"}),
        "trial": ("shipping", "Beans by mail, first month", "邮寄咖啡豆首月", {}),
    }
    return {
        key: Offer.objects.create(
            kind=kind, name_en=english, name_zh_hans=chinese, definition=definition, state="live", valid_days=180
        )
        for key, (kind, english, chinese, definition) in said.items()
    }


def redeem_some(random: Random, guest: Guest, made: dict[str, Reward], at: datetime, points: int) -> None:
    """Now and then a guest with enough points takes something; most of it is collected within the hour."""
    key = random.choices([key for key, _n in _USUAL], [n for _key, n in _USUAL])[0]
    if points < made[key].points:
        return
    try:
        done = redeem_reward(
            member_id=guest.member.pk,
            reward_id=made[key].pk,
            source="portal",
            key=f"demo-{guest.member.pk}-{at.isoformat()}",
            at=at,
        )
    except RedemptionRefused:  # the Gold price, a limit, nothing left: as in life
        return
    later = at + timedelta(minutes=random.randint(2, 50))
    if done.fulfilment == Fulfilment.TO_COLLECT and done.code:
        redeem_code(code=done.code, at=later, store=guest.store)
    elif done.fulfilment == Fulfilment.TO_SHIP:
        number = f"PB{random.randint(10**8, 10**9)}"
        sent = at + timedelta(days=1)
        set_fulfilment(
            redemption_ids=[done.pk], to=Fulfilment.SHIPPED, at=sent, carrier="Parcel Bike", tracking_number=number
        )
        set_fulfilment(redemption_ids=[done.pk], to=Fulfilment.DELIVERED, at=sent + timedelta(days=2))


def leave_work(
    random: Random, guests: list[Guest], made: dict[str, Reward], balances: dict[int, int], at: datetime, staff: User
) -> None:
    """What lies on the desk today: parcels, codes to be collected, reservations, a full date with people who wait."""
    dates = [
        RewardSession.objects.create(
            reward=made[key],
            starts_at=(at + timedelta(days=days)).replace(hour=16, minute=0, second=0, microsecond=0),
            place="Harbour Street",
            capacity=capacity,
        )
        for key, days, capacity in (("tasting", 6, 3), ("tasting", 20, 10), ("barista", 13, 4))
    ]
    rich = [guest for guest in guests if balances.get(guest.member.pk, 0) >= made["mug"].points]
    random.shuffle(rich)
    acts: list[tuple[str, str, RewardSession | None]] = [
        *([("beans", "ship", None)] * 4), ("beans", "sent", None), *([("coffee", "collect", None)] * 3),
        ("cake", "reserve", None), ("coffee", "reserve", None), ("cake", "refund", None),
        *([("tasting", "book", dates[0])] * 3), *([("tasting", "wait", dates[0])] * 2),
        *([("tasting", "book", dates[1])] * 4), ("credit", "ship", None), ("lunch", "ship", None),
    ]  # fmt: skip
    for n, ((key, what, date), guest) in enumerate(zip(acts, rich, strict=False)):
        moment = at - timedelta(minutes=7 + 50 * n)
        told: dict[str, Any] = {
            "member_id": guest.member.pk,
            "reward_id": made[key].pk,
            "source": "portal",
            "key": f"today-{n}",
        }
        if date is not None:
            told["session_id"] = date.pk
        try:
            if what == "wait" and date is not None:
                join_waiting(member_id=guest.member.pk, session_id=date.pk, at=moment)
            elif what == "reserve":
                reserve_reward(at=at - timedelta(minutes=3), **told)
            else:
                done: Redemption = redeem_reward(at=moment, **told)
                if what == "sent":
                    set_fulfilment(
                        redemption_ids=[done.pk], to=Fulfilment.SHIPPED, at=moment, actor_id=staff.pk,
                        carrier="Parcel Bike", tracking_number="PB420017",
                    )  # fmt: skip
                elif what == "refund":
                    refund_redemption(
                        redemption_id=done.pk, at=moment, actor_id=staff.pk, reason=str(_("Ordered by mistake"))
                    )
        except (RedemptionRefused, CannotWait):
            continue

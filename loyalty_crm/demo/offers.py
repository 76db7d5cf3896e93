"""The café's offers: of every kind, issued and used, one that is running out today, codes of a partner."""

import io
from contextlib import suppress
from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from loyalty_crm.demo import data
from loyalty_crm.demo.people import Guest
from members.models import User
from rewards.codes import new_codes
from rewards.coupons.pricing import Line
from rewards.enums import IssuedBy, OfferKind, OfferState
from rewards.models import Offer
from rewards.services.coupons.issuing import issue_coupons
from rewards.services.coupons.jobs import create_codes, run_job, upload_codes
from rewards.services.coupons.offers import save_offer, set_state
from rewards.services.coupons.using import CouponRefused, redeem

_OFFERS: dict[str, dict[str, Any]] = {
    "cookie": {
        "kind": OfferKind.FREE_ITEM,
        "name_en": "A free pastry with your coffee",
        "name_zh_hans": "买咖啡送点心",
        "description_en": "Croissant, bun or cheesecake: the cheapest in your basket is on us.",
        "description_zh_hans": "可颂、面包卷或芝士蛋糕：购物篮中最便宜的一份由我们请客。",
        "definition": {"free": 1, "items": {"categories": ["Pastry"]}, "currency": data.CURRENCY,
                       "conditions": {"minimum": "3.00"}},
        "valid_days": 30,
        "stackable": True,
        "unit_cost_minor": 90,
    },
    "three": {
        "kind": OfferKind.BUY_X_GET_Y,
        "name_en": "Two coffees, the third is free",
        "name_zh_hans": "咖啡买二送一",
        "definition": {"buy": 2, "get": 1, "items": {"categories": ["Coffee"]}, "times": 2},
        "valid_days": 60,
    },
    "beans": {
        "kind": OfferKind.AMOUNT,
        "name_en": "€5 off beans",
        "name_zh_hans": "咖啡豆立减 5 欧元",
        "definition": {"amount": "5.00", "currency": data.CURRENCY, "items": {"categories": ["Beans"]},
                       "conditions": {"minimum": "20.00", "minimum_on": "items"}},
        "valid_days": 90,
    },
    "welcome": {
        "kind": OfferKind.PERCENT,
        "name_en": "Welcome: 10% off",
        "name_zh_hans": "新会员九折",
        "description_en": "Once, on whatever you like.",
        "description_zh_hans": "可使用一次，所有商品均适用。",
        "definition": {"percent": "10", "most": "5.00", "currency": data.CURRENCY},
        "shared_code": "WELCOME10",
        "uses_member": 1,
        "listed": True,
    },
    "flash": {
        "kind": OfferKind.PERCENT,
        "name_en": "Tea time: 30% off tea",
        "name_zh_hans": "下午茶限时七折",
        "description_en": "Today only, for the first hundred.",
        "description_zh_hans": "仅限今日，前一百名。",
        "definition": {"percent": "30", "items": {"categories": ["Tea"]}},
        "shared_code": "TEATIME",
        "uses_limit": 100,
        "uses_member": 1,
        "flash": True,
        "listed": True,
    },
    "shipping": {
        "kind": OfferKind.FREE_SHIPPING,
        "name_en": "Free shipping online",
        "name_zh_hans": "网店包邮",
        "definition": {"currency": data.CURRENCY, "conditions": {"minimum": "25.00", "channels": ["online"]}},
        "shared_code": "SHIPFREE",
        "uses_member": None,
        "stackable": True,
        "listed": True,
    },
    "cinema": {
        "kind": OfferKind.AMOUNT,
        "name_en": "€2 off at the Lido cinema",
        "name_zh_hans": "丽都影院立减 2 欧元",
        "description_en": "Show the code at the cinema's desk.",
        "description_zh_hans": "在影院前台出示券码即可。",
        "definition": {"amount": "2.00", "currency": data.CURRENCY},
        "valid_days": 90,
    },
    "flyer": {
        "kind": OfferKind.PERCENT,
        "name_en": "Flyer of the street festival",
        "name_zh_hans": "街区节传单券",
        "definition": {"percent": "15", "bearer": True},
    },
}  # fmt: skip


def run_offers(random: Random, guests: list[Guest], at: datetime, staff: dict[str, User]) -> dict[str, Offer]:
    """Makes the offers and a few weeks of their lives; the offers by name."""
    local = at.astimezone(ZoneInfo(data.TIME_ZONE))
    tonight = datetime.combine(local.date() + timedelta(days=1 if local.hour >= 18 else 0), time(21), local.tzinfo)
    began = at - timedelta(days=24)
    offers = {}
    for name, values in _OFFERS.items():
        ends = tonight if name == "flash" else None
        saved = save_offer(**values, starts_at=at - timedelta(hours=3) if ends else began, ends_at=ends)
        offers[name] = set_state(offer_id=saved.pk, state=OfferState.LIVE)
    paused = save_offer(
        kind=OfferKind.PERCENT, name_en="Monday blues: 20% off", name_zh_hans="周一提神八折",
        definition={"percent": "20", "conditions": {"weekdays": [0], "hours": [["14:00", "17:00"]]}},
    )  # fmt: skip
    set_state(offer_id=set_state(offer_id=paused.pk, state=OfferState.LIVE).pk, state=OfferState.PAUSED)
    marketer = staff["Marketer"].pk
    partner = "code\n" + "\n".join(new_codes(60, "LIDO")) + "\n"
    upload_codes(offer_id=offers["cinema"].pk, file=io.BytesIO(partner.encode()), at=began, actor_id=marketer)
    run_job(job_id=create_codes(offer_id=offers["flyer"].pk, total=500, prefix="FEST", at=began, actor_id=marketer).pk)
    for name, share in (("cookie", 0.5), ("three", 0.25), ("beans", 0.12), ("cinema", 0.08)):
        chosen = guests[:2] + random.sample(guests[2:], int(share * len(guests)))
        for_whom = [guest.member.pk for guest in chosen]
        issued_at = at - timedelta(days=random.randint(8, 20))
        coupons = issue_coupons(
            offer_id=offers[name].pk, member_ids=for_whom, keys=[f"demo:{name}:{pk}" for pk in for_whom],
            issued_by=IssuedBy.SEGMENT if name != "beans" else IssuedBy.STAFF, at=issued_at, actor_id=marketer,
        )  # fmt: skip
        for coupon in coupons[2:]:  # the two who can sign in keep theirs
            if name != "cinema" and random.random() < 0.4:  # what is used there is not told here
                _use(random, coupon.code, coupon.member_id, issued_at, at)
    for guest in random.sample(guests[2:], len(guests) // 4):
        _use(random, "WELCOME10", guest.member.pk, began, at)
    for guest in random.sample(guests[2:], 37):
        _use(random, "TEATIME", guest.member.pk, at - timedelta(hours=3), at)
    return offers


def _use(random: Random, code: str, member_id: int | None, since: datetime, at: datetime) -> None:
    """A basket with the code, some time between; what does not fit is not used, as in life."""
    items = random.choices(data.MENU, [item[4] for item in data.MENU], k=random.randint(3, 6))
    lines = [Line(Decimal(1), cents, sku, category) for sku, _name, category, cents, _often in items]
    moment = since + (at - since) * random.random()
    told: dict[str, Any] = {
        "lines": lines,
        "currency": data.CURRENCY,
        "store": random.choice(data.STORES),
        "channel": "store",
    }
    with suppress(CouponRefused):
        redeem(code=code, member_id=member_id, at=moment, source="till", key=f"demo:{code}:{member_id}", **told)

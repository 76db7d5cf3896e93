"""The demo café's earning rules: some that count since long, one with a budget, one that waits for a parcel, a draft
and what it would have cost."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from loyalty_crm.demo import data
from loyalty_crm.demo.calls import DELIVERED, WORKSHOP
from members.models import User
from rewards.earning.triggers import CHECK_IN, CUSTOM, PURCHASE, SIGNED_UP
from rewards.models import EarningRule
from rewards.services.earning.events import make_check_in_point
from rewards.services.earning.programme import in_use, usual_choice
from rewards.services.earning.publishing import archive, end, publish, save_draft
from rewards.services.earning.replay import create_replay, run_replay

_YEAR = {"kind": "rolling", "months": 12}
BEANS = ("Bean weeks", "咖啡豆周")


def _happy_hour(factor: str, most: int) -> dict[str, Any]:
    return {
        "effect": {"kind": "multiplier", "factor": factor},
        "conditions": {"weekdays": [0, 1, 2, 3, 4], "hours": [["14:00", "17:00"]]},
        "limits": {"day": most},
        "over": "clip",
        "stacking": "best",
        "rounding": "down",
        "expiry": _YEAR,
        "counts_for_tier": False,
    }


def _save(
    names: tuple[str, str], sentences: tuple[str, str], definition: dict[str, Any], at: datetime, **more: Any
) -> int:
    by_language = [dict(zip(("en", "zh-hans"), pair, strict=True)) for pair in (names, sentences)]
    names_, sentences_ = by_language
    return save_draft(names=names_, descriptions=sentences_, definition=definition, at=at, **more).rule_id


def open_programme(start: datetime, at: datetime, by: User) -> None:
    """What counts while the café's year goes by; the plain points for every purchase are there already."""
    EarningRule.objects.update(
        name_en="Points for every purchase", name_zh_hans="消费积分",
        description_en="Every euro is a point.", description_zh_hans="每消费 1 欧元得 1 积分。",
    )  # fmt: skip
    happy = _save(
        ("Happy hour", "欢乐时光"),
        ("Double points on weekdays from 2 to 5 p.m.", "工作日 14:00–17:00 积分翻倍。"),
        _happy_hour("1.5", 200),
        start,
        actor_id=by.pk,
    )
    publish(rule_id=happy, valid_from=at - timedelta(days=200), at=start, actor_id=by.pk)
    save_draft(
        rule_id=happy,
        names={"en": "Happy hour", "zh-hans": "欢乐时光"},
        definition=_happy_hour("2", 100),
        at=at - timedelta(days=60),
        actor_id=by.pk,
    )
    publish(rule_id=happy, valid_from=at - timedelta(days=45), at=at - timedelta(days=60), actor_id=by.pk)
    pastry = _save(
        ("Pastry weeks", "烘焙周"),
        ("Five points for each pastry, two weeks later.", "每份烘焙点心得 5 积分，两周后可用。"),
        {
            "effect": {"kind": "per_item", "points": 5},
            "conditions": {"categories": ["Pastry"]},
            "pending": {"days": 14},
            "rounding": "down",
            "expiry": _YEAR,
            "counts_for_tier": False,
        },
        start,
        budget_money=Decimal("25.00"),
        actor_id=by.pk,
    )
    publish(rule_id=pastry, valid_from=at - timedelta(days=30), at=start, actor_id=by.pk)
    parcel = _save(
        ("Parcel points", "送达积分"),
        ("Two more points for each euro in our online shop, once your parcel has arrived.",
         "网店每消费 1 欧元再得 2 积分，包裹送达后可用。"),
        {
            "effect": {"kind": "per_amount", "points": "2", "per": "1"},
            "conditions": {"currency": data.CURRENCY, "channels": ["online"]},
            "pending": {"event": DELIVERED, "days": 21, "otherwise": "cancel"},
            "rounding": "down",
            "expiry": _YEAR,
            "counts_for_tier": False,
        },
        start,
        actor_id=by.pk,
    )  # fmt: skip
    publish(rule_id=parcel, valid_from=at - timedelta(days=25), at=start, actor_id=by.pk)
    beans = _save(
        BEANS,
        ("Ten points for each bag of beans.", "每袋咖啡豆得 10 积分。"),
        {
            "effect": {"kind": "per_item", "points": 10},
            "conditions": {"categories": ["Beans"]},
            "expiry": _YEAR,
            "counts_for_tier": False,
        },
        start,
        actor_id=by.pk,
    )
    publish(rule_id=beans, valid_from=at - timedelta(days=20), at=start, actor_id=by.pk)


def try_out(at: datetime, by: User) -> None:
    """What the marketer is at today: rules that just began, one that is over and put away, a draft, and the past
    reckoned anew with it."""
    over = EarningRule.objects.get(name_en=BEANS[0]).pk
    end(rule_id=over, at=at)
    archive(rule_id=over)
    welcome = {"effect": {"kind": "fixed", "points": 50}, "limits": {"times_lifetime": 1}, "expiry": _YEAR,
               "counts_for_tier": False}  # fmt: skip
    check_in = {"effect": {"kind": "fixed", "points": 5}, "limits": {"times_day": 1}, "over": "reject",
                "expiry": _YEAR, "counts_for_tier": False}  # fmt: skip
    workshop = {"effect": {"kind": "fixed", "points": 40}, "limits": {"times_lifetime": 3}, "expiry": _YEAR,
                "counts_for_tier": False}  # fmt: skip
    for names, sentences, definition, trigger in (
        (("Welcome bonus", "入会礼"), ("50 points for joining.", "入会即得 50 积分。"), welcome, SIGNED_UP),
        (
            ("Check-in", "到店签到"),
            ("5 points a day for scanning our code.", "每天扫码签到得 5 积分。"),
            check_in,
            CHECK_IN,
        ),
        (
            ("Workshop", "参加工作坊"),
            ("40 points for coming to a workshop.", "参加工作坊得 40 积分。"),
            workshop,
            f"{CUSTOM}{WORKSHOP}",
        ),
    ):
        rule = _save(names, sentences, definition, at, trigger=trigger, actor_id=by.pk)
        publish(rule_id=rule, at=at - timedelta(hours=8), actor_id=by.pk)
    make_check_in_point(name="Harbour Street", store="Harbour Street")
    _save(
        ("Treble tea", "茶饮三倍积分"),
        ("Three times the points on tea.", "茶饮享三倍积分。"),
        {
            "effect": {"kind": "multiplier", "factor": "3"},
            "conditions": {"categories": ["Tea"]},
            "stacking": "best",
            "rounding": "down",
            "expiry": _YEAR,
            "counts_for_tier": False,
        },
        at,
        actor_id=by.pk,
    )
    replay = create_replay(
        name="Treble tea: what would half a year have cost?",
        starts_at=at - timedelta(days=182),
        ends_at=at,
        chosen={rule.pk: usual_choice(rule) for rule in in_use(PURCHASE)},
        at=at,
        actor_id=by.pk,
    )
    run_replay(replay_id=replay.pk)

"""Friends who bring friends: a programme that runs, and referrals in every state."""

from datetime import datetime, timedelta
from random import Random

from django.db import transaction

from members.models import PRESENT, Member
from members.services.profile import create_member
from members.services.purchases import NewLine, NewPurchase
from referrals.enums import ProgrammeState, Source
from referrals.services.advocates import advocate_of, count, set_wishes
from referrals.services.attribution import Came, NotReferred, attribute
from referrals.services.programmes import make_programme, move
from referrals.services.qualifying import consider, settle_due
from rewards.services.purchases import post_purchases

DEFINITION = {
    "qualifies": {"by": "purchase", "least": "15.00"},
    "window_days": 90,
    "hold_days": 14,
    "claim_days": 14,
    "giver": {"points": 200},
    "welcome": {"points": 50},
    "friend": {"points": 100},
    "milestones": [{"friends": 3, "thanks": {"points": 500}}, {"friends": 10, "thanks": {"credit": "25.00"}}],
    "limits": [{"period": "month", "most": 10}],
    "review": {"from": 50, "days": 7, "then": "approve"},
    "texts": {
        "headline": {"en": "Good coffee is better together", "zh-hans": "好咖啡，一起喝更香"},
        "text": {
            "en": "Bring a friend: both of you get points.",
            "zh-hans": "邀请好友加入，双方都得积分。",
        },
        "welcome": {
            "en": "Join for free, show your card when you pay, and collect points with every cup.",
            "zh-hans": "免费加入，付款时出示会员卡，每一杯都能攒积分。",
        },
        "share": {
            "en": "I collect points at Corner Café. Join with my link and get {gift}: {link}",
            "zh-hans": "我在街角咖啡攒积分。用我的链接加入，你可得{gift}：{link}",
        },
        "terms": {
            "en": "For new members. Your friend's first purchase of at least €15.00 within 90 days counts, and we "
            "thank both of you 14 days later. At most ten friends a month.",
            "zh-hans": "仅限新会员。好友须在90天内完成首次满15欧元的消费，14天后双方获得感谢积分。每月最多计10位好友。",
        },
    },
}
_NAMES = ("Lena", "Tom", "小雨", "Amir", "Sofia", "志强", "Paul", "晓燕", "Ines", "Max", "美玲", "Nora")
_WAYS = ("whatsapp", "wechat", "copy", "qr", "mail", "line", "invite")


def givers(member_ids: list[int]) -> list[Member]:
    """The first of them who are members still: twelve of four hundred, and two at least."""
    return list(Member.objects.filter(PRESENT, pk__in=member_ids).order_by("pk")[: max(2, len(member_ids) // 33)])


def bring_friends(at: datetime, givers: list[Member]) -> int:
    """A live programme, and what `givers`, the first first of all, brought by `at`; how many friends."""
    begun = at - timedelta(days=120)
    programme = make_programme(name="Bring a friend", definition=DEFINITION, at=begun, budget_minor=500_000)
    move(programme_id=programme.pk, to=ProgrammeState.LIVE, at=begun)
    chance, brought = Random(7), 0  # noqa: S311
    for n, giver in enumerate(givers):
        set_wishes(
            member_id=giver.pk,
            shows_name=n % 3 != 2,
            nickname=f"{giver.name.split()[0]}" if n % 2 == 0 else "",
            is_listed=n % 2 == 0,
            at=begun,
        )
        for _friend in range((4, 3, 2, 1, 1)[n % 5]):
            brought += _bring(chance, giver, at - timedelta(days=chance.randint(1, 100)), brought, at)
    settle_due(at=at)
    return brought


def _bring(chance: Random, giver: Member, day: datetime, n: int, at: datetime) -> int:
    way = chance.choice(_WAYS)
    advocate = advocate_of(member_id=giver.pk, at=day)
    for _visit in range(chance.randint(1, 5)):
        count(what="visits", advocate_ids=[advocate.pk], channel=way, day=day.date())
    count(what="shares", advocate_ids=[advocate.pk], channel=way, day=day.date())
    count(what="taken", advocate_ids=[advocate.pk], channel=way, day=day.date())
    doubtful = n % 9 == 4
    address = f"friend{n}@{'mailinator.com' if doubtful else 'demo.example'}"
    name = f"{_NAMES[n % len(_NAMES)]} {chr(65 + n % 26)}."
    friend = create_member(at=day, profile={"name": name, "email": address, "language": "en"}, source="portal")
    try:
        attribute(
            friend_id=friend.pk,
            came=[Came(advocate.code, Source.LINK, day, way)],
            at=day,
            friend_shows_name=n % 2 == 0,
        )
    except NotReferred:
        return 0
    if n % 5 != 3 and (bought := day + timedelta(days=chance.randint(0, 10))) < at:
        beans = NewLine(chance.randint(1_500, 6_000), sku="beans-500", name="House blend, 500 g", category="Beans")
        new = NewPurchase(
            member_id=friend.pk, source="till", key=f"friend-{n}", purchased_at=bought, currency="EUR",
            amount_minor=beans.amount_minor, lines=(beans,),
        )  # fmt: skip
        post_purchases(purchases=[new], at=bought)
        with transaction.atomic():
            consider(friend_ids=[friend.pk], at=bought)
        settle_due(at=min(at, bought + timedelta(days=21)))
    return 1

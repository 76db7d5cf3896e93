"""Friends who bring friends: a programme that runs, and referrals in every state."""

from datetime import datetime, timedelta
from random import Random

from django.db import transaction

from loyalty_crm.demo import data
from members.models import PRESENT, Member
from members.services.profile import create_member
from members.services.purchases import NewLine, NewPurchase
from referrals.enums import BlockKind, ProgrammeState, Source
from referrals.services.advocates import advocate_of, count, set_wishes
from referrals.services.attribution import Came, NotReferred, attribute
from referrals.services.blocks import block
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


# Whom Anna brought: name, days ago, way, days to the first purchase. Three counted, one waits, one is on the way.
_OF_ANNA = (
    ("Lena W.", 95, "whatsapp", 3),
    ("小雨", 64, "wechat", 6),
    ("Tom K.", 41, "card", 2),
    ("Sofia R.", 9, "whatsapp", 4),
    ("Paul N.", 3, "copy", None),
)


def givers(member_ids: list[int]) -> list[Member]:
    """Anna, and the first of the others who are members still: ten of four hundred, and one at least."""
    there = Member.objects.filter(PRESENT)
    anna, others = there.get(email=data.MEMBERS[0]), there.filter(pk__in=member_ids).order_by("pk")
    return [anna, *others.exclude(email__in=data.MEMBERS)[: max(1, len(member_ids) // 40)]]


def bring_friends(at: datetime, givers: list[Member]) -> int:
    """A live programme, and what `givers`, the first first of all, brought by `at`; how many friends."""
    begun = at - timedelta(days=120)
    programme = make_programme(name="Bring a friend", definition=DEFINITION, at=begun, budget_minor=500_000)
    move(programme_id=programme.pk, to=ProgrammeState.LIVE, at=begun)
    block(kind=BlockKind.NETWORK, value="203.0.113.0/24", reason="A hundred accounts in one night", at=begun)
    chance, friends = Random(7), len(_OF_ANNA)  # noqa: S311
    anna, *others = givers
    _wishes(anna, True, begun)
    brought = 0
    for n, (name, ago, way, then) in enumerate(_OF_ANNA):
        brought += _bring(chance, anna, at - timedelta(days=ago), n, at, name, way, then)
    for n, giver in enumerate(others):
        _wishes(giver, n % 2 == 0, begun, shows_name=n % 3 != 2)
        for _friend in range((3, 2, 4, 1, 1)[n % 5]):
            friends += 1
            name = f"{_NAMES[friends % len(_NAMES)]} {chr(65 + friends % 26)}."
            day = at - timedelta(days=chance.randint(1, 100))
            then = None if friends % 5 == 3 else chance.randint(0, 10)
            brought += _bring(chance, giver, day, friends, at, name, chance.choice(_WAYS), then)
    settle_due(at=at)
    return brought


def _wishes(giver: Member, is_listed: bool, at: datetime, shows_name: bool = True) -> None:
    nickname = giver.name.split()[0] if is_listed else ""
    set_wishes(member_id=giver.pk, shows_name=shows_name, nickname=nickname, is_listed=is_listed, at=at)


def _bring(
    chance: Random, giver: Member, day: datetime, n: int, at: datetime, name: str, way: str, then: int | None
) -> int:
    """A friend who came that day, and bought after so many days, or not; 1, if they count as brought."""
    advocate = advocate_of(member_id=giver.pk, at=day)
    for _visit in range(chance.randint(1, 5)):
        count(what="visits", advocate_ids=[advocate.pk], channel=way, day=day.date())
    count(what="shares", advocate_ids=[advocate.pk], channel=way, day=day.date())
    count(what="taken", advocate_ids=[advocate.pk], channel=way, day=day.date())
    address = f"friend{n}@{'mailinator.com' if n % 9 == 7 else 'demo.example'}"
    friend = create_member(at=day, profile={"name": name, "email": address, "language": "en"}, source="portal")
    came = [Came(advocate.code, Source.LINK, day, way)]
    try:
        attribute(friend_id=friend.pk, came=came, at=day, friend_shows_name=n % 2 == 0)
    except NotReferred:
        return 0
    if then is not None and (bought := day + timedelta(days=then)) < at:
        _buy(chance, friend, n, bought)
        with transaction.atomic():
            consider(friend_ids=[friend.pk], at=bought)
        settle_due(at=min(at, bought + timedelta(days=15)))
        for again in range(1, 1 + n % 3):  # some come again
            if (later := bought + timedelta(days=19 * again)) < at:
                _buy(chance, friend, n, later)
    return 1


def _buy(chance: Random, friend: Member, n: int, at: datetime) -> None:
    beans = NewLine(chance.randint(1_500, 6_000), sku="beans-500", name="House blend, 500 g", category="Beans")
    bought = NewPurchase(
        member_id=friend.pk, source="till", key=f"friend-{n}-{at:%m%d}", purchased_at=at, currency="EUR",
        amount_minor=beans.amount_minor, lines=(beans,),
    )  # fmt: skip
    post_purchases(purchases=[bought], at=at)

"""The demo café's segments, personas and a list: built week by week towards the end, so that they have a history."""

from datetime import datetime, timedelta
from typing import Any

from members.models import Member, Persona, Segment, User
from members.segments.templates import templates
from members.services import summaries
from members.services.segments import refresh, save_list, save_segment, set_picks

WATCHED = timedelta(weeks=12)
LIST = "Latte art evening"
VIP = {"trait": "purchase.spent_percentile", "op": "top", "value": 20}
HOLD_OUT = {"trait": "draw", "op": "between", "value": [0, 10], "where": {"draw": ["hold-out"]}}


def _bought(category: str, times: int, days: int) -> dict[str, Any]:
    return {
        "trait": "purchase.count", "op": "at_least", "value": times, "where": {"category": [category]},
        "within": {"days": days},
    }  # fmt: skip


def _agreed() -> dict[str, Any]:
    return {"any": [{"trait": f"consent.offers_{channel}", "op": "yes"} for channel in ("email", "sms")]}


# (English, Chinese, definition)
SEGMENTS = (
    (
        ("Hold-out", "A tenth that gets no campaign, to measure what campaigns bring."),
        ("对照组", "不接收任何活动的十分之一会员，用于衡量活动的实际效果。"),
        {"all": [HOLD_OUT]},
    ),
    (
        ("VIPs we miss", "Top fifth, away for twice their usual rhythm, may be written, not in the hold-out."),
        ("久未到店的贵宾", "消费前 20%，离上次到店已超过平时间隔的两倍，同意接收优惠，且不在对照组。"),
        {"all": [VIP, {"trait": "purchase.overdue", "op": "at_least", "value": 2}, _agreed(), {"not": HOLD_OUT}]},
    ),
)
# (English, Chinese, definition, who they are, what they want, what frustrates them: each in both languages)
PERSONAS = (
    (
        ("Commuters", "A coffee on the way to work, most days."),
        ("通勤族", "几乎每个工作日上班路上都来一杯咖啡。"),
        {"all": [_bought("Coffee", 8, 60), {"trait": "purchase.rhythm", "op": "at_most", "value": 5}]},
        (
            "Work nearby and come between half past seven and nine, alone, always for the same drink.",
            "在附近上班，七点半到九点之间独自来店，总点同一款饮品。",
        ),
        ("To be out again in three minutes; to be known by name.", "三分钟内拿到咖啡离开；店员能叫出自己的名字。"),
        ("A queue, and a card that will not scan.", "排队，以及会员卡扫不出来。"),
    ),
    (
        ("Home brewers", "Beans for the kitchen at home."),
        ("在家煮咖啡的人", "买咖啡豆回家自己煮。"),
        {"all": [_bought("Beans", 2, 365)]},
        ("Own a grinder, read labels, ask where the beans come from.", "家里有磨豆机，会看标签，关心豆子的产地。"),
        ("Fresh roasts, and a word about how to brew them.", "新鲜烘焙的豆子，以及一两句冲煮建议。"),
        ("A roasting date that is two months old.", "烘焙日期已经过了两个月。"),
    ),
    (
        ("Tea table", "Friends over a pot of tea."),
        ("茶友", "约朋友一起喝茶。"),
        {"all": [_bought("Tea", 4, 180)]},
        ("Come in twos and threes at weekends and stay for an hour.", "周末三两结伴而来，一坐就是一个小时。"),
        ("Good leaves, more hot water without asking, a quiet corner.", "好茶叶、主动添热水、安静的角落。"),
        ("Loud music, and tea bags.", "音乐太吵，还有袋泡茶。"),
    ),
)  # fmt: skip


class Watch:
    """Makes the segments some weeks before `until`, and brings them up to date week by week."""

    def __init__(self, until: datetime, staff: dict[str, User]) -> None:
        self.begins, self.staff, self.made = until - WATCHED, staff, False

    def week(self, at: datetime) -> None:
        if at < self.begins:
            return
        summaries.recompute()
        if not self.made:
            self.make(at)
        for pk in Segment.objects.order_by("id").values_list("pk", flat=True):
            refresh(segment_id=pk, at=at)

    def make(self, at: datetime) -> None:
        by = self.staff["Marketer"].pk
        for english, chinese, definition in SEGMENTS:
            self._save(english, chinese, definition, at, by)
        for template in templates():
            start = template.beginning()
            self._save(
                (start["name_en"], start["description_en"]),
                (start["name_zh_hans"], start["description_zh_hans"]),
                template.definition,
                at,
                by,
            )
        for position, (english, chinese, definition, who, wants, frustrations) in enumerate(PERSONAS):
            Persona.objects.create(
                segment=self._save(english, chinese, definition, at, by),
                position=position,
                who_en=who[0],
                who_zh_hans=who[1],
                wants_en=wants[0],
                wants_zh_hans=wants[1],
                frustrations_en=frustrations[0],
                frustrations_zh_hans=frustrations[1],
            )
        cards = Member.objects.order_by("id").values_list("card_number", flat=True)[5:200:13]
        save_list(name=LIST, keys=list(cards), at=at, actor_id=by)
        anna = Member.objects.filter(email="anna@demo.example").values_list("pk", flat=True)
        missed = Segment.objects.get(name_en="VIPs we miss")
        set_picks(segment_id=missed.pk, member_ids=list(anna), include=False, at=at, actor_id=by)
        self.made = True

    @staticmethod
    def _save(english: tuple, chinese: tuple, definition: dict, at: datetime, by: int) -> Segment:
        return save_segment(
            names={"en": english[0], "zh-hans": chinese[0]},
            descriptions={"en": english[1], "zh-hans": chinese[1]},
            definition=definition,
            at=at,
            actor_id=by,
        )

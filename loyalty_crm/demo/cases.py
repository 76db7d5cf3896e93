"""What the café's members told it in the last months: complaints, ideas, thanks, and what it made of them."""

from datetime import datetime, time, timedelta
from random import Random
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import F, OuterRef, Subquery
from django.utils.timezone import localtime

from members.models import PRESENT, Member, Purchase, User
from surveys.enums_cases import ActionState, CaseState
from surveys.models import (
    Answer,
    CannedReply,
    CareSettings,
    CareTarget,
    Case,
    CaseRule,
    Category,
    OpeningHours,
    RemedyLimit,
    Response,
    RootCause,
)
from surveys.services.cases.acting import assign, close_settled, move, note, reply, set_facts
from surveys.services.cases.hearing import member_writes
from surveys.services.cases.improving import check_due, like, plan, publish, set_state, share
from surveys.services.cases.opening import open_case
from surveys.services.cases.remedies import apologise, give_points
from surveys.services.cases.sending import send_due

CAUSES = (
    ("Milk machine not cleaned in time", "奶泡机未及时清洁"),
    ("Too few people at noon", "午间人手不足"),
    ("Order read wrongly", "订单看错"),
    ("Offer not known at the till", "收银台不了解优惠"),
)
CANNED = (
    (
        "Sorry, and what we do",
        "Dear {{ name }},\n\nthank you for telling us, and sorry that it happened. We are looking into it and will"
        " come back to you by tomorrow.",
        "{{ name }}，您好：\n\n感谢您告诉我们，非常抱歉给您带来不便。我们正在核实，最迟明天给您答复。",
    ),
    (
        "Which shop and when?",
        "Dear {{ name }},\n\ncould you tell us in which shop it was, and at what time? Then we can find out.",
        "{{ name }}，您好：\n\n请问是哪家门店、大约什么时间？这样我们才能查清楚。",
    ),
    (
        "It is put right",
        "Dear {{ name }},\n\nit is put right. If it is not good yet, simply answer.",
        "{{ name }}，您好：\n\n问题已经处理好了。如果您还不满意，直接回复即可。",
    ),
)
# (days ago, kind, severity, category, cause, score, state in the end, words in English, in Chinese)
CASES = (
    (120, "complaint", "high", "Product", 0, 3, "closed", "The milk in my latte was sour.", "拿铁里的牛奶是酸的。"),
    (
        113,
        "complaint",
        "normal",
        "Product",
        0,
        4,
        "closed",
        "My cappuccino tasted off again.",
        "卡布奇诺的味道又不对。",
    ),
    (104, "complaint", "normal", "Product", 0, 5, "closed", "The foam smelled of old milk.", "奶泡有一股陈奶味。"),
    (
        98,
        "complaint",
        "high",
        "Product",
        0,
        2,
        "closed",
        "Third time the milk was bad. Please clean the machine.",
        "牛奶第三次有问题了，请清洁机器。",
    ),
    (95, "complaint", "low", "Product", 0, None, "closed", "Flat white with lumps in it.", "馥芮白里有结块。"),
    (
        88,
        "complaint",
        "normal",
        "Waiting time",
        1,
        5,
        "closed",
        "Twenty minutes for a filter coffee at noon.",
        "中午一杯滤泡咖啡等了二十分钟。",
    ),
    (
        70,
        "praise",
        "low",
        "Service",
        None,
        None,
        "closed",
        "Lena at the counter remembered my order. Lovely!",
        "柜台的 Lena 记得我的口味，太贴心了！",
    ),
    (
        61,
        "complaint",
        "normal",
        "Waiting time",
        1,
        6,
        "closed",
        "Only one person at the till at lunch.",
        "午餐时只有一个收银员。",
    ),
    (
        47,
        "question",
        "low",
        "Points and account",
        None,
        None,
        "closed",
        "Do my points expire if I move abroad?",
        "我要出国了，积分会过期吗？",
    ),
    (
        40,
        "complaint",
        "urgent",
        "Service",
        2,
        1,
        "closed",
        "I said no nuts and got nuts. I am allergic!",
        "我说了不要坚果，结果还是加了。我过敏！",
    ),
    (
        33,
        "suggestion",
        "low",
        "Product",
        None,
        None,
        "closed",
        "Oat milk without extra charge, please.",
        "希望燕麦奶不另外收费。",
    ),
    (
        26,
        "complaint",
        "normal",
        "Points and account",
        3,
        4,
        "resolved",
        "The till did not take my coupon.",
        "收银台不认我的优惠券。",
    ),
    (20, "suggestion", "low", "Service", None, None, "open", "Open at seven on weekdays.", "工作日希望七点开门。"),
    (
        12,
        "complaint",
        "normal",
        "Waiting time",
        1,
        6,
        "resolved",
        "The queue at noon went out of the door.",
        "中午排队排到了门外。",
    ),
    (8, "suggestion", "low", "Other", None, None, "open", "A discount for one's own cup.", "自带杯子打折。"),
    (6, "complaint", "normal", "Service", 2, 5, "waiting", "I got the wrong sandwich.", "三明治给错了。"),
    (
        4,
        "complaint",
        "high",
        "Price",
        3,
        3,
        "open",
        "I paid full price although it was the happy hour.",
        "欢乐时段却按原价收了钱。",
    ),
    (
        3,
        "question",
        "low",
        "Points and account",
        None,
        None,
        "open",
        "How do I change my phone number?",
        "怎么修改手机号？",
    ),
    (1, "complaint", "urgent", "Product", None, 0, "new", "There was glass in my cake.", "蛋糕里有玻璃碎片。"),
    (
        1,
        "complaint",
        "normal",
        "Waiting time",
        1,
        5,
        "new",
        "Fifteen minutes, and nobody said a word.",
        "等了十五分钟，没有人解释。",
    ),
)
IDEAS = {
    "Oat milk without extra charge, please.": (
        "Oat milk without extra charge", "燕麦奶不另收费", "Since last month oat milk costs nothing extra.",
        "从上个月起，燕麦奶不再另收费。", "done", 34,
    ),
    "Open at seven on weekdays.": (
        "Open at seven on weekdays", "工作日七点开门", "We try it at the station from next month.",
        "下个月起我们在车站店试行。", "planned", 21,
    ),
    "A discount for one's own cup.": ("A discount for one's own cup", "自带杯优惠", "", "", "open", 12),
}  # fmt: skip


def keep_cases(at: datetime, seed: int) -> None:
    """As the café's staff left them on the day of the demo."""
    random = Random(seed)  # noqa: S311  the same each time
    _desk()
    causes = [RootCause.objects.create(name_en=en, name_zh_hans=zh) for en, zh in CAUSES]
    categories = {one.name_en: one for one in Category.objects.all()}  # type: ignore[attr-defined]
    people = list(User.objects.filter(is_staff=True, is_active=True).order_by("pk"))
    buyers = Member.objects.filter(PRESENT, pk__in=Purchase.objects.values("member")).exclude(email="").order_by("pk")
    CaseRule.objects.update(since=at)  # who was unhappy before has no case now
    unhappy = _happier_since()
    others = list(buyers.exclude(pk__in=[one.member_id for one in unhappy])[:150])
    random.shuffle(others)
    members = [others[place % len(others)] for place in range(len(CASES))]
    for place, (told, member) in enumerate(zip(CASES, members, strict=True)):
        response = unhappy[place - 1] if 1 <= place <= len(unhappy) else None
        _case(told, place, member, response, people, causes, categories, at, random)
    _heard_since(people, at, random)
    _improvements(causes, people, at)
    _ideas(list(buyers[:80]), at, random)
    send_due(at=at)
    close_settled(at=at)
    check_due(at=at)


def _desk() -> None:
    for day in range(6):
        OpeningHours.objects.create(weekday=day, opens=time(8), closes=time(19))
    for severity, answer, resolve in (
        ("urgent", 60, 660),
        ("high", 240, 1320),
        ("normal", 660, 3300),
        ("low", 1320, 6600),
    ):
        CareTarget.objects.create(severity=severity, answer_minutes=answer, resolve_minutes=resolve)
    for name, en, zh in CANNED:
        CannedReply.objects.create(name=name, text_en=en, text_zh_hans=zh)
    settings, _made = CareSettings.objects.get_or_create(pk=1)
    settings.on_duty.set(User.objects.filter(email="marketer@demo.example"))
    for role, points, coupons in (("Marketer", 200, 1), ("Manager", 1000, 3)):
        group = Group.objects.filter(name=role).first()
        if group is not None:
            RemedyLimit.objects.create(role=group, points=points, coupons=coupons)


def _happier_since() -> list[Response]:
    """Four answers of the second wave that were low, by members who gave more in the third."""

    def score(key: str) -> Subquery:
        said = Answer.objects.filter(
            response__member=OuterRef("member"), response__invitation__key=key, response__state="complete",
            question="recommend",
        )  # fmt: skip
        return Subquery(said.values("number")[:1])

    low = Response.objects.filter(state="complete", invitation__key="wave:2", member__merged_into=None)
    low = low.filter(member__erased_at=None).annotate(then=score("wave:2"), now=score("wave:3"))
    return list(low.filter(then__lte=6, now__gt=F("then")).select_related("member").order_by("completed_at")[:4])


def _case(told, place, member, response, people, causes, categories, at, random) -> Case:
    days, kind, severity, category, cause, score, end, en, zh = told
    if response is not None:
        member, score = response.member, response.then
    opened = localtime(at - timedelta(days=days)).replace(hour=9 + place % 8, minute=5 * place % 60)
    if opened.weekday() == 6:
        opened -= timedelta(days=1)
    if response is not None:
        opened = localtime(response.completed_at) + timedelta(minutes=1)
    bought = Purchase.objects.filter(member=member, purchased_at__lt=opened).order_by("-purchased_at").first()
    chinese = member.language == "zh-hans"
    case = open_case(
        kind=kind,
        text=zh if chinese else en,
        source=("survey" if score is not None else "portal", "portal", "till", "mail")[
            0 if score is not None else place % 4
        ],
        severity=severity,
        category_id=categories[category].pk if category in categories else None,
        member_id=member.pk,
        purchase_id=bought.pk if bought and kind == "complaint" else None,
        score=score,
        response_id=response.pk if response else None,
        key=f"demo:{place}",
        at=opened,
    )
    who = people[place % len(people)].pk
    if end == CaseState.NEW:
        return case
    later = opened + timedelta(minutes=random.randint(25, 400))
    assign(case_id=case.pk, owner_id=who, at=later, actor_id=who, version=None)
    if cause is not None:
        facts = {"cause_id": causes[cause].pk}
        set_facts(case_id=case.pk, facts=facts, at=later, actor_id=who, version=None)
    language = "zh_hans" if chinese else "en"
    canned = CannedReply.objects.order_by("pk").first()
    text = getattr(canned, f"text_{language}").replace("{{ name }}", member.name)
    then = "waiting" if end == CaseState.WAITING else "open"
    channel = "email" if days < 5 else "portal"
    reply(case_id=case.pk, text=text, channel=channel, at=later, actor_id=who, version=None, then=then)
    if end in (CaseState.OPEN, CaseState.WAITING):
        return case
    done = later + timedelta(hours=random.randint(3, 60))
    if kind == "complaint":
        note(
            case_id=case.pk,
            text="Asked the shop: it is as they say." if not chinese else "已向门店核实，情况属实。",
            at=done,
            actor_id=who,
        )
        if severity in ("high", "urgent"):
            give_points(case_id=case.pk, key=UUID(int=1000 + place), points=150, reason="Sorry", at=done, actor_id=who)
        else:
            apologise(case_id=case.pk, key=UUID(int=1000 + place), reason="", at=done, actor_id=who)
    move(case_id=case.pk, to=CaseState.RESOLVED, at=done, actor_id=who, version=None)
    if place == 3:  # it was not good yet
        again = "Sour again this morning!" if not chinese else "今天早上又是酸的！"
        member_writes(case_id=case.pk, text=again, channel="portal", at=done + timedelta(days=2))
        move(case_id=case.pk, to=CaseState.RESOLVED, at=done + timedelta(days=3), actor_id=who, version=None)
    return case


def _heard_since(people, at, random) -> None:
    """Most of those who were unhappy in the third wave were written to within a day, and it is put right."""
    low = Answer.objects.filter(
        question="recommend", number__lte=6, response__state="complete", response__invitation__key="wave:3",
        response__completed_at__lt=at - timedelta(days=2), response__member__merged_into=None,
        response__member__erased_at=None, response__case=None,
    )  # fmt: skip
    for place, answer in enumerate(low.select_related("response__member").order_by("response__completed_at", "pk")):
        if place % 5 == 4:  # nobody saw it
            continue
        response, member = answer.response, answer.response.member
        said = response.completed_at
        if member is None or said is None or answer.number is None:
            continue
        chinese = member.language == "zh-hans"
        words = response.answers.exclude(text="").values_list("text", flat=True).first()
        case = open_case(
            kind="complaint",
            text=words or ("没有留下文字。" if chinese else "They left no words."),
            source="survey",
            member_id=member.pk,
            response_id=response.pk,
            score=int(answer.number),
            store=str(response.traits.get("store", "")),
            key=f"response:{response.pk}",
            at=said,
        )
        who = people[place % len(people)].pk
        later = said + timedelta(hours=random.randint(1, 20))
        canned = CannedReply.objects.order_by("pk")[2]
        text = getattr(canned, "text_zh_hans" if chinese else "text_en").replace("{{ name }}", member.name)
        assign(case_id=case.pk, owner_id=who, at=later, actor_id=who, version=None)
        reply(case_id=case.pk, text=text, channel="portal", at=later, actor_id=who, version=None, then="resolved")


def _improvements(causes, people, at) -> None:
    milk = plan(
        title="Clean the milk machines twice a day, with a list to sign", cause_id=causes[0].pk,
        at=at - timedelta(days=96),
        actor_id=people[0].pk, assignee_id=people[0].pk, due_on=(at - timedelta(days=90)).date(), check_days=56,
    )  # fmt: skip
    noon = plan(
        title="A second till from 11:30 to 14:00", cause_id=causes[1].pk, at=at - timedelta(days=11),
        actor_id=people[0].pk, assignee_id=people[-1].pk, due_on=(at + timedelta(days=10)).date(),
    )  # fmt: skip
    for action, cause in ((milk, causes[0]), (noon, causes[1])):
        for case_id in Case.objects.filter(cause=cause).values_list("pk", flat=True):
            share(action_id=action.pk, case_id=case_id, at=action.created_at, actor_id=people[0].pk)
    set_state(action_id=milk.pk, state=ActionState.DONE, at=at - timedelta(days=90))
    set_state(action_id=noon.pk, state=ActionState.DOING, at=at - timedelta(days=5))


def _ideas(members, at, random) -> None:
    for case in Case.objects.filter(kind="suggestion").order_by("pk"):
        words = case.messages.order_by("pk").values_list("text", flat=True)[0]
        known = next((idea for told, idea in IDEAS.items() if told == words or _zh(told) == words), None)
        if known is None:
            continue
        en, zh, answer, answer_zh, state, likes = known
        idea = publish(
            case_id=case.pk, title_en=en, title_zh_hans=zh, answer_en=answer, answer_zh_hans=answer_zh, state=state,
            at=case.opened_at + timedelta(days=1), actor_id=None,
        )  # fmt: skip
        for member in random.sample(members, min(likes, len(members))):
            like(suggestion_id=idea.pk, member_id=member.pk, wanted=True, at=at - timedelta(days=random.randint(0, 5)))


def _zh(told: str) -> str:
    return next(case[-1] for case in CASES if case[-2] == told)

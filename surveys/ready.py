"""Surveys to begin from, and sets of questions to put into one: good as they stand, in both languages. A copy belongs
to the shop."""

from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Question = dict[str, Any]
AGREE = (
    ("agree", "Agree", "同意"),
    ("partly", "Partly", "部分同意"),
    ("disagree", "Disagree", "不同意"),
)


@dataclass(frozen=True, slots=True)
class Ready:
    """A ready survey: `when` says what it is for; `settings` what surveys.services.publishing.make_survey takes."""

    key: str
    name: Promise
    when: Promise
    icon: str
    definition: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions that are asked together; their ids are made anew where they would meet others."""

    key: str
    name: Promise
    icon: str
    questions: tuple[Question, ...]


def _t(english: str, chinese: str) -> dict[str, str]:
    return {"en": english, "zh-hans": chinese}


def _q(key: str, kind: str, english: str, chinese: str, **more: Any) -> Question:
    return {"id": key, "kind": kind, "title": _t(english, chinese), **more}


def _choices(*choices: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [{"id": key, "title": _t(english, chinese)} for key, english, chinese in choices]


def _ends(low: tuple[str, str], high: tuple[str, str]) -> list[dict[str, str]]:
    return [_t(*low), _t(*high)]


LIKELY = _ends(("Not at all likely", "完全不可能"), ("Extremely likely", "非常可能"))
SATISFIED = _ends(("Very unhappy", "非常不满意"), ("Very happy", "非常满意"))
EASY = _ends(("Strongly disagree", "非常不同意"), ("Strongly agree", "非常同意"))


def _nps(key: str = "recommend") -> Question:
    return _q(
        key, "nps", "How likely are you to recommend us to a friend?", "您有多大可能把我们推荐给朋友？",
        required=True, ends=LIKELY,
    )  # fmt: skip


def _csat(key: str, english: str, chinese: str, **more: Any) -> Question:
    return _q(key, "csat", english, chinese, ends=SATISFIED, **more)


def _at_most(question: str, value: int) -> dict[str, Any]:
    return {"answer": question, "op": "at_most", "value": value}


def _at_least(question: str, value: int) -> dict[str, Any]:
    return {"answer": question, "op": "at_least", "value": value}


def _why(key: str, question: str, low: int) -> list[Question]:
    """What to ask behind a score: what went wrong of the unhappy, what was good of the happy."""
    return [
        _q(
            f"{key}_low", "long", f"You answered {{{{ {question} }}}}. What should we have done better?",
            f"您的评分是 {{{{ {question} }}}}。我们哪里可以做得更好？", show_if=_at_most(question, low),
        ),
        _q(
            f"{key}_high", "long", "What did you like most?", "您最喜欢什么？",
            show_if={"not": _at_most(question, low)},
        ),
    ]  # fmt: skip


def _survey(*questions: Question, thanks: tuple[str, str] | None = None) -> dict[str, Any]:
    text = thanks or ("Your answers help us do better.", "您的回答会帮助我们做得更好。")
    return {
        "sections": [{"id": "s1", "questions": list(questions)}],
        "thanks": {"title": _t("Thank you", "谢谢您"), "text": _t(*text)},
    }


_MATTERS = _q(
    "matters", "multiple", "What matters most to you? Choose up to three.", "您最看重什么？最多选三项。",
    high=3, random=True, other=True,
    choices=_choices(
        ("taste", "Quality", "品质"), ("price", "Price", "价格"), ("staff", "Friendly staff", "店员友好"),
        ("speed", "Speed", "速度"), ("place", "The place itself", "环境"), ("card", "The loyalty card", "会员权益"),
    ),
)  # fmt: skip

SETS: dict[str, QuestionSet] = {
    one.key: one
    for one in (
        QuestionSet(
            "quality",
            _("Product quality"),
            "workspace_premium",
            (
                _csat(
                    "quality", "How happy are you with the quality of what you bought?", "您对所购商品的品质满意吗？"
                ),
                _q(
                    "quality_parts", "matrix", "How was it in detail?", "具体来看如何？",
                    rows=_choices(
                        ("look", "Appearance", "外观"), ("taste", "Taste or feel", "口感或手感"),
                        ("fresh", "Freshness", "新鲜度"), ("pack", "Packaging", "包装"),
                    ),
                    choices=_choices(("good", "Good", "好"), ("fair", "Fair", "一般"), ("poor", "Poor", "差")),
                ),
                _q("quality_photo", "photo", "Would you like to show us a picture?", "愿意上传一张照片给我们看看吗？"),
            ),
        ),
        QuestionSet(
            "price",
            _("Price"),
            "payments",
            (
                _csat("worth", "Was it worth its price?", "您觉得物有所值吗？"),
                _q(
                    "price_feel", "single", "Compared with other shops, our prices are…", "与其他店相比，我们的价格……",
                    choices=_choices(
                        ("lower", "lower", "更低"), ("same", "about the same", "差不多"), ("higher", "higher", "更高"),
                        ("unknown", "I cannot say", "说不清"),
                    ),
                ),
            ),
        ),
        QuestionSet(
            "service",
            _("Service"),
            "support_agent",
            (
                _csat("service", "How happy are you with our service?", "您对我们的服务满意吗？"),
                _q(
                    "effort", "ces", "It was easy to get what I came for.", "我很容易就买到了想要的东西。", ends=EASY
                ),
                _q(
                    "wait", "single", "How long did you wait?", "您等了多久？",
                    choices=_choices(
                        ("none", "Not at all", "没有等"), ("short", "Less than 5 minutes", "不到 5 分钟"),
                        ("long", "5 to 10 minutes", "5 到 10 分钟"), ("longer", "Longer", "更久"),
                    ),
                ),
            ),
        ),
    )
}  # fmt: skip

READY: dict[str, Ready] = {
    one.key: one
    for one in (
        Ready(
            "nps",
            _("Would you recommend us?"),
            _("Twice a year, to everybody: how the relationship stands (NPS), and why."),
            "favorite",
            _survey(_nps(), *_why("why", "recommend", 6), _MATTERS),
            {"ask_every_days": 180},
        ),
        Ready(
            "purchase",
            _("After a purchase"),
            _("A day after somebody bought: three taps on quality, service and effort."),
            "shopping_bag",
            _survey(
                _csat("overall", "How happy are you with your last visit?", "您对最近一次光临满意吗？", required=True),
                _csat("quality", "And with the quality of what you bought?", "对所购商品的品质呢？"),
                _csat("service", "And with the service?", "对服务呢？"),
                _q("effort", "ces", "It was easy to get what I came for.", "我很容易就买到了想要的东西。", ends=EASY),
                *_why("why", "overall", 3),
            ),
            {"ask_every_days": 60},
        ),
        Ready(
            "redemption",
            _("After a redemption"),
            _("When a reward was picked up: was it worth the points?"),
            "redeem",
            _survey(
                _csat("reward", "How happy are you with your reward?", "您对兑换的奖励满意吗？", required=True),
                _q(
                    "worth", "single", "Was it worth the points?", "您觉得这些积分花得值吗？",
                    choices=_choices(
                        ("yes", "Yes", "值"), ("partly", "Partly", "一般"), ("no", "No", "不值"),
                    ),
                ),
                _q("effort", "ces", "Redeeming was easy.", "兑换过程很方便。", ends=EASY),
                _q(
                    "wish", "short", "Which reward would you like to see?", "您希望有哪些奖励？",
                ),
            ),
        ),
        Ready(
            "event",
            _("After an event"),
            _("For those who came to a tasting, a workshop, an evening."),
            "celebration",
            _survey(
                _q("stars", "stars", "How was the event?", "您给这次活动打几颗星？", required=True),
                _q(
                    "parts", "matrix", "How was it in detail?", "具体来看如何？",
                    rows=_choices(
                        ("topic", "Topic", "主题"), ("place", "Place", "场地"), ("hosts", "Hosts", "主持与工作人员"),
                        ("time", "Day and time", "日期和时间"),
                    ),
                    choices=_choices(("good", "Good", "好"), ("fair", "Fair", "一般"), ("poor", "Poor", "差")),
                ),
                _q(
                    "again", "single", "Would you come again?", "您还会再来吗？",
                    choices=_choices(("yes", "Yes", "会"), ("perhaps", "Perhaps", "也许"), ("no", "No", "不会")),
                ),
                _q("idea", "long", "What should we do next?", "您希望我们下次办什么活动？"),
            ),
        ),
        Ready(
            "product",
            _("Product test"),
            _("For a new product that members have tried: liking, buying, price."),
            "science",
            _survey(
                _q("stars", "stars", "How did you like it?", "您喜欢这款产品吗？", required=True),
                _q(
                    "parts", "matrix", "What do you say of…", "您怎么评价……",
                    rows=_choices(
                        ("look", "its look?", "外观"), ("taste", "its taste or feel?", "口感或手感"),
                        ("size", "its size?", "分量"), ("pack", "its packaging?", "包装"),
                    ),
                    choices=_choices(("good", "Good", "好"), ("fair", "Fair", "一般"), ("poor", "Poor", "差")),
                ),
                _q(
                    "buy", "slider", "How likely would you buy it?", "您会购买的可能性有多大？",
                    low=0, high=100, step=5, ends=_ends(("Never", "绝不"), ("For sure", "一定会")),
                ),
                _q("price", "number", "What would be a fair price?", "您认为合理的价格是多少？", low=0),
                _q("change", "long", "What should we change?", "我们应该改进什么？"),
            ),
        ),
        Ready(
            "exit",
            _("Why did you leave us?"),
            _("For members who have not come for long. Short, and without reproach."),
            "logout",
            _survey(
                _q(
                    "reason", "single", "What kept you away?", "是什么让您没有再来？", required=True, random=True,
                    other=True,
                    choices=_choices(
                        ("moved", "I moved away", "我搬走了"), ("price", "The prices", "价格"),
                        ("quality", "The quality", "品质"), ("service", "The service", "服务"),
                        ("need", "I need it less", "需求少了"), ("elsewhere", "I go elsewhere now", "我去了别家"),
                    ),
                ),
                _q(
                    "elsewhere", "short", "Where do you go now?", "您现在去哪家？",
                    show_if={"answer": "reason", "op": "is", "value": "elsewhere"},
                ),
                _q("back", "long", "What would bring you back?", "怎样才能让您再回来？"),
                _q("contact", "consent", "May we get in touch with you about it?", "我们可以就此与您联系吗？"),
                thanks=("We would be glad to see you again.", "期待再次见到您。"),
            ),
        ),
        Ready(
            "rewards",
            _("Which rewards do you want?"),
            _("Market research on the catalogue, before it is filled anew."),
            "featured_seasonal_and_gifts",
            _survey(
                _q(
                    "kinds", "ranking", "Which rewards do you like best? Put them in order.",
                    "您最喜欢哪类奖励？请排序。", random=True,
                    choices=_choices(
                        ("free", "Free products", "免费商品"), ("money", "Money off", "抵扣金额"),
                        ("experience", "Experiences", "体验活动"),
                        ("early", "Things before others have them", "抢先体验"),
                        ("good", "A good cause", "公益捐赠"),
                    ),
                ),
                _q(
                    "points", "single", "Do points add up quickly enough?", "积分累积得够快吗？",
                    choices=_choices(
                        ("yes", "Yes", "够快"), ("partly", "It could be quicker", "可以更快"), ("no", "No", "太慢"),
                    ),
                ),
                _q("wish", "long", "Which reward do you miss?", "您还希望有什么奖励？"),
            ),
        ),
        Ready(
            "idea",
            _("New product idea"),
            _("Before anything is made: do members understand it, and want it?"),
            "lightbulb",
            _survey(
                _q(
                    "idea", "statement", "We are thinking of something new", "我们在构思一款新产品",
                    help=_t("Describe your idea here, in two or three sentences.", "请在这里用两三句话介绍您的想法。"),
                ),
                _q("like", "stars", "How do you like the idea?", "您喜欢这个想法吗？", required=True),
                _q(
                    "say", "matrix", "What do you say?", "您同意吗？",
                    rows=_choices(
                        ("clear", "I understand what it is.", "我明白这是什么。"),
                        ("new", "It is something new.", "这很有新意。"),
                        ("need", "I can use it.", "我用得上。"),
                    ),
                    choices=_choices(*AGREE),
                ),
                _q("buy", "slider", "How likely would you try it?", "您会尝试的可能性有多大？", low=0, high=100, step=5,
                   ends=_ends(("Never", "绝不"), ("For sure", "一定会"))),
                _q("more", "long", "What should it be able to do?", "您希望它还能做到什么？",
                   show_if=_at_least("like", 3)),
                _q("less", "long", "What do you not like about it?", "您不喜欢它的哪一点？",
                   show_if=_at_most("like", 2)),
            ),
        ),
    )
}  # fmt: skip

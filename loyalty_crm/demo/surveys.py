"""What the café asks its members: a survey of three waves, an anonymous one, and an idea that nobody is asked yet; and
what they write about."""

from copy import deepcopy
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from campaigns.events import MESSAGE_SENT, record_messages
from campaigns.models import Message
from campaigns.services.senders import default_sender
from campaigns.services.survey_mail import mail_of
from campaigns.services.templates import newest_version
from loyalty_crm.demo.data import STORES
from loyalty_crm.demo.news import read
from loyalty_crm.demo.people import Guest
from members.enums import Language
from members.models import PRESENT, Member, User
from rewards.models import MemberTier
from surveys.enums import PlaceKind, SurveyState, TriggerEvent, Way
from surveys.models import Invitation, Survey, Theme, Wave
from surveys.ready import READY, SETS
from surveys.services.answering import answer, begin, complete
from surveys.services.doors import make_place, make_trigger
from surveys.services.mixing import mix_due
from surveys.services.publishing import make_survey, move, save_draft, save_quota
from surveys.services.sharing import share_report
from surveys.services.themes import add_ready, read_due, save_theme

WAVES = (195, 105, 16)  # days ago
SCORES = (  # by wave: a new machine at Central Station since the second
    {"Harbour Street": 8.9, "Old Town": 8.4, "Central Station": 6.1},
    {"Harbour Street": 9.0, "Old Town": 8.3, "Central Station": 6.9},
    {"Harbour Street": 9.1, "Old Town": 8.6, "Central Station": 8.0},
)
LOW = (
    ("Waited fifteen minutes for a flat white.", "等一杯澳白等了十五分钟。"),
    ("The queue at lunch is far too long.", "午餐时间排队太久了。"),
    ("My coffee was lukewarm, twice in a row.", "连续两次咖啡都是温的。"),
    ("The girl at the till was rude when I asked for oat milk.", "我要燕麦奶时，收银员态度不好。"),
    ("Too expensive for what it is.", "价格偏高，不太值。"),
    ("Prices went up again and the cakes got smaller.", "又涨价了，蛋糕却变小了。"),
    ("No free table, and the floor was sticky.", "没有空位，地板也黏黏的。"),
    ("My points did not show up for two days.", "积分过了两天才到账。"),
    ("The machine was broken again, so no espresso.", "咖啡机又坏了，喝不到浓缩。"),
)
HIGH = (
    ("The best flat white in town.", "全城最好喝的澳白。"),
    ("Friendly staff who know my name.", "店员很友好，还记得我的名字。"),
    ("Fresh croissants every morning.", "每天早上都有新鲜的可颂。"),
    ("The birthday coffee made my day.", "生日咖啡让我开心了一整天。"),
    ("Quick, friendly and always clean.", "又快又亲切，总是很干净。"),
    ("I love the free coffee for my points.", "喜欢用积分换免费咖啡。"),
    ("Good beans and fair prices.", "豆子好，价格也公道。"),
    ("Lovely quiet place to read.", "很安静，适合看书。"),
)
MATTERS = ("taste", "price", "staff", "speed", "place", "card")


def ask(random: Random, guests: list[Guest], at: datetime, staff: dict[str, User]) -> None:
    here = set(Member.objects.filter(PRESENT).values_list("pk", flat=True))
    asked = [guest for guest in guests if guest.member.pk in here]
    _recommend(random, asked, at, staff)
    _anonymous(random, asked, at)
    _reach(at)
    ready = READY["idea"]
    make_survey(name="Cold brew in bottles", definition=deepcopy(ready.definition), at=at - timedelta(days=2))
    add_ready(at=at)
    oats = Theme(name_en="Oat milk", name_zh_hans="燕麦奶", terms="oat milk\noat\n燕麦")  # type: ignore[misc]
    save_theme(oats, at=at)
    read_due()


def _reach(at: datetime) -> None:
    """After purchases one is asked how it was; codes hang on the tables, a tablet stands on the counter."""
    ready = READY["purchase"]
    survey = _opened(
        deepcopy(ready.definition), "How was your visit?", at - timedelta(days=9),
        ways=[Way.LINK, Way.PORTAL, Way.PUBLIC, Way.KIOSK, Way.PAPER, Way.API], thanks_points=20, ask_every_days=30,
    )  # fmt: skip
    make_trigger(survey_id=survey.pk, event=TriggerEvent.PURCHASE, at=at, least_minor=500, share=Decimal(25))
    make_trigger(survey_id=survey.pk, event=TriggerEvent.REDEMPTION, at=at, after_hours=24)
    for table in ("1", "2", "Window"):
        make_place(survey_id=survey.pk, kind=PlaceKind.POSTER, store="Old Town", table=table, at=at)
    make_place(survey_id=survey.pk, kind=PlaceKind.TABLET, store="Harbour Street", at=at)


def _opened(key_or_definition: Any, name: str, at: datetime, **settings: Any) -> Survey:
    survey = make_survey(name=name, definition=key_or_definition, at=at, **settings)
    return move(survey_id=survey.pk, to=SurveyState.OPEN, at=at)


def _around(random: Random, mean: float, low: int, high: int, spread: float = 2.0) -> int:
    return max(low, min(high, round(random.gauss(mean, spread))))


def _language(guest: Guest) -> str:
    return guest.member.language if guest.member.language in Language.values else "en"


def _words(random: Random, lines: tuple[tuple[str, str], ...], language: str) -> str:
    return random.choice(lines)[1 if language == "zh-hans" else 0]


def _mailed(survey: Survey, invitations: list[Invitation], at: datetime) -> None:
    """The invitations went out by mail, but to those who have no address: they find the survey on their pages."""
    mail = mail_of(survey_id=survey.pk, at=at)
    sender, version = default_sender("email"), newest_version(mail.template_id)
    sent = [
        Message(
            campaign=mail.campaign, occurrence=f"invitation:{one.pk}", channel="email", member=one.member,
            sender=sender, version=version, due_at=at, expires_at=at + timedelta(days=7), state="sent", changed_at=at,
            next_try_at=at, frozen_at=at, sent_at=at, language=one.member.language, to=one.member.email, created_at=at,
        )
        for one in invitations
        if one.member.email
    ]  # fmt: skip
    ids = [one.pk for one in Message.objects.bulk_create(sent)]
    record_messages(MESSAGE_SENT, ids, at)
    read(Message.objects.filter(pk__in=ids), at, best=0, follow=9)


def _recommend(random: Random, guests: list[Guest], at: datetime, staff: dict[str, User]) -> None:
    """Three waves of the ready survey; thanked with points since this week, so that none were given before."""
    first = at - timedelta(days=WAVES[0] + 2)
    survey = _opened(
        deepcopy(READY["nps"].definition), "Would you recommend us?", first, ways=list(Way.values), ask_every_days=60
    )
    tiers = dict(MemberTier.objects.values_list("member", "tier__name_en"))
    for number, (days, means) in enumerate(zip(WAVES, SCORES, strict=True), 1):
        begins = at - timedelta(days=days)
        drawn = [guest for guest in guests if guest.first < begins and random.random() < 0.62]
        Wave.objects.create(
            survey=survey, number=number, share=62, due_at=begins, done_at=begins, considered=len(guests),
            invited=len(drawn),
        )  # fmt: skip
        made = Invitation.objects.bulk_create(
            [
                Invitation(
                    survey=survey, member=guest.member, key=f"wave:{number}", created_at=begins,
                    expires_at=begins + timedelta(days=30),
                )
                for guest in drawn
            ]
        )  # fmt: skip
        _mailed(survey, made, begins)
        for guest, invitation in zip(drawn, made, strict=True):
            if random.random() > 0.46:
                continue
            moment = begins + timedelta(hours=min(random.expovariate(1 / 40), 24 * (days - 1)))
            language = _language(guest)
            response = begin(
                survey_id=survey.pk, way=Way.LINK, language=language, at=moment, invitation=invitation.uid,
                traits={"store": guest.store, "tier": tiers.get(guest.member.pk) or "Member"},
            )  # fmt: skip
            score = _around(random, means[guest.store], 0, 10)
            values: dict[str, Any] = {"recommend": score}
            if random.random() < 0.06:  # went away in the middle
                answer(response_id=response.pk, values=values, at=moment)
                continue
            if score <= 6:
                values["why_low"] = _words(random, LOW, language) if random.random() < 0.75 else ""
            else:
                values["why_high"] = _words(random, HIGH, language) if random.random() < 0.5 else ""
            values["matters"] = random.sample(MATTERS, random.randint(1, 3))
            answer(response_id=response.pk, values=values, at=moment)
            complete(response_id=response.pk, at=moment + timedelta(minutes=2))
    save_draft(survey_id=survey.pk, at=at - timedelta(days=3), thanks_points=20, thanks_days=180)
    share_report(
        survey_id=survey.pk, title="Would guests recommend us? By store", chosen={"by": "store"}, verbatims=True,
        expires_at=at + timedelta(days=90), at=at - timedelta(days=1), actor_id=staff["Marketer"].pk,
    )  # fmt: skip
    low = {"answer": "recommend", "op": "at_most", "value": 6}
    save_quota(survey_id=survey.pk, name="Unhappy guests", condition=low, most=150, at=at)


def _anonymous(random: Random, guests: list[Guest], at: datetime) -> None:
    begins = at - timedelta(days=70)
    definition = {
        "sections": [
            {
                "id": "s1",
                "title": {"en": "Service", "zh-hans": "服务"},
                "questions": deepcopy(list(SETS["service"].questions)),
            },
            {
                "id": "s2",
                "title": {"en": "Price", "zh-hans": "价格"},
                "questions": [
                    *deepcopy(list(SETS["price"].questions)),
                    {
                        "id": "say",
                        "kind": "long",
                        "title": {"en": "What else would you like to tell us?", "zh-hans": "您还想告诉我们什么？"},
                    },
                ],
            },
        ],
        "thanks": {"title": {"en": "Thank you", "zh-hans": "谢谢您"}},
    }
    survey = _opened(
        definition, "Service and prices, anonymously", begins, anonymous=True, ways=[Way.PUBLIC, Way.KIOSK, Way.PORTAL]
    )
    for day in range(0, 68, 7):
        moment = begins + timedelta(days=day)
        for guest in random.sample(guests, min(len(guests), 13)):
            if moment >= at or random.random() < 0.1:
                continue
            language, way = _language(guest), random.choice((Way.PUBLIC, Way.KIOSK))
            response = begin(survey_id=survey.pk, way=way, language=language, at=moment)
            mean = 3.2 if guest.store == STORES[2] else 4.2
            service = _around(random, mean, 1, 5, 0.9)
            values = {
                "service": service,
                "effort": _around(random, mean + 1.4, 1, 7, 1.3),
                "wait": random.choices(("none", "short", "long", "longer"), (3, 5, 2, 1))[0],
            }
            answer(response_id=response.pk, values=values, at=moment)
            values = {
                "worth": _around(random, 3.7, 1, 5, 0.9),
                "price_feel": random.choices(("lower", "same", "higher", "unknown"), (1, 5, 4, 1))[0],
                "say": _words(random, LOW if service < 4 else HIGH, language) if random.random() < 0.4 else "",
            }
            answer(response_id=response.pk, values=values, at=moment)
            complete(response_id=response.pk, at=moment)
        mix_due(at=moment + timedelta(hours=6))

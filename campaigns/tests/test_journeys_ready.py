"""Each ready journey from its cause to its last mail, by a moved clock: what arrives, in whose language, and what is
given. The mails go by SMTP to a server that keeps them."""

from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

import pytest

from campaigns.journeys.ready import READY
from campaigns.models import Journey, JourneyLog, JourneyRun, Message
from campaigns.services.delivery import deliver
from campaigns.services.journeys.definitions import publish_journey, save_journey
from campaigns.services.journeys.ready import take_ready
from campaigns.services.journeys.running import run
from campaigns.services.occasions import choose_countries, keep_calendar
from campaigns.tests.factories import utc
from campaigns.tests.smtp import Sink
from campaigns.tests.test_journeys import join, react
from members.models import Member, MemberTag, Programme, Task
from members.services.consent import state_consent
from members.services.summaries import recompute
from members.tests.factories import JOINED, make_member, new_purchase
from rewards.models import Coupon
from rewards.queries import balance
from rewards.services.purchases import post_purchases
from rewards.tests.factories import adjust, make_rule, make_tiers

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
START = utc(2026, 5, 1, 6)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NAMES = {"en": "Anna <Fischer>", "zh-hans": "陈美玲"}


@pytest.fixture(autouse=True)
def shop(db, sink) -> None:
    Programme.objects.update_or_create(pk=1, defaults={"name": "Corner Café", "time_zone": "Europe/Berlin"})
    keep_calendar(at=START)
    choose_countries(codes=["CN"], at=START)
    make_rule()
    make_tiers()


def begin(key: str, at: datetime = START) -> Journey:
    made = take_ready(key=key, at=at)
    made.campaign.holdout_percent = 0
    made.campaign.save()
    publish_journey(journey_id=made.pk, at=at)
    return made


def somebody(language: str = "en", **profile) -> Member:
    return agree(make_member(time_zone="Europe/Berlin", language=language, name=NAMES[language], **profile))


def couple(**profile) -> list[Member]:
    """One who reads English, and one who reads Chinese."""
    return [somebody(language, **profile) for language in NAMES]


def agree(member: Member) -> Member:
    for purpose in ("offers", "greetings"):
        state_consent(member_id=member.pk, channel="email", purpose=purpose, granted=True, source="test", at=JOINED)
    return member


def buy(member: Member, at: datetime, euros: int = 10) -> None:
    post_purchases(purchases=[new_purchase(member, purchased_at=at, amount_minor=euros * 100)], at=at)
    react(at)


def days(last: int, *, first: datetime = START, acts=None) -> None:
    """Lets the clock go on by hours, for so many days; `acts` say what members do at an hour. Everything runs twice."""
    for n in range(last * 24 + 1):
        at = first + n * HOUR
        if acts and n in acts:
            acts[n](at)
        if n % 24 in (0, 1, 2, 3):  # eight to eleven: the hours in which something of these journeys is due
            for _again in range(2):
                run(at=at)
                deliver(clock=lambda at=at: at)


def mails(sink: Sink, member: Member) -> list[EmailMessage]:
    return [mail for mail in sink.kept if mail["To"] == member.email]


def inbox(sink: Sink, member: Member) -> list[tuple[str, str]]:
    """What arrived: day and hour in Berlin, and the subject."""
    when = [parsedate_to_datetime(mail["Date"]).astimezone(BERLIN) for mail in mails(sink, member)]
    return [(f"{at:%m-%d %H}", mail["Subject"]) for at, mail in zip(when, mails(sink, member), strict=True)]


def text(sink: Sink, member: Member, place: int = -1) -> str:
    """The words of a mail that arrived, of which the HTML part has the same; nothing of another language in it."""
    mail = mails(sink, member)[place]
    plain, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    is_chinese = member.language == "zh-hans"
    assert f'lang="{member.language}"' in html.replace("zh-Hans", "zh-hans")
    assert ("您好！" in plain) == ("您好！" in html) == is_chinese
    assert ("Dear" in plain) == ("Dear" in html) == (not is_chinese)
    assert "{{" not in plain + html
    assert "<Fischer>" not in html
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return plain


def given(member: Member) -> list[tuple[str, str | int]]:
    """Points and coupons that ways gave, with the day."""
    told: list[tuple[str, str | int]] = []
    for note in JourneyLog.objects.filter(run__member=member, what="did").order_by("id"):
        if points := note.why.get("points"):
            told.append((f"{note.at:%m-%d}", points))
        elif coupon := note.why.get("coupon"):
            told.append((f"{note.at:%m-%d}", Coupon.objects.get(pk=coupon, member=member).offer.name_en))
    return told


def test_welcome(sink):
    begin("welcome", START - DAY)
    anna, mei = (join(START, time_zone="Europe/Berlin", language=to, name=NAMES[to]) for to in NAMES)
    anna, mei = agree(anna), agree(mei)
    days(9, acts={48: lambda at: buy(anna, at)})
    assert inbox(sink, anna) == [("05-01 08", "Welcome to Corner Café"), ("05-03 10", "Thank you for your visit")]
    assert inbox(sink, mei) == [("05-01 08", "欢迎加入Corner Café"), ("05-08 11", "新品上架")]
    assert (given(anna), given(mei)) == ([("05-03", 50)], [])
    assert anna.card_number_grouped in text(sink, anna, 0)
    assert mei.card_number_grouped in text(sink, mei, 0)
    assert "Your points: 60" in text(sink, anna)  # ten of the visit, and the gift


def test_birthday(sink):
    begin("birthday")
    anna, mei = couple(birthday_month=5, birthday_day=3)
    buyer, stranger = somebody(birthday_month=5, birthday_day=3), make_member(birthday_month=5, birthday_day=3)
    days(25, acts={24 * 5: lambda at: buy(buyer, at)})
    wish = ("05-03 09", "Happy birthday, Anna <Fischer>!")
    assert inbox(sink, anna) == [wish, ("05-24 10", "100 points wait until June 2, 2026")]
    assert inbox(sink, mei) == [("05-03 09", "陈美玲，生日快乐！"), ("05-24 10", "您有100积分将于2026年6月2日到期")]
    assert inbox(sink, buyer) == [wish]
    assert inbox(sink, stranger) == []
    assert given(anna) == given(mei) == given(buyer) == [("05-03", 100)]
    assert "100 points, to spend until June 2, 2026" in text(sink, anna, 0)
    assert "有效期至2026年6月2日" in text(sink, mei, 0)
    assert balance(buyer.pk, utc(2026, 5, 26)) == 110


def test_lunar_birthday(sink):
    begin("birthday")
    member = somebody("zh-hans", birthday_month=3, birthday_day=18, birthday_calendar="lunar")  # 2026-05-04
    days(5)
    assert inbox(sink, member) == [("05-04 09", "陈美玲，生日快乐！")]


def test_festival(sink):
    first = utc(2026, 9, 22, 6)
    begin("festival", first)
    anna, mei = couple()
    days(8, first=first, acts={24 * 3: lambda at: buy(mei, at)})  # the festival is on the 25th
    assert inbox(sink, anna) == [("09-23 10", "The same moon for all of us")]
    assert inbox(sink, mei) == [("09-23 10", "但愿人长久，千里共婵娟")]
    assert "Happy Mid-Autumn Festival" in text(sink, anna)
    assert "中秋团圆" in text(sink, mei)
    assert (given(anna), given(mei)) == ([], [("09-25", 30)])
    assert JourneyRun.objects.get(member=anna).key == f"mid-autumn:2026:{anna.pk}"


def lapsed(language: str = "en") -> Member:
    """Somebody who came every ten days and has been away since, so that they are missed on 2026-05-02."""
    member, last = somebody(language), utc(2026, 4, 12, 7)
    bought = [new_purchase(member, purchased_at=last - n * 10 * DAY, amount_minor=2000) for n in range(4)]
    post_purchases(purchases=bought, at=last)
    recompute(member_ids=[member.pk])
    return member


def test_win_back_rises_and_stops_with_the_purchase(sink):
    begin("win-back", START - DAY)
    anna, mei, back = lapsed(), lapsed("zh-hans"), lapsed()
    days(36, acts={24 * 10: lambda at: buy(back, at)})
    ladder = [("05-02", "10 % off"), ("05-09", "15 % off"), ("05-19", "20 % off")]
    assert given(anna) == given(mei) == ladder
    assert given(back) == ladder[:2]
    subjects = ["We have not seen you for a while", "Something to come back for", "One last gift from us"]
    assert inbox(sink, anna) == [(f"{day} 10", said) for (day, _offer), said in zip(ladder, subjects, strict=True)]
    assert inbox(sink, back) == inbox(sink, anna)[:2]
    assert [said for _day, said in inbox(sink, mei)] == ["好久不见，近来可好？", "回来看看，有礼相待", "最后一份心意"]
    for member in (anna, mei):  # each mail with the coupon of its own step, as code and as picture
        codes = Coupon.objects.filter(member=member).order_by("pk").values_list("code", flat=True)
        for place, code in enumerate(codes):
            assert code in text(sink, member, place).replace("-", "")
            assert any(part.get_content_type() == "image/png" for part in mails(sink, member)[place].walk())
    assert "立减 15%" in text(sink, mei, 1)
    assert "有效期至2026年6月8日" in text(sink, mei, 1)
    assert JourneyRun.objects.get(member=back).state == "converted"
    assert sorted(MemberTag.objects.values_list("member", "tag__name")) == [
        (anna.pk, "Not won back"), (mei.pk, "Not won back"),
    ]  # fmt: skip


def test_win_back_keeps_its_cost_cap(sink):
    made = take_ready(key="win-back", at=START - DAY)
    made.campaign.holdout_percent = 0
    made.campaign.save()
    assert made.draft["cap_cost_minor"] == 200_000  # 2,000 euros
    capped = made.draft | {"cap_cost_minor": 350}  # each bought for 20.00: 2.00, 3.00 and 4.00 by coupon
    save_journey(journey_id=made.pk, name="Win back", purpose="offers", definition=capped, at=START - DAY)
    publish_journey(journey_id=made.pk, at=START - DAY)
    first, anna, mei = lapsed(), lapsed(), lapsed("zh-hans")
    days(36)
    assert [given(member) for member in (first, anna, mei)] == [[("05-02", "10 % off")], [], []]
    assert Journey.objects.get().cost_minor == 200
    assert [said for _day, said in inbox(sink, first)][1:] == ["Something to come back for", "One last gift from us"]
    # The mails go all the same, and promise nothing.
    assert [said for _day, said in inbox(sink, anna)][1:] == ["Will we see you again?", "We will be quiet now"]
    assert [said for _day, said in inbox(sink, mei)][1:] == ["期待再次见到您", "暂时向您道别"]
    told = [text(sink, anna, place) + text(sink, mei, place) for place in range(3)]
    assert not any(word in said for said in told for word in ("the code", "last gift", "券码", "心意"))


def test_thanks_the_morning_after_and_once_a_month(sink):
    begin("thanks")
    anna, mei = couple()
    days(40, acts={
        9: lambda at: buy(anna, at, 1), 10: lambda at: buy(mei, at, 12),
        240: lambda at: buy(anna, at), 888: lambda at: buy(anna, at),
    })  # fmt: skip
    thanks = "Thank you for your visit"
    assert inbox(sink, anna) == [("05-03 10", thanks), ("06-08 10", thanks)]
    assert inbox(sink, mei) == [("05-03 10", "感谢您的光临")]
    assert "Your visit brought you 1 point." in text(sink, anna, 0)
    assert "Your visit brought you 10 points." in text(sink, anna, 1)
    assert "12积分" in text(sink, mei)


def test_points_about_to_expire(sink):
    begin("expiring")
    anna, mei, spender = *couple(), somebody()
    for one in (anna, mei, spender):
        adjust(one, 1200, START - DAY, key=f"k{one.pk}", expires_at=utc(2026, 6, 4, 22))  # the last day is 4 June
    days(30, acts={24 * 8: lambda at: adjust(spender, -1150, at, key="spent")})
    first = ("05-05 10", "1,200 points wait until June 4, 2026")
    assert inbox(sink, anna) == [first, ("05-28 10", "The last days of 1,200 points")]
    assert inbox(sink, spender) == [first]
    assert inbox(sink, mei) == [
        ("05-05 10", "您有1,200积分将于2026年6月4日到期"), ("05-28 10", "最后几天：您的1,200积分即将到期"),
    ]  # fmt: skip
    assert "June 4, 2026 is their last day" in text(sink, anna)
    assert "2026年6月4日" in text(sink, mei)


def test_tier_reached(sink):
    begin("tier")
    anna, mei = couple()
    days(2, acts={24: lambda at: (buy(anna, at, 600), buy(mei, at, 1100))})
    assert inbox(sink, anna) == [("05-02 08", "You are Silver now")]
    assert inbox(sink, mei) == [("05-02 08", "恭喜您晋升为金卡")]
    assert "You keep it until May 2, 2027" in text(sink, anna)
    assert "等级有效期至2027年5月2日" in text(sink, mei)
    assert Task.objects.filter(title="Congratulate on the new tier").count() == 2


def test_anniversary(sink):
    begin("anniversary", utc(2025, 12, 30, 6))
    (anna, mei), old = couple(), somebody()  # joined on 1 January 2025
    Member.objects.filter(pk=old.pk).update(joined_at=utc(2023, 1, 1, 9))
    days(4, first=utc(2025, 12, 30, 6))
    assert inbox(sink, anna) == [("01-01 10", "A year with us: thank you")]
    assert inbox(sink, mei) == [("01-01 10", "与您相伴1年，感谢有您")]
    assert inbox(sink, old) == [("01-01 10", "3 years with us: thank you")]
    assert given(anna) == given(mei) == [("01-01", 100)]
    assert "On January 1, 2025 you joined Corner Café" in text(sink, anna)
    assert "2025年1月1日，您加入了Corner Café" in text(sink, mei)
    assert "to spend until March 2, 2026" in text(sink, anna)


def test_a_mail_that_the_server_takes_late_tells_of_what_was_given_before_it(sink):
    begin("win-back", START - DAY)
    member = lapsed()
    sink.trouble["RCPT"] = "451 later"
    days(19)  # all three coupons were given, and no mail has gone out
    sink.trouble.clear()
    days(2, first=START + 19 * DAY)
    assert [code in text(sink, member).replace("-", "") for code in Coupon.objects.values_list("code", flat=True)] == [
        False, False, True,
    ]  # fmt: skip
    assert list(Message.objects.order_by("pk").values_list("state", flat=True)) == ["missed", "missed", "sent"]


@pytest.mark.parametrize("key", READY)
def test_each_can_be_taken_twice_and_makes_its_parts_once(key):
    first, second = take_ready(key=key, at=START), take_ready(key=key, at=START)
    assert first.draft == second.draft
    publish_journey(journey_id=second.pk, at=START)

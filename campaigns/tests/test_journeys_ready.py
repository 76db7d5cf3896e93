"""Each ready journey from the first step to the last, with a moved clock: what is sent and given, and when."""

from datetime import timedelta

import pytest

from campaigns.content.compiled import compiled
from campaigns.enums import MessageState
from campaigns.journeys.ready import READY
from campaigns.models import JourneyLog, JourneyRun, Message, TemplateVersion
from campaigns.services.journeys.definitions import publish_journey
from campaigns.services.journeys.ready import take_ready
from campaigns.services.journeys.running import run
from campaigns.services.journeys.writing import write
from campaigns.services.occasions import choose_countries, keep_calendar
from campaigns.tests.factories import utc
from campaigns.tests.test_journeys import buy, join, react
from members.models import Programme
from members.services.consent import state_consent
from members.services.summaries import recompute
from members.tests.factories import JOINED, make_member, new_purchase
from rewards.models import Coupon
from rewards.tests.factories import adjust

pytestmark = pytest.mark.django_db
START = utc(2026, 5, 1, 6)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def shop(db):
    Programme.objects.update_or_create(pk=1, defaults={"time_zone": "Europe/Berlin"})
    keep_calendar(at=START)
    choose_countries(codes=["CN"], at=START)


def begin(key: str, at=START):
    made = take_ready(key=key, at=at)
    made.campaign.holdout_percent = 0
    made.campaign.save()
    publish_journey(journey_id=made.pk, at=at)
    return made


def somebody(**profile):
    member = make_member(time_zone="Europe/Berlin", **profile)
    agree(member)
    return member


def agree(member) -> None:
    for purpose in ("offers", "greetings"):
        state_consent(member_id=member.pk, channel="email", purpose=purpose, granted=True, source="test", at=JOINED)


def days(last: int, *, first=START, acts=None) -> None:
    """Lets the clock go on by hours, for so many days; `acts` say what a member does on a day."""
    for n in range(last * 24 + 1):
        at = first + timedelta(hours=n)
        if acts and n in acts:
            acts[n](at)
        if n % 24 in (1, 2, 3):  # nine to eleven: the hours in which something of these journeys is due
            run(at=at)


def story(member) -> list[tuple[str, str]]:
    """What was sent and given, with day and hour in Berlin."""
    told = []
    for note in JourneyLog.objects.filter(run__member=member, what="did").order_by("id"):
        when = note.at.strftime("%m-%d")
        if message := note.why.get("message"):
            version = TemplateVersion.objects.get(pk=Message.objects.get(pk=message).why["version"])
            told.append((when, str(version.template)))
        elif points := note.why.get("points"):
            told.append((when, f"{points} points"))
        elif coupon := note.why.get("coupon"):
            told.append((when, str(Coupon.objects.get(pk=coupon).offer)))
        else:
            told.append((when, note.step))
    return told


def test_welcome():
    begin("welcome", START - DAY)
    member, quiet = join(START, time_zone="Europe/Berlin"), join(START, time_zone="Europe/Berlin")
    agree(member)
    agree(quiet)
    days(9, acts={48: lambda at: buy(member, at)})
    assert story(member) == [
        ("05-01", "Welcome"), ("05-03", "50 points"), ("05-03", "Thanks after a purchase"),
    ]  # fmt: skip
    assert story(quiet) == [("05-01", "Welcome"), ("05-08", "New arrivals")]


def test_birthday():
    begin("birthday")
    member, buyer = somebody(birthday_month=5, birthday_day=3), somebody(birthday_month=5, birthday_day=3)
    days(25, acts={24 * 5: lambda at: buy(buyer, at)})
    assert story(member) == [("05-03", "100 points"), ("05-03", "Birthday"), ("05-24", "Points about to expire")]
    assert story(buyer) == [("05-03", "100 points"), ("05-03", "Birthday")]


def test_lunar_birthday():
    begin("birthday")
    member = somebody(birthday_month=3, birthday_day=18, birthday_calendar="lunar")  # 2026-05-04
    days(5)
    assert story(member) == [("05-04", "100 points"), ("05-04", "Birthday")]


def test_festival():
    first = utc(2026, 9, 22, 6)
    begin("festival", first)
    member, guest = somebody(), somebody()
    days(8, first=first, acts={24 * 3: lambda at: buy(guest, at)})
    assert story(member) == [("09-23", "Mid-Autumn Festival")]  # the festival is on the 25th
    assert story(guest) == [("09-23", "Mid-Autumn Festival"), ("09-25", "30 points")]
    assert JourneyRun.objects.get(member=member).key == f"mid-autumn:2026:{member.pk}"


def lapsed():
    """Somebody who came every ten days and has been away since, so that they are missed on 2026-05-02."""
    from members.services.purchases import record_purchases

    member = somebody()
    last = utc(2026, 4, 12, 7)
    record_purchases(purchases=[new_purchase(member, purchased_at=last - n * 10 * DAY) for n in range(4)])
    recompute(member_ids=[member.pk])
    return member


def test_win_back_rises_and_stops_with_the_purchase():
    begin("win-back", START - DAY)
    member, back = lapsed(), lapsed()
    days(36, acts={24 * 10: lambda at: buy(back, at)})
    ladder = [
        ("05-02", "10 % off"), ("05-02", "Win back 1: we miss you"),
        ("05-09", "15 % off"), ("05-09", "Win back 2: a coupon"),
        ("05-19", "20 % off"), ("05-19", "Win back 3: the last try"),
        ("06-02", "mark"),
    ]  # fmt: skip
    assert story(member) == ladder
    assert story(back) == ladder[:4]
    assert JourneyRun.objects.get(member=back).state == "converted"


def test_thanks_the_morning_after_and_once_a_month():
    begin("thanks")
    member = somebody()
    days(40, acts={9: lambda at: buy(member, at), 240: lambda at: buy(member, at), 888: lambda at: buy(member, at)})
    assert story(member) == [("05-03", "Thanks after a purchase"), ("06-08", "Thanks after a purchase")]


def test_points_about_to_expire():
    begin("expiring")
    member, spender = somebody(), somebody()
    for one in (member, spender):
        adjust(one, 200, START - DAY, key=f"k{one.pk}", expires_at=utc(2026, 6, 4, 22))  # the last day is 4 June
    adjust_down = lambda at: adjust(spender, -150, at, key="spent")  # noqa: E731
    days(30, acts={24 * 8: adjust_down})
    assert story(member) == [("05-05", "Points about to expire"), ("05-28", "Points about to expire")]
    assert story(spender) == [("05-05", "Points about to expire")]


def test_tier_reached(tiers):
    begin("tier")
    member = somebody()
    tiers(member, START + DAY)
    days(2)
    assert story(member) == [("05-02", "Tier reached"), ("05-02", "call")]


@pytest.fixture
def tiers():
    """A way to lift a member a tier."""
    from members.events import record

    def lift(member, at) -> None:
        data = {"from": 1, "to": 2, "up": True, "name": {"en": "Gold", "zh-hans": "金卡"}}
        record(member_id=member.pk, kind="tier.changed", at=at, data=data)
        react(at)

    return lift


def test_anniversary():
    begin("anniversary", utc(2025, 12, 30, 6))
    member = somebody()  # joined on 1 January 2025
    days(4, first=utc(2025, 12, 30, 6))
    assert story(member) == [("01-01", "100 points"), ("01-01", "Anniversary of joining")]


def test_a_mail_written_late_tells_of_what_was_given_before_it():
    begin("win-back", START - DAY)
    member = lapsed()
    days(20)  # all three coupons were given, and no mail has gone out yet
    sent = list(Message.objects.filter(member=member).order_by("id"))
    said = [one.values["coupon"]["name"] for one in write(sent, sent[-1].due_at)]
    assert said == ["10 % off", "15 % off", "20 % off"]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_what_is_sent_can_be_written_and_tells_of_the_gift(language):
    begin("birthday")
    somebody(birthday_month=5, birthday_day=3, language=language, name="<b>Ann\u202e</b>")
    days(3)
    message = Message.objects.get(state=MessageState.QUEUED)
    (said,) = write([message], message.due_at)
    links = {"unsubscribe": "https://shop.example/u", "preferences": "https://shop.example/p"}
    content = compiled(said.version_id, said.language).render({**said.values, "links": links})
    assert "100" in content.text
    assert "<b>Ann" not in content.html
    assert ("生日" in content.subject) == (language == "zh-hans")


@pytest.mark.parametrize("key", READY)
def test_each_can_be_taken_twice_and_makes_its_parts_once(key):
    first, second = take_ready(key=key, at=START), take_ready(key=key, at=START)
    assert first.draft == second.draft
    publish_journey(journey_id=second.pk, at=START)

"""When occasions fall, and what people do to them."""

from datetime import date, datetime, time, timedelta

import pytest
import time_machine
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from campaigns.enums import MemberDay, OccasionKind, OccasionRule
from campaigns.festivals import FESTIVALS
from campaigns.models import Broadcast, Campaign, Occasion, OccasionDate
from campaigns.occasions import LAST, Rule, days_of, nth_weekday, public_holidays
from campaigns.queries_journeys import zones
from campaigns.queries_occasions import ANNIVERSARIES, anniversary_params, dates_of, next_date
from campaigns.services.occasions import (
    DayIsPast,
    DayTaken,
    UnknownCountry,
    choose_countries,
    keep_calendar,
    move,
    put_back,
    save_own,
)
from campaigns.tests.factories import utc
from campaigns.tests.test_journeys import journey, points
from common.sql import fetch_all
from members.models import Member, PurchaseSummary
from members.tests.factories import make_member

RULES = {festival.key: festival.rule for festival in FESTIVALS}
# As the almanacs have them, 2024 to 2035 (month-day of the solar year).
ALMANAC = {
    "laba": "01-18 01-07 01-26 01-15 01-04 01-22 01-11 01-01 01-20 01-08 01-27 01-16",
    "little-new-year": "02-02 01-22 02-10 01-30 01-19 02-06 01-26 01-16 02-04 01-23 02-11 01-31",
    "lunar-new-years-eve": "02-09 01-28 02-16 02-05 01-25 02-12 02-02 01-22 02-10 01-30 02-18 02-07",
    "dragon-head": "03-11 03-01 03-20 03-09 02-26 03-16 03-05 02-22 03-13 03-02 03-21 03-11",
    "zhongyuan": "08-18 09-06 08-27 08-16 09-03 08-24 08-13 09-01 08-20 08-09 08-28 08-18",
    "spring-festival": "02-10 01-29 02-17 02-06 01-26 02-13 02-03 01-23 02-11 01-31 02-19 02-08",
    "lantern": "02-24 02-12 03-03 02-20 02-09 02-27 02-17 02-06 02-25 02-14 03-05 02-22",
    "qingming": "04-04 04-04 04-05 04-05 04-04 04-04 04-05 04-05 04-04 04-04 04-05 04-05",
    "dragon-boat": "06-10 05-31 06-19 06-09 05-28 06-16 06-05 06-24 06-12 06-01 06-20 06-10",
    "qixi": "08-10 08-29 08-19 08-08 08-26 08-16 08-05 08-24 08-12 08-01 08-20 08-10",
    "mid-autumn": "09-17 10-06 09-25 09-15 10-03 09-22 09-12 10-01 09-19 09-08 09-27 09-16",
    "double-ninth": "10-11 10-29 10-18 10-08 10-26 10-16 10-05 10-24 10-12 10-01 10-20 10-09",
    "winter-solstice": "12-21 12-21 12-22 12-22 12-21 12-21 12-22 12-22 12-21 12-21 12-22 12-22",
    "easter": "03-31 04-20 04-05 03-28 04-16 04-01 04-21 04-13 03-28 04-17 04-09 03-25",
    "mothers-day": "05-12 05-11 05-10 05-09 05-14 05-13 05-12 05-11 05-09 05-08 05-14 05-13",
    "thanksgiving": "11-28 11-27 11-26 11-25 11-23 11-22 11-28 11-27 11-25 11-24 11-23 11-22",
}


YEARS = range(2024, 2036)


@pytest.mark.parametrize("key", ALMANAC)
def test_the_days_are_those_of_the_almanac(key):
    # The twelfth lunar month falls into the solar year that follows.
    days = sorted(day for year in range(2023, 2036) for day in days_of(RULES[key], year))
    told = [date.fromisoformat(f"{y}-{day}") for y, day in zip(YEARS, ALMANAC[key].split(), strict=True)]
    assert [day for day in days if day.year in YEARS] == told


def test_the_table_in_the_docs_is_the_almanac():
    text = (settings.BASE_DIR / "docs" / "occasions.md").read_text()
    names = {festival.en: festival.key for festival in FESTIVALS}
    lines = text.partition("## The festivals from 2024 to 2035")[2].splitlines()[4:]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {names[name]: " ".join(days) for name, *days in table} == ALMANAC


def test_the_eve_of_a_lunar_year_is_the_day_before_the_next_whether_its_month_is_long_or_short():
    for year in range(2024, 2036):
        (eve,), (new_year,) = (
            days_of(RULES["lunar-new-years-eve"], year),
            days_of(RULES["spring-festival"], year + 1),
        )
        assert eve == new_year - timedelta(days=1)


@pytest.mark.parametrize("year", range(2024, 2036))
def test_two_libraries_agree_on_the_public_holidays_of_china(year):
    public = public_holidays("CN", year)
    for key, name in (("dragon-boat", "Dragon Boat Festival"), ("qingming", "Tomb-Sweeping Day")):
        assert list(public[name]) == days_of(RULES[key], year)


def test_weekdays_of_a_month():
    assert nth_weekday(2026, 5, 6, LAST) == date(2026, 5, 31)
    assert nth_weekday(2026, 12, 3, LAST) == date(2026, 12, 31)
    assert days_of(RULES["black-friday"], 2026) == [date(2026, 11, 27)]
    with pytest.raises(ValueError, match="weekday number 5"):
        nth_weekday(2026, 5, 6, 5)


def test_a_holiday_by_the_moon_may_come_twice_in_a_year():
    assert len(days_of(Rule(OccasionRule.PUBLIC, country="SG", holiday="Eid al-Fitr"), 2033)) == 2


AT = utc(2026, 5, 12, 9)
pytestmark = pytest.mark.django_db


@pytest.fixture
def kept(programme_2026) -> None:
    """The calendar as it stands on 12 May 2026."""


@pytest.fixture
def programme_2026(db) -> None:
    OccasionDate.objects.all().delete()  # of the real today
    keep_calendar(at=AT)
    Occasion.objects.update(active=True)


def days(key: str, first: int = 2026, last: int = 2026) -> list[str]:
    return [d.day.isoformat() for d in dates_of(key, date(first, 1, 1), date(last, 12, 31))]


def coming(key: str, year: int) -> OccasionDate:
    return OccasionDate.objects.get(occasion__key=key, year=year, number=1)


def test_ten_years_ahead_stand_there_and_again_is_no_change(kept):
    assert days("mid-autumn", 2036, 2036) == ["2036-10-04"]
    assert days("lunar-new-years-eve", 2026, 2026) == ["2026-02-16"]
    assert next_date("qixi", date(2026, 8, 19)).key == "qixi:2027"
    assert keep_calendar(at=AT) == 0
    assert keep_calendar(at=AT.replace(year=2027)) > 0
    assert days("mid-autumn", 2037, 2037) == ["2037-09-24"]


def test_a_moved_day_stays_moved_and_can_be_put_back(kept, admin_user):
    moved = move(
        date_id=coming("mid-autumn", 2026).pk,
        day=date(2026, 9, 26),
        takes_place=True,
        note="The shop is closed",
        at=AT,
        actor_id=admin_user.pk,
    )
    keep_calendar(at=AT)
    assert days("mid-autumn") == ["2026-09-26"]
    assert moved.key == "mid-autumn:2026"  # what was sent for it is not sent again
    put_back(date_id=moved.pk, at=AT)
    assert days("mid-autumn") == ["2026-09-25"]


def test_one_that_does_not_take_place_is_nowhere(kept):
    date_id = coming("qixi", 2026).pk
    move(date_id=date_id, day=date(2026, 8, 19), takes_place=False, note="Closed", at=AT, actor_id=None)
    assert days("qixi") == []
    assert next_date("qixi", date(2026, 1, 1)).year == 2027
    Occasion.objects.filter(key="qixi").update(active=False)
    assert next_date("qixi", date(2026, 1, 1)) is None


def test_the_past_stays_and_no_day_is_taken_twice(kept):
    past, this = coming("spring-festival", 2026), coming("spring-festival", 2027)
    words = {"takes_place": True, "note": "x", "at": AT, "actor_id": None}
    with pytest.raises(DayIsPast):
        move(date_id=past.pk, day=date(2026, 7, 1), **words)
    with pytest.raises(DayIsPast):
        move(date_id=this.pk, day=date(2026, 5, 11), **words)
    with pytest.raises(DayTaken):
        move(date_id=this.pk, day=coming("spring-festival", 2028).day, **words)


def test_countries_bring_their_holidays_and_take_them_along(kept):
    Occasion.objects.update(active=False)
    choose_countries(codes=["DE", "CN"], at=AT)
    on = set(Occasion.objects.filter(active=True).values_list("key", flat=True))
    assert {"de-german-unity-day", "spring-festival", "easter-monday"} <= on
    assert "thanksgiving" not in on
    # What is ours already is not there a second time.
    assert not Occasion.objects.filter(
        key__in=["cn-mid-autumn-festival", "de-easter-monday", "de-christmas-day"]
    ).exists()
    assert days("de-german-unity-day") == ["2026-10-03"]
    choose_countries(codes=["CN"], at=AT)
    on = set(Occasion.objects.filter(active=True).values_list("key", flat=True))
    assert "spring-festival" in on
    assert not on & {"de-german-unity-day", "easter-monday"}
    with pytest.raises(UnknownCountry):
        choose_countries(codes=["XX"], at=AT)


def test_a_day_of_our_own_by_the_year_and_by_single_days(kept):
    anniversary = Occasion(name_en="Shop anniversary", kind="own", rule="solar", month=2, day=29)
    save_own(occasion=anniversary, at=AT, actor_id=None)
    assert days("shop-anniversary", 2027, 2028) == ["2027-02-28", "2028-02-29"]
    anniversary.month, anniversary.day = 6, 3
    save_own(occasion=anniversary, at=AT, actor_id=None)
    assert days("shop-anniversary", 2026, 2027) == ["2026-06-03", "2027-06-03"]
    party = Occasion(name_en="Shop anniversary", kind="own", rule="dated")
    save_own(occasion=party, days=[date(2026, 7, 2), date(2026, 6, 1)], at=AT, actor_id=None)
    save_own(occasion=party, days=[date(2026, 9, 9)], at=AT, actor_id=None)
    assert [d.key for d in dates_of("shop-anniversary-2", date(2026, 1, 1), date(2026, 12, 31))] == [
        "shop-anniversary-2:2026",
        "shop-anniversary-2:2026:2",
        "shop-anniversary-2:2026:3",
    ]


def whose(day: MemberDay, *kept_on: date) -> list[tuple[int, date, int]]:
    return sorted(row[:3] for row in fetch_all(ANNIVERSARIES[day], anniversary_params(kept_on) | zones()))


def joined(at: datetime, **profile) -> Member:
    member = make_member(**profile)
    Member.objects.filter(pk=member.pk).update(joined_at=at)
    return member


def test_anniversaries_by_the_members_own_clock_and_leap_day_rule():
    zone = {"time_zone": "Asia/Shanghai"}
    late = joined(utc(2024, 5, 11, 20), **zone)  # the 12th, in Shanghai
    joined(utc(2026, 5, 12, 3), **zone)  # today: no anniversary yet
    leap = joined(utc(2024, 2, 29, 5), leap_day_rule="mar1", **zone)
    assert whose(MemberDay.JOINED, date(2026, 5, 12)) == [(late.pk, date(2026, 5, 12), 2026)]
    assert whose(MemberDay.JOINED, date(2026, 2, 28)) == []
    assert whose(MemberDay.JOINED, date(2027, 3, 1)) == [(leap.pk, date(2027, 3, 1), 2027)]
    assert whose(MemberDay.JOINED, date(2028, 2, 29)) == [(leap.pk, date(2028, 2, 29), 2028)]
    Member.objects.filter(pk=late.pk).update(time_zone="Nowhere/Land")
    assert whose(MemberDay.JOINED, date(2026, 5, 11)) == [(late.pk, date(2026, 5, 11), 2026)]


def test_anniversaries_of_the_first_purchase():
    member, first = make_member(), utc(2023, 5, 12, 12)
    PurchaseSummary.objects.create(
        member=member, purchases=1, visit_days=1, spent_minor=100, first_at=first, last_at=first
    )
    assert whose(MemberDay.FIRST_PURCHASE, date(2026, 5, 12)) == [(member.pk, date(2026, 5, 12), 2026)]


@time_machine.travel(AT)  # what is over can't be moved
def test_the_table_the_month_and_the_move_in_the_admin(admin_client, kept):
    choose_countries(codes=["CN"], at=AT)
    page = admin_client.get(reverse("admin:campaigns_occasion_changelist")).content.decode()
    assert "Mid-Autumn Festival" in page
    assert "Day 15 of lunar month 8" in page
    around = Campaign.objects.create(kind="broadcast", name="Mooncakes", state="scheduled")
    Broadcast.objects.create(
        campaign=around,
        when="occasion",
        occasion=Occasion.objects.get(key="mid-autumn"),
        occurrence_key="mid-autumn:2027",
        days_after=-14,
        hour=time(9),
        starts_at=utc(2027, 8, 31),
    )
    Broadcast.objects.create(campaign=Campaign.objects.create(kind="broadcast", name="Draft"), when="local")
    for trigger in ("mid-autumn", "birthday"):
        journey(points(), trigger={"kind": "occasion", "occasion": trigger, "days": -2, "hour": 9})
    month = admin_client.get(reverse("admin:campaigns_occasion_month"), {"month": "2027-09"})
    assert "Mid-Autumn Festival" in month.content.decode()
    sent = {cell["day"]: [one["name"] for one in cell["sent"]] for week in month.context["weeks"] for cell in week}
    assert {day: names for day, names in sent.items() if names} == {
        date(2027, 9, 1): ["Mooncakes"],
        date(2027, 9, 13): ["Test"],
    }
    assert [(one["own_day"], one["name"]) for one in month.context["every_day"]] == [("Birthday", "Test")]
    assert admin_client.get(reverse("admin:campaigns_occasion_month"), {"month": "x"}).status_code == 404
    when = coming("mid-autumn", 2030)
    url = reverse("admin:campaigns_occasion_date", args=[when.pk])
    typed = {"day": "2030-09-14", "takes_place": "on", "note": "Saturday is better"}
    preview = admin_client.post(url, typed).content.decode()
    assert "That is 2 days later." in preview
    assert coming("mid-autumn", 2030).day == date(2030, 9, 12)
    admin_client.post(url, {**typed, "confirmed": "1"})
    assert coming("mid-autumn", 2030).day == date(2030, 9, 14)
    shown = admin_client.get(reverse("admin:campaigns_occasion_change", args=[when.occasion_id])).content.decode()
    assert "Saturday is better" in shown
    admin_client.post(reverse("admin:campaigns_occasion_put_back", args=[when.pk]))
    assert coming("mid-autumn", 2030).day == date(2030, 9, 12)


def test_staff_add_a_day_of_their_own(admin_client):
    url = reverse("admin:campaigns_occasion_add")
    typed = {"name_en": "Roastery day", "rule": "solar", "month": "4", "day": "31", "active": "on"}
    assert "There is no such day" in admin_client.post(url, typed).content.decode()
    admin_client.post(url, {**typed, "day": "30"})
    added = Occasion.objects.get(key="roastery-day")
    assert (added.kind, added.active, added.dates.count()) == (OccasionKind.OWN, True, 12)
    assert added.dates.order_by("day").last().day.year == timezone.now().year + 10

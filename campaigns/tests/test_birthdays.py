"""Planning: who gets a row, when, and why not."""

import threading
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, connection

from campaigns.models import DAYS_BETWEEN, BirthdayGreeting, Message
from campaigns.queries import upcoming, upcoming_counts
from campaigns.services.birthdays import plan
from campaigns.services.greeting import save_greeting
from campaigns.tests.factories import LOS_ANGELES, SHANGHAI, agree, celebrant, switch_on, utc
from members import queries as member_queries
from members.enums import Calendar
from members.models import Member
from members.rules import Birthday
from members.services.profile import update_profile
from members.tests.factories import JOINED, make_member

pytestmark = pytest.mark.django_db
LUNAR = {"birthday_calendar": "lunar"}


def tick(*, until: datetime, since: datetime, every: timedelta = timedelta(minutes=30)) -> None:
    """The beat, from `since` to `until`."""
    at = since
    while at <= until:
        plan(at=at)
        at += every


def rows(*members: Member) -> list[tuple]:
    return list(Message.objects.filter(member__in=members).order_by("due_at").values_list("state", "reason", "due_at"))


def test_due_at_the_hour_in_the_members_own_zone():
    switch_on(at=utc(2026, 5, 11))
    mei = celebrant(5, 12, time_zone="Asia/Shanghai")
    sam = celebrant(5, 12, time_zone="America/Los_Angeles")
    plan(at=datetime(2026, 5, 12, 8, 59, tzinfo=SHANGHAI))
    assert rows(mei, sam) == []
    plan(at=datetime(2026, 5, 12, 9, 0, tzinfo=SHANGHAI))
    assert rows(mei, sam) == [("queued", "", datetime(2026, 5, 12, 9, tzinfo=SHANGHAI))]
    plan(at=datetime(2026, 5, 12, 8, 59, tzinfo=LOS_ANGELES))
    assert rows(sam) == []
    plan(at=datetime(2026, 5, 12, 9, 0, tzinfo=LOS_ANGELES))
    assert rows(sam) == [("queued", "", datetime(2026, 5, 12, 9, tzinfo=LOS_ANGELES))]


def test_at_the_edges_of_the_day_and_of_the_world():
    switch_on(at=utc(2026, 5, 9), send_hour=0)
    first = celebrant(5, 12, time_zone="Pacific/Kiritimati")
    last = celebrant(5, 12, time_zone="Etc/GMT+12")
    tick(since=utc(2026, 5, 11), until=utc(2026, 5, 12, 13))
    assert rows(first, last) == [("queued", "", utc(2026, 5, 11, 10)), ("queued", "", utc(2026, 5, 12, 12))]
    switch_on(at=utc(2026, 6, 9), send_hour=23)
    first, last = (celebrant(6, 12, time_zone=zone) for zone in ("Pacific/Kiritimati", "Etc/GMT+12"))
    tick(since=utc(2026, 6, 12), until=utc(2026, 6, 13, 12))
    assert rows(first, last) == [("queued", "", utc(2026, 6, 12, 9)), ("queued", "", utc(2026, 6, 13, 11))]


def test_an_hour_that_the_clocks_leave_out_or_repeat():
    switch_on(at=utc(2026, 1, 1), send_hour=2)
    spring = celebrant(3, 29, time_zone="Europe/Berlin")  # 02:00 does not exist
    autumn = celebrant(10, 25, time_zone="Europe/Berlin")  # 02:00 comes twice
    for day in (date(2026, 3, 29), date(2026, 10, 25)):
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        tick(since=midnight - timedelta(hours=6), until=midnight + timedelta(hours=12))
    assert [state for state, _, _ in rows(spring, autumn)] == ["queued", "queued"]


@pytest.mark.parametrize("ahead", [1, 7, 30])
def test_days_ahead(ahead):
    switch_on(at=utc(2026, 4, 1), days_ahead=ahead)
    member = celebrant(5, 12)
    due = utc(2026, 5, 12, 9) - timedelta(days=ahead)
    plan(at=due - timedelta(minutes=1))
    assert rows(member) == []
    plan(at=due)
    assert rows(member) == [("queued", "", due)]
    message = Message.objects.get()
    assert (message.occurrence_day, message.occurrence_year) == (date(2026, 5, 12), 2026)
    assert message.expires_at == max(utc(2026, 5, 13), due + timedelta(hours=48))
    assert message.why["days_ahead"] == ahead


@pytest.mark.parametrize(
    ("rule", "year", "day"),
    [
        ("feb28", 2026, date(2026, 2, 28)),
        ("mar1", 2026, date(2026, 3, 1)),
        ("feb28", 2028, date(2028, 2, 29)),
        ("mar1", 2028, date(2028, 2, 29)),
    ],
)
def test_the_29th_of_february_comes_every_year_once(rule, year, day):
    switch_on(at=utc(year, 2, 20))
    member = celebrant(2, 29, leap_day_rule=rule)
    tick(since=utc(year, 2, 26), until=utc(year, 3, 5), every=timedelta(hours=6))
    assert [message.occurrence_day for message in Message.objects.filter(member=member)] == [day]


@pytest.mark.parametrize(
    ("birthday", "around", "days"),
    [
        ((8, 15, False), 2026, [date(2026, 9, 25)]),  # Mid-Autumn
        ((12, 30, False), 2026, [date(2026, 2, 16)]),  # day 30 of a month with 29 days; the lunar year is 2025
        ((6, 15, True), 2025, [date(2025, 8, 8)]),  # leap month 6, which 2025 has
        ((6, 15, True), 2026, [date(2026, 7, 28)]),  # and 2026 has not: the plain month
        ((6, 15, False), 2025, [date(2025, 7, 9)]),  # a plain birthday is not kept a second time in the leap month
        ((11, 12, False), 2026, [date(2026, 12, 20)]),
        ((11, 14, False), 2026, [date(2026, 1, 2), date(2026, 12, 22)]),  # twice in one year: two lunar ones
    ],
)
def test_lunar_birthdays(birthday, around, days):
    month, day, leap = birthday
    switch_on(at=utc(around, 1, 1), catch_up_hours=336)
    member = celebrant(month, day, birthday_leap_month=leap, **LUNAR)
    tick(since=utc(around, 1, 2), until=utc(around, 12, 31), every=timedelta(days=7))
    found = Message.objects.filter(member=member, state="queued").order_by("due_at")
    assert [message.occurrence_day for message in found] == days


def test_no_two_lunar_birthdays_are_nearer_than_the_distance_kept():
    for month in range(1, 13):
        for leap in (False, True):
            for day in (1, 15, 29, 30):
                birthday = Birthday(Calendar.LUNAR, month, day, leap)
                days = [birthday.falls_on(year) for year in range(1950, 2099)]
                assert min(later - sooner for sooner, later in pairwise(days)).days > DAYS_BETWEEN


def test_why_a_member_gets_none():
    switch_on(at=utc(2026, 5, 11))
    silent = celebrant(5, 12, consent=False)
    unreachable = celebrant(5, 12, email="", phone="+8613800138000")
    refused = celebrant(5, 12)
    agree(refused, at=utc(2026, 1, 1), granted=False)
    plan(at=utc(2026, 5, 12, 10))
    reasons = {message.member_id: (message.state, message.reason) for message in Message.objects.all()}
    assert reasons == {
        silent.pk: ("skipped", "no_consent"),
        unreachable.pk: ("skipped", "no_address"),
        refused.pk: ("skipped", "no_consent"),
    }


def test_consent_or_an_address_given_in_time_helps():
    switch_on(at=utc(2026, 5, 1))
    silent = celebrant(5, 12, consent=False)
    unreachable = celebrant(5, 12, email="")
    too_late = celebrant(5, 10, consent=False)
    plan(at=utc(2026, 5, 12, 10))
    agree(silent, at=utc(2026, 5, 12, 15))
    update_profile(member_id=unreachable.pk, changes={"email": "new@example.com"}, at=utc(2026, 5, 12, 16))
    plan(at=utc(2026, 5, 12, 16, 1))
    assert [state for state, _, _ in rows(silent, unreachable)] == ["queued", "queued"]
    agree(too_late, at=utc(2026, 5, 12, 17))
    plan(at=utc(2026, 5, 12, 17, 1))
    assert rows(too_late) == [("skipped", "no_consent", utc(2026, 5, 10, 9))]


def test_a_birthday_stated_on_the_day_is_greeted():
    switch_on(at=utc(2026, 5, 11), days_ahead=3)
    member = make_member()
    agree(member, at=JOINED)
    tick(since=utc(2026, 5, 11, 1), until=utc(2026, 5, 12, 14))
    update_profile(member_id=member.pk, changes={"birthday_month": 5, "birthday_day": 12}, at=utc(2026, 5, 12, 14, 10))
    plan(at=utc(2026, 5, 12, 14, 11))
    assert rows(member) == [("queued", "", utc(2026, 5, 9, 9))]


def test_nobody_is_greeted_for_a_birthday_before_they_joined_or_before_it_was_switched_on():
    switch_on(at=utc(2026, 5, 12, 15))
    yesterday, today = celebrant(5, 11), celebrant(5, 12)
    newcomer = celebrant(5, 12)
    Member.objects.filter(pk=newcomer.pk).update(joined_at=utc(2026, 5, 13, 8))
    plan(at=utc(2026, 5, 13, 9))
    assert rows(yesterday, newcomer) == []
    assert rows(today) == [("queued", "", utc(2026, 5, 12, 9))]


def test_a_tick_missed_for_hours_is_caught_up_and_one_missed_for_days_says_so():
    switch_on(at=utc(2026, 5, 1))
    plan(at=utc(2026, 5, 10))
    long_ago, late = celebrant(5, 10), celebrant(5, 11, time_zone="Asia/Shanghai")
    silent = celebrant(5, 10, consent=False)
    plan(at=utc(2026, 5, 12, 23))
    assert rows(long_ago) == [("missed", "", utc(2026, 5, 10, 9))]
    assert rows(late) == [("queued", "", utc(2026, 5, 11, 1))]
    assert rows(silent) == [("skipped", "no_consent", utc(2026, 5, 10, 9))]
    told = [event.kind for event in member_queries.timeline(long_ago.pk)]
    assert told.count("message.missed") == 1
    plan(at=utc(2026, 5, 12, 23, 1))
    assert Message.objects.count() == 3
    assert [event.kind for event in member_queries.timeline(long_ago.pk)].count("message.missed") == 1


def test_a_long_outage_lists_everyone_it_cost():
    switch_on(at=utc(2026, 3, 1))
    lost = [celebrant(4, day) for day in (1, 11, 21, 30)]
    plan(at=utc(2026, 5, 12, 10))
    assert {state for state, _, _ in rows(*lost)} == {"missed"}
    assert Message.objects.count() == 4


def test_what_was_off_is_not_missed(at):
    greeting = switch_on(at=utc(2026, 1, 1), active=False)
    member = celebrant(5, 10)
    assert plan(at=at) == 0
    greeting.active = True
    save_greeting(greeting=greeting, at=at)
    plan(at=at + timedelta(minutes=1))
    assert rows(member) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((5, 12), {"birthday_month": 6, "birthday_day": 20}),
        ((12, 20), {"birthday_month": 1, "birthday_day": 15}),
        ((9, 20), {"birthday_month": 8, "birthday_day": 15, "birthday_calendar": "lunar"}),
    ],
)
def test_an_edited_birthday_brings_no_second_greeting(before, after):
    switch_on(at=utc(2026, 4, 1), catch_up_hours=336)
    month, day = before
    member = celebrant(month, day)
    tick(since=utc(2026, 4, 2), until=utc(2026, 12, 26), every=timedelta(days=5))
    assert [state for state, _, _ in rows(member)] == ["queued"]
    update_profile(member_id=member.pk, changes=after, at=utc(2026, 12, 26))
    BirthdayGreeting.objects.update(last_checked_at=utc(2026, 5, 20))
    tick(since=utc(2026, 5, 21), until=utc(2027, 3, 1), every=timedelta(days=5))
    assert Message.objects.filter(member=member).exclude(state__in=["skipped", "missed"]).count() == 1
    assert ("skipped", "greeted") in [(state, reason) for state, reason, _ in rows(member)]


def test_a_correction_before_any_greeting_is_followed():
    switch_on(at=utc(2026, 4, 1))
    member = celebrant(5, 12, consent=False)
    plan(at=utc(2026, 5, 12, 10))
    agree(member, at=utc(2026, 6, 1))
    update_profile(member_id=member.pk, changes={"birthday_month": 6, "birthday_day": 20}, at=utc(2026, 6, 1))
    plan(at=utc(2026, 6, 20, 10))
    assert [state for state, _, _ in rows(member)] == ["skipped", "queued"]


def test_of_two_birthdays_stated_before_consent_the_last_counts():
    switch_on(at=utc(2026, 5, 1), catch_up_hours=336)
    member = celebrant(5, 12, consent=False)
    plan(at=utc(2026, 5, 12, 10))
    update_profile(member_id=member.pk, changes={"birthday_day": 14}, at=utc(2026, 5, 13))
    plan(at=utc(2026, 5, 14, 10))
    agree(member, at=utc(2026, 5, 14, 11))
    plan(at=utc(2026, 5, 14, 12))
    found = Message.objects.filter(member=member).order_by("occurrence_day").values_list("occurrence_day", "state")
    assert list(found) == [(date(2026, 5, 12), "skipped"), (date(2026, 5, 14), "queued")]


def test_a_clock_put_back_stops_nothing():
    switch_on(last_checked_at=utc(2027, 1, 1))
    member = celebrant(5, 12)
    plan(at=utc(2026, 5, 12, 10))
    assert [state for state, _, _ in rows(member)] == ["queued"]


def test_the_database_itself_refuses_a_second_greeting():
    switch_on(at=utc(2026, 4, 1))
    celebrant(5, 12)
    plan(at=utc(2026, 5, 12, 10))
    message = Message.objects.get()
    message.pk, message.uid = None, "4a0e5c7e-6d0e-4f3c-9a51-5d2f0b8b6a11"
    message.occurrence_day, message.occurrence_year, message.occurrence = date(2027, 1, 15), 2027, "2027-01-15"
    message.address = None
    with pytest.raises(IntegrityError, match="campaigns_message_apart"):
        message.save()


def test_a_zone_that_only_others_know_stops_nobody():
    switch_on(at=utc(2026, 5, 11))
    odd, plain = celebrant(5, 12), celebrant(5, 12)
    Member.objects.filter(pk=odd.pk).update(time_zone="Mars/Olympus_Mons")
    plan(at=utc(2026, 5, 12, 10))
    assert [state for state, _, _ in rows(odd, plain)] == ["queued", "queued"]


@pytest.mark.django_db(transaction=True)
def test_two_beats_at_once_have_one_effect():
    switch_on(at=utc(2026, 5, 11))
    members = [celebrant(5, 12) for _ in range(30)]
    start = threading.Barrier(4)
    written = []

    def beat(second: int) -> None:
        start.wait()
        try:
            written.append(plan(at=utc(2026, 5, 12, 9, 0, second)))
        finally:
            connection.close()

    threads = [threading.Thread(target=beat, args=[second]) for second in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(written) == Message.objects.count() == len(members)


def test_a_tick_is_a_constant_number_of_queries(django_assert_num_queries):
    switch_on(at=utc(2026, 5, 11))
    celebrant(5, 12)
    plan(at=utc(2026, 5, 12, 9))
    many = [celebrant(6, 12) for _ in range(20)]
    with django_assert_num_queries(10):
        plan(at=utc(2026, 6, 12, 9))
    assert len(rows(*many)) == 20


def test_the_preview_says_who_will_be_greeted_and_who_not():
    greeting = switch_on(at=utc(2026, 5, 1))
    mei = celebrant(4, 1, time_zone="Asia/Shanghai", **LUNAR)  # 17 May 2026
    silent = celebrant(5, 20, consent=False)
    celebrant(7, 20)
    found = upcoming(greeting, at=utc(2026, 5, 12, 10), days=30)
    assert [(row.day, row.member, row.reason) for row in found] == [
        (date(2026, 5, 17), mei, ""),
        (date(2026, 5, 20), silent, "no_consent"),
    ]
    assert found[0].due_at == datetime(2026, 5, 17, 9, tzinfo=SHANGHAI)
    assert upcoming_counts(greeting, at=utc(2026, 5, 12, 10), days=30) == {"": 1, "no_consent": 1}
    assert upcoming(greeting, at=utc(2026, 5, 12, 10), days=30, after=(date(2026, 5, 17), mei.pk))[0].member == silent

"""A day of the calendar is moved in the admin, and everything that hangs on it moves along: nothing twice, nothing
in silence."""

from datetime import date, time, timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils.timezone import now

from campaigns.models import JourneyRun, Message, Occasion, OccasionDate
from campaigns.services.broadcasts.running import run_broadcasts
from campaigns.services.delivery import deliver
from campaigns.services.journeys.entering import let_in_by_time
from campaigns.services.journeys.running import run
from campaigns.services.occasions import keep_calendar
from campaigns.tests.factories import utc
from campaigns.tests.test_broadcasts import reader, rows, scheduled, state
from campaigns.tests.test_journeys import journey, points
from members.models import Programme
from rewards.queries import balance

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT = utc(2026, 5, 12, 9)  # of the tests' broadcasts; the festival is on 25 September


@pytest.fixture
def shop(db, settings) -> None:
    settings.REQUIRE_STAFF_MFA = False
    Programme.objects.update_or_create(pk=1, defaults={"time_zone": "UTC"})
    OccasionDate.objects.all().delete()  # of the real today
    keep_calendar(at=AT)
    Occasion.objects.update(active=True)


def move_to(admin_client, day: str, at) -> str:
    """What the page of the day says then."""
    coming = OccasionDate.objects.get(occasion__key="mid-autumn", year=2026)
    with time_machine.travel(at, tick=False):
        typed = {"day": day, "takes_place": "on", "note": "A Sunday", "confirmed": "1"}
        answer = admin_client.post(reverse("admin:campaigns_occasion_date", args=[coming.pk]), typed, follow=True)
    return answer.content.decode()


def pass_time(first, last) -> None:
    """What the beat does, every two hours."""
    at = first
    while at <= last:
        with time_machine.travel(at, tick=False):
            run_broadcasts(clock=lambda at=at: at)
            let_in_by_time(at=at)
            run(at=at)
            deliver(clock=lambda at=at: at)
        at += 2 * HOUR


def hang_on_it():
    """A broadcast and a journey on the festival, at nine where the member lives."""
    festival = Occasion.objects.get(key="mid-autumn")
    on_it = {"kind": "occasion", "occasion": "mid-autumn", "days": 0, "hour": 8}
    journey(points(), trigger=on_it)
    return scheduled(when="occasion", occasion=festival, hour=time(8), late_hours=24)


@pytest.mark.parametrize("day", ["2026-09-20", "2026-09-28"])
def test_both_come_on_the_new_day_and_only_then(admin_client, shop, day):
    member, made = reader(email="a@example.com", time_zone="UTC"), hang_on_it()
    move_to(admin_client, day, utc(2026, 9, 18, 9))
    pass_time(utc(2026, 9, 18, 10), utc(2026, 9, 30))
    message, way = Message.objects.get(campaign=made.pk), JourneyRun.objects.get()
    assert (message.state, message.sent_at.date()) == ("sent", date.fromisoformat(day))
    assert (way.entered_at, balance(member.pk, now())) == (utc(*map(int, day.split("-")), 8), 10)


def test_what_has_gone_out_does_not_go_out_again(admin_client, shop):
    member, made = reader(email="a@example.com", time_zone="UTC"), hang_on_it()
    pass_time(utc(2026, 9, 24, 20), utc(2026, 9, 25, 12))
    assert rows(made) == {member.pk: ("sent", "")}
    move_to(admin_client, "2026-09-28", utc(2026, 9, 25, 13))
    pass_time(utc(2026, 9, 25, 14), utc(2026, 9, 30))
    assert rows(made) == {member.pk: ("sent", "")}
    assert state(made) == "done"
    assert (JourneyRun.objects.count(), balance(member.pk, now())) == (1, 10)


def test_a_day_that_is_over_is_refused_and_nothing_moves(admin_client, shop):
    reader(email="a@example.com", time_zone="UTC")
    hang_on_it()
    page = move_to(admin_client, "2026-09-17", utc(2026, 9, 18, 9))
    assert "nothing can be moved into the past" in page
    assert OccasionDate.objects.get(occasion__key="mid-autumn", year=2026).day == date(2026, 9, 25)


def test_who_sleeps_over_the_moved_day_sees_what_was_missed(admin_client, shop):
    member, made = reader(email="a@example.com", time_zone="UTC"), hang_on_it()
    move_to(admin_client, "2026-09-20", utc(2026, 9, 18, 9))
    pass_time(utc(2026, 9, 23, 12), utc(2026, 9, 26))  # no worker ran for five days
    assert rows(made) == {member.pk: ("missed", "")}
    assert JourneyRun.objects.get().state == "missed"
    assert balance(member.pk, now()) == 0

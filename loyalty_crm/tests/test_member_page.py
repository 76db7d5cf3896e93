"""The member page and what staff do there."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty_crm.admin.member_page import TIMELINE_PAGE, days_ago, member_page
from members.enums import Channel, Purpose
from members.models import Consent, Member, TimelineEvent, User
from members.queries import timeline
from members.services.consent import publish_wording
from members.services.purchases import NewLine
from members.tests.factories import make_member
from rewards import queries
from rewards.models import Transfer
from rewards.tests.factories import adjust, make_rule, make_tiers, post


@pytest.fixture
def member(db) -> Member:
    make_rule()
    make_tiers(gold="1.5")
    return make_member(name="Anna <b>Becker</b>", email="anna@example.com", city="Berlin")


def page(client, member: Member, name: str = "change"):
    return client.get(reverse(f"admin:members_member_{name}", args=[member.pk]))


def text(answer) -> str:
    """What a person reads on a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_the_page_says_who_this_is(member, desk, at):
    now = datetime.now(UTC)
    post(
        member,
        now,
        purchased_at=now - timedelta(days=12),
        amount_minor=1250,
        store="Harbour Street",
        lines=(NewLine(1250, "C2", "Cappuccino"),),
    )
    adjust(member, 30, now)
    seen = text(page(desk("Till"), member))
    for words in (
        "Anna &lt;b&gt;Becker&lt;/b&gt;",
        member.card_number_grouped,
        "Bronze",
        "488 points to Silver",
        "€12.50",
        "1 purchase",
        "12 days ago",
        "Cappuccino",
        "Harbour Street",
        "Bought for €12.50: 12 points",
        "Goodwill",
        "No, never asked",
        "42 points",  # the figure itself stands before "expire"
    ):
        assert words in seen or words == "42 points", words
    assert re.search(r"Points 42 12 expire on", seen)
    assert "Adjust points" not in seen  # not for the till


def test_the_page_costs_the_same_for_a_long_history(member, desk):
    client, now = desk("Marketer"), datetime.now(UTC)

    def queries_of_a_look() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            assert page(client, member).status_code == 200
        return len(caught)

    for n in range(3):
        post(member, now, purchased_at=now - timedelta(days=n), lines=(NewLine(1000, name="Tea"),))
    few = queries_of_a_look()
    for n in range(3, 40):
        post(member, now, purchased_at=now - timedelta(days=n), lines=(NewLine(600, name="Tea"), NewLine(400)))
    assert queries_of_a_look() == few


def test_the_timeline_is_paged_without_loss_or_repeat(member, at):
    for n in range(2 * TIMELINE_PAGE + 3):
        post(member, at, purchased_at=at - timedelta(hours=n // 3))  # three events at each moment
    seen, older = [], ""
    while older is not None:
        shown = member_page(member, at=at, older=older)
        seen += [item["event"].pk for item in shown["events"]]
        older = shown["older"]
    assert seen == [event.pk for event in timeline(member.pk)]
    assert len(seen) == TimelineEvent.objects.filter(member=member).count() > 2 * TIMELINE_PAGE


@pytest.mark.parametrize("older", ["x", "2026-01-01|", "|5", "2026-13-01|5", "2026-01-01T00:00:00+00:00|x"])
def test_a_broken_cursor_shows_the_newest(member, at, older):
    assert member_page(member, at=at, older=older)["events"] == member_page(member, at=at)["events"]


def test_days_are_calendar_days_of_the_shop(settings):
    settings.TIME_ZONE = "UTC"
    at = datetime(2026, 5, 12, 0, 30, tzinfo=UTC)
    assert days_ago(at, at) == "today"
    assert days_ago(at - timedelta(minutes=31), at) == "yesterday"
    assert days_ago(at - timedelta(days=2), at) == "2 days ago"


# --- Adjusting points -----------------------------------------------------------------------------------------------
def adjusting(client, member, **data):
    return client.post(reverse("admin:members_member_adjust_points", args=[member.pk]), data, follow=True)


KEY = "11111111-1111-4111-8111-111111111111"


def test_adjusting_asks_once_and_a_double_click_has_one_effect(member, desk):
    client = desk("Marketer")
    form = {"amount": "30", "reason": "Sorry", "key": KEY}
    asked = text(adjusting(client, member, **form))
    assert "has 0 points now and 30 after this" in asked
    assert "“Sorry”" in asked
    assert not Transfer.objects.exists()  # it was only rehearsed
    for _click in range(2):
        answer = adjusting(client, member, **form, confirmed="1")
        assert "now has 30 points" in text(answer)
        assert answer.redirect_chain[-1][0] == reverse("admin:members_member_change", args=[member.pk])
    assert queries.balance(member.pk) == 30
    transfer = Transfer.objects.get()
    assert (transfer.reason, transfer.actor.email) == ("Sorry", "marketer@example.com")
    assert TimelineEvent.objects.get(kind="points.adjusted").actor == transfer.actor


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"amount": "-31", "reason": "x"}, "There are only 30 points to take."),
        ({"amount": "0", "reason": "x"}, "Please give a number other than 0."),
        ({"amount": "5", "reason": " "}, "This field is required."),
        ({"amount": "five", "reason": "x"}, "Enter a whole number."),
        ({"amount": "99999999999999999999", "reason": "x"}, "less than or equal to"),
    ],
)
def test_what_cannot_be_adjusted_is_said_beside_the_field(member, desk, at, form, words):
    adjust(member, 30, at)
    client = desk("Marketer")
    for confirmed in ({}, {"confirmed": "1"}):
        assert words in text(adjusting(client, member, **form, key=KEY, **confirmed))
    assert Transfer.objects.count() == 1


def test_a_used_form_with_other_content_changes_nothing(member, desk):
    client = desk("Marketer")
    adjusting(client, member, amount="30", reason="Sorry", key=KEY, confirmed="1")
    assert "was used already" in text(adjusting(client, member, amount="40", reason="Sorry", key=KEY, confirmed="1"))
    assert queries.balance(member.pk) == 30


def test_back_leads_to_the_form_with_what_was_typed(member, desk):
    answer = adjusting(desk("Marketer"), member, amount="30", reason="Sorry", key=KEY, back="1")
    assert 'value="30"' in answer.content.decode()
    assert "confirmed" not in answer.content.decode()


# --- Consent --------------------------------------------------------------------------------------------------------
def test_consent_is_written_down_with_wording_source_and_staff(member, desk):
    wording = publish_wording(purpose=Purpose.OFFERS, text_en="Write to me", text_zh_hans="可以")
    client = desk("Marketer")
    url = reverse("admin:members_member_state_consent", args=[member.pk])
    form = {"channel": "sms", "purpose": "offers", "granted": "yes", "source": "phone"}
    assert "“Write to me”" in text(client.post(url, form))
    assert not Consent.objects.exists()
    client.post(url, {**form, "confirmed": "1"})
    said = Consent.objects.get()
    assert (said.channel, said.purpose, said.granted, said.source) == (Channel.SMS, Purpose.OFFERS, True, "phone")
    assert (said.wording, said.actor.email) == (wording, "marketer@example.com")
    client.post(url, {**form, "confirmed": "1"})
    assert Consent.objects.count() == 1
    assert "since" in text(page(client, member))


# --- Profile --------------------------------------------------------------------------------------------------------
def profile(member: Member | None = None, **values) -> dict:
    shown = {
        "name": "Anna Becker",
        "email": "anna@example.com",
        "phone": "",
        "language": "en",
        "time_zone": "Europe/Berlin",
        "city": "Berlin",
        "birthday_calendar": "solar",
        "birthday_month": "",
        "birthday_day": "",
        "birthday_year": "",
        "leap_day_rule": "feb28",
    }
    return {**shown, **values}


def test_the_profile_is_saved_by_its_service(member, desk):
    client = desk("Marketer")
    url = reverse("admin:members_member_edit_profile", args=[member.pk])
    answer = client.post(url, profile(city="Potsdam", birthday_month="2", birthday_day="29"))
    assert answer.headers["Location"] == reverse("admin:members_member_change", args=[member.pk])
    member.refresh_from_db()
    assert (member.city, member.birthday_month, member.birthday_day) == ("Potsdam", 2, 29)
    event = TimelineEvent.objects.get(kind="member.profile_changed")
    assert event.actor.email == "marketer@example.com"
    assert "city" in event.data["fields"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"birthday_month": "2", "birthday_day": "30"}, "This month has at most 29 days."),
        ({"email": "other@example.com"}, "This e-mail address belongs to another member."),
        ({"phone": "12"}, "Enter a valid phone number"),
        ({"time_zone": "Mars/Olympus"}, "Select a valid choice"),
        (
            {"birthday_calendar": "lunar", "birthday_month": "2", "birthday_day": "1", "birthday_year": "2024",
             "birthday_leap_month": "on"},
            "has no leap month 2",
        ),
    ],
)  # fmt: skip
def test_what_the_service_refuses_stands_beside_the_field(member, desk, values, words):
    make_member(email="other@example.com")
    before = Member.objects.filter(pk=member.pk).values().get()
    answer = desk("Marketer").post(
        reverse("admin:members_member_edit_profile", args=[member.pk]), profile(member, **values)
    )
    assert answer.status_code == 200
    assert words in text(answer)
    assert Member.objects.filter(pk=member.pk).values().get() == before


def test_a_member_is_added_with_a_card_and_an_event(db, desk):
    answer = desk("Marketer").post(reverse("admin:members_member_add"), profile(email="new@example.com"))
    made = Member.objects.get(email="new@example.com")
    assert answer.headers["Location"] == reverse("admin:members_member_change", args=[made.pk])
    assert len(made.card_number) == 12
    joined = TimelineEvent.objects.get(member=made)
    assert (joined.kind, joined.data, joined.actor) == (
        "member.joined",
        {"source": "admin"},
        User.objects.get(email="marketer@example.com"),
    )

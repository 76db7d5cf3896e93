"""The member page and what staff do there."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.http import urlencode

from loyalty_crm.admin.member_page import TIMELINE_PAGE, days_ago
from members.enums import Channel, Purpose
from members.models import AccessLog, Consent, Member, Note, Tag, Task, TimelineEvent, User
from members.queries import timeline
from members.services.attributes import define_attribute
from members.services.consent import publish_wording, state_consent
from members.services.erasure import erase_member
from members.services.notes import add_note
from members.services.profile import update_profile
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
    seen = text(page(desk("Marketer"), member))
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
        "Bought for €12.50",
        "Goodwill",
        "No, never asked",
        "42 points",  # the figure itself stands before "expire"
    ):
        assert words in seen or words == "42 points", words
    assert re.search(r"Points 42 12 expire on", seen)
    assert "Adjust balance" in seen


def test_the_till_sees_who_tier_points_and_card_and_nothing_else(member, desk):
    now = datetime.now(UTC)
    post(member, now, purchased_at=now, amount_minor=1250, store="Harbour Street")
    add_note(member_id=member.pk, text="Secret", at=now, actor_id=None)
    client = desk("Till")
    with CaptureQueriesContext(connection) as caught:
        seen = text(page(client, member))
    for words in ("Anna &lt;b&gt;Becker&lt;/b&gt;", member.card_number_grouped, "Bronze", "Points 12"):
        assert words in seen, words
    for words in ("Secret", "Harbour Street", "anna@example.com", "Adjust balance", "Timeline"):
        assert words not in seen, words
    assert len(caught) < 20


def test_a_scan_opens_the_member_at_once(member, desk):
    client, here = desk("Till"), reverse("admin:members_member_change", args=[member.pk])
    there = reverse("admin:members_member_changelist")
    other = make_member(name="Anna")
    for typed in (member.card_number, member.card_number_grouped, "ANNA@example.com"):
        assert client.get(there, {"q": typed}).headers["Location"] == here, typed
    found = client.get(there, {"q": "anna"}).context["cl"].result_list
    assert list(found) == [other, member]  # who is called exactly so comes first
    assert desk("Marketer").get(there, {"q": "anna@example.com", "language__exact": "en"}).status_code == 200


def test_the_till_looks_up_and_does_not_browse(member, desk):
    client, url = desk("Till"), reverse("admin:members_member_changelist")
    assert list(client.get(url).context["cl"].result_list) == []
    assert not AccessLog.objects.exists()
    shown = client.get(url, {"q": "anna"}).context["cl"]
    assert list(shown.result_list) == [member]
    assert {"city", "tags", "purchases", "last_visit"}.isdisjoint(shown.list_display)
    filtered = client.get(url, {"q": "anna", "tags__id__exact": "1"}, follow=True)
    assert list(filtered.context["cl"].result_list) == []  # led back to the list without any filter


def test_reading_the_list_is_written_down(member, desk):
    desk("Marketer").get(reverse("admin:members_member_changelist"))
    assert AccessLog.objects.values_list("action", "what", "members").get() == ("viewed", "list of members", 1)


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
    queries_of_a_look()  # the first one also fills what is kept between requests
    few = queries_of_a_look()
    for n in range(3, 40):
        post(member, now, purchased_at=now - timedelta(days=n), lines=(NewLine(600, name="Tea"), NewLine(400)))
    assert queries_of_a_look() == few


def events_of(answer) -> list[int]:
    return [item["event"].pk for item in answer.context["events"]]


def timeline_of(client, member: Member, older: str = "", **query):
    url = reverse("admin:members_member_timeline", args=[member.pk])
    return client.get(f"{url}?{older}" if older else url, None if older else query)


def test_the_timeline_is_paged_without_loss_or_repeat(member, at, desk):
    for n in range(2 * TIMELINE_PAGE + 3):
        post(member, at, purchased_at=at - timedelta(hours=n // 3))  # three events at each moment
    client = desk("Marketer")
    answer = timeline_of(client, member)
    seen = events_of(answer)
    while answer.context["older"]:
        answer = timeline_of(client, member, answer.context["older"])
        seen += events_of(answer)
    assert seen == [event.pk for event in timeline(member.pk)]
    assert len(seen) == TimelineEvent.objects.filter(member=member).count() > 2 * TIMELINE_PAGE


def test_a_filter_stays_while_scrolling_and_its_parts_add_up(member, at, desk):
    for n in range(TIMELINE_PAGE + 3):
        store = "Old Town" if n % 2 else "Harbour Street"
        post(member, at, purchased_at=at - timedelta(days=n), store=store, lines=(NewLine(1000, name="Longjing Tea"),))
    adjust(member, 7, at)
    client = desk("Marketer")

    def kinds(**query) -> list[str]:
        answer = timeline_of(client, member, **query)
        events = [item["event"] for item in answer.context["events"]]
        while answer.context["older"]:
            answer = timeline_of(client, member, answer.context["older"])
            events += [item["event"] for item in answer.context["events"]]
        return [event.kind for event in events]

    bought = TIMELINE_PAGE + 3
    assert kinds(kinds="purchase") == ["purchase.paid"] * bought
    assert kinds(kinds=["points", "member"]) == ["points.adjusted", "member.joined"]
    assert len(kinds(kinds="purchase", text="old town")) == bought // 2
    assert len(kinds(text="longjing")) == bought
    assert kinds(text="goodwill") == ["points.adjusted"]
    add_note(member_id=member.pk, text="Runs the book club", at=at, actor_id=None)
    assert kinds(text="BOOK") == ["note.added"]
    assert kinds(text="Adjusted") == ["points.adjusted"]  # as the kind is called
    assert kinds(text="amount_minor") == []  # keys of the data are no words
    assert kinds(kinds="purchase", since="2026-05-11", until="2026-05-11") == ["purchase.paid"]
    assert len(kinds(since="nonsense", until="9999-12-31", kinds="nonsense", text="%")) == 0
    assert len(kinds(since="2026-02-31", until="x")) == bought + 3


@pytest.mark.parametrize(
    "older", ["x", "2026-01-01|", "|5", "2026-13-01|5", "2026-01-01T00:00:00+00:00|x", "2026-01-01T00:00|5", "9" * 50]
)
def test_a_broken_cursor_shows_the_newest(member, at, older, desk):
    client = desk("Marketer")
    newest = events_of(timeline_of(client, member))
    assert events_of(timeline_of(client, member, urlencode({"older": older}))) == newest != []


def test_with_script_only_what_changes_is_sent(member, at, desk):
    client = desk("Marketer")
    url = reverse("admin:members_member_timeline", args=[member.pk])
    assert "<html" in client.get(url).content.decode()
    part = client.get(url, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert 'id="timeline"' in part
    rows = client.get(url, {"older": f"{at.isoformat()}|1"}, headers={"HX-Request": "true"}).content.decode()
    assert rows.strip().startswith("<li")


def test_an_event_leads_to_what_it_tells_of(member, at, desk):
    posted = post(member, at)
    seen = page(desk("Marketer"), member).content.decode()
    assert seen.count(reverse("admin:members_purchase_change", args=[posted.id])) == 2  # in the panel and the timeline


def test_who_looked_is_written_down(member, desk):
    page(desk("Till"), member)
    log = AccessLog.objects.get()
    assert (log.member, log.action, log.actor.email) == (member, "viewed", "till@example.com")


def test_a_merged_member_leads_to_who_stays(member, desk):
    gone = make_member()
    Member.objects.filter(pk=gone.pk).update(email="", merged_into=member)
    client = desk("Marketer")
    answer = page(client, gone)
    assert reverse("admin:members_member_change", args=[member.pk]) in answer.content.decode()
    assert gone not in client.get(reverse("admin:members_member_changelist")).context["cl"].result_list
    assert client.get(reverse("admin:members_member_edit_profile", args=[gone.pk])).status_code == 404


@pytest.mark.parametrize("how", ["merged", "erased"])
def test_nothing_is_offered_for_who_is_gone(member, desk, at, how):
    post(member, at)
    said = {"channel": Channel.EMAIL, "purpose": Purpose.OFFERS, "granted": True, "source": "portal"}
    state_consent(member_id=member.pk, at=at, **said)
    if how == "erased":
        erase_member(member_id=member.pk, at=at)
    else:
        gone = {"email": "", "merged_into": make_member()}
        Member.objects.filter(pk=member.pk).update(**gone)
    client = desk("Manager")
    shown = page(client, member)
    source = shown.content.decode()
    assert "/panel/" not in source
    for name in ("adjust_points", "edit_profile", "state_consent", "hand_over_data", "erase"):
        url = reverse(f"admin:members_member_{name}", args=[member.pk])
        assert url not in source
        assert client.get(url).status_code == 404
    assert reverse("admin:members_membermerge_add") + "?first=" not in source
    assert "there is nobody to write to" in text(shown)
    assert f"{Purpose.OFFERS.label} · E-mail agreed" in text(shown)
    assert "Bought for" in text(shown)


# --- Panels ---------------------------------------------------------------------------------------------------------
def doing(client, somebody: Member, panel: str, act: str, **data):
    headers = {"HX-Request": "true"}
    return client.post(reverse("admin:members_member_act", args=[somebody.pk, panel, act]), data, headers=headers)


def test_tags_notes_tasks_and_the_household_are_kept_in_their_panels(member, desk):
    client, other = desk("Marketer"), make_member(name="Paul", phone="+4915112340002")
    answer = doing(client, member, "tags", "add", name="VIP")
    assert "VIP" in text(answer)
    assert "timeline-changed" in answer.headers["HX-Trigger"]
    assert "Window seat" in text(doing(client, member, "notes", "add", text="Window seat", pinned="1"))
    note = Note.objects.get()
    assert (note.pinned, note.author.email) == (True, "marketer@example.com")
    assert "Corner seat" in text(doing(client, member, "notes", "edit", note=note.pk, text="Corner seat"))
    assert "Corner seat" not in text(doing(client, member, "notes", "remove", note=note.pk))
    assert "Call back" in text(doing(client, member, "tasks", "add", title="Call back", due_on="2026-05-13"))
    task = Task.objects.get()
    assert "Nothing to do" in text(doing(client, member, "tasks", "done", task=task.pk, outcome="Will come"))
    assert "Paul" in text(doing(client, member, "household", "join", who="0151 12340002"))
    assert "Paul" not in text(doing(client, member, "household", "leave", member=other.pk))
    assert "VIP" not in text(doing(client, member, "tags", "remove", tag=Tag.objects.get().pk))
    told = TimelineEvent.objects.filter(member=member).exclude(kind="member.joined")
    assert {event.actor.email for event in told} == {"marketer@example.com"}


@pytest.mark.parametrize(
    ("panel", "act", "data", "words"),
    [
        ("tags", "add", {"name": " "}, "Please give a word"),
        ("tags", "remove", {"tag": "9" * 40}, "has just changed this"),
        ("notes", "add", {"text": ""}, "Please write something"),
        ("notes", "edit", {"note": "7", "text": "x"}, "has just changed this"),
        ("tasks", "add", {"title": "Call", "due_on": "tomorrow"}, "is not a date"),
        ("tasks", "done", {"task": "-1"}, "has just changed this"),
        ("household", "join", {"who": "nobody"}, "Nobody has this card"),
        ("household", "leave", {"member": "1"}, "has just changed this"),
    ],
)
def test_what_cannot_be_done_is_said_in_the_panel_and_what_was_typed_stays(member, desk, panel, act, data, words):
    client = desk("Marketer")
    answer = doing(client, member, panel, act, **data)
    assert words in text(answer)
    assert "HX-Trigger" not in answer.headers
    if act == "add" and panel == "tasks":
        assert 'value="Call"' in answer.content.decode()
    without = client.post(reverse("admin:members_member_act", args=[member.pk, panel, act]), data, follow=True)
    assert words in text(without)
    assert TimelineEvent.objects.count() == 1


def test_only_who_may_does_it_and_only_what_there_is(member, desk):
    assert doing(desk("Till"), member, "tags", "add", name="VIP").status_code == 403
    client = desk("Marketer")
    assert doing(client, member, "tags", "burn").status_code == 404
    assert doing(client, member, "nothing", "add").status_code == 404
    assert not Tag.objects.exists()


def test_many_members_are_tagged_at_once(member, desk):
    client, other = desk("Marketer"), make_member()
    changelist = reverse("admin:members_member_changelist")
    ticked = {"action": "tag_selected", "_selected_action": [member.pk, other.pk]}
    url = client.post(changelist, ticked).headers["Location"]
    form = {"do": "add", "name": "Press", "ids": f"{member.pk},{other.pk}"}
    assert "is new to 2 members" in text(client.post(url, form))
    assert not Tag.objects.exists()
    client.post(url, {**form, "confirmed": "1"})
    listed = client.get(changelist, {"tag": Tag.objects.get().pk}).context["cl"].result_list
    assert set(listed) == {member, other}
    assert "no such tag" in text(client.post(url, {**form, "do": "remove", "name": "Nobody"}))


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
    form = {"direction": "give", "amount": "30", "reason": "Sorry", "key": KEY}
    asked = text(adjusting(client, member, **form))
    assert "has 0 points now and 30 points after this" in asked
    assert "never expire" in asked
    assert "“A gift from us”" in asked  # the reason is for staff
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
        ({"direction": "take", "amount": "31", "reason": "x"}, "There are only 30 points to take."),
        ({"amount": "0", "reason": "x"}, "greater than or equal to 1"),
        ({"amount": "-5", "reason": "x"}, "greater than or equal to 1"),
        ({"amount": "5", "reason": " "}, "This field is required."),
        ({"amount": "five", "reason": "x"}, "Enter a whole number."),
        ({"amount": "99999999999999999999", "reason": "x"}, "less than or equal to"),
    ],
)
def test_what_cannot_be_adjusted_is_said_beside_the_field(member, desk, at, form, words):
    adjust(member, 30, at)
    client = desk("Marketer")
    for confirmed in ({}, {"confirmed": "1"}):
        answer = adjusting(client, member, **{"direction": "give", **form}, key=KEY, **confirmed)
        assert words in text(answer)
        assert answer.content.decode().count("autofocus") == 1  # in what is wrong
    assert Transfer.objects.count() == 1


def test_store_credit_is_given_and_taken_as_points_are(member, desk):
    client, form = desk("Marketer"), {"unit": "credit", "reason": "Sorry"}
    asked = text(adjusting(client, member, **form, direction="give", amount="12.50", key=KEY))
    assert "has €0.00 now and €12.50 after this" in asked
    assert "It never expires." in asked
    for amount, words in (
        ("1.005", "EUR has no such fraction."),
        ("0", "greater than or equal to 0.01"),
        ("x", "Enter a number"),
    ):
        assert words in text(adjusting(client, member, **form, direction="give", amount=amount, key=KEY, confirmed="1"))
    adjusting(client, member, **form, direction="give", amount="12.50", key=KEY, confirmed="1")
    short = adjusting(client, member, **form, direction="take", amount="12.51", key=KEY[:-1] + "2", confirmed="1")
    assert "There are only €12.50 to take." in text(short)
    done = adjusting(client, member, **form, direction="take", amount="2.50", key=KEY[:-1] + "3", confirmed="1")
    assert "now has €10.00" in text(done)
    assert [queries.balance(member.pk, unit=unit) for unit in ("points", "credit")] == [0, 1000]
    assert "wrong" not in text(
        adjusting(client, member, **form | {"unit": "gold"}, direction="give", amount="1", key=KEY)
    )


def test_a_used_form_with_other_content_changes_nothing(member, desk):
    client = desk("Marketer")
    adjusting(client, member, direction="give", amount="30", reason="Sorry", key=KEY, confirmed="1")
    assert "was used already" in text(
        adjusting(client, member, direction="give", amount="40", reason="Sorry", key=KEY, confirmed="1")
    )
    assert queries.balance(member.pk) == 30


@pytest.mark.parametrize(
    ("amount", "words"),
    [("100000", "100,000 points: that is a lot"), ("10000", ""), ("800", "800 points: much more than usually")],
)
def test_a_zero_too_many_is_warned_of(member, desk, at, amount, words):
    if "usually" in words:
        for n in range(6):
            adjust(member, 20 + n, at, key=f"k{n}")
    answer = adjusting(desk("Marketer"), member, direction="give", amount=amount, reason="x", key=KEY)
    assert (words in text(answer)) if words else ('role="alert"' not in answer.content.decode())


def test_in_a_dialog_the_page_below_is_read_anew(member, desk):
    client, url = desk("Marketer"), reverse("admin:members_member_adjust_points", args=[member.pk])
    form = {"direction": "take", "amount": "1", "reason": "x", "key": KEY, "confirmed": "1"}
    refused = client.post(url, form, headers={"HX-Request": "true"})
    assert "There are only 0 points to take." in text(refused)
    done = client.post(url, {**form, "direction": "give"}, headers={"HX-Request": "true"})
    assert done.headers["HX-Refresh"] == "true"


def test_back_leads_to_the_form_with_what_was_typed(member, desk):
    answer = adjusting(desk("Marketer"), member, direction="give", amount="30", reason="Sorry", key=KEY, back="1")
    assert 'value="30"' in answer.content.decode()
    assert "confirmed" not in answer.content.decode()


# --- Consent --------------------------------------------------------------------------------------------------------
def test_consent_is_written_down_with_wording_source_and_staff(member, desk):
    wording = publish_wording(purpose=Purpose.OFFERS, text_en="Write to me", text_zh_hans="可以")
    client = desk("Marketer")
    url = reverse("admin:members_member_state_consent", args=[member.pk])
    update_profile(member_id=member.pk, changes={"phone": "+4915112340001"}, at=datetime.now(UTC))
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
        "street": "",
        "postal_code": "",
        "city": "Berlin",
        "country": "DE",
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


def test_custom_attributes_are_part_of_the_form_the_page_the_list_and_the_export(member, desk):
    options = [{"key": "oat", "en": "Oat milk", "zh-hans": "燕麦奶"}, {"key": "soy", "en": "Soy milk"}]
    define_attribute(key="milk", label_en="Milk", kind="choice", options=options)
    define_attribute(key="shoe", label_en="Shoe size", kind="number", section="preferences")
    define_attribute(key="since", label_en="Guest since", kind="date")
    define_attribute(key="news", label_en="Wants the paper", kind="boolean")
    client, url = desk("Marketer"), reverse("admin:members_member_edit_profile", args=[member.pk])
    assert "Shoe size" in text(client.get(url))
    wrong = client.post(url, profile(attribute_shoe="big", attribute_milk="tea"))
    assert "“big” is not a number." in text(wrong)
    said = {
        "attribute_shoe": "39.5",
        "attribute_milk": "oat",
        "attribute_since": "2019-04-01",
        "attribute_news": "true",
    }
    assert client.post(url, profile(**said)).status_code == 302
    member.refresh_from_db()
    assert member.attributes == {"milk": "oat", "shoe": 39.5, "since": "2019-04-01", "news": True}
    seen = text(page(client, member))
    for words in ("Milk Oat milk", "Shoe size 39.5", "Guest since Apr 1, 2019", "Wants the paper Yes"):
        assert words in seen, words
    other = make_member(attributes={"milk": "soy", "news": False})
    for query, who in (({"attribute_milk": "oat"}, member), ({"attribute_news": "false"}, other)):
        assert list(client.get(reverse("admin:members_member_changelist"), query).context["cl"].result_list) == [who]
    define_attribute(key="contains", label_en="Allergies", kind="text")
    Member.objects.filter(pk=other.pk).update(attributes={"contains": "Nuts, 100 %", "shoe": 44, "since": "2024-12-31"})
    typed = (
        ({"attribute_shoe.from": "39.5", "attribute_shoe.to": "40"}, [member]),
        ({"attribute_shoe.from": "40"}, [other]),
        ({"attribute_since.to": "2019-04-01"}, [member]),
        ({"attribute_since.from": "2019-04-02", "attribute_since.to": ""}, [other]),
        ({"attribute_contains": "nuts"}, [other]),
        ({"attribute_contains": "%,"}, []),
    )
    for query, found in typed:
        assert list(client.get(reverse("admin:members_member_changelist"), query).context["cl"].result_list) == found
    bad = (
        ({"attribute_shoe.from": "big"}, "Shoe size: “big” is not a number. Nobody is shown."),
        ({"attribute_since.to": "31.12.2024"}, "Guest since: “31.12.2024” is not a date."),
        ({"attribute_shoe.from": "40", "attribute_shoe.to": "39"}, "“From” is after “to”."),
        ({"attribute_contains": "x" * 501}, "Allergies: Please use at most 500 characters."),
    )
    for query, sentence in bad:
        answer = client.get(reverse("admin:members_member_changelist"), query)
        assert sentence in text(answer)
        assert not answer.context["cl"].result_list
    columns = ["attribute.milk", "attribute.shoe", "attribute.news"]
    asked = {"export": "1", "format": "csv", "columns": columns}
    answer = client.post(f"{reverse('admin:members_member_export')}?attribute_milk=oat", asked)
    file = client.get(answer.url.replace("/change/", "/download/"))
    (row,) = csv.DictReader(io.StringIO(b"".join(file.streaming_content).decode("utf-8-sig")))
    assert (row["Milk"], row["Shoe size"], row["Wants the paper"]) == ("Oat milk", "39.5", "yes")


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

"""The preference centre, one's own data as a file, and leaving."""

import io
import json
import zipfile
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns.services.unsubscribe import unsubscribe_url
from members.enums import Channel, Purpose
from members.models import Consent, ConsentWording, DataExport, ErasureRequest, Member
from members.queries import has_consented
from members.services.consent import publish_wording, state_consent
from members.services.erasure import erase_due
from portal.tests.conftest import PASSWORD
from rewards.tests.factories import adjust

SHOWN = "greetings:1,offers:1"


def press(client, say: str, versions: str = SHOWN):
    return client.post(reverse("portal:consents"), {"say": say, "versions": versions}, follow=True)


def log(member) -> list[tuple]:
    said = Consent.objects.filter(member=member).order_by("id")
    return list(said.values_list("channel", "purpose", "granted", "source", "wording__version"))


def test_each_switch_says_one_word_with_its_wording(as_bob, bob):
    press(as_bob, "email.greetings:yes")
    press(as_bob, "sms.offers:yes")
    page = press(as_bob, "sms.offers:no").content.decode()
    assert log(bob) == [
        ("email", "greetings", True, "portal", 1),
        ("sms", "offers", True, "portal", 1),
        ("sms", "offers", False, "portal", 1),
    ]
    assert "You may send me offers." in page
    assert page.count('aria-checked="true"') == 2  # greetings by mail, and personalised treatment
    assert 'value="email.greetings:no"' in page
    assert "Off since" in page


def test_no_text_messages_without_a_phone(as_anna, anna):
    page = as_anna.get(reverse("portal:consents")).content.decode()
    assert "We need your phone number" in page
    assert page.count("disabled") == 2
    assert "we need your phone number" in press(as_anna, "sms.offers:yes").content.decode()
    assert log(anna) == []


def test_personalised_treatment_is_a_switch_of_its_own(as_anna, anna):
    press(as_anna, ".profiling:no")
    anna.refresh_from_db()
    assert anna.personalised is False
    assert log(anna) == [("", "profiling", False, "portal", None)]
    press(as_anna, ".profiling:yes")
    anna.refresh_from_db()
    assert anna.personalised is True


def test_passing_data_on_is_asked_only_where_the_shop_does_it(as_anna, anna):
    assert "Passing data on" not in as_anna.get(reverse("portal:consents")).content.decode()
    publish_wording(purpose=Purpose.SHARING, text_en="We tell Parcel Ltd. your address.")
    page = press(as_anna, ".sharing:yes", f"{SHOWN},sharing:1").content.decode()
    assert "Parcel Ltd." in page
    assert log(anna) == [("", "sharing", True, "portal", 1)]


def test_everything_stops_in_one_step(as_bob, bob):
    for say in ("email.greetings:yes", "sms.greetings:yes", "email.offers:yes"):
        press(as_bob, say)
    page = press(as_bob, "stop").content.decode()
    assert 'aria-checked="true"' not in page
    assert "Everything is off" in page
    assert [row[:3] for row in log(bob)[3:]] == [
        ("", "profiling", False),
        ("email", "greetings", False),
        ("email", "offers", False),
        ("sms", "greetings", False),
    ]
    bob.refresh_from_db()
    assert bob.personalised is False


def test_nobody_agrees_to_words_that_changed_but_no_always_counts(as_anna, anna):
    press(as_anna, "email.offers:yes")
    ConsentWording.objects.create(purpose=Purpose.OFFERS, version=2, text_en="You may sell my address.")
    page = press(as_anna, "email.greetings:yes").content.decode()
    assert "The wording has just changed." in page
    assert "You may sell my address." in page
    press(as_anna, "email.offers:no")
    assert [row[:3] for row in log(anna)] == [("email", "offers", True), ("email", "offers", False)]


@pytest.mark.parametrize(
    "say", ["", "email.profiling:yes", ".offers:yes", "fax.offers:yes", "email.offers:perhaps", "x"]
)
def test_what_is_no_switch_changes_nothing(as_anna, anna, say):
    assert "Please use one of the switches." in press(as_anna, say).content.decode()
    assert log(anna) == []


# --- Without signing in ---------------------------------------------------------------------------------------------
def choices(member) -> str:
    link = unsubscribe_url(member_id=member.pk, channel="email", purpose="greetings")
    return link.removeprefix("http://localhost:8000") + "choices/"


def agree(member, channel, purpose):
    state_consent(member_id=member.pk, channel=channel, purpose=purpose, granted=True, source="till", at=timezone.now())


def test_a_link_shows_and_stops_what_was_agreed_to(client, bob):
    agree(bob, "sms", "offers")
    agree(bob, "email", "offers")
    page = client.get(choices(bob)).content.decode()
    assert page.count('value="sms.offers"') == page.count('value=".profiling"') == 1
    client.post(choices(bob), {"stop": "sms.offers"})
    assert not has_consented(member_id=bob.pk, channel=Channel.SMS, purpose=Purpose.OFFERS)
    assert has_consented(member_id=bob.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS)
    page = client.post(choices(bob), {"stop": "everything"}).content.decode()
    assert "Nothing: we send you nothing" in page
    assert not Member.objects.get(pk=bob.pk).personalised


@pytest.mark.parametrize("stop", ["email.offers", "fax.offers", "", "yes", ".sharing"])
def test_a_link_can_never_agree(client, bob, stop):
    client.post(choices(bob), {"stop": stop})
    assert log(bob) == []
    assert client.get("/u/forged/choices/").status_code == 404


# --- One's own data -------------------------------------------------------------------------------------------------
def test_the_file_is_made_kept_for_days_and_fetched(as_anna, anna):
    assert as_anna.post(reverse("portal:data"), follow=True).content.decode().count("download") == 1
    export = DataExport.objects.get()
    answer = as_anna.get(reverse("portal:export", args=[export.pk]))
    today = timezone.localdate(timezone=ZoneInfo(anna.time_zone))
    assert answer["Content-Disposition"] == f'attachment; filename="my-data-{today}.zip"'
    assert "no-store" in answer["Cache-Control"]
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        told = json.loads(archive.read("data.json"))
    assert told["account"]["email_addresses"] == [{"email": "anna@example.com", "verified": True, "primary": True}]
    DataExport.objects.update(expires_at=timezone.now())
    assert as_anna.get(reverse("portal:export", args=[export.pk])).status_code == 404


def test_nobody_fetches_another_members_file_nor_one_that_staff_made(client, as_anna, as_bob, anna, staff):
    as_anna.post(reverse("portal:data"))
    url = reverse("portal:export", args=[DataExport.objects.get().pk])
    assert as_bob.get(url).status_code == 404
    assert client.get(url)["Location"].startswith("/accounts/login/")
    DataExport.objects.update(actor=staff)
    assert as_anna.get(url).status_code == 404


# --- Leaving --------------------------------------------------------------------------------------------------------
def test_leaving_asks_for_the_password_waits_and_can_be_taken_back(
    as_anna, anna, mailoutbox, at, django_capture_on_commit_callbacks
):
    url = reverse("portal:leave")
    adjust(anna, 70, at)
    asked = as_anna.get(url)
    assert asked["Location"] == f"/accounts/reauthenticate/?next={url.replace('/', '%2F')}"
    assert as_anna.post(url)["Location"] == url  # no shortcut around the password
    assert not ErasureRequest.objects.exists()
    assert "You are about to delete your account" in as_anna.get(asked["Location"]).content.decode()
    page = as_anna.post(asked["Location"], {"password": PASSWORD, "next": url}, follow=True).content.decode()
    assert "the 70 points on it" in page
    with django_capture_on_commit_callbacks(execute=True):
        page = as_anna.post(url, follow=True).content.decode()
    assert "Keep my account" in page
    wish = ErasureRequest.objects.get(member=anna)
    assert timedelta(days=13) < wish.due_at - timezone.now() <= timedelta(days=14)
    assert mailoutbox[-1].to == ["anna@example.com"]
    assert "If that was not you" in mailoutbox[-1].body
    assert "Keep my account" in as_anna.get("/").content.decode()
    as_anna.post(reverse("portal:stay"))
    assert "Keep my account" not in as_anna.get("/").content.decode()
    assert erase_due(at=wish.due_at) == 0
    anna.refresh_from_db()
    assert anna.erased_at is None


def test_when_the_time_has_come_the_member_is_gone_and_signed_out(as_anna, anna):
    as_anna.post("/accounts/reauthenticate/", {"password": PASSWORD})
    as_anna.post(reverse("portal:leave"))
    wish = ErasureRequest.objects.get(member=anna)
    assert erase_due(at=wish.due_at - timedelta(minutes=1)) == 0
    assert erase_due(at=wish.due_at) == 1
    assert as_anna.get(reverse("portal:me"))["Location"].startswith("/accounts/login/")
    anna.refresh_from_db()
    assert (anna.name, anna.email, anna.user) == ("", "", None)
    wish.refresh_from_db()
    assert wish.done_at

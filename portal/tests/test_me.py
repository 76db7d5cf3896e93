"""A member's own pages: what was typed stays, what cannot be stands beside its field."""

from datetime import timedelta

import pytest
from django.urls import reverse

from members.models import TimelineEvent
from members.services.attributes import define_attribute
from members.services.profile import record_sign_in
from members.tests.factories import make_member
from portal.forms import country_choices, time_zone_choices
from portal.tests.conftest import PASSWORD

PROFILE = {"name": "Anna B.", "phone": "+4930123456", "city": "Köln", "language": "en", "time_zone": "Asia/Tokyo"}
SOLAR = {"birthday_calendar": "solar", "leap_day_rule": "feb28"}
LUNAR = {"birthday_calendar": "lunar", "leap_day_rule": "feb28"}


def errors_of(response) -> dict[str, list[str]]:
    return dict(response.context["form"].errors)


def test_profile(as_anna, anna):
    page = as_anna.post(reverse("portal:profile"), PROFILE, follow=True).content.decode()
    assert "Saved." in page
    anna.refresh_from_db()
    assert (anna.name, str(anna.phone), anna.city, anna.time_zone) == ("Anna B.", "+4930123456", "Köln", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 121),
        ("phone", "030 123"),
        ("time_zone", "Mars/Base"),
        ("language", "fr"),
        ("phone", "+4915112345678"),  # Bob's
    ],
)
def test_a_profile_that_cannot_be(as_anna, anna, bob, field, value):
    response = as_anna.post(reverse("portal:profile"), {**PROFILE, field: value})
    assert list(errors_of(response)) == [field]
    page = response.content.decode()
    assert f'id="id_{field}_error"' in page
    assert 'value="Köln"' in page  # what was typed stays
    anna.refresh_from_db()
    assert anna.city == ""


def test_members_fill_in_what_the_shop_asks_of_them_and_nothing_else(as_anna, anna):
    options = [{"key": "oat", "en": "Oat milk", "zh-hans": "燕麦奶"}]
    define_attribute(key="milk", label_en="Milk", kind="choice", options=options, member_may_edit=True)
    define_attribute(key="cups", label_en="Cups a day", kind="number", member_may_edit=True)
    define_attribute(key="vip", label_en="Secret VIP", kind="boolean")
    page = as_anna.get(reverse("portal:profile")).content.decode()
    assert "Oat milk" in page
    assert "Secret VIP" not in page
    wrong = as_anna.post(reverse("portal:profile"), {**PROFILE, "attribute_milk": "oat", "attribute_cups": "many"})
    assert errors_of(wrong) == {"attribute_cups": ["“many” is not a number."]}
    said = {"attribute_milk": "oat", "attribute_cups": "3", "attribute_vip": "true", "attributes": '{"vip": true}'}
    as_anna.post(reverse("portal:profile"), {**PROFILE, **said, "street": "Am Kanal 1", "country": "DE"})
    anna.refresh_from_db()
    assert anna.attributes == {"milk": "oat", "cups": 3}
    assert (anna.street, anna.country) == ("Am Kanal 1", "DE")
    as_anna.post(reverse("portal:profile"), {**PROFILE, "attribute_milk": "", "attribute_cups": "3"})
    anna.refresh_from_db()
    assert anna.attributes == {"cups": 3}


def test_signing_in_is_told_once_an_hour(client, anna):
    told = TimelineEvent.objects.filter(member=anna, kind="member.signed_in")
    for _time in range(2):
        client.post(reverse("account_login"), {"login": "anna@example.com", "password": PASSWORD})
        client.logout()
    assert told.count() == 1
    event = told.get()
    assert event.actor == anna.user
    assert record_sign_in(user_id=anna.user_id, at=event.at + timedelta(minutes=61))
    assert not record_sign_in(user_id=0, at=event.at)


def test_a_language_saved_is_spoken_at_once(as_anna):
    page = as_anna.post(reverse("portal:profile"), {**PROFILE, "language": "zh-hans"}, follow=True).content.decode()
    assert '<html lang="zh-Hans">' in page
    assert "Saved." not in page


def test_the_language_button_remembers_for_members(as_anna, anna):
    answer = as_anna.post(reverse("portal:language"), {"language": "zh-hans", "next": "/history/"})
    assert answer["Location"] == "/history/"
    anna.refresh_from_db()
    assert anna.language == "zh-hans"


def test_the_language_button_remembers_for_strangers(client, club):
    client.post(reverse("portal:language"), {"language": "zh-hans", "next": "/"})
    assert '<html lang="zh-Hans">' in client.get("/").content.decode()


@pytest.mark.parametrize(
    ("form", "kept"),
    [
        ({**SOLAR, "birthday_month": 5, "birthday_day": 17}, ("solar", 5, 17, None, False)),
        ({**SOLAR, "birthday_month": 2, "birthday_day": 29, "birthday_year": 2000}, ("solar", 2, 29, 2000, False)),
        ({**LUNAR, "birthday_month": 8, "birthday_day": 15}, ("lunar", 8, 15, None, False)),
        (
            {**LUNAR, "birthday_month": 6, "birthday_day": 3, "birthday_leap_month": "on", "birthday_year": 1987},
            ("lunar", 6, 3, 1987, True),
        ),
        # ticked in the lunar calendar, then the calendar was changed: the box is hidden and means nothing
        (
            {**SOLAR, "birthday_month": 5, "birthday_day": 17, "birthday_leap_month": "on"},
            ("solar", 5, 17, None, False),
        ),
        (SOLAR, ("solar", None, None, None, False)),
    ],
)
def test_a_birthday_as_it_is_stated(as_anna, anna, form, kept):
    page = as_anna.post(reverse("portal:birthday"), form, follow=True).content.decode()
    assert "Saved." in page
    anna.refresh_from_db()
    stated = (anna.birthday_calendar, anna.birthday_month, anna.birthday_day, anna.birthday_year)
    assert (*stated, anna.birthday_leap_month) == kept


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({**SOLAR, "birthday_month": 2, "birthday_day": 30}, "birthday_day", "at most 29 days"),
        ({**SOLAR, "birthday_month": 2, "birthday_day": 29, "birthday_year": 2001}, "birthday_day", "2001 had no"),
        ({**SOLAR, "birthday_month": 4}, "birthday_day", "choose a day"),
        ({**SOLAR, "birthday_year": 1980}, "birthday_month", "give the month and the day"),
        ({**SOLAR, "birthday_month": 4, "birthday_day": 1, "birthday_year": 1066}, "birthday_year", "1900"),
        ({**LUNAR, "birthday_month": 8, "birthday_day": 31}, "birthday_day", "at most 30 days"),
        ({**SOLAR, "birthday_month": 4, "birthday_day": 1, "birthday_year": 2020}, "birthday_year", "14 and older"),
        (
            {**LUNAR, "birthday_month": 5, "birthday_day": 1, "birthday_leap_month": "on", "birthday_year": 2025},
            "birthday_leap_month",
            "2025 has no leap month 5",
        ),
    ],
)
def test_a_birthday_that_cannot_be(as_anna, anna, form, field, words):
    response = as_anna.post(reverse("portal:birthday"), form)
    errors = errors_of(response)
    assert list(errors) == [field]
    assert words in errors[field][0]
    assert words in response.content.decode()
    anna.refresh_from_db()
    assert anna.birthday_month is None


def test_a_changed_address_is_written_to_once_verified(as_anna, anna, mailoutbox):
    as_anna.post("/accounts/reauthenticate/", {"password": "a-long-word-and-7"})
    as_anna.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})
    anna.refresh_from_db()
    assert anna.email == "anna@example.com"
    code = mailoutbox[-1].body.split("\n\n")[1]
    as_anna.post("/accounts/confirm-email/", {"code": code})
    anna.refresh_from_db()
    anna.user.refresh_from_db()
    assert (anna.email, anna.user.email) == ("new@example.com", "new@example.com")
    assert anna.user.has_usable_password()


def test_an_address_on_another_card_is_left_there(as_anna, anna, mailoutbox):
    make_member(email="new@example.com")
    as_anna.post("/accounts/reauthenticate/", {"password": "a-long-word-and-7"})
    as_anna.post("/accounts/email/", {"email": "new@example.com", "action_add": ""})
    code = mailoutbox[-1].body.split("\n\n")[1]
    page = as_anna.post("/accounts/confirm-email/", {"code": code}, follow=True).content.decode()
    assert "Another card has this address" in page
    anna.refresh_from_db()
    assert anna.email == "anna@example.com"


def test_countries_and_time_zones_are_named_in_the_members_language():
    assert ("Europe/Kyiv", "乌克兰 – 基辅") in time_zone_choices("zh-hans")
    assert [label for code, label in country_choices("zh-hans") if code == label] == []
    mixed = [label for name, label in time_zone_choices("zh-hans") if name != "UTC" and label.isascii()]
    assert mixed == []

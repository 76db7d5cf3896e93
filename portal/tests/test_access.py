"""Who sees what: strangers nothing of members, members nothing of each other, staff the way to the admin."""

import json
from http import HTTPStatus

import pytest
from django.core.serializers.json import DjangoJSONEncoder
from django.urls import reverse
from django.utils import timezone

from members.services.consent import state_consent
from members.services.data_exports import everything_about
from portal.tests.conftest import make_user, signed_in
from rewards.tests.factories import adjust, post

OWN = ["home", "card", "history", "purchases", "me", "profile", "birthday", "consents", "data"]
OWN += ["rewards", "redemptions", "coupons", "tier", "credit", "expiring", "pin", "cases", "tell", "ideas"]


@pytest.mark.parametrize("name", [*(name for name in OWN if name != "home"), "leave"])
def test_strangers_sign_in_first_and_come_back(client, club, name):
    url = reverse(f"portal:{name}")
    response = client.get(url)
    assert response.status_code == HTTPStatus.FOUND
    assert response["Location"] == f"{reverse('account_login')}?next={url}"


def test_strangers_see_the_club_and_no_member(client, anna):
    page = client.get("/").content.decode()
    assert "Corner Café" in page
    assert "Anna" not in page


@pytest.mark.parametrize("name", OWN)
def test_nothing_of_another_member_is_shown(as_bob, bob, anna, name):
    at = timezone.now()
    post(anna, at, store="Annas Laden", amount_minor=4321)
    adjust(anna, 7777, at)
    state_consent(member_id=anna.pk, channel="email", purpose="offers", granted=True, source="annas-till", at=at)
    response = as_bob.get(reverse(f"portal:{name}"))
    assert response.status_code == HTTPStatus.OK
    shown = response.content.decode()
    for secret in ("Anna", "anna@", anna.card_number, anna.card_number_grouped, "43.21", "7,777", "7777", "annas-till"):
        assert secret not in shown.replace(bob.card_number_grouped, "").replace(bob.card_number, "")


@pytest.mark.parametrize("name", OWN)
def test_staff_without_a_card_are_shown_to_the_admin(staff, name):
    response = signed_in(staff).get(reverse(f"portal:{name}"))
    assert response.status_code == HTTPStatus.OK
    assert reverse("admin:index") in response.content.decode()
    assert "staff@example.com" in response.content.decode()


@pytest.mark.parametrize("name", OWN)
def test_a_user_without_a_card_is_asked_to_join(club, name):
    response = signed_in(make_user("new@example.com")).get(reverse(f"portal:{name}"))
    assert (response.status_code, response["Location"]) == (HTTPStatus.FOUND, reverse("portal:join"))


@pytest.mark.parametrize("name", ["profile", "birthday", "consents"])
def test_a_form_changes_only_its_sender(as_bob, anna, name):
    fields = {"name": "Mallory", "language": "en", "time_zone": "UTC", "member": anna.pk, "member_id": anna.pk}
    as_bob.post(reverse(f"portal:{name}"), fields)
    anna.refresh_from_db()
    assert anna.name == "Anna Berger"


def test_pages_of_members_are_kept_nowhere(as_anna):
    assert "no-store" in as_anna.get("/")["Cache-Control"]


def test_the_export_holds_everything(anna):
    at = timezone.now()
    post(anna, at, store="Annas Laden", amount_minor=4321)
    state_consent(member_id=anna.pk, channel="email", purpose="offers", granted=True, source="till", at=at)
    held = json.loads(json.dumps(everything_about(anna.pk), cls=DjangoJSONEncoder))
    assert held["profile"]["card_number"] == anna.card_number
    assert held["account"]["email_addresses"] == [{"email": "anna@example.com", "verified": True, "primary": True}]
    (purchase,) = held["purchases"]
    assert (purchase["store"], purchase["amount"]) == ("Annas Laden", "43.21")
    assert held["points"]["balance"] == 43
    assert [movement["points"] for movement in held["points"]["movements"]] == [43]
    (consent,) = held["consents"]
    assert (consent["wording"], consent["wording_version"]) == ("You may send me offers.", 1)
    kinds = [event["kind"] for event in held["timeline"]]
    assert {"member.joined", "member.account_linked", "purchase.paid", "consent.granted"} <= set(kinds)
    assert held["messages"] == []
    assert (held["tier"]["name"], held["tier"]["points_that_count"]) == ("Bronze", 43)

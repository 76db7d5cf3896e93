"""Staff and the second factor: required where the setting says so, and to be set up without help."""

import time

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.test import Client
from django.urls import reverse

from loyalty_crm.tests.test_roles import PATTERNS, address
from members.models import User

PASSWORD = "a-Good-password-7"


@pytest.fixture
def chief(world, settings) -> User:
    settings.REQUIRE_STAFF_MFA = True
    user = User.objects.create_superuser("chief@example.com", PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_in(email: str) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
    return client


def code(secret: str) -> str:
    return totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30))


def test_without_a_second_factor_no_page_of_the_admin_opens(chief, world):
    client = sign_in(chief.email)
    for pattern in PATTERNS:
        for answer in (client.get(address(pattern, world)), client.post(address(pattern, world))):
            assert (answer.status_code, answer.headers.get("Location")) == (302, reverse("mfa_index")), pattern.name
    assert client.get("/admin/nothing/here/").headers["Location"] == reverse("mfa_index")


def test_it_can_be_set_up_by_its_owner_and_is_asked_for_from_then_on(chief):
    client = sign_in(chief.email)
    assert client.get(reverse("mfa_index")).status_code == 200
    asked = client.get(reverse("mfa_activate_totp"), follow=True)
    assert asked.request["PATH_INFO"] == reverse("account_reauthenticate")
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    assert client.get(reverse("mfa_activate_totp")).status_code == 200
    secret = client.session[totp.SECRET_SESSION_KEY]
    client.post(reverse("mfa_activate_totp"), {"code": code(secret)})
    assert Authenticator.objects.filter(user=chief, type=Authenticator.Type.TOTP).exists()
    assert client.get(reverse("admin:index")).status_code == 200

    again = sign_in(chief.email)  # the password alone
    assert again.get(reverse("admin:index"), follow=True).request["PATH_INFO"] == reverse("mfa_authenticate")


def test_a_manager_resets_what_a_colleague_lost_but_not_a_superuser_s(chief, world, settings, desk):
    till = User.objects.create_user("till@example.com", PASSWORD, is_staff=True)
    for user in (till, chief):
        Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
    client = desk("Manager")
    url = reverse("admin:members_user_reset_second_factor", args=[till.pk])
    assert "end now" in client.post(url).content.decode()
    assert Authenticator.objects.filter(user=till).exists()
    client.post(url, {"confirmed": "1"})
    assert not Authenticator.objects.filter(user=till).exists()
    url = reverse("admin:members_user_reset_second_factor", args=[chief.pk])
    assert client.post(url, {"confirmed": "1"}).status_code == 403
    assert Authenticator.objects.filter(user=chief).exists()


def test_members_and_a_shop_that_does_not_ask_are_left_alone(chief, settings):
    settings.REQUIRE_STAFF_MFA = False
    assert sign_in(chief.email).get(reverse("admin:index")).status_code == 200

"""What the portal must never do: send people elsewhere, act for another site, keep a session that was ended."""

import re
from http import HTTPStatus
from smtplib import SMTPServerDisconnected

import pytest
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test import Client
from django.urls import reverse

from members.models import User
from portal.tests.conftest import PASSWORD, signed_in

PUBLIC = [
    "/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/login/code/",
    "/nowhere/",
]
OWN = ["/", "/card/", "/history/", "/history/purchases/", "/me/", "/me/profile/", "/me/birthday/", "/me/consents/"]
OWN += ["/me/data/", "/accounts/email/", "/accounts/password/change/", "/accounts/2fa/", "/accounts/logout/"]
ELSEWHERE = "https://evil.example/"


@pytest.mark.parametrize("path", PUBLIC)
def test_the_policy_is_strict_for_strangers(client, club, path):
    check_policy(client.get(path))


@pytest.mark.parametrize("path", OWN)
def test_the_policy_is_strict_for_members(as_anna, path):
    response = as_anna.get(path, follow=True)
    assert response.status_code == HTTPStatus.OK
    check_policy(response)


def check_policy(response):
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    page = response.content.decode()
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", page)
    for script in re.findall(r"<script[^>]*>", page):
        assert " src=" in script or 'type="application/json"' in script
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', page):
        assert address.startswith(("/", "#", "?", "mailto:")), address


@pytest.mark.parametrize("target", [ELSEWHERE, "//evil.example/", "https:evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(client, anna, target):
    login = {"login": "anna@example.com", "password": PASSWORD, "next": target}
    assert client.post(f"/accounts/login/?next={target}", login)["Location"] == "/"
    language = client.post(reverse("portal:language"), {"language": "en", "next": target})
    assert language["Location"] == "/"
    assert client.post("/accounts/logout/", {"next": target})["Location"] == "/"


@pytest.mark.parametrize("name", ["language", "profile", "birthday", "consents", "join", "claim", "claim_code"])
def test_forms_of_other_sites_are_refused(anna, name):
    client = Client(enforce_csrf_checks=True)
    client.force_login(anna.user)
    answer = client.post(reverse(f"portal:{name}"), {"language": "zh-hans", "next": "/"})
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "This page was open too long" in answer.content.decode()


@pytest.mark.parametrize("name", ["language"])
def test_what_changes_something_is_no_link(as_anna, name):
    assert as_anna.get(reverse(f"portal:{name}")).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_signing_out_takes_a_button(as_anna):
    as_anna.get("/accounts/logout/")
    assert as_anna.get("/me/").status_code == HTTPStatus.OK
    as_anna.post("/accounts/logout/")
    assert as_anna.get("/me/").status_code == HTTPStatus.FOUND


def test_a_new_password_ends_the_other_sessions_and_is_told_by_mail(anna, mailoutbox):
    here, elsewhere = signed_in(anna.user), signed_in(anna.user)
    new = "another-long-word-8"
    here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert here.get("/me/").status_code == HTTPStatus.OK
    assert elsewhere.get("/me/").status_code == HTTPStatus.FOUND
    assert mailoutbox[-1].to == ["anna@example.com"]
    assert "If it was you, all is well." in mailoutbox[-1].body


def test_a_session_gets_a_new_key_at_sign_in(client, anna):
    client.get("/accounts/login/")
    session = client.session
    session["kept"] = True
    session.save()
    before = client.session.session_key
    client.post("/accounts/login/", {"login": "anna@example.com", "password": PASSWORD})
    assert client.session.session_key != before


def test_the_address_changes_only_after_the_password_once_more(client, anna):
    client.force_login(anna.user)
    answer = client.post("/accounts/email/", {"email": "thief@example.com", "action_add": ""})
    assert answer["Location"].startswith("/accounts/reauthenticate/")


def test_wrong_passwords_are_limited(client, anna):
    for _ in range(5):
        client.post("/accounts/login/", {"login": "anna@example.com", "password": "wrong"})
    right = client.post("/accounts/login/", {"login": "anna@example.com", "password": PASSWORD})
    assert "Too many failed login attempts" in right.content.decode()
    with connection.cursor() as cursor:  # where a wiped Redis does not end them
        cursor.execute("SELECT count(*) FROM crm_cache")
        assert cursor.fetchone()[0] > 0


@pytest.mark.parametrize("path", ["/accounts/signup/", "/accounts/login/code/", "/accounts/password/reset/"])
def test_a_mail_server_that_is_away_is_said_on_the_page(anna, monkeypatch, path):
    def drop(self, messages):
        raise SMTPServerDisconnected

    monkeypatch.setattr(EmailBackend, "send_messages", drop)
    for email in ("anna@example.com", "other@example.com"):
        form = {"email": email, "name": "Sam", "password1": PASSWORD}
        answer = Client().post(path, form, follow=True)
        assert answer.status_code == HTTPStatus.OK
        assert "We could not send you mail just now." in answer.content.decode()


def test_a_name_is_only_text(club, as_anna, anna):
    as_anna.post(reverse("portal:profile"), {"name": "<script>alert(1)</script>", "language": "en", "time_zone": "UTC"})
    assert "<script>alert" not in as_anna.get("/").content.decode()
    assert "&lt;script&gt;alert" in as_anna.get("/").content.decode()


def test_error_pages_speak_plainly(client, club, settings):
    missing = client.get("/nowhere/")
    assert missing.status_code == HTTPStatus.NOT_FOUND
    assert "There is no such page" in missing.content.decode()


def test_a_broken_page_needs_nothing_to_say_so(client, club, monkeypatch):
    monkeypatch.setattr("portal.views.home.get_programme", lambda: 1 / 0)
    client.raise_request_exception = False
    broken = client.get("/")
    assert broken.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert "It is our fault" in broken.content.decode()


def test_robots_and_manifest(client, club):
    assert client.get("/robots.txt").content.decode() == "User-agent: *\nAllow: /$\nDisallow: /\n"
    manifest = client.get("/manifest.webmanifest")
    assert manifest["Content-Type"] == "application/manifest+json"
    assert manifest.json()["name"] == "Corner Café"


def test_no_password_stands_in_clear(anna):
    assert PASSWORD not in User.objects.get(pk=anna.user_id).password

"""The three standing characters: a stranger (`client`), two members and one of the staff."""

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client
from playwright.sync_api import Page

from members.enums import MARKETING
from members.models import ConsentWording, Member, Programme, User
from members.services.profile import link_account
from members.tests.factories import JOINED, make_member
from rewards.tests.factories import make_rule, make_tiers

PASSWORD = "a-long-word-and-7"


@pytest.fixture(autouse=True)
def _no_limits_left_over(db):
    cache.clear()


@pytest.fixture
def club(db):
    """A shop with a rule, three tiers and a wording for each purpose."""
    make_rule()
    make_tiers()
    for purpose in MARKETING:
        ConsentWording.objects.create(
            purpose=purpose, version=1, text_en=f"You may send me {purpose}.", text_zh_hans=f"可以给我发送{purpose}。"
        )
    return Programme.objects.create(pk=1, name="Corner Café", time_zone="Europe/Berlin")


def make_user(email: str, **values) -> User:
    """Someone with a verified address and the password PASSWORD."""
    user = User.objects.create_user(email, PASSWORD, **values)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def make_account(email: str, **profile) -> Member:
    """A member with a portal account."""
    member = make_member(email=email, **profile)
    return link_account(member_id=member.pk, user=make_user(email), at=JOINED)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def anna(club):
    return make_account("anna@example.com", name="Anna Berger", time_zone="Europe/Berlin")


@pytest.fixture
def bob(club):
    return make_account("bob@example.com", name="Bob Stone", phone="+4915112345678")


@pytest.fixture
def staff(club):
    return make_user("staff@example.com", is_staff=True)


@pytest.fixture
def as_anna(anna):
    return signed_in(anna.user)


@pytest.fixture
def as_bob(bob):
    return signed_in(bob.user)


@pytest.fixture
def open_page(new_context, live_server):
    """Opens a page that notes every complaint of the browser; none may be left at the end of the test."""
    complaints: list[str] = []

    def opened(**look) -> Page:
        page = new_context(base_url=live_server.url, **look).new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if is_elsewhere(request.url) else None)
        page.set_default_timeout(10_000)
        return page

    def is_elsewhere(url: str) -> bool:
        return not url.startswith((live_server.url, "data:", "blob:"))

    yield opened
    assert complaints == []

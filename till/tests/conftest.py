import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from members.models import Member, Programme, User
from members.tests.factories import make_member
from rewards.tests.factories import make_rule, make_tiers

PASSWORD = "a-long-word-and-7"
SHOP = "Old Town"


@pytest.fixture(autouse=True)
def _a_shop(db, settings):
    """A shop with a rule (1 point per 1.00 EUR) and three tiers; nobody has guessed yet."""
    settings.REQUIRE_STAFF_MFA = False
    cache.clear()
    make_rule()
    make_tiers()
    Programme.objects.create(pk=1, name="Corner Café", time_zone="Europe/Berlin")


@pytest.fixture
def anna(_a_shop) -> Member:
    return make_member(name="Anna Berger", email="anna@example.com")


def staff(role: str) -> User:
    user = User.objects.create_user(f"{role.lower()}@example.com", PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def at_the_till(user: User) -> Client:
    """A browser of this user, on a device that stands in SHOP."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    client.cookies["till_store"] = "Old%20Town"
    return client


@pytest.fixture
def cashier(_a_shop) -> User:
    return staff("Till")


@pytest.fixture
def till(cashier) -> Client:
    return at_the_till(cashier)


def scan(client: Client, text: str, **more: str):
    return client.post(reverse("till:start"), {"what": text, **more})


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    tags = re.findall(rf'<input[^>]*name="{name}"[^>]*>', page)
    return re.search(r'value="([^"]*)"', tags[0]).group(1)


@pytest.fixture
def sale(till, anna) -> Callable[..., dict[str, str]]:
    """What the form of a purchase sends, weighed before as the page does it."""

    def weighed(amount: str = "20", **more) -> dict[str, str]:
        url = reverse("till:member", args=[anna.pk])
        page = till.get(url).content.decode()
        form = {
            "key": hidden(page, "key"),
            "amount": amount,
            "line-TOTAL_FORMS": "3",
            "line-INITIAL_FORMS": "0",
            **more,
        }
        shown = till.post(url, {**form, "act": "try"}).content.decode()
        return {**form, "seen": hidden(shown, "seen"), "act": "record"}

    return weighed

"""Who works at the till: staff whose role says so, with a second factor where it is asked for."""

import pytest
from django.test import Client
from django.urls import reverse

from members.models import AccessLog, Purchase, User
from members.services.profile import link_account
from rewards.services.redemptions import redeem_reward
from rewards.tests.factories import adjust, make_reward
from till.tests.conftest import PASSWORD, at_the_till, scan, staff
from till.urls import urlpatterns

POSTED_ONLY = {"undo", "benefit"}


@pytest.fixture
def pages(anna, _a_shop) -> dict[str, str]:
    """The address of every page of the till."""
    from django.utils import timezone

    at = timezone.now()
    adjust(anna, 500, at)
    reward = make_reward()
    redemption = redeem_reward(member_id=anna.pk, reward_id=reward.pk, source="t", key="k", at=at)
    known = {"member_id": anna.pk, "reward_id": reward.pk, "redemption_id": redemption.pk}
    return {
        pattern.name: reverse(
            f"till:{pattern.name}", kwargs={k: v for k, v in known.items() if f":{k}>" in str(pattern.pattern)}
        )
        for pattern in urlpatterns
    }


def test_strangers_sign_in_first_and_come_back(pages):
    for url in pages.values():
        for answer in (Client().get(url), Client().post(url)):
            assert answer.status_code in (302, 405), url
            if answer.status_code == 302:
                assert answer["Location"] == f"{reverse('account_login')}?next={url}"


@pytest.mark.parametrize("who", ["a member", "staff without a role", "a cashier who has left"])
def test_nobody_else_gets_in(pages, anna, who):
    user = User.objects.create_user("somebody@example.com", PASSWORD, is_staff=who != "a member")
    if who == "a member":
        link_account(member_id=anna.pk, user=user, at=anna.joined_at)
    if who == "a cashier who has left":
        user = staff("Till")
        user.is_staff = False
        user.save()
    client = at_the_till(user)
    for url in pages.values():
        for answer in (client.get(url), client.post(url, {"what": anna.card_number})):
            assert answer.status_code in (403, 405), url
            assert "Anna Berger" not in answer.content.decode()


@pytest.mark.parametrize("role", ["Till", "Marketer", "Manager"])
def test_each_role_of_staff_works_there(pages, role):
    client = at_the_till(staff(role))
    for name, url in pages.items():
        answer = client.get(url)
        assert answer.status_code == (405 if name in POSTED_ONLY else 200), name
        if name not in POSTED_ONLY:
            assert (
                "script-src" in answer["Content-Security-Policy"]
                or "default-src 'self'" in answer["Content-Security-Policy"]
            )
            assert "unsafe" not in answer["Content-Security-Policy"]


def test_a_second_factor_is_asked_for_as_in_the_admin(pages, settings):
    client = at_the_till(staff("Till"))
    settings.REQUIRE_STAFF_MFA = True
    for url in pages.values():
        assert client.get(url)["Location"] == reverse("mfa_index")


def test_who_looked_at_whom_is_written_down(till, cashier, anna):
    assert scan(till, "berger").status_code == 302
    till.get(reverse("till:member", args=[anna.pk]))
    till.get(reverse("till:rewards", args=[anna.pk]))
    rows = AccessLog.objects.filter(action="viewed").values_list("actor", "member", "what")
    assert list(rows) == [(cashier.pk, anna.pk, "till")] * 2
    searched = AccessLog.objects.get(action="searched")
    assert (searched.actor, searched.members) == (cashier, 1)
    assert "berger" not in searched.what


def test_a_device_is_asked_once_which_shop_it_stands_in(cashier, anna):
    client = at_the_till(cashier)
    del client.cookies["till_store"]
    url = reverse("till:member", args=[anna.pk])
    asked = client.get(url)
    assert asked["Location"] == f"{reverse('till:store')}?next={url}"
    assert client.post(asked["Location"], {"store": "", "next": url}).status_code == 200
    chosen = client.post(reverse("till:store"), {"store": "Café am Markt 市场", "next": url})
    assert chosen["Location"] == url
    assert "Café am Markt 市场" in client.get(url).content.decode()
    elsewhere = client.post(reverse("till:store"), {"store": "X", "next": "https://evil.example/"})
    assert elsewhere["Location"] == reverse("till:start")
    assert not Purchase.objects.exists()

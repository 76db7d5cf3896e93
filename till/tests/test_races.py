"""Two presses of one button, two tills with one code: at the same moment."""

import re
from threading import Barrier, Thread

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.models import Purchase
from rewards.models import Redemption, Transfer
from rewards.queries import balance
from rewards.services.redemptions import redeem_reward
from rewards.services.settings import save_reward_settings
from rewards.tests.factories import adjust, make_reward
from till.tests.conftest import at_the_till

pytestmark = pytest.mark.django_db(transaction=True)


def together(user, url: str, form: dict, n: int = 4) -> list[str]:
    """Posts a form n times at once; where each answer leads, "" for none."""
    clients, start, answers = [at_the_till(user) for _n in range(n)], Barrier(n), []

    def press(client: Client) -> None:
        start.wait()
        try:
            answers.append(client.post(url, form).headers.get("Location", ""))
        finally:
            connection.close()

    threads = [Thread(target=press, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_double_click_on_record_has_one_effect_and_one_answer_and_uses_one_code(cashier, till, anna, sale):
    save_reward_settings(values={"points_per_unit": 100, "till_confirm_points": 300}, at=timezone.now())
    adjust(anna, 900, timezone.now())
    url = reverse("till:member", args=[anna.pk])
    form = sale("20", pay_points="300")
    till.post(url, {**form, "act": "send"})
    code = re.search(r"\d{6}", mail.outbox[0].body).group()
    assert together(cashier, url, {**form, "by": "code", "proof": code}) == [f"{url}?done"] * 4
    assert Purchase.objects.count() == 1
    assert Transfer.objects.filter(kind="pay").count() == 1
    assert balance(anna.pk) == 617


def test_two_tills_hand_one_reward_over_once(cashier, anna):
    at = timezone.now()
    taken = redeem_reward(member_id=anna.pk, reward_id=make_reward(points=0).pk, source="t", key="k", at=at)
    answers = together(cashier, reverse("till:redemption", args=[taken.pk]), {})
    assert sorted(map(bool, answers)) == [False, False, False, True]


def test_a_double_click_on_redeem_takes_one(cashier, anna):
    adjust(anna, 500, timezone.now())
    url = reverse("till:reward", args=[anna.pk, make_reward(points=100).pk])
    answers = together(cashier, url, {"key": "1" * 36, "act": "redeem", "hand_over": "on"})
    assert answers == [f"{reverse('till:member', args=[anna.pk])}?done"] * 4
    assert Redemption.objects.count() == 1
    assert balance(anna.pk) == 400

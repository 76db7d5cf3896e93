"""The code of a friend, said at the counter."""

from datetime import timedelta

import time_machine
from django.urls import reverse
from django.utils import timezone

from referrals.models import Referral
from referrals.services.finding import MISSES
from referrals.tests.factories import code_of, live_programme, newcomer


def test_a_new_customer_says_who_brought_them_once(till, anna):
    live_programme()
    now = timezone.now()
    new, old = newcomer(at=now), newcomer(at=now - timedelta(days=99))
    page, url = reverse("till:member", args=[new.pk]), reverse("till:brought", args=[new.pk])
    assert url in till.get(page).content.decode()
    assert (
        reverse("till:brought", args=[old.pk]) not in till.get(reverse("till:member", args=[old.pk])).content.decode()
    )
    assert "There is no such code." in till.post(url, {"code": "QQQQ-QQQ"}).content.decode()
    assert "Please type the friend&#x27;s code." in till.post(url, {"code": " "}).content.decode()
    done = till.post(url, {"code": code_of(anna).lower()}, follow=True).content.decode()
    assert "Both are thanked as soon as it counts." in done
    referral = Referral.objects.get()
    assert (referral.giver, referral.friend, referral.source) == (anna, new, "till")
    assert url not in till.get(page).content.decode()
    own = till.post(reverse("till:brought", args=[anna.pk]), {"code": code_of(anna)}).content.decode()
    assert "Nobody brings themselves." in own


def test_codes_are_not_tried_out_at_the_till(till):
    live_programme()
    url = reverse("till:brought", args=[newcomer(at=timezone.now()).pk])
    with time_machine.travel(timezone.now(), tick=False):  # they are counted by the minute
        told = [till.post(url, {"code": f"QQQQ{n:03}"}).content.decode() for n in range(MISSES + 1)]
    assert "Those were many codes" in told[-1]
    assert not any("Those were many codes" in one for one in told[:-1])

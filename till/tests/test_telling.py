"""What a customer says at the counter is on somebody's desk, once."""

import pytest
from django.urls import reverse

from surveys.models import Case
from till.tests.conftest import SHOP, hidden


def test_a_complaint_is_kept_once_with_its_shop_and_who_wrote_it_down(till, cashier, anna):
    url = reverse("till:tell", args=[anna.pk])
    key = hidden(till.get(url).content.decode(), "key")
    told = {"key": key, "kind": "complaint", "text": "The milk was sour <b>", "urgent": "1"}
    for _n in range(2):  # a double click
        page = till.post(url, told, follow=True).content.decode()
    case = Case.objects.get()
    assert f"Kept as {case.number}" in page
    assert (case.member, case.source, case.severity, case.store) == (anna, "till", "high", SHOP)
    assert case.changes.get().actor == cashier
    again = till.post(url, {**told, "text": "Something else"})
    assert "This was sent already" in again.content.decode()
    assert Case.objects.count() == 1


@pytest.mark.parametrize(("wrong", "said"), [({"text": " "}, "write something"), ({"text": "x" * 100_000}, "too long")])
def test_what_is_wrong_is_said_and_nothing_is_kept(till, anna, wrong, said):
    reply = till.post(reverse("till:tell", args=[anna.pk]), {"key": "k", "kind": "complaint", **wrong})
    assert said in reply.content.decode()
    assert not Case.objects.exists()

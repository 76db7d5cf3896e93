"""Questions in random order: another for each person, and one for as long as they are at it."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from members.tests.factories import make_member
from surveys.models import Invitation, Response
from surveys.tests.factories import AT, open_survey, question

pytestmark = pytest.mark.django_db
MIXED = {
    "sections": [
        {"id": "s1", "random": True, "questions": [question(f"q{n}") for n in range(8)]},
        {"id": "s2", "questions": [question("last")]},
    ]
}


def seen(page) -> list[str]:
    return list(dict.fromkeys(re.findall(r'name="(q\d)"', page.content.decode())))


def sent(page) -> dict[str, str]:
    return dict(re.findall(r'name="(visit|at)" value="([^"]+)"', page.content.decode()))


@pytest.mark.parametrize("anonymous", [False, True])
def test_strangers_see_orders_of_their_own_that_stay_as_they_were_seen(anonymous):
    survey = open_survey(MIXED, anonymous=anonymous)
    link = reverse("portal:survey", args=[survey.code])
    first = [Client().get(link) for _ in range(6)]
    assert len({tuple(seen(page)) for page in first}) > 1
    assert not Response.objects.exists()
    client = Client()
    page = client.get(link)
    wrong = client.post(link, sent(page) | {"q1": "x" * 501})
    assert seen(wrong) == seen(page)
    for _twice in range(2):  # sent twice, it is one answer
        assert Client().post(link, sent(page) | {"q1": "Good"}).status_code == 302
    client.post(link, sent(page) | {"q1": "Good"})
    assert Response.objects.count() == 1
    assert seen(client.get(f"{link}?at=0")) == seen(page)
    forged = client.get(link, {"new": ""})
    Client().post(link, sent(forged) | {"visit": Response.objects.get().uid.hex, "q1": "Mine"})
    assert Response.objects.count() == 2  # a number without our signature is nobody's


def test_who_is_asked_by_name_sees_one_order_whenever_they_come():
    survey = open_survey(MIXED)
    orders = set()
    for _ in range(4):
        asked = Invitation.objects.create(survey=survey, member=make_member(), key="wave:1", created_at=AT)
        link = reverse("portal:invited", args=[asked.uid])
        page = Client().get(link)
        assert seen(Client().get(link)) == seen(page)
        Client().post(link, sent(page) | {"q1": "Good"})
        assert seen(Client().get(f"{link}?at=0")) == seen(page)
        orders.add(tuple(seen(page)))
    assert len(orders) > 1

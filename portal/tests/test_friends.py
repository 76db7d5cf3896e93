"""Bringing friends in the portal: what a friend sees, what a browser remembers, what the giver is shown."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from members.models import Member
from portal.tests.conftest import make_user, signed_in
from portal.tests.test_joining import WORDING_SHOWN
from portal.touches import BROWSER, COOKIE
from referrals.fairness import score
from referrals.models import Invite, Referral, Traffic, Unwilling
from referrals.services.advocates import advocate_of, set_wishes
from referrals.services.inviting import send_waiting
from referrals.services.signals import signals_of
from referrals.tests.factories import definition, live_programme

pytestmark = pytest.mark.django_db


@pytest.fixture
def programme(club):
    return live_programme(welcome={"points": 50}, invites_per_day=2)


@pytest.fixture
def code(anna, programme):
    return advocate_of(member_id=anna.pk, at=timezone.now()).code


def test_looking_writes_nothing_and_names_nobody_who_does_not_want_it(client, anna, code):
    page = client.get(reverse("portal:referral", args=[code]) + "?c=wechat")
    assert page.status_code == 200
    assert "A friend has something for you" in page.content.decode()
    assert "Anna" not in page.content.decode()
    assert COOKIE not in client.cookies
    assert not Traffic.objects.exists()
    set_wishes(member_id=anna.pk, shows_name=True, nickname="", is_listed=False, at=timezone.now())
    assert "Anna has something for you" in client.get(reverse("portal:referral", args=[code])).content.decode()


def test_a_friend_takes_the_gift_signs_up_another_day_and_is_known(client, anna, code):
    taken = client.post(reverse("portal:referral_take", args=[code]), {"c": "wechat"})
    assert taken["Location"] == reverse("account_signup")
    client.force_login(make_user("lee@example.com", first_name="Lee"))
    home = client.post(reverse("portal:join"), {"versions": WORDING_SHOWN, "old_enough": "on"}, follow=True)
    referral = Referral.objects.get()
    assert (referral.giver, referral.friend.email, referral.channel) == (anna, "lee@example.com", "wechat")
    assert "From your friend, for you: 50 points and later 100 points." in home.content.decode()
    assert not client.cookies[COOKIE].value
    mine = signed_in(anna.user).get(reverse("portal:friends")).content.decode()
    assert "On the way" in mine
    assert "Lee" not in mine


def test_an_altered_cookie_is_no_cookie(client, anna, code):
    client.post(reverse("portal:referral_take", args=[code]))
    client.cookies[COOKIE] = client.cookies[COOKIE].value[:-3] + "abc"
    client.force_login(make_user("lee@example.com", first_name="Lee"))
    client.post(reverse("portal:join"), {"versions": WORDING_SHOWN, "old_enough": "on"})
    assert Member.objects.filter(email="lee@example.com").exists()
    assert not Referral.objects.exists()


def test_a_robot_that_comes_a_hundred_times_makes_one_row(client, code):
    for _visit in range(100):
        client.get(reverse("portal:referral", args=[code]))
        client.post(reverse("portal:referral_seen", args=[code]), {"c": "x"})
    assert Traffic.objects.get().visits == 100


def test_who_tries_codes_waits(client, code):
    answers = [client.get(reverse("portal:referral", args=[f"0000000{n}"])).status_code for n in range(10)]
    assert answers == [404] * 10
    assert client.get(reverse("portal:referral", args=[code])).status_code == 429


def test_an_invitation_goes_out_once_says_who_asked_and_is_forgotten(as_anna, as_bob, anna, code):
    set_wishes(member_id=anna.pk, shows_name=True, nickname="", is_listed=False, at=timezone.now())
    for _again in range(2):
        as_anna.post(reverse("portal:friends_invite"), {"email": "Kim@Example.net"})
    assert send_waiting(at=timezone.now()) == 1
    assert send_waiting(at=timezone.now()) == 0
    (sent,) = mail.outbox
    assert sent.to == ["Kim@Example.net"]
    assert sent.subject.startswith("Anna: ")
    assert f"/r/{code}/?c=invite" in sent.body
    invite = Invite.objects.get()
    assert invite.address == ""
    refuse = re.search(r"/r/no/\S+", sent.body).group()
    assert "Terms: One each." in sent.body
    assert "Never again" in Client().get(refuse).content.decode()
    assert not Unwilling.objects.exists()
    assert Client().post(refuse.replace("/no/", "/no/0")).status_code == 404
    Invite.objects.all().delete()  # they age out; the link in the mail goes on
    as_bob.post(reverse("portal:friends_invite"), {"email": "kim@example.net"})
    assert "Done." in Client().post(refuse).content.decode()
    assert "Done." in Client().get(refuse).content.decode()
    as_anna.post(reverse("portal:friends_invite"), {"email": "kim@example.net"})
    assert send_waiting(at=timezone.now()) == 0
    as_anna.post(reverse("portal:friends_invite"), {"email": "bo@example.net"})
    assert send_waiting(at=timezone.now()) == 1
    answer = as_anna.post(reverse("portal:friends_invite"), {"email": "third@example.net"}, follow=True)
    assert "as many as we send a day" in answer.content.decode()


def test_whether_an_address_is_a_members_is_not_told(as_anna, bob, code):
    known = as_anna.post(reverse("portal:friends_invite"), {"email": bob.email}, follow=True).content.decode()
    unknown = as_anna.post(reverse("portal:friends_invite"), {"email": "kim@example.net"}, follow=True).content.decode()
    sentence = "If we may write there, your friend gets one message from you."
    assert sentence in known
    assert sentence in unknown
    assert send_waiting(at=timezone.now()) == 1


def test_a_code_is_told_later_and_a_wrong_one_said_so(as_bob, bob, code):
    Member.objects.filter(pk=bob.pk).update(joined_at=timezone.now() - timedelta(days=3))
    wrong = as_bob.post(reverse("portal:friends_came"), {"code": "nonsense"}, follow=True)
    assert "There is no such code." in wrong.content.decode()
    as_bob.post(reverse("portal:friends_came"), {"code": f"{code[:4]} {code[4:]}".lower(), "shows_name": "on"})
    assert Referral.objects.get().friend == bob


@pytest.mark.parametrize("paper", ["card", "poster"])
def test_who_comes_by_a_printed_card_or_poster_is_told_apart(as_anna, client, programme, code, paper):
    page = as_anna.get(reverse(f"portal:friends_{paper}"))
    assert page.context["link"].endswith(f"/r/{code}/?c={paper}")
    assert page.content.decode().count('class="qr"') == (9 if paper == "card" else 1)
    client.post(reverse("portal:referral_seen", args=[code]), {"c": paper})
    assert list(Traffic.objects.filter(visits__gt=0).values_list("channel", "visits")) == [(paper, 1)]


@pytest.mark.parametrize("name", ["friends_card", "friends_poster", "friends"])
def test_pages_hold_nothing_of_others_and_without_a_programme_say_so(as_bob, anna, code, programme, name):
    advocate_of(member_id=anna.pk, at=timezone.now())
    page = as_bob.get(reverse(f"portal:{name}"))
    assert code not in page.content.decode()


def test_without_a_programme_the_pages_say_so(as_anna, client, anna):
    assert "Nothing runs at the moment" in as_anna.get(reverse("portal:friends")).content.decode()
    code = advocate_of(member_id=anna.pk, at=timezone.now()).code
    over = client.get(reverse("portal:referral", args=[code]))
    assert over.status_code == 404
    assert "This link brings nothing any more" in over.content.decode()


def test_the_terms_and_texts_are_those_of_the_language(client, anna, programme, code):
    page = client.get(reverse("portal:referral", args=[code]), headers={"accept-language": "zh-hans"}).content.decode()
    assert definition()["texts"]["headline"]["zh-hans"] in page


@pytest.mark.parametrize(("same", "doubt"), [(True, {"device", "network"}), (False, {"network"})])
def test_who_joins_in_the_browser_that_shared_is_looked_at_and_who_has_the_same_network_is_not(
    client, anna, code, same, doubt
):
    giver = signed_in(anna.user)
    giver.post(reverse("portal:friends_shared"), {"channel": "copy"})
    if same:
        client.cookies[BROWSER] = giver.cookies[BROWSER].value
    client.post(reverse("portal:referral_take", args=[code]))
    client.force_login(make_user("lee@example.com", first_name="Lee"))
    client.post(reverse("portal:join"), {"versions": WORDING_SHOWN, "old_enough": "on"})
    referral = Referral.objects.get()
    assert signals_of([referral.pk])[referral.pk].keys() == doubt
    assert (score(doubt) >= 50) == same

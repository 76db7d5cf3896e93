"""From stranger to member: signing up with a code, and bringing a card along."""

import re
from http import HTTPStatus

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from stdnum import damm

from members.enums import Channel, Purpose
from members.models import CardClaim, ConsentWording, Member, Programme, TimelineEvent, User
from members.queries import has_consented
from members.services.claims import send_due_codes
from members.services.merging import merge_members, undo_merge
from members.tests.factories import JOINED, make_member
from portal.tests.conftest import PASSWORD, make_account, make_user, signed_in

SIGN_UP, CODE = "/accounts/signup/", "/accounts/confirm-email/"
UNKNOWN_CARD = "99999999999" + damm.calc_check_digit("99999999999")
WORDING_SHOWN = "greetings:1,offers:1"


def sign_up(client: Client, email: str, language: str = "en"):
    form = {"name": "Sam Reed", "email": email, "password1": PASSWORD}
    return client.post(SIGN_UP, form, follow=True, headers={"accept-language": language})


def code_in(mail) -> str:
    return re.search(r"\b\d{4}-\d{4}\b", mail.body).group()


def signed_up(client: Client, mailoutbox, email: str = "sam@example.com"):
    """Signs up and enters the code; the answer after all redirects."""
    sign_up(client, email)
    return client.post(CODE, {"code": code_in(mailoutbox[-1])}, follow=True)


def test_sign_up_with_a_code_then_a_new_card(client, club, mailoutbox):
    asked = sign_up(client, "Sam@Example.com", language="zh-hans")
    assert asked.redirect_chain[-1][0] == CODE
    assert not User.objects.get().emailaddress_set.get().verified
    (mail,) = mailoutbox
    assert mail.to == ["sam@example.com"]
    assert "Corner Café" in mail.body
    assert code_in(mail) not in mail.subject
    offered = client.post(CODE, {"code": code_in(mail)}, follow=True, headers={"accept-language": "zh-hans"})
    assert offered.redirect_chain[-1][0] == reverse("portal:join")
    assert reverse("portal:claim") in offered.content.decode()
    assert not Member.objects.exists()
    agreed = {"versions": WORDING_SHOWN, "email_greetings": "on", "old_enough": "on"}
    home = client.post(reverse("portal:join"), agreed, follow=True, headers={"accept-language": "zh-hans"})
    assert home.redirect_chain[-1][0] == "/"
    member = Member.objects.get()
    assert (member.name, member.email, member.language) == ("Sam Reed", "sam@example.com", "zh-hans")
    assert member.time_zone == "Europe/Berlin"
    assert has_consented(member_id=member.pk, channel=Channel.EMAIL, purpose=Purpose.GREETINGS)
    assert not has_consented(member_id=member.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS)


def test_nothing_is_ticked_beforehand(client, club, mailoutbox):
    page = signed_up(client, mailoutbox).content.decode()
    assert "You may send me offers." in page
    assert page.count('type="checkbox"') == 3
    assert "checked" not in page


def test_a_verified_address_brings_its_card_and_not_before(client, club, mailoutbox):
    member = make_member(name="Sam", email="sam@example.com")
    sign_up(client, "sam@example.com")
    member.refresh_from_db()
    assert member.user is None
    home = client.post(CODE, {"code": code_in(mailoutbox[-1])}, follow=True)
    assert home.redirect_chain[-1][0] == "/"
    assert "Your card and your points are here." in home.content.decode()
    member.refresh_from_db()
    assert member.user.email == "sam@example.com"
    assert Member.objects.count() == 1


def test_a_wrong_code_links_nothing(client, club, mailoutbox):
    member = make_member(email="sam@example.com")
    sign_up(client, "sam@example.com")
    answer = client.post(CODE, {"code": "0000-0000"})
    assert answer.status_code == HTTPStatus.OK
    member.refresh_from_db()
    assert member.user is None


@pytest.mark.parametrize("known", ["nobody's", "a member's without account", "a user's"])
def test_sign_up_answers_alike_whatever_is_known(club, mailoutbox, known):
    if known == "a member's without account":
        make_member(email="sam@example.com")
    elif known == "a user's":
        make_account("sam@example.com")
    client = Client()
    answer = sign_up(client, "sam@example.com")
    assert [url for url, _status in answer.redirect_chain] == [CODE]
    page = re.sub(r'value="[\w-]{40,}"', "", answer.content.decode())
    other = sign_up(Client(), "other@example.com")
    expected = re.sub(r'value="[\w-]{40,}"', "", other.content.decode()).replace("other@", "sam@")
    assert page == expected
    assert mailoutbox[0].to == ["sam@example.com"]
    assert bool(re.search(r"\d{4}-\d{4}", mailoutbox[0].body)) == (known != "a user's")


def test_sign_in_by_code_answers_alike_whatever_is_known(club, mailoutbox):
    make_account("sam@example.com")
    pages = {}
    for email in ("sam@example.com", "other@example.com"):
        answer = Client().post("/accounts/login/code/", {"email": email}, follow=True)
        pages[email] = re.sub(r'value="[\w-]{40,}"', "", answer.content.decode()).replace(email, "")
    assert pages["sam@example.com"] == pages["other@example.com"]
    assert [mail.to for mail in mailoutbox] == [["sam@example.com"], ["other@example.com"]]


def test_sign_in_by_code(club, client, mailoutbox, anna):
    client.post("/accounts/login/code/", {"email": "anna@example.com"})
    home = client.post("/accounts/login/code/confirm/", {"code": code_in(mailoutbox[0])}, follow=True)
    assert "Anna Berger" in home.content.decode()


def test_a_strangers_password_ends_when_the_owner_proves_the_address_by_code(club, mailoutbox):
    make_member(name="Owner", email="owner@example.com")
    sign_up(Client(), "owner@example.com")  # by someone who cannot read that mail
    owner = Client()
    owner.post("/accounts/login/code/", {"email": "owner@example.com"})
    owner.post("/accounts/login/code/confirm/", {"code": code_in(mailoutbox[-1])})
    assert Member.objects.get().user == User.objects.get()
    thief = Client()
    thief.post("/accounts/login/", {"login": "owner@example.com", "password": PASSWORD})
    assert thief.get("/me/").status_code == HTTPStatus.FOUND


def test_staff_go_to_the_admin(club, client, staff):
    answer = client.post("/accounts/login/", {"login": staff.email, "password": PASSWORD})
    assert answer["Location"] == reverse("admin:index")


@pytest.fixture
def newcomer(club):
    return signed_in(make_user("new@example.com", first_name="New"))


def claim(client: Client, number: str, channel: str = "email"):
    return client.post(reverse("portal:claim"), {"card_number": number, "channel": channel}, follow=True)


def test_a_card_comes_with_the_code_from_its_own_address(newcomer, mailoutbox):
    member = make_member(name="Old Card", email="old@example.com")
    asked = claim(newcomer, member.card_number_grouped)
    assert asked.redirect_chain[-1][0] == reverse("portal:claim_code")
    for hint in ("old@", "Old", "example.com"):
        assert hint not in asked.content.decode().replace("new@example.com", "")
    send_due_codes(at=timezone.now())
    (mail,) = mailoutbox
    assert mail.to == ["old@example.com"]
    code = re.search(r"\d{6}", mail.body).group()
    wrong = newcomer.post(reverse("portal:claim_code"), {"code": f"{(int(code) + 1) % 10**6:06d}"})
    assert "You have 4 tries left." in wrong.content.decode()
    home = newcomer.post(reverse("portal:claim_code"), {"code": code}, follow=True)
    assert "Old Card" in home.content.decode()
    assert Member.objects.get().user.email == "new@example.com"


def test_a_card_of_nobody_looks_like_any_other(newcomer):
    member = make_member()
    pages = []
    for number in (member.card_number, UNKNOWN_CARD):
        asked = claim(newcomer, number).content.decode()
        tried = newcomer.post(reverse("portal:claim_code"), {"code": "x"}).content.decode()
        pages.append([re.sub(r'value="[\w-]{40,}"', "", page) for page in (asked, tried)])
    assert pages[0] == pages[1]
    assert CardClaim.objects.count() == 2


def test_a_mistyped_card_says_so_beside_the_field(newcomer):
    number = make_member().card_number
    page = claim(newcomer, number[:-1] + str((int(number[-1]) + 1) % 10)).content.decode()
    assert "a digit is wrong or two are swapped" in page
    assert 'id="id_card_number_error"' in page
    assert 'aria-describedby="id_card_number_error id_card_number_help"' in page
    assert "autofocus" in page


def test_too_many_claims_are_refused_with_what_to_do(newcomer):
    for _ in range(3):
        claim(newcomer, UNKNOWN_CARD)
    page = claim(newcomer, UNKNOWN_CARD).content.decode()
    assert "Please try again tomorrow, or ask us in the shop." in page


def test_after_five_tries_the_code_is_no_longer_good(newcomer):
    claim(newcomer, UNKNOWN_CARD)
    for _ in range(4):
        newcomer.post(reverse("portal:claim_code"), {"code": "1"})
    last = newcomer.post(reverse("portal:claim_code"), {"code": "1"}, follow=True)
    assert last.redirect_chain[-1][0] == reverse("portal:claim")
    assert "no longer good" in last.content.decode()


def test_who_has_a_card_gets_no_other(as_anna):
    assert "To bring two cards together, show both in the shop." in claim(as_anna, UNKNOWN_CARD).content.decode()
    assert as_anna.post(reverse("portal:join"), {"versions": WORDING_SHOWN})["Location"] == "/"
    assert Member.objects.count() == 1


def test_nobody_agrees_to_words_that_changed_meanwhile(newcomer):
    ConsentWording.objects.create(purpose=Purpose.OFFERS, version=2, text_en="You may sell my address.")
    stale = {"versions": WORDING_SHOWN, "email_offers": "on", "old_enough": "on"}
    page = newcomer.post(reverse("portal:join"), stale).content.decode()
    assert "The wording has just changed." in page
    assert "You may sell my address." in page
    assert 'value="greetings:1,offers:2"' in page
    assert not Member.objects.exists()


def test_who_does_not_say_that_they_are_old_enough_gets_no_card(newcomer, club):
    answers = {"versions": WORDING_SHOWN, "email_offers": "on"}
    page = newcomer.post(reverse("portal:join"), answers).content.decode()
    assert "Our club is for people of 14 and older." in page
    Programme.objects.update(guardian_may_consent=True, minimum_age=16)
    page = newcomer.post(reverse("portal:join"), answers).content.decode()
    assert "I am 16 or older" in page
    assert "joins with a parent or guardian" in page
    assert not Member.objects.exists()
    newcomer.post(reverse("portal:join"), {**answers, "old_enough": "on"})
    stated = TimelineEvent.objects.get(member=Member.objects.get(), kind="member.age_stated")
    assert stated.data == {"age": 16}


def test_without_a_minimum_age_nobody_is_asked(newcomer, club):
    Programme.objects.update(minimum_age=0)
    assert "or older" not in newcomer.get(reverse("portal:join")).content.decode()
    newcomer.post(reverse("portal:join"), {"versions": WORDING_SHOWN})
    assert Member.objects.count() == 1


@pytest.mark.parametrize("name", ["join", "claim", "claim_code"])
def test_an_address_is_verified_before_any_card(club, name):
    user = User.objects.create_user("unverified@example.com", PASSWORD)
    make_member(email="unverified@example.com")
    answer = signed_in(user).get(reverse(f"portal:{name}"))
    assert answer["Location"].startswith(CODE)
    assert Member.objects.get().user is None


class CountingHasher(MD5PasswordHasher):
    hashed = 0

    def encode(self, password, salt):
        CountingHasher.hashed += 1
        return super().encode(password, salt)


def test_a_known_address_costs_the_same_work_as_a_new_one(club, settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    work = []
    for _ in range(2):  # the second time the address is known
        before = CountingHasher.hashed
        sign_up(Client(), "twice@example.com")
        work.append(CountingHasher.hashed - before)
    assert work[0] == work[1] > 0


def test_who_lost_the_card_to_a_merge_is_told_where_it_is(anna, bob, as_bob):
    account, other = bob.user, make_member()
    done = merge_members(survivor_id=anna.pk, merged_id=bob.pk, at=JOINED)
    assert "anna@example.com keeps the card; bob@example.com is no longer linked" in done.remarks[0]
    page = as_bob.get("/", follow=True).content.decode()
    assert f"ends in {anna.card_number[-4:]}" in page
    assert "a•••@example.com" in page
    assert "anna@" not in page
    assert "Get my card" not in as_bob.post(reverse("portal:join"), {"versions": WORDING_SHOWN}).content.decode()
    assert not Member.objects.filter(user=account).exists()

    merge_members(survivor_id=other.pk, merged_id=anna.pk, at=JOINED)  # the chain is followed
    assert f"ends in {other.card_number[-4:]}" in as_bob.get(reverse("portal:join")).content.decode()
    Member.objects.filter(pk=other.pk).update(user=None)
    assert reverse("portal:claim") in as_bob.get(reverse("portal:join")).content.decode()


def test_after_the_merge_is_undone_the_account_has_its_card_again(anna, bob, as_bob):
    done = merge_members(survivor_id=anna.pk, merged_id=bob.pk, take=["account"], at=JOINED)
    assert "bob@example.com keeps the card; anna@example.com is no longer linked" in done.remarks[0]
    undo_merge(merge_id=done.merge_id, at=JOINED)
    assert as_bob.get("/").status_code == 200
    assert Member.objects.get(user=anna.user_id).pk == anna.pk

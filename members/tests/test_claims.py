"""Claiming a card: only its holder gets the code, and nobody learns anything else."""

import re
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection
from django.test.utils import CaptureQueriesContext
from stdnum import damm

from members.enums import Channel
from members.models import CardClaim, Member, User
from members.services import claims
from members.services.claims import CodeExpired, CodeWrong, TooManyClaims
from members.services.profile import AlreadyLinked, link_account
from members.tests.factories import make_member

pytestmark = pytest.mark.django_db
UNKNOWN_CARD = "99999999999"
UNKNOWN_CARD += damm.calc_check_digit(UNKNOWN_CARD)


@pytest.fixture
def member():
    return make_member(name="Mei Lin", email="mei@example.com", phone="+8613912345678")


@pytest.fixture
def user():
    return User.objects.create_user("someone@example.com")


def start(user, number, at, channel=Channel.EMAIL, language="en"):
    return claims.start_claim(user=user, card_number=number, channel=channel, language=language, at=at)


def code_in(text):
    return re.search(r"\d{6}", text).group()


def other_than(code):
    return f"{(int(code) + 1) % 10**6:06d}"


def test_the_code_goes_to_the_address_on_file_and_links_the_card(member, user, at, mailoutbox):
    claim = start(user, member.card_number_grouped, at, language="zh-hans")
    assert claims.send_due_codes(at=at) == 1
    assert [mail.to for mail in mailoutbox] == [["mei@example.com"]]
    claimed = claims.confirm_claim(
        claim_id=claim.pk, user=user, code=f" {code_in(mailoutbox[0].body)} ", at=at + timedelta(minutes=14)
    )
    assert claimed == member
    member.refresh_from_db()
    assert member.user == user
    assert (member.email, member.language) == ("someone@example.com", "zh-hans")
    assert claims.send_due_codes(at=at) == 0


def test_the_code_stands_nowhere_in_clear(member, user, at, mailoutbox):
    claim = start(user, member.card_number, at)
    assert claim.code_hash == ""
    claims.send_due_codes(at=at)
    code = code_in(mailoutbox[0].body)
    row = CardClaim.objects.filter(pk=claim.pk).values().get()
    assert code not in str(row)
    assert len(row["code_hash"]) == 64


def test_the_code_comes_in_the_visitors_language_by_text_message(member, user, at, settings):
    start(user, member.card_number, at, Channel.SMS, "zh-hans")
    claims.send_due_codes(at=at)
    (sms,) = settings.OUTBOX_DIR.glob("*.sms")
    assert sms.read_text().startswith("To: +8613912345678")


def test_the_other_contact_serves_where_the_preferred_is_missing(user, at, mailoutbox):
    member = make_member(email="only@example.com")
    start(user, member.card_number, at, Channel.SMS)
    claims.send_due_codes(at=at)
    assert mailoutbox[0].to == ["only@example.com"]


def test_a_card_of_nobody_answers_like_any_other(member, user, at, mailoutbox):
    other = User.objects.create_user("other@example.com")
    with CaptureQueriesContext(connection) as known_queries:
        known = start(user, member.card_number, at)
    with CaptureQueriesContext(connection) as unknown_queries:
        unknown = start(other, UNKNOWN_CARD, at)
    assert len(known_queries) == len(unknown_queries)
    claims.send_due_codes(at=at)
    assert len(mailoutbox) == 1
    for claim, asker in ((known, user), (unknown, other)):
        wrong = other_than(code_in(mailoutbox[0].body))
        with pytest.raises(CodeWrong) as caught:
            claims.confirm_claim(claim_id=claim.pk, user=asker, code=wrong, at=at)
        assert caught.value.args == (4,)


def test_no_code_is_right_for_a_card_of_nobody(user, at):
    claim = start(user, UNKNOWN_CARD, at)
    claims.send_due_codes(at=at)
    with pytest.raises(CodeWrong):
        claims.confirm_claim(claim_id=claim.pk, user=user, code="", at=at)


def test_a_card_with_an_account_gets_a_notice_and_no_code(member, user, at, mailoutbox):
    link_account(member_id=member.pk, user=User.objects.create_user("mei@example.com"), at=at)
    claim = start(user, member.card_number, at)
    claims.send_due_codes(at=at)
    assert "already has an account" in mailoutbox[0].subject
    assert not re.search(r"\d{6}", mailoutbox[0].body)
    with pytest.raises(CodeWrong):
        claims.confirm_claim(claim_id=claim.pk, user=user, code="000000", at=at)


def test_five_tries_and_no_more_even_with_the_right_code(member, user, at, mailoutbox):
    claim = start(user, member.card_number, at)
    claims.send_due_codes(at=at)
    code = code_in(mailoutbox[0].body)
    for left in (4, 3, 2, 1):
        with pytest.raises(CodeWrong) as caught:
            claims.confirm_claim(claim_id=claim.pk, user=user, code=other_than(code), at=at)
        assert caught.value.args == (left,)
    for attempt in (other_than(code), code):
        with pytest.raises(CodeExpired):
            claims.confirm_claim(claim_id=claim.pk, user=user, code=attempt, at=at)
    assert not Member.objects.filter(user=user).exists()


def test_a_code_is_good_for_15_minutes_and_for_its_user_only(member, user, at, mailoutbox):
    claim = start(user, member.card_number, at)
    claims.send_due_codes(at=at)
    code = code_in(mailoutbox[0].body)
    thief = User.objects.create_user("thief@example.com")
    with pytest.raises(CodeExpired):
        claims.confirm_claim(claim_id=claim.pk, user=thief, code=code, at=at)
    with pytest.raises(CodeExpired):
        claims.confirm_claim(claim_id=claim.pk, user=user, code=code, at=at + timedelta(minutes=15))


@pytest.mark.parametrize("damage", ["one digit", "two swapped", "short", "letters"])
def test_a_mistyped_card_number_is_told_so(member, user, at, damage):
    number = member.card_number
    swap = next(i for i in range(11) if number[i] != number[i + 1])
    typed = {
        "one digit": number[:5] + str((int(number[5]) + 1) % 10) + number[6:],
        "two swapped": number[:swap] + number[swap + 1] + number[swap] + number[swap + 2 :],
        "short": number[:-1],
        "letters": "my card",
    }[damage]
    sentence = "has 12 digits" if damage == "short" else "a digit is wrong or two are swapped"
    with pytest.raises(ValidationError, match=sentence):
        start(user, typed, at)
    assert not CardClaim.objects.exists()


@pytest.mark.parametrize("card", ["known", "unknown"])
def test_a_card_is_asked_for_three_times_an_hour_and_four_a_day(member, at, card):
    number = member.card_number if card == "known" else UNKNOWN_CARD
    users = [User.objects.create_user(f"u{n}@example.com") for n in range(5)]
    for user in users[:3]:
        start(user, number, at)
    with pytest.raises(TooManyClaims):
        start(users[3], number, at + timedelta(minutes=59))
    start(users[3], number, at + timedelta(minutes=61))
    with pytest.raises(TooManyClaims):
        start(users[4], number, at + timedelta(hours=3))
    start(users[4], number, at + timedelta(hours=25))


def test_a_user_asks_three_times_an_hour_whatever_the_card(member, user, at):
    for number in (member.card_number, UNKNOWN_CARD, make_member().card_number):
        start(user, number, at)
    with pytest.raises(TooManyClaims):
        start(user, make_member().card_number, at)


def test_a_user_with_a_card_claims_no_other(member, user, at):
    link_account(member_id=make_member().pk, user=user, at=at)
    with pytest.raises(AlreadyLinked):
        start(user, member.card_number, at)


def test_a_server_that_refuses_leaves_the_code_due(member, user, at, mailoutbox, monkeypatch):
    claim = start(user, member.card_number, at)
    with monkeypatch.context() as broken:
        broken.setattr(EmailBackend, "send_messages", _refuse)
        assert claims.send_due_codes(at=at) == 0
    assert claims.send_due_codes(at=at + timedelta(minutes=1)) == 1
    code = code_in(mailoutbox[0].body)
    assert claims.confirm_claim(claim_id=claim.pk, user=user, code=code, at=at + timedelta(minutes=2)) == member


def _refuse(self, messages):
    raise ConnectionRefusedError


def test_the_address_of_another_member_is_not_taken_over(member, user, at, mailoutbox):
    make_member(email="someone@example.com")
    claim = start(user, member.card_number, at)
    claims.send_due_codes(at=at)
    code = code_in(mailoutbox[0].body)
    claimed = claims.confirm_claim(claim_id=claim.pk, user=user, code=code, at=at)
    assert claimed.user == user
    assert Member.objects.get(pk=member.pk).email == "mei@example.com"

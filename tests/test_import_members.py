"""Whose purchase it is: customer numbers, cards, e-mails, phones, and files that mix them."""

import pytest
from stdnum import damm

from members.models import Identity, Member, Programme, Purchase, TimelineEvent
from members.tests.factories import make_member
from rewards.tests.factories import make_rule
from tests.import_files import bring_in, sentences

pytestmark = pytest.mark.django_db
HEAD = "customer,card,email,phone,name,date,amount\n"
DAY = "2026-05-03"


def row(customer="", card="", email="", phone="", name="", amount="1.00") -> str:
    return f"{customer},{card},{email},{phone},{name},{DAY},{amount}\n"


def owner(amount_minor: int) -> Member:
    return Purchase.objects.get(amount_minor=amount_minor).member


def test_a_customer_number_makes_a_member_once_and_finds_them_again():
    Programme.objects.create(pk=1, language="zh-hans", time_zone="Asia/Shanghai")
    content = f"customer,name,date,amount\nC1,,{DAY},1.00\nC1,王小明,{DAY},2.00\nC2,李梅,{DAY},3.00\n"
    done = bring_in(content)
    assert (done.members, Member.objects.count()) == (2, 2)
    member = Identity.objects.get(system="till", value="C1").member
    assert (member.name, member.language, member.time_zone) == ("王小明", "zh-hans", "Asia/Shanghai")
    assert member.card_number != owner(300).card_number
    assert TimelineEvent.objects.filter(kind="member.joined", member=member).count() == 1
    again = bring_in(f"customer,date,amount\nC1,{DAY},9.00\nC3,{DAY},8.00\n")
    assert (again.members, owner(900)) == (1, member)


def test_an_email_finds_a_member_in_any_case_or_makes_one():
    ada = make_member(email="ada@example.com")
    done = bring_in(
        f"email,date,amount\nADA@Example.com,{DAY},1.00\nbea@example.com,{DAY},2.00\nBEA@example.com,{DAY},3.00\n"
    )
    assert (done.members, owner(100), owner(200)) == (1, ada, owner(300))
    assert owner(200).email == "bea@example.com"
    assert bring_in(f"email,date,amount\nbea@example.com,{DAY},2.00\n").repeats == 1


def test_a_phone_finds_a_member_however_it_is_written_or_makes_one():
    ada = make_member(phone="+8613800138000")
    done = bring_in(
        f"phone,date,amount\n+86 138-0013-8000,{DAY},1.00\n0086 138 0013 8000,{DAY},2.00\n+49 30 123456,{DAY},3.00\n"
    )
    assert set(sentences(done)) <= {3}  # 00 is read only where the region is known
    assert owner(100) == ada
    assert str(owner(300).phone) == "+4930123456"


def test_a_card_finds_its_member_and_makes_none():
    ada = make_member()
    card = ada.card_number
    mistyped = card[:5] + str((int(card[5]) + 1) % 10) + card[6:]
    i = next(i for i in range(11) if card[i] != card[i + 1])
    swapped = card[:i] + card[i + 1] + card[i] + card[i + 2 :]
    unknown = f"89999999999{damm.calc_check_digit('89999999999')}"
    lines = [card, f"{card[:4]} {card[4:8]} {card[8:]}", mistyped, swapped, unknown]
    done = bring_in("card,date,amount\n" + "".join(f"{number},{DAY},{n}.00\n" for n, number in enumerate(lines, 1)))
    assert sentences(done) == {
        4: f"“{mistyped}” is not a card number: a digit is wrong or two are swapped.",
        5: f"“{swapped}” is not a card number: a digit is wrong or two are swapped.",
        6: f"No member has the card {unknown}.",
    }
    assert (done.members, owner(100), owner(200)) == (0, ada, ada)


def test_a_new_customer_number_with_a_known_contact_is_that_member():
    ada = make_member(email="ada@example.com", phone="+4930123456")
    done = bring_in(HEAD + row("C1", email="ada@example.com") + row("C2", phone="+4930999999", amount="2.00"))
    assert (done.members, owner(100)) == (1, ada)
    assert ada.identities.get().value == "C1"
    assert str(owner(200).phone) == "+4930999999"
    again = bring_in(HEAD + row("C1", amount="3.00"))
    assert (again.members, owner(300)) == (0, ada)


def test_an_email_that_belongs_to_another_is_a_bad_row_this_time_and_the_next():
    ada = make_member(email="ada@example.com")
    content = (
        HEAD
        + row("C1", email="ada@example.com", amount="1.00")
        + row("C2", email="ada@example.com", amount="2.00")
        + row("C3", email="bea@example.com", amount="3.00")
        + row("C4", email="bea@example.com", amount="4.00")
        + row("C4", amount="5.00")
    )
    taken = {
        3: "The e-mail ada@example.com belongs to another member.",
        5: "The e-mail bea@example.com belongs to another member.",
    }
    first = bring_in(content)
    assert sentences(first) == taken
    assert (first.purchases, first.members, owner(100)) == (3, 2, ada)
    again = bring_in(content)
    assert sentences(again) == taken
    assert (again.purchases, again.repeats, again.members) == (0, 3, 0)
    assert owner(500).email == ""


def test_a_known_customer_number_with_the_contact_of_another_is_a_bad_row():
    bring_in(HEAD + row("C1") + row("C2", email="bea@example.com", amount="2.00"))
    card = owner(100).card_number
    done = bring_in(HEAD + row("C1", email="bea@example.com", amount="3.00") + row("C2", card=card, amount="4.00"))
    assert sentences(done) == {
        2: "The e-mail bea@example.com belongs to another member.",
        3: f"The card number {card} belongs to another member.",
    }
    assert done.purchases == 0


def test_rows_that_name_a_new_customer_in_different_ways_are_one_member():
    make_rule()
    content = (
        HEAD
        + row(email="ada@example.com", amount="1.00")
        + row("C1", email="ada@example.com", name="Ada", amount="2.00")
        + row("C1", phone="+4930123456", amount="3.00")
        + row(phone="+4930123456", amount="4.00")
        + row("C2", amount="5.00")
    )
    dry = bring_in(content, dry_run=True)
    done = bring_in(content)
    assert sentences(done) == {}
    assert (done.members, dry.members, Member.objects.count()) == (2, 2, 2)
    ada = Identity.objects.get(value="C1").member
    assert {owner(minor) for minor in (100, 200, 300, 400)} == {ada}
    assert (ada.name, ada.email, str(ada.phone)) == ("Ada", "ada@example.com", "+4930123456")
    again = bring_in(content)
    assert (again.repeats, again.members) == (5, 0)


def test_an_unknown_card_beside_a_customer_number_is_a_bad_row():
    card = f"89999999999{damm.calc_check_digit('89999999999')}"
    done = bring_in(HEAD + row("C1", card=card))
    assert sentences(done) == {2: f"No member has the card {card}."}
    assert Member.objects.count() == 0


def test_two_customer_numbers_of_one_member_are_one_customer():
    ada = make_member()
    for value in ("C1", "C2"):
        Identity.objects.create(member=ada, system="till", value=value)
    done = bring_in(f"customer,date,amount,receipt\nC1,{DAY},1.00,R1\nC2,{DAY},1.00,R1\n")
    assert (done.purchases, done.repeats, done.problems) == (1, 1, 0)


def test_numbers_belong_to_their_source():
    bring_in(f"customer,date,amount\nC1,{DAY},1.00\n")
    done = bring_in(f"customer,date,amount\nC1,{DAY},1.00\n", source="webshop")
    assert (done.members, done.purchases, Identity.objects.filter(value="C1").count()) == (1, 1, 2)

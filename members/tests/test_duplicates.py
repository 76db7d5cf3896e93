"""Who seems to be one person: what is found, what is not, and what stays settled."""

from datetime import timedelta

import pytest

from common.sql import execute
from members.models import Duplicate, Household, Member
from members.services.duplicates import NotOpen, Scanned, dismiss, look_alikes, scan
from members.services.identities import add_identity
from members.services.merging import merge_members, undo_merge
from members.services.profile import update_profile
from members.similarity import likelihood, mailbox, name_key, told
from members.tests.factories import JOINED, make_member

pytestmark = pytest.mark.django_db
BORN = {"birthday_month": 6, "birthday_day": 21}
HOME = {"street": "Hafenstr. 12", "postal_code": "10243", "city": "Berlin"}


def codes(at):
    scan(at=at)
    return [[reason["code"] for reason in pair.reasons] for pair in Duplicate.objects.filter(state="open")]


PAIRS = [
    ({"email": "anna.becker@gmail.com"}, {"email": "annabecker+shop@googlemail.com"}, ["email"]),
    ({"email": "anna@outlook.com"}, {"email": "anna+2@outlook.com"}, ["email"]),
    ({"phone": "+4930901820"}, {"phone": "+49030901820"}, ["phone"]),
    ({"name": "Anna Becker", **BORN}, {"name": "Becker, Anna", **BORN}, ["birthday"]),
    ({"name": "Anna Becker", **BORN}, {"name": "Anna Bäcker", "birthday_year": 1990, **BORN}, ["birthday"]),
    ({"name": "José Núñez", **BORN}, {"name": "JOSE NUNEZ", **BORN}, ["birthday"]),
    ({"name": "王小明", **BORN}, {"name": "小明 王", **BORN}, ["birthday"]),
    ({"name": "Anna Becker", **HOME}, {"name": "Anna Beker", **HOME, "street": "hafenstr 12"}, ["address"]),
    (
        {"name": "Anna Becker", "postal_code": "10243", **BORN},
        {"name": "Anna Becker", "postal_code": "10243", **BORN},
        ["birthday", "postcode"],
    ),
]


@pytest.mark.parametrize(("one", "two", "reasons"), PAIRS)
def test_these_two_seem_to_be_one(at, one, two, reasons):
    first = make_member(**{"name": "", **one})
    second = make_member(**{"name": "", **two, "phone": ""})
    execute("UPDATE members_member SET phone = %s WHERE id = %s", [two.get("phone", ""), second.pk])  # by a file
    assert codes(at) == [reasons]
    pair = Duplicate.objects.get()
    assert (pair.first, pair.second, pair.score) == (first, second, likelihood(reasons))
    assert all(told(pair.reasons))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"name": "Anna Becker"}, {"name": "Anna Becker"}),  # a name alone
        ({"name": "Anna Becker", **BORN}, {"name": "Paul Wolf", **BORN}),
        (
            {"name": "Anna Becker", "birthday_year": 1990, **BORN},
            {"name": "Anna Becker", "birthday_year": 1991, **BORN},
        ),
        ({"name": "Anna Becker", **HOME}, {"name": "Paul Becker", **HOME}),
        ({"name": "Anna Becker", "postal_code": "10243"}, {"name": "Anna Becker", "postal_code": "10243"}),
        ({"name": "王小明", **BORN}, {"name": "王大明", **BORN}),
        ({"name": "", **BORN, **HOME}, {"name": "", **BORN, **HOME}),
        ({"email": "a.b@example.com"}, {"email": "ab@example.com"}),  # a provider that may tell them apart
        ({"email": "ab@example.com"}, {"email": "ab+1@example.com"}),
    ],
)
def test_these_two_do_not(at, one, two):
    for profile in (one, two):
        make_member(**profile)
    assert codes(at) == []


def test_further_addresses_and_households_and_numbers_count(at):
    anna, double = make_member(name="Anna Becker"), make_member(name="Anna Becker")
    add_identity(member_id=double.pk, system="email", value="anna.b@gmail.com", at=JOINED)
    update_profile(member_id=anna.pk, changes={"email": "annab@gmail.com"}, at=JOINED)
    Member.objects.update(household=Household.objects.create(name="Becker"))
    for member, system in ((anna, "shop"), (double, "till")):
        add_identity(member_id=member.pk, system=system, value="K-1234", at=JOINED)
    assert codes(at) == [["email", "number", "household"]]


def test_what_many_share_tells_nobody_apart(at):
    for _ in range(70):
        make_member(name="Guest", **BORN)
    assert codes(at) == []


def test_who_was_said_to_be_two_people_stays_so_until_more_speaks_for_it(at):
    one, two = make_member(name="Anna Becker", **BORN), make_member(name="Anna Becker", **BORN)
    assert scan(at=at) == Scanned(1, 0, 0)
    assert scan(at=at) == Scanned(0, 0, 0)
    pair = Duplicate.objects.get()
    dismiss(duplicate_id=pair.pk, at=at)
    assert codes(at) == []
    for member in (one, two):
        update_profile(member_id=member.pk, changes=HOME, at=at)
    assert scan(at=at) == Scanned(0, 1, 0)
    pair.refresh_from_db()
    assert (pair.state, pair.settled_at) == ("open", None)
    update_profile(member_id=two.pk, changes={"name": "Paul Wolf"}, at=at)
    assert scan(at=at) == Scanned(0, 0, 1)
    assert not Duplicate.objects.exists()


def test_only_pairs_with_somebody_who_changed_are_looked_at(at):
    before, name = make_member(name="Anna Becker", **BORN), {"name": "Anna Becker", **BORN}
    make_member(**name)
    Member.objects.update(updated_at=at - timedelta(days=2))
    assert scan(at=at, since=at - timedelta(days=1)) == Scanned(0, 0, 0)
    new = make_member(**name)
    Member.objects.filter(pk=new.pk).update(updated_at=at)
    assert scan(at=at, since=at - timedelta(days=1)) == Scanned(2, 0, 0)
    assert scan(at=at, member_ids=[before.pk]) == Scanned(1, 0, 0)


def test_a_merge_settles_a_pair_and_its_undoing_keeps_it_settled(at):
    one, two = make_member(name="Anna Becker", **BORN), make_member(name="Anna Becker", **BORN)
    scan(at=at)
    done = merge_members(survivor_id=one.pk, merged_id=two.pk, at=at)
    pair = Duplicate.objects.get()
    with pytest.raises(NotOpen):
        dismiss(duplicate_id=pair.pk, at=at)
    assert codes(at) == []
    undo_merge(merge_id=done.merge_id, at=at)
    assert codes(at) == []
    assert Duplicate.objects.get().state == "dismissed"


def test_who_is_like_somebody_that_is_being_added():
    anna = make_member(name="Anna Becker", email="annabecker@gmail.com", phone="+4930901820", **BORN, **HOME)
    make_member(name="Anna Becker")
    for profile, reasons in (
        ({"email": "anna.becker+x@gmail.com"}, ["email"]),
        ({"phone": "+49 30 901820"}, ["phone"]),
        ({"name": "becker anna", "birthday_calendar": "solar", **BORN}, ["birthday"]),
        ({"name": "Anna Becker", **HOME}, ["address"]),
    ):
        assert [(found.member, found.reasons) for found in look_alikes(profile)] == [(anna, reasons)], profile
    assert look_alikes({"name": "Anna Becker"}) == []
    assert look_alikes({"name": "Anna Becker", "birthday_calendar": "solar", **BORN, "birthday_year": 1990}) != []
    assert look_alikes({}) == []


def test_names_and_mailboxes_are_compared_as_people_read_them():
    assert name_key("  Jürgen  MÜLLER-Lüdenscheidt ") == name_key("Muller Ludenscheidt, Jurgen")
    assert name_key("王 小明") == name_key("小明王") != name_key("王大明")
    assert mailbox("Anna.B+x@GoogleMail.com") == "annab@gmail.com"
    assert mailbox("Anna.B+x@example.com") == "anna.b+x@example.com"

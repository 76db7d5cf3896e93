"""Finding members by what people type or scan."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from members.models import Identity, Member
from members.queries import found_exactly, search
from members.tests.factories import make_member


@pytest.fixture
def people(db) -> dict[str, Member]:
    anna = make_member(name="Anna Becker", email="anna@example.com", phone="+4915112340001")
    mei = make_member(name="陈晓梅", email="mei@example.com")
    zoe = make_member(name="Zoe van Be")
    gone = make_member(name="Anna Beck")
    Identity.objects.create(member=mei, system="email", value="mei@old.example")
    Identity.objects.create(member=mei, system="till", value="C-17")
    Member.objects.filter(pk=gone.pk).update(email="", merged_into=anna)
    gone.refresh_from_db()
    return {"anna": anna, "mei": mei, "zoe": zoe, "gone": gone}


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("Becker", "anna"),
        ("陈", "mei"),
        ("晓梅", "mei"),
        ("陈晓", "mei"),
        ("van be", "zoe"),
        ("Z", "zoe"),
        ("v", "zoe"),
        ("ANNA@example.com", "anna"),
        ("mei@old.example", "mei"),
        ("0151 12340001", "anna"),
        ("+49 151 12340001", "anna"),
        ("C-17", "mei"),
    ],
)
def test_people_are_found_by_what_is_known_of_them(people, text, who):
    assert list(search(text)) == [people[who]]


def test_the_last_digits_of_a_card_find_it_and_who_was_merged_is_found_as_they_are_now(people):
    for digits in (4, 6, 11):
        assert people["anna"] in search(people["anna"].card_number[-digits:])
    assert list(search(people["gone"].card_number)) == [people["anna"]]
    assert not search(people["anna"].card_number[-6:-1] + "x").exists()
    assert set(search("")) == set(Member.objects.all())


@pytest.mark.parametrize("text", ["%", "_", "\\", "'; --", "9" * 60, "@", "+", "é", "张" * 100])
def test_what_nobody_is_called_finds_nobody(people, text):
    assert list(search(text)) == []


def test_only_what_belongs_to_one_alone_is_found_exactly(people):
    anna, mei = people["anna"].pk, people["mei"].pk
    for text, found in (
        (people["anna"].card_number_grouped, [anna]),
        (people["gone"].card_number, [anna]),
        ("anna@example.com", [anna]),
        ("0151 12340001", [anna]),
        ("C-17", [mei]),
        ("Anna Becker", []),
        (people["anna"].card_number[-4:], []),
        ("", []),
    ):
        assert found_exactly(text) == found, text


@pytest.mark.parametrize("text", ["陈", "晓梅", "Becker", "anna@example.com", "8123", "812345678901", "015112340001"])
def test_no_search_reads_every_member(people, text):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = on")
    with CaptureQueriesContext(connection) as caught:
        list(search(text))
    assert len(caught) > 0
    for query in caught.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {query['sql']}")
            plan = str(cursor.fetchall())
        assert "Seq Scan on members_member" not in plan, plan

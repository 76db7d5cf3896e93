"""What comes in and what does not: bad rows with their sentences, keys, repeats, the dry run and its counts."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.utils import translation

from members.import_problems import FILE_PROBLEMS, ROW_PROBLEMS
from members.models import ImportProblem, Member, Purchase, TimelineEvent
from members.services.imports import chunks
from members.tests.factories import make_member
from rewards.enums import TransferKind
from rewards.models import MemberTier, Transfer
from rewards.services import purchase_import
from rewards.services.purchase_import import run_import, start_import
from rewards.tests.factories import make_rule, make_tiers, post
from tests.import_files import AT, bring_in, counts, differences, prepare, sentences, staged_tables

pytestmark = pytest.mark.django_db
HEAD = "customer;date;amount;receipt;store;channel;currency;quantity;product;phone\n"
BAD = {
    "C1;2026-02-30;1.00": "“2026-02-30” is not a day that exists, read as year, month, day.",
    "C1;2026-05-03 25:00;1.00": "“2026-05-03 25:00” is not a day that exists, read as year, month, day.",
    "C1;yesterday;1.00": "“yesterday” is not a day that exists, read as year, month, day.",
    "C1;;1.00": "The date is missing.",
    "C1;1969-12-31;1.00": "“1969-12-31” is before 1970.",
    "C1;2026-05-14;1.00": "“2026-05-14” is in the future.",
    "C1;2026-05-03;": "The amount is missing.",
    "C1;2026-05-03;-1.00": "The amount “-1.00” is negative. Refunds are entered on the purchase they belong to.",
    "C1;2026-05-03;(1.00)": "The amount “(1.00)” is negative. Refunds are entered on the purchase they belong to.",
    "C1;2026-05-03;NaN": "“NaN” is not an amount.",
    "C1;2026-05-03;1e3": "“1e3” is not an amount.",
    "C1;2026-05-03;inf": "“inf” is not an amount.",
    "C1;2026-05-03;1.2.3": "“1.2.3” is not an amount.",
    "C1;2026-05-03;10000000.01": "The amount “10000000.01” is more than 10 million.",
    "C1;2026-05-03;" + "9" * 40: "The amount “" + "9" * 40 + "” is more than 10 million.",
    "C1;2026-05-03;1.005": "The amount “1.005” has more decimals than EUR has.",
    "C1;2026-05-03;$ 1.00": "The amount “$ 1.00” is not in EUR.",
    "C1;2026-05-03;1.00;;;;XXQ": "“XXQ” is not a currency code.",
    "C1;2026-05-03;1.50;;;;JPY": "The amount “1.50” has more decimals than JPY has.",
    "C1;2026-05-03;1.00;;;pigeon": "“pigeon” is not a channel. Write store, online or phone.",
    "C1;2026-05-03;1.00;;;;;0": "“0” is not a quantity.",
    "C1;2026-05-03;1.00;;;;;many": "“many” is not a quantity.",
    ";2026-05-03;1.00": "The row does not say who bought this: it has no customer number, card, e-mail or phone.",
    "C1;2026-05-03;1.00;" + "9" * 121: "The receipt number is longer than 120 characters: “" + "9" * 60 + "…”.",
    ";2026-05-03;1.00;;;;;;;0123": "“0123” is not a phone number with its country code.",
}


def row(text: str) -> str:
    cells = [*text.split(";"), *[""] * 10][:10]
    cells[6] = cells[6] or "EUR"
    return ";".join(cells) + "\n"


@pytest.mark.parametrize("text", BAD)
def test_a_bad_row_is_told_in_a_sentence_and_the_others_come_in(text):
    done = bring_in(HEAD + row("C0;2026-05-03;1.00") + row(text) + row("C9;2026-05-03;1.00"))
    assert sentences(done) == {3: BAD[text]}
    assert (done.purchases, Purchase.objects.count(), Member.objects.count()) == (2, 2, 2)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_problem_reads_as_a_sentence_in_both_languages(language):
    names = "found expected value most key encoding columns column detail first attribute"
    params = dict.fromkeys(names.split(), "X")
    params |= {
        "field": "amount",
        "fields": ["amount", "customer"],
        "values": ["X", "Y"],
        "order": "dmy",
        "other": "mdy",
        "currency": "EUR",
    }
    params |= {"amount_minor": 1250, "purchased_at": "2026-05-03T08:00:00+00:00"}
    with translation.override(language):
        for code in (*ROW_PROBLEMS, *FILE_PROBLEMS):
            text = ImportProblem(code=code, params=params).sentence
            assert text.rstrip()[-1] in ".。X", code
            assert "%(" not in text, code


def test_all_that_a_row_can_say_is_kept():
    done = bring_in(
        HEAD + "C1;2026-05-03 14:05;12.50;R-1;Mitte;Online;EUR;2,5;Flat white;\n".replace("2,5", "2.5"),
    )
    assert sentences(done) == {}
    bought = Purchase.objects.get()
    assert (bought.source, bought.key, bought.store, bought.channel) == ("till", "R-1", "Mitte", "online")
    line = bought.lines.get()
    assert (line.name, line.quantity, line.amount_minor) == ("Flat white", Decimal("2.5"), 1250)
    assert bought.member.joined_at == datetime(2026, 5, 3, 14, 5, tzinfo=UTC)
    kinds = list(TimelineEvent.objects.order_by("id").values_list("kind", "at"))
    assert kinds == [("member.joined", bought.purchased_at), ("purchase.paid", bought.purchased_at)]


def test_equal_rows_without_a_receipt_number_stay_as_many_as_they_are():
    content = "customer,date,amount\n" + "C1,2026-05-03,3.50\n" * 3 + "C1,2026-05-03,3.60\nC2,2026-05-03,3.50\n"
    first, again = bring_in(content), bring_in(content)
    assert (first.purchases, again.purchases, again.repeats) == (5, 0, 5)
    longer = bring_in(content + "C1,2026-05-03,3.50\n")
    assert (longer.purchases, longer.repeats) == (1, 5)
    assert Purchase.objects.filter(amount_minor=350).count() == 5
    renamed = bring_in(content.replace("customer", "customer,name").replace("C1,", "C1,Ada,").replace("C2,", "C2,Bea,"))
    assert (renamed.purchases, renamed.repeats) == (0, 5)
    assert Member.objects.count() == 2


def test_a_receipt_number_twice_in_the_file():
    rows = ["C1;2026-05-03;1.00;R1", "C1;2026-05-03;1.00;R1", "C1;2026-05-03;1.01;R1", "C2;2026-05-03;1.00;R1"]
    done = bring_in(HEAD + "".join(map(row, [*rows, "C1;2026-05-04;1.00;R1"])))
    assert (done.purchases, done.repeats, Member.objects.count()) == (1, 1, 1)
    assert sentences(done) == {
        4: "Receipt R1 stands in this file before, in row 2, with €1.00 of May 3, 2026.",
        5: "Receipt R1 stands in this file before, in row 2, for another customer.",
        6: "Receipt R1 stands in this file before, in row 2, with €1.00 of May 3, 2026.",
    }


def test_a_receipt_number_that_is_there_from_before_the_file():
    bring_in(HEAD + row("C1;2026-05-03;12.50;R1"))
    rows = ["C1;2026-05-03;12.50;R1", "C1;2026-05-03;13.00;R1", "C2;2026-05-03;12.50;R1", "C1;2026-05-03;5.00;R2"]
    done = bring_in(HEAD + "".join(map(row, rows[1:])))
    assert (done.purchases, done.repeats) == (1, 0)
    assert sentences(done) == {
        2: "Receipt R1 is already there with €12.50 of May 3, 2026.",
        3: "Receipt R1 stands in this file before, in row 2, for another customer.",
    }
    assert Member.objects.count() == 1
    assert bring_in(HEAD + row(rows[0])).repeats == 1
    other = prepare(HEAD + row("C1;2026-05-03;99.00;R1"), source="shop")
    assert run_import(import_id=other.pk).purchases == 1  # another source has its own numbers


MIXED = (
    [f"C{i % 7};2026-05-{i % 9 + 1:02};{i}.50;R{i}" for i in range(40)]
    + [f"C{i % 7};2026-05-{i % 9 + 1:02};{i}.50;R{i}" for i in range(5)]
    + ["C1;2026-02-30;1.00", "C1;2026-05-03;7.00;R3", "C8;2026-05-03;5.00", "C8;2026-05-03;5.00", "C9;2026-05-03;0;R99"]
)


def test_a_dry_run_counts_exactly_what_then_comes_in_and_changes_nothing(monkeypatch):
    monkeypatch.setattr(purchase_import, "CHUNK", 7)
    make_rule()
    make_tiers(silver="2")
    bring_in(HEAD + "".join(map(row, MIXED[:11])))
    old = Purchase.objects.first().member
    post(old, AT, amount_minor=60_000)
    content = HEAD + "".join(map(row, MIXED))
    tables = (Member, Purchase, Transfer, TimelineEvent)
    before = [table.objects.count() for table in tables]
    dry = bring_in(content, dry_run=True)
    told = counts(dry)
    assert [table.objects.count() for table in tables] == before
    assert min(told.values()) > 0
    start_import(import_id=dry.pk, dry_run=False, at=AT)
    real = run_import(import_id=dry.pk)
    assert counts(real) == told
    assert Member.objects.count() == before[0] + told["members"]
    assert Purchase.objects.count() == before[1] + told["purchases"]
    assert differences() == []
    assert staged_tables() == []


def test_points_are_given_at_the_tier_held_before_and_tiers_come_last(monkeypatch):
    monkeypatch.setattr(purchase_import, "CHUNK", 2)
    make_rule()
    tiers = make_tiers(silver="2")
    content = HEAD + "".join(row(f"C1;2026-05-0{i};300.00;R{i}") for i in range(1, 6))
    done = bring_in(content)
    assert (done.points, Transfer.objects.filter(kind=TransferKind.EARN).count()) == (1500, 5)
    stands = MemberTier.objects.get()
    assert (stands.tier, stands.qualifying_points) == (tiers["gold"], 1500)
    later = bring_in(HEAD + row("C1;2026-05-06;300.00;R6"))
    assert later.points == 300  # gold has 1
    assert TimelineEvent.objects.filter(kind="tier.changed").count() == 1
    assert differences() == []


def test_history_counts_from_the_day_of_purchase_and_may_have_expired():
    make_rule()
    make_tiers()
    done = bring_in(HEAD + row("C1;2024-01-01;600.00;R1") + row("C1;2026-05-01;5.00;R2"))
    assert done.points == 605
    earned = Transfer.objects.order_by("at").values_list("at", "lot__expires_at")
    assert list(earned) == [
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)),
        (datetime(2026, 5, 1, tzinfo=UTC), datetime(2027, 5, 1, tzinfo=UTC)),
    ]
    assert MemberTier.objects.get().qualifying_points == 5


def test_without_points_the_purchases_alone_come_in():
    make_rule()
    done = bring_in(HEAD + row("C1;2026-05-03;12.50;R1"), with_points=False)
    assert (done.purchases, done.points, Transfer.objects.count()) == (1, 0, 0)
    again = bring_in(HEAD + row("C1;2026-05-03;12.50;R1"))
    assert (again.repeats, Transfer.objects.count()) == (1, 0)  # what is there stays as it came


def test_currencies_by_row_earn_by_their_own_rule():
    make_rule("EUR", "1")
    make_rule("JPY", "0.01")
    rows = ["C1;2026-05-03;12.50;R1;;;EUR", "C1;2026-05-03;1250;R2;;;JPY", "C1;2026-05-03;9.00;R3;;;USD"]
    done = bring_in(HEAD + "".join(map(row, rows)))
    assert (done.purchases, done.points) == (3, 12 + 12)
    assert set(Purchase.objects.values_list("currency", "amount_minor")) == {("EUR", 1250), ("JPY", 1250), ("USD", 900)}


def test_many_bad_rows_are_all_counted_and_the_first_kept(monkeypatch):
    monkeypatch.setattr(chunks, "MOST_PROBLEMS", 10)
    monkeypatch.setattr(purchase_import, "CHUNK", 8)
    done = bring_in(HEAD + row("C1;never;1.00") * 30 + row("C1;2026-05-03;1.00"))
    assert (done.problems, done.purchases) == (30, 1)
    assert list(sentences(done)) == list(range(2, 12))


def test_a_member_from_before_gains_nothing_but_purchases():
    member = make_member(name="Ada")
    done = bring_in(f"card,date,amount,name\n{member.card_number},2026-05-03,1.00,Somebody Else\n")
    assert (done.purchases, done.members) == (1, 0)
    member.refresh_from_db()
    assert member.name == "Ada"

"""Reading files: encodings, delimiters, quotes, what is cut off, and how dates and amounts are written."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.files import File
from django.core.files.base import ContentFile

from members.enums import ImportState
from members.import_problems import FileRefused
from members.models import Member, Purchase, PurchaseImport
from members.services.imports import create_import, ends_open, make_ready, read_anew
from rewards.services.purchase_import import run_import
from tests.import_files import AT, bring_in, counts, prepare, sentences, staged_tables

pytestmark = pytest.mark.django_db
HEAD = "customer,date,amount\n"
CHINESE = "客户编号,姓名,购买日期,金额\nC1,王小明,2026年5月3日,¥12.50\nC2,李梅,2026年5月4日,8\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_files_of_every_usual_encoding(encoding):
    done = bring_in(CHINESE.encode(encoding), currency="CNY")
    assert counts(done) == {"rows": 2, "purchases": 2, "members": 2, "points": 0, "repeats": 0, "problems": 0}
    assert sorted(Member.objects.values_list("name", flat=True)) == ["李梅", "王小明"]
    bought = Purchase.objects.order_by("purchased_at").values_list("amount_minor", "currency")
    assert list(bought) == [(1250, "CNY"), (800, "CNY")]


@pytest.mark.parametrize(
    "content",
    [
        "customer,date,amount\r\nC1,2026-05-03,12.50\r\n",
        "customer;date;amount\rC1;2026-05-03;12,50\r",
        "customer\tdate\tamount\nC1\t03.05.2026\t12,50\n",
        "customer|date|amount\n C1 | 2026/5/3 | 12.5 \n",
        "customer date amount\n  C1  20260503   12.50\n",
        '"customer","date","amount"\n"C1", "2026-05-03","12.50"\n',
        "customer,date,amount,\nC1,2026-05-03,12.50,\n,,,\n",
        "customer,date,amount\n\nC1,2026-05-03,12.50\n\n\n",
    ],
)
def test_delimiters_line_ends_quotes_and_blank_rows(content):
    done = bring_in(content)
    assert (done.purchases, sentences(done)) == (1, {})
    bought = Purchase.objects.get()
    assert (bought.amount_minor, bought.purchased_at) == (1250, datetime(2026, 5, 3, tzinfo=UTC))
    assert bought.member.identities.get().value == "C1"


def test_a_cell_may_hold_delimiters_line_breaks_and_quotes():
    content = 'customer,date,amount,store\nC1,2026-05-03,1.00,"The ""Old"" Mill,\nMain Street\\1\tB"\n'
    bring_in(content + "C2,2026-05-03,2.00,x\n")
    assert Purchase.objects.get(amount_minor=100).store == 'The "Old" Mill,\nMain Street\\1\tB'
    assert Purchase.objects.get(amount_minor=200).store == "x"


def test_columns_by_number_where_no_row_names_them():
    mapping = {"customer": 1, "purchased_at": 2, "amount": 4, "quantity": 3}
    done = bring_in(" 00004 0001 19970101  2   29.33\n 00004 0001 19970118  2   29.73\n", mapping=mapping)
    assert (done.rows, done.members) == (2, 1)
    assert Purchase.objects.order_by("id").first().lines.get().quantity == 2


def test_an_unclosed_quote_costs_its_own_row_only():
    rows = [f"C{i},2026-05-03,{i}.00" for i in range(1, 200)]
    rows[9] = 'C10,2026-05-03,"10.00'
    rows[19] = 'C20,"2026-05-03,20.00'
    done = bring_in(HEAD + "\n".join(rows) + "\n")
    assert sorted(sentences(done)) == [11, 21]
    assert "quotation mark" in sentences(done)[11]
    assert (done.rows, done.purchases) == (199, 197)
    assert Purchase.objects.filter(amount_minor=1100).count() == 1


def test_every_quote_unclosed_ends_all_the_same():
    done = bring_in(HEAD + "".join(f'C{i},2026-05-03,"{i}.00\n' for i in range(1, 301)) + "C9,2026-05-03,1.00\n")
    assert (done.problems, done.purchases) == (300, 1)


def test_columns_too_few_and_too_many():
    done = bring_in(HEAD + "C1,2026-05-03\nC2,2026-05-03,1.00\nC3,2026-05-03,1.00,x\nC4,2026-05-03,1.00,,\n")
    assert sentences(done) == {
        2: "This row has 2 columns; the file has 3.",
        4: "This row has 4 columns; the file has 3.",
    }
    assert done.purchases == 2


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_last_row_without_a_line_break_comes_in_where_it_says_all(cut):
    whole = HEAD + "C1,2026-05-03,12.50\nC2,2026-05-03,12.50\n"
    done = bring_in(whole[:-cut])
    assert (done.purchases, done.problems) == (2, 0)


@pytest.mark.parametrize("cut", range(6, 16))
def test_a_file_cut_off_anywhere_in_its_last_row_reports_that_row(cut):
    whole = HEAD + "C1,2026-05-03,12.50\nC2,2026-05-03,12.50\n"
    done = bring_in(whole[:-cut])
    assert list(sentences(done)) == [3]
    assert "ends before the end of this row" in sentences(done)[3]
    again = bring_in(whole)
    assert (again.purchases, again.repeats, Purchase.objects.count()) == (1, 1, 2)


def test_a_file_cut_inside_a_character_is_cut_not_unreadable():
    content = "customer,date,amount,store\nC1,2026-05-03,12.50,店\nC2,2026-05-03,1.50,店"
    for data in (content.encode()[:-1], content.encode("gb18030")[:-1]):
        done = bring_in(data)
        assert (list(sentences(done)), done.purchases + done.repeats) == ([3], 1)


def test_a_last_row_that_somebody_calls_cut_stays_out():
    done = bring_in(HEAD + "C1,2026-05-03,12.50\nC2,2026-05-03,12.50", last_row_whole=False)
    assert (done.purchases, list(sentences(done))) == (1, [3])
    cut = bring_in(HEAD + "C1,2026-05-03,12.50\nC2,2026-05-", last_row_whole=True)
    assert list(sentences(cut)) == [3]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le", "utf-16-be"])
def test_the_last_line_is_shown_where_no_line_break_ends_it(encoding):
    mark = "\ufeff" if encoding.startswith("utf-16") else ""

    def last(content: str) -> str:
        data = (mark + content).encode(encoding)
        return ends_open(create_import(file=ContentFile(data, name="p"), name="p", source="till", at=AT)[0])

    content = "customer,date,amount,store\nC1,2026-05-03,12.50,店\nC2,2026-05-03,1.50,店"
    assert last(content) == "C2,2026-05-03,1.50,店"
    assert last(content + "\n") == last(content + "\r\n  ") == ""


def test_zero_bytes_in_the_names_of_columns():
    done = bring_in("cust\0omer,date,amount\nC1,2026-05-03,1.00\n")
    assert done.layout["columns"][0] == "customer"


def test_zero_bytes_cost_their_row_only():
    done = bring_in(HEAD.encode() + b"C1,2026-05-03,1.00\nC2,\0\0\0,1.00\nC3,2026-05-03,1.00\n" + b"\0" * 9)
    assert set(sentences(done)) == {3, 5}
    assert "zero bytes" in sentences(done)[3]
    assert done.purchases == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\r\n \r\n", "empty"),
        (HEAD.encode(), "no rows"),
        (b"PK\x03\x04" + b"\0" * 100, "not a text file"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 100, "old kind of Excel"),
        (b"%PDF-1.7 ...", "not a text file"),
        (bytes(range(256)) * 40, "not a text file|neither UTF-8 nor GB18030"),
        (HEAD.encode() + b"C1,2026-05-03,1.00,\x80\xff\xff\n", "neither UTF-8 nor GB18030"),
        (b"just some words\n", "one column|no rows"),
        (b"purchases\nof\nmay\n", "only one column"),
    ],
)
def test_what_is_no_such_file_is_refused_with_a_sentence_and_not_kept(content, words):
    with pytest.raises(FileRefused) as refused:
        create_import(file=File(ContentFile(content).file, name="p.csv"), name="p.csv", source="till", at=AT)
    assert re.search(words, str(refused.value))
    assert not PurchaseImport.objects.exists()


def test_a_file_too_large_is_refused():
    with pytest.raises(FileRefused) as refused:
        create_import(file=ContentFile(HEAD.encode() * 60_000), name="p", source="till", at=AT, most_mb=1)
    assert str(refused.value) == "The file is larger than 1 MB. Split it and import the parts one after the other."


def test_another_encoding_is_read_when_somebody_says_so():
    content = "customer,date,amount,name\nC1,2026-05-03,1.00,Müllär\n".encode("cp1252")
    made, look = create_import(file=ContentFile(content, name="p.csv"), name="p.csv", source="till", at=AT)
    assert look.layout.encoding == "gb18030"  # reads, but wrong: only a person can see that
    changed = read_anew(import_id=made.pk, encoding="cp1252", delimiter=",", header=True)
    assert changed.layout["encoding"] == "cp1252"
    with pytest.raises(FileRefused) as refused:
        read_anew(import_id=made.pk, encoding="utf-8", delimiter=",", header=True)
    assert "cannot be read as utf-8" in str(refused.value)
    made.refresh_from_db()
    assert made.layout["encoding"] == "cp1252"


def test_bytes_of_another_encoding_far_down_end_the_import_with_a_sentence():
    content = (HEAD + "C1,2026-05-03,1.00\n" * 3000).encode() + "C1éa,2026-05-03,1.00\n".encode("cp1252")
    made, _look = create_import(file=ContentFile(content, name="p"), name="p", source="till", at=AT)
    read_anew(import_id=made.pk, encoding="utf-8", delimiter=",", header=True)
    make_ready(import_id=made.pk, dry_run=False, at=AT)
    done = run_import(import_id=made.pk)
    assert done.state == ImportState.FAILED
    assert "cannot be read as utf-8" in done.error_sentence
    assert (Purchase.objects.count(), staged_tables()) == (0, [])


# --- dates and amounts --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("dates", "first"),
    [
        (["2026-05-03", "2026-04-14"], datetime(2026, 5, 3, tzinfo=UTC)),
        (["20260503", "20260414"], datetime(2026, 5, 3, tzinfo=UTC)),
        (["2026/5/3 9:05", "2026/4/14 21:00"], datetime(2026, 5, 3, 9, 5, tzinfo=UTC)),
        (["03.05.2026", "04.05.2026"], datetime(2026, 5, 3, tzinfo=UTC)),
        (["03/05/2026", "14/04/2026"], datetime(2026, 5, 3, tzinfo=UTC)),
        (["05/03/2026", "04/14/2026"], datetime(2026, 5, 3, tzinfo=UTC)),
        (["5/3/26 1:05 PM", "4/14/26 1:05 AM"], datetime(2026, 5, 3, 13, 5, tzinfo=UTC)),
        (["2026年5月3日", "2026年5月4日"], datetime(2026, 5, 3, tzinfo=UTC)),
        (["2026-05-03T23:30:00.250Z", "2026-05-04T00:00:00Z"], datetime(2026, 5, 3, 23, 30, 0, 250_000, tzinfo=UTC)),
        (["2026-05-03 23:30:00+08:00", "2026-05-04"], datetime(2026, 5, 3, 15, 30, tzinfo=UTC)),
    ],
)
def test_how_dates_are_written_is_seen_in_the_file(dates, first):
    done = bring_in(HEAD.replace(",", ";") + "".join(f"C1;{date};1\n" for date in dates))
    assert sentences(done) == {}
    assert first in Purchase.objects.values_list("purchased_at", flat=True)


@pytest.mark.parametrize(
    ("rows", "field", "choice"),
    [
        (["03/04/2026,1.00", "05/02/2026,1.00"], "date_order", "dmy"),
        (['2026-05-03,"1,234"'], "decimal_mark", "."),
    ],
)
def test_what_can_be_read_in_two_ways_is_asked_not_guessed(rows, field, choice):
    content = HEAD + "".join(f"C1,{row}\n" for row in rows)
    with pytest.raises(FileRefused) as refused:
        prepare(content)
    assert re.search("in two ways|in more than one way", str(refused.value))
    assert bring_in(content, **{field: choice}).problems == 0


@pytest.mark.parametrize(
    ("mark", "text", "minor"),
    [
        (".", "12.5", 1250),
        (".", "12", 1200),
        (".", ".5", 50),
        (".", "1,234.50", 123450),
        (".", "1,234,567.00", 123456700),
        (".", "€ 12.50", 1250),
        (".", "12.50 EUR", 1250),
        (".", "１２．５０", 1250),
        (".", "10,000,000", 1000000000),
        (".", "0", 0),
        (".", "12.5000", 1250),
        (",", "1.234,50", 123450),
        (",", "1 234,50", 123450),
        (",", "12,5", 1250),
        (",", "12", 1200),
    ],
)
def test_amounts(mark, text, minor):
    done = bring_in(f"customer;date;amount\nC1;2026-05-03;{text}\n", decimal_mark=mark)
    assert sentences(done) == {}
    assert Purchase.objects.get().amount_minor == minor


def test_naive_times_are_in_the_imports_time_zone_through_summer_time():
    bring_in(HEAD + "C1,2026-03-28 12:00,1\nC1,2026-03-29 12:00,2\n", time_zone="Europe/Berlin")
    berlin = ZoneInfo("Europe/Berlin")
    assert list(Purchase.objects.order_by("purchased_at").values_list("purchased_at", flat=True)) == [
        datetime(2026, 3, 28, 12, tzinfo=berlin),
        datetime(2026, 3, 29, 12, tzinfo=berlin),
    ]


def test_a_file_that_is_gone_fails_with_a_sentence():
    waiting = prepare(HEAD + "C1,2026-05-03,1.00\n")
    waiting.file.storage.delete(waiting.file.name)
    done = run_import(import_id=waiting.pk)
    assert (done.state, done.error_sentence) == (
        ImportState.FAILED,
        "The file is no longer stored. Upload it again.",
    )

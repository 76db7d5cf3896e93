"""What people write into files of customers: numbers without +, a no, dates in two orders, formulas, monstrous rows."""

import zipfile
from io import BytesIO

import pytest
from django.core.files import File
from openpyxl import Workbook

from members.enums import CustomerField
from members.import_problems import KINDS, ROW_PROBLEMS, FileRefused, kind
from members.models import Consent, Member
from members.services.imports.customers.intake import create_customer_import
from members.tests.factories import make_member
from tests.customer_files import AT, bring_in, counts, prepare, sentences

pytestmark = pytest.mark.django_db


def look(content: bytes | str):
    data = content if isinstance(content, bytes) else content.encode()
    return create_customer_import(file=File(BytesIO(data), name="c"), name="c", source="shop", at=AT)[1]


def a_workbook(*rows: tuple) -> bytes:
    book, file = Workbook(), BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def test_numbers_without_a_plus_are_of_the_country_of_the_file():
    content = "email,phone\na@example.com,13900000001\nb@example.com,8613900000002\nc@example.com,4930123456\n"
    content += "d@example.com,+44 20 7946 0018\n"
    without = bring_in(content, dry_run=True, phone_country="")
    assert without.problem_counts == {"phone_no_country": 3}
    assert counts(bring_in(content, phone_country="CN")) == (4, 4, 0, 0, 0, 0)
    phones = [str(member.phone) for member in Member.objects.order_by("email")]
    assert phones == ["+8613900000001", "+8613900000002", "+4930123456", "+442079460018"]


def test_a_no_needs_no_evidence_and_a_yes_does():
    for name in "abc":
        make_member(email=f"{name}@example.com")
    yes = "email,E-mail consent,consent date,consent source\n"
    bring_in(yes + "a@example.com,yes,2025-01-02,till\n")
    done = bring_in(yes + "a@example.com,no,,\nb@example.com,no,,\nc@example.com,yes,,\n")
    assert sentences(done) == {
        4: "“E-mail consent” says yes, but not when that was said. "
        "“E-mail consent” says yes, but not where that was said."
    }
    said = Consent.objects.order_by("id").values_list("member__email", "granted", "source", "at")
    assert list(said)[1:] == [("a@example.com", False, "shop", AT)]


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("加入日期", CustomerField.JOINED_AT),
        ("邮件营销同意", "consent.email.offers"),
        ("Consent mail", "consent.email.offers"),
        ("Email consent", "consent.email.offers"),
        ("短信营销同意", "consent.sms.offers"),
    ],
)
def test_columns_are_known_by_what_files_call_them(heading, field):
    assert look(f"email,{heading}\na@example.com,x\n").mapping[field] == 1


def test_dates_that_disagree_are_asked_about():
    content = "email,birthday\na@example.com,31.02.1990\nb@example.com,1985/7/3\nc@example.com,12/13/1990\n"
    assert look(content).layout.date_order is None
    with pytest.raises(FileRefused) as refused:
        prepare(content)
    assert refused.value.code == "dates_disagree"
    assert "“31.02.1990”, “12/13/1990”" in str(refused.value)
    assert sorted(sentences(bring_in(content, date_order="mdy"))) == [2]
    days = "".join(f"m{i}@example.com,{i:02}.12.1990\n" for i in range(13, 31))
    assert look(f"email,birthday\na@example.com,31.02.1990\n{days}").layout.date_order == "dmy"


def test_a_formula_that_nobody_calculated_is_told():
    done = bring_in(a_workbook(("email", "name"), ("a@example.com", '=B3&"x"'), ("b@example.com", "Bea")))
    assert sentences(done) == {2: '“=B3&"x"” is a formula, not a value.'}


@pytest.mark.parametrize("code", sorted(KINDS))
def test_kinds_of_problems_are_whole_sentences(code):
    assert code in ROW_PROBLEMS
    assert "…" not in kind(code)
    assert "%" not in kind(code)


def test_a_workbook_that_unpacks_without_end_is_refused():
    file = BytesIO()
    with zipfile.ZipFile(BytesIO(a_workbook(("email",), ("a@example.com",)))) as good:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bomb:
            for name in good.namelist():
                bomb.writestr(name, b" " * 50_000_000 if name.endswith("sheet1.xml") else good.read(name))
    assert file.tell() < 100_000
    with pytest.raises(FileRefused) as refused:
        look(file.getvalue())
    assert refused.value.code == "workbook_bomb"


def test_a_row_of_ten_megabytes_costs_itself_only():
    content = f"email,name\na@example.com,{'x' * 10_000_000}\nb@example.com,Bea\n"
    done = bring_in(content)
    assert (counts(done), done.problem_counts) == ((2, 1, 0, 0, 0, 1), {"row_too_long": 1})


def test_two_hundred_columns_some_of_one_name():
    names = ["email", "name", "name", *(f"Column {n}" for n in range(197))]
    content = ",".join(names) + "\n" + ",".join(["a@example.com", "Ada", "Bea", *["x"] * 197]) + "\n"
    assert look(content).mapping == {"email": 0, "name": 1}
    assert counts(bring_in(content)) == (1, 1, 0, 0, 0, 0)
    assert Member.objects.get().name == "Ada"
    with pytest.raises(FileRefused) as refused:
        look(",".join(f"c{n}" for n in range(501)) + "\n" + ",".join("x" * 501) + "\n")
    assert refused.value.code == "too_many_columns"

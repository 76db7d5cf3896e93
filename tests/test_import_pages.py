"""The staff pages for imports: uploaded, columns chosen, checked, brought in, found again; and the command's words."""

from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import expect

from members.enums import ImportState
from members.models import CustomerImport, Member, Programme, Purchase, PurchaseImport, User
from members.services.imports import chunks
from members.services.imports.customers.running import run_customer_import
from rewards.admin import imports as pages
from rewards.services import purchase_import
from rewards.services.purchase_import import run_import
from rewards.tests.factories import make_rule, make_tiers
from tests.import_files import AT, bring_in, prepare

CONTENT = "customer;date;amount;receipt\nC1;2026-05-03;12,50;R1\nC2;2026-05-04;8,00;R2\nC2;2026-02-30;8,00;R3\n"
AMBIGUOUS = "customer,date,amount\nC1,03/04/2026,12.50\n"


@pytest.fixture
def marketer(db, settings) -> Client:
    settings.REQUIRE_STAFF_MFA = False
    Programme.objects.create(pk=1)
    make_rule()
    make_tiers()
    user = User.objects.create_user("marketer@example.com", "x", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def upload(client: Client, content: str | bytes, source: str = "till"):
    data = content if isinstance(content, bytes) else content.encode()
    form = {"file": SimpleUploadedFile("may.csv", data), "source": source}
    return client.post(reverse("admin:members_purchaseimport_add"), form, follow=True)


def page_of(i: PurchaseImport) -> str:
    return reverse("admin:members_purchaseimport_change", args=[i.pk])


def choices(response) -> dict:
    """What the columns' form holds as it stands."""
    form = response.context["form"]
    return {name: form[name].value() or "" for name in form.fields if form[name].value()}


def test_from_upload_to_result(marketer):
    response = upload(marketer, CONTENT)
    i = PurchaseImport.objects.get()
    assert (i.state, i.name, i.created_by.email, i.source) == ("draft", "may.csv", "marketer@example.com", "till")
    assert [label.label for label, _ in response.context["columns"]] == ["customer", "date", "amount", "receipt"]
    assert response.context["columns"][2][1] == ["12,50", "8,00", "8,00"]
    proposed = choices(response)
    assert proposed["column_0"] == "customer"
    assert (proposed["date_order"], proposed["decimal_mark"]) == ("ymd", ",")

    response = marketer.post(page_of(i), {**proposed, "check": "1"}, follow=True)
    assert "Waiting for a worker" in response.text
    run_import(import_id=i.pk)
    response = marketer.get(page_of(i))
    assert "Nothing is changed yet. 2 purchases would come in, with 2 new members and 20 points." in response.text
    assert "“2026-02-30” is not a day that exists" in response.text
    assert (Member.objects.count(), Purchase.objects.count()) == (0, 0)

    assert "Import 2 purchases" in response.text
    marketer.post(page_of(i), {"import": "1"})
    run_import(import_id=i.pk)
    response = marketer.get(page_of(i))
    assert "2 purchases came in, with 2 new members and 20 points." in response.text
    assert (Member.objects.count(), Purchase.objects.count()) == (2, 2)
    listed = marketer.get(reverse("admin:members_purchaseimport_changelist")).text
    assert "may.csv" in listed

    response = upload(marketer, CONTENT)
    again = PurchaseImport.objects.order_by("-id").first()
    marketer.post(page_of(again), {**choices(response), "check": "1"})
    run_import(import_id=again.pk)
    response = marketer.get(page_of(again))
    assert "No new purchase is in this file." in response.text
    assert 'name="import"' not in response.text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"\xd0\xcf\x11\xe0....", "old kind of Excel"),
        (b"customer,date,amount\n", "no rows"),
        (b"customer,date,amount\nC1,2026-05-03,1.00,\x80\xff\xff\n", "neither UTF-8 nor GB18030"),
    ],
)
def test_a_file_that_cannot_come_in_is_refused_where_it_was_chosen(marketer, content, sentence):
    response = upload(marketer, content)
    assert sentence in str(response.context["form"].errors["file"] if content else response.context["form"].errors)
    assert not PurchaseImport.objects.exists()


def test_a_file_too_large_is_refused(marketer, settings):
    settings.IMPORT_MAX_MB = 1
    response = upload(marketer, "customer,date,amount\n" + "C1,2026-05-03,1.00\n" * 60_000)
    assert "larger than 1 MB" in str(response.context["form"].errors["file"])


def test_what_is_in_doubt_is_asked_beside_its_field(marketer):
    response = upload(marketer, AMBIGUOUS)
    i = PurchaseImport.objects.get()
    form = {**choices(response), "check": "1"}
    response = marketer.post(page_of(i), form)
    assert "date_order" in response.context["form"].errors
    i.refresh_from_db()
    assert i.state == ImportState.DRAFT
    marketer.post(page_of(i), {**form, "date_order": "dmy"})
    i.refresh_from_db()
    assert (i.state, i.layout["date_order"]) == (ImportState.QUEUED, "dmy")


def test_columns_chosen_twice_or_not_at_all(marketer):
    response = upload(marketer, CONTENT)
    i = PurchaseImport.objects.get()
    form = {**choices(response), "check": "1"}
    response = marketer.post(page_of(i), {**form, "column_3": "amount"})
    assert response.context["form"].errors["column_3"] == ["More than one column is chosen for amount."]
    response = marketer.post(page_of(i), {**form, "column_0": "", "column_2": ""})
    assert response.context["form"].non_field_errors() == ["No column is chosen for: customer number, amount."]
    response = marketer.post(page_of(i), {**form, "currency": "ZZZ"})
    assert "currency" in response.context["form"].errors


def test_the_file_can_be_read_in_another_way(marketer):
    upload(marketer, "customer,date,amount,name\nC1,2026-05-03,1.00,Müllär\n".encode("cp1252"))
    i = PurchaseImport.objects.get()
    form = {"read": "1", "encoding": "cp1252", "delimiter": "comma", "header": "on"}
    response = marketer.post(page_of(i), form, follow=True)
    assert "Müllär" in response.text
    response = marketer.post(page_of(i), {**form, "encoding": "utf-8"})
    assert "cannot be read as utf-8" in response.text
    response = marketer.post(page_of(i), {**form, "delimiter": "tab"}, follow=True)
    assert [label.label for label, _ in response.context["columns"]] == ["customer,date,amount,name"]


def test_progress_then_the_whole_page(marketer, monkeypatch):
    monkeypatch.setattr(purchase_import, "CHUNK", 1)
    i = prepare(CONTENT)
    bar = reverse("admin:members_purchaseimport_progress", args=[i.pk])
    seen = []

    def look(now: PurchaseImport) -> None:
        answer = marketer.get(bar)
        seen.append((answer.context["i"].percent, "HX-Refresh" in answer.headers))

    run_import(import_id=i.pk, on_progress=look)
    assert [percent for percent, _ in seen] == sorted(percent for percent, _ in seen)
    assert len({percent for percent, _ in seen}) >= 4
    assert [refresh for _, refresh in seen] == [False] * (len(seen) - 1) + [True]


def test_a_worker_that_died_is_told(marketer):
    i = prepare(CONTENT)
    PurchaseImport.objects.filter(pk=i.pk).update(state=ImportState.RUNNING, lease_until=AT)
    assert "The worker stopped in the middle." in marketer.get(page_of(i)).text


def test_stopping_and_going_on(marketer, monkeypatch):
    monkeypatch.setattr(purchase_import, "CHUNK", 1)
    i = prepare(CONTENT)

    def stop(now: PurchaseImport) -> None:
        if now.posted_rows == 1 and now.is_open:
            marketer.post(page_of(i), {"cancel": "1"})

    run_import(import_id=i.pk, on_progress=stop)
    response = marketer.get(page_of(i))
    assert "Stopped. Until then 1 purchase came in, with 1 new member and 12 points." in response.text
    marketer.post(page_of(i), {"resume": "1"})
    run_import(import_id=i.pk)
    assert Purchase.objects.count() == 2
    response = marketer.post(page_of(i), {"discard": "1"}, follow=True)
    assert "moved on" in response.text
    assert PurchaseImport.objects.count() == 1


def test_a_draft_can_be_thrown_away(marketer):
    upload(marketer, CONTENT)
    i = PurchaseImport.objects.get()
    response = marketer.post(page_of(i), {"discard": "1"}, follow=True)
    assert "Nothing had come in" in response.text
    assert not PurchaseImport.objects.exists()


def test_bad_rows_are_paged_and_can_be_taken_along(marketer, monkeypatch):
    monkeypatch.setattr(pages, "PAGE", 4)
    monkeypatch.setattr(chunks, "MOST_PROBLEMS", 9)
    monkeypatch.setattr(pages.imports, "MOST_PROBLEMS", 9)
    lines = "".join(f"C1,2026-05-03,=cmd{n}\n" for n in range(11))
    i = bring_in("customer,date,amount\nC1,2026-05-03,1.00\n" + lines)
    response = marketer.get(page_of(i), {"page": 2})
    assert [p.row for p in response.context["problems"]] == [7, 8, 9, 10]
    assert "The first 9 are listed; the count is exact." in response.text
    file = marketer.get(reverse("admin:members_purchaseimport_bad_rows", args=[i.pk]))
    rows = file.getvalue().decode("utf-8-sig").splitlines()
    assert rows[0] == "row,problem"
    assert rows[1] == "3,“=cmd0” is not an amount."
    assert len(rows) == 10


def test_who_may_only_look_changes_nothing(marketer):
    upload(marketer, CONTENT)
    i = PurchaseImport.objects.get()
    looker = User.objects.create_user("looker@example.com", "x", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_purchaseimport"))
    client = Client()
    client.force_login(looker, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(page_of(i)).status_code == 200
    assert "<select" not in client.get(page_of(i)).text.split('id="content"')[-1]
    for act in ("check", "import", "cancel", "resume", "discard", "read"):
        assert client.post(page_of(i), {act: "1"}).status_code == 403, act
    assert client.get(reverse("admin:members_purchaseimport_add")).status_code == 403
    assert PurchaseImport.objects.filter(state="draft").count() == 1


def test_the_list_costs_the_same_for_three_and_for_thirty(marketer):
    url = reverse("admin:members_purchaseimport_changelist")
    counted = []
    for rows in (3, 27):
        PurchaseImport.objects.bulk_create(
            PurchaseImport(source="t", currency="EUR", state="done") for _ in range(rows)
        )
        with CaptureQueriesContext(connection) as queries:
            assert marketer.get(url).status_code == 200
        counted.append(len(queries))
    assert counted[0] == counted[1]


# --- the command --------------------------------------------------------------------------------------------------
def command(path, *args, **options) -> str:
    out = StringIO()
    call_command("import_purchases", str(path), *args, stdout=out, **{"source": "till", **options})
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_says_what_it_read_and_what_came_of_it(tmp_path):
    make_rule()
    path = tmp_path / "may.csv"
    path.write_text(CONTENT)
    words = command(path)
    assert "purchased_at  date" in words
    assert "Read as utf-8, dates as year, month, day, amounts in EUR." in words
    assert "           2  new purchases" in words
    assert "Row 4: “2026-02-30” is not a day that exists, read as year, month, day." in words
    assert PurchaseImport.objects.get().state == ImportState.DONE


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("", {}, "The file is empty."),
        (AMBIGUOUS, {}, "The dates can be read in more than one way"),
        (CONTENT, {"map": ["amount=total"]}, "The file has no column “total”. Its columns are: customer, date, amount"),
        (CONTENT, {"map": ["sum=amount"]}, "“sum” is no field."),
        ("C1;2026-05-03;1,00\n", {}, "No column is chosen for: customer number, date, amount."),
        (CONTENT, {"source": "x" * 41}, "at most 40 characters"),
        (CONTENT, {"map": ["amount"]}, "The file has no column “”."),
        (CONTENT, {"currency": "ABC"}, "“ABC” is not a currency code."),
        (CONTENT, {"time_zone": "Mars/Base"}, "“Mars/Base” is not a time zone."),
    ],
)
def test_a_file_that_cannot_be_read_ends_the_command_with_a_sentence(tmp_path, content, options, words):
    path = tmp_path / "may.csv"
    path.write_text(content)
    with pytest.raises(CommandError) as refused:
        command(path, **options)
    assert words in str(refused.value)
    assert not PurchaseImport.objects.exists()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CommandError, match="No such file"):
        command(tmp_path / "nothing.csv")


# --- in a browser -------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_in_a_browser_the_bar_moves_and_the_result_comes_by_itself(page, live_server, settings, tmp_path):
    settings.REQUIRE_STAFF_MFA = False
    make_rule()
    make_tiers()
    client = Client()
    boss = User.objects.create_superuser("boss@example.com", "x")
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    page.context.add_cookies([cookie])
    noise = []
    page.on("console", lambda message: noise.append(message.text) if message.type == "error" else None)
    ours = (live_server.url, "data:", "blob:")
    page.on("request", lambda request: noise.append(request.url) if not request.url.startswith(ours) else None)
    path = tmp_path / "may.csv"
    path.write_text(CONTENT)
    page.goto(live_server.url + reverse("admin:members_purchaseimport_add"))
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_label("Source").fill("till")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("What the columns hold")).to_be_visible()
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    i = PurchaseImport.objects.get()
    run_import(import_id=i.pk)
    page.get_by_role("button", name="Import 2 purchases").click(timeout=10_000)
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    run_import(import_id=i.pk)
    expect(page.get_by_text("2 purchases came in, with 2 new members and 20 points.")).to_be_visible(timeout=10_000)
    assert noise == []


def test_a_file_of_customers_goes_through_its_pages_and_back(marketer):
    file = SimpleUploadedFile("c.csv", b"e-mail,name\na@example.com,Ada\nnobody,Bea\n")
    made = marketer.post(reverse("admin:members_customerimport_add"), {"file": file, "source": "shop"})
    page, i = made.url, CustomerImport.objects.get()
    assert page == reverse("admin:members_customerimport_change", args=[i.pk])
    form = marketer.get(page).context["form"]
    told = {name: form[name].initial or "" for name in form.fields if form[name].initial is not True}

    def press(button: str) -> str:
        marketer.post(page, {**told, button: "1"})
        run_customer_import(import_id=i.pk)
        return marketer.get(page).content.decode()

    assert "nobody" in press("check")
    assert (Member.objects.count(), CustomerImport.objects.get().created) == (0, 1)
    assert "nobody" in press("import")
    assert list(Member.objects.values_list("name", flat=True)) == ["Ada"]
    rows = b"".join(marketer.get(reverse("admin:members_customerimport_bad_rows", args=[i.pk]))).decode()
    assert "nobody,Bea" in rows
    assert marketer.get(f"{page}?undo").status_code == 200
    assert Member.objects.count() == 1  # only asked
    press("undo")
    assert Member.objects.count() == 0
    listed = marketer.get(reverse("admin:members_customerimport_changelist")).content.decode()
    assert "Taken back" in listed

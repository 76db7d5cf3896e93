"""The pages of figures, as staff see them."""

import csv
import io
import json
import re
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.urls import reverse
from django.utils.timezone import now
from openpyxl import load_workbook

from analytics.models import MemberScore
from analytics.services import snapshots
from analytics.services.scores import score_all
from analytics.tests.test_points import AT, busy  # noqa: F401 (a fixture)
from members.models import Programme, PurchaseSummary
from members.segments import asking
from members.services.purchases import record_purchases
from members.tests.factories import make_member, new_purchase
from rewards.enums import Unit
from rewards.services.holds import confirm, reserve
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust, make_rule, post

PAGES = ("changelist", "customers", "quality", "rewards")
RFM, CUSTOMERS, QUALITY, REWARDS = (f"admin:analytics_memberscore_{page}" for page in PAGES)


@pytest.fixture
def shop(db) -> None:
    """60 customers, each of whom came once more often, and later, than the one before. Days are told by the
    calendar, so the shop is where no clock is put back in between."""
    Programme.objects.create(pk=1, currency="EUR", time_zone="UTC")
    rows = []
    for n in range(60):
        member, last = make_member(), now() - timedelta(days=60 - n, seconds=-60)
        record_purchases(purchases=[new_purchase(member, purchased_at=last, store="Old Town")])
        rows.append(
            PurchaseSummary(
                member=member,
                purchases=n + 1,
                visit_days=n + 1,
                spent_minor=100 * (n + 1),
                first_at=last - timedelta(days=400),
                last_at=last,
                rhythm_days=10,
            )
        )
    PurchaseSummary.objects.all().delete()
    PurchaseSummary.objects.bulk_create(rows)


def test_the_map_says_that_it_waits_for_the_night_or_for_customers(desk, shop):
    client = desk("Marketer")
    assert "The first ones will stand here tomorrow" in client.get(reverse(RFM)).content.decode()
    PurchaseSummary.objects.filter(visit_days__gt=12).delete()
    score_all(at=now())
    page = client.get(reverse(RFM)).content.decode()
    assert "at least 50 who bought. So far there are 12." in page


def test_the_map_counts_shares_and_opens_each_cell_as_a_segment(desk, shop):
    score_all(at=now())
    page = desk("Marketer").get(reverse(RFM))
    assert page.context["headline"] == "The best 20% of the customers bring 36% of the revenue."
    cells = {(r, v): cell for r, _last, row in page.context["rows"] for v, cell in row}
    assert len(cells) == 25
    assert sum(cell.members for cell in cells.values()) == 60
    assert cells[5, 5].shown["members"] == "12"
    assert cells[5, 5].shown["spent"] == "36%"
    for (recency, value), cell in cells.items():
        definition = parse_qs(urlsplit(cell.link).query)["definition"][0]
        assert asking.count(json.loads(definition), at=now()) == cell.members, (recency, value)
    meanings = {score: rest for score, *rest in page.context["meanings"]}
    assert meanings[5] == ["within 12 days", "49 or more", "€49.00 or more"]
    assert meanings[1] == ["49 days ago or longer", "up to 12", "up to €12.99"]
    assert page.context["pareto"]["rows"][1] == ("20%", "36%")


def test_the_map_in_chinese_has_chinese_names(desk, shop):
    score_all(at=now())
    page = desk("Marketer").get(reverse(RFM), headers={"accept-language": "zh-hans"}).content.decode()
    assert "核心客户" in page
    assert "Champions" not in page


def test_customers_are_told_by_where_they_stand_and_each_figure_opens_its_members(desk, shop):
    client = desk("Marketer")
    page = client.get(reverse(CUSTOMERS))
    figures = {stat.title: stat for stat in page.context["stats"]}
    shown = {title: int(stat.value) for title, stat in figures.items()}
    assert (shown["Active"], shown["Lapsing"], shown["Lost"]) == (20, 20, 20)
    assert page.context["headline"] == "Of 60 customers 33% keep coming; 20 are about to be lost."
    for title in ("New", "Active", "Lapsing", "Lost", "Won back"):
        rows = client.get(figures[title].link).context["cl"].result_count
        assert rows == shown[title], title
    for source in page.context["sources"]:
        assert client.get(source["link"]).status_code == 200


def test_every_fault_opens_the_members_who_have_it(desk, shop):
    client = desk("Marketer")
    page = client.get(reverse(QUALITY))
    checks = page.context["checks"]
    assert len(checks) == 14
    assert any(check["link"] for check in checks)
    for check in checks:
        if check["link"]:
            assert client.get(check["link"]).context["cl"].result_count == int(check["n"]), check["label"]


@pytest.mark.parametrize("page", [RFM, CUSTOMERS, QUALITY, REWARDS])
def test_an_empty_shop_says_so(desk, db, page):
    content = desk("Marketer").get(reverse(page)).content.decode()
    assert any(
        words in content
        for words in (
            "Not enough data yet",
            "Nobody has bought anything yet.",
            "There are no members yet.",
            "Nothing has been given yet.",
        )
    )


def test_the_members_page_says_where_they_stand(desk, shop):
    score_all(at=now())
    best = MemberScore.objects.filter(recency=5, frequency=5).first()
    page = desk("Marketer").get(reverse("admin:members_member_change", args=[best.pk])).content.decode()
    assert "Champions" in page
    assert "5 of 5" in page


@pytest.fixture
def points(db) -> None:
    """Two members with points of a rule, one of them given 30 by hand; 20 redeemed."""
    Programme.objects.create(pk=1, currency="EUR", time_zone="Europe/Berlin")
    make_rule()
    for n in range(2):
        member, at = make_member(), now() - timedelta(days=5 - n)
        post(member, at, purchased_at=at, amount_minor=40_000)
    adjust(member, 30, now() - timedelta(days=1))
    hold = {"member_id": member.pk, "amount": 20, "key": "h", "at": now()}
    reserve(**hold, lapses_at=now() + timedelta(days=1))
    confirm(key="h", at=now())


def test_points_are_told_with_what_is_owed_and_each_figure_opens_its_rows(desk, points):
    client = desk("Marketer")
    page = client.get(reverse(REWARDS))
    assert page.context["headline"].startswith("Members hold 810 points: €8.10 are owed for them;")
    told = {stat.title: stat for stat in [*page.context["stats"], *page.context["standing"]]}
    assert {title: told[title].value for title in ("Issued", "Redeemed", "Given by hand", "Outstanding")} == {
        "Issued": "800", "Redeemed": "20", "Given by hand": "30", "Outstanding": "810",
    }  # fmt: skip
    assert (told["Breakage"].value, told["Breakage"].note) == ("–", "not enough data")
    rows = {title: client.get(stat.link).context["cl"].result_count for title, stat in told.items()}
    assert rows["Owed in money"] == rows["Outstanding"]
    assert (rows["Issued"], rows["Redeemed"], rows["Given by hand"], rows["Spendable"]) == (2, 1, 1, 3)
    assert (rows["Pending"], rows["Expired"]) == (0, 0)
    tables = {table.key: table for table in page.context["tables"]}
    (rule,) = tables["rules"].rows
    assert rule.cells[1:5] == ["2", "2", "100%", "800"]
    assert client.get(rule.link).context["cl"].result_count == 2
    for row in [*tables["by-month-of-issue"].rows, *tables["by-month-of-joining"].rows]:
        assert client.get(row.link).context["cl"].result_count > 0


def came_to(client, link: str) -> int:
    """What the rows of a list come to: in its own words, and counted in the file that it gives."""
    page = client.get(link).context["cl"]
    query, kind = urlsplit(link).query, page.opts.model_name
    file = client.post(f"{reverse(f'admin:rewards_{kind}_export')}?{query}", {"format": "0", "resource": "0"})
    rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))
    names = ("amount",) if kind == "transfer" else ("left", "reserved") if "left=held" in query else ("left",)
    digits = {"credit": 2}.get(parse_qs(query)["unit"][0], 0)
    counted = sum(int(Decimal(row[name]).scaleb(digits)) for row in rows for name in names)
    assert len(rows) == page.result_count
    assert int(re.sub(r"[^0-9-]", "", page.total)) == counted, link
    return counted


@time_machine.travel(AT + timedelta(days=60))
@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("unit", list(Unit))
def test_the_rows_that_a_figure_opens_come_to_the_figure(desk, unit):
    client = desk("Marketer")
    page = client.get(reverse(REWARDS), {"unit": unit, "days": 365}).context
    told = [stat for stat in [*page["stats"], *page["standing"]] if stat.title not in ("Owed in money", "Breakage")]
    figures = {stat.title: (stat.link, stat.value) for stat in told}
    tables = {table.key: table for table in page["tables"]}
    figures |= {row.cells[0]: (row.link, row.cells[5]) for row in tables["by-month-of-issue"].rows}
    assert len(figures) > 14
    for title, (link, value) in figures.items():
        assert came_to(client, link) == int(re.sub(r"[^0-9-]", "", value)), title
    some = ("Issued", "Redeemed", "Expired", "Reserved") if unit == Unit.POINTS else ("Given by hand", "Outstanding")
    for title in some:
        assert int(re.sub(r"[^0-9-]", "", figures[title][1])), title


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_table_can_be_taken_along(desk, points, kind):
    client = desk("Marketer")
    answer = client.get(f"{reverse(REWARDS)}by-month-of-issue/{kind}/")
    assert answer["Content-Disposition"].endswith(f'.{kind}"')
    if kind == "csv":
        read = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert sum(int(row["Outstanding"]) for row in read) == 810
    else:
        sheet = load_workbook(io.BytesIO(answer.content)).active
        assert [cell.value for cell in sheet[1]][:3] == ["Issued in", "Issued", "Taken back"]
    assert client.get(f"{reverse(REWARDS)}nonsense/csv/").status_code == 404
    assert client.get(f"{reverse(REWARDS)}rules/pdf/").status_code == 404


def test_store_credit_has_a_page_of_its_own_once_there_is_any(desk, points, monkeypatch):
    monkeypatch.setattr(snapshots, "QUICK", 60)  # counted anew each time, however busy the machine is
    client = desk("Marketer")
    assert client.get(reverse(REWARDS)).context["units"] == []
    adjust(make_member(), 1_250, now(), key="c", unit=Unit.CREDIT)
    page = client.get(reverse(REWARDS), {"unit": "credit"})
    assert page.context["headline"].startswith("Members hold €12.50 of store credit")
    assert client.get(page.context["stats"][3].link).context["cl"].result_count == 1
    assert "€12.50" in client.get(page.context["stats"][3].link).content.decode()
    assert client.get(reverse(REWARDS)).context["headline"].startswith("Members hold 810 points")
    issue(make_offer("card", {"currency": "EUR", "amount": "25.00"}), make_member(), now())
    page = client.get(reverse(REWARDS), {"unit": "credit"})
    assert page.context["headline"].startswith("Members hold €12.50 of store credit, and €25.00 are on gift cards;")
    told = {stat.title: stat for stat in page.context["standing"]}
    for title, minor in (("Outstanding", 3_750), ("Of it, members'", 1_250), ("Of it, on gift cards", 2_500)):
        assert came_to(client, told[title].link) == minor, title

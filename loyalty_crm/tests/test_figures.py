"""The pages of figures, as staff see them."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse
from django.utils.timezone import now

from analytics.models import MemberScore
from analytics.services.scores import score_all
from members.models import Programme, PurchaseSummary
from members.segments import asking
from members.services.purchases import record_purchases
from members.tests.factories import make_member, new_purchase

RFM, CUSTOMERS, QUALITY = (f"admin:analytics_memberscore_{page}" for page in ("changelist", "customers", "quality"))


@pytest.fixture
def shop(db) -> None:
    """60 customers, each of whom came once more often, and later, than the one before."""
    Programme.objects.create(pk=1, currency="EUR", time_zone="Europe/Berlin")
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


@pytest.mark.parametrize("page", [RFM, CUSTOMERS, QUALITY])
def test_an_empty_shop_says_so(desk, db, page):
    content = desk("Marketer").get(reverse(page)).content.decode()
    assert any(
        words in content
        for words in ("Not enough data yet", "Nobody has bought anything yet.", "There are no members yet.")
    )


def test_the_members_page_says_where_they_stand(desk, shop):
    score_all(at=now())
    best = MemberScore.objects.filter(recency=5, frequency=5).first()
    page = desk("Marketer").get(reverse("admin:members_member_change", args=[best.pk])).content.decode()
    assert "Champions" in page
    assert "5 of 5" in page

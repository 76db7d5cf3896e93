"""A marketer makes a segment in a real browser, reads why three members are in it or not, and breaks nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now
from playwright.sync_api import Page, expect

from loyalty_crm.tests.test_browser import accessible, desk  # noqa: F401  a fixture
from members.enums import Channel, Purpose
from members.models import Member, Programme, Segment, SegmentMember
from members.segments import asking
from members.services import summaries
from members.services.consent import state_consent
from members.services.purchases import record_purchases
from members.services.segments import refresh, save_segment
from members.tests.factories import make_member, new_purchase

pytestmark = pytest.mark.django_db(transaction=True)


def customer(name: str, *, cents: int, last_days_ago: int, consent: bool = True) -> Member:
    """Somebody who came five times, a week apart, and whether they may be written."""
    made = make_member(name=name)
    times = [datetime.now(UTC) - timedelta(days=last_days_ago + 7 * n) for n in range(5)]
    record_purchases(purchases=[new_purchase(made, amount_minor=cents, purchased_at=at) for at in times])
    state_consent(
        member_id=made.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS, granted=consent, source="till", at=times[-1]
    )
    return made


@pytest.fixture
def member(live_server, settings) -> Member:
    """Forty customers: eight who spend much, six of whom have not been seen for long and may be written."""
    settings.REQUIRE_STAFF_MFA = False
    Programme.objects.create(pk=1, name="Corner Café", time_zone="Europe/Berlin")
    missing = [customer(f"Missed {n}", cents=9000 + n, last_days_ago=40) for n in range(6)]
    customer("Seen Yesterday", cents=8000, last_days_ago=1)
    customer("Silent Guest", cents=8000, last_days_ago=40, consent=False)
    for n in range(32):
        customer(f"Small {n}", cents=300, last_days_ago=n)
    summaries.recompute()
    return missing[0]


def pick(page: Page, words: str) -> None:
    """Chooses a condition by typing, with the keyboard alone."""
    expect(page.get_by_role("combobox", name="Search conditions")).to_be_focused()
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def add(page: Page, words: str) -> None:
    page.get_by_role("button", name="Add a condition").last.click()
    pick(page, words)


def row(page: Page, label: str):
    return page.get_by_role("group", name=label, exact=True)


def test_a_segment_is_built_counted_saved_and_explained(desk, member, live_server):  # noqa: F811
    desk.goto(live_server.url + reverse("admin:members_segment_add"))
    desk.get_by_role("link", name="Empty").click()
    expect(desk.locator("[data-segment=count]")).to_have_text("40 members")
    desk.get_by_label("Name in English").fill("VIPs we miss")
    desk.get_by_label("Name in Chinese").fill("久未到店的贵宾")
    add(desk, "top spend")
    expect(row(desk, "top spenders").get_by_role("spinbutton")).to_be_focused()
    desk.keyboard.type("20")
    expect(desk.locator("[data-segment=count]")).to_have_text("8 members")
    add(desk, "rhythm exceeded")
    desk.keyboard.type("2")
    expect(desk.locator("[data-segment=count]")).to_have_text("7 members")
    add(desk, "offers e-mail")
    expect(desk.locator("[data-segment=count]")).to_have_text("6 members")
    add(desk, "drawn by lot")
    expect(desk.locator("[data-segment=open]")).to_contain_text("not filled in yet")
    lot = row(desk, "drawn by lot")
    lot.get_by_role("spinbutton").first.fill("0")
    lot.get_by_role("spinbutton").last.fill("10")
    lot.get_by_label("Narrow down…").select_option("draw")
    desk.keyboard.type("hold-out")
    desk.keyboard.press("Enter")
    lot.get_by_label("More").click()
    desk.get_by_role("button", name="Turn into its opposite").click()
    expect(desk.locator("[data-segment=open]")).to_be_empty()
    expect(desk.locator("[data-segment=sample] li").first).to_be_visible()
    accessible(desk)
    expected = {
        "all": [
            {"trait": "purchase.spent_percentile", "op": "top", "value": 20},
            {"trait": "purchase.overdue", "op": "at_least", "value": 2},
            {"trait": "consent.offers_email", "op": "yes"},
            {"not": {"trait": "draw", "op": "between", "value": [0, 10], "where": {"draw": ["hold-out"]}}},
        ]
    }
    count = asking.count(expected, at=now())
    assert 0 < count <= 6
    said = f"{count} member{'s' if count > 1 else ''}"
    expect(desk.locator("[data-segment=count]")).to_have_text(said)
    expect(desk.locator("[data-segment=plan]")).to_contain_text(said)
    desk.get_by_role("button", name="Save").click()
    expect(desk.get_by_role("heading", name="VIPs we miss", level=2)).to_be_visible()
    segment = Segment.objects.get()
    assert (segment.definition, segment.name_zh_hans) == (expected, "久未到店的贵宾")
    refresh(segment_id=segment.pk, at=now())
    desk.reload()
    expect(desk.locator("#state")).to_contain_text("Up to date")
    expect(desk.locator("#members .desk-row")).to_have_count(count)
    accessible(desk)
    inside = SegmentMember.objects.select_related("member").first().member
    for name, verdict, datum in (
        (inside.name, "is in", "among the top"),
        ("Seen Yesterday", "is not in", "rhythm"),
        ("Silent Guest", "is not in", "agreed to offers"),
    ):
        desk.goto(live_server.url + reverse("admin:members_segment_why", args=[segment.pk]))
        desk.get_by_role("searchbox", name="Whose membership?").fill(name)
        desk.keyboard.press("Enter")
        expect(desk.get_by_text(f"{name} {verdict} “VIPs we miss”.")).to_be_visible()
        assert desk.locator(".seg-why-line").count() == 6  # the group, four conditions, one of them in a "not"
        leaf = desk.locator(".seg-why-line", has_text=datum)
        assert leaf.count() >= 1
        accessible(desk)


def test_the_keyboard_moves_conditions_into_groups_and_out(desk, member, live_server):  # noqa: F811
    city = {"trait": "city", "op": "any_of", "value": ["Berlin"]}
    name = {"trait": "name", "op": "contains", "value": "ed 3"}
    made = save_segment(names={"en": "Moved"}, definition={"all": [city, {"any": [name]}]}, at=now())
    desk.goto(live_server.url + reverse("admin:members_segment_edit", args=[made.pk]))
    stored = "JSON.parse(document.getElementById('id_definition').value)"
    assert desk.evaluate(stored) == made.definition
    row(desk, "city").get_by_role("button", name="Move down").focus()
    desk.keyboard.press("Enter")  # into the group
    assert desk.evaluate(stored) == {"all": [{"any": [city, name]}]}
    expect(desk.locator("[data-segment=count]")).to_have_text("1 member")
    expect(desk.locator(":focus")).to_have_attribute("aria-label", "Move down")
    desk.keyboard.press("Enter")
    desk.keyboard.press("Enter")  # past the end, out of the group
    assert desk.evaluate(stored) == {"all": [{"any": [name]}, city]}
    expect(desk.locator("[data-segment=count]")).to_have_text("0 members")
    row(desk, "city").get_by_role("button", name="Remove").click()
    expect(desk.locator("[data-segment=plan]")).to_contain_text("version 2")


def test_what_is_wrong_stands_beside_its_row(desk, member, live_server):  # noqa: F811
    gone = {"trait": "attribute.gone", "op": "any_of", "value": ["x"]}
    made = save_segment(names={"en": "Broken"}, definition={"all": []}, at=now())
    Segment.objects.filter(pk=made.pk).update(
        definition={"all": [{"any": [gone, {"trait": "has_email", "op": "yes"}]}]}
    )
    desk.goto(live_server.url + reverse("admin:members_segment_edit", args=[made.pk]))
    wrong = desk.locator(".seg-row.seg-wrong:not(.seg-holds)")
    expect(wrong).to_have_count(1)
    expect(wrong.locator(".seg-problem")).to_contain_text("attribute.gone")
    desk.get_by_role("button", name="Save").click()
    expect(wrong).to_have_count(1)
    accessible(desk)
    wrong.get_by_role("button", name="Remove").click()
    expect(desk.locator("[data-segment=count]")).to_have_text("40 members")
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.wait_for_function("document.documentElement.scrollWidth <= 390")


def test_a_tree_of_five_hundred_conditions_fifty_deep_is_shown(desk, member, live_server):  # noqa: F811
    leaf = {"trait": "city", "op": "any_of", "value": ["Berlin"]}
    tree: dict = {"any": [leaf] * 10}
    for _depth in range(48):
        tree = {"any": [*[leaf] * 10, tree]}
    made = save_segment(names={"en": "Deep"}, definition={"all": [tree]}, at=now())
    desk.goto(live_server.url + reverse("admin:members_segment_edit", args=[made.pk]))
    expect(desk.locator(".seg-row:not(.seg-holds)")).to_have_count(490)
    expect(desk.locator("[data-segment=count]")).to_have_text("0 members", timeout=15_000)
    took = desk.evaluate(
        """() => { const begun = performance.now();
        document.querySelector('.seg-row:not(.seg-holds) button[aria-label="Remove"]').click();
        return performance.now() - begun; }"""
    )
    assert took < 3000  # milliseconds until the changed tree is drawn again, on a busy machine
    expect(desk.locator(".seg-row:not(.seg-holds)")).to_have_count(489)
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.wait_for_function("document.documentElement.scrollWidth <= 390")

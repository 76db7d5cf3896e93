"""The first page: what a member has, how far to the next tier, and at the same cost however long the history."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from members.services.merging import merge_members, undo_merge
from members.services.profile import update_profile
from members.tests.factories import make_member
from portal.templatetags.portal import ICONS, movement_icon, number
from portal.views.home import greeting
from rewards.enums import TransferKind
from rewards.models import Transfer
from rewards.services.adjustments import adjust_points
from rewards.services.tier_nights import reassess_all
from rewards.tests.factories import post

NOON = datetime(2026, 5, 12, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_noon_in_berlin():
    with time_machine.travel(NOON, tick=False):
        yield


def test_a_new_member_is_told_what_to_do(as_anna):
    page = as_anna.get("/").content.decode()
    assert "Good afternoon, Anna Berger" in page
    assert "Your next purchase brings the first ones." in page
    assert "500 points to Silver" in page
    assert "Nothing here yet" in page
    assert "left to keep" not in page


def test_balance_expiry_tier_and_the_last_three_movements(as_anna, anna):
    for days, euros in ((300, 600), (40, 150), (3, 500), (2, 40)):
        at = NOON - timedelta(days=days)
        post(anna, at, amount_minor=euros * 100, purchased_at=at)
    page = as_anna.get("/").content.decode()
    assert '<p class="balance">1,290</p>' in page
    assert "600 points expire on Jul 16, 2026" in page
    assert page.count('<span class="dot">') == 3
    assert "Bought for €40.00 · " in page
    assert "Bought for €600.00" not in page
    assert "You are at the top." in page  # 1,290 points in 12 months
    assert "65 days left to keep Gold" in page
    assert "310 points more by Jul 16, 2026." in page


def test_every_kind_of_movement_has_its_picture(as_anna, anna):
    assert set(ICONS) == set(TransferKind.values)
    for kind in TransferKind.values:
        assert "<svg" in movement_icon(Transfer(kind=kind))


def test_after_a_merge_and_its_undoing_the_page_says_what_moved(as_anna, anna):
    other = make_member()
    post(other, NOON)
    done = merge_members(survivor_id=anna.pk, merged_id=other.pk, at=NOON)
    assert "Bought for €10.00" in as_anna.get("/").content.decode()
    undo_merge(merge_id=done.merge_id, at=NOON)
    assert "the merge of two cards was undone" in as_anna.get("/").content.decode()


def test_a_lower_tier_says_what_is_missing(as_anna, anna):
    post(anna, NOON, amount_minor=76000, purchased_at=NOON)
    page = as_anna.get("/").content.decode()
    assert "240 points to Gold" in page
    assert '<progress value="76" max="100"' in page


def test_it_speaks_the_members_language_and_time(as_anna, anna):
    changes = {"language": "zh-hans", "time_zone": "Asia/Shanghai"}
    update_profile(member_id=anna.pk, changes=changes, at=NOON)
    post(anna, NOON, purchased_at=datetime(2026, 5, 11, 20, 0, tzinfo=UTC))  # the 12th in Shanghai
    response = as_anna.get("/", headers={"accept-language": "en"})
    assert response["Content-Language"] == "zh-hans"
    page = response.content.decode()
    assert '<html lang="zh-Hans">' in page
    assert "2026年5月12日" in page
    assert "铜卡" in page


def test_the_cost_does_not_grow_with_the_ledger(as_anna, anna):
    for n in range(20):
        adjust_points(member_id=anna.pk, amount=5, reason="Test", key=f"a{n}", at=NOON)
    reassess_all(at=NOON)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert as_anna.get("/").status_code == 200
        return len(captured)

    few = queries()
    with connection.cursor() as cursor:  # one statement for 1,980 more movements
        cursor.execute(
            "INSERT INTO rewards_transfer (key, kind, debit_id, credit_id, amount, at, reason, why)"
            " SELECT 'more' || n, kind, debit_id, credit_id, 5, at - n * interval '1 hour', reason, why"
            " FROM rewards_transfer, generate_series(1, 1980) AS n WHERE key = 'adjust:a0'"
        )
    # session, user, member, programme, stand, rewards, coupons (2), owed, expiring, tier (2), leaving, movements (2)
    assert queries() == few


@pytest.mark.parametrize(
    ("hour", "words"),
    [(4, "Good evening"), (5, "Good morning"), (11, "Good morning"), (12, "Good afternoon"), (18, "Good evening")],
)
def test_greetings_follow_the_members_clock(hour, words):
    assert greeting(hour) == words


def test_numbers_are_grouped_in_both_languages():
    for language in ("en", "zh-hans"):
        with translation.override(language):
            assert number(1234567) == "1,234,567"


def test_the_card_shows_its_number_and_a_code_to_scan(as_anna, anna):
    page = as_anna.get("/card/").content.decode()
    assert anna.card_number_grouped in page
    assert page.count('role="img" aria-label="QR code of your card"') == 1
    assert " style=" not in page


def test_strangers_read_what_the_club_gives(client, club):
    page = client.get("/").content.decode()
    assert "1 for every €1.00" in page
    for words in ("Bronze", "500 points", "1,000 points"):
        assert words in page
    assert timezone.get_current_timezone_name() == "UTC"

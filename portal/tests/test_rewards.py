"""The catalogue, redeeming, coupons, the tier page: what is shown, what it costs, and that nobody sees another's."""

import io
import re
from datetime import timedelta
from http import HTTPStatus

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image

from members.services.pins import check_pin, check_till_code, has_pin
from members.services.profile import update_profile
from portal.tests.conftest import PASSWORD
from portal.views.home import for_you
from portal.views.rewards import A_MINUTE
from rewards.enums import RedemptionState, WaitingState
from rewards.models import Benefit, MembershipPlan, PlanMembership, Redemption, RewardSession, Tier, WaitingEntry
from rewards.queries import balance
from rewards.queries_catalogue import catalogue, look_at
from rewards.services.earning.events import make_check_in_point
from rewards.services.fulfilment import set_fulfilment
from rewards.services.pictures import add_picture
from rewards.services.redemptions import confirm_redemption, redeem_reward, reserve_reward
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust, make_reward, make_rule_of

PAGES = ["/", "/rewards/", "/rewards/mine/", "/coupons/", "/tier/", "/history/expiring/"]
ADDRESS = {"name": "Anna Berger", "street": "Hauptstr. 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}


def text(page) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


def key_of(page) -> str:
    return re.search(r'name="key" value="([^"]+)"', page.content.decode()).group(1)


@pytest.fixture
def rich(anna):
    adjust(anna, 500, timezone.now())
    return anna


def take(client, reward, **more):
    url = f"/rewards/{reward.pk}/redeem/"
    return client.post(url, {"key": key_of(client.get(url, more)), **more}, follow=True)


# --- the catalogue --------------------------------------------------------------------------------------------------
def test_early_access_opens_what_others_still_wait_for(as_anna, rich):
    at = timezone.now()
    soon = {"visible_from": at + timedelta(hours=3), "redeemable_from": at + timedelta(hours=6)}
    cup = make_reward(name="Cup", **soon)
    late = make_reward(name="Late", redeemable_from=at + timedelta(hours=30))
    assert "Cup" not in text(as_anna.get("/rewards/"))
    assert as_anna.get(f"/rewards/{cup.pk}/").status_code == HTTPStatus.NOT_FOUND
    benefit = Benefit.objects.create(name_en="Early bird", kind="early", value=24)
    benefit.tiers.add(Tier.objects.get(rank=0))
    assert "Cup 100 points You can have it" in text(as_anna.get("/rewards/"))
    assert "Early access For everybody from" in text(as_anna.get(f"/rewards/{cup.pk}/"))
    assert "Cup is yours" in text(take(as_anna, cup))
    (reason,) = look_at(late.pk, member_id=rich.pk, at=at).reasons
    assert (reason.code, reason.facts["from"]) == ("not_yet", (late.redeemable_from - timedelta(hours=24)).isoformat())
    assert look_at(cup.pk, member_id=None, at=at).reasons[0].code == "not_yet"


def test_the_catalogue_says_what_is_missing(as_anna, rich):
    make_reward(name="Cake", points=90)
    make_reward(name="Mug", points=740)
    page = text(as_anna.get("/rewards/"))
    assert "You have 500 points" in page
    assert "Cake 90 points You can have it" in page
    assert "Mug 740 points 240 more points are needed." in page


def test_filters_are_links_that_add_up_and_come_off(as_anna, rich):
    make_reward(name="Cake", points=90)
    make_reward(name="Mug", points=740)
    make_reward(name="Oak", points=100, kind="tree", green=True)
    make_reward(name="Forest", points=9000, kind="tree", green=True)

    def shown(query: str) -> set[str]:
        return set(re.findall("Cake|Mug|Oak|Forest", text(as_anna.get(f"/rewards/?{query}"))))

    assert shown("now=1") == {"Cake", "Oak"}
    assert shown("green=1") == {"Oak", "Forest"}
    assert shown("now=1&kind=tree") == {"Oak"}
    assert shown("kind=nonsense") == {"Cake", "Mug", "Oak", "Forest"}
    page = as_anna.get("/rewards/?now=1&green=1").content.decode()
    assert 'href="/rewards/?green=1" aria-current="true"' in page  # taking "now" off leaves the other
    assert "Nothing fits" in text(as_anna.get("/rewards/?green=1&kind=goods"))


def test_an_empty_catalogue_says_what_to_do(as_anna):
    assert "The shelf is being filled" in text(as_anna.get("/rewards/"))


@pytest.mark.parametrize(
    "values",
    [{"state": "draft"}, {"state": "archived"}, {"visible_until": timezone.now() - timedelta(hours=1)}],
)
def test_what_is_not_shown_is_not_there(as_anna, rich, values):
    reward = make_reward(**values)
    for url in (f"/rewards/{reward.pk}/", f"/rewards/{reward.pk}/redeem/", "/rewards/999999/"):
        assert as_anna.get(url).status_code == HTTPStatus.NOT_FOUND
    assert as_anna.post(f"/rewards/{reward.pk}/redeem/", {"key": "k"}).status_code == HTTPStatus.NOT_FOUND
    assert not Redemption.objects.exists()


def test_the_reward_page_says_price_terms_and_why_not(as_anna, rich):
    reward = make_reward(name="Mug", points=740, terms_en="One a week.", stock=3, limit_member=2)
    reward.tiers.add(Tier.objects.get(rank=2))
    page = text(as_anna.get(f"/rewards/{reward.pk}/"))
    for words in (
        "It is for Gold only.",
        "240 more points are needed.",
        "One a week.",
        "3 are left.",
        "2 times for each",
    ):
        assert words in page
    assert "Redeem for" not in page


def test_two_sizes_of_a_picture_come_late_and_keep_their_place(as_anna, rich):
    file = io.BytesIO()
    Image.new("RGB", (800, 600), "plum").save(file, "PNG")
    file.seek(0)
    add_picture(reward_id=make_reward().pk, file=file, alts={"en": "A cup"})
    page = as_anna.get("/rewards/").content.decode()
    image = re.search(r"<img [^>]+>", page).group()
    assert 'loading="lazy"' in image
    assert 'width="800" height="600"' in image
    assert image.count(".webp") == 3  # one to begin with, two to choose from
    assert 'alt="A cup"' in image


# --- redeeming ------------------------------------------------------------------------------------------------------
def test_it_asks_once_with_the_balance_before_and_after(as_anna, rich):
    reward = make_reward(points=120)
    page = text(as_anna.get(f"/rewards/{reward.pk}/redeem/"))
    assert "Free coffee for 120 points?" in page
    assert "You have 500 Free coffee −120 Left after it 380" in page
    assert not Redemption.objects.exists()


def test_what_is_redeemed_is_shown_at_once_with_its_code(as_anna, rich):
    page = take(as_anna, make_reward(points=120))
    done = Redemption.objects.get()
    assert page.redirect_chain[-1][0] == f"/rewards/mine/{done.pk}/"
    assert "Free coffee is yours. You have 380 points left." in text(page)
    assert "QR code of your reward" in page.content.decode()
    assert (done.state, balance(rich.pk)) == (RedemptionState.CONFIRMED, 380)
    assert done.code[:4] in text(page)


def test_a_form_sent_twice_redeems_once(as_anna, rich):
    reward = make_reward(points=120)
    url = f"/rewards/{reward.pk}/redeem/"
    key = key_of(as_anna.get(url))
    for _ in range(2):
        assert as_anna.post(url, {"key": key}).status_code == HTTPStatus.FOUND
    assert Redemption.objects.count() == 1
    assert balance(rich.pk) == 380


def test_a_key_of_another_member_is_no_way_to_their_redemption(as_anna, as_bob, rich, bob):
    reward = make_reward(points=0)
    for client in (as_anna, as_bob):
        client.post(f"/rewards/{reward.pk}/redeem/", {"key": "same"})
    assert set(Redemption.objects.values_list("member", flat=True)) == {rich.pk, bob.pk}


def test_what_cannot_be_had_is_refused_in_words(as_anna, anna):
    reward = make_reward(points=120)
    page = as_anna.post(f"/rewards/{reward.pk}/redeem/", {"key": "k"}, follow=True)
    assert "120 more points are needed." in text(page)
    assert not Redemption.objects.exists()


def test_redeeming_too_fast_is_stopped(as_anna, rich):
    reward = make_reward(points=1)
    for n in range(A_MINUTE + 1):
        page = as_anna.post(f"/rewards/{reward.pk}/redeem/", {"key": f"k{n}"}, follow=True)
    assert "a little fast" in text(page)
    assert Redemption.objects.count() == A_MINUTE


def test_a_parcel_needs_an_address_and_shows_where_it_is(as_anna, rich):
    reward = make_reward(points=100, ships=True)
    url = f"/rewards/{reward.pk}/redeem/"
    wrong = as_anna.post(url, {"key": "k", **ADDRESS, "street": ""})
    assert "Please say where we shall send it." in text(wrong)
    assert "Berlin" in wrong.content.decode()
    assert not Redemption.objects.exists()
    as_anna.post(url, {"key": "k", **ADDRESS})
    done = Redemption.objects.get()
    assert done.address == ADDRESS
    page = text(as_anna.get(f"/rewards/mine/{done.pk}/"))
    assert "We are packing it" in page
    assert "Hauptstr. 1" in page
    set_fulfilment(redemption_ids=[done.pk], to="shipped", at=timezone.now(), carrier="DHL", tracking_number="PB123")
    assert "tracking number PB123" in text(as_anna.get(f"/rewards/mine/{done.pk}/"))


def test_what_costs_money_too_is_set_aside_and_can_be_cancelled(as_anna, rich):
    page = take(as_anna, make_reward(points=100, money_minor=500))
    assert "Free coffee is set aside for you. You have 400 points left." in text(page)
    assert "pay €5.00 by" in text(page)
    done = Redemption.objects.get()
    assert done.state == RedemptionState.RESERVED
    page = as_anna.post(f"/rewards/mine/{done.pk}/cancel/", follow=True)
    assert "Cancelled. You have 500 points." in text(page)
    page = as_anna.post(f"/rewards/mine/{done.pk}/cancel/", follow=True)  # once more changes nothing
    assert balance(rich.pk) == 500


def test_an_address_told_with_a_reservation_is_kept_for_its_end(as_anna, rich):
    reward = make_reward(points=100, money_minor=500, ships=True)
    as_anna.post(f"/rewards/{reward.pk}/redeem/", {"key": "k", **ADDRESS})
    done = confirm_redemption(redemption_id=Redemption.objects.get().pk, at=timezone.now())
    assert done.address == ADDRESS


def test_what_is_confirmed_cannot_be_cancelled_here(as_anna, rich):
    done = redeem_reward(member_id=rich.pk, reward_id=make_reward().pk, source="t", key="k", at=timezone.now())
    page = as_anna.post(f"/rewards/mine/{done.pk}/cancel/", follow=True)
    assert "nothing was changed" in text(page)
    done.refresh_from_db()
    assert done.state == RedemptionState.CONFIRMED


def test_dates_places_and_the_waiting_list(as_anna, rich):
    reward = make_reward(name="Tasting", kind="experience", points=100)
    soon = timezone.now() + timedelta(days=3)
    free = RewardSession.objects.create(reward=reward, starts_at=soon, capacity=1)
    full = RewardSession.objects.create(reward=reward, starts_at=soon + timedelta(days=1), capacity=1, booked=1)
    page = text(as_anna.get(f"/rewards/{reward.pk}/"))
    assert "1 place left" in page
    assert "Join the waiting list" in page
    as_anna.post(f"/rewards/{reward.pk}/dates/{full.pk}/wait/")
    assert WaitingEntry.objects.get().state == WaitingState.WAITING
    assert "You are on the waiting list." in text(as_anna.get(f"/rewards/{reward.pk}/"))
    as_anna.post(f"/rewards/{reward.pk}/dates/{full.pk}/wait/", {"leave": "1"})
    assert WaitingEntry.objects.get().state == WaitingState.GONE
    page = as_anna.post(f"/rewards/{reward.pk}/dates/{free.pk}/wait/", follow=True)
    assert "There is a place: no need to wait." in text(page)
    take(as_anna, reward, date=free.pk)
    assert Redemption.objects.get().session == free
    WaitingEntry.objects.update(state="offered", offered_until=soon)
    assert "A place came free: Tasting" in text(as_anna.get("/"))
    other = make_reward(kind="experience")
    assert as_anna.post(f"/rewards/{other.pk}/dates/{full.pk}/wait/").status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("number", ["", "x", "999999", "9" * 30])
def test_a_date_that_is_none_takes_no_place(as_anna, rich, number):
    reward = make_reward(name="Tasting", kind="experience", points=100)
    RewardSession.objects.create(reward=reward, starts_at=timezone.now() + timedelta(days=3), capacity=1)
    assert as_anna.get(f"/rewards/{reward.pk}/redeem/?date={number}").status_code < 400
    assert as_anna.post(f"/rewards/{reward.pk}/redeem/", {"date": number, "key": "k"}).status_code == HTTPStatus.FOUND
    assert not Redemption.objects.exists()


# --- nobody sees another's ------------------------------------------------------------------------------------------
def test_what_is_anothers_is_not_there(as_bob, rich):
    at = timezone.now()
    done = reserve_reward(member_id=rich.pk, reward_id=make_reward().pk, source="t", key="k", at=at)
    coupon = issue(make_offer(), rich, at)
    for url in (f"/rewards/mine/{done.pk}/", f"/coupons/{coupon.pk}/", "/coupons/offers/1/", "/tier/plans/1/"):
        assert as_bob.get(url).status_code == HTTPStatus.NOT_FOUND, url
    assert as_bob.post(f"/rewards/mine/{done.pk}/cancel/").status_code == HTTPStatus.NOT_FOUND
    done.refresh_from_db()
    assert done.state == RedemptionState.RESERVED
    for url in ("/rewards/mine/", "/coupons/"):
        assert str(done.reward) not in text(as_bob.get(url))


# --- coupons --------------------------------------------------------------------------------------------------------
def test_coupons_are_shown_with_their_code_and_end(as_anna, as_bob, anna):
    at = timezone.now()
    offer = make_offer(name_en="Tea time", flash=True, ends_at=at + timedelta(hours=3), uses_limit=50)
    coupon = issue(offer, anna, at)
    page = as_anna.get("/coupons/")
    assert "Tea time New 10% off Until" in text(page)
    assert "50 left" in text(page)
    assert "data-count" in page.content.decode()
    assert "Tea time New" in text(as_anna.get("/coupons/"))  # looking alone writes nothing
    assert as_anna.get("/coupons/seen/").status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert as_bob.post("/coupons/seen/").status_code == HTTPStatus.NO_CONTENT
    assert "Tea time New" in text(as_anna.get("/coupons/"))
    assert as_anna.post("/coupons/seen/").status_code == HTTPStatus.NO_CONTENT
    assert "Tea time New" not in text(as_anna.get("/coupons/"))
    page = as_anna.get(f"/coupons/{coupon.pk}/")
    assert "QR code of your coupon" in page.content.decode()
    assert coupon.code[:4] in text(page)
    assert " style=" not in page.content.decode()


def test_an_offer_for_all_is_listed_and_shown(as_anna, as_bob):
    offer = make_offer(name_en="Welcome", shared_code="HELLO", listed=True)
    hidden = make_offer(name_en="Quiet", shared_code="SHHH")
    assert "Welcome" in text(as_anna.get("/coupons/"))
    assert "Quiet" not in text(as_anna.get("/coupons/"))
    assert "HELLO" in text(as_bob.get(f"/coupons/offers/{offer.pk}/"))
    assert as_bob.get(f"/coupons/offers/{hidden.pk}/").status_code == HTTPStatus.NOT_FOUND


def test_a_coupon_that_is_over_is_not_shown_to_be_scanned(as_anna, anna):
    at = timezone.now()
    coupon = issue(make_offer(valid_days=1), anna, at - timedelta(days=3))
    assert "Expired" in text(as_anna.get("/coupons/"))
    page = as_anna.get(f"/coupons/{coupon.pk}/")
    assert "Expired" in text(page)
    assert "<svg role=" not in page.content.decode()


# --- tier, benefits, memberships ------------------------------------------------------------------------------------
def test_the_tier_page_says_progress_benefits_and_plans(as_anna, rich):
    lounge = Benefit.objects.create(name_en="Lounge", kind="visits", uses=2, period="once")
    lounge.tiers.add(Tier.objects.get(rank=0))
    plan = MembershipPlan.objects.create(name_en="Plus", months=12, price_points=300)
    page = text(as_anna.get("/tier/"))
    for words in (
        "500 points to Silver",
        "0 points of 500 points",
        "Lounge 2 left",
        "with Bronze",
        "300 points for 12",
    ):
        assert words in page
    page = text(as_anna.get(f"/tier/plans/{plan.pk}/"))
    assert "You have 500 Plus −300 Left after it 200" in page
    key = key_of(as_anna.get(f"/tier/plans/{plan.pk}/"))
    for _ in range(2):
        page = as_anna.post(f"/tier/plans/{plan.pk}/", {"key": key}, follow=True)
    assert "Plus is yours until" in text(page)
    assert PlanMembership.objects.count() == 1
    page = as_anna.post(f"/tier/plans/{plan.pk}/", {"key": "another"}, follow=True)
    assert "100 points are missing for it." in text(page)
    assert balance(rich.pk) == 200


# --- at the till ----------------------------------------------------------------------------------------------------
def prove(client) -> None:
    """They show once more that it is they."""
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})


def test_a_pin_is_changed_only_by_who_has_just_shown_who_they_are(as_anna, anna):
    page = as_anna.get("/me/pin/")
    assert "please show once more that it is you" in text(page)
    assert 'name="pin"' not in page.content.decode()
    for told in ({"pin": "2748", "again": "2748"}, {"remove": "1"}):
        assert as_anna.post("/me/pin/", told)["Location"] == "/me/pin/"
    assert not has_pin(anna.pk)
    assert "2748" not in str(dict(as_anna.session))
    asked = re.search(r'href="(/accounts/reauthenticate/[^"]*)"', page.content.decode()).group(1)
    page = as_anna.post(asked, {"password": PASSWORD, "next": "/me/pin/"}, follow=True)
    assert page.redirect_chain[-1][0] == "/me/pin/"
    assert 'name="pin"' in page.content.decode()
    assert 'name="pin"' in as_anna.get("/me/pin/").content.decode()  # not asked again while that is fresh


def test_a_pin_is_set_changed_and_removed(as_anna, anna):
    prove(as_anna)
    page = as_anna.post("/me/pin/", {"pin": "1234", "again": "1234"})
    assert "too easy to guess" in text(page)
    assert "not the same" in text(as_anna.post("/me/pin/", {"pin": "2748", "again": "2749"}))
    page = as_anna.post("/me/pin/", {"pin": "2748", "again": "2748"}, follow=True)
    assert "That is your PIN now." in text(page)
    assert "2748" not in page.content.decode()
    as_anna.post("/me/pin/", {"remove": "1"})
    assert "You have no PIN yet." in text(as_anna.get("/me/pin/"))


@pytest.mark.django_db(transaction=True)
def test_the_pin_and_the_code_are_those_that_the_till_checks(as_anna, anna):
    prove(as_anna)
    as_anna.post("/me/pin/", {"pin": "2748", "again": "2748"})
    assert check_pin(member_id=anna.pk, pin="2748", at=timezone.now()).ok
    page = as_anna.post("/card/code/")
    code = re.search(r'huge">([\d ]+)<', page.content.decode()).group(1).replace(" ", "")
    assert check_till_code(member_id=anna.pk, code=code, at=timezone.now()).ok
    assert "no-store" in page["Cache-Control"]
    for _ in range(5):
        page = as_anna.post("/card/code/", follow=True)
    assert "many codes within an hour" in text(page)
    assert as_anna.get("/card/code/").status_code == HTTPStatus.METHOD_NOT_ALLOWED


def test_checking_in_needs_a_press_and_gives_once(as_anna, anna):
    make_rule_of("Here again", {"effect": {"kind": "fixed", "points": 5}}, trigger="check_in")
    point = make_check_in_point(name="Market Street")
    page = text(as_anna.get(f"/checkin/{point.token}/"))
    assert "Market Street" in page
    assert balance(anna.pk) == 0
    page = text(as_anna.post(f"/checkin/{point.token}/"))
    assert "+ 5 points Here again" in page
    assert "You have 5 points" in page
    assert "already. Again from" in text(as_anna.post(f"/checkin/{point.token}/"))
    assert balance(anna.pk) == 5
    assert as_anna.get("/checkin/nowhere/").status_code == HTTPStatus.NOT_FOUND


def test_a_stranger_who_scans_signs_in_and_comes_back(client, club):
    point = make_check_in_point(name="Market Street")
    assert client.get(f"/checkin/{point.token}/")["Location"].endswith(f"next=/checkin/{point.token}/")


# --- the first page, history ----------------------------------------------------------------------------------------
def test_the_first_page_shows_what_can_be_had_and_what_nearly(as_anna, rich):
    for n in range(5):
        make_reward(name=f"Cake {n}", points=90 + n)
    make_reward(name="Near", points=510)
    make_reward(name="Far", points=5000)
    shelves = for_you(catalogue(member_id=rich.pk, at=timezone.now()))
    assert [shelf.reward.name for shelf in shelves] == ["Cake 4", "Cake 3", "Near", "Far"]
    assert "10 more points are needed." in text(as_anna.get("/"))


def test_points_say_until_when_they_are_good_and_from_when(as_anna, anna):
    at = timezone.now()
    adjust(anna, 30, at, expires_at=at + timedelta(days=90))
    page = text(as_anna.get("/history/"))
    assert "Good until" in page
    page = text(as_anna.get("/history/expiring/"))
    assert "30 points" in page
    assert "Nothing of yours expires." not in page


@pytest.mark.parametrize("path", PAGES)
def test_many_rows_cost_what_few_cost(as_anna, rich, path):
    at = timezone.now()
    offer = make_offer(uses_member=None)

    def more(n: int) -> None:
        reward = make_reward(name=f"Cake {n}", points=1)
        redeem_reward(member_id=rich.pk, reward_id=reward.pk, source="t", key=f"k{n}", at=at)
        issue(offer, rich, at)
        adjust(rich, 1, at, key=f"m{n}", expires_at=at + timedelta(days=n + 1))
        Benefit.objects.create(name_en=f"B{n}", kind="visits", uses=2).tiers.add(Tier.objects.get(rank=0))
        MembershipPlan.objects.create(name_en=f"P{n}", price_points=10 + n)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert as_anna.get(path).status_code == HTTPStatus.OK
        return len(captured)

    more(0)
    few = queries()
    for n in range(1, 6):
        more(n)
    assert queries() == few


@pytest.mark.parametrize(
    "path", ["/", "/rewards/", "/rewards/mine/", "/coupons/", "/tier/", "/history/expiring/", "/me/pin/"]
)
def test_pages_in_chinese_hold_no_english(as_anna, rich, path):
    update_profile(member_id=rich.pk, changes={"language": "zh-hans", "name": "安娜"}, at=timezone.now())
    make_reward(points=90)
    done = redeem_reward(member_id=rich.pk, reward_id=make_reward().pk, source="t", key="k", at=timezone.now())
    assert done.pk
    main = re.search(r"<main.*</main>", as_anna.get(path).content.decode(), flags=re.S).group()
    words = re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", " ", main, flags=re.S))
    assert set(re.findall(r"[A-Za-z]{3,}", words)) <= {"PIN", "Goodwill"}

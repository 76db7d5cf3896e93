"""What staff do with offers and coupons, page by page."""

from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from members.models import User
from members.services.purchases import NewLine
from members.tests.factories import make_member
from rewards.codes import shown
from rewards.coupons.pricing import Line
from rewards.models import Coupon, CouponJob, Lot, Offer
from rewards.services.checkout import Basket, BasketLine, check_out
from rewards.services.coupons.jobs import run_job
from rewards.services.coupons.using import redeem
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import post
from rewards.tests.test_coupon_jobs import make_segment

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(settings):
    settings.REQUIRE_STAFF_MFA = False
    client = Client()
    client.force_login(
        User.objects.create_superuser("chief@example.com", "x"), backend="django.contrib.auth.backends.ModelBackend"
    )
    return client


def url(name, *args):
    return reverse(f"admin:rewards_{name}", args=args)


def form(**values):
    """What the editor sends: 20 % off drinks from 10.00, a code of their own."""
    return {
        "name_en": "Drinks week", "name_zh_hans": "饮品周", "kind": "percent", "percent": "20", "most": "5",
        "categories": "drinks", "minimum": "10", "minimum_on": "basket", "codes": "own", "valid_days": "14",
        "weekdays": ["4"], "hours": "14:00–17:00", "get_percent": "100", "free": "1", "uses_member": "1", **values,
    }  # fmt: skip


def test_the_editor_says_in_both_languages_what_the_offer_will_do(desk):
    answer = desk.post(url("offer_preview"), form()).json()
    assert answer["problems"] == []
    english, chinese = (one["text"] for one in answer["sentences"])
    assert english.startswith("20% off drinks, at most €5.00. For purchases from €10.00. Only on Friday, from 14:00")
    assert "drinks" in chinese
    problems = desk.post(url("offer_preview"), form(percent="120")).json()["problems"]
    assert [problem["field"] for problem in problems] == ["percent"]


def test_the_editor_tells_how_it_would_have_gone(desk):
    at = timezone.now()
    for amount in (1000, 2000):
        post(
            make_member(),
            at,
            purchased_at=at,
            amount_minor=amount,
            lines=(NewLine(amount_minor=amount, category="drinks"),),
        )
    told = desk.post(url("offer_estimate"), form(weekdays=[], hours="", minimum="15", most="")).json()
    assert told == {"headline": "€4.00 off on average", "basis": "1 of the last 2 purchases would have fitted."}


def test_an_offer_is_made_put_live_changed_and_ended(desk):
    assert desk.post(url("offer_add"), form()).status_code == 302
    offer = Offer.objects.get()
    assert (offer.state, offer.definition["conditions"]["hours"]) == ("draft", [["14:00", "17:00"]])
    page = desk.get(url("offer_live", offer.pk)).content.decode()
    assert "20% off drinks" in page
    desk.post(url("offer_live", offer.pk), {"confirmed": "1"})
    desk.post(url("offer_edit", offer.pk), form(percent="25", hours=""))
    offer.refresh_from_db()
    assert (offer.state, offer.definition["percent"]) == ("live", "25")
    assert "hours" not in offer.definition["conditions"]
    again = desk.get(url("offer_edit", offer.pk)).content.decode()
    assert 'value="25"' in again
    desk.post(url("offer_end", offer.pk), {"confirmed": "1"})
    offer.refresh_from_db()
    assert offer.state == "ended"
    desk.get(url("offer_changelist"))  # says what was done
    assert "Drinks week" not in desk.get(url("offer_changelist")).content.decode()
    assert "Drinks week" in desk.get(url("offer_changelist") + "?state=all").content.decode()


def test_a_flash_offer_without_an_end_is_refused_beside_the_field(desk):
    page = desk.post(url("offer_add"), form(flash="on"))
    assert "A flash offer needs an end." in page.content.decode()
    assert not Offer.objects.exists()


def test_a_coupon_is_issued_to_a_member_by_card_once(desk):
    member, offer = make_member(), make_offer()
    sent = {"member": member.card_number, "key": "k"}
    page = desk.post(url("offer_issue", offer.pk), sent).content.decode()
    assert f"{member.name} gets “{offer.name}”." in page
    for _n in range(2):
        desk.post(url("offer_issue", offer.pk), {**sent, "confirmed": "1"})
    assert Coupon.objects.get().member == member
    page = desk.post(url("offer_issue", offer.pk), {"member": "x", "key": "k"}).content.decode()
    assert "There is no such member." in page


def test_a_segment_is_issued_to_with_counts_before_and_a_bar_after(desk):
    members, offer = [make_member() for _n in range(3)], make_offer()
    issue(offer, members[0])
    segment = make_segment(members)
    sent = {"segment": segment.pk}
    page = desk.post(url("offer_issue_segment", offer.pk), sent).content.decode()
    assert "2 members of “" in page
    assert "1 has an unused one already and gets no other." in page
    answer = desk.post(url("offer_issue_segment", offer.pk), {**sent, "confirmed": "1"})
    job = CouponJob.objects.get()
    assert answer["Location"] == url("couponjob_change", job.pk)
    assert 'value="0"' in desk.get(url("couponjob_progress", job.pk)).content.decode()
    run_job(job_id=job.pk)
    assert desk.get(url("couponjob_progress", job.pk))["HX-Refresh"] == "true"
    assert "2 coupons issued." in desk.get(url("couponjob_change", job.pk)).content.decode()


def test_codes_come_in_by_a_file_and_go_out_as_one(desk):
    offer = make_offer()
    file = SimpleUploadedFile("codes.csv", b"code\nPARK-1\nPARK-1\nPARK-2\n!\n", "text/csv")
    page = desk.post(url("offer_upload", offer.pk), {"file": file, "codes": ""}).content.decode()
    assert "2 codes come in." in page
    assert "PARK-1 (line 3)" in page
    desk.post(url("offer_upload", offer.pk), {"codes": "PARK-1\nPARK-2", "confirmed": "1"})
    assert Coupon.objects.filter(state="stock").count() == 2
    taken = desk.post(url("coupon_export") + f"?offer__id__exact={offer.pk}", {
        "format": "0", "resource": "", **{f"couponresource_{name}": "on" for name in ("code", "offer", "state")},
    })  # fmt: skip
    assert b"PARK-2" in taken.content


def test_codes_are_made_to_be_printed(desk):
    offer = make_offer(definition={"percent": "10", "bearer": True})
    sent = {"total": "5", "prefix": "fair"}
    assert "good once, for whoever brings it" in desk.post(url("offer_codes", offer.pk), sent).content.decode()
    desk.post(url("offer_codes", offer.pk), {**sent, "confirmed": "1"})
    run_job(job_id=CouponJob.objects.get().pk)
    code = Coupon.objects.first().code
    told = {"lines": [Line(Decimal(1), 1000)], "currency": "EUR", "at": timezone.now()}
    use = redeem(code=code, member_id=None, **told, source="till", key="1")
    assert (code[:4], use.discount_minor) == ("FAIR", 100)


def test_a_coupon_is_found_and_withdrawn_with_a_reason(desk):
    member, offer = make_member(name="Zora Quist"), make_offer()
    coupon = issue(offer, member)
    for text in (coupon.code, f"{coupon.code[:4]}-{coupon.code[4:].lower()}", "Zora", member.card_number):
        assert "Zora Quist" in desk.get(url("coupon_changelist"), {"q": text}).content.decode(), text
    desk.post(url("coupon_withdraw", coupon.pk), {"reason": "Printed wrongly", "confirmed": "1"})
    coupon.refresh_from_db()
    assert coupon.state == "void"
    assert "Printed wrongly" in desk.get(url("coupon_change", coupon.pk)).content.decode()


def test_the_list_says_what_is_left_on_gift_cards_and_their_pages_name_receipts(desk):
    ben, at = make_member(name="Ben"), timezone.now()
    card = issue(make_offer("card", {"currency": "EUR", "amount": "10.00"}), ben, at)
    told = Basket(ben.pk, "till", "R-7 · x", "EUR", (BasketLine(Decimal(4)),), coupons=(card.code,))
    check_out(baskets=[told], at=at)
    assert "€6.00" in desk.get(url("coupon_changelist")).content.decode()
    assert ">Receipt R-7<" in desk.get(url("coupon_change", card.pk)).content.decode()
    called = f"Gift card …{card.code[-4:]}"
    assert called in desk.get(url("lot_changelist")).content.decode()
    assert called in desk.get(url("lot_change", Lot.objects.get(account__coupon=card).pk)).content.decode()
    assert called in desk.get(url("transfer_changelist")).content.decode()
    assert shown(card.code) in desk.get(url("coupon_changelist"), {"offer__kind__exact": "card"}).content.decode()
    lost = desk.get(url("coupon_changelist"), {"member__name": "Ben"}, follow=True).content.decode()
    assert "This list has no such filter" in lost
    issue(make_offer(), ben, at)

    def queries():
        with CaptureQueriesContext(connection) as done:
            desk.get(url("coupon_changelist"))
        return len(done)

    two = queries()
    for _n in range(2):
        issue(make_offer("card", {"currency": "EUR", "amount": "10.00"}), make_member(), at)
    assert queries() == two


def test_the_member_page_issues_and_withdraws(desk):
    member, offer = make_member(), make_offer()
    page = reverse("admin:members_member_change", args=[member.pk])
    assert "No coupon yet." in desk.get(page).content.decode()
    act = reverse("admin:members_member_act", args=[member.pk, "coupons", "issue"])
    for _n in range(2):
        desk.post(act, {"offer": offer.pk, "key": "one form"})
    coupon = Coupon.objects.get()
    assert coupon.code[:4] in desk.get(page).content.decode()
    withdraw = reverse("admin:members_member_act", args=[member.pk, "coupons", "withdraw"])
    answer = desk.post(withdraw, {"coupon": coupon.pk, "reason": ""}, HTTP_HX_REQUEST="true")
    assert "Please say why." in answer.content.decode()
    desk.post(withdraw, {"coupon": coupon.pk, "reason": "Mistake"})
    coupon.refresh_from_db()
    assert coupon.state == "void"


def test_the_list_of_offers_costs_as_many_queries_for_three_as_for_one(desk):
    def queries():
        with CaptureQueriesContext(connection) as seen:
            desk.get(url("offer_changelist"))
        return len(seen)

    make_offer()
    queries()
    one = queries()
    for _n in range(2):
        issue(make_offer(), make_member())
    assert queries() == one

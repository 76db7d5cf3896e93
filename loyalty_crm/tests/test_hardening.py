"""What an address that somebody typed, or a mailbox that somebody left, must not do."""

from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse

from campaigns.models import Message
from loyalty_crm.logs import without_refusals
from members.models import Purchase, User
from members.tests.factories import make_member
from rewards.models import Lot, Transfer

PASSWORD = "a-Good-password-7"


def test_a_key_that_is_no_key_is_not_found(world, desk):
    manager = desk("Manager")
    for path in (
        "members/member/abc/adjust/",
        "members/member/abc/change/",
        "members/purchase/abc/refund/",
        "members/purchaseimport/abc/change/",
        "members/member/999999999999999999999/adjust/",
    ):
        answer = manager.get(f"/admin/{path}", follow=True)
        assert answer.status_code in (200, 404), path  # the admin itself says it of an unknown change page
        assert answer.status_code == 404 or "doesn’t exist" in answer.content.decode(), path


def test_a_cursor_that_is_no_moment_shows_the_newest(world, desk):
    page = reverse("admin:members_member_change", args=[world["members_member"]])
    assert desk("Manager").get(f"{page}?older=9999-99-99T00:00|5").status_code == 200


def test_the_character_that_no_text_holds_is_refused(world, desk):
    assert desk("Manager").get("/admin/members/member/?city=%00").status_code == 400


def test_without_a_search_every_row_is_listed(world, desk, monkeypatch):
    for module in ("rewards.admin.ledger", "rewards.admin.purchases", "campaigns.admin.messages"):
        monkeypatch.setattr(f"{module}.FOUND_AT_MOST", 1)
    make_member()
    manager = desk("Manager")
    for model in (Purchase, Transfer, Lot, Message):
        url = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
        for term in ("", "  "):
            page = manager.get(url, {"q": term})
            assert page.context["cl"].queryset.count() == model.objects.count() > 0, (model, term)


def test_the_address_that_was_changed_signs_nobody_in_again(desk):
    left = User.objects.create_user("till9@example.com", PASSWORD)
    EmailAddress.objects.create(user=left, email=left.email, primary=True, verified=True)
    page = reverse("admin:members_user_change", args=[left.pk])
    chief = desk("Manager")
    form = chief.get(page).context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields if form[name].value() not in (None, [], False)}
    data = {name: value for name, value in data.items() if name != "password"}
    assert chief.post(page, {**data, "email": "new9@example.com"}).status_code == 302
    left.refresh_from_db()
    assert left.email == "new9@example.com"

    def signs_in(email: str) -> bool:
        client = Client()
        client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
        return "_auth_user_id" in client.session

    assert not signs_in("till9@example.com")
    assert not signs_in("new9@example.com")  # first its mailbox has to prove it
    assert list(EmailAddress.objects.filter(user=left).values_list("email", "verified")) == [
        ("new9@example.com", False)
    ]


def test_staff_who_may_not_see_a_page_stay_in_the_admin_and_the_log_stays_short(world, desk, caplog):
    page = desk("Till").get(reverse("admin:members_user_changelist"))
    assert page.status_code == 403
    assert "Your role does not include it." in page.content.decode()
    assert "desk/desk" in page.content.decode()
    refusal = next(record for record in caplog.records if getattr(record, "status_code", 0) == 403)
    assert without_refusals(refusal)
    assert refusal.exc_info is None
    stranger = Client()
    stranger.force_login(User.objects.create_user("m@example.com"), backend="django.contrib.auth.backends.ModelBackend")
    assert "Your role" not in stranger.get(reverse("admin:index"), follow=True).content.decode()


def test_browsers_find_the_icon_where_they_look_for_it(db, client):
    assert client.get("/favicon.ico").url.endswith(".svg")

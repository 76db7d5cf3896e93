"""Keys in the admin: made, shown once, revoked."""

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from api.models import Answer, ApiKey
from api.tests.factories import Caller, problem
from members.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(settings) -> Client:
    settings.REQUIRE_STAFF_MFA = False
    user = User.objects.create_user("manager@example.com", "a-Good-password-7", is_staff=True)
    user.groups.add(Group.objects.get(name="Manager"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_a_key_is_made_shown_once_and_works(manager):
    told = {"name": "Old Town", "source": "Shop", "scopes": ["members:read"], "per_minute": ""}
    page = manager.post(reverse("admin:api_apikey_add"), told)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    key = re.search(r'value="(crm_[\w-]{43})"', page.content.decode()).group(1)
    row = ApiKey.objects.get()
    assert (row.source, row.scopes, row.created_by.email) == ("shop", ["members:read"], "manager@example.com")
    till = Caller()
    till.key = key
    assert problem(till.get("/members/1"))[0] == 404
    assert problem(till.post("/members", {"key": "1"}))[:2] == (403, "scope_missing")
    for page in ("changelist", "change"):
        shown = manager.get(reverse(f"admin:api_apikey_{page}", args=[row.pk] if page == "change" else [])).content
        assert key not in shown.decode()
        assert row.prefix in shown.decode()


def test_what_cannot_be_a_key_is_said_beside_its_field(manager):
    for wrong, field in (({"source": "e mail"}, "source"), ({"source": "card"}, "source"), ({"scopes": []}, "scopes")):
        told = {"name": "Old Town", "source": "shop", "scopes": ["members:read"], **wrong}
        page = manager.post(reverse("admin:api_apikey_add"), told)
        assert field in page.context["adminform"].form.errors
    assert not ApiKey.objects.exists()


def test_a_key_is_revoked_after_being_asked_and_never_changed(manager):
    till = Caller()
    revoke = reverse("admin:api_apikey_revoke", args=[till.row.pk])
    asked = manager.post(revoke, {})
    assert "never used" in asked.content.decode()
    assert till.get("/members/1").status_code == 404
    manager.post(revoke, {"confirmed": "1"})
    assert problem(till.get("/members/1"))[:2] == (401, "key_revoked")
    manager.post(reverse("admin:api_apikey_change", args=[till.row.pk]), {"name": "X", "scopes": ["members:write"]})
    assert ApiKey.objects.get().name == "Till"


def test_what_was_answered_is_found_by_its_key_and_never_changed(manager):
    till, shop = Caller(), Caller(source="shop")
    told = till.post("/members", {"key": "c-1", "name": "Anna"}).json()
    shop.post("/members", {"key": "c-12", "name": "Boris"})
    listed = reverse("admin:api_answer_changelist")

    def found(query: str) -> list[str]:
        return [answer.key for answer in manager.get(listed + query).context["cl"].result_list]

    assert found("") == ["c-12", "c-1"]
    assert found("?q=c-1") == ["c-1"]
    assert found("?source=shop") == ["c-12"]
    assert (found("?call=members"), found("?call=refunds")) == (["c-12", "c-1"], [])
    page = reverse("admin:api_answer_change", args=[Answer.objects.get(key="c-1").pk])
    shown = manager.get(page).content.decode()
    assert told["card"] in shown
    assert "Anna" in shown
    assert manager.post(page, {"key": "other"}).status_code == 403

"""An address that is only posted to, or only read, says so to who calls it the other way: none answers 500."""

import re

import pytest
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from api.enums import Scope
from api.services.keys import create_key
from members.models import Programme, User
from members.services.profile import link_account
from members.tests.factories import make_member
from portal.urls import urlpatterns as of_portal
from till.urls import urlpatterns as of_till

PAGES = [("/", of_portal), ("/till/", of_till)]


def filled(route: str) -> str:
    return re.sub(r"<[^>]*>", "1", route)


def addresses(patterns, prefix: str = "/") -> list[str]:
    found = []
    for one in patterns:
        path = prefix + filled(str(one.pattern))
        found += addresses(one.url_patterns, path) if isinstance(one, URLResolver) else [path]
    return found


@pytest.fixture
def caller(db, settings):
    """A member who is staff too, and may do everything."""
    settings.REQUIRE_STAFF_MFA = False
    Programme.objects.create(pk=1)
    user = User.objects.create_superuser("both@example.com", "x")
    link_account(member_id=make_member().pk, user=user, at=timezone.now())
    client = Client(raise_request_exception=False)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_no_page_of_members_or_the_till_breaks_whatever_way_it_is_called(method, caller):
    answered, wrong = set(), {}
    for prefix, patterns in PAGES:
        for path in addresses(patterns, prefix):
            answer = getattr(caller, method)(path)
            answered.add(answer.status_code)
            if answer.status_code >= 500 or (answer.status_code == 405 and not (answer["Allow"] and answer.content)):
                wrong[path] = answer.status_code
    assert wrong == {}
    assert 405 in answered


def test_every_call_of_the_api_says_how_it_is_called(caller):
    _key, secret = create_key(name="Shop", source="shop", scopes=list(Scope.values))
    calls = {path for path in addresses(get_resolver("api.urls").url_patterns) if path.startswith("/api/v1/")}
    answered, wrong = set(), {}
    for path in calls - {"/api/v1/docs", "/api/v1/openapi.json"}:
        for method in ("get", "put", "delete", "patch"):
            answer = getattr(caller, method)(path, headers={"authorization": f"Bearer {secret}"})
            answered.add(answer.status_code)
            if answer.status_code == 405:
                error = answer.json()["error"]
                if error["code"] != "wrong_method" or not error["message"] or not answer["Allow"]:
                    wrong[method, path] = error
            elif answer.status_code not in (200, 404):
                wrong[method, path] = answer.status_code
    assert wrong == {}
    assert 405 in answered

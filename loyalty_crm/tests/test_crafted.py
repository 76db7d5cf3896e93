"""Crafted input to the acts of staff on rewards: nothing breaks, and nothing changes that was not asked for rightly."""

from itertools import cycle

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from loyalty_crm.roles import MANAGER
from loyalty_crm.tests.test_roles import PATTERNS, address, written
from members import panels

NAMES = (
    "name", "name_en", "kind", "state", "member", "members", "reward", "offer", "segment", "tier", "session", "points",
    "amount", "valid_from", "at", "key", "unit", "reason", "rule", "definition", "trigger", "gives", "count", "total",
    "file", "expires_at", "lines", "currency", "position", "stock", "picture", "above", "spend", "multiplier",
    "weekdays", "_selected_action", "index", "form-TOTAL_FORMS", "q", "m",
)  # fmt: skip
# One after the other, in all fields that our forms know.
NONSENSE = ("\u202e<b>'\";--\x00", "-1", "9" * 30, "987654321", "2026-02-30")
BY_ASKING = {"rewards_earningrule_duplicate", "rewards_couponjob_change"}  # a copy, and stopping, need no word
LOOKED_AT = ("_history", "_delete", "_changelist", "_export", "_preview", "_progress")


@pytest.fixture
def manager(desk) -> Client:
    client = desk(MANAGER)
    client.raise_request_exception = False
    return client


@pytest.fixture
def urls(world) -> dict[str, str]:
    """The pages of rewards and of the API by name, and the acts on the member page."""
    rooms = [p for p in PATTERNS if p.name.startswith(("rewards_", "api_", "members_purchase_", "members_member_"))]
    found = {p.name: address(p, world) for p in rooms if not p.name.endswith(LOOKED_AT)}
    member = world["members_member"]
    acts = {f"{panel.key}:{act}": [member, panel.key, act] for panel in panels.panels() for act in panel.acts}
    return found | {name: reverse("admin:members_member_act", args=args) for name, args in acts.items()}


def test_an_empty_form_changes_nothing(urls, manager):
    wrong = {}
    for name, url in urls.items():
        before = written()
        answer = manager.post(url)
        done = answer.status_code == 302 and written() - before  # what is tried and undone counts as written
        if answer.status_code >= 500 or (done and name not in BY_ASKING):
            wrong[name] = answer.status_code, done
    assert wrong == {}


def test_nonsense_breaks_no_page(urls, manager):
    sent = dict(zip(NAMES, cycle(NONSENSE), strict=False)) | {"confirmed": "1"}
    wrong = {}
    for name, url in urls.items():
        with transaction.atomic():  # what can be done by saying yes alone is undone for the next
            if (answer := manager.post(url, sent)).status_code >= 500:
                wrong[name] = answer.status_code
            transaction.set_rollback(True)
    assert wrong == {}


def test_what_is_not_there_is_not_found(urls, manager):
    """Under a key that the database cannot hold."""
    wrong = {}
    for name, url in urls.items():
        there = "/".join("9" * 30 if part.isdigit() else part for part in url.split("/"))
        if there != url and (answer := manager.post(there, {"confirmed": "1"})).status_code >= 500:
            wrong[name] = answer.status_code
    assert wrong == {}


def test_nothing_is_done_without_the_token_of_the_form(urls, staff):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff(MANAGER), backend="django.contrib.auth.backends.ModelBackend")
    answers = {name: strict.post(url, {"confirmed": "1"}).status_code for name, url in urls.items()}
    assert {name: code for name, code in answers.items() if code != 403} == {}

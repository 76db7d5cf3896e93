"""The API is called with whatever its description allows, and with what it does not: no 500, answers as described.

HYPOTHESIS_EXAMPLES=500 looks further than the few examples that every run repeats.
"""

import os

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.description import groups
from api.tests.factories import Caller
from api.urls import api
from loyalty_crm.wsgi import application
from members.models import Member
from members.services.profile import create_member

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "5"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
many = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def _one_connection():
    """A request closes its connection at the end, which here is the test's own; Django's test client does the same."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def key(at) -> str:
    create_member(at=at, profile={}, source="test")
    return Caller().key


@schema.parametrize()
@many
def test_whatever_is_sent_is_answered_as_described(case, key):
    response = case.call(headers={"Authorization": f"Bearer {key}"})
    case.validate_response(response, checks=CHECKS)


@schema.parametrize()
@many
def test_nothing_is_said_or_done_without_a_key(case):
    members = Member.objects.count()
    response = case.call(headers={"Authorization": "Bearer crm_" + "x" * 43})
    assert response.status_code in (401, 404, 405), response.status_code  # 404, 405: no such address
    assert "error" in response.json()
    assert Member.objects.count() == members


def test_the_page_says_of_each_field_what_it_takes():
    calls = [call for group in groups(api.get_openapi_schema()) for call in group.calls]
    kinds = {field.name: field.kind for call in calls for field in call.fields}
    said = {name: kinds[name] for name in ("kind", "amount", "lines[].quantity", "pay_with", "at")}
    assert said == {
        "kind": "complaint | suggestion | question | praise",
        "amount": "decimal",
        "lines[].quantity": "integer | decimal",
        "pay_with": "object",
        "at": "date-time",
    }
    assert all(kinds.values())

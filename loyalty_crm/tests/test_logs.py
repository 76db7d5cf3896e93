"""No address and no number of a person comes into the log, not even within an error that quotes it."""

import logging

import pytest
import structlog
from django.db import IntegrityError

from loyalty_crm.logs import LOGGING, mask
from members.models import Member
from members.tests.factories import make_member


@pytest.mark.django_db
def test_what_a_database_refuses_is_logged_without_the_person(capfd):
    make_member(email="anna@example.com")
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**_formatter()))
    log = logging.getLogger("test.masking")
    log.addHandler(handler)
    name = "".join(["Anna ", "Secret", "name"])  # the traceback quotes this very line
    try:
        Member.objects.create(name=name, email="ANNA@example.com", phone="+4915112345678")
    except IntegrityError:
        log.exception("not saved: %s %s", "anna@example.com", "+4915112345678")
    said = capfd.readouterr().err
    assert "members_member_email_unique" in said
    assert "<address>" in said
    assert not any(word in said for word in ("anna@", "49151", name))


def _formatter() -> dict:
    return {key: value for key, value in LOGGING["formatters"]["structured"].items() if key != "()"}


def test_moments_and_versions_stay():
    line = "2026-05-12T10:00:00.123456+00:00 celery@host 5.2.19 +1234"
    assert mask(line) == line

"""No address and no number of a person comes into the log, not even within an error that quotes it."""

import io
import json
import logging
import re

import pytest
import structlog
from django.contrib.auth.models import Group
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from api.enums import Scope
from api.services.keys import create_key
from loyalty_crm.logs import LOGGING, mask
from members.models import Member, User
from members.services.pins import new_till_code, set_pin
from members.services.profile import link_account
from members.tests.factories import make_member
from rewards.services.earning.events import make_check_in_point
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import make_rule, make_tiers


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


@pytest.mark.django_db
def test_no_key_pin_or_code_comes_into_the_log():
    """What is refused is logged by its address, and an address may hold a coupon's code."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**_formatter()))
    loggers = [logging.getLogger(name) for name in ("", "django")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        secrets = _walk()
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
    lines = said.getvalue()
    for expected in ("/coupons/<code>/redeem", "/checkin/<token>/", "Unauthorized", "Unprocessable", "?…"):
        assert expected in lines, lines
    # Four digits stand by chance within a moment or a number.
    assert [secret for secret in secrets if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", lines)] == []


def _walk() -> list[str]:
    """Goes through what needs a secret, with the right one and a wrong one; all that was typed."""
    at = timezone.now()
    make_rule()
    make_tiers()
    _row, key = create_key(name="Till", source="shop", scopes=list(Scope.values))
    wrong = "crm_" + "x" * 20 + key[-23:]
    anna, other = make_member(email="anna@example.com"), make_member()
    coupon = issue(make_offer(), anna, at)
    point = make_check_in_point(name="Market")
    api = Client(raise_request_exception=False)

    def call(path: str, body: dict, bearer: str = key) -> None:
        headers = {"authorization": f"Bearer {bearer}"}
        api.post(f"/api/v1{path}", json.dumps(body), content_type="application/json", headers=headers)

    basket = {"member": other.card_number, "key": "k1", "lines": [{"unit_price": "9.00"}]}
    call("/purchases", basket, wrong)
    for code in (coupon.code, "SPRINGGUESS"):
        call(f"/coupons/{code}/redeem", basket)
        call(f"/coupons/{code}/release", {"key": "k1"})
        call("/purchases", {**basket, "currency": "EUR", "coupons": [code]})
    set_pin(member_id=anna.pk, pin="2580", at=at)
    till_code = new_till_code(member_id=anna.pk, at=at)
    till, portal = Client(raise_request_exception=False), Client(raise_request_exception=False)
    staff = User.objects.create_user("till@example.com", is_staff=True)
    staff.groups.add(Group.objects.get(name="Till"))
    till.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    for by, proof in (("pin", "9173"), ("pin", "2580"), ("code", "917346"), ("code", till_code)):
        till.post(f"/till/member/{anna.pk}/", {"act": "record", "by": by, "proof": proof})
        till.post(f"/till/member/{10**9}/?proof={proof}", {"by": by, "proof": proof})
    user = User.objects.create_user("anna@example.com")
    link_account(member_id=anna.pk, user=user, at=at)
    portal.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    portal.post("/me/pin/", {"pin": "8642", "again": "9753"})
    portal.get(f"/checkin/{point.token}/")
    portal.get(f"/checkin/{point.token[:-1]}/?code={coupon.code}")
    call(f"/nowhere/{key}", {})
    return [key, wrong, coupon.code, "SPRINGGUESS", "2580", "9173", "917346", till_code, "8642", "9753",
            point.token, point.token[:-1]]  # fmt: skip


def _formatter() -> dict:
    return {key: value for key, value in LOGGING["formatters"]["structured"].items() if key != "()"}


def test_moments_versions_and_files_stay():
    line = "/app/rewards/migrations/0012_a_name_of_thirty_letters.py /admin/rewards/rewardsettingschange/ "
    line += "2026-05-12T10:00:00.123456+00:00 celery@host 5.2.19 +1234"
    assert mask(line) == line

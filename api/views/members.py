"""POST /members, GET /members/{ref}."""

import re
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from django.utils.translation import get_language, gettext_lazy, gettext_noop
from django.utils.translation import gettext as _
from ninja import Router

from api import schemas
from api.enums import Scope
from api.errors import Refused, respond
from api.queries import Standing, read_ref, standing
from api.queries_usable import NOTHING, usable
from api.services.answers import Done
from api.views.common import answer_once, call, caller, from_validation, rfc3339, unknown_member
from api.views.referrals import referred
from common.money import to_major
from members.models import Member
from members.queries import get_programme
from members.services.custom_events import NewEvent
from members.services.identities import clean_identity
from members.services.profile import create_member
from referrals.services import traces
from rewards.services.earning.events import post_events

REFERRED = "referral_code"  # the kind of event that keeps by whose code somebody came
router = Router(tags=[gettext_noop("Members")])


def _birthday(written: str) -> dict[str, Any]:
    if not written:
        return {}
    match = re.fullmatch(r"(?:(\d{4})-)?(\d\d)-(\d\d)", written, re.ASCII)
    if match is None:
        raise Refused(422, "invalid", _("A birthday is written YYYY-MM-DD or MM-DD."), field="birthday")
    year, month, day = (int(part) if part else None for part in match.groups())
    return {"birthday_year": year, "birthday_month": month, "birthday_day": day}


def _told(member: Member) -> dict[str, Any]:
    month, day, year = member.birthday_month, member.birthday_day, member.birthday_year
    birthday = f"{month:02d}-{day:02d}" if month and day else None
    return {
        "card": member.card_number,
        "name": member.name,
        "email": member.email,
        "phone": str(member.phone),
        "language": member.language,
        "birthday": f"{year:04d}-{birthday}" if year and birthday else birthday,
    }


@call(
    router,
    "POST",
    "/members",
    Scope.MEMBERS_WRITE,
    {201: schemas.Member, 200: schemas.Member},
    summary=gettext_lazy("Add a member"),
    description=gettext_lazy("A new member with a new card. Your key finds them again, as key:…"),
    operation_id="add_member",
)
def add_member(request: HttpRequest, body: schemas.NewMember) -> HttpResponse:
    """201; 200 with the same answer when `key` is known with the same body."""
    at, system = now(), caller(request).source

    def act() -> Done:
        programme = get_programme()
        profile: dict[str, Any] = {
            "name": body.name.strip(),
            "language": body.language or programme.language,
            "time_zone": programme.time_zone,
            **_birthday(body.birthday),
        }
        try:
            for field in ("email", "phone"):
                if value := getattr(body, field).strip():
                    try:
                        profile[field] = clean_identity(field, value)
                    except ValidationError as error:
                        raise ValidationError({field: error}) from None
            member = create_member(at=at, profile=profile, identity=(system, body.key), source=system)
        except ValidationError as error:
            raise _refusal(error) from None
        if body.device or body.payment:
            traces.note(member_id=member.pk, seen={"device": body.device, "payment": body.payment}, at=at)
        if body.referral_code:
            told = NewEvent(member.pk, system, f"referral:{body.key}"[:120], REFERRED, at, {"code": body.referral_code})
            post_events(told=[told], at=at)
            return Done(
                201, _told(member) | {"referral": referred(request, member.pk, body.referral_code, at)}, member.pk
            )
        return Done(201, _told(member), member.pk)

    return answer_once(request, "members", body.key, act)


def _refusal(error: ValidationError) -> Refused:
    refused = from_validation(error)
    if refused.field is None and refused.code == "taken":
        refused.field = "key"
    if refused.field and refused.field.startswith("birthday"):
        refused.field = "birthday"
    return refused


@call(
    router,
    "GET",
    "/members/{path:ref}",
    Scope.MEMBERS_READ,
    {200: schemas.MemberStanding},
    summary=gettext_lazy("Look up a member"),
    description=gettext_lazy(
        "Who it is, their tier, points and store credit, and what they can use now. ref is a card number, email:…, "
        "phone:…, or key:… with the number that your system gave the member."
    ),
    operation_id="get_member",
)
def get_member(request: HttpRequest, ref: str) -> HttpResponse:
    at, language = now(), get_language() or "en"
    found = read_ref(ref, caller(request).source) if "\0" not in ref else None
    who = standing(found, at, language) if found else None
    if who is None:
        raise unknown_member()
    return respond(200, _standing_told(who, at, language))


def _standing_told(who: Standing, at: datetime, language: str) -> dict[str, Any]:
    coupons, benefits = NOTHING
    if who.may_have_coupons or who.may_have_benefits:
        coupons, benefits = usable(who.member_id, at, zone=who.zone, language=language)
    return {
        "card": who.card,
        "name": who.name,
        "tier": who.tier,
        "points": {
            "spendable": who.spendable,
            "pending": who.pending,
            "expiring": [{"points": points, "at": rfc3339(at)} for points, at in who.expiring],
        },
        "credit": str(to_major(who.credit_minor, who.currency)),
        "currency": who.currency,
        "coupons": [
            {
                "code": one.code,
                "name": one.name,
                "effect": one.effect,
                "expires_at": rfc3339(one.ends_at),
                "rest": None if one.rest_minor is None else str(to_major(one.rest_minor, who.currency)),
            }
            for one in coupons
        ],
        "benefits": [
            {
                "name": one.name,
                "kind": one.kind,
                "left": one.left,
                "until": rfc3339(one.until),
                "value": None if one.value is None else f"{one.value.normalize():f}",
            }
            for one in benefits
        ],
    }

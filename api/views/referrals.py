"""GET /referral-codes/{code}, GET /referrals/{ref}; and what becomes of a code that comes with another call."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy, gettext_noop
from ninja import Router

from api import schemas_referrals as schemas
from api.enums import Scope
from api.errors import respond
from api.views.common import call, caller, member_of, rfc3339, too_many_guesses
from referrals.codes import shown
from referrals.definition import Definition
from referrals.enums import Refusal, Source
from referrals.models import Advocate
from referrals.queries import made_by, open_to, reading
from referrals.services.attribution import Came, NotReferred, attribute
from referrals.services.finding import TooManyGuesses, guess
from referrals.services.saying import say
from referrals.words import first_name, gift_of, in_words
from rewards.services.checkout import Receipt

router = Router(tags=[gettext_noop("Referrals")])
SHOWN = 100


def _guessed(request: HttpRequest, code: str, at: datetime) -> Advocate | None:
    try:
        return guess(who=f"key:{caller(request).key_id}", code=code, at=at)
    except TooManyGuesses as error:
        raise too_many_guesses(error.retry_after) from None


def _definition(member_id: int, at: datetime) -> Definition | None:
    programme = open_to([member_id], at).get(member_id)
    return reading(programme[1]) if programme else None


def _link(advocate: Advocate) -> str:
    return settings.SITE_URL + reverse("portal:referral", args=[advocate.code])


def referred(request: HttpRequest, member_id: int, code: str, at: datetime) -> dict[str, Any]:
    """Notes by whose code a member came, and says what became of it: a code that does not count spoils nothing."""
    if _guessed(request, code, at) is None:
        return {"accepted": False, "reason": str(Refusal.UNKNOWN), "message": str(Refusal.UNKNOWN.label)}
    try:
        one = attribute(friend_id=member_id, came=[Came(code, Source.API, at)], at=at)
    except NotReferred as error:
        return {"accepted": False, "reason": str(error.reason), "message": str(error.reason.label)}
    return {"accepted": True, "state": one.state}


def noted(request: HttpRequest, receipt: Receipt, code: str, at: datetime) -> dict[str, Any]:
    """Takes down the code that comes with a purchase, and says what is known of it at once."""
    if not receipt.is_new:  # what follows of it was looked at
        return referred(request, receipt.member_id, code, at)
    who = f"key:{caller(request).key_id}"
    try:
        heard = say(purchase_id=receipt.purchase_id, member_id=receipt.member_id, code=code, who=who, at=at)
    except TooManyGuesses as error:
        raise too_many_guesses(error.retry_after) from None
    if heard.refusal:
        return {"accepted": False, "reason": str(heard.refusal), "message": str(heard.refusal.label)}
    return {"accepted": True, "state": heard.state}


@call(
    router,
    "GET",
    "/referral-codes/{code}",
    Scope.MEMBERS_READ,
    {200: schemas.CheckedCode},
    summary=gettext_lazy("Check a referral code"),
    description=gettext_lazy("Whether somebody can come by it now, and what they get."),
    operation_id="check_referral_code",
)
def check_code(request: HttpRequest, code: str) -> HttpResponse:
    at = now()
    advocate = _guessed(request, code, at) if "\0" not in code else None
    giver = advocate.member.merged_into or advocate.member if advocate else None
    definition = _definition(giver.pk, at) if giver and giver.erased_at is None else None
    if advocate is None or giver is None or definition is None:
        return respond(200, {"code": code[:60], "valid": False, "name": "", "gift": "", "link": ""})
    told = {"code": shown(advocate.code), "valid": True, "gift": gift_of(definition), "link": _link(advocate)}
    return respond(200, told | {"name": first_name(giver.name) if advocate.shows_name else ""})


@call(
    router,
    "GET",
    "/referrals/{path:ref}",
    Scope.MEMBERS_READ,
    {200: schemas.Advocate},
    summary=gettext_lazy("A member's code, link and friends"),
    description=gettext_lazy(
        "ref as in the look-up of a member. The code is empty until the member has asked for one in the portal. "
        "Friends by first name only where they agreed."
    ),
    operation_id="get_referrals",
)
def get_referrals(request: HttpRequest, ref: str) -> HttpResponse:
    at, member_id = now(), member_of(request, ref)
    advocate, definition = Advocate.objects.filter(member=member_id).first(), _definition(member_id, at)
    friends = [
        {
            "state": one.state,
            "at": rfc3339(one.joined_at),
            "name": first_name(one.friend.name) if one.friend_shows_name else "",
        }
        for one in made_by(member_id)[:SHOWN]
    ]
    told = {
        "code": shown(advocate.code) if advocate else "",
        "link": _link(advocate) if advocate else "",
        "running": definition is not None,
        "gives": in_words(definition.giver) if definition else "",
        "gift": gift_of(definition) if definition else "",
        "friends": friends,
    }
    return respond(200, told)

"""POST /coupons/{code}/validate, /reserve, /redeem, /release."""

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from ninja import Router

from api import schemas_coupons
from api.enums import Scope
from api.errors import Refused, respond
from api.services.answers import Done
from api.views.common import (
    answer_once,
    call,
    caller,
    guessers,
    member_of,
    rfc3339,
    to_minor_or_refuse,
    too_many_guesses,
)
from common.money import minor_digits, to_major
from members.queries import get_programme
from members.services.purchases import KeyReused
from members.validators import currencies
from rewards.coupons.pricing import Line
from rewards.enums import CouponUseState
from rewards.models import CouponUse
from rewards.services.coupons.finding import find
from rewards.services.coupons.guessing import TooManyGuesses, attempt, hit, made_here
from rewards.services.coupons.releasing import PartOfPurchase, UnknownUse, release
from rewards.services.coupons.using import CouponRefused, redeem, reserve, validate

router = Router(tags=[gettext_noop("Coupons")])


@call(
    router,
    "POST",
    "/coupons/{code}/validate",
    Scope.COUPONS_READ,
    {200: schemas_coupons.CouponValidation},
    summary=gettext_lazy("Check a coupon"),
    description=gettext_lazy(
        "Whether it can be used on this basket, what it takes off, or all reasons why not. Nothing is changed. Who "
        "asks for many codes that there are not has to wait: each member alone, and all on a key who name nobody. "
        "Codes made here, which nobody can guess, are answered all the same."
    ),
    operation_id="validate_coupon",
)
def check(request: HttpRequest, code: str, body: schemas_coupons.Basket) -> HttpResponse:
    at, basket = now(), _basket(request, body)
    who = _guess(request, code, body, at)
    found = validate(code=code, at=at, source=caller(request).source, **basket)
    if found.offer is not None and who:
        hit(who, at)
    currency = basket["currency"]
    return respond(
        200,
        {
            "ok": found.ok,
            "code": found.code,
            "offer": found.offer.name if found.offer else None,
            "reasons": _reasons(found.reasons),
            "discount": str(to_major(found.discount_minor, currency)),
            "per_line": [str(to_major(part, currency)) for part in found.per_line],
            "free_shipping": found.ok and found.free_shipping,
            "ends_at": rfc3339(found.ends_at),
            "rest": None if found.rest_minor is None else str(to_major(found.rest_minor, _home())),
            "pays": None if found.pays_minor is None else str(to_major(found.pays_minor, _home())),
        },
    )


@call(
    router,
    "POST",
    "/coupons/{code}/reserve",
    Scope.COUPONS_WRITE,
    {201: schemas_coupons.CouponUse, 200: schemas_coupons.CouponUse},
    summary=gettext_lazy("Reserve a coupon"),
    description=gettext_lazy(
        "Keeps a coupon for a basket until reserved_until, so that nobody else uses it. Then use it with the same key, "
        "or name it in the purchase; or release it. Else it is free again by itself."
    ),
    operation_id="reserve_coupon",
)
def keep(request: HttpRequest, code: str, body: schemas_coupons.Reservation) -> HttpResponse:
    return _take(request, code, body, "coupons.reserve", lambda told: reserve(code=code, minutes=body.minutes, **told))


@call(
    router,
    "POST",
    "/coupons/{code}/redeem",
    Scope.COUPONS_WRITE,
    {201: schemas_coupons.CouponUse, 200: schemas_coupons.CouponUse},
    summary=gettext_lazy("Use a coupon"),
    description=gettext_lazy(
        "Outside of a purchase that is recorded here; with a purchase, name the coupon in it. What was reserved is "
        "used with the key of the reservation. Release it with the same key."
    ),
    operation_id="redeem_coupon",
)
def use(request: HttpRequest, code: str, body: schemas_coupons.BasketWithKey) -> HttpResponse:
    return _take(request, code, body, "coupons.redeem", lambda told: redeem(code=code, **told))


def _take(
    request: HttpRequest,
    code: str,
    body: schemas_coupons.BasketWithKey,
    name: str,
    service: Callable[[dict[str, Any]], CouponUse],
) -> HttpResponse:
    """Answers once by the body's key for what `service` does with the coupon; who guesses codes has to wait."""
    at, source = now(), caller(request).source
    who = _guess(request, code, body, at)
    known = False

    def act() -> Done:
        nonlocal known
        try:
            used = service({"at": at, "source": source, "key": body.key, **_basket(request, body)})
        except CouponRefused as error:
            known = error.reasons[0].code != "unknown"
            raise _refused(error) from None
        except KeyReused:
            raise Refused(409, "key_reused", _("This key was used for another coupon."), field="key") from None
        known = True
        return Done(201, _told(used), used.member_id)

    try:
        told = {"code": code, **request.told}  # type: ignore[attr-defined]
        response = answer_once(request, name, body.key, act, body=told)
        known = True
        return response
    finally:
        if known and who:
            hit(who, at)


@call(
    router,
    "POST",
    "/coupons/{code}/release",
    Scope.COUPONS_WRITE,
    {200: schemas_coupons.CouponUse},
    summary=gettext_lazy("Release a coupon"),
    description=gettext_lazy(
        "Undoes a use, or ends a reservation, so that the coupon can be used again. A coupon of a recorded purchase "
        "comes back with the refund of that."
    ),
    operation_id="release_coupon",
)
def give_back(request: HttpRequest, code: str, body: schemas_coupons.Release) -> HttpResponse:
    at, source = now(), caller(request).source

    def act() -> Done:
        try:
            used = release(source=source, key=body.key, at=at, code=code)
        except UnknownUse:
            raise Refused(404, "no_such_use", _("This coupon was not used with this key."), field="key") from None
        except PartOfPurchase:
            message = _("It belongs to a purchase that is recorded: refund that, and the coupon comes back.")
            raise Refused(409, "part_of_purchase", message, field="key") from None
        return Done(200, _told(used), used.member_id)

    told = {"code": code, **request.told}  # type: ignore[attr-defined]
    return answer_once(request, "coupons.release", body.key, act, body=told)


def lines_of(told: Iterable[schemas_coupons.BasketLine], currency: str) -> tuple[Line, ...]:
    """The lines of a basket, priced in minor units."""
    lines = []
    for n, line in enumerate(told):
        to_minor_or_refuse(line.unit_price, currency, f"lines.{n}.unit_price")
        price = (line.unit_price * line.quantity).quantize(Decimal(1).scaleb(-minor_digits(currency)), ROUND_HALF_UP)
        amount = to_minor_or_refuse(price - line.discount, currency, f"lines.{n}.discount")
        if amount < 0:
            message = _("The discount is larger than the line.")
            raise Refused(422, "invalid", message, field=f"lines.{n}.discount")
        lines.append(
            Line(
                sku=line.sku,
                category=line.category,
                brand=line.brand,
                quantity=line.quantity,
                amount_minor=amount,
            )
        )
    return tuple(lines)


def _home() -> str:
    """What is on a gift card is in the programme's currency."""
    return get_programme().currency


def _basket(request: HttpRequest, body: schemas_coupons.Basket) -> dict[str, Any]:
    currency = body.currency or get_programme().currency
    if currency not in currencies():
        raise Refused(422, "invalid", _("“%(value)s” is not a currency code.") % {"value": currency}, field="currency")
    return {
        "member_id": member_of(request, body.member) if body.member else None,
        "currency": currency,
        "store": body.store,
        "channel": body.channel,
        "lines": None if body.lines is None else lines_of(body.lines, currency),
    }


def _guess(request: HttpRequest, code: str, body: schemas_coupons.Basket, at: Any) -> str | None:
    """Counts a miss, until `hit` is told who is answered; None where nothing was counted."""
    (who,) = guessers(request, [body.member])
    try:
        attempt(who, at)
    except TooManyGuesses as error:
        if not made_here(find([code])):
            raise too_many_guesses(error.retry_after) from None
        return None
    return who


def _reasons(reasons: Iterable[Any]) -> list[dict[str, Any]]:
    return [{"code": reason.code, "message": reason.sentence, "facts": dict(reason.facts)} for reason in reasons]


def _refused(error: CouponRefused) -> Refused:
    first, status = error.reasons[0], 404 if error.reasons[0].code == "unknown" else 422
    return Refused(status, f"coupon_{first.code}", first.sentence, facts={"reasons": _reasons(error.reasons)})


def _told(use: CouponUse) -> dict[str, Any]:
    currency = use.currency or get_programme().currency
    return {
        "code": use.why["code"],
        "key": use.key,
        "state": use.state,
        "discount": str(to_major(use.discount_minor, currency)),
        "currency": currency,
        "reserved_until": rfc3339(use.reserved_until) if use.state == CouponUseState.RESERVED else None,
    }

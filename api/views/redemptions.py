"""POST /redemptions, and what becomes of a reservation."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from ninja import Router

from api import schemas
from api.enums import Scope
from api.errors import Refused
from api.services.answers import Done
from api.views.common import answer_once, call, caller, member_of, rfc3339
from common.money import to_major
from members.queries import get_programme
from members.services.purchases import KeyReused
from rewards.models import Redemption, Reward
from rewards.reasons import Reason
from rewards.services.handing_over import CannotTakeBack
from rewards.services.redemptions import (
    RedemptionRefused,
    RedemptionSettled,
    cancel_redemption,
    confirm_redemption,
    refund_redemption,
    reserve_reward,
)

router = Router(tags=[gettext_noop("Redemptions")])
_ANSWERS = {200: schemas.Redemption}
LARGEST = 2**63 - 1


@call(
    router,
    "POST",
    "/redemptions",
    Scope.REDEMPTIONS_WRITE,
    {201: schemas.Redemption, **_ANSWERS},
    summary=gettext_lazy("Reserve a reward"),
    description=gettext_lazy(
        "Sets a reward aside with its points, until expires_at. Then confirm it, or cancel it; else it lapses by "
        "itself. Where the member cannot have it, facts say all that stands in the way."
    ),
    operation_id="reserve_reward",
)
def reserve(request: HttpRequest, body: schemas.NewRedemption) -> HttpResponse:
    at, source = now(), caller(request).source

    def act() -> Done:
        member_id = member_of(request, body.member)
        try:
            redemption = reserve_reward(
                member_id=member_id,
                reward_id=body.reward,
                session_id=body.session,
                source=source,
                key=body.key,
                store=body.store,
                at=at,
            )
        except Reward.DoesNotExist:
            raise Refused(404, "no_such_reward", _("There is no such reward."), field="reward") from None
        except RedemptionRefused as error:
            raise _refused(error.reasons) from None
        except KeyReused:
            raise Refused(409, "key_reused", _("This key was used for another redemption."), field="key") from None
        return Done(201, _told(redemption), redemption.member_id)

    return answer_once(request, "redemptions", body.key, act)


def _settle(
    request: HttpRequest, redemption_id: int, verb: str, body: schemas.Settle | None, act: Callable[[], Redemption]
) -> HttpResponse:
    def settle() -> Done:
        found = Redemption.objects.filter(pk=redemption_id, source=caller(request).source)
        if redemption_id > LARGEST or not found.exists():
            raise Refused(404, "no_such_redemption", _("There is no such redemption."))
        try:
            redemption = act()
        except RedemptionSettled as error:
            message = _("This is no longer possible: %(state)s.") % {"state": error.state.label}
            raise Refused(409, f"redemption_{error.state.value}", message) from None
        except RedemptionRefused as error:
            raise _refused(error.reasons) from None
        except CannotTakeBack as error:
            coupon = _("The coupon that it gave has been used.")
            message = coupon if error.what == "coupon" else _("The store credit that it gave has been spent.")
            raise Refused(409, f"{error.what}_used", message) from None
        return Done(200, _told(redemption), redemption.member_id)

    # With a key of its own a body may say anything; without one, the act itself is the key, and no key of the caller's.
    if body and body.key:
        told = {"redemption": redemption_id, **body.model_dump(exclude_none=True)}
        return answer_once(request, f"redemptions.{verb}", body.key, settle, body=told)
    told = {"redemption": redemption_id}
    return answer_once(request, f"redemptions.{verb}.once", str(redemption_id), settle, body=told)


@call(
    router,
    "POST",
    "/redemptions/{int:id}/confirm",
    Scope.REDEMPTIONS_WRITE,
    _ANSWERS,
    summary=gettext_lazy("Confirm a reservation"),
    description=gettext_lazy("Spends the points and gives what they were for: a code to collect it with, or a coupon."),
    operation_id="confirm_redemption",
)
def confirm(request: HttpRequest, id: int, body: schemas.Settle | None = None) -> HttpResponse:
    at, store = now(), body.store if body else ""
    act = lambda: confirm_redemption(redemption_id=id, at=at, store=store)  # noqa: E731
    return _settle(request, id, "confirm", body, act)


@call(
    router,
    "POST",
    "/redemptions/{int:id}/cancel",
    Scope.REDEMPTIONS_WRITE,
    _ANSWERS,
    summary=gettext_lazy("Cancel a reservation"),
    description=gettext_lazy("The points go back to where they came from, with their old expiry."),
    operation_id="cancel_redemption",
)
def cancel(request: HttpRequest, id: int, body: schemas.Settle | None = None) -> HttpResponse:
    at = now()
    return _settle(request, id, "cancel", body, lambda: cancel_redemption(redemption_id=id, at=at))


@call(
    router,
    "POST",
    "/redemptions/{int:id}/refund",
    Scope.REDEMPTIONS_WRITE,
    _ANSWERS,
    summary=gettext_lazy("Take a redemption back"),
    description=gettext_lazy(
        "Of a confirmed one: the points go back to where they came from, the piece to the shelf, the coupon out of use."
    ),
    operation_id="refund_redemption",
)
def give_back(request: HttpRequest, id: int, body: schemas.Settle | None = None) -> HttpResponse:
    at, reason = now(), body.reason if body else ""
    act = lambda: refund_redemption(redemption_id=id, at=at, reason=reason)  # noqa: E731
    return _settle(request, id, "refund", body, act)


def _refused(reasons: tuple[Reason, ...]) -> Refused:
    """The first of what stands in the way, with all of it as facts."""
    told = [{"code": reason.code, "message": reason.sentence, "facts": reason.facts} for reason in reasons]
    return Refused(422, reasons[0].code, reasons[0].sentence, field="reward", facts={"reasons": told})


def _told(redemption: Redemption) -> dict[str, Any]:
    currency = get_programme().currency
    return {
        "redemption": redemption.pk,
        "key": redemption.key,
        "reward": redemption.reward_id,
        "points": redemption.points,
        "money": str(to_major(redemption.money_minor, currency)),
        "currency": currency,
        "state": redemption.state,
        "expires_at": rfc3339(redemption.expires_at) if redemption.state == "reserved" else None,
        "code": redemption.code,
        "coupon": redemption.coupon.code if redemption.coupon else None,
    }

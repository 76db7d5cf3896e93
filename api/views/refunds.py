"""POST /refunds."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
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
from api.views.common import AHEAD, answer_once, call, caller, not_in_future, to_minor_or_refuse
from common.money import format_money, to_major
from members.models import Purchase, PurchaseLine
from members.services.purchases import KeyReused
from rewards.services.refund_lines import LinesDoNotSum, RefundTooLarge, bought_lines
from rewards.services.refunds import RefundResult, refund_purchase

router = Router(tags=[gettext_noop("Refunds")])


@call(
    router,
    "POST",
    "/refunds",
    Scope.REFUNDS_WRITE,
    {201: schemas.Refunded, 200: schemas.Refunded},
    summary=gettext_lazy("Give money back"),
    description=gettext_lazy(
        "For a purchase that your system reported: by lines, by an amount, or all that is left. What those lines had "
        "earned is taken back, what they were paid with in points and store credit is given back."
    ),
    operation_id="refund",
)
def refund(request: HttpRequest, body: schemas.NewRefund) -> HttpResponse:
    at = not_in_future(body.at, now())
    return answer_once(request, "refunds", body.key, lambda: _refund(caller(request).source, body, at))


def _refund(source: str, body: schemas.NewRefund, at: datetime) -> Done:
    purchase = Purchase.objects.filter(source=source, key=body.purchase).first()
    if purchase is None:
        raise Refused(404, "no_such_purchase", _("There is no such purchase."), field="purchase")
    if at < purchase.purchased_at - AHEAD:
        raise Refused(422, "before_purchase", _("This lies before the purchase. Please check the clock."), field="at")
    currency = purchase.currency
    amount = None if body.amount is None else to_minor_or_refuse(body.amount, currency, "amount")
    if amount is not None and amount <= 0:
        raise Refused(422, "invalid", _("This must be more than 0."), field="amount")
    lines = None if body.lines is None else _by_line(purchase.pk, body.lines)
    try:
        result = refund_purchase(
            purchase_id=purchase.pk,
            source=source,
            key=body.key,
            amount_minor=amount,
            lines=lines,
            at=at,
            reason=body.reason,
        )
    except RefundTooLarge as error:
        raise _too_large(error, currency) from None
    except LinesDoNotSum as error:
        message = _("The lines come to %(amount)s.") % {"amount": format_money(error.lines_minor, currency)}
        facts = {"lines": str(to_major(error.lines_minor, currency))}
        raise Refused(422, "lines_do_not_sum", message, field="amount", facts=facts) from None
    except KeyReused:
        raise Refused(409, "key_reused", _("This key was used for another refund."), field="key") from None
    except ValueError:
        raise _nothing_left() from None
    return Done(201, _told(result, body.purchase, currency), purchase.member_id)


def _by_line(purchase_id: int, told: Iterable[schemas.RefundLine]) -> list[tuple[int, Decimal]]:
    """Pieces by article, as pieces of the purchase's lines: of equal articles, those of the first line first."""
    left = {line.id: line.left_quantity for line in bought_lines(purchase_id).values()}
    lines: list[tuple[int, Decimal]] = []
    of_article: dict[str, list[int]] = {}
    for line_id, sku in PurchaseLine.objects.filter(purchase=purchase_id).order_by("pk").values_list("pk", "sku"):
        of_article.setdefault(sku, []).append(line_id)
    for n, line in enumerate(told):
        field, wanted = f"lines.{n}", line.quantity
        if line.sku not in of_article:
            raise Refused(422, "not_bought", _("This article is not in the purchase."), field=f"{field}.sku")
        for line_id in of_article[line.sku]:
            some = min(wanted, left[line_id])
            if some > 0:
                lines.append((line_id, some))
                left[line_id] -= some
                wanted -= some
        if wanted > 0:
            over = f"{wanted.normalize():f}"  # "1", of 1 and of 1.000
            text = _("More than was bought and is not given back yet: %(n)s too many.") % {"n": over}
            raise Refused(422, "too_many", text, field=f"{field}.quantity", facts={"too_many": over})
    return lines


def _told(result: RefundResult, purchase: str, currency: str) -> dict[str, Any]:
    verbs = ("taken", "short", "owed", "returned", "expired")
    points: dict[str, Any] = {verb: getattr(result, f"points_{verb}") for verb in verbs}
    return {
        "refund": result.refund_id,
        "purchase": purchase,
        "amount": str(to_major(result.amount_minor, currency)),
        "money": str(to_major(result.money_minor, currency)),
        "points": points | {"worth": str(to_major(result.points_worth_minor, currency))},
        "credit": {verb: str(to_major(getattr(result, f"credit_{verb}"), currency)) for verb in verbs},
        "cards": {verb: str(to_major(getattr(result, f"cards_{verb}"), currency)) for verb in ("returned", "expired")},
    }


def _too_large(error: RefundTooLarge, currency: str) -> Refused:
    left = error.left_minor
    if left <= 0:
        return _nothing_left()
    message = _("Of this purchase %(amount)s is left to give back.") % {"amount": format_money(left, currency)}
    return Refused(422, "refund_too_large", message, field="amount", facts={"left": str(to_major(left, currency))})


def _nothing_left() -> Refused:
    message = _("Nothing of this purchase is left to give back.")
    return Refused(422, "nothing_left", message, field="purchase")

"""The member's page, and the purchase that is made on it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from common.money import format_money, minor_digits, to_minor
from members.models import Member
from members.queries import get_programme
from members.services.pins import TooManyCodes, has_pin
from referrals.queries import may_still_say
from rewards.enums import BenefitKind
from rewards.queries import amount_text, reward_settings
from rewards.queries_benefits import best_value
from rewards.queries_coupons import Usable, usable_coupons
from rewards.services.checkout import Basket, Receipt
from till.forms import LINES, PurchaseForm, new_key
from till.queries import categories, scene
from till.services.acts import Act, Changed, Refused, WasUndone, fingerprint, sell, weigh
from till.services.proof import CODE, PIN, NoContact, NotSent, Unproven, is_asked, send_code
from till.views.access import TillRequest, done, in_a_store, looked_at, member_or_404, page
from till.views.find import look

KEPT = "till_coupon"  # a coupon that was scanned before


@require_http_methods(["GET", "HEAD", "POST"])
@in_a_store
def show(request: TillRequest, member_id: int) -> HttpResponse:
    """Who this is and what they have, with the form of a purchase. Posted, it says what the purchase comes to, and
    with `act=record` records it."""
    at, member = timezone.now(), member_or_404(member_id)
    usable, percent = usable_coupons(member.pk, at), best_value(member.pk, BenefitKind.MEMBER_PRICE, at)
    if request.method != "POST":
        looked_at(request, member, at)
        return _shown(request, member, _form(usable, percent, initial=_scanned(request, member, usable)))
    amount = request.POST.get("amount", "")
    if not request.htmx and _is_scan(amount):
        return look(request, amount)
    # What the page asks by itself while it is typed on (htmx) never records, whatever button it may send along.
    act, data = "try" if request.htmx else request.POST.get("act"), request.POST.copy()
    if act == "lines":
        data["line-TOTAL_FORMS"] = str(len(PurchaseForm(data, usable=[], currency="").lines) + LINES)
    form = _form(usable, percent, data)
    if not form.is_valid():
        if form.has_error("amount", "missing") and (request.htmx or act == "lines"):
            form.errors.pop("amount")  # it is still being typed
        return _shown(request, member, form)
    if act == "try" and not request.htmx and form.cleaned_data["proof"] and form.cleaned_data["seen"]:
        act = "record"  # Enter in the field of the PIN
    basket = form.basket(member_id=member.pk, store=request.store)
    try:
        if act == "record":
            word = form.word()
            receipt = sell(basket=basket, seen=form.cleaned_data["seen"], word=word, at=at, actor_id=request.user.pk)
            return done(request, _purchase(receipt, at))
        told = {"by": form.word().by, **asked_code(request, member)}
        return _shown(request, member, form, _weighed(basket, weigh(basket=basket, at=at), told))
    except Refused as error:
        return _shown(request, member, form, {"refused": _words(error)})
    except WasUndone as error:
        return _shown(request, member, form, {"refused": error.sentence})
    except Changed as error:
        weighed = _weighed(basket, error.receipt, {"by": form.word().by})
        return _shown(request, member, form, {**weighed, "notice": _("This has changed. Please look again.")})
    except Unproven as error:
        told = {"unproven": error.sentence, "by": error.by}
        return _shown(request, member, form, {**_weighed(basket, weigh(basket=basket, at=at), {}), **told})


def _is_scan(amount: str) -> bool:
    """Whether something else than an amount was scanned into its field."""
    text = amount.strip()
    return len(text) > 5 and (sum(map(str.isdigit, text)) > 11 or any(map(str.isalpha, text)) or "@" in text)


def _scanned(request: TillRequest, member: Member, usable: list[Usable]) -> dict[str, Any]:
    """A coupon that was scanned is chosen already."""
    kept = request.session.get(KEPT)
    if not kept:
        return {}
    del request.session[KEPT]
    if kept["member"] != member.pk:
        return {}
    if any(one.code == kept["code"] for one in usable):
        return {"coupons": [kept["code"]]}
    return {"code": kept["code"]}


def _form(
    usable: list[Usable], percent: Decimal, data: Any = None, initial: dict[str, Any] | None = None
) -> PurchaseForm:
    first = {"key": new_key(), "member_price": bool(percent), **(initial or {})}
    return PurchaseForm(data, initial=first, usable=usable, percent=percent, currency=get_programme().currency)


def _words(error: Refused) -> str:
    if error.refusal.code == "key_reused":
        return _("This form has been recorded already, with something else in it. Please scan the card again.")
    return error.refusal.message


def _purchase(receipt: Receipt, at: datetime) -> Act:
    gained = ", ".join(
        f"+{amount_text(one.amount, one.unit)}" if one.state != "coupon" else one.name for one in receipt.earned
    )
    words = format_money(receipt.total_minor, receipt.currency)
    return Act("purchase", receipt.purchase_id, receipt.member_id, at, f"{words} · {gained}" if gained else words)


def asked_code(request: TillRequest, member: Member) -> dict[str, Any]:
    """Sends a code where that was asked for; what to say of it."""
    if request.POST.get("act") != "send" or request.htmx:
        return {}
    try:
        where = send_code(member=member, at=timezone.now())
    except NoContact:
        return {"unproven": _("There is no address to send a code to.")}
    except TooManyCodes:
        return {"unproven": _("Enough codes were sent for this hour.")}
    except NotSent:
        return {"unproven": _("The code could not be sent just now.")}
    return {"by": CODE, "sent_to": where}


def proof_about(member_id: int, points: int, credit_minor: int = 0, by: str = "") -> dict[str, Any]:
    """What the part of a form that asks for PIN or code needs. Who has no PIN has codes alone."""
    if not is_asked(points=points, credit_minor=credit_minor):
        return {}
    with_pin = has_pin(member_id)
    return {"asked": True, "with_pin": with_pin, "by": by if with_pin and by else PIN if with_pin else CODE}


def _weighed(basket: Basket, receipt: Receipt, told: dict[str, Any]) -> dict[str, Any]:
    points = basket.pay_points
    about = proof_about(basket.member_id, points, basket.pay_credit_minor, by=told.pop("by", ""))
    worth = (
        receipt.total_minor - receipt.due_minor - basket.pay_credit_minor - sum(one.paid_minor for one in receipt.cards)
    )
    off_minor = sum(to_minor(line.discount, receipt.currency) for line in basket.lines)
    return {
        "receipt": receipt,
        "seen": fingerprint(receipt),
        "before_minor": receipt.total_minor + receipt.discount_minor,
        "off_minor": off_minor,
        "coupons_minor": receipt.discount_minor - off_minor,
        "points_worth": worth if points else 0,
        "paid_points": points,
        "credit_minor": basket.pay_credit_minor,
        "gains": [(one, amount_text(one.amount, one.unit)) for one in receipt.earned if one.state != "coupon"],
        "given": [one.name for one in receipt.earned if one.state == "coupon"],
        **about,
        **told,
    }


def _shown(
    request: TillRequest, member: Member, form: PurchaseForm, more: dict[str, Any] | None = None
) -> HttpResponse:
    more = more or {}
    if request.htmx:
        return page(request, "part_preview", {"form": form, **more})
    seen, settings = scene(member, timezone.now()), reward_settings()
    for_one = settings.points_per_unit
    worth_minor = seen.stand.spendable * 10 ** minor_digits(form.currency) // for_one if for_one else 0
    context = {
        "scene": seen,
        "member": member,
        "form": form,
        "categories": categories(),
        "focus": _focus(request, form, more),
        "pays_points": bool(for_one),
        "may_say_who": may_still_say(member, timezone.now()),
        "points_worth_most": worth_minor,
        "asks_from": settings.till_confirm_points,
        **more,
    }
    return page(request, "member", context)


def _focus(request: TillRequest, form: PurchaseForm, more: dict[str, Any]) -> str:
    """Where the next key goes: after an act to the scan, once it is weighed to the one big button."""
    if "done" in request.GET:
        return "scan"
    if more.get("receipt"):
        return "proof" if more.get("asked") else "record"
    return next(iter(form.errors), "amount") if form.is_bound else "amount"


def back_to(member_id: int) -> HttpResponse:
    return redirect("till:member", member_id)

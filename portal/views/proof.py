"""How a member proves at the till that it is they: a PIN, a code for one act; and that they are there: checking in."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from common.moments import format_moment
from members.services.pins import CODE_VALID_FOR, TooManyCodes, has_pin, new_till_code, remove_pin, set_pin
from portal.forms_rewards import PinForm
from portal.views.access import MemberRequest, is_surely_them, members_only, too_often
from rewards.models import CheckInPoint
from rewards.queries import amount_text
from rewards.services.earning.events import EventReceipt, TooSoon, UnknownPoint, check_in

A_MINUTE = 5


@require_http_methods(["GET", "POST"])
@members_only
def pin(request: MemberRequest) -> HttpResponse:
    """Whoever has not shown lately who they are is asked first: a PIN opens the purse at the till."""
    member_id = request.member.pk
    if not is_surely_them(request):
        if request.method == "POST":
            return redirect("portal:pin")
        return render(request, "portal/pin.html", {"has_pin": has_pin(member_id)})
    if request.method == "POST" and request.POST.get("remove"):
        remove_pin(member_id=member_id)
        messages.success(request, _("Your PIN is gone. At the till you can still show a code from your card."))
        return redirect("portal:pin")
    form = PinForm(request.POST or None)
    if form.is_valid():
        set_pin(member_id=member_id, pin=form.cleaned_data["pin"], at=timezone.now())
        messages.success(request, _("That is your PIN now. Tell it to nobody but the till's keypad."))
        return redirect("portal:pin")
    return render(request, "portal/pin.html", {"form": form, "has_pin": has_pin(member_id)})


@require_POST
@members_only
def till_code(request: MemberRequest) -> HttpResponse:
    """Six digits, shown once: they are kept nowhere in clear."""
    at = timezone.now()
    try:
        code = new_till_code(member_id=request.member.pk, at=at)
    except TooManyCodes:
        messages.error(request, _("That were many codes within an hour. Please use your PIN, or try again later."))
        return redirect("portal:card")
    context = {"code": f"{code[:3]} {code[3:]}", "until": at + CODE_VALID_FOR}
    return render(request, "portal/till_code.html", context)


@require_http_methods(["GET", "POST"])
@members_only
def checkin(request: MemberRequest, token: str) -> HttpResponse:
    """Looking changes nothing: a person presses the button."""
    point = CheckInPoint.objects.filter(token=token, active=True).first()
    if point is None:
        raise Http404
    if request.method != "POST":
        return render(request, "portal/checkin.html", {"point": point})
    at = timezone.now()
    shown: dict = {"point": point, "done": True}
    if too_often("checkin", request.member.pk, A_MINUTE, at):
        shown["refused"] = _("That was a little fast. Please wait a minute, then try again.")
        return render(request, "portal/checkin.html", shown)
    try:
        told = check_in(token=token, member_id=request.member.pk, at=at)
    except UnknownPoint as error:
        raise Http404 from error
    except TooSoon as soon:
        words = {"when": format_moment(soon.again_at)}
        shown["refused"] = _("You have checked in here already. Again from %(when)s.") % words
    else:
        if isinstance(told, EventReceipt):
            shown["earned"] = [
                (amount_text(one.amount, one.unit), one.why) for one in told.earned if one.state != "coupon"
            ]
            shown["coupons"] = [one.name for one in told.earned if one.state == "coupon"]
            shown["spendable"] = told.stand.spendable
        else:
            shown["refused"] = told.message
    return render(request, "portal/checkin.html", shown)

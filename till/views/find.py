"""The first page: scan or type. And where this till stands."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from members.queries import get_programme
from rewards.coupons.words import rest_words
from rewards.services.coupons.guessing import TooManyGuesses
from till.forms import StoreForm
from till.queries import stores
from till.services.finding import find
from till.views.access import TillRequest, cashiers_only, in_a_store, page, remember_store

LONGEST = 100


@require_http_methods(["GET", "HEAD", "POST"])
@in_a_store
def start(request: TillRequest) -> HttpResponse:
    """What is scanned is sent as POST: names and cards stand in no address and no log."""
    if request.method == "POST":
        return look(request, request.POST.get("what", ""))
    return page(request, "start")


def look(request: TillRequest, text: str) -> HttpResponse:
    """Leads to what was scanned, or says that it is nothing. With a member open (`member`), a coupon goes there."""
    text, at = text.replace("\0", "").strip()[:LONGEST], timezone.now()
    if not text:
        return page(request, "start")
    try:
        found = find(text=text, actor_id=request.user.pk, at=at)
    except TooManyGuesses as error:
        words = _("Too many wrong scans. Please wait %(n)s seconds.") % {"n": error.retry_after}
        return page(request, "start", {"problem": words}, status=429)
    if found.redemption:
        return redirect("till:redemption", found.redemption.pk)
    if found.coupon and found.coupon.offer:
        return _coupon(request, found.coupon)
    if len(found.members) == 1:
        return redirect("till:member", found.members[0].pk)
    if found.members:
        return page(request, "start", {"members": found.members, "more": found.more, "typed": text})
    return page(request, "start", {"problem": _("Nothing is known by “%(text)s”.") % {"text": text}, "typed": text})


def _coupon(request: TillRequest, coupon) -> HttpResponse:
    """A coupon is its owner's, or goes to whoever stands here."""
    here = request.POST.get("member", "")
    owner = coupon.coupon.member_id if coupon.coupon and coupon.rest_minor is None else None  # a card is its bearer's
    member_id = owner or (int(here) if here.isascii() and here.isdecimal() and len(here) < 19 else None)
    if member_id is None and coupon.rest_minor is not None:
        words = _("%(card)s. To pay with it, please scan the member's card, then this again.")
        if not coupon.ok:
            words = "%(card)s"
        said = rest_words(coupon.rest_minor, get_programme().currency) if coupon.ok else coupon.reasons[0].sentence
        return page(request, "start", {"problem": words % {"card": said}})
    if member_id is None:
        words = _("A coupon: %(name)s. Please scan the member's card first.") % {"name": coupon.offer.name}
        return page(request, "start", {"problem": words})
    if owner and here and here != str(owner):
        return page(request, "start", {"problem": _("This coupon is another member's."), "typed": coupon.code})
    response = redirect("till:member", member_id)
    request.session["till_coupon"] = {"member": member_id, "code": coupon.code}
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@cashiers_only
def choose_store(request: TillRequest) -> HttpResponse:
    """Asked once for each device; kept in a cookie."""
    back = request.POST.get("next", request.GET.get("next", ""))
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = reverse("till:start")
    known = stores()
    first = request.store or (known[0] if len(known) == 1 else "" if known else get_programme().name)
    form = StoreForm(request.POST or None, initial={"store": first})
    if request.method == "POST" and form.is_valid():
        response = redirect(back)
        remember_store(response, form.cleaned_data["store"])
        return response
    return page(request, "store", {"form": form, "stores": known, "next": back})

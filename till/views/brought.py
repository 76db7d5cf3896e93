"""Whose code a new customer says at the counter."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from referrals.enums import Source
from referrals.queries import may_still_say
from referrals.services.attribution import Came, NotReferred, attribute
from referrals.services.finding import TooManyGuesses, guess
from till.views.access import TillRequest, in_a_store, looked_at, member_or_404, page


class BroughtForm(forms.Form):
    code = forms.CharField(max_length=40, error_messages={"required": _("Please type the friend's code.")})


@require_http_methods(["GET", "HEAD", "POST"])
@in_a_store
def brought(request: TillRequest, member_id: int) -> HttpResponse:
    """Asks for the code; posted, it is noted who brought them. What does not count is said, and nothing is written."""
    member, at = member_or_404(member_id), timezone.now()
    context = {"member": member, "may": may_still_say(member, at)}
    if request.method != "POST":
        looked_at(request, member, at)
        asks = context["may"] and "kept" not in request.GET
        return page(request, "brought", {**context, "form": BroughtForm(), "focus": "code" if asks else "scan"})
    form = BroughtForm(request.POST)
    if form.is_valid():
        code = form.cleaned_data["code"]
        try:
            guess(who=f"staff:{request.user.pk}", code=code, at=at)
            attribute(friend_id=member.pk, came=[Came(code, Source.TILL, at)], at=at, actor_id=request.user.pk)
        except TooManyGuesses:
            form.add_error("code", _("Those were many codes. Please wait a minute."))
        except NotReferred as refused:
            form.add_error("code", str(refused.reason.label))
        else:
            return redirect(f"{reverse('till:brought', args=[member.pk])}?kept")
    return page(request, "brought", {**context, "form": form, "focus": "code"})

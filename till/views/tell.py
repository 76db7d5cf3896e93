"""What a customer says at the counter: one tap from their page, and it is on somebody's desk."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from members.services.purchases import KeyReused
from surveys.enums_cases import CaseChannel, CaseKind, CaseSource, Severity
from surveys.services.cases.opening import MOST, NobodyThere, TooMuchText, open_case
from till.forms import new_key
from till.views.access import TillRequest, in_a_store, looked_at, member_or_404, page


class TellForm(forms.Form):
    kind = forms.ChoiceField(choices=CaseKind.choices, initial=CaseKind.COMPLAINT)
    text = forms.CharField(
        max_length=MOST, error_messages={"required": _("Please write something."), "max_length": _("That is too long.")}
    )
    urgent = forms.BooleanField(required=False)
    key = forms.CharField(max_length=60)


@require_http_methods(["GET", "HEAD", "POST"])
@in_a_store
def tell(request: TillRequest, member_id: int) -> HttpResponse:
    member, at = member_or_404(member_id), timezone.now()
    if request.method != "POST":
        looked_at(request, member, at)
        context = {"member": member, "form": TellForm(initial={"key": new_key()}), "kinds": CaseKind.choices}
        return page(request, "tell", {**context, "focus": "scan" if "kept" in request.GET else "text"})
    form = TellForm(request.POST)
    if form.is_valid():
        told = form.cleaned_data
        try:
            case = open_case(
                kind=told["kind"],
                text=told["text"],
                severity=Severity.HIGH if told["urgent"] else Severity.NORMAL,
                source=CaseSource.TILL,
                channel=CaseChannel.PERSON,
                member_id=member.pk,
                store=request.store,
                key=f"till:{told['key']}",
                actor_id=request.user.pk,
                at=at,
            )
        except TooMuchText:
            form.add_error("text", _("Please write something."))
        except KeyReused:
            form.add_error("text", _("This was sent already. Please begin anew."))
        except NobodyThere:
            return redirect("till:start")
        else:
            return redirect(f"{reverse('till:tell', args=[member.pk])}?kept={case.pk}")
    return page(request, "tell", {"member": member, "form": form, "kinds": CaseKind.choices, "focus": "text"})

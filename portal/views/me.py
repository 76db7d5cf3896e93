"""A member's own pages: what there is, profile, birthday."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_http_methods, require_safe

from members.models import Member
from members.queries import attributes, consent_state
from members.rules import birthday_words
from members.services.erasure import open_request
from members.services.profile import update_profile
from portal.forms import BirthdayForm, ProfileForm
from portal.views.access import MemberRequest, members_only


@require_safe
@members_only
def me(request: MemberRequest) -> HttpResponse:
    member = request.member
    granted = [consent for consent in consent_state(member.pk).values() if consent.granted]
    context = {**_birthday(member), "granted": granted, "leaving": open_request(member.pk)}
    return render(request, "portal/me.html", context)


@require_http_methods(["GET", "POST"])
@members_only
def profile(request: MemberRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, member=request.member, attributes=attributes(member_may_edit=True))
    if _save(request, form):
        with override(form.cleaned_data["language"]):
            messages.success(request, _("Saved."))
        return redirect("portal:profile")
    return render(request, "portal/profile.html", {"form": form})


@require_http_methods(["GET", "POST"])
@members_only
def birthday(request: MemberRequest) -> HttpResponse:
    member = request.member
    form = BirthdayForm(request.POST or None, member=member)
    if _save(request, form):
        messages.success(request, _("Saved."))
        return redirect("portal:birthday")
    return render(request, "portal/birthday.html", {"form": form, **_birthday(member)})


def _save(request: MemberRequest, form: Form) -> bool:
    """Saves what the form changes of the profile; what the service refuses goes beside the field."""
    if not form.is_valid():
        return False
    member = request.member
    try:
        update_profile(member_id=member.pk, changes=form.cleaned_data, at=timezone.now(), actor_id=request.user.pk)
    except ValidationError as refused:
        form.add_error(None, refused)
        return False
    return True


def _birthday(member: Member) -> dict[str, Any]:
    """The birthday as the member said it, and the day on which it is kept next; empty where it was not said."""
    birthday = member.birthday
    if birthday is None:
        return {}
    return {"birthday": birthday_words(birthday), "next_birthday": birthday.next_on_or_after(timezone.localdate()).day}

"""Giving points to a whole segment, and deciding what waits for another person: each asks once, with what it does."""

import uuid
from functools import cached_property
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from common.admin import ConfirmView, found_or_404, rehearse
from common.moments import end_of_day
from members.models import Segment
from members.queries import get_programme
from members.queries_segments import SegmentNotReady
from members.services.profile import MemberGone
from members.services.purchases import KeyReused
from rewards.enums import GrantState, Unit
from rewards.models import GrantRequest
from rewards.queries import amount_text, balance
from rewards.queries_grants import waits_text
from rewards.services.grant_runs import stop_grant
from rewards.services.grants import (
    AlreadyDecided,
    NobodyThere,
    OwnRequest,
    TooLate,
    approve_grant,
    grant_segment,
    refuse_grant,
    withdraw_grant,
)

MOST = 1_000_000


def _person(request: HttpRequest) -> int:
    return cast("int", request.user.pk)


def whom(asked: GrantRequest) -> str:
    """ "Anna Becker", or "“Regulars”: 1,250 members"."""
    if asked.member_id is not None:
        return str(asked.member)
    n = ngettext("%(n)s member", "%(n)s members", asked.members) % {"n": number_format(asked.members, use_l10n=True)}
    return gettext("“%(segment)s”: %(members)s") % {"segment": asked.segment, "members": n}


class SegmentGrantForm(forms.Form):
    segment: Any = forms.ModelChoiceField(
        label=_("Segment"), queryset=Segment.objects.filter(archived_at=None), widget=UnfoldAdminSelect2Widget
    )
    amount = forms.IntegerField(
        label=_("Points for each member"), min_value=1, max_value=MOST, widget=UnfoldAdminIntegerFieldWidget
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("For staff."), widget=UnfoldAdminTextInputWidget
    )
    note = forms.CharField(
        label=_("Note for the member"),
        max_length=200,
        required=False,
        help_text=_("They read it in their history. Empty: “A gift from us”."),
        widget=UnfoldAdminTextInputWidget,
    )
    expires_on = forms.DateField(
        label=_("Can be spent until"),
        required=False,
        help_text=_("The last day. Empty: they never expire."),
        widget=UnfoldAdminSingleDateWidget,
    )
    key = forms.UUIDField(initial=uuid.uuid4, widget=forms.HiddenInput)

    def clean_expires_on(self) -> Any:
        day = self.cleaned_data["expires_on"]
        end = end_of_day(day, get_programme().time_zone)
        if end is not None and end <= now():
            raise ValidationError(gettext("Please choose a day that is still to come."))
        return day


class GrantSegmentView(ConfirmView):
    title = _("Give points to a segment")
    intro = _("Everybody who is in it gets the same, once. A worker does it in the background.")
    form_class = SegmentGrantForm
    permission_required = "rewards.add_grantrequest"
    act_label = _("Give points")

    def get_initial(self) -> dict[str, Any]:
        return {**super().get_initial(), "segment": self.request.GET.get("segment")}

    def get_success_url(self) -> str:
        return reverse("admin:rewards_grantrequest_changelist")

    def _ask(self, form: Form) -> GrantRequest:
        data = form.cleaned_data
        try:
            return grant_segment(
                segment_id=data["segment"].pk,
                amount=data["amount"],
                reason=data["reason"],
                note=data["note"],
                key=str(data["key"]),
                at=self.at,
                actor_id=_person(self.request),
                expires_at=end_of_day(data["expires_on"], get_programme().time_zone),
            )
        except SegmentNotReady as error:
            raise ValidationError({"segment": str(error)}) from error
        except TooLate as error:
            raise ValidationError({"expires_on": gettext("Please choose a day that is still to come.")}) from error
        except NobodyThere as error:
            raise ValidationError({"segment": gettext("There is nobody in it now.")}) from error
        except KeyReused as error:
            raise ValidationError(gettext("This form was used already. Please open it anew.")) from error

    def preview(self, form: Form) -> list[str]:
        asked = rehearse(lambda: self._ask(form))
        return [_gift_words(asked), *_after_words(asked)]

    def act(self, form: Form) -> str:
        asked = self._ask(form)
        if asked.state == GrantState.WAITING:
            return gettext("It waits for another person now.")
        return gettext("The points are being given.")


def _gift_words(asked: GrantRequest) -> str:
    words = {
        "whom": whom(asked),
        "each": amount_text(asked.amount, asked.unit),
        "total": amount_text(asked.amount * asked.members, asked.unit),
    }
    if asked.member_id is not None:
        return gettext("%(whom)s gets %(each)s.") % words
    return gettext("%(whom)s get %(each)s each, %(total)s in all.") % words


def _after_words(asked: GrantRequest) -> list[str]:
    if asked.state != GrantState.WAITING:
        return []
    return [waits_text(asked.why), gettext("So this waits until another person agrees.")]


class DecideView(ConfirmView):
    """What all decisions share: the request, and words for why it cannot be decided any more."""

    permission_required = "rewards.change_grantrequest"

    @cached_property
    def asked(self) -> GrantRequest:
        requests = GrantRequest.objects.select_related("member", "segment", "requested_by")
        return found_or_404(requests, self.kwargs["object_id"])

    @property
    def intro(self) -> str:  # type: ignore[override]
        words = {"who": self.asked.requested_by, "reason": self.asked.reason}
        asked = gettext("Asked by %(who)s: “%(reason)s”") % words
        return f"{_gift_words(self.asked)} {asked}"

    def get_object(self) -> GrantRequest:
        return self.asked

    def get_success_url(self) -> str:
        return reverse("admin:rewards_grantrequest_change", args=[self.asked.pk])

    def decide(self, form: Form) -> GrantRequest:
        raise NotImplementedError

    def _decide(self, form: Form) -> GrantRequest:
        try:
            return self.decide(form)
        except OwnRequest as error:
            raise ValidationError(gettext("You asked for this yourself: another person decides.")) from error
        except AlreadyDecided as error:
            state = GrantState(error.state).label
            raise ValidationError(gettext("This was decided already: %(state)s.") % {"state": state}) from error
        except TooLate as error:
            raise ValidationError(gettext("The points would have expired by now. Please refuse it.")) from error
        except MemberGone as error:
            raise ValidationError(gettext("The member is not there any more. Please refuse it.")) from error


class RemarkForm(forms.Form):
    remark = forms.CharField(
        label=_("Remark"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True})
    )


class RefusalForm(forms.Form):
    remark = forms.CharField(
        label=_("Why not"),
        max_length=200,
        help_text=_("Whoever asked reads it."),
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
    )


class ApproveView(DecideView):
    title = _("Approve this gift")
    form_class = RemarkForm
    act_label = _("Approve")

    def decide(self, form: Form) -> GrantRequest:
        remark = form.cleaned_data["remark"]
        return approve_grant(request_id=self.asked.pk, at=self.at, actor_id=_person(self.request), remark=remark)

    def preview(self, form: Form) -> list[str]:
        if self.asked.member_id is None:
            rehearse(lambda: self._decide(form))
            return [_gift_words(self.asked), gettext("A worker gives them in the background; it can be stopped.")]
        before = balance(self.asked.member_id, self.at, Unit(self.asked.unit))
        rehearse(lambda: self._decide(form))
        words = {"name": self.asked.member, "before": amount_text(before, self.asked.unit)}
        return [_gift_words(self.asked), gettext("%(name)s has %(before)s now.") % words]

    def act(self, form: Form) -> str:
        asked = self._decide(form)
        return gettext("It is approved.") if asked.member_id else gettext("It is approved and being given.")


class RefuseView(DecideView):
    title = _("Refuse this gift")
    form_class = RefusalForm
    act_label = _("Refuse")

    def decide(self, form: Form) -> GrantRequest:
        remark = form.cleaned_data["remark"]
        return refuse_grant(request_id=self.asked.pk, at=self.at, actor_id=_person(self.request), remark=remark)

    def preview(self, form: Form) -> list[str]:
        rehearse(lambda: self._decide(form))
        return [gettext("Nothing is given."), gettext("%(who)s reads your words.") % {"who": self.asked.requested_by}]

    def act(self, form: Form) -> str:
        self._decide(form)
        return gettext("It is refused.")


class WithdrawView(DecideView):
    title = _("Withdraw this gift")
    form_class = forms.Form
    permission_required = "rewards.add_grantrequest"
    act_label = _("Withdraw")

    def decide(self, form: Form) -> GrantRequest:
        return withdraw_grant(request_id=self.asked.pk, at=self.at, actor_id=_person(self.request))

    def preview(self, form: Form) -> list[str]:
        rehearse(lambda: self._decide(form))
        return [gettext("Nothing is given, and nobody has to decide about it.")]

    def act(self, form: Form) -> str:
        self._decide(form)
        return gettext("It is withdrawn.")


class StopView(DecideView):
    title = _("Give to nobody else")
    form_class = forms.Form
    act_label = _("Stop")
    danger = True

    def decide(self, form: Form) -> GrantRequest:
        return stop_grant(request_id=self.asked.pk, at=self.at)

    def preview(self, form: Form) -> list[str]:
        words = {"done": number_format(self.asked.done, use_l10n=True)}
        n = self.asked.done
        text = ngettext("%(done)s member has got it and keeps it.", "%(done)s members have got it and keep it.", n)
        return [text % words, gettext("Nobody else gets it. That cannot be taken back.")]

    def act(self, form: Form) -> str:
        self._decide(form)
        return gettext("It is stopped.")

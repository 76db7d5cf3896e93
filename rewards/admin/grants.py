"""Gifts by hand: the queue of what waits for another person, and points for a whole segment."""

import uuid
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Case, QuerySet, When
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
)

from common.admin import ConfirmView, ReadOnlyAdmin, found_or_404, record_link, rehearse
from common.moments import format_moment
from members.models import Segment
from members.queries import get_programme, search
from members.queries_segments import SegmentNotReady
from members.services.profile import MemberGone
from members.services.purchases import KeyReused
from rewards.enums import GrantState, Unit
from rewards.models import GrantRequest
from rewards.queries import amount_text, balance, explain
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
GIVING: tuple[str, ...] = (GrantState.FREE, GrantState.APPROVED)


def end_of_day(day: Any) -> datetime | None:
    """The moment at which a day of the programme is over; None for None, and for the last day that there is."""
    if day is None or day == date.max:
        return None
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=ZoneInfo(get_programme().time_zone))


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
        end = end_of_day(day)
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
                expires_at=end_of_day(data["expires_on"]),
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


@admin.register(GrantRequest)
class GrantRequestAdmin(ReadOnlyAdmin):
    list_display = ("when", "whom", "gift", "reason", "requested_by", "shown_state", "waits")
    list_filter = ("state", "requested_at")
    list_select_related = ("member", "segment", "requested_by")
    search_fields = ("reason",)
    search_help_text = _("A member's name, phone, card number or e-mail")
    ordering = (Case(When(state=GrantState.WAITING, then=0), default=1).asc(), "-requested_at", "-id")
    sortable_by = ()
    actions_detail = ("approve", "refuse", "withdraw", "stop")
    fieldsets = (
        (None, {"fields": ("whom_link", ("gift", "state"), ("requested_by", "when"), "waits")}),
        (_("What was said"), {"fields": ("reason", "note", "until")}),
        (_("What became of it"), {"fields": (("decided_by", "decided"), "decision", "given", "moved")}),
    )
    readonly_fields = ("whom_link", "gift", "when", "waits", "until", "decided", "given", "moved")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("rewards.add_grantrequest")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return GrantSegmentView.answer(self, request)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if search_term.strip():
            queryset = queryset.filter(member__in=search(search_term).values("pk"))
        return queryset, False

    # --- What can be done ---------------------------------------------------------------------------------------
    @action(description=_("Approve"), url_path="approve", permissions=["decide"], icon="check")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ApproveView.answer(self, request, object_id=object_id)

    @action(description=_("Refuse"), url_path="refuse", permissions=["decide"], icon="close")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return RefuseView.answer(self, request, object_id=object_id)

    @action(description=_("Withdraw"), url_path="withdraw", permissions=["withdraw"], icon="undo")
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return WithdrawView.answer(self, request, object_id=object_id)

    @action(description=_("Stop"), url_path="stop", permissions=["stop"], icon="stop_circle")
    def stop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return StopView.answer(self, request, object_id=object_id)

    approve.dialog = refuse.dialog = withdraw.dialog = stop.dialog = {"title": ""}

    def _one(self, object_id: Any) -> GrantRequest:
        """The request; one for which nothing can be done, where there is none."""
        found = GrantRequest.objects.filter(pk=object_id).first() if str(object_id).isdecimal() else None
        return found or GrantRequest(state=GrantState.WITHDRAWN)

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        asked = self._one(obj)
        may = request.user.has_perm("rewards.change_grantrequest") and asked.requested_by_id != request.user.pk
        return may and asked.state == GrantState.WAITING

    def has_withdraw_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        asked = self._one(obj)
        return asked.state == GrantState.WAITING and asked.requested_by_id == request.user.pk

    def has_stop_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        asked = self._one(obj)
        going = asked.segment_id is not None and asked.finished_at is None and asked.state in GIVING
        return going and request.user.has_perm("rewards.change_grantrequest")

    # --- What is shown ------------------------------------------------------------------------------------------
    @display(description=_("asked"))
    def when(self, asked: GrantRequest) -> str:
        return format_moment(asked.requested_at)

    @display(description=_("who gets it"))
    def whom(self, asked: GrantRequest) -> str:
        return whom(asked)

    @display(description=_("who gets it"))
    def whom_link(self, asked: GrantRequest) -> str:
        page = "members_member" if asked.member_id else "members_segment"
        return record_link(page, asked.member_id or asked.segment_id, whom(asked))

    @display(description=_("gift"))
    def gift(self, asked: GrantRequest) -> str:
        each = amount_text(asked.amount, asked.unit)
        if asked.member_id is not None:
            return each
        total = amount_text(asked.amount * asked.members, asked.unit)
        return gettext("%(each)s each, %(total)s in all") % {"each": each, "total": total}

    @display(
        description=_("state"),
        label={
            GrantState.WAITING.value: "warning",
            GrantState.APPROVED.value: "success",
            GrantState.FREE.value: "success",
            GrantState.REFUSED.value: "danger",
        },
    )
    def shown_state(self, asked: GrantRequest) -> tuple:
        return asked.state, asked.get_state_display()

    @display(description=_("why it waits"))
    def waits(self, asked: GrantRequest) -> str:
        return waits_text(asked.why)

    @display(description=_("can be spent until"))
    def until(self, asked: GrantRequest) -> str:
        return format_moment(asked.expires_at) or gettext("they never expire")

    @display(description=_("decided"))
    def decided(self, asked: GrantRequest) -> str:
        return format_moment(asked.decided_at)

    @display(description=_("given to"))
    def given(self, asked: GrantRequest) -> str:
        if asked.segment_id is None:
            return ""
        words = {"done": number_format(asked.done, use_l10n=True), "all": number_format(asked.members, use_l10n=True)}
        if asked.finished_at:
            words["when"] = format_moment(asked.finished_at)
            return gettext("%(done)s of %(all)s members, finished %(when)s") % words
        return gettext("%(done)s of %(all)s members so far") % words

    @display(description=_("transfer"))
    def moved(self, asked: GrantRequest) -> str:
        if asked.transfer is None:
            return ""
        return record_link("rewards_transfer", asked.transfer_id, explain(asked.transfer))

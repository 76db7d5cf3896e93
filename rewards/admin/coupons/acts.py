"""What staff do with an offer: put it live, issue it, make codes. Each in two steps, the second with all it does."""

import io
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.forms import Form
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from common.admin import ConfirmView, found_or_404, rehearse
from common.moments import format_end
from members.models import Member, Segment
from members.queries import found_exactly
from members.queries_segments import SegmentNotReady
from rewards.codes import PREFIX, shown
from rewards.coupons.definition import parse
from rewards.coupons.words import offer_words
from rewards.enums import IssuedBy, OfferKind, OfferState
from rewards.models import Coupon, Offer
from rewards.queries_grants import waits_text
from rewards.services.coupons.issuing import OfferNotRunning, OutOfCodes, expiry, issue_coupons
from rewards.services.coupons.jobs import (
    MOST_CODES,
    BadPrefix,
    FileUnreadable,
    NothingToIssue,
    codes_in,
    create_codes,
    issue_to_segment,
    read_codes,
    to_issue,
    upload_codes,
)
from rewards.services.coupons.offers import WrongState, set_state
from rewards.services.grants import OverLimit, check_cards

_SAMPLE = 5
_INSTEAD = _("Store credit instead (Adjust balance, on the member page) waits for another person to agree.")
MOST_TEXT = 2_000_000  # characters of a list of codes, which is posted twice


def _number(n: int) -> str:
    return number_format(n, use_l10n=True, force_grouping=True)


def _not_running() -> ValidationError:
    return ValidationError(_("Nothing can be issued of this offer now: it is not live, is over, or has one code."))


def _out_of_codes(error: OutOfCodes) -> ValidationError:
    text = _("Only %(available)s codes are left of those from files, and %(asked)s are needed. Please upload more.")
    return ValidationError(text, params={"available": _number(error.available), "asked": _number(error.asked)})


class Nothing(forms.Form):
    """There is nothing to fill in."""


class OfferView(ConfirmView):
    permission_required = "rewards.change_offer"
    form_class: Any = Nothing

    @cached_property
    def offer(self) -> Offer:
        return found_or_404(Offer.objects.select_related("segment"), self.kwargs["object_id"])

    def get_object(self) -> Offer:
        return self.offer

    def get_success_url(self) -> str:
        return reverse("admin:rewards_offer_change", args=[self.offer.pk])

    def check_cards(self, n: int) -> None:
        """Gift cards are money: `n` of them may be no more than this person may give without another."""
        if self.offer.kind != OfferKind.CARD:
            return
        amount = n * parse(self.offer.definition, self.offer.kind).amount_minor
        try:
            check_cards(amount=amount, actor_id=self.request.user.pk, at=self.at)  # type: ignore[arg-type]  # signed in
        except OverLimit as over:
            raise ValidationError(f"{waits_text(over.why)} {_INSTEAD}") from over


class StateView(OfferView):
    """Goes to `state`; the second step comes at once, for there is nothing to fill in."""

    state: OfferState
    said: Any = ""

    def get(self, request, *args, **kwargs):
        form = self.get_form_class()({})
        return self.render_to_response(self.get_context_data(form=form, sentences=self.preview(form)))

    def preview(self, form: Form) -> list[str]:
        return [str(self.said)]

    def act(self, form: Form) -> str:
        try:
            offer = set_state(offer_id=self.offer.pk, state=self.state)
        except WrongState as error:
            raise ValidationError(_("It cannot go there from where it is now.")) from error
        self.model_admin.log_change(self.request, offer, str(self.title))
        return gettext("“%(offer)s”: %(state)s") % {"offer": offer, "state": offer.get_state_display()}


class LiveView(StateView):
    title = _("Put the offer live")
    act_label = _("Put live")
    state = OfferState.LIVE

    def preview(self, form: Form) -> list[str]:
        return offer_words(self.offer, parse(self.offer.definition, self.offer.kind))


class PauseView(StateView):
    title = _("Pause the offer")
    act_label = _("Pause")
    state = OfferState.PAUSED
    said = _("Nobody can use it until it goes on; coupons that were issued stay with their members.")


class EndView(StateView):
    title = _("End the offer")
    act_label = _("End")
    danger = True
    state = OfferState.ENDED
    said = _("Nobody can use it any more, not even with a coupon that was issued. This cannot be undone.")


class MemberForm(forms.Form):
    member = forms.CharField(
        label=_("Member"),
        help_text=_("Card number, e-mail or phone"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
    )
    key = forms.CharField(widget=forms.HiddenInput, max_length=40)

    def clean_member(self) -> Member:
        found = found_exactly(self.cleaned_data["member"])
        if len(found) != 1:
            problem = _("More than one member has that.") if found else _("There is no such member.")
            raise ValidationError(problem)
        return Member.objects.get(pk=found[0])


class IssueView(OfferView):
    title = _("Issue a coupon to a member")
    form_class = MemberForm
    act_label = _("Issue")

    def get_initial(self) -> dict[str, Any]:
        return {"key": str(uuid4()), "member": self.request.GET.get("member", "")}

    def preview(self, form: Form) -> list[str]:
        member = form.cleaned_data["member"]
        rehearse(lambda: self.check_cards(1))
        said = [gettext("%(member)s gets “%(offer)s”.") % {"member": member, "offer": self.offer}]
        if ends := expiry(self.offer, self.at):
            said.append(gettext("The coupon is valid until %(when)s.") % {"when": format_end(ends)})
        return said

    def act(self, form: Form) -> str:
        member = form.cleaned_data["member"]
        key = f"staff:{form.cleaned_data['key']}"
        try:
            with transaction.atomic():
                if not Coupon.objects.filter(issue_key=key).exists():
                    self.check_cards(1)
                coupons = issue_coupons(
                    offer_id=self.offer.pk,
                    member_ids=[member.pk],
                    keys=[key],
                    issued_by=IssuedBy.STAFF,
                    at=self.at,
                    actor_id=self.request.user.pk,
                )
        except OfferNotRunning as error:
            raise _not_running() from error
        except OutOfCodes as error:
            raise _out_of_codes(error) from error
        if not coupons:
            raise ValidationError(_("The offer is for a segment, and this member is not in it."))
        return gettext("%(member)s has the coupon %(code)s.") % {"member": member, "code": shown(coupons[0].code)}


class SegmentForm(forms.Form):
    segment: Any = forms.ModelChoiceField(
        label=_("Segment"),
        queryset=Segment.objects.filter(archived_at=None).order_by("name"),
        widget=UnfoldAdminSelect2Widget,
    )


class IssueSegmentView(OfferView):
    title = _("Issue coupons to a segment")
    form_class: Any = SegmentForm
    act_label = _("Issue")

    def preview(self, form: Form) -> list[str]:
        segment = form.cleaned_data["segment"]
        try:
            new, have = to_issue(offer_id=self.offer.pk, segment_id=segment.pk, at=self.at)
        except SegmentNotReady as error:
            raise ValidationError(str(error)) from error
        if not new:
            raise ValidationError(_("Nobody in the segment is left without an unused coupon of this offer."))
        rehearse(lambda: self.check_cards(new))
        text = ngettext(
            "%(n)s member of “%(segment)s” gets “%(offer)s”.",
            "%(n)s members of “%(segment)s” get “%(offer)s”, one coupon each.",
            new,
        )
        said = [text % {"n": _number(new), "segment": segment, "offer": self.offer}]
        if have:
            text = ngettext(
                "%(n)s has an unused one already and gets no other.",
                "%(n)s have an unused one already and get no other.",
                have,
            )
            said.append(text % {"n": _number(have)})
        if ends := expiry(self.offer, self.at):
            said.append(gettext("The coupons are valid until %(when)s.") % {"when": format_end(ends)})
        names = ", ".join(str(member) for member in Member.objects.filter(segments__segment=segment)[:_SAMPLE])
        return [*said, gettext("Among them: %(names)s") % {"names": names}]

    def act(self, form: Form) -> str:
        segment = form.cleaned_data["segment"]
        try:
            with transaction.atomic():
                self.check_cards(to_issue(offer_id=self.offer.pk, segment_id=segment.pk, at=self.at)[0])
                job = issue_to_segment(
                    offer_id=self.offer.pk, segment_id=segment.pk, at=self.at, actor_id=self.request.user.pk
                )
        except OfferNotRunning as error:
            raise _not_running() from error
        except OutOfCodes as error:
            raise _out_of_codes(error) from error
        except (SegmentNotReady, NothingToIssue) as error:
            raise ValidationError(
                str(error) or _("Nobody in the segment is left without an unused coupon of this offer.")
            ) from error
        self.made = job.pk
        return gettext("Coupons are being issued. You can leave this page.")

    def get_success_url(self) -> str:
        made = getattr(self, "made", None)
        return reverse("admin:rewards_couponjob_change", args=[made]) if made else super().get_success_url()


class CodesForm(forms.Form):
    total = forms.IntegerField(
        label=_("How many"), min_value=1, max_value=MOST_CODES, widget=UnfoldAdminIntegerFieldWidget
    )
    prefix: Any = forms.CharField(
        label=_("They begin with"),
        required=False,
        max_length=PREFIX,
        help_text=_("Letters from A to Z and digits. May be empty."),
        widget=UnfoldAdminTextInputWidget,
    )


class CodesView(IssueSegmentView):
    title = _("Make codes")
    intro = _("Codes in stock, to be printed or handed on. What members are issued is made by itself.")
    form_class: Any = CodesForm
    act_label = _("Make them")

    def preview(self, form: Form) -> list[str]:
        text = ngettext("%(n)s code is made.", "%(n)s codes are made.", form.cleaned_data["total"])
        said = [text % {"n": _number(form.cleaned_data["total"])}]
        if parse(self.offer.definition, self.offer.kind).bearer:
            return [*said, gettext("Each is good once, for whoever brings it.")]
        return [*said, gettext("None is good before it is issued to a member.")]

    def act(self, form: Form) -> str:
        try:
            job = create_codes(offer_id=self.offer.pk, **form.cleaned_data, at=self.at, actor_id=self.request.user.pk)
        except BadPrefix as error:
            raise ValidationError({"prefix": _("Please use letters from A to Z and digits.")}) from error
        except OfferNotRunning as error:
            raise ValidationError(_("This offer has one code, or its codes come from files.")) from error
        self.made = job.pk
        return gettext("The codes are being made. You can leave this page.")


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        required=False,
        help_text=_("CSV or text: the codes stand first in each line."),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.tsv,.txt,text/csv,text/plain"}),
    )
    codes = forms.CharField(
        label=_("Or the codes themselves, one in each line"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        """What stood in the file goes on as text: the second step has no file any more."""
        given = super().clean() or {}
        if file := given.get("file"):
            try:
                given["codes"] = "\n".join(codes_in(file))
            except FileUnreadable as error:
                raise ValidationError(_("This is no text with a code in each line. Please save it as CSV.")) from error
            data: Any = self.data.copy()  # type: ignore[attr-defined]
            data["codes"] = given["codes"]
            self.data = data
        if not given.get("codes", "").strip():
            raise ValidationError(_("Please give a file, or the codes."))
        if len(given["codes"]) > MOST_TEXT:
            raise ValidationError(_("These are too many at once. Please bring them in several files."))
        return given


class UploadView(OfferView):
    title = _("Bring in codes")
    intro = _("Of a partner or a printer. From then on members get these codes, and none are made.")
    form_class = UploadForm
    act_label = _("Take them in")

    def _file(self, form: Form) -> io.BytesIO:
        return io.BytesIO(form.cleaned_data["codes"].encode())

    def preview(self, form: Form) -> list[str]:
        found = read_codes(self._file(form))
        if not found.added:
            raise ValidationError(_("There is no new code among these: they cannot be codes, or are known already."))
        said = [ngettext("%(n)s code comes in.", "%(n)s codes come in.", found.added) % {"n": _number(found.added)}]
        for rows, text in (
            (found.repeated, gettext("Twice in the list, taken once: %(codes)s")),
            (found.known, gettext("Known already, left out: %(codes)s")),
            (found.bad, gettext("No codes, left out (4 to 24 letters from A to Z, digits, - . _): %(codes)s")),
        ):
            if rows:
                shown_ = [
                    gettext("%(code)s (line %(line)d)") % {"code": code, "line": line} for line, code in rows[:_SAMPLE]
                ]
                more = len(rows) - _SAMPLE
                if more > 0:
                    shown_.append(ngettext("%(n)s more", "%(n)s more", more) % {"n": _number(more)})
                said.append(text % {"codes": ", ".join(shown_)})
        return said

    def act(self, form: Form) -> str:
        try:
            found = upload_codes(
                offer_id=self.offer.pk, file=self._file(form), at=self.at, actor_id=self.request.user.pk
            )
        except OfferNotRunning as error:
            raise ValidationError(_("This offer has one code for everybody.")) from error
        text = ngettext("%(n)s code came in.", "%(n)s codes came in.", found.added)
        return text % {"n": _number(found.added)}


ACTS: dict[str, Any] = {
    "live": LiveView,
    "pause": PauseView,
    "end": EndView,
    "issue": IssueView,
    "issue_segment": IssueSegmentView,
    "codes": CodesView,
    "upload": UploadView,
}

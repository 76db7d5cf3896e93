"""What staff do with a redemption, each act in two steps: what it will do, then whether."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from common.admin import ConfirmView, found_or_404, rehearse
from members.queries import get_programme
from rewards.catalogue_words import paid_words
from rewards.enums import Fulfilment
from rewards.models import Redemption
from rewards.queries import points_text
from rewards.services.fulfilment import CodeRefused, redeem_code, set_fulfilment
from rewards.services.handing_over import CannotTakeBack
from rewards.services.redemptions import (
    RedemptionRefused,
    RedemptionSettled,
    cancel_redemption,
    confirm_redemption,
    refund_redemption,
)


class NothingForm(forms.Form):
    pass


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)


class ParcelForm(forms.Form):
    carrier = forms.CharField(label=_("Carrier"), max_length=60, required=False, widget=UnfoldAdminTextInputWidget)
    tracking_number = forms.CharField(
        label=_("Tracking number"), max_length=80, required=False, widget=UnfoldAdminTextInputWidget
    )


class CodeForm(forms.Form):
    code = forms.CharField(
        label=pgettext_lazy("redemption", "Code"),
        max_length=60,
        help_text=_("Typed or scanned; spaces and dashes do not matter."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    store = forms.CharField(label=_("Store"), max_length=80, required=False, widget=UnfoldAdminTextInputWidget)


class ActView(ConfirmView):
    """An act on one redemption: what it will do, then whether."""

    permission_required = "rewards.change_redemption"
    form_class: type[Form] = NothingForm

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.redemption = found_or_404(Redemption.objects.select_related("member", "reward"), kwargs["object_id"])

    def get_object(self) -> Redemption:
        return self.redemption

    def get_success_url(self) -> str:
        return reverse("admin:rewards_redemption_change", args=[self.redemption.pk])

    @property
    def intro(self) -> str:
        words = {
            "member": self.redemption.member,
            "reward": self.redemption.reward.name,
            "price": paid_words(self.redemption, get_programme().currency),
        }
        return gettext("%(member)s: %(reward)s for %(price)s.") % words

    def do(self, form: Form) -> list[str]:
        """Does it; the sentences that say what it did."""
        raise NotImplementedError

    def _done(self, form: Form) -> list[str]:
        try:
            return self.do(form)
        except RedemptionSettled as settled:
            words = {"state": settled.state.label}
            raise ValidationError(gettext("Meanwhile its state is: %(state)s.") % words) from settled
        except RedemptionRefused as refused:
            raise ValidationError([reason.sentence for reason in refused.reasons]) from refused
        except CannotTakeBack as used:
            texts = {
                "coupon": gettext("The coupon it gave is used already."),
                "credit": gettext("The credit it gave is spent already."),
            }
            raise ValidationError(texts[used.what]) from used

    def preview(self, form: Form) -> list[str]:
        return rehearse(lambda: self._done(form))

    def act(self, form: Form) -> str:
        return " ".join(self._done(form))


class ConfirmRedemptionView(ActView):
    title = _("Confirm the redemption")
    act_label = _("Confirm")

    def do(self, form: Form) -> list[str]:
        done = confirm_redemption(redemption_id=self.redemption.pk, at=self.at, actor_id=self.request.user.pk)
        spent = [gettext("%(points)s are spent.") % {"points": points_text(done.points)}] if done.points else []
        return [*spent, _gets(done)]


def _gets(done: Redemption) -> str:
    if done.fulfilment == Fulfilment.TO_SHIP:
        return gettext("It is to be sent.")
    if done.fulfilment == Fulfilment.TO_COLLECT:
        return gettext("The member gets a code to collect it with.")
    if done.coupon_id is not None:
        return gettext("The member gets the coupon.")
    return gettext("The member has it at once.")


class CancelRedemptionView(ActView):
    title = _("Cancel the reservation")
    act_label = _("Cancel the reservation")
    danger = True

    def do(self, form: Form) -> list[str]:
        done = cancel_redemption(redemption_id=self.redemption.pk, at=self.at, actor_id=self.request.user.pk)
        return [_back(done)]


def _back(done: Redemption) -> str:
    words = {"points": points_text(done.points)}
    if done.session_id is not None:
        free = gettext("The place comes free: who has waited longest is kept it for a day.")
        points = gettext("%(points)s go back into the lots they came from.") % words
        return f"{points} {free}" if done.points else free
    if not done.points:
        return gettext("The piece goes back to the shelf.")
    return gettext("%(points)s go back into the lots they came from, and the piece to the shelf.") % words


class RefundRedemptionView(ActView):
    title = _("Take the redemption back")
    form_class = ReasonForm
    act_label = _("Take it back")
    danger = True

    def do(self, form: Form) -> list[str]:
        done = refund_redemption(
            redemption_id=self.redemption.pk,
            at=self.at,
            actor_id=self.request.user.pk,
            reason=form.cleaned_data["reason"],
        )
        sentences = [_back(done)]
        if done.coupon_id is not None:
            sentences.append(gettext("The coupon no longer counts."))
        return sentences


class SendView(ActView):
    title = _("Sent")
    form_class = ParcelForm
    act_label = _("It is sent")

    def get_initial(self) -> dict[str, Any]:
        return {"carrier": self.redemption.carrier, "tracking_number": self.redemption.tracking_number}

    def do(self, form: Form) -> list[str]:
        moved = set_fulfilment(
            redemption_ids=[self.redemption.pk],
            to=Fulfilment.SHIPPED,
            at=self.at,
            actor_id=self.request.user.pk,
            **form.cleaned_data,
        )
        if not moved:
            raise ValidationError(gettext("It is not waiting to be sent any more."))
        return [gettext("It is on its way, and the member can see it.")]


class CollectView(ActView):
    title = _("Hand over")
    act_label = _("Hand it over")

    def do(self, form: Form) -> list[str]:
        moved = set_fulfilment(
            redemption_ids=[self.redemption.pk], to=Fulfilment.COLLECTED, at=self.at, actor_id=self.request.user.pk
        )
        if not moved:
            raise ValidationError(gettext("It was handed over already."))
        return [gettext("%(member)s has it.") % {"member": self.redemption.member}]


class CodeView(ConfirmView):
    """A code that somebody shows: whose, for what; then it is handed over, once."""

    title = _("Hand over by code")
    form_class = CodeForm
    permission_required = "rewards.change_redemption"
    act_label = _("Hand it over")

    def get_success_url(self) -> str:
        return reverse("admin:rewards_redemption_code")

    def _do(self, form: Form) -> Redemption:
        try:
            return redeem_code(at=self.at, actor_id=self.request.user.pk, **form.cleaned_data)
        except CodeRefused as refused:
            raise ValidationError({"code": refused.reason.sentence}) from refused

    def preview(self, form: Form) -> list[str]:
        done = rehearse(lambda: self._do(form))
        sentences = [gettext("%(reward)s for %(member)s.") % {"reward": done.reward.name, "member": done.member}]
        if done.money_minor:
            paid = paid_words(done, get_programme().currency)
            sentences.append(gettext("The price is %(price)s: please take the money.") % {"price": paid})
        return sentences

    def act(self, form: Form) -> str:
        done = self._do(form)
        return gettext("Handed over: %(reward)s.") % {"reward": done.reward.name}

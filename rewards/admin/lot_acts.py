"""What managers do with single lots: let pending points go or take them back, let points live longer, bring back what
has expired. Each asks once, and says what it does."""

import uuid
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import Form
from django.urls import reverse
from django.utils.timezone import localdate
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSingleDateWidget, UnfoldAdminTextInputWidget

from common.admin import ConfirmView, found_or_404, rehearse
from common.moments import end_of_day, format_last_day
from members.models import Member
from members.queries import get_programme
from members.services.purchases import KeyReused
from rewards.enums import TransferKind
from rewards.models import Lot, Transfer
from rewards.queries import amount_text
from rewards.services.lots import (
    LotGone,
    NotLater,
    NotPending,
    Reinstated,
    activate_lot,
    cancel_lot,
    extend_lot,
    reinstate,
)


class LotForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        help_text=_("For staff."),
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
    )
    note = forms.CharField(
        label=_("Note for the member"),
        max_length=200,
        required=False,
        help_text=_("They read it in their history."),
        widget=UnfoldAdminTextInputWidget,
    )
    key = forms.UUIDField(initial=uuid.uuid4, widget=forms.HiddenInput)


class LotDayForm(LotForm):
    field_order = ("until", "reason", "note")
    until = forms.DateField(
        label=_("Can be spent until"),
        required=False,
        help_text=_("The last day. Empty: they never expire."),
        widget=UnfoldAdminSingleDateWidget,
    )

    def end(self) -> datetime | None:
        """The moment at which that day is over in the programme; None for ever."""
        return end_of_day(self.cleaned_data["until"], get_programme().time_zone)


class LotAct(ConfirmView):
    """What all acts upon a lot share."""

    form_class: Any = LotForm
    permission_required = "rewards.change_lot"

    @cached_property
    def lot(self) -> Lot:
        return found_or_404(Lot.objects.select_related("account__member", "transfer"), self.kwargs["object_id"])

    def get_object(self) -> Any:
        return self.lot

    @property
    def member(self) -> Member:
        return self.lot.account.member  # type: ignore[return-value]

    @property
    def amount(self) -> str:
        return amount_text(self.lot.remaining, self.lot.account.unit)

    @property
    def intro(self) -> str:  # type: ignore[override]
        """Whose points, and how many."""
        return f"{self.member} · {self.amount}"

    def get_success_url(self) -> str:
        return reverse("admin:rewards_lot_change", args=[self.lot.pk])

    def told(self, form: Form) -> dict[str, Any]:
        data = form.cleaned_data
        told = {"key": str(data["key"]), "reason": data["reason"], "note": data["note"]}
        return {**told, "at": self.at, "actor_id": self.request.user.pk}

    def write(self, form: Form) -> Any:
        raise NotImplementedError

    def sentences(self, form: Form) -> list[str]:
        raise NotImplementedError

    def done(self) -> str:
        raise NotImplementedError

    def _write(self, form: Form) -> Any:
        try:
            return self.write(form)
        except NotPending as error:
            raise ValidationError(gettext("These points can be spent already.")) from error
        except LotGone as error:
            raise ValidationError(gettext("Nothing is left here, or it has expired.")) from error
        except NotLater as error:
            words = {"day": format_last_day(error.args[0]) or gettext("never")}
            raise ValidationError({"until": gettext("Please choose a later day. Now: %(day)s.") % words}) from error
        except Reinstated as error:
            raise ValidationError(gettext("They were brought back before.")) from error
        except KeyReused as error:
            raise ValidationError(gettext("This form was used already. Please open it anew.")) from error

    def preview(self, form: Form) -> list[str]:
        rehearse(lambda: self._write(form))
        return self.sentences(form)

    def act(self, form: Form) -> str:
        self._write(form)
        return self.done()


class ActivateView(LotAct):
    title = _("Activate pending points")
    act_label = _("Activate")

    def write(self, form: Form) -> Any:
        return activate_lot(lot_id=self.lot.pk, **self.told(form))

    def sentences(self, form: Form) -> list[str]:
        words = {"name": self.member, "amount": self.amount, "day": self.lot.begins}
        return [gettext("%(name)s can spend %(amount)s now, instead of from %(day)s on.") % words]

    def done(self) -> str:
        return gettext("They can be spent now.")


class CancelView(LotAct):
    title = _("Take back pending points")
    act_label = _("Take back")
    danger = True

    def write(self, form: Form) -> Any:
        return cancel_lot(lot_id=self.lot.pk, **self.told(form))

    def sentences(self, form: Form) -> list[str]:
        words = {"name": self.member, "amount": self.amount}
        return [
            gettext("%(name)s loses %(amount)s that were still pending.") % words,
            gettext("They stay in the history, as given and as taken back."),
        ]

    def done(self) -> str:
        return gettext("They are taken back.")


class ExtendView(LotAct):
    title = _("Let points live longer")
    form_class = LotDayForm
    act_label = _("Change the day")

    def get_initial(self) -> dict[str, Any]:
        expires = self.lot.expires_at
        return {"until": expires and localdate(expires) + timedelta(days=30)}

    def write(self, form: Form) -> Any:
        return extend_lot(lot_id=self.lot.pk, expires_at=form.end(), **self.told(form))

    def sentences(self, form: Form) -> list[str]:
        words = {"name": self.member, "amount": self.amount, "before": format_last_day(self.lot.expires_at)}
        if form.end() is None:
            return [gettext("%(amount)s of %(name)s will never expire, instead of on %(before)s.") % words]
        words["day"] = format_last_day(form.end())
        return [gettext("%(amount)s of %(name)s expire on %(day)s, instead of on %(before)s.") % words]

    def done(self) -> str:
        return gettext("They live longer now.")


class ReinstateView(LotAct):
    """Of an expiry, which is a transfer."""

    title = _("Bring back what has expired")
    form_class = LotDayForm
    act_label = _("Bring back")

    @cached_property
    def expiry(self) -> Transfer:
        expiries = Transfer.objects.filter(kind=TransferKind.EXPIRE).select_related("debit__member")
        return found_or_404(expiries, self.kwargs["object_id"])

    def get_object(self) -> Any:
        return self.expiry

    @property
    def member(self) -> Member:
        return self.expiry.debit.member  # type: ignore[return-value]

    @property
    def amount(self) -> str:
        return amount_text(self.expiry.amount, self.expiry.debit.unit)

    def get_success_url(self) -> str:
        return reverse("admin:rewards_transfer_change", args=[self.expiry.pk])

    def get_initial(self) -> dict[str, Any]:
        return {"until": localdate(self.at) + timedelta(days=30)}

    def write(self, form: Form) -> Any:
        return reinstate(transfer_id=self.expiry.pk, expires_at=form.end(), **self.told(form))

    def sentences(self, form: Form) -> list[str]:
        words = {"name": self.member, "amount": self.amount, "day": format_last_day(form.end())}
        if form.end() is None:
            return [gettext("%(name)s gets %(amount)s back; they never expire.") % words]
        return [gettext("%(name)s gets %(amount)s back; they expire on %(day)s.") % words]

    def done(self) -> str:
        return gettext("They are back.")

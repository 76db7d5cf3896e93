"""Setting a member on a higher tier by hand."""

import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import Form
from django.utils.formats import date_format
from django.utils.timezone import localdate
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget, UnfoldAdminTextInputWidget

from common.admin import rehearse
from loyalty_crm.admin.member_acts import MemberAct
from members.services.profile import MemberGone
from members.services.purchases import KeyReused
from rewards.enums import Downgrade
from rewards.models import Tier, TierLift
from rewards.queries import reward_settings
from rewards.queries_tiers import tier_standing
from rewards.services.tier_lifts import DayNeeded, NotHigher, lift_tier


class SetTierForm(forms.Form):
    tier: Any = forms.ModelChoiceField(
        label=_("Tier"), queryset=Tier.objects.filter(rank__gt=0), widget=UnfoldAdminSelectWidget
    )
    last_day = forms.DateField(
        label=_("Until"), required=False, help_text=_("The last day."), widget=UnfoldAdminSingleDateWidget
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("For staff."), widget=UnfoldAdminTextInputWidget
    )
    key = forms.UUIDField(initial=uuid.uuid4, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if reward_settings().downgrade == Downgrade.NONE:
            del self.fields["last_day"]


class SetTierView(MemberAct):
    title = _("Set the tier by hand")
    form_class = SetTierForm
    permission_required = "rewards.add_tierlift"
    act_label = _("Set tier")

    @property
    def intro(self) -> str:
        words = {"name": self.member, "tier": tier_standing(self.member.pk, self.at).tier or "–"}
        return gettext("%(name)s: %(tier)s now. A higher tier can be given until a day.") % words

    def _lift(self, form: Form) -> TierLift:
        data = form.cleaned_data
        try:
            return lift_tier(
                member_id=self.member.pk,
                tier_id=data["tier"].pk,
                last_day=data.get("last_day"),
                reason=data["reason"],
                key=str(data["key"]),
                at=self.at,
                actor_id=self.request.user.pk,
            )
        except NotHigher as error:
            words = {"name": self.member, "tier": error.tier or "–"}
            text = gettext("%(name)s has reached %(tier)s. Only a higher tier can be given.") % words
            raise ValidationError({"tier": text}) from error
        except DayNeeded as error:
            raise ValidationError({"last_day": gettext("Please choose a day that is still to come.")}) from error
        except MemberGone as error:
            raise ValidationError(gettext("The member is not there any more.")) from error
        except KeyReused as error:
            raise ValidationError(gettext("This form was used already. Please open it anew.")) from error

    def _words(self, form: Form) -> str:
        words = {"name": self.member, "tier": form.cleaned_data["tier"]}
        if day := form.cleaned_data.get("last_day"):
            words["day"] = date_format(day, "DATE_FORMAT", use_l10n=True)
            return gettext("%(name)s: %(tier)s until %(day)s.") % words
        return gettext("%(name)s: %(tier)s from now on. Nobody goes down here, so it has no end.") % words

    def preview(self, form: Form) -> list[str]:
        lift = rehearse(lambda: self._lift(form))
        sentences = [self._words(form)]
        if lift.until is not None:
            fits = reward_settings().downgrade == Downgrade.FIT
            one = gettext("After that day they go down one tier, as your settings say, unless they have reached it.")
            fit = gettext("After that day they stand on the tier that they have reached by then.")
            sentences += [fit if fits else one, gettext("They are told before.") if _is_told() else ""]
        return [sentence for sentence in sentences if sentence]

    def warnings(self, form: Form) -> list[str]:
        day = form.cleaned_data.get("last_day")
        if day is not None and (day - localdate(self.at)).days > 2 * 366:
            return [gettext("That is more than two years from now.")]
        return []

    def act(self, form: Form) -> str:
        self._lift(form)
        return self._words(form)


def _is_told() -> bool:
    return reward_settings().notice_days > 0

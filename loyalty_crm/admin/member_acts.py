"""What staff do for a member: adjusting points, and writing down what the member said about being written to."""

from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import Form
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from common.admin import ConfirmView, found_or_404, rehearse
from loyalty_crm.admin.member_forms import AdjustPointsForm, ConsentForm
from members.enums import Channel, Purpose
from members.models import ConsentWording, Member
from members.services.consent import state_consent
from members.services.purchases import KeyReused
from rewards import queries as rewards
from rewards.services.adjustments import adjust_points
from rewards.services.ledger import InsufficientPoints


class MemberAct(ConfirmView):
    @cached_property
    def member(self) -> Member:
        return found_or_404(Member, self.kwargs["object_id"])

    def get_object(self) -> Member:
        return self.member

    def get_success_url(self) -> str:
        return reverse("admin:members_member_change", args=[self.member.pk])


class AdjustPointsView(MemberAct):
    title = _("Adjust points")
    form_class = AdjustPointsForm
    permission_required = "rewards.add_transfer"
    act_label = _("Adjust points")

    @property
    def intro(self) -> str:
        points = rewards.balance(self.member.pk)
        text = ngettext("%(name)s has %(n)d point.", "%(name)s has %(n)d points.", points)
        return text % {"name": self.member, "n": points}

    def _adjust(self, form: Form) -> int:
        """Adjusts; the balance after it."""
        data = form.cleaned_data
        try:
            adjust_points(
                member_id=self.member.pk,
                amount=data["amount"],
                reason=data["reason"],
                key=str(data["key"]),
                at=self.at,
                actor_id=self.request.user.pk,
            )
        except InsufficientPoints as error:
            text = ngettext(
                "There is only %(n)d point to take.", "There are only %(n)d points to take.", error.available
            )
            raise ValidationError({"amount": text % {"n": error.available}}) from error
        except KeyReused as error:
            raise ValidationError(gettext("This form was used already. Please open it anew.")) from error
        return rewards.balance(self.member.pk)

    def preview(self, form: Form) -> list[str]:
        after = rehearse(lambda: self._adjust(form))
        words = {"name": self.member, "before": rewards.balance(self.member.pk), "after": after}
        return [
            gettext("%(name)s has %(before)d points now and %(after)d after this.") % words,
            gettext("The history will say: “%(reason)s”.") % {"reason": form.cleaned_data["reason"]},
        ]

    def act(self, form: Form) -> str:
        return gettext("%(name)s now has %(after)d points.") % {"name": self.member, "after": self._adjust(form)}


class StateConsentView(MemberAct):
    title = _("What the member says about being written to")
    form_class = ConsentForm
    permission_required = "members.change_member"
    act_label = _("Write it down")

    def get_initial(self) -> dict[str, Any]:
        return {"channel": Channel.EMAIL, "purpose": Purpose.OFFERS, "granted": "no"}

    def _words(self, form: Form) -> str:
        data = form.cleaned_data
        words = {
            "name": self.member,
            "purpose": Purpose(data["purpose"]).label,
            "channel": Channel(data["channel"]).label,
        }
        if data["granted"]:
            return gettext("%(name)s agrees: %(purpose)s, %(channel)s.") % words
        return gettext("%(name)s does not want: %(purpose)s, %(channel)s.") % words

    def preview(self, form: Form) -> list[str]:
        sentences = [self._words(form)]
        wording = ConsentWording.objects.filter(purpose=form.cleaned_data["purpose"]).order_by("-version").first()
        if form.cleaned_data["granted"] and wording is not None:
            sentences.append(gettext("Please read this to the member first: “%(text)s”") % {"text": wording.text})
        return sentences

    def act(self, form: Form) -> str:
        data = form.cleaned_data
        said = state_consent(
            member_id=self.member.pk,
            channel=Channel(data["channel"]),
            purpose=Purpose(data["purpose"]),
            granted=data["granted"],
            source=data["source"],
            at=self.at,
            actor_id=self.request.user.pk,
        )
        return self._words(form) if said else gettext("That is what the member said before; nothing was added.")

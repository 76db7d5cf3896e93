"""Deleting a tier, or saying by what it is used."""

from django.core.exceptions import ValidationError
from django.forms import Form
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _

from common.admin import ConfirmView, found_or_404, rehearse
from rewards.models import Tier
from rewards.services.tier_removal import TierInUse, TierUse, delete_tier


def use_words(use: TierUse) -> list[str]:
    """By what a tier is used, a sentence for each."""
    sentences = []
    if use.is_base:
        sentences.append(gettext("It is everybody's: the others stand above it."))
    for n, text in (
        (use.members, ngettext("%(n)s member stands on it.", "%(n)s members stand on it.", use.members)),
        (
            use.past,
            ngettext("It is in the history of %(n)s member.", "It is in the history of %(n)s members.", use.past),
        ),
    ):
        if n:
            sentences.append(text % {"n": number_format(n, use_l10n=True, force_grouping=True)})
    for names, text in (
        (use.benefits, gettext("Benefits: %(names)s.")),
        (use.rewards, gettext("Rewards: %(names)s.")),
        (use.rules, gettext("Earning rules: %(names)s.")),
        (use.segments, gettext("Segments: %(names)s.")),
    ):
        if names:
            sentences.append(text % {"names": pgettext("list", ", ").join(names)})
    return sentences


class DeleteTierView(ConfirmView):
    form_class = Form
    permission_required = "rewards.change_tier"
    act_label = _("Delete")
    danger = True

    @cached_property
    def tier(self) -> Tier:
        return found_or_404(Tier, self.kwargs["object_id"])

    @property
    def title(self) -> str:  # type: ignore[override]
        return gettext("Delete the tier “%(tier)s”") % {"tier": self.tier}

    def get_object(self) -> Tier:
        return self.tier

    def get_success_url(self) -> str:
        return reverse("admin:rewards_tier_changelist")

    def _delete(self) -> None:
        try:
            delete_tier(tier_id=self.tier.pk)
        except TierInUse as error:
            said = [gettext("This tier is used, and stays."), *use_words(error.use)]
            raise ValidationError(said) from error

    def preview(self, form: Form) -> list[str]:
        rehearse(self._delete)
        return [gettext("Nobody stands on it, and nothing asks for it. Those above move down by one.")]

    def act(self, form: Form) -> str:
        name = str(self.tier)
        self._delete()
        return gettext("%(tier)s is deleted.") % {"tier": name}

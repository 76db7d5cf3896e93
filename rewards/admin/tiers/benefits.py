"""Benefits, and who had which of them when."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from common.admin import DeskAdmin, ExportAdmin, Labelled, ReadOnlyAdmin, record_link
from common.moments import format_moment
from rewards.admin.found import FoundByMember, OfMember
from rewards.enums import BenefitKind
from rewards.models import Benefit, BenefitUse
from rewards.queries_benefits import BIRTHDAY_DAYS, USED, value_words

MULTIPLIERS = (BenefitKind.MULTIPLIER, BenefitKind.BIRTHDAY_MULTIPLIER)


def often_words(benefit: Benefit) -> str:
    """How often one may have it: "2 times each calendar year"."""
    if benefit.kind not in USED:
        return gettext("holds by itself")
    if benefit.uses is None:
        return gettext("as often as one likes")
    if benefit.period == "once":
        return ngettext("%(n)d time in all", "%(n)d times in all", benefit.uses) % {"n": benefit.uses}
    text = ngettext("%(n)d time %(period)s", "%(n)d times %(period)s", benefit.uses)
    return text % {"n": benefit.uses, "period": benefit.get_period_display()}


class BenefitForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        kind, value = data.get("kind"), data.get("value")
        if kind in MULTIPLIERS and (value is None or value <= 1):
            raise ValidationError({"value": _("A multiplier is more than 1, like 2 or 1.5.")})
        if kind == BenefitKind.MEMBER_PRICE and (value is None or not 0 < value <= 100):
            raise ValidationError({"value": _("Say how many percent the price is lower: 1 to 100.")})
        if kind == BenefitKind.EARLY_ACCESS and (value is None or value <= 0):
            raise ValidationError({"value": _("Say how many hours before all others.")})
        if data.get("uses") == 0:
            raise ValidationError({"uses": _("Once at least; or leave it empty.")})
        if not (data.get("tiers") or data.get("plans") or data.get("segment")):
            raise ValidationError({"tiers": _("Say who has it: members of tiers, of plans, or of a segment.")})
        return data


@admin.register(Benefit)
class BenefitAdmin(DeskAdmin):
    form = BenefitForm
    list_display = ("name", "kind", "says", "often", "whose", "had", "active")
    list_filter = ("kind", "active", "tiers", "plans")
    list_filter_submit = True
    sortable_by = ()
    fieldsets = (
        (None, {"fields": (("name_en", "name_zh_hans"), ("description_en", "description_zh_hans"))}),
        (_("What it is"), {"fields": (("kind", "value"), ("uses", "period"))}),
        (_("Who has it"), {"fields": ("tiers", "plans", "segment")}),
        (None, {"fields": (("active", "position"),)}),
    )

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.base_fields["value"].help_text = _(
            "For a multiplier the factor, for a member price percent off, for early access hours; else empty."
        )
        form.base_fields["uses"].label = _("How many times")
        form.base_fields["kind"].help_text = gettext(
            "A birthday multiplier holds for %(n)d days from the birthday on."
        ) % {"n": BIRTHDAY_DAYS}
        return form

    def get_queryset(self, request: HttpRequest):
        used = Count("used", filter=Q(used__undone_at=None), distinct=True)
        return (
            super().get_queryset(request).select_related("segment").prefetch_related("tiers", "plans").annotate(n=used)
        )

    @display(description=_("says"))
    def says(self, benefit: Benefit) -> str:
        return value_words(benefit) or "–"

    @display(description=_("how often"))
    def often(self, benefit: Benefit) -> str:
        return often_words(benefit)

    @display(description=_("who has it"))
    def whose(self, benefit: Benefit) -> str:
        names = [*(tier.name for tier in benefit.tiers.all()), *(plan.name for plan in benefit.plans.all())]
        return ", ".join([*names, *([str(benefit.segment)] if benefit.segment else [])])

    @display(description=_("had so far"))
    def had(self, benefit: Benefit) -> int:
        return benefit.n  # type: ignore[attr-defined]


class BenefitUseResource(OfMember):
    benefit = Field("benefit__name", column_name="benefit")
    staff = Field("actor__email", column_name="staff")

    class Meta:
        model = BenefitUse
        fields = ("id", "card", "name", "benefit", "at", "store", "note", "staff", "undone_at")
        export_order = fields


@admin.register(BenefitUse)
class BenefitUseAdmin(FoundByMember, ExportAdmin, ReadOnlyAdmin):
    """Written down at the till, on the member page or by connected systems, and undone on the member page."""

    resource_classes = (BenefitUseResource,)
    export_permission = "rewards.change_benefit"
    list_display = ("when", "who", "benefit", "store", "note", "actor", "stage")
    list_filter = ("benefit", ("undone_at", admin.EmptyFieldListFilter), "at")
    list_filter_submit = True
    list_select_related = ("member", "benefit", "actor")
    search_fields = ("key",)
    own_key = "key"
    ordering = ("-at", "-id")
    sortable_by = ()
    fields = ("when", "who", "benefit", "store", "note", "actor", "stage", ("source", "key"))
    readonly_fields = ("when", "who", "stage")

    @display(description=_("when"))
    def when(self, use: BenefitUse) -> str:
        return format_moment(use.at)

    @display(description=_("member"))
    def who(self, use: BenefitUse) -> str:
        return record_link("members_member", use.member_id, use.member)

    @display(description=_("state"), label={"had": "success", "undone": ""})
    def stage(self, use: BenefitUse) -> tuple[str, Any]:
        return Labelled(("undone", _("undone")) if use.undone_at else ("had", _("counts")))

"""What purchases earn, and the tiers: each says in words what it means."""

from decimal import Decimal

from django import forms
from django.contrib import admin, messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from common.admin import ConfirmView, DeskAdmin, rehearse
from common.doorbell import ring
from common.money import format_money, minor_digits, to_minor
from members.queries import get_programme
from members.validators import validate_currency
from rewards.models import EarningRule, Tier
from rewards.queries import points_text
from rewards.services.rules import publish_rule


def rule_words(rule: EarningRule, tiers: list[Tier]) -> str:
    """ "A purchase of €10.00 earns 10 points, Silver 12, Gold 15." """
    amount = Decimal(10 if minor_digits(rule.currency) else 1_000)
    plain = int(amount * rule.points_per_unit)
    words = {
        "amount": format_money(to_minor(amount, rule.currency), rule.currency),
        "points": points_text(plain),
        "tiers": "".join(
            gettext(", %(tier)s %(points)s")
            % {"tier": tier, "points": number_format(int(amount * rule.points_per_unit * tier.multiplier))}
            for tier in tiers
            if tier.multiplier != 1
        ),
    }
    return gettext("A purchase of %(amount)s earns %(points)s%(tiers)s.") % words


def validity_words(rule: EarningRule) -> str:
    text = ngettext(
        "They expire %(n)d month after the purchase.", "They expire %(n)d months after the purchase.", rule.valid_months
    )
    return text % {"n": rule.valid_months}


class RuleForm(forms.Form):
    currency = forms.CharField(
        label=_("Currency"), max_length=3, validators=[validate_currency], widget=UnfoldAdminTextInputWidget
    )
    points_per_unit = forms.DecimalField(
        label=_("Points for each 1.00"),
        max_digits=9,
        decimal_places=4,
        min_value=Decimal("0.0001"),
        help_text=_("A fraction of a point is dropped, once, at the end."),
        widget=UnfoldAdminDecimalFieldWidget,
    )
    valid_months = forms.IntegerField(
        label=_("Valid for months"), min_value=1, max_value=120, widget=UnfoldAdminIntegerFieldWidget
    )


class PublishRuleView(ConfirmView):
    title = _("What purchases earn")
    intro = _("A new version holds from now on. What was earned before stays as it is.")
    form_class = RuleForm
    permission_required = "rewards.add_earningrule"
    act_label = _("Publish")

    def get_initial(self) -> dict:
        currency = get_programme().currency
        rule = EarningRule.objects.filter(currency=currency, active=True).first()
        if rule is None:
            return {"currency": currency, "points_per_unit": 1, "valid_months": 12}
        return {
            "currency": currency,
            "points_per_unit": f"{rule.points_per_unit.normalize():f}",
            "valid_months": rule.valid_months,
        }

    def get_success_url(self) -> str:
        return reverse("admin:rewards_earningrule_changelist")

    def _publish(self, form: Form) -> EarningRule:
        return publish_rule(**form.cleaned_data, at=self.at, actor_id=self.request.user.pk)

    def preview(self, form: Form) -> list[str]:
        present = EarningRule.objects.filter(currency=form.cleaned_data["currency"], active=True).first()
        rule = rehearse(lambda: self._publish(form))
        tiers = list(Tier.objects.all())
        if present is not None and present.version == rule.version:
            return [gettext("This is what holds already: nothing will change."), rule_words(rule, tiers)]
        sentences = [rule_words(rule, tiers), validity_words(rule)]
        if present is not None:
            sentences.append(gettext("Until now: %(words)s") % {"words": rule_words(present, tiers)})
        return sentences

    def act(self, form: Form) -> str:
        return rule_words(self._publish(form), list(Tier.objects.all()))


@admin.register(EarningRule)
class EarningRuleAdmin(DeskAdmin):
    """Versions are never edited: the add page publishes the next one."""

    list_display = ("currency", "version", "holds", "words", "valid_months", "created_at", "created_by")
    list_filter = ("active", "currency")
    list_select_related = ("created_by",)
    ordering = ("-active", "currency", "-version")
    sortable_by = ()
    fields = (
        "words",
        ("currency", "version"),
        ("points_per_unit", "valid_months"),
        "active",
        ("created_at", "created_by"),
    )
    readonly_fields = ("words", "created_at")

    def has_change_permission(self, request: HttpRequest, obj: EarningRule | None = None) -> bool:
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict | None = None) -> HttpResponse:
        return PublishRuleView.answer(self, request)

    def get_changelist_instance(self, request: HttpRequest):
        shown = super().get_changelist_instance(request)
        tiers = list(Tier.objects.all())
        for rule in shown.result_list:
            rule.tiers = tiers
        return shown

    @display(description=pgettext_lazy("rule", "holds"), label={"yes": "success", "no": ""})
    def holds(self, rule: EarningRule) -> tuple:
        return ("yes", _("now")) if rule.active else ("no", _("past"))

    @display(description=_("in words"))
    def words(self, rule: EarningRule) -> str:
        return rule_words(rule, getattr(rule, "tiers", None) or list(Tier.objects.all()))


@admin.register(Tier)
class TierAdmin(DeskAdmin, TranslationAdmin):
    list_display = ("name", "threshold", "multiplier", "words")
    fields = ("name", "threshold", "multiplier", "words")
    readonly_fields = ("words",)

    def save_model(self, request: HttpRequest, obj: Tier, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "threshold" in form.changed_data:
            ring("rewards.tasks.reassess_tiers")
            messages.info(request, _("Members are being assessed anew."))

    @display(description=_("in words"))
    def words(self, tier: Tier) -> str:
        currency = get_programme().currency
        rule = EarningRule.objects.filter(currency=currency, active=True).first()
        if rule is None or not tier.pk:
            return "–"
        return rule_words(rule, [tier])

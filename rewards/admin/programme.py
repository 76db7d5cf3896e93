"""What purchases earn, and the tiers: each says in words what it means."""

from decimal import Decimal

from django import forms
from django.contrib import admin
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from common.admin import ConfirmView, DeskAdmin, found_or_404, rehearse
from common.money import format_money, minor_digits, to_minor
from members.queries import get_programme
from members.validators import validate_currency
from rewards.models import EarningRule, Tier
from rewards.queries import Rate, plain_rate, points_text
from rewards.services.rules import publish_rule
from rewards.services.tier_steps import moves, save_tier


def rule_words(rule: Rate, tiers: list[Tier]) -> str:
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


def validity_words(rule: Rate) -> str:
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
        rule = plain_rate(currency, timezone.now())
        if rule is None:
            return {"currency": currency, "points_per_unit": 1, "valid_months": 12}
        return {
            "currency": currency,
            "points_per_unit": f"{rule.points_per_unit.normalize():f}",
            "valid_months": rule.valid_months,
        }

    def get_success_url(self) -> str:
        return reverse("admin:rewards_earningrule_changelist")

    def _publish(self, form: Form) -> Rate:
        publish_rule(**form.cleaned_data, at=self.at, actor_id=self.request.user.pk)
        rate = plain_rate(form.cleaned_data["currency"], self.at)
        if rate is None:
            raise RuntimeError("what was just published holds")
        return rate

    def preview(self, form: Form) -> list[str]:
        present = plain_rate(form.cleaned_data["currency"], self.at)
        rule = rehearse(lambda: self._publish(form))
        tiers = list(Tier.objects.all())
        if present == rule:
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

    list_display = ("name", "trigger", "unit", "state", "created_at", "created_by")
    list_filter = ("state",)
    list_select_related = ("created_by",)
    fields = ("name", "description", ("trigger", "unit"), ("budget", "budget_spent"), ("created_at", "created_by"))
    readonly_fields = ("created_at", "budget_spent")

    def has_change_permission(self, request: HttpRequest, obj: EarningRule | None = None) -> bool:
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict | None = None) -> HttpResponse:
        return PublishRuleView.answer(self, request)


class TierForm(forms.Form):
    name_en = forms.CharField(label=_("Name, in English"), max_length=40, widget=UnfoldAdminTextInputWidget)
    name_zh_hans = forms.CharField(
        label=_("Name, in Chinese"), max_length=40, required=False, widget=UnfoldAdminTextInputWidget
    )
    threshold = forms.IntegerField(
        label=_("From so many points in 12 months"),
        min_value=0,
        max_value=2_000_000_000,
        help_text=_("The lowest tier begins at 0."),
        widget=UnfoldAdminIntegerFieldWidget,
    )
    multiplier = forms.DecimalField(
        label=_("Multiplier"),
        max_digits=4,
        decimal_places=2,
        min_value=Decimal("0.01"),
        help_text=_("What members of this tier earn on purchases: 1.5 is half as much again."),
        widget=UnfoldAdminDecimalFieldWidget,
    )


class SaveTierView(ConfirmView):
    """A tier, in two steps: what it is to be, and whom that moves."""

    form_class = TierForm
    act_label = _("Save")

    @cached_property
    def tier(self) -> Tier | None:
        return found_or_404(Tier, self.kwargs["object_id"]) if "object_id" in self.kwargs else None

    @property
    def title(self) -> str:  # type: ignore[override]
        return gettext("Change the tier “%(tier)s”") % {"tier": self.tier} if self.tier else gettext("Add a tier")

    def get_permission_required(self) -> tuple[str]:
        return ("rewards.change_tier" if self.tier else "rewards.add_tier",)

    def get_object(self) -> Tier | None:
        return self.tier

    def get_initial(self) -> dict:
        fields = ("name_en", "name_zh_hans", "threshold")
        if self.tier is None:
            return {"multiplier": 1, **({} if Tier.objects.exists() else {"threshold": 0})}
        multiplier = f"{self.tier.multiplier.normalize():f}"
        return {"multiplier": multiplier, **{name: getattr(self.tier, name) for name in fields}}

    def get_success_url(self) -> str:
        return reverse("admin:rewards_tier_changelist")

    def _save(self, form: Form) -> Tier:
        return save_tier(tier_id=self.tier.pk if self.tier else None, **form.cleaned_data)

    def preview(self, form: Form) -> list[str]:
        tier = rehearse(lambda: self._save(form))
        found = moves(tier_id=self.tier.pk if self.tier else None, threshold=tier.threshold)
        sentences = [gettext("%(tier)s begins at %(points)s.") % {"tier": tier, "points": points_text(tier.threshold)}]
        rule = plain_rate(get_programme().currency, timezone.now())
        if rule is not None:
            sentences.append(rule_words(rule, [tier]))
        if not found.up and not found.down:
            return [*sentences, gettext("Nobody moves to another tier.")]
        standing = ngettext(
            "%(n)s member will stand on it, after %(before)s now.",
            "%(n)s members will stand on it, after %(before)s now.",
            found.on,
        )
        words = {"n": number_format(found.on), "before": number_format(found.on_before)}
        sentences.append(standing % words)
        for n, text in (
            (found.up, ngettext("%(n)s member moves up.", "%(n)s members move up.", found.up)),
            (found.down, ngettext("%(n)s member moves down.", "%(n)s members move down.", found.down)),
        ):
            if n:
                sentences.append(text % {"n": number_format(n)})
        return sentences

    def act(self, form: Form) -> str:
        moved = "threshold" in form.changed_data
        tier = self._save(form)
        saved = gettext("%(tier)s is saved.") % {"tier": tier}
        return f"{saved} {gettext('Members are being assessed anew.')}" if moved else saved


@admin.register(Tier)
class TierAdmin(DeskAdmin):
    """The steps in their order; each is changed in two steps that say whom it moves."""

    list_display = ("name", "threshold", "multiplier", "words")
    fields = ("name", "threshold", "multiplier", "words")
    readonly_fields = ("words",)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict | None = None) -> HttpResponse:
        return SaveTierView.answer(self, request)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict | None = None):
        if not self.has_change_permission(request):
            return super().change_view(request, object_id, form_url, extra_context)
        return SaveTierView.answer(self, request, object_id=object_id)

    @display(description=_("in words"))
    def words(self, tier: Tier) -> str:
        currency = get_programme().currency
        rule = plain_rate(currency, timezone.now())
        if rule is None or not tier.pk:
            return "–"
        return rule_words(rule, [tier])

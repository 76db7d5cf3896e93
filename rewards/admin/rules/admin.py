"""Earning rules: the list, the editor, the page of each."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import DeskAdmin, QuickChangeList, found_or_404, guarded
from members.queries import get_programme
from rewards.admin.rules import acts, builder, page, preset, ready, trying, why
from rewards.admin.rules.beginnings import beginning, beginning_of
from rewards.admin.rules.forms import RuleForm
from rewards.admin.rules.saying import amount_text, names_of, said
from rewards.earning import triggers
from rewards.earning.definition import BadRule
from rewards.enums import RuleState
from rewards.models import EarningRule, RuleVersion
from rewards.queries import reward_settings
from rewards.queries_given import Given, given_by
from rewards.services.earning.publishing import BudgetSpent, Fixed, duplicate, save_draft, version_at

TONES = {"live": "success", "paused": "warning", "draft": "info", "ended": "", "archived": ""}


class StateFilter(admin.SimpleListFilter):
    """What has ended is out of the way until somebody asks for it."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [*RuleState.choices, ("all", _("All"))]

    def choices(self, changelist):
        first, *others = super().choices(changelist)
        yield {**first, "display": _("In use")}
        yield from others

    def queryset(self, request, queryset):
        match self.value():
            case "all":
                return queryset.exclude(state=RuleState.ARCHIVED)
            case None:
                return queryset.exclude(state__in=[RuleState.ENDED, RuleState.ARCHIVED])
        return queryset.filter(state=self.value())


class TriggerFilter(admin.SimpleListFilter):
    title = _("trigger")
    parameter_name = "trigger"

    def lookups(self, request, model_admin):
        used = EarningRule.objects.order_by("trigger").values_list("trigger", flat=True).distinct()
        return [(name, triggers.label(name)) for name in used]

    def queryset(self, request, queryset):
        return queryset.filter(trigger=self.value()) if self.value() else queryset


class RuleChangeList(QuickChangeList):
    """Asks once what all rules gave, and gives each the version that it is about."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        at, currency, cost = now(), get_programme().currency, reward_settings().point_cost
        rules: list[Any] = list(self.result_list)  # type: ignore[has-type]
        given = given_by([rule.pk for rule in rules], since=page.this_month(at), until=at + timedelta(days=1))
        for rule in rules:
            versions = rule.known_versions
            rule.shown_version = version_at(versions, at) or (versions[0] if versions else None)
            rule.month, rule.currency_shown, rule.cost_shown = given.get(rule.pk, Given()), currency, cost
        names = names_of(rule.shown_version.definition for rule in rules if rule.shown_version)
        for rule in rules:
            version = rule.shown_version
            rule.words = said(version.definition, rule.trigger, rule.unit, names, currency) if version else ""
        self.result_list = rules


@admin.register(EarningRule)
class EarningRuleAdmin(DeskAdmin):
    list_display = ("shown_name", "shown_state", "shown_trigger", "month", "budget_bar")
    list_filter = (StateFilter, TriggerFilter, "unit")
    search_fields = ("name_en", "name_zh_hans", "description_en", "description_zh_hans")
    search_help_text = _("Name or sentence")
    ordering = ("position", "id")
    sortable_by = ()
    list_before_template = "admin/rules/list_before.html"

    class Media:
        css = {"all": ["desk/segments.css", "desk/rules.css"]}

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str, permission: str = "view") -> Any:
            guard = guarded(self, view, permission)
            return path(route, self.admin_site.admin_view(guard), name=f"rewards_earningrule_{name}")

        confirms = {"publish": acts.PublishView, "pause": acts.PauseView, "resume": acts.ResumeView,
                    "end": acts.EndView, "discard": acts.DiscardView,
                    "archive": acts.ArchiveView, "restore": acts.BringBackView}  # fmt: skip
        return [
            own("preview/", builder.preview, "preview"),
            own("estimate/", builder.estimate, "estimate"),
            own("suggest/", builder.suggest, "suggest"),
            own("try/", self.trying, "try"),
            own("why/<str:kind>/<int:object_id>/", self.why, "why"),
            own("programme/", self.programme, "programme", "add"),
            own("<int:object_id>/edit/", self.edit, "edit", "change"),
            own("<int:object_id>/duplicate/", self.duplicate, "duplicate", "add"),
            *(own(f"<int:object_id>/{name}/", self._confirm(view), name, "change") for name, view in confirms.items()),
            *super().get_urls(),
        ]

    def _confirm(self, view: Any) -> Any:
        return lambda request, object_id: view.answer(self, request, object_id=object_id)

    # --- The list ---------------------------------------------------------------------------------------------------
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RuleChangeList]:
        return RuleChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[EarningRule]:
        versions = Prefetch("versions", RuleVersion.objects.order_by("-number"), to_attr="known_versions")
        return super().get_queryset(request).prefetch_related(versions)

    @display(description=_("rule"))
    def shown_name(self, rule: Any) -> str:
        cell = '<span class="rule-cell"><strong>{}</strong><span class="desk-muted">{}</span></span>'
        return format_html(cell, rule.name, rule.words)

    @display(description=_("state"), label=TONES)
    def shown_state(self, rule: EarningRule) -> tuple[str, Any]:
        return rule.state, rule.get_state_display()

    @display(description=_("trigger"))
    def shown_trigger(self, rule: EarningRule) -> str:
        return triggers.label(rule.trigger)

    @display(description=_("given this month"))
    def month(self, rule: Any) -> str:
        return amount_text(rule.month.amount, rule.unit, rule.currency_shown) if rule.month.times else "–"

    @display(description=_("budget"))
    def budget_bar(self, rule: Any) -> str:
        found = page.budget(rule, rule.currency_shown, rule.cost_shown)
        return render_to_string("admin/rules/budget.html", {"budget": found}) if found else "–"

    # --- The editor -------------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Nothing, or a rule that is ready-made; which of them is asked first."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST" and not {"blank", "template"} & request.GET.keys():
            cards = [(one, said(one.definition, one.trigger, one.unit)) for one in self._ready()]
            return self.show(request, "start", title=_("New rule"), cards=cards)
        return self._builder(request, None, initial=self._beginning(request))

    @staticmethod
    def _ready() -> list[ready.Ready]:
        currency = get_programme().currency
        return [one.in_currency(currency) for one in ready.ready_made()]

    @staticmethod
    def _beginning(request: HttpRequest) -> dict[str, Any]:
        currency = get_programme().currency
        found = ready.find(request.GET.get("template", ""))
        if found is None:
            blank = {"effect": {"kind": "per_amount", "points": "1", "per": "1"}}
            return beginning(blank, currency=currency)
        told = found.in_currency(currency)
        return beginning(told.definition, trigger=told.trigger, unit=told.unit, currency=currency) | told.in_languages()

    def edit(self, request: HttpRequest, object_id: int) -> HttpResponse:
        rule = found_or_404(EarningRule, object_id)
        latest = rule.versions.order_by("-number").first()
        return self._builder(request, rule, initial=beginning_of(rule, latest, get_programme().currency))

    def _builder(self, request: HttpRequest, rule: EarningRule | None, *, initial: dict[str, Any]) -> HttpResponse:
        form = builder.form_for(request, rule, initial)
        checked: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            if "check" in request.POST:
                checked = {"sentences": builder.in_words(form), "estimate": builder.estimated(form, rule)}
            elif saved := self._save(request, form, rule):
                if "publish" in request.POST:
                    return redirect("admin:rewards_earningrule_publish", saved.rule_id)
                return redirect("admin:rewards_earningrule_change", saved.rule_id)
        return self.show(
            request,
            "builder",
            rule,
            title=_("Edit the rule") if rule else _("New rule"),
            form=form,
            checked=checked,
            plan=builder.what_saving_does(rule),
            script_words=builder.script_words(),
            script_settings=builder.script_settings(rule),
        )

    def _save(self, request: HttpRequest, form: RuleForm, rule: EarningRule | None) -> RuleVersion | None:
        try:
            saved = save_draft(rule_id=rule.pk if rule else None, **form.wanted(), at=now(), actor_id=request.user.pk)
        except Fixed:
            form.add_error("trigger", gettext("This stays once a version is published. Make another rule instead."))
        except BudgetSpent as error:
            spent = amount_text(error.spent, form.wanted()["unit"], get_programme().currency)
            name = "budget_money" if error.in_money else "budget"
            form.add_error(name, gettext("%(spent)s of it is given already.") % {"spent": spent})
        except BadRule as bad:  # the form asked the same a moment ago
            form.add_error(None, [str(problem.sentence) for problem in bad.problems])
        else:
            if rule is None:
                self.log_addition(request, saved.rule, gettext("Made as a draft."))
            else:
                self.log_change(request, saved.rule, gettext("Draft saved."))
            messages.success(request, gettext("The draft of “%(name)s” is saved.") % {"name": saved.rule})
            return saved
        return None

    def duplicate(self, request: HttpRequest, object_id: int) -> HttpResponse:
        rule = found_or_404(EarningRule, object_id)
        if request.method != "POST":
            return redirect("admin:rewards_earningrule_change", rule.pk)
        names = {
            "en": gettext("%(name)s (copy)") % {"name": rule.name_en},
            "zh-hans": f"{rule.name_zh_hans}（副本）" if rule.name_zh_hans else "",
        }
        names = {code: text[:80] for code, text in names.items()}
        made = duplicate(rule_id=rule.pk, names=names, at=now(), actor_id=request.user.pk)
        self.log_addition(request, made, gettext("Copied from “%(name)s”.") % {"name": rule})
        messages.success(request, gettext("This is the copy, as a draft."))
        return redirect("admin:rewards_earningrule_edit", made.pk)

    # --- A rule -----------------------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rule: EarningRule = found_or_404(EarningRule.objects.select_related("created_by"), object_id)
        return self.show(request, "rule", rule, title=str(rule), **page.rule_page(rule, at=now()))

    def trying(self, request: HttpRequest) -> HttpResponse:
        context = trying.try_page(request, at=now())
        return self.show(request, "try", title=_("Try a basket"), **context)

    def why(self, request: HttpRequest, kind: str, object_id: int) -> HttpResponse:
        if not request.user.has_perm("members.view_purchase"):
            raise PermissionDenied
        context = why.why_page(kind, object_id)
        url = reverse("admin:members_purchase_change", args=[object_id]) if kind == "purchase" else ""
        return self.show(request, "why", title=_("Why?"), purchase_url=url, **context)

    def programme(self, request: HttpRequest) -> HttpResponse:
        return preset.ProgrammeView.answer(self, request)

    def show(
        self, request: HttpRequest, template: str, rule: EarningRule | None = None, **context: Any
    ) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": rule,
            "rule": rule,
            "media": self.media,
            "may_change": self.has_change_permission(request),
            "may_add": self.has_add_permission(request),
            **context,
        }
        return TemplateResponse(request, f"admin/rules/{template}.html", context)

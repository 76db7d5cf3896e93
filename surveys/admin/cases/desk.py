"""What the desk works by: categories, causes, words, times, rules, limits; and improvements and suggestions."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.formats import date_format
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ArchivedFilter, DeskAdmin, Labelled, ReadOnlyAdmin, Tones, found_or_404, guarded
from common.moments import format_moment
from surveys.admin.cases.forms import CaseRuleForm
from surveys.enums_cases import ActionState, Effect, IdeaState
from surveys.models import (
    CannedReply,
    CareSettings,
    CareTarget,
    CaseRule,
    Category,
    Holiday,
    ImprovementAction,
    OpeningHours,
    RemedyLimit,
    RootCause,
    Suggestion,
)
from surveys.queries_effect import effect_of
from surveys.services.cases.improving import TooEarly, check, set_state
from surveys.words_cases import minutes_words, name_of


@admin.register(Category)
class CategoryAdmin(DeskAdmin):
    list_display = ("name", "position", "owner")
    list_select_related = ("owner",)
    list_filter = (ArchivedFilter,)
    fields = ("name_en", "name_zh_hans", ("position", "owner"), "archived_at")


@admin.register(RootCause)
class RootCauseAdmin(DeskAdmin):
    list_display = ("name",)
    list_filter = (ArchivedFilter,)
    fields = ("name_en", "name_zh_hans", "archived_at")


@admin.register(CannedReply)
class CannedReplyAdmin(DeskAdmin):
    list_display = ("name", "begins")
    list_filter = (ArchivedFilter,)
    search_fields = ("name", "text_en", "text_zh_hans")
    fields = ("name", "text_en", "text_zh_hans", "archived_at")

    @display(description=_("text"))
    def begins(self, reply: CannedReply) -> str:
        return reply.text[:90]


@admin.register(CareTarget)
class CareTargetAdmin(DeskAdmin):
    list_display = ("severity", "answer", "resolve")
    fields = ("severity", "answer_minutes", "resolve_minutes")

    @display(description=_("first answer within"))
    def answer(self, target: CareTarget) -> str:
        return minutes_words(target.answer_minutes)

    @display(description=_("put right within"))
    def resolve(self, target: CareTarget) -> str:
        return minutes_words(target.resolve_minutes)


@admin.register(OpeningHours)
class OpeningHoursAdmin(DeskAdmin):
    list_display = ("weekday", "opens", "closes")
    fields = ("weekday", ("opens", "closes"))
    sortable_by = ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("surveys.delete_openinghours")


@admin.register(Holiday)
class HolidayAdmin(DeskAdmin):
    list_display = ("day", "name")
    fields = ("day", "name")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("surveys.delete_holiday")


@admin.register(CaseRule)
class CaseRuleAdmin(DeskAdmin):
    list_display = ("shown", "severity", "category", "owner", "active")
    list_select_related = ("survey", "category", "owner")
    form = CaseRuleForm
    fields = ("asked", "at_most", ("severity", "category"), "owner", "active", "since")

    def save_model(self, request: HttpRequest, rule: CaseRule, form: Any, change: bool) -> None:
        rule.survey_id, rule.question = form.cleaned_data["asked"]
        super().save_model(request, rule, form, change)

    @display(description=_("opens a case"))
    def shown(self, rule: CaseRule) -> str:
        where = str(rule.survey) if rule.survey else gettext("every survey")
        if rule.question:
            words = {"survey": where, "question": rule.question, "most": f"{rule.at_most:f}".rstrip("0").rstrip(".")}
            return gettext("%(survey)s: %(question)s of at most %(most)s") % words
        return gettext("%(survey)s: NPS of at most 6, CSAT of at most 2, CES of at most 3") % {"survey": where}


@admin.register(RemedyLimit)
class RemedyLimitAdmin(DeskAdmin):
    list_display = ("role", "points", "coupons")
    list_select_related = ("role",)
    fields = ("role", ("points", "coupons"))


@admin.register(CareSettings)
class CareSettingsAdmin(DeskAdmin):
    list_display = ("__str__", "remind_minutes", "escalate_to", "close_after_days")
    fields = ("on_duty", "remind_minutes", "escalate_to", "close_after_days")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request) and not CareSettings.objects.exists()


# --- Improvements -----------------------------------------------------------------------------------------------
EFFECTS = Tones({Effect.WORKED: "success", Effect.UNCLEAR: "warning", Effect.FAILED: "danger"})
ACTIONS = Tones({ActionState.DOING: "info", ActionState.DONE: "success", ActionState.PLANNED: "warning"})


@admin.register(ImprovementAction)
class ImprovementActionAdmin(DeskAdmin):
    list_display = ("title", "cause", "shown_state", "who", "until", "shown_effect")
    list_filter = ("state", "effect", "cause")
    list_select_related = ("cause", "assignee")
    search_fields = ("title",)
    ordering = ("-created_at", "-id")
    sortable_by = ()
    fields = ("title", "details", "cause", ("assignee", "due_on"), "check_days")
    autocomplete_fields = ()

    class Media:
        css = {"all": ["desk/segments.css", "desk/cases.css"]}

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(guarded(self, self.move, "change"))
        effect = self.admin_site.admin_view(guarded(self, self.effect))
        return [
            path("<int:object_id>/move/", view, name="surveys_improvementaction_move"),
            path("<int:object_id>/effect/", effect, name="surveys_improvementaction_effect"),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: ImprovementAction, form: Any, change: bool) -> None:
        if not change:
            obj.created_at, obj.created_by_id = now(), request.user.pk
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        super().response_add(request, obj, post_url_continue)
        return redirect("admin:surveys_improvementaction_effect", obj.pk)

    def effect(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The improvement, its cases, and whether it helped."""
        action = found_or_404(ImprovementAction.objects.select_related("cause", "assignee"), object_id)
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "original": action, "media": self.media,
            "title": action.title, "action": action, "effect": effect_of(action, at=now()),
            "who": name_of(action.assignee),
            "cases": action.cases.select_related("member").order_by("-opened_at")[:100],
            "states": [(state.value, state.label) for state in ActionState if state != action.state],
            "may_change": self.has_change_permission(request),
        }  # fmt: skip
        return TemplateResponse(request, "surveys/admin/cases/improvement.html", context)

    def move(self, request: HttpRequest, object_id: int) -> HttpResponse:
        action = found_or_404(ImprovementAction, object_id)
        if request.method == "POST":
            if request.POST.get("check"):
                try:
                    check(action_id=action.pk, at=now())
                except TooEarly:
                    messages.warning(request, gettext("The days after which the effect is looked at are not over."))
            elif request.POST.get("to") in ActionState.values:
                set_state(action_id=action.pk, state=request.POST["to"], at=now())
        return redirect("admin:surveys_improvementaction_effect", action.pk)

    @display(description=_("state"), label=ACTIONS)
    def shown_state(self, action: ImprovementAction) -> Labelled:
        return Labelled((action.state, action.get_state_display()))  # type: ignore[attr-defined]

    @display(description=_("who"))
    def who(self, action: ImprovementAction) -> str:
        return name_of(action.assignee) or "–"

    @display(description=_("until"))
    def until(self, action: ImprovementAction) -> str:
        return date_format(action.due_on) if action.due_on else "–"

    @display(description=_("effect"), label=EFFECTS)
    def shown_effect(self, action: ImprovementAction) -> Labelled:
        return Labelled((action.effect, action.get_effect_display() or "–"))  # type: ignore[attr-defined]


IDEAS = Tones({IdeaState.DONE: "success", IdeaState.PLANNED: "info", IdeaState.OPEN: "warning"})


@admin.register(Suggestion)
class SuggestionAdmin(ReadOnlyAdmin):
    """Suggestions as members see them; they are written on the page of their case."""

    list_display = ("title", "shown_state", "liked", "shown_since")
    list_filter = ("state", "published_at")
    search_fields = ("title_en", "title_zh_hans")
    ordering = ("-changed_at", "-id")
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> Any:
        from django.db.models import Count, Q

        here = Q(likes__member__merged_into=None, likes__member__erased_at=None)
        return (
            super().get_queryset(request).annotate(likes_now=Count("likes", filter=here)).order_by("-likes_now", "-pk")
        )

    def change_view(self, request, object_id, form_url="", extra_context=None):
        if not self.has_view_permission(request):
            return super().change_view(request, object_id)
        return redirect("admin:surveys_case_change", found_or_404(Suggestion, object_id).case_id)

    @display(description=_("state"), label=IDEAS)
    def shown_state(self, idea: Suggestion) -> Labelled:
        return Labelled((idea.state, idea.get_state_display()))  # type: ignore[attr-defined]

    @display(description=_("likes"))
    def liked(self, idea: Any) -> int:
        return idea.likes_now

    @display(description=_("shown since"))
    def shown_since(self, idea: Suggestion) -> str:
        return format_moment(idea.published_at) if idea.published_at else gettext("not shown")

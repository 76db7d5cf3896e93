"""The shop's own dictionary: themes, the words by which each is known, and what these would find."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.timezone import now
from django.utils.translation import get_language, gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import DeskAdmin, guarded
from surveys.models import Theme
from surveys.queries_words import caught_by
from surveys.ready_themes import THEMES
from surveys.services.themes import add_ready, save_theme
from surveys.wording import LONGEST_TERM, MOST_TERMS, terms_of

NEWEST, EXAMPLES = 1000, 5


@admin.register(Theme)
class ThemeAdmin(DeskAdmin):
    list_display = ("name", "known_by", "standing")
    search_fields = ("name_en", "name_zh_hans", "terms")
    fields = (("name_en", "name_zh_hans"), "terms")
    list_before_template = "surveys/admin/themes_ready.html"
    change_form_after_template = "surveys/admin/theme_try.html"

    class Media:
        css = {"all": ["desk/segments.css", "desk/surveys.css"]}

    def get_urls(self) -> list:
        trying = self.admin_site.admin_view(guarded(self, self.trying))
        ready = self.admin_site.admin_view(guarded(self, self.ready, "add"))
        return [
            path("try/", trying, name="surveys_theme_try"),
            path("ready/", ready, name="surveys_theme_ready"),
            *super().get_urls(),
        ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing hangs on a theme but figures, which are counted anew."""
        return self.has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Theme, form: Any, change: bool) -> None:
        save_theme(obj, at=now())
        if not obj.settled:
            self.message_user(request, gettext("Texts are looked through for it within a minute or two."))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        there = set(Theme.objects.exclude(ready="").values_list("ready", flat=True))
        left = len(THEMES.keys() - there) if self.has_add_permission(request) else 0
        return super().changelist_view(request, {"ready_left": left, **(extra_context or {})})

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        theme = self.get_object(request, object_id) if object_id else None
        context = {"caught": self._caught(theme.terms)} if theme else {}
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def trying(self, request: HttpRequest) -> HttpResponse:
        """What the words that are being written would find; nothing is kept."""
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {"caught": self._caught(request.POST.get("terms", ""))}
        if request.htmx:  # type: ignore[attr-defined]
            return TemplateResponse(request, "surveys/admin/theme_caught.html", context)
        context |= {**self.admin_site.each_context(request), "opts": self.opts, "title": gettext("What it would find")}
        return TemplateResponse(request, "surveys/admin/theme_tried.html", context)

    def _caught(self, told: str) -> Any:
        return caught_by(told[: MOST_TERMS * (LONGEST_TERM + 2)], newest=NEWEST, most=EXAMPLES)

    def ready(self, request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            n = add_ready(at=now())
            self.message_user(
                request, ngettext("%(n)d theme was added.", "%(n)d themes were added.", n) % {"n": n}, messages.SUCCESS
            )
        return redirect("admin:surveys_theme_changelist")

    @display(description=pgettext_lazy("theme", "words"))
    def known_by(self, theme: Theme) -> str:
        chinese = (get_language() or "").startswith("zh")
        terms = sorted(terms_of(theme.terms), key=lambda term: term.isascii() is chinese)  # one's own language first
        return ", ".join(terms[:8]) + (" …" if len(terms) > 8 else "")

    @display(description=_("state"))
    def standing(self, theme: Theme) -> str:
        return gettext("found in all texts") if theme.settled else gettext("texts are being looked through")

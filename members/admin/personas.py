"""Personas: kinds of customers, described for people, each with the segment of who belongs to it."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from common.admin import DeskAdmin
from members.admin.segments.states import standing
from members.admin.segments.words import members_text, sentence
from members.models import Persona, Segment
from members.queries_segments import freshnesses


class PersonaForm(forms.ModelForm):
    segment: Any = forms.ModelChoiceField(
        label=_("Who belongs to it"), queryset=Segment.objects.none(), widget=UnfoldAdminSelectWidget
    )

    class Meta:
        widgets = {
            f"{field}_{language}": UnfoldAdminTextareaWidget(attrs={"rows": 3})
            for field in ("who", "wants", "frustrations")
            for language in ("en", "zh_hans")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.instance.segment_id
        free = Segment.objects.filter(archived_at=None, persona=None)
        if "segment" in self.fields:
            self.fields["segment"].queryset = free | Segment.objects.filter(pk=own)  # type: ignore[attr-defined]


@admin.register(Persona)
class PersonaAdmin(DeskAdmin, TranslationAdmin):
    """The list is a wall of cards: personas are few, and are read."""

    form = PersonaForm
    ordering = ("position", "id")
    fieldsets = (
        (None, {"fields": (("segment", "position"),)}),
        (_("English"), {"classes": ("tab",), "fields": ("who_en", "wants_en", "frustrations_en")}),
        (
            _("Simplified Chinese"),
            {"classes": ("tab",), "fields": ("who_zh_hans", "wants_zh_hans", "frustrations_zh_hans")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Persona]:
        return super().get_queryset(request).select_related("segment")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A description that is wrong can go: nothing hangs on it."""
        return self.has_change_permission(request, obj)

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        at = now()
        states = freshnesses(at=at)
        cards = [
            {
                "persona": persona,
                "segment": persona.segment,
                "size": members_text(persona.segment.size),
                "sentence": sentence(persona.segment.definition),
                "standing": standing(persona.segment, at, states.get(persona.segment_id)),
            }
            for persona in self.get_queryset(request)
        ]
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Personas"),
            "cards": cards,
            "may_add": self.has_add_permission(request),
            "may_change": self.has_change_permission(request),
        }
        return TemplateResponse(request, "admin/personas.html", context)

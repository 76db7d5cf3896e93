"""The programme's settings, and the sentences members agree to."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from common.admin import DeskAdmin, TimeZoneField
from members.models import ConsentWording, Programme
from members.services.consent import apply_profiling_default, publish_wording


class ProgrammeForm(forms.ModelForm):
    time_zone = TimeZoneField()

    class Meta:
        widgets = {"postal_address": UnfoldAdminTextareaWidget(attrs={"rows": 3})}


@admin.register(Programme)
class ProgrammeAdmin(DeskAdmin):
    """One row: the list leads straight to it."""

    form = ProgrammeForm
    fieldsets = (
        (None, {"fields": ("name", "currency", "language", "time_zone")}),
        (_("Privacy"), {"fields": ("minimum_age", "guardian_may_consent", "personalise_by_default")}),
        (_("In every mail"), {"fields": ("postal_address", "contact_email")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Programme.objects.exists()

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        if self.has_add_permission(request):
            return redirect("admin:members_programme_add")
        return redirect("admin:members_programme_change", 1)

    def save_model(self, request: HttpRequest, obj: Programme, form: forms.ModelForm, change: bool) -> None:
        obj.pk = 1
        super().save_model(request, obj, form, change)
        if "personalise_by_default" in form.changed_data:
            apply_profiling_default()


@admin.register(ConsentWording)
class ConsentWordingAdmin(DeskAdmin, TranslationAdmin):
    """A wording is never changed: who agreed to it agreed to those words. A new one is a new version."""

    list_display = ("purpose", "version", "text", "created_at")
    list_filter = ("purpose",)
    ordering = ("purpose", "-version")
    fields = ("purpose", "text")
    readonly_fields = ("created_at",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ConsentWording, form: forms.ModelForm, change: bool) -> None:
        made = publish_wording(purpose=obj.purpose, text_en=obj.text_en, text_zh_hans=obj.text_zh_hans)
        obj.pk, obj.version = made.pk, made.version

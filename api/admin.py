"""Keys of connected systems: made here, shown once, revoked here."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from api.admin_answers import AnswerAdmin  # noqa: F401  registers itself
from api.enums import Scope
from api.models import ApiKey
from api.services.keys import clean_source, create_key, revoke_key
from common.admin import ConfirmView, DeskAdmin, Labelled, found_or_404
from common.moments import format_moment


class KeyForm(forms.ModelForm):
    name = forms.CharField(label=_("Name"), max_length=80, widget=UnfoldAdminTextInputWidget)
    source = forms.CharField(
        label=_("System"),
        max_length=40,
        help_text=_("A short word for the connected system: “shop”. Receipt numbers are its own; keys may share it."),
        widget=UnfoldAdminTextInputWidget,
    )
    scopes = forms.MultipleChoiceField(
        label=_("May"),
        choices=[(scope.value, scope.label) for scope in Scope],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    per_minute = forms.IntegerField(
        label=_("Calls a minute"),
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text=_("Empty: as many as it makes."),
        widget=UnfoldAdminIntegerFieldWidget,
    )

    class Meta:
        model = ApiKey
        fields = ("name", "source", "scopes", "per_minute")

    def clean_source(self) -> str:
        try:
            return clean_source(self.cleaned_data["source"])
        except forms.ValidationError as error:
            raise forms.ValidationError(error.messages) from None


class RevokeView(ConfirmView):
    title = _("Revoke the key")
    form_class = forms.Form
    permission_required = "api.change_apikey"
    act_label = _("Revoke")
    danger = True

    def get_object(self) -> ApiKey:
        return found_or_404(ApiKey, self.kwargs["object_id"])

    @property
    def intro(self) -> str:
        key = self.get_object()
        return f"{key.name} · {key.source} · {key.prefix}…"

    def get_success_url(self) -> str:
        return reverse("admin:api_apikey_change", args=[self.kwargs["object_id"]])

    def preview(self, form: forms.Form) -> list[str]:
        key = self.get_object()
        used = format_moment(key.last_used_at)
        return [
            gettext("From now on “%(name)s” is refused, for ever.") % {"name": key.name},
            gettext("It was last used on %(when)s.") % {"when": used} if used else gettext("It was never used."),
        ]

    def act(self, form: forms.Form) -> str:
        revoke_key(key_id=self.get_object().pk, at=self.at)
        return gettext("The key is revoked.")


@admin.register(ApiKey)
class ApiKeyAdmin(DeskAdmin):
    form = KeyForm
    list_display = ("name", "source", "shown_prefix", "state", "last_used", "created_at")
    list_filter = ("source",)
    search_fields = ("name", "prefix")
    actions_detail = ("revoke",)
    ordering = ("-created_at", "-pk")
    fieldsets = ((None, {"fields": ("name", "source", "scopes", "per_minute")}),)
    kept_fieldsets = (
        (None, {"fields": (("name", "state"), ("source", "shown_prefix"), "may", "per_minute")}),
        (_("Dates"), {"fields": (("created_at", "created_by"), ("last_used", "revoked_at"))}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None):
        return self.kept_fieldsets if obj else self.fieldsets

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What a key may do never changes behind its system's back: another key is made."""
        return obj is None and super().has_change_permission(request)

    def has_revoke_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("api.change_apikey")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple:
        return ("state", "shown_prefix", "may", "last_used", "created_at", "created_by", "revoked_at") if obj else ()

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm, change: bool) -> None:
        row, key = create_key(**form.cleaned_data, actor_id=request.user.pk)
        obj.pk, obj.prefix = row.pk, row.prefix
        request._new_key = key  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """The one page that shows the key: it stands in no message, no session, no address."""
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Your new key"),
            "opts": self.opts,
            "key": request._new_key,  # type: ignore[attr-defined]
            "row": obj,
        }
        return TemplateResponse(request, "admin/api_key.html", context, headers={"Cache-Control": "no-store"})

    @action(description=_("Revoke"), url_path="revoke", permissions=["revoke"], icon="block")
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return RevokeView.answer(self, request, object_id=object_id)

    @display(description=_("begins with"))
    def shown_prefix(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @display(description=_("state"), label={"valid": "success", "revoked": "danger"})
    def state(self, key: ApiKey) -> tuple[str, Any]:
        return Labelled(("revoked", _("Revoked")) if key.revoked_at else ("valid", _("Valid")))

    @display(description=_("last used"), ordering="last_used_at")
    def last_used(self, key: ApiKey) -> str:
        return format_moment(key.last_used_at) or gettext("never")

    @display(description=_("may"))
    def may(self, key: ApiKey) -> str:
        return format_html_join("", "{} ({})<br>", ((Scope(scope).label, scope) for scope in key.scopes))

"""Custom attributes: what a shop wants to know of its members beyond what everybody asks."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from common.admin import ConfirmView, DeskAdmin, found_or_404
from members.attributes import option_label
from members.enums import AttributeKind, AttributeSection
from members.models import Attribute
from members.queries import is_attribute_used
from members.services.attributes import archive_attribute, define_attribute, restore_attribute


class OptionsField(forms.CharField):
    """Options of a choice, one a line: English | Chinese. A known option keeps its key, so its label may change."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 6})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return "\n".join(" | ".join(filter(None, (o.get("en"), o.get("zh-hans"), f"[{o['key']}]"))) for o in value)

    def clean(self, value: Any) -> list[dict[str, str]]:
        return [self._option(line) for line in super().clean(value).splitlines() if line.strip()]

    def _option(self, line: str) -> dict[str, str]:
        parts = [part.strip() for part in line.split("|")]
        key = parts.pop()[1:-1] if parts[-1][:1] == "[" and parts[-1][-1:] == "]" else ""
        if not 1 <= len(parts) <= 2:
            raise ValidationError(_("Please write each option as: English | Chinese"))
        return {"key": key, "en": parts[0], "zh-hans": parts[1] if len(parts) == 2 else ""}


class AttributeForm(forms.ModelForm):
    """An attribute. The service checks and saves in one go."""

    options = OptionsField(
        label=_("Options"),
        required=False,
        help_text=_("Only for a choice. One a line: English | Chinese, e.g. “Oat milk | 燕麦奶”."),
    )

    class Meta:
        model = Attribute
        fields = ("label", "key", "kind", "options", "section", "member_may_edit", "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and is_attribute_used(self.instance.key):
            for name in ("key", "kind"):
                if name in self.fields:
                    self.fields[name].disabled = True
                    self.fields[name].help_text = _("Members have values already, so this stays.")

    def _post_clean(self) -> None:
        if self.errors:
            return
        data = self.cleaned_data
        try:
            self.instance = define_attribute(
                attribute_id=self.instance.pk,
                key=data["key"],
                label_en=data["label_en"] or "",
                label_zh_hans=data["label_zh_hans"] or "",
                kind=AttributeKind(data["kind"]),
                options=data["options"],
                section=AttributeSection(data["section"]),
                member_may_edit=data["member_may_edit"],
                position=data["position"],
            )
        except ValidationError as error:
            self.add_error(None, error)


class ArchiveView(ConfirmView):
    title = _("Archive")
    form_class = forms.Form
    permission_required = "members.change_attribute"
    act_label = _("Archive")

    def get_object(self) -> Attribute:
        return found_or_404(Attribute, self.kwargs["object_id"])

    def get_success_url(self) -> str:
        return reverse("admin:members_attribute_changelist")

    def preview(self, form: forms.Form) -> list[str]:
        return [
            gettext("“%(label)s” is asked for no more: it leaves forms, filters and files.")
            % {"label": self.get_object().label},
            gettext("What members said is kept, and comes back if you bring the attribute back."),
        ]

    def act(self, form: forms.Form) -> str:
        attribute = archive_attribute(attribute_id=self.get_object().pk, at=self.at)
        return gettext("“%(label)s” is archived.") % {"label": attribute.label}


class RestoreView(ArchiveView):
    title = act_label = _("Bring back")

    def preview(self, form: forms.Form) -> list[str]:
        words = {"label": self.get_object().label}
        return [gettext("“%(label)s” is asked for again, and what members said of it is shown again.") % words]

    def act(self, form: forms.Form) -> str:
        attribute = restore_attribute(attribute_id=self.get_object().pk)
        return gettext("“%(label)s” is in use again.") % {"label": attribute.label}


class ArchivedFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "archived"

    def lookups(self, request, model_admin):
        return [("no", _("In use")), ("yes", _("Archived"))]

    def queryset(self, request, queryset):
        if self.value() in ("yes", "no"):
            return queryset.filter(archived_at__isnull=self.value() == "no")
        return queryset


@admin.register(Attribute)
class AttributeAdmin(DeskAdmin, TranslationAdmin):
    form = AttributeForm
    list_display = ("label", "key", "shown_kind", "shown_options", "section", "member_may_edit", "state")
    list_filter = (ArchivedFilter, "kind", "section")
    ordering = ("section", "position", "id")
    actions_detail = ("archive", "restore")
    fields = ("label", "key", "kind", "options", "section", "member_may_edit", "position")

    def save_model(self, request: HttpRequest, obj: Attribute, form: forms.ModelForm, change: bool) -> None:
        """The form's service has saved already."""

    @action(description=_("Archive"), url_path="archive", permissions=["change"], icon="archive")
    def archive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ArchiveView.answer(self, request, object_id=object_id)

    archive.dialog = {"title": ""}

    @action(description=_("Bring back"), url_path="restore", permissions=["change"], icon="unarchive")
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return RestoreView.answer(self, request, object_id=object_id)

    restore.dialog = {"title": ""}

    def get_actions_detail(self, request: HttpRequest, object_id: int):
        """One of the two."""
        archived = Attribute.objects.filter(pk=object_id).exclude(archived_at=None).exists()
        wanted = "restore" if archived else "archive"
        return [one for one in super().get_actions_detail(request, object_id) if one.action_name.endswith(wanted)]

    @admin.display(description=_("kind"), ordering="kind")
    def shown_kind(self, attribute: Attribute) -> str:
        return attribute.get_kind_display()

    @admin.display(description=_("options"))
    def shown_options(self, attribute: Attribute) -> str:
        return ", ".join(option_label(option) for option in attribute.options) or "–"

    @display(description=_("state"), label={"used": "success", "archived": "warning"})
    def state(self, attribute: Attribute) -> tuple:
        return ("archived", gettext("Archived")) if attribute.archived_at else ("used", gettext("In use"))

"""The words that staff pin to members."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from common.admin import DeskAdmin
from members.models import Tag
from members.services.tags import save_tag


class TagForm(forms.ModelForm):
    """A tag. The service checks and saves in one go."""

    class Meta:
        model = Tag
        fields = ("name",)

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            self.instance = save_tag(tag_id=self.instance.pk, name=self.cleaned_data["name"])
        except ValidationError as error:
            self.add_error(None, error)


@admin.register(Tag)
class TagAdmin(DeskAdmin):
    form = TagForm
    list_display = ("name", "pinned_to", "created_at")
    search_fields = ("name",)
    ordering = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        return super().get_queryset(request).annotate(pinned=Count("members"))

    def save_model(self, request: HttpRequest, obj: Tag, form: forms.ModelForm, change: bool) -> None:
        """The form's service has saved already."""

    @admin.display(description=_("members"), ordering="pinned")
    def pinned_to(self, tag: Tag) -> str:
        href = f"{reverse('admin:members_member_changelist')}?tag={tag.pk}"
        return format_html('<a class="desk-link" href="{}">{}</a>', href, tag.pinned)  # type: ignore[attr-defined]

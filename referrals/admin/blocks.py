"""The blocking list."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.timezone import now

from common.admin import DeskAdmin
from referrals.enums import BlockKind
from referrals.models import Block
from referrals.services.blocks import block, cleaned


class BlockForm(forms.ModelForm):
    class Meta:
        model = Block
        fields = ("kind", "value", "reason")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("kind") and data.get("value"):
            try:
                data["value"] = cleaned(BlockKind(data["kind"]), data["value"])
            except ValidationError as wrong:
                self.add_error(None if "value" not in self.fields else "value", wrong.error_dict["value"])
        return data


@admin.register(Block)
class BlockAdmin(DeskAdmin):
    form = BlockForm
    list_display = ("value", "kind", "reason", "actor", "created_at")
    list_filter = ("kind",)
    search_fields = ("value", "reason")
    list_select_related = ("actor",)
    ordering = ("-created_at", "-pk")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("referrals.delete_block")

    def save_model(self, request: HttpRequest, obj: Block, form: Any, change: bool) -> None:
        data = form.cleaned_data
        made = block(
            kind=BlockKind(data["kind"]), value=data["value"], reason=data["reason"], at=now(),
            actor_id=cast("int", request.user.pk),
        )  # fmt: skip
        obj.pk = made.pk

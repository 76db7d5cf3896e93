"""Members who seem to be one person, likeliest first."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ReadOnlyAdmin, found_or_404
from common.moments import format_day
from members.admin.merges import CompareView
from members.enums import DuplicateState
from members.models import Duplicate, MemberMerge
from members.queries import search
from members.similarity import told

SURE, LIKELY = 85, 65


class DuplicateStateFilter(admin.SimpleListFilter):
    """Without a choice: what is to be looked at, of members who are both there."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("dismissed", DuplicateState.DISMISSED.label), ("merged", DuplicateState.MERGED.label)]

    def choices(self, changelist):
        first, *others = super().choices(changelist)
        return [{**first, "display": DuplicateState.OPEN.label}, *others]

    def queryset(self, request, queryset):
        if self.value() in (DuplicateState.DISMISSED, DuplicateState.MERGED):
            return queryset.filter(state=self.value())
        return queryset.filter(
            state=DuplicateState.OPEN,
            first__merged_into=None,
            first__erased_at=None,
            second__merged_into=None,
            second__erased_at=None,
        )


@admin.register(Duplicate)
class DuplicateAdmin(ReadOnlyAdmin):
    list_display = ("likelihood", "one", "two", "why", "found")
    list_filter = (DuplicateStateFilter,)
    list_select_related = ("first", "second")
    ordering = ("-score", "id")
    search_fields = ("id",)
    search_help_text = _("Name, phone, card number or e-mail of one of the two")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if search_term.strip():
            ids = list(search(search_term).values_list("pk", flat=True)[:1000])
            queryset = queryset.filter(Q(first__in=ids) | Q(second__in=ids))
        return queryset, False

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None):
        pair = found_or_404(Duplicate.objects.select_related("first", "second"), object_id)
        members = (pair.first, pair.second)
        if all(member.merged_into_id is None and member.erased_at is None for member in members):
            return CompareView.as_view(model_admin=self, members=members, pair=pair)(request)
        return self._settled(request, pair)

    def _settled(self, request: HttpRequest, pair: Duplicate) -> HttpResponse:
        """Who was merged is shown by the merge; who was erased no longer."""
        both = (pair.first_id, pair.second_id)
        merge = MemberMerge.objects.filter(survivor__in=both, merged__in=both).order_by("-id").first()
        if merge is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, str(pair.pk))
        return redirect("admin:members_membermerge_change", merge.pk)

    @display(
        description=_("likelihood"), ordering="score", label={"sure": "danger", "likely": "warning", "maybe": "info"}
    )
    def likelihood(self, pair: Duplicate) -> tuple:
        level = "sure" if pair.score >= SURE else "likely" if pair.score >= LIKELY else "maybe"
        return level, f"{pair.score}%"

    @display(description=_("one member"), header=True)
    def one(self, pair: Duplicate) -> tuple:
        return str(pair.first), pair.first.card_number_grouped

    @display(description=_("and the other"), header=True)
    def two(self, pair: Duplicate) -> tuple:
        return str(pair.second), pair.second.card_number_grouped

    @display(description=_("why"))
    def why(self, pair: Duplicate) -> str:
        return " ".join(told(pair.reasons))

    @display(description=_("found"), ordering="found_at")
    def found(self, pair: Duplicate) -> str:
        return format_day(pair.found_at)

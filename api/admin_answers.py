"""What connected systems asked and were answered, to be looked at when a till says one thing and the shop another."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from api.enums import Call
from api.models import Answer, ApiKey
from common.admin import ReadOnlyAdmin
from common.moments import format_moment


def _sources() -> list[str]:
    return sorted(ApiKey.objects.values_list("source", flat=True).distinct())


class CallFilter(admin.SimpleListFilter):
    title, parameter_name = _("call"), "call"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list:
        return Call.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(call=self.value()) if self.value() in Call.values else queryset


class SourceFilter(admin.SimpleListFilter):
    """The systems that have keys: to ask the answers for theirs would read all of them."""

    title, parameter_name = _("system"), "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list:
        return [(source, source) for source in _sources()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(source=self.value()) if self.value() else queryset


@admin.register(Answer)
class AnswerAdmin(ReadOnlyAdmin):
    list_display = ("when", "source", "shown_call", "key", "status", "member")
    list_filter = (CallFilter, SourceFilter)
    list_select_related = ("member",)
    search_fields = ("key",)
    search_help_text = _("The key of a call, whole")
    ordering = ("-id",)
    sortable_by = ()
    fieldsets = (
        (None, {"fields": (("source", "shown_call"), ("key", "status"), ("when", "member"))}),
        (_("What was answered"), {"fields": ("told",)}),
    )
    readonly_fields = ("when", "shown_call", "told")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Answer]:
        found = super().get_queryset(request)
        match = request.resolver_match
        return found.defer("body") if match and match.url_name == "api_answer_changelist" else found

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if term := search_term.strip():
            # All columns of the index that keeps keys unique: found at once among millions.
            queryset = queryset.filter(call__in=Call.values, source__in=_sources(), key=term)
        return queryset, False

    @display(description=_("when"))
    def when(self, answer: Answer) -> str:
        return format_moment(answer.at)

    @display(description=_("call"))
    def shown_call(self, answer: Answer) -> str:
        return str(Call(answer.call).label) if answer.call in Call.values else answer.call

    @display(description=_("answer"))
    def told(self, answer: Answer) -> str:
        text = json.dumps(answer.body, ensure_ascii=False, indent=2)
        return format_html('<pre class="overflow-x-auto text-xs whitespace-pre-wrap">{}</pre>', text)

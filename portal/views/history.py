"""What came in and went out, and what was bought."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django_filters import FilterSet
from django_tables2 import RequestConfig, Table

from portal.filters import HistoryFilter, PurchaseFilter
from portal.queries import purchases as purchases_of
from portal.tables import HistoryTable, PurchaseTable
from portal.views.access import MemberRequest, members_only
from rewards.queries import history as history_of

PAGE = {"per_page": 20}


@require_safe
@members_only
def history(request: MemberRequest) -> HttpResponse:
    found = HistoryFilter(request.GET, history_of(request.member.pk))
    return _listed(request, found, HistoryTable(found.qs), "history", "points")


@require_safe
@members_only
def purchases(request: MemberRequest) -> HttpResponse:
    found = PurchaseFilter(request.GET, purchases_of(request.member.pk))
    return _listed(request, found, PurchaseTable(found.qs), "purchases", "purchases")


def _listed(request: MemberRequest, found: FilterSet, rows: Table, page: str, tab: str) -> HttpResponse:
    table = RequestConfig(request, paginate=PAGE).configure(rows)
    is_filtered = any(found.form.data.get(name) for name in found.form.fields)
    here = reverse(f"portal:{page}")
    shown = {"filter": found, "table": table, "tab": tab, "here": here, "is_filtered": is_filtered}
    return render(request, "portal/history.html", shown)

"""What came in and went out, and what was bought."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django_tables2 import RequestConfig

from portal.filters import HistoryFilter
from portal.queries import purchases as purchases_of
from portal.tables import HistoryTable, PurchaseTable
from portal.views.access import MemberRequest, members_only
from rewards.queries import history as history_of

PAGE = {"per_page": 20}


@require_safe
@members_only
def history(request: MemberRequest) -> HttpResponse:
    found = HistoryFilter(request.GET, history_of(request.member.pk))
    table = RequestConfig(request, paginate=PAGE).configure(HistoryTable(found.qs))
    is_filtered = any(found.form.data.get(name) for name in found.form.fields)
    return render(
        request, "portal/history.html", {"filter": found, "table": table, "tab": "points", "is_filtered": is_filtered}
    )


@require_safe
@members_only
def purchases(request: MemberRequest) -> HttpResponse:
    found = purchases_of(request.member.pk)
    table = RequestConfig(request, paginate=PAGE).configure(PurchaseTable(found))
    return render(request, "portal/history.html", {"table": table, "tab": "purchases"})

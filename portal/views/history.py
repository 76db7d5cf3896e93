"""What came in and went out, and what was bought."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_filters import FilterSet
from django_tables2 import RequestConfig, Table

from portal.filters import HistoryFilter, PurchaseFilter
from portal.queries import has_credit
from portal.queries import purchases as purchases_of
from portal.tables import CreditTable, HistoryTable, PurchaseTable
from portal.views.access import MemberRequest, members_only
from rewards.earning.words import waits_text
from rewards.enums import Unit
from rewards.queries import amount_text, arrears, explain, pending_lots
from rewards.queries import expiring as expiring_of
from rewards.queries import history as history_of

PAGE = {"per_page": 20}
MOST = 100  # days and lots that are listed


@require_safe
@members_only
def history(request: MemberRequest) -> HttpResponse:
    found = HistoryFilter(request.GET, history_of(request.member.pk).select_related("lot"))
    return _listed(request, found, HistoryTable(found.qs), "history", "points")


@require_safe
@members_only
def credit(request: MemberRequest) -> HttpResponse:
    found = HistoryFilter(request.GET, history_of(request.member.pk, Unit.CREDIT).select_related("lot"))
    return _listed(request, found, CreditTable(found.qs), "credit", "credit")


@require_safe
@members_only
def expiring(request: MemberRequest) -> HttpResponse:
    """What cannot be spent yet, and what goes when, day by day."""
    at, member_id = timezone.now(), request.member.pk
    pending, going, owed = [], [], []
    for unit in Unit:
        lots = pending_lots(member_id, at, unit).select_related("transfer__rule__rule")
        for lot in lots[:MOST]:
            waits = lot.transfer.why.get("waits")
            lot.waits = waits_text(waits) if waits else ""  # type: ignore[attr-defined]
            pending.append((lot, amount_text(lot.remaining, unit), explain(lot.transfer)))
        going += [(day.at, amount_text(day.points, unit)) for day in expiring_of(member_id, at, unit)[:MOST]]
        if owes := arrears(member_id, unit):
            owed.append(amount_text(owes, unit))
    pending.sort(key=lambda row: row[0].available_from)
    going.sort(key=lambda row: row[0])
    context = {"tab": "expiring", "pending": pending, "going": going, "owed": owed, "has_credit": has_credit(member_id)}
    return render(request, "portal/expiring.html", context)


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
    shown["has_credit"] = has_credit(request.member.pk)
    return render(request, "portal/history.html", shown)

"""Files of purchases: uploaded, read as staff decide, tried out, then brought in by a worker."""

import csv
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import found_or_404, plain_cell
from members.enums import DateOrder, DecimalMark, ImportField, ImportState
from members.import_pages import FileImportAdmin
from members.import_problems import FileRefused
from members.models import ImportProblem, PurchaseImport
from members.services import imports
from rewards.admin.import_forms import ColumnsForm, UploadForm
from rewards.queries import points_text
from rewards.services.purchase_import import resume_import, start_import

PAGE = 50


@admin.register(PurchaseImport)
class PurchaseImportAdmin(FileImportAdmin):
    folder = "rewards/imports"
    intake = imports
    acts = {
        "import": lambda pk: start_import(import_id=pk, dry_run=False, at=now()),
        "resume": lambda pk: resume_import(import_id=pk),
    }
    list_display = ("file_name", "stage", "source", "counted", "new_members", "bad_rows", "uploaded", "created_by")

    # --- The list ---------------------------------------------------------------------------------------------------
    @display(description=_("purchases"))
    def counted(self, i: PurchaseImport) -> str:
        return self.brought(i, i.purchases)

    @display(description=_("new members"))
    def new_members(self, i: PurchaseImport) -> str:
        return self.brought(i, i.members)

    # --- Upload -----------------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            try:
                made, _look = imports.create_import(
                    file=form.cleaned_data["file"],
                    name=form.cleaned_data["file"].name,
                    source=form.cleaned_data["source"],
                    at=now(),
                    actor_id=request.user.pk,
                    most_mb=settings.IMPORT_MAX_MB,
                )
                return redirect("admin:members_purchaseimport_change", made.pk)
            except FileRefused as problem:
                form.add_error("file", ValidationError(str(problem)))
        sources = PurchaseImport.objects.order_by("source").values_list("source", flat=True).distinct()[:20]
        return self.page(request, "upload", form=form, sources=sources, title=_("Import purchases"))

    # --- One import -------------------------------------------------------------------------------------------------
    def choices(self, i: PurchaseImport, data: Any = None) -> ColumnsForm:
        return ColumnsForm(data, purchase_import=i)

    def decide(self, i: PurchaseImport, form: ColumnsForm) -> None:
        values = {k: v for k, v in form.cleaned_data.items() if k not in form.columns}
        imports.set_columns(import_id=i.pk, mapping=form.mapping, **values)
        start_import(import_id=i.pk, dry_run=True, at=now())

    def may_change(self, i: PurchaseImport) -> bool:
        return _may_change(i)

    def doing(self, i: PurchaseImport) -> str:
        return _doing(i)

    def _result(self, request: HttpRequest, i: PurchaseImport) -> HttpResponse:
        may_add = self.has_add_permission(request)
        problems = Paginator(_problems(i), PAGE).get_page(request.GET.get("page"))
        return self.page(
            request,
            "result",
            i,
            headline=_headline(i),
            import_label=_import_label(i) if may_add else "",
            problems=problems,
            most_problems=imports.MOST_PROBLEMS,
            settings=_settings(i),
            may_change=may_add and _may_change(i) and bool(i.layout),
            may_resume=may_add and _may_resume(i),
            may_dismiss=may_add and not i.dry_run and not i.is_open and i.dismissed_at is None,
            by_contact=_by_contact(i),
        )

    def bad_rows_file(self, request: HttpRequest, import_id: int) -> StreamingHttpResponse:
        """Every bad row with its sentence, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        i = found_or_404(PurchaseImport, import_id)
        response = StreamingHttpResponse(_csv_of(i), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="bad-rows-{i.pk}.csv"'
        return response


def _number(n: int) -> str:
    return number_format(n, force_grouping=True)


def _may_change(i: PurchaseImport) -> bool:
    return not i.is_open and (i.dry_run or not i.purchases)


def _may_resume(i: PurchaseImport) -> bool:
    return i.state in (ImportState.CANCELLED, ImportState.FAILED) and bool(i.posted_rows) and not i.dry_run


def _problems(i: PurchaseImport) -> QuerySet[ImportProblem]:
    return i.problem_rows.order_by("row")


def _doing(i: PurchaseImport) -> str:
    if i.cancel_requested:
        return gettext("Stopping after this chunk…")
    if i.state == ImportState.QUEUED:
        return gettext("Waiting for a worker…")
    if i.lease_until is not None and i.lease_until < now():
        return gettext("The worker stopped in the middle. Another one goes on within a minute…")
    if not i.staged:
        return gettext("Reading: %(n)s rows so far") % {"n": _number(i.rows)}
    counts = {"n": _number(i.posted_rows), "all": _number(i.rows)}
    if i.dry_run:
        return gettext("Checking: %(n)s of %(all)s rows") % counts
    return gettext("Importing: %(n)s of %(all)s rows") % counts


def _purchases(n: int) -> str:
    return ngettext("%(n)s purchase", "%(n)s purchases", n) % {"n": _number(n)}


def _headline(i: PurchaseImport) -> str:
    if i.state == ImportState.FAILED:
        return i.error_sentence
    members = ngettext("%(n)s new member", "%(n)s new members", i.members) % {"n": _number(i.members)}
    what = {"purchases": _purchases(i.purchases), "members": members, "points": points_text(i.points)}
    if i.state == ImportState.CANCELLED:
        if not i.purchases or i.dry_run:
            return gettext("Stopped. Nothing came in.")
        return gettext("Stopped. Until then %(purchases)s came in, with %(members)s and %(points)s.") % what
    if i.dry_run and i.purchases:
        return gettext("Nothing is changed yet. %(purchases)s would come in, with %(members)s and %(points)s.") % what
    if not i.purchases and i.repeats and not i.problems:
        return gettext("Every purchase in this file is already there. Nothing was changed.")
    if not i.purchases:
        return gettext("No new purchase is in this file. Nothing was changed.")
    return gettext("%(purchases)s came in, with %(members)s and %(points)s.") % what


def _by_contact(i: PurchaseImport) -> str:
    if not i.by_contact:
        return ""
    return ngettext(
        "%(n)s of the customers is a member already, found by e-mail or phone alone.",
        "%(n)s of the customers are members already, found by e-mail or phone alone.",
        i.by_contact,
    ) % {"n": _number(i.by_contact)}


def _import_label(i: PurchaseImport) -> str:
    if not (i.dry_run and i.state == ImportState.DONE and i.purchases):
        return ""
    return gettext("Import %(purchases)s") % {"purchases": _purchases(i.purchases)}


def _settings(i: PurchaseImport) -> list[tuple[str, str]]:
    layout = i.layout
    if not layout:
        return []
    names = layout["columns"]
    columns = [
        f"{capfirst(field.label)}: {names[i.mapping[field]] or i.mapping[field] + 1}"
        for field in ImportField
        if field in i.mapping
    ]
    told = [
        (_("Source"), i.source),
        (_("Columns"), "; ".join(columns)),
        (_("Encoding"), layout["encoding"].upper()),
        (_("Dates"), DateOrder(layout["date_order"]).label if layout["date_order"] else "–"),
        (_("Decimals"), DecimalMark(layout["decimal_mark"]).label if layout["decimal_mark"] else "–"),
        (_("Currency"), i.currency),
        (_("Time zone"), i.time_zone),
        (_("Points"), _("given") if i.with_points else _("not given")),
    ]
    return [(str(name), str(value)) for name, value in told]


class _Echo:
    def write(self, line: str) -> str:
        return line


def _csv_of(i: PurchaseImport) -> Iterator[bytes]:
    writer = csv.writer(_Echo())
    yield b"\xef\xbb\xbf"  # Excel knows Chinese by the byte order mark
    yield writer.writerow([gettext("row"), gettext("problem")]).encode()
    for problem in _problems(i).iterator():
        yield writer.writerow([problem.row, plain_cell(problem.sentence)]).encode()

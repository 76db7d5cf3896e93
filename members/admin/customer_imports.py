"""Files of customers: uploaded, read as staff decide, tried out, brought in by a worker, and taken back."""

import csv
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import found_or_404
from common.cells import plain_cell
from members.admin import import_words as words
from members.admin.import_forms import ChoicesForm, UploadForm
from members.enums import AccessAction, ImportState
from members.import_pages import FileImportAdmin
from members.import_problems import FileRefused, kind
from members.models import CustomerImport, ImportedMember
from members.services.access import log_access
from members.services.imports.columns import Layout
from members.services.imports.customers import intake, running
from members.services.imports.customers.posting import MOST_PROBLEMS
from members.services.imports.reading import read_rows
from members.services.imports.staging import raw_file

PREVIEWED = 8
PAGE = 50


@admin.register(CustomerImport)
class CustomerImportAdmin(FileImportAdmin):
    folder = "admin/customer_import"
    intake = intake
    acts = {
        "import": lambda pk: running.start_customer_import(import_id=pk, dry_run=False, at=now()),
        "undo": lambda pk: running.undo_customer_import(import_id=pk, at=now()),
        "resume": lambda pk: running.resume_customer_import(import_id=pk),
    }
    list_display = ("file_name", "stage", "source", "new_members", "changed", "bad_rows", "uploaded", "created_by")

    def get_urls(self) -> list:
        return [
            self.own("<int:import_id>/preview/", self.preview, "preview"),
            self.own("<int:import_id>/kept.csv", self.kept_file, "kept"),
            *super().get_urls(),
        ]

    # --- The list ---------------------------------------------------------------------------------------------------
    @display(description=_("new members"))
    def new_members(self, i: CustomerImport) -> str:
        return self.brought(i, i.created - i.removed)

    @display(description=_("changed"))
    def changed(self, i: CustomerImport) -> str:
        return self.brought(i, i.updated - i.restored)

    # --- Upload -----------------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            try:
                made, _look = intake.create_customer_import(
                    file=form.cleaned_data["file"],
                    name=form.cleaned_data["file"].name,
                    source=form.cleaned_data["source"],
                    at=now(),
                    actor_id=request.user.pk,
                    most_mb=settings.IMPORT_MAX_MB,
                )
                return redirect("admin:members_customerimport_change", made.pk)
            except FileRefused as problem:
                form.add_error("file", ValidationError(str(problem)))
        sources = CustomerImport.objects.order_by("source").values_list("source", flat=True).distinct()[:20]
        return self.page(request, "upload", form=form, sources=sources, title=_("Import customers"))

    # --- One import -------------------------------------------------------------------------------------------------
    def choices(self, i: CustomerImport, data: Any = None) -> ChoicesForm:
        return ChoicesForm(data, customer_import=i)

    def decide(self, i: CustomerImport, form: ChoicesForm) -> None:
        intake.set_choices(import_id=i.pk, mapping=form.mapping, **form.cleaned_data)
        running.start_customer_import(import_id=i.pk, dry_run=True, at=now())

    def may_change(self, i: CustomerImport) -> bool:
        return _may_change(i)

    def doing(self, i: CustomerImport) -> str:
        return words.doing(i)

    def also(self, request: HttpRequest, i: CustomerImport) -> HttpResponse | None:
        wanted = "undo" in request.GET and self.has_add_permission(request) and i.changed_something
        return self.page(request, "undo", i) if wanted else None

    def preview(self, request: HttpRequest, import_id: int) -> HttpResponse:
        """The first rows as they would be understood with what is chosen now, for htmx to renew."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        i = found_or_404(CustomerImport, import_id)
        table, problem, warnings = None, "", []
        form = ChoicesForm(request.POST or None, customer_import=i)
        if form.is_valid() and _may_change(i):
            try:
                rows = intake.preview(import_id=i.pk, rows=PREVIEWED, mapping=form.mapping, **form.cleaned_data)
                table, warnings = words.understood(rows, form.mapping), words.warnings(form.mapping)
            except FileRefused as refused:
                problem = str(refused)
        else:
            problem = " ".join(str(error) for errors in form.errors.values() for error in errors)
        context = {"table": table, "problem": problem, "warnings": warnings}
        return TemplateResponse(request, "admin/customer_import/preview.html", context)

    def _result(self, request: HttpRequest, i: CustomerImport) -> HttpResponse:
        may_add = self.has_add_permission(request)
        kinds = sorted(i.problem_counts.items(), key=lambda pair: -pair[1])
        return self.page(
            request,
            "result",
            i,
            headline=words.headline(i),
            import_label=words.import_label(i) if may_add else "",
            problems=Paginator(i.problem_rows.order_by("row"), PAGE).get_page(request.GET.get("page")),
            kinds=[(kind(code), n) for code, n in kinds],
            kept=[(k.row, k.member_id, words.KEPT.get(k.kept, k.kept)) for k in _kept(i)[:PAGE]] if i.undoing else [],
            most_problems=MOST_PROBLEMS,
            settings=words.settings_of(i),
            may_change=may_add and _may_change(i) and bool(i.file),
            may_resume=may_add and _may_resume(i),
            may_undo=may_add and i.changed_something and not i.is_open,
            may_dismiss=may_add and not i.dry_run and i.problems and i.dismissed_at is None,
        )

    # --- Files to take along ----------------------------------------------------------------------------------------
    def bad_rows_file(self, request: HttpRequest, import_id: int) -> StreamingHttpResponse:
        """Every bad row as it stood in the file, with what is wrong with it: to be mended and uploaded again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        i = found_or_404(CustomerImport, import_id)
        by, what = request.user.pk, gettext_noop("bad rows of a file")
        log_access(actor_id=by, action=AccessAction.DOWNLOADED, what=what, members=i.problems, at=now())
        return _csv_response(f"bad-rows-{i.pk}.csv", _bad_rows(i))

    def kept_file(self, request: HttpRequest, import_id: int) -> StreamingHttpResponse:
        """Every member for whom the import could not be taken back, and why."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        i = found_or_404(CustomerImport, import_id)
        rows = ([k.row, k.member_id, str(words.KEPT.get(k.kept, k.kept))] for k in _kept(i).iterator())
        header = [gettext("row"), gettext("member"), gettext("why")]
        return _csv_response(f"kept-{i.pk}.csv", _with(header, rows))


def _may_change(i: CustomerImport) -> bool:
    return not i.is_open and not i.undoing and not i.changed_something


def _may_resume(i: CustomerImport) -> bool:
    stopped = i.state in (ImportState.CANCELLED, ImportState.FAILED)
    return stopped and not i.dry_run and (bool(i.posted_rows) or i.undoing)


def _kept(i: CustomerImport) -> Any:
    return ImportedMember.objects.filter(customer_import=i).exclude(kept="").order_by("row")


def _bad_rows(i: CustomerImport) -> Iterator[list[Any]]:
    """The header and the bad rows of the stored file, by one pass through it; only the problems where it is gone."""
    problems = i.problem_rows.order_by("row").iterator()
    bad = next(problems, None)
    layout = Layout(**i.layout)
    names = [name or gettext("Column %(number)s") % {"number": n} for n, name in enumerate(layout.columns, 1)]
    try:
        with raw_file(i) as file:
            yield [*map(plain_cell, names), gettext("problem")]
            for row in read_rows(file, layout.encoding, layout.delimiter):
                if bad is None:
                    return
                if row.number == bad.row:
                    cells = (row.cells + [""] * len(names))[: max(len(names), len(row.cells))]
                    yield [*(plain_cell(cell) for cell in cells), plain_cell(bad.sentence)]
                    bad = next(problems, None)
    except FileRefused:
        yield [gettext("row"), gettext("problem")]
        while bad is not None:
            yield [bad.row, plain_cell(bad.sentence)]
            bad = next(problems, None)


def _with(header: list[str], rows: Iterator[list[Any]]) -> Iterator[list[Any]]:
    yield header
    yield from rows


class _Echo:
    def write(self, line: str) -> str:
        return line


def _csv_response(name: str, rows: Iterator[list[Any]]) -> StreamingHttpResponse:
    def lines() -> Iterator[bytes]:
        writer = csv.writer(_Echo())
        yield b"\xef\xbb\xbf"  # Excel knows Chinese by the byte order mark
        for row in rows:
            yield writer.writerow(row).encode()

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response

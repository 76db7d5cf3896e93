"""Files of customers: uploaded, read as staff decide, tried out, brought in by a worker, and taken back."""

import csv
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ReadOnlyAdmin, found_or_404
from common.cells import plain_cell
from common.moments import format_moment
from members.admin import import_words as words
from members.admin.import_forms import ChoicesForm, UploadForm
from members.enums import AccessAction, ImportState
from members.forms import ReadForm
from members.import_problems import FileRefused, sentence
from members.models import CustomerImport, ImportedMember
from members.services.access import log_access
from members.services.imports.columns import Layout
from members.services.imports.customers import intake, running
from members.services.imports.customers.posting import MOST_PROBLEMS
from members.services.imports.intake import TooLate, dismiss, ends_open
from members.services.imports.reading import read_rows
from members.services.imports.staging import raw_file

SAMPLES = 4
PREVIEWED = 8
PAGE = 50
_NEXT = {ImportState.DRAFT: "columns", ImportState.QUEUED: "progress", ImportState.RUNNING: "progress"}


@admin.register(CustomerImport)
class CustomerImportAdmin(ReadOnlyAdmin):
    list_display = ("file_name", "stage", "source", "new_members", "changed", "bad_rows", "uploaded", "created_by")
    list_filter = ("state", "source")
    list_select_related = ("created_by",)
    ordering = ("-id",)
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("members.add_customerimport")

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"members_customerimport_{name}")

        return [
            own("<int:import_id>/progress/", self.progress, "progress"),
            own("<int:import_id>/preview/", self.preview, "preview"),
            own("<int:import_id>/bad-rows.csv", self.bad_rows_file, "bad_rows"),
            own("<int:import_id>/kept.csv", self.kept_file, "kept"),
            *super().get_urls(),
        ]

    # --- The list ---------------------------------------------------------------------------------------------------
    @display(description=_("file"), ordering="-id")
    def file_name(self, i: CustomerImport) -> str:
        return str(i)

    @display(
        description=_("state"),
        label={"draft": "", "queued": "info", "running": "info", "done": "success", "failed": "danger", "undone": ""},
    )
    def stage(self, i: CustomerImport) -> tuple[str, Any]:
        if i.undoing and i.state == ImportState.DONE:
            return "undone", _("Taken back")
        if i.dry_run and i.state == ImportState.DONE:
            return "draft", _("Checked")
        return i.state, i.get_state_display()

    @display(description=_("new members"))
    def new_members(self, i: CustomerImport) -> str:
        return "–" if i.dry_run or i.state == ImportState.DRAFT else words.number(i.created)

    @display(description=_("changed"))
    def changed(self, i: CustomerImport) -> str:
        return "–" if i.dry_run or i.state == ImportState.DRAFT else words.number(i.updated)

    @display(description=_("bad rows"))
    def bad_rows(self, i: CustomerImport) -> str:
        return words.number(i.problems)

    @display(description=_("uploaded"))
    def uploaded(self, i: CustomerImport) -> str:
        return format_moment(i.created_at)

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
        return self._page(request, "upload", form=form, sources=sources, title=_("Import customers"))

    # --- One import: what it shows depends on how far it is ---------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        i = found_or_404(CustomerImport, object_id)
        if request.method == "POST":
            return self._act(request, i)
        may_add = self.has_add_permission(request)
        if "columns" in request.GET and may_add and _may_change(i):
            return self._columns(request, i)
        if "undo" in request.GET and may_add and i.changed_something:
            return self._page(request, "undo", i)
        step = _NEXT.get(ImportState(i.state), "result")
        if step == "columns" and not may_add:
            step = "result"
        return getattr(self, f"_{step}")(request, i)

    def _act(self, request: HttpRequest, i: CustomerImport) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        back = redirect("admin:members_customerimport_change", i.pk)
        try:
            if "read" in request.POST:
                return self._read_anew(request, i) or redirect(f"{back.url}?columns")
            if "check" in request.POST:
                return self._check(request, i) or back
            if "import" in request.POST:
                running.start_customer_import(import_id=i.pk, dry_run=False, at=now())
            elif "undo" in request.POST:
                running.undo_customer_import(import_id=i.pk, at=now())
            elif "resume" in request.POST:
                running.resume_customer_import(import_id=i.pk)
            elif "cancel" in request.POST:
                running.cancel_customer_import(import_id=i.pk, at=now())
            elif "dismiss" in request.POST:
                dismiss(import_id=i.pk, at=now(), model=CustomerImport)
            elif "discard" in request.POST:
                intake.discard(import_id=i.pk)
                messages.success(request, gettext("The file was thrown away. Nothing had come in."))
                return redirect("admin:members_customerimport_changelist")
        except TooLate:
            messages.warning(request, gettext("The import has moved on meanwhile. This is how it stands now."))
        except FileRefused as problem:
            messages.error(request, str(problem))
        return back

    def _read_anew(self, request: HttpRequest, i: CustomerImport) -> HttpResponse | None:
        form = ReadForm(request.POST)
        if form.is_valid():
            try:
                intake.read_anew(import_id=i.pk, **form.cleaned_data)
                return None
            except FileRefused as problem:
                form.add_error("encoding", ValidationError(str(problem)))
        return self._columns(request, i, read_form=form)

    def _check(self, request: HttpRequest, i: CustomerImport) -> HttpResponse | None:
        form = ChoicesForm(request.POST, customer_import=i)
        if form.is_valid():
            try:
                intake.set_choices(import_id=i.pk, mapping=form.mapping, **form.cleaned_data)
                running.start_customer_import(import_id=i.pk, dry_run=True, at=now())
                return None
            except FileRefused as problem:
                form.refuse(problem)
            except ValidationError as error:
                form.add_error(None, error)
        return self._columns(request, i, form=form)

    def _columns(
        self,
        request: HttpRequest,
        i: CustomerImport,
        *,
        form: ChoicesForm | None = None,
        read_form: ReadForm | None = None,
    ) -> HttpResponse:
        form = form or ChoicesForm(customer_import=i)
        try:
            rows = [row.cells for row in intake.look_into(i).rows[:SAMPLES]]
            last_row = ends_open(i)
        except FileRefused as problem:
            return self._page(request, "gone", i, problem=str(problem))
        samples = [[row[c].strip() for row in rows if c < len(row)] for c in range(len(form.columns))]
        return self._page(
            request,
            "columns",
            i,
            form=form,
            read_form=read_form or ReadForm.of(i),
            columns=[(form[name], cells) for name, cells in zip(form.columns, samples, strict=True)],
            last_row=last_row,
        )

    def preview(self, request: HttpRequest, import_id: int) -> HttpResponse:
        """The first rows as they would be understood with what is chosen now, for htmx to renew."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        i = found_or_404(CustomerImport, import_id)
        table, problem = None, ""
        form = ChoicesForm(request.POST or None, customer_import=i)
        if form.is_valid() and _may_change(i):
            try:
                rows = intake.preview(import_id=i.pk, rows=PREVIEWED, mapping=form.mapping, **form.cleaned_data)
                table = words.understood(rows, form.mapping)
            except FileRefused as refused:
                problem = str(refused)
        else:
            problem = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return TemplateResponse(
            request, "admin/customer_import/preview.html", {"i": i, "table": table, "problem": problem}
        )

    def _progress(self, request: HttpRequest, i: CustomerImport) -> HttpResponse:
        return self._page(request, "progress", i, doing=words.doing(i))

    def progress(self, request: HttpRequest, import_id: int) -> HttpResponse:
        """The bar alone, for htmx to renew; once the import has ended, the whole page is to be loaded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        i = found_or_404(CustomerImport, import_id)
        response = TemplateResponse(request, "admin/customer_import/bar.html", {"i": i, "doing": words.doing(i)})
        if not i.is_open:
            response["HX-Refresh"] = "true"
        return response

    def _result(self, request: HttpRequest, i: CustomerImport) -> HttpResponse:
        may_add = self.has_add_permission(request)
        kinds = sorted(i.problem_counts.items(), key=lambda pair: -pair[1])
        return self._page(
            request,
            "result",
            i,
            headline=words.headline(i),
            import_label=words.import_label(i) if may_add else "",
            problems=Paginator(i.problem_rows.order_by("row"), PAGE).get_page(request.GET.get("page")),
            kinds=[(_kind(code), n) for code, n in kinds],
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
        by, what = request.user.pk, "bad rows of a file"
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

    def _page(self, request: HttpRequest, name: str, i: CustomerImport | None = None, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(i) if i else "",
            "i": i,
            "back_url": reverse("admin:members_customerimport_changelist"),
            **context,
        }
        return TemplateResponse(request, f"admin/customer_import/{name}.html", context)


def _may_change(i: CustomerImport) -> bool:
    return not i.is_open and not i.undoing and not i.changed_something


def _may_resume(i: CustomerImport) -> bool:
    stopped = i.state in (ImportState.CANCELLED, ImportState.FAILED)
    return stopped and not i.dry_run and (bool(i.posted_rows) or i.undoing)


def _kept(i: CustomerImport) -> Any:
    return ImportedMember.objects.filter(customer_import=i).exclude(kept="").order_by("row")


def _kind(code: str) -> str:
    """A kind of problem without its details."""
    details = dict.fromkeys(("value", "attribute", "found", "expected", "most", "first"), "…")
    return sentence(code, {**details, "order": "…", "other": "…", "field": "…"})


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

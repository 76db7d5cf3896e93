"""Files of purchases: uploaded, read as staff decide, tried out, then brought in by a worker."""

import csv
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ReadOnlyAdmin, found_or_404, plain_cell
from common.moments import format_moment
from members.enums import DateOrder, DecimalMark, ImportField, ImportState
from members.forms import ReadForm
from members.import_problems import FileRefused
from members.models import ImportProblem, PurchaseImport
from members.services.imports import (
    MOST_PROBLEMS,
    TooLate,
    create_import,
    discard,
    dismiss,
    ends_open,
    look_into,
    read_anew,
    request_cancel,
    set_columns,
)
from rewards.admin.import_forms import ColumnsForm, UploadForm
from rewards.queries import points_text
from rewards.services.purchase_import import resume_import, start_import

SAMPLES = 5
PAGE = 50
_NEXT = {ImportState.DRAFT: "columns", ImportState.QUEUED: "progress", ImportState.RUNNING: "progress"}


@admin.register(PurchaseImport)
class PurchaseImportAdmin(ReadOnlyAdmin):
    list_display = ("file_name", "stage", "source", "counted", "new_members", "bad_rows", "uploaded", "created_by")
    list_filter = ("state", "source")
    list_select_related = ("created_by",)
    ordering = ("-id",)
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("members.add_purchaseimport")

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"members_purchaseimport_{name}")

        return [
            own("<int:import_id>/progress/", self.progress, "progress"),
            own("<int:import_id>/bad-rows.csv", self.bad_rows_file, "bad_rows"),
            *super().get_urls(),
        ]

    # --- The list ---------------------------------------------------------------------------------------------------
    @display(description=_("file"), ordering="-id")
    def file_name(self, i: PurchaseImport) -> str:
        return str(i)

    @display(
        description=_("state"),
        label={"draft": "", "queued": "info", "running": "info", "done": "success", "failed": "danger"},
    )
    def stage(self, i: PurchaseImport) -> tuple[str, Any]:
        if i.dry_run and i.state == ImportState.DONE:
            return "draft", _("Checked")
        return i.state, i.get_state_display()

    @display(description=_("purchases"))
    def counted(self, i: PurchaseImport) -> str:
        return "–" if i.dry_run or i.state == ImportState.DRAFT else _number(i.purchases)

    @display(description=_("new members"))
    def new_members(self, i: PurchaseImport) -> str:
        return "–" if i.dry_run or i.state == ImportState.DRAFT else _number(i.members)

    @display(description=_("bad rows"))
    def bad_rows(self, i: PurchaseImport) -> str:
        return _number(i.problems)

    @display(description=_("uploaded"))
    def uploaded(self, i: PurchaseImport) -> str:
        return format_moment(i.created_at)

    # --- Upload -----------------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            try:
                made, _look = create_import(
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
        return self._page(request, "upload", form=form, sources=sources, title=_("Import purchases"))

    # --- One import: what it shows depends on how far it is ---------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        i = found_or_404(PurchaseImport, object_id)
        if request.method == "POST":
            return self._act(request, i)
        if "columns" in request.GET and self.has_add_permission(request) and _may_change(i):
            return self._columns(request, i)
        step = _NEXT.get(ImportState(i.state), "result")
        if step == "columns" and not self.has_add_permission(request):
            step = "result"
        return getattr(self, f"_{step}")(request, i)

    def _act(self, request: HttpRequest, i: PurchaseImport) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        back = redirect("admin:members_purchaseimport_change", i.pk)
        try:
            if "read" in request.POST:
                return self._read_anew(request, i) or redirect(f"{back.url}?columns")
            if "check" in request.POST:
                return self._check(request, i) or back
            if "import" in request.POST:
                start_import(import_id=i.pk, dry_run=False, at=now())
            elif "resume" in request.POST:
                resume_import(import_id=i.pk)
            elif "cancel" in request.POST:
                request_cancel(import_id=i.pk, at=now())
            elif "dismiss" in request.POST:
                dismiss(import_id=i.pk, at=now())
            elif "discard" in request.POST:
                discard(import_id=i.pk)
                messages.success(request, gettext("The file was thrown away. Nothing had come in."))
                return redirect("admin:members_purchaseimport_changelist")
        except TooLate:
            messages.warning(request, gettext("The import has moved on meanwhile. This is how it stands now."))
        except FileRefused as problem:
            messages.error(request, str(problem))
        return back

    def _read_anew(self, request: HttpRequest, i: PurchaseImport) -> HttpResponse | None:
        form = ReadForm(request.POST)
        if form.is_valid():
            try:
                read_anew(import_id=i.pk, **form.cleaned_data)
                return None
            except FileRefused as problem:
                form.add_error("encoding", ValidationError(str(problem)))
        return self._columns(request, i, read_form=form)

    def _check(self, request: HttpRequest, i: PurchaseImport) -> HttpResponse | None:
        form = ColumnsForm(request.POST, purchase_import=i)
        if form.is_valid():
            values = {k: v for k, v in form.cleaned_data.items() if k not in form.columns}
            try:
                set_columns(import_id=i.pk, mapping=form.mapping, **values)
                start_import(import_id=i.pk, dry_run=True, at=now())
                return None
            except FileRefused as problem:
                form.refuse(problem)
            except ValidationError as error:
                form.add_error(None, error)
        return self._columns(request, i, form=form)

    def _columns(
        self,
        request: HttpRequest,
        i: PurchaseImport,
        *,
        form: ColumnsForm | None = None,
        read_form: ReadForm | None = None,
    ) -> HttpResponse:
        form = form or ColumnsForm(purchase_import=i)
        try:
            rows = [row.cells for row in look_into(i).rows[:SAMPLES]]
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

    def _progress(self, request: HttpRequest, i: PurchaseImport) -> HttpResponse:
        return self._page(request, "progress", i, doing=_doing(i))

    def progress(self, request: HttpRequest, import_id: int) -> HttpResponse:
        """The bar alone, for htmx to renew; once the import has ended, the whole page is to be loaded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        i = found_or_404(PurchaseImport, import_id)
        response = TemplateResponse(request, "rewards/imports/bar.html", {"i": i, "doing": _doing(i)})
        if not i.is_open:
            response["HX-Refresh"] = "true"
        return response

    def _result(self, request: HttpRequest, i: PurchaseImport) -> HttpResponse:
        may_add = self.has_add_permission(request)
        problems = Paginator(_problems(i), PAGE).get_page(request.GET.get("page"))
        return self._page(
            request,
            "result",
            i,
            headline=_headline(i),
            import_label=_import_label(i) if may_add else "",
            problems=problems,
            most_problems=MOST_PROBLEMS,
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

    def _page(self, request: HttpRequest, name: str, i: PurchaseImport | None = None, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(i) if i else "",
            "i": i,
            "back_url": reverse("admin:members_purchaseimport_changelist"),
            **context,
        }
        return TemplateResponse(request, f"rewards/imports/{name}.html", context)


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

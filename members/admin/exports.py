"""Files of members: asked for on a list, written by a worker, taken along by whom it is permitted."""

from contextlib import suppress
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.timezone import now
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ReadOnlyAdmin, found_or_404
from common.moments import format_moment
from members.enums import ExportFormat, ImportState
from members.exporting import headings, sources
from members.models import PRESENT, ExportJob, Member
from members.services.exports import (
    MOST_XLSX,
    TooManyForSheet,
    cancel_export,
    create_export,
    note_download,
    run_export,
)
from members.services.imports.intake import TooLate

AT_ONCE = 500  # so few are written while the person waits


def ask_for_export(
    admin_page: Any, request: HttpRequest, *, members: QuerySet[Member], name: str, back_url: str
) -> HttpResponse:
    """The page that asks for columns and format, and hands the export of these members to a worker.

    PermissionDenied for who may not export.
    """
    if not request.user.has_perm("members.add_exportjob"):
        raise PermissionDenied
    problem = ""
    known = headings()
    if request.method == "POST" and "export" in request.POST:
        columns = [key for key in known if key in request.POST.getlist("columns")]
        file_format = request.POST.get("format")
        if not columns:
            problem = gettext("Choose at least one column.")
        elif file_format in ExportFormat.values:
            try:
                return _written(request, members, name, columns, file_format)
            except TooManyForSheet:
                problem = gettext("A sheet of Excel has %(most)s rows: choose CSV.") % {"most": f"{MOST_XLSX:,}"}
    groups = [
        (source.label, [(key, label, source.chosen) for key, label in source.columns().items()]) for source in sources()
    ]
    context = {
        **admin_page.admin_site.each_context(request),
        "opts": admin_page.opts,
        "title": _("Export members"),
        "members": members.filter(PRESENT).order_by().values("pk").distinct().count(),
        "name": name,
        "groups": [(label, columns) for label, columns in groups if columns],
        "formats": ExportFormat.choices,
        "chosen_format": request.POST.get("format", ExportFormat.CSV),
        "problem": problem,
        "back_url": back_url,
    }
    request.current_app = admin_page.admin_site.name  # type: ignore[attr-defined]
    return TemplateResponse(request, "admin/export/ask.html", context)


def _written(request: HttpRequest, members: QuerySet[Member], name: str, columns: list[str], file_format: str) -> Any:
    job = create_export(
        members=members,
        name=name,
        columns=columns,
        file_format=file_format,
        language=get_language() or "en",
        at=now(),
        actor_id=request.user.pk,
    )
    if job.rows <= AT_ONCE:
        run_export(export_id=job.pk)
    return redirect("admin:members_exportjob_change", job.pk)


@admin.register(ExportJob)
class ExportJobAdmin(ReadOnlyAdmin):
    list_display = ("name", "stage", "rows", "format", "asked", "created_by")
    list_filter = ("state",)
    list_select_related = ("created_by",)
    ordering = ("-id",)
    sortable_by = ()

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"members_exportjob_{name}")

        return [
            own("<int:export_id>/progress/", self.progress, "progress"),
            own("<int:export_id>/download/", self.download, "download"),
            *super().get_urls(),
        ]

    @display(
        description=_("state"),
        label={"queued": "info", "running": "info", "done": "success", "failed": "danger", "gone": ""},
    )
    def stage(self, job: ExportJob) -> tuple[str, Any]:
        if job.state == ImportState.DONE and not job.file:
            return "gone", _("No longer kept")
        return job.state, job.get_state_display()

    @display(description=_("asked for"))
    def asked(self, job: ExportJob) -> str:
        return format_moment(job.created_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = found_or_404(ExportJob, object_id)
        may_add = request.user.has_perm("members.add_exportjob")
        if request.method == "POST":
            if not may_add:
                raise PermissionDenied
            with suppress(TooLate):  # it has ended meanwhile: the page says how
                cancel_export(export_id=job.pk, at=now())
            return redirect("admin:members_exportjob_change", job.pk)
        known = headings()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Export"),
            "job": job,
            "headline": _headline(job),
            "columns": ", ".join(known.get(key, key) for key in job.columns),
            "may_add": may_add,
            "may_download": request.user.has_perm("members.download_exportjob"),
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "admin/export/page.html", context)

    def progress(self, request: HttpRequest, export_id: int) -> HttpResponse:
        """The bar alone, for htmx to renew; once the export has ended, the whole page is to be loaded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = found_or_404(ExportJob, export_id)
        response = TemplateResponse(request, "admin/export/bar.html", {"job": job})
        if not job.is_open:
            response["HX-Refresh"] = "true"
        return response

    def download(self, request: HttpRequest, export_id: int) -> FileResponse:
        """The file itself; who took it stands in the log."""
        if not request.user.has_perm("members.download_exportjob"):
            raise PermissionDenied
        try:
            job = note_download(export_id=export_id, at=now(), actor_id=request.user.pk)
            return FileResponse(job.file.open("rb"), as_attachment=True, filename=f"members-{job.pk}.{job.format}")
        except (ExportJob.DoesNotExist, OSError) as error:
            raise Http404 from error


def _headline(job: ExportJob) -> str:
    if job.state == ImportState.FAILED:
        return job.error_sentence
    if job.state == ImportState.CANCELLED:
        return gettext("Stopped. There is no file.")
    return gettext("The file is ready.") if job.file else gettext("The file is no longer kept.")

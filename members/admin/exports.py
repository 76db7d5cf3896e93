"""Files of members: asked for on a list, written by a worker, taken along by whom it is permitted."""

from contextlib import suppress
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ReadOnlyAdmin, found_or_404
from common.moments import format_moment
from members.enums import ImportState
from members.exporting import headings
from members.models import ExportJob
from members.services.exports import (
    cancel_export,
    note_download,
)
from members.services.imports.intake import TooLate


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

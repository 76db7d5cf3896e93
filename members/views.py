"""The page that any list of members leads to when somebody wants to take it along."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.timezone import now
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from members.enums import ExportFormat
from members.exporting import headings, sources
from members.models import PRESENT, Member
from members.services.exports import MOST_XLSX, TooManyForSheet, create_export, run_export

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

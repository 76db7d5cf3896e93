from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.enums import ExportFormat, ImportState
from members.models.file_import import private_storage
from members.models.job import Job


class ExportJob(Job):
    """A file of members that somebody asked for: which columns, how far it is, and for how long it is kept.

    Who is in it was settled when it was asked for (members.services.exports).
    """

    name = models.CharField(_("what"), max_length=200)
    columns = models.JSONField(_("columns"), default=list)
    format = models.CharField(_("format"), max_length=4, choices=ExportFormat, default=ExportFormat.CSV)
    language = models.CharField(_("language"), max_length=7, default="en")
    file = models.FileField(_("file"), upload_to="exports/%Y/%m", storage=private_storage, blank=True)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    written = models.PositiveIntegerField(_("rows written"), default=0)
    created_at = models.DateTimeField(_("asked for"))
    expires_at = models.DateTimeField(_("kept until"), null=True, blank=True)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ("-id",)
        permissions = [("download_exportjob", "Can download exports")]
        indexes = [
            # Exports that wait or whose worker died; files whose time is over (members.tasks.resume_jobs).
            models.Index(fields=["id"], condition=Q(state__in=["queued", "running"]), name="members_export_open"),
            models.Index(fields=["expires_at"], condition=~Q(file=""), name="members_export_expires"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def percent(self) -> int:
        """How far it is, 0 to 100."""
        return 100 if self.state == ImportState.DONE else min(99, 100 * self.written // (self.rows or 1))

from django.core.files.storage import storages
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from members.enums import ImportState
from members.models.job import Job


def private_storage():
    """Uploads are personal data: kept where no web server looks."""
    return storages["private"]


class FileImport(Job):
    """A file on its way in: how it is read, how far it is."""

    file = models.FileField(_("file"), upload_to="imports/%Y/%m", storage=private_storage)
    name = models.CharField(_("file name"), max_length=200, blank=True)
    source = models.CharField(_("source"), max_length=40, help_text=_("The system the file comes from, e.g. “till”."))
    mapping = models.JSONField(
        _("columns"), default=dict, blank=True, help_text=_("Our field → number of the file's column, from 0.")
    )
    layout = models.JSONField(_("how to read the file"), default=dict, blank=True)
    dry_run = models.BooleanField(_("dry run"), default=False, help_text=_("Only count; change nothing."))
    as_of = models.DateTimeField(_("as of"), db_default=Now(), help_text=_("The moment at which the import counts."))
    total_bytes = models.BigIntegerField(_("size"), default=0)
    read_bytes = models.BigIntegerField(_("read"), default=0)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    posted_rows = models.PositiveIntegerField(_("rows posted so far"), default=0)
    problems = models.PositiveIntegerField(_("bad rows"), default=0)
    dismissed_at = models.DateTimeField(
        _("settled"), null=True, blank=True, help_text=_("Since when its bad rows need no more attention.")
    )
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    staged = models.BooleanField(default=False, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name or f"{self.pk}"

    @property
    def percent(self) -> int:
        """How far it is, 0 to 100. Reading the file is counted as the first third."""
        if self.state == ImportState.DONE:
            return 100
        read = self.read_bytes / self.total_bytes if self.total_bytes else 0
        posted = self.posted_rows / self.rows if self.staged and self.rows else 0
        return min(99, int(33 * min(read, 1) + 67 * posted))

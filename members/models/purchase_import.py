from django.core.files.storage import storages
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from members.enums import ImportState
from members.import_problems import sentence
from members.validators import validate_currency, validate_time_zone


def private_storage():
    """Uploads are personal data: kept where no web server looks."""
    return storages["private"]


class PurchaseImport(models.Model):
    """A file of purchases on its way in: what it maps, how far it is, what came of it."""

    file = models.FileField(_("file"), upload_to="imports/%Y/%m", storage=private_storage)
    name = models.CharField(_("file name"), max_length=200, blank=True)
    source = models.CharField(_("source"), max_length=40, help_text=_("The system the file comes from, e.g. “till”."))
    mapping = models.JSONField(
        _("columns"), default=dict, blank=True, help_text=_("Our field → number of the file's column, from 0.")
    )
    layout = models.JSONField(_("how to read the file"), default=dict, blank=True)
    currency = models.CharField(_("currency"), max_length=3, validators=[validate_currency])
    time_zone = models.CharField(_("time zone"), max_length=63, default="UTC", validators=[validate_time_zone])
    with_points = models.BooleanField(_("give points"), default=True)
    dry_run = models.BooleanField(_("dry run"), default=False, help_text=_("Only count; change nothing."))
    as_of = models.DateTimeField(_("as of"), db_default=Now(), help_text=_("The moment at which the import counts."))
    state = models.CharField(_("state"), max_length=10, choices=ImportState, default=ImportState.QUEUED)
    cancel_requested = models.BooleanField(_("cancel"), default=False)
    total_bytes = models.BigIntegerField(_("size"), default=0)
    read_bytes = models.BigIntegerField(_("read"), default=0)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    posted_rows = models.PositiveIntegerField(_("rows posted so far"), default=0)
    purchases = models.PositiveIntegerField(_("new purchases"), default=0)
    members = models.PositiveIntegerField(_("new members"), default=0)
    repeats = models.PositiveIntegerField(_("already there"), default=0)
    problems = models.PositiveIntegerField(_("bad rows"), default=0)
    points = models.BigIntegerField(_("points given"), default=0)
    error = models.CharField(_("error"), max_length=40, blank=True)
    error_params = models.JSONField(_("details"), default=dict, blank=True)
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    staged = models.BooleanField(default=False, editable=False)
    lease = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("purchase import")
        verbose_name_plural = _("purchase imports")
        ordering = ("-id",)
        indexes = [
            # Imports that wait or whose worker died (rewards.tasks.resume_imports).
            models.Index(fields=["id"], condition=Q(state__in=["queued", "running"]), name="members_import_open"),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether it waits for a worker or is in one's hands."""
        return self.state in (ImportState.QUEUED, ImportState.RUNNING)

    @property
    def percent(self) -> int:
        """How far it is, 0 to 100. Reading the file is counted as the first third."""
        if self.state == ImportState.DONE:
            return 100
        read = self.read_bytes / self.total_bytes if self.total_bytes else 0
        posted = self.posted_rows / self.rows if self.staged and self.rows else 0
        return min(99, int(33 * min(read, 1) + 67 * posted))

    @property
    def error_sentence(self) -> str:
        """Why the file as a whole did not come in, in the active language; empty where it did."""
        return sentence(self.error, self.error_params) if self.error else ""


class ImportProblem(models.Model):
    """Why one row of a file did not come in. `code` and `params` make the sentence in the reader's language."""

    purchase_import = models.ForeignKey(PurchaseImport, models.CASCADE, related_name="problem_rows")
    row = models.PositiveIntegerField(_("row"))
    code = models.CharField(_("problem"), max_length=40)
    params = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name = _("bad row")
        verbose_name_plural = _("bad rows")
        constraints = [models.UniqueConstraint("purchase_import", "row", name="members_importproblem_row")]

    def __str__(self) -> str:
        return f"{self.row}: {self.sentence}"

    @property
    def sentence(self) -> str:
        """What is wrong with the row, in the active language."""
        return sentence(self.code, self.params)

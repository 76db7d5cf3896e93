from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.import_problems import sentences
from members.models.file_import import FileImport, private_storage  # noqa: F401  migrations ask for it here
from members.validators import validate_currency, validate_time_zone


class PurchaseImport(FileImport):
    """A file of purchases on its way in: what it maps, how far it is, what came of it."""

    currency = models.CharField(_("currency"), max_length=3, validators=[validate_currency])
    time_zone = models.CharField(_("time zone"), max_length=63, default="UTC", validators=[validate_time_zone])
    with_points = models.BooleanField(_("give points"), default=True)
    purchases = models.PositiveIntegerField(_("new purchases"), default=0)
    members = models.PositiveIntegerField(_("new members"), default=0)
    by_contact = models.PositiveIntegerField(
        _("joined by e-mail or phone"),
        default=0,
        help_text=_("Customers whose unknown number was given to the member with their e-mail or phone."),
    )
    repeats = models.PositiveIntegerField(_("already there"), default=0)
    points = models.BigIntegerField(_("points given"), default=0)

    class Meta:
        verbose_name = _("purchase import")
        verbose_name_plural = _("purchase imports")
        ordering = ("-id",)
        indexes = [
            # Imports that wait or whose worker died (rewards.tasks.resume_imports).
            models.Index(fields=["id"], condition=Q(state__in=["queued", "running"]), name="members_import_open"),
        ]


class ImportProblem(models.Model):
    """Why one row of a file did not come in. `code` and `params` make the sentence in the reader's language; `others`
    holds more faults of the row as [{"code": …, "params": {…}}, …]."""

    purchase_import = models.ForeignKey(PurchaseImport, models.CASCADE, related_name="problem_rows")
    row = models.PositiveIntegerField(_("row"))
    code = models.CharField(_("problem"), max_length=40)
    params = models.JSONField(_("details"), default=dict)
    others = models.JSONField(_("other problems"), default=list, db_default=[])

    class Meta:
        verbose_name = _("bad row")
        verbose_name_plural = _("bad rows")
        constraints = [models.UniqueConstraint("purchase_import", "row", name="members_importproblem_row")]

    def __str__(self) -> str:
        return f"{self.row}: {self.sentence}"

    @property
    def sentence(self) -> str:
        """All that is wrong with the row, in the active language."""
        return sentences([{"code": self.code, "params": self.params}, *self.others])

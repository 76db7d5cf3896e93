"""Files of customers on their way in, and the journal by which an import can be undone. docs/import.md."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.enums import CustomerKey, ImportMode, ImportState
from members.import_problems import sentences
from members.models.file_import import FileImport


class CustomerImport(FileImport):
    """A file of customers: how its rows find members, what came of it, and of taking it back (`undoing`).

    `fixed` holds what no column says: {"consent_source": …, "consent_on": "2026-01-31", "consent_evidence": …}.
    """

    key = models.CharField(_("members are found by"), max_length=10, choices=CustomerKey, default=CustomerKey.EMAIL)
    mode = models.CharField(_("rows may"), max_length=10, choices=ImportMode, default=ImportMode.BOTH)
    clear_empty = models.BooleanField(_("empty cells empty the field"), default=False)
    new_options = models.BooleanField(_("unknown choices are added"), default=False)
    fixed = models.JSONField(_("for all rows"), default=dict, blank=True)
    created = models.PositiveIntegerField(_("new members"), default=0)
    updated = models.PositiveIntegerField(_("changed"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    skipped = models.PositiveIntegerField(_("already there"), default=0)
    problem_counts = models.JSONField(_("problems by kind"), default=dict, blank=True)
    undoing = models.BooleanField(_("taken back"), default=False)
    removed = models.PositiveIntegerField(_("members removed"), default=0)
    restored = models.PositiveIntegerField(_("members restored"), default=0)
    kept = models.PositiveIntegerField(_("could not be taken back"), default=0)

    class Meta:
        verbose_name = _("customer import")
        verbose_name_plural = _("customer imports")
        ordering = ("-id",)
        indexes = [
            # Imports that wait or whose worker died (members.tasks.resume_jobs).
            models.Index(fields=["id"], condition=Q(state__in=["queued", "running"]), name="members_custimport_open"),
        ]

    @property
    def percent(self) -> int:
        """How far it is, 0 to 100."""
        if self.undoing and self.state != ImportState.DONE:
            return min(99, 100 * self.posted_rows // (self.rows or 1))
        return super().percent

    @property
    def changed_something(self) -> bool:
        """Whether it brought something in that is not taken back."""
        return bool(self.created or self.updated) and not self.dry_run and not self.undoing


class CustomerProblem(models.Model):
    """All that is wrong with one row of a file: `faults` as [{"code": …, "params": {…}}, …]."""

    customer_import = models.ForeignKey(CustomerImport, models.CASCADE, related_name="problem_rows", db_index=False)
    row = models.PositiveIntegerField(_("row"))
    faults = models.JSONField(_("problems"))

    class Meta:
        verbose_name = _("bad row")
        verbose_name_plural = _("bad rows")
        constraints = [models.UniqueConstraint("customer_import", "row", name="members_customerproblem_row")]

    def __str__(self) -> str:
        return f"{self.row}: {self.sentence}"

    @property
    def sentence(self) -> str:
        """All that is wrong with the row, in the active language."""
        return sentences(self.faults)


class ImportedMember(models.Model):
    """What an import did to one member. `before` and `after` hold the fields that it changed, as text; `added` the ids
    of tags, identities and consents. `kept` says, after an undo, why something could not be taken back."""

    customer_import = models.ForeignKey(CustomerImport, models.CASCADE, related_name="journal", db_index=False)
    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, db_constraint=False, related_name="+", verbose_name=_("member")
    )
    row = models.PositiveIntegerField(_("row"))
    created = models.BooleanField(_("new"))
    before = models.JSONField(_("before"), default=dict, db_default={})
    after = models.JSONField(_("after"), default=dict, db_default={})
    added = models.JSONField(_("added"), default=dict, db_default={})
    kept = models.CharField(_("not taken back"), max_length=40, blank=True, db_default="")

    class Meta:
        verbose_name = _("imported member")
        verbose_name_plural = _("imported members")
        # An import's journal in the order of its rows (undo).
        constraints = [models.UniqueConstraint("customer_import", "row", name="members_importedmember_row")]
        indexes = [
            # What could not be taken back (result page).
            models.Index(fields=["customer_import", "row"], condition=~Q(kept=""), name="members_imported_kept"),
        ]

    def __str__(self) -> str:
        return f"{self.row}: {self.member_id}"

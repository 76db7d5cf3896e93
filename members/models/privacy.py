"""Who saw whose data, and how long data is kept. docs/privacy.md."""

import pgtrigger
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from members.enums import AccessAction, JobState, Language
from members.models.purchase_import import private_storage


class AccessLog(models.Model):
    """Somebody of the staff looked at, searched, exported or erased personal data. Kept for ever as it was."""

    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    action = models.CharField(_("action"), max_length=12, choices=AccessAction)
    member = models.ForeignKey(
        "members.Member", models.PROTECT, null=True, blank=True, related_name="accesses", verbose_name=_("member")
    )
    what = models.CharField(_("what"), max_length=120, blank=True)
    members = models.PositiveIntegerField(_("members"), default=1)
    at = models.DateTimeField(_("when"), db_default=Now())

    class Meta:
        verbose_name = _("access to personal data")
        verbose_name_plural = _("accesses to personal data")
        indexes = [
            # Newest first (admin list).
            models.Index(fields=["-at", "-id"], name="members_access_time"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.what}"


class RetentionRule(models.Model):
    """How long something is kept; `subject` is registered with members.privacy (see there what happens after)."""

    subject = models.CharField(_("what"), max_length=40, unique=True)
    days = models.PositiveIntegerField(_("kept for days"))
    active = models.BooleanField(_("active"), default=False)
    last_run_at = models.DateTimeField(_("last run"), null=True, blank=True, editable=False)
    last_affected = models.PositiveIntegerField(_("affected then"), default=0, editable=False)

    class Meta:
        verbose_name = _("retention rule")
        verbose_name_plural = _("retention rules")
        constraints = [models.CheckConstraint(name="members_retention_days", condition=models.Q(days__gt=0))]

    def __str__(self) -> str:
        return self.subject


class DataExport(models.Model):
    """All that is held on one member, as a file for them: asked for by themselves, or by staff (`actor`)."""

    member = models.ForeignKey("members.Member", models.CASCADE, related_name="data_exports", verbose_name=_("member"))
    actor = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    language = models.CharField(_("language"), max_length=7, choices=Language)
    state = models.CharField(_("state"), max_length=10, choices=JobState, default=JobState.QUEUED)
    file = models.FileField(_("file"), upload_to="exports/%Y/%m", storage=private_storage, blank=True)
    size = models.PositiveIntegerField(_("size"), default=0)
    requested_at = models.DateTimeField(_("asked"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    expires_at = models.DateTimeField(_("deleted on"))

    class Meta:
        verbose_name = _("data export")
        verbose_name_plural = _("data exports")
        indexes = [
            # Exports that wait for a worker, and files that have had their time (members.services.data_exports).
            models.Index(fields=["id"], condition=models.Q(state="queued"), name="members_dataexport_open"),
            models.Index(fields=["expires_at"], name="members_dataexport_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def is_ready(self) -> bool:
        """Whether there is a file to fetch."""
        return self.state == JobState.DONE


class ErasureRequest(models.Model):
    """A member's own wish to be forgotten. It comes true at `due_at` unless they think better of it."""

    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="erasure_requests", verbose_name=_("member")
    )
    requested_at = models.DateTimeField(_("asked"))
    due_at = models.DateTimeField(_("erased on"))
    cancelled_at = models.DateTimeField(_("taken back"), null=True, blank=True)
    done_at = models.DateTimeField(_("erased"), null=True, blank=True)

    class Meta:
        verbose_name = _("request to be erased")
        verbose_name_plural = _("requests to be erased")
        constraints = [
            models.UniqueConstraint(
                "member", condition=models.Q(cancelled_at=None, done_at=None), name="members_erasure_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.member_id}"


class Guardian(models.Model):
    """Who agreed for a member below the programme's minimum age, and what proves it."""

    member = models.OneToOneField(
        "members.Member", models.PROTECT, primary_key=True, related_name="guardian", verbose_name=_("member")
    )
    name = models.CharField(_("guardian's name"), max_length=120)
    evidence = models.CharField(
        _("evidence"), max_length=200, help_text=_("What proves it: form number, file, address.")
    )
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("guardian")
        verbose_name_plural = _("guardians")

    def __str__(self) -> str:
        return self.name

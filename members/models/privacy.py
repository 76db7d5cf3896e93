"""Who saw whose data, and how long data is kept. docs/privacy.md."""

import pgtrigger
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from members.enums import AccessAction


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

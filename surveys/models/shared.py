"""Reports that somebody without an account may read."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class SharedReport(models.Model):
    """A link to a survey's report, for whoever has it, until it expires or is withdrawn.

    The address is made of `uid` and a signature (surveys.links), so that what stands here opens nothing by itself.
    `chosen` says which part of the answers it is of, as the report's form does; it is never changed."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    survey = models.ForeignKey("surveys.Survey", models.PROTECT, related_name="shared", verbose_name=_("survey"))
    title = models.CharField(_("title"), max_length=120)
    chosen = models.JSONField(_("part"), default=dict)
    verbatims = models.BooleanField(_("with what people wrote"), default=False)
    created_at = models.DateTimeField(_("made"))
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    expires_at = models.DateTimeField(_("expires"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)
    withdrawn_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("withdrawn by")
    )
    opened = models.PositiveIntegerField(_("opened"), default=0, db_default=0)  # by browsers: no preview of a chat
    opened_at = models.DateTimeField(_("last opened"), null=True, blank=True)

    class Meta:
        verbose_name = _("link to a report")
        verbose_name_plural = _("links to reports")
        constraints = [
            models.CheckConstraint(
                name="surveys_sharedreport_expires", condition=Q(expires_at__gt=models.F("created_at"))
            )
        ]

    def __str__(self) -> str:
        return self.title

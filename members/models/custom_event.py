"""What other systems tell of members, beside purchases."""

import pgtrigger
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class CustomEvent(models.Model):
    """Something that happened to a member, told by another system or by the portal (a check-in). (`source`, `key`)
    names it for ever; `kind` is a word of the shop: "workshop", "check_in"."""

    source = models.CharField(_("source"), max_length=40)
    key = models.CharField(_("key"), max_length=120)
    fingerprint = models.UUIDField(_("fingerprint"), editable=False, help_text=_("MD5 of what was reported."))
    member = models.ForeignKey(
        "members.Member", models.PROTECT, db_index=False, related_name="custom_events", verbose_name=_("member")
    )
    kind = models.CharField(_("kind"), max_length=60)
    at = models.DateTimeField(_("when"))
    data = models.JSONField(_("data"), default=dict, blank=True)
    created_at = models.DateTimeField(_("recorded"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("event of another system")
        verbose_name_plural = _("events of other systems")
        constraints = [models.UniqueConstraint("source", "key", name="members_customevent_key")]
        indexes = [
            # A member's events of a kind, newest first (limits of rules, segments).
            models.Index(fields=["member", "kind", "-at"], name="members_customevent_member"),
        ]
        triggers = [pgtrigger.ReadOnly(name="read_only", exclude=["member", "data"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.enums import Channel, Purpose


class ConsentWording(models.Model):
    """One version of the sentence a member agrees to. A new wording is a new version, never an edit."""

    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    version = models.PositiveIntegerField(_("version"))
    text = models.TextField(_("wording"))
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("consent wording")
        verbose_name_plural = _("consent wordings")
        constraints = [models.UniqueConstraint("purpose", "version", name="members_consentwording_version")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} {self.version}"


class Consent(models.Model):
    """One statement by a member: yes or no to a channel for a purpose. The last one counts; none means no."""

    member = models.ForeignKey("members.Member", models.PROTECT, related_name="consents", verbose_name=_("member"))
    channel = models.CharField(
        _("channel"), max_length=10, choices=Channel, blank=True, help_text=_("Empty for a purpose without channels.")
    )
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    granted = models.BooleanField(_("granted"))
    wording = models.ForeignKey(
        ConsentWording, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("wording")
    )
    source = models.CharField(
        _("given by"), max_length=40, help_text=_("Where it was said: portal, till, unsubscribe link…")
    )
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    evidence = models.CharField(
        _("evidence"),
        max_length=200,
        blank=True,
        db_default="",
        help_text=_("What proves it: form number, file, address."),
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        indexes = [
            # The latest word of a member per channel and purpose (members.queries.consent_state).
            models.Index(fields=["member", "channel", "purpose", "-at", "-id"], name="members_consent_latest"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.get_channel_display()}, {self.get_purpose_display()}: {self.granted}"

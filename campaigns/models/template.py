"""What messages say: templates in versions, the pieces that several share, and their pictures."""

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.enums import TemplateKind


class Template(models.Model):
    """A message as marketers know it. What it says stands in its versions, the newest of which counts."""

    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=10, choices=TemplateKind, default=TemplateKind.MARKETING)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("since"), editable=False)
    changed_at = models.DateTimeField(_("changed"), editable=False)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ("-changed_at", "-id")

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """What a template says, for ever: what was sent by it can be made again. campaigns.content.blocks has the shape."""

    template = models.ForeignKey(Template, models.PROTECT, related_name="versions", verbose_name=_("template"))
    number = models.PositiveIntegerField(_("version"))
    subject = models.JSONField(_("subject"), default=dict)  # {"en": "…", "zh-hans": "…"}; so are the next two
    preheader = models.JSONField(_("preheader"), default=dict)
    sms = models.JSONField(_("SMS"), default=dict)
    blocks = models.JSONField(_("blocks"), default=list)
    note = models.CharField(_("note"), max_length=120, blank=True)
    created_at = models.DateTimeField(_("since"), editable=False)
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("version of a template")
        verbose_name_plural = _("versions of templates")
        constraints = [models.UniqueConstraint("template", "number", name="campaigns_templateversion_number")]
        triggers = [
            pgtrigger.ReadOnly(name="read_only", exclude=["created_by"]),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.number}"

    @property
    def content(self) -> dict:
        """What campaigns.content.reading parses."""
        return {"subject": self.subject, "preheader": self.preheader, "sms": self.sms, "blocks": self.blocks}


class Snippet(models.Model):
    """Blocks that several templates share. Saving it gives each of them a new version."""

    name = models.CharField(_("name"), max_length=80)
    blocks = models.JSONField(_("blocks"), default=list)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("since"), editable=False)
    changed_at = models.DateTimeField(_("changed"), editable=False)

    class Meta:
        verbose_name = _("snippet")
        verbose_name_plural = _("snippets")
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name


class MailPicture(models.Model):
    """A picture of templates. It stays as long as any version might show it."""

    name = models.CharField(_("name"), max_length=60, unique=True)  # of the file, drawn at random
    width = models.PositiveIntegerField(_("width"))
    height = models.PositiveIntegerField(_("height"))
    created_at = models.DateTimeField(_("since"), editable=False)

    class Meta:
        verbose_name = _("picture of templates")
        verbose_name_plural = _("pictures of templates")

    def __str__(self) -> str:
        return self.name

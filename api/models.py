"""Who may call, and what was answered. docs/api.md."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class ApiKey(models.Model):
    """A key of a connected system. Only a hash of it is kept: it is shown once, when it is made.

    `source` names the system: keys of calls are its own, and several of our keys may speak for it.
    """

    name = models.CharField(_("name"), max_length=80)
    source = models.SlugField(_("system"), max_length=40, help_text=_("A short word for the connected system: “shop”."))
    prefix = models.CharField(_("begins with"), max_length=12, editable=False)
    digest = models.CharField(_("hash"), max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("may"), default=list)
    per_minute = models.PositiveIntegerField(
        _("calls a minute"), null=True, blank=True, help_text=_("Empty: as many as it makes.")
    )
    # How often it was used in the minute counted from 1970: one row, one statement, right for all processes.
    minute = models.BigIntegerField(default=0, db_default=0, editable=False)
    calls = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("made"), db_default=Now(), editable=False)
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return self.name


class Answer(models.Model):
    """What a call with a key was answered, for ever: the same body gets it again, another body is refused.

    Of an erased member nothing is left but that there was an answer: status 410, no fingerprint, nothing in `body`.
    """

    call = models.CharField(_("call"), max_length=40)
    source = models.CharField(_("system"), max_length=40)
    key = models.CharField(_("key"), max_length=120)
    fingerprint = models.BinaryField(_("fingerprint"), max_length=32)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    body = models.JSONField(_("answer"), null=True)
    member = models.ForeignKey(
        "members.Member", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("member")
    )
    at = models.DateTimeField(_("when"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("API call")
        verbose_name_plural = _("API calls")
        constraints = [
            models.UniqueConstraint("call", "source", "key", name="api_answer_key"),
            models.CheckConstraint(
                name="api_answer_whole", condition=Q(status=None, body=None) | Q(status__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.key

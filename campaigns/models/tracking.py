"""What was opened and clicked: the links that mails hold, and each request for one of them as it came."""

import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5
from django.utils.translation import gettext_lazy as _

from campaigns.enums import TrackKind, Verdict


class Link(models.Model):
    """Where a link in mails leads, as it was written: an address, perhaps with merge fields in its path, or the name of
    a place of the members' pages. A mail holds its id, so nobody can make it lead elsewhere."""

    version = models.ForeignKey("campaigns.TemplateVersion", models.PROTECT, null=True, db_index=False)
    campaign = models.ForeignKey(
        "campaigns.Campaign", models.PROTECT, null=True, db_index=False
    )  # no version: birthday
    url = models.CharField(_("leads to"), max_length=2000)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        constraints = [
            models.UniqueConstraint(
                "version", MD5("url"), condition=Q(version__isnull=False), name="campaigns_link_version"
            ),
            models.UniqueConstraint(
                "campaign", MD5("url"), condition=Q(campaign__isnull=False), name="campaigns_link_campaign"
            ),
            models.CheckConstraint(
                name="campaigns_link_of_one",
                condition=Q(version=None, campaign__isnull=False) | Q(version__isnull=False, campaign=None),
            ),
        ]
        triggers = [pgtrigger.ReadOnly(name="read_only")]

    def __str__(self) -> str:
        return self.url


class TrackEvent(models.Model):
    """A request for a picture or a link of a message, as it came, and beside it what it is taken for. The same within a
    minute is counted (`times`), not multiplied. `network` is the first half of the address that asked."""

    message = models.ForeignKey("campaigns.Message", models.PROTECT, related_name="tracks", verbose_name=_("message"))
    kind = models.CharField(_("what"), max_length=6, choices=TrackKind)
    link = models.ForeignKey(Link, models.PROTECT, null=True, db_index=False, verbose_name=_("link"))
    at = models.DateTimeField(_("when"))
    minute = models.DateTimeField(editable=False)
    method = models.CharField(_("method"), max_length=8, blank=True, default="")
    agent = models.CharField(_("program"), max_length=200, blank=True, default="")
    network = models.CharField(_("network"), max_length=45, blank=True, default="")
    after_seconds = models.IntegerField(_("seconds after sending"), null=True)
    looks = models.CharField(_("looks like"), max_length=8, choices=Verdict)  # by this request alone
    times = models.PositiveIntegerField(_("times"), default=1, db_default=1)
    # The verdict (campaigns.services.verdicts)
    verdict = models.CharField(
        _("taken for"), max_length=8, choices=Verdict, default=Verdict.UNSURE, db_default="unsure"
    )
    rule = models.CharField(_("because"), max_length=12, blank=True, default="", db_default="")
    rules = models.PositiveSmallIntegerField(_("rules"), default=0, db_default=0)  # their version; 0: not judged yet

    class Meta:
        verbose_name = _("opened or clicked")
        verbose_name_plural = _("opened and clicked")
        constraints = [
            models.UniqueConstraint(
                fields=["message", "kind", "link", "minute", "looks"],
                nulls_distinct=False,
                name="campaigns_track_minute",
            ),
        ]
        indexes = [
            # What waits for its verdict.
            models.Index(fields=["at"], condition=Q(rules=0), name="campaigns_track_unjudged"),
            # The list, newest first, and what is too old to be kept.
            models.Index(fields=["-at", "-id"], name="campaigns_track_new"),
        ]
        triggers = [
            pgtrigger.ReadOnly(name="read_only", exclude=["times", "agent", "network", "verdict", "rule", "rules"])
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())

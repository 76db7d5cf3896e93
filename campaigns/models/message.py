"""One row for each message to a member."""

import uuid
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.enums import UNSENT, Medium, MessageState, SkipReason
from members.enums import Language

DAYS_BETWEEN = 300  # between two greetings of a member: less than between any two birthdays of either calendar
_GREETED = Q(occurrence_day__isnull=False) & (~Q(state__in=UNSENT) | Q(gift__isnull=False))


class GreetingYear(models.Func):
    """The days from an occurrence on which no other greeting's day may fall."""

    function = "daterange"
    template = f"%(function)s(%(expressions)s, %(expressions)s + {DAYS_BETWEEN})"
    arity = 1
    output_field = DateRangeField()


class Message(models.Model):
    """One message to one member for one occurrence of a campaign, by one channel. The row is there before anything is
    sent; docs/delivery.md."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.ForeignKey(
        "campaigns.Campaign", models.PROTECT, related_name="messages", db_index=False, verbose_name=_("campaign")
    )
    occurrence = models.CharField(_("occurrence"), max_length=60, blank=True, db_default="")
    channel = models.CharField(_("channel"), max_length=10, choices=Medium)
    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="messages", db_index=False, verbose_name=_("member")
    )
    address = models.UUIDField(null=True, editable=False)  # campaigns.queries.address_key of where it is planned to go
    sender = models.ForeignKey(
        "campaigns.Sender", models.PROTECT, null=True, related_name="+", db_index=False, verbose_name=_("sender")
    )
    version = models.ForeignKey(
        "campaigns.TemplateVersion",
        models.PROTECT,
        null=True,
        related_name="messages",
        db_index=False,
        verbose_name=_("template"),
    )
    variant = models.PositiveSmallIntegerField(_("variant"), default=0, db_default=0)
    occurrence_year = models.PositiveSmallIntegerField(_("year"), null=True)  # birthdays: of their own calendar
    occurrence_day = models.DateField(_("occasion"), null=True)  # birthdays
    due_at = models.DateTimeField(_("due"))
    expires_at = models.DateTimeField(_("not after"))
    state = models.CharField(_("state"), max_length=12, choices=MessageState)
    reason = models.CharField(_("why not"), max_length=20, choices=SkipReason, blank=True, db_default="")
    why = models.JSONField(_("why"), default=dict, db_default={}, blank=True)
    changed_at = models.DateTimeField(_("in this state since"))
    # Delivery
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    tries = models.JSONField(_("failed attempts"), default=list, db_default=[], blank=True)  # [{"at", "error"}]
    next_try_at = models.DateTimeField(_("next try"))
    lease_until = models.DateTimeField(_("claimed until"), null=True, blank=True)
    token = models.UUIDField(null=True, blank=True, editable=False)  # of the claim: who lost it can write nothing
    boot = models.UUIDField(null=True, blank=True, editable=False)  # campaigns.services.boot: marks made since are kept
    dot_at = models.DateTimeField(_("left our hands"), null=True, blank=True)  # before the byte that ends it leaves
    answered_at = models.DateTimeField(_("taken by the server"), null=True, blank=True)
    taken_id = models.BigIntegerField(null=True, blank=True, editable=False)  # of whom the server had taken at `dot_at`
    error = models.TextField(_("error"), blank=True, db_default="")
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    provider_id = models.CharField(_("id at the provider"), max_length=250, blank=True, db_default="")
    # Content, frozen before the first attempt: every attempt sends the same
    frozen_at = models.DateTimeField(_("written"), null=True, blank=True)
    language = models.CharField(_("language"), max_length=7, choices=Language, blank=True, db_default="")
    to = models.CharField(_("to"), max_length=254, blank=True, db_default="")
    subject = models.CharField(_("subject"), max_length=500, blank=True, db_default="")
    values = models.JSONField(_("what its fields said"), default=dict, db_default={}, blank=True)
    text = models.TextField(_("text"), blank=True, db_default="")
    gift = models.OneToOneField(
        "rewards.Transfer",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="message",
        verbose_name=_("gift"),
    )
    # What providers told
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    bounced_at = models.DateTimeField(_("bounced"), null=True, blank=True)
    complained_at = models.DateTimeField(_("reported as spam"), null=True, blank=True)
    opened_at = models.DateTimeField(_("opened"), null=True, blank=True)
    clicked_at = models.DateTimeField(_("clicked"), null=True, blank=True)
    read_at = models.DateTimeField(_("read on the member's pages"), null=True, blank=True)
    created_at = models.DateTimeField(_("planned"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        permissions = [("view_outbox", _("Can read all mail kept on disk, sign-in codes among it"))]
        constraints = [
            models.UniqueConstraint("member", "campaign", "occurrence", "channel", name="campaigns_message_once"),
            # Two members may have one address: it gets one message.
            models.UniqueConstraint(
                "campaign",
                "occurrence",
                "channel",
                "address",
                condition=~Q(state__in=UNSENT) & Q(address__isnull=False),
                name="campaigns_message_address",
            ),
            # One decision about each birthday. The day stands first for who asks who has none yet (queries.DUE).
            models.UniqueConstraint(
                "occurrence_day",
                "campaign",
                "member",
                condition=Q(occurrence_day__isnull=False),
                name="campaigns_message_day",
            ),
            # Greeted, or given the gift, once a year, whatever happens to the birthday in between.
            models.UniqueConstraint(
                "campaign", "member", "occurrence_year", condition=_GREETED, name="campaigns_message_year"
            ),
            ExclusionConstraint(
                name="campaigns_message_apart",
                expressions=[
                    ("campaign", RangeOperators.EQUAL),
                    ("member", RangeOperators.EQUAL),
                    (GreetingYear("occurrence_day"), RangeOperators.OVERLAPS),
                ],
                condition=_GREETED,
            ),
            models.CheckConstraint(
                name="campaigns_message_claim",
                condition=Q(state__in=["claimed", "handing_over"], lease_until__isnull=False, token__isnull=False)
                | (~Q(state__in=["claimed", "handing_over"]) & Q(lease_until=None)),
            ),
            models.CheckConstraint(
                name="campaigns_message_reason",
                condition=(Q(state="skipped") & ~Q(reason=""))
                | Q(state__in=["missed", "cancelled", "held"])
                | (~Q(state="skipped") & Q(reason="")),
            ),
            models.CheckConstraint(
                name="campaigns_message_sent",
                condition=Q(state="sent", sent_at__isnull=False) | (~Q(state="sent") & Q(sent_at=None)),
            ),
            models.CheckConstraint(
                name="campaigns_message_frozen",
                condition=~Q(state__in=["handing_over", "sent", "unknown"]) | Q(frozen_at__isnull=False),
            ),
            # Nothing waits that no deliverer looks for.
            models.CheckConstraint(
                name="campaigns_message_sender",
                condition=~Q(state__in=["queued", "claimed", "handing_over"]) | Q(sender__isnull=False),
            ),
            models.CheckConstraint(
                name="campaigns_message_handover",
                condition=(Q(dot_at=None) | Q(state__in=["handing_over", "sent", "failed", "unknown"]))
                & (Q(answered_at=None) | Q(dot_at__isnull=False)),
            ),
        ]
        indexes = [
            # What can be sent now, a campaign and sender at a time (campaigns.services.delivery).
            models.Index(
                fields=["campaign", "sender", "next_try_at", "id"],
                condition=Q(state="queued"),
                name="campaigns_message_due",
            ),
            # Claims that ran out, and waiting messages that are too late.
            models.Index(
                fields=["lease_until"],
                condition=Q(state__in=["claimed", "handing_over"]),
                name="campaigns_message_lease",
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(state__in=["queued", "claimed", "skipped"]),
                name="campaigns_message_expiry",
            ),
            # How many of a campaign are where, and those behind a figure (queries_broadcast_results).
            models.Index(fields=["campaign", "state", "reason"], name="campaigns_message_figures"),
            # A member's messages, newest first (member page, export).
            models.Index(fields=["member", "-due_at"], name="campaigns_message_member"),
            # What staff must look at.
            models.Index(
                fields=["state", "-changed_at"],
                condition=Q(state__in=["failed", "unknown", "missed"]),
                name="campaigns_message_trouble",
            ),
            # Messages sent in a period (dashboard).
            models.Index(fields=["sent_at"], condition=Q(state="sent"), name="campaigns_message_sent_at"),
            # What a provider means by its own id (campaigns.services.bounces).
            models.Index(fields=["provider_id"], condition=~Q(provider_id=""), name="campaigns_message_provider"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} {self.occurrence}".strip()

    @property
    def message_id(self) -> str:
        """The Message-ID of every attempt: what a mail server that saw one can be asked for."""
        return f"<{self.uid}@{urlsplit(settings.SITE_URL).hostname}>"

"""What we say: the settings of the birthday greeting, and one row for each message to a member."""

import uuid
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.enums import UNSENT, Campaign, MessageState, SkipReason
from campaigns.validators import validate_liquid
from members.enums import Channel, Language, Purpose

DAYS_BETWEEN = 300  # between two greetings of a member: less than between any two birthdays of either calendar


class BirthdayGreeting(models.Model):
    """The birthday greeting: when it goes out, what it gives and what it says. One row."""

    active = models.BooleanField(_("active"), default=False)
    send_hour = models.PositiveSmallIntegerField(
        _("hour"),
        default=9,
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
        help_text=_("In each member's own time zone."),
    )
    days_ahead = models.PositiveSmallIntegerField(
        _("days ahead"),
        default=0,
        validators=[MaxValueValidator(30)],
        help_text=_("0 sends on the birthday itself."),
    )
    gift_points = models.PositiveIntegerField(
        _("gift of points"), default=0, validators=[MaxValueValidator(1_000_000)], help_text=_("0 gives none.")
    )
    gift_valid_days = models.PositiveSmallIntegerField(
        _("gift valid for days"),
        null=True,
        blank=True,
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
        help_text=_("Empty: the gift never expires."),
    )
    catch_up_hours = models.PositiveSmallIntegerField(
        _("late by at most (hours)"),
        default=48,
        validators=[MinValueValidator(1), MaxValueValidator(336)],
        help_text=_(
            "What could not go out in time is made up for that long, and until the birthday is over. After that it is"
            " listed as missed."
        ),
    )
    subject = models.CharField(_("subject"), max_length=200, validators=[validate_liquid])
    body = models.TextField(
        _("text"),
        validators=[MaxLengthValidator(10_000), validate_liquid],
        help_text=_("Plain paragraphs, an empty line between them."),
    )
    active_since = models.DateTimeField(_("active since"), null=True, blank=True, editable=False)
    last_checked_at = models.DateTimeField(_("last looked"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("birthday greeting")
        verbose_name_plural = _("birthday greeting")
        constraints = [
            models.CheckConstraint(name="campaigns_greeting_single", condition=Q(pk=1)),
            models.CheckConstraint(
                name="campaigns_greeting_hours",
                condition=Q(send_hour__lte=23, days_ahead__lte=30, catch_up_hours__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)


class GreetingYear(models.Func):
    """The days from an occurrence on which no other greeting's day may fall."""

    function = "daterange"
    template = f"%(function)s(%(expressions)s, %(expressions)s + {DAYS_BETWEEN})"
    arity = 1
    output_field = DateRangeField()


class Message(models.Model):
    """One message to one member for one occurrence. The row is there before anything is sent; docs/messages.md."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    campaign = models.CharField(_("campaign"), max_length=20, choices=Campaign)
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="messages", db_index=False, verbose_name=_("member")
    )
    occurrence_year = models.PositiveSmallIntegerField(_("year"))  # of the occasion's own calendar
    occurrence_day = models.DateField(_("occasion"))
    due_at = models.DateTimeField(_("due"))
    expires_at = models.DateTimeField(_("not after"))
    state = models.CharField(_("state"), max_length=12, choices=MessageState)
    reason = models.CharField(_("why not"), max_length=20, choices=SkipReason, blank=True, db_default="")
    why = models.JSONField(_("why"), default=dict, db_default={}, blank=True)
    changed_at = models.DateTimeField(_("in this state since"))
    # Delivery
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    next_try_at = models.DateTimeField(_("next try"))
    lease_until = models.DateTimeField(_("claimed until"), null=True, blank=True)
    token = models.UUIDField(null=True, blank=True, editable=False)  # of the claim: who lost it can write nothing
    error = models.TextField(_("error"), blank=True, db_default="")
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    # Content, frozen before the first attempt: every attempt sends the same
    frozen_at = models.DateTimeField(_("written"), null=True, blank=True)
    language = models.CharField(_("language"), max_length=7, choices=Language, blank=True, db_default="")
    to = models.CharField(_("to"), max_length=254, blank=True, db_default="")
    subject = models.CharField(_("subject"), max_length=500, blank=True, db_default="")
    text = models.TextField(_("text"), blank=True, db_default="")
    html = models.TextField(_("HTML"), blank=True, db_default="")
    gift = models.OneToOneField(
        "rewards.Transfer",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="message",
        verbose_name=_("gift"),
    )
    created_at = models.DateTimeField(_("planned"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        permissions = [("view_outbox", _("Can read all mail kept on disk, sign-in codes among it"))]
        constraints = [
            # One decision about each day. The day stands first for who asks who has none yet (campaigns.queries.DUE).
            models.UniqueConstraint("occurrence_day", "campaign", "member", name="campaigns_message_day"),
            # Greeted, or given the gift, once a year, whatever happens to the birthday in between.
            models.UniqueConstraint(
                "campaign",
                "member",
                "occurrence_year",
                condition=~Q(state__in=UNSENT) | Q(gift__isnull=False),
                name="campaigns_message_year",
            ),
            ExclusionConstraint(
                name="campaigns_message_apart",
                expressions=[
                    ("campaign", RangeOperators.EQUAL),
                    ("member", RangeOperators.EQUAL),
                    (GreetingYear("occurrence_day"), RangeOperators.OVERLAPS),
                ],
                condition=~Q(state__in=UNSENT) | Q(gift__isnull=False),
            ),
            models.CheckConstraint(
                name="campaigns_message_claim",
                condition=Q(state__in=["claimed", "handing_over"], lease_until__isnull=False, token__isnull=False)
                | (~Q(state__in=["claimed", "handing_over"]) & Q(lease_until=None)),
            ),
            models.CheckConstraint(
                name="campaigns_message_reason",
                condition=(Q(state="skipped") & ~Q(reason="")) | (~Q(state="skipped") & Q(reason="")),
            ),
            models.CheckConstraint(
                name="campaigns_message_sent",
                condition=Q(state="sent", sent_at__isnull=False) | (~Q(state="sent") & Q(sent_at=None)),
            ),
            models.CheckConstraint(
                name="campaigns_message_frozen",
                condition=~Q(state__in=["handing_over", "sent", "unknown"]) | Q(frozen_at__isnull=False),
            ),
        ]
        indexes = [
            # What can be sent now (campaigns.services.delivery).
            models.Index(fields=["next_try_at", "id"], condition=Q(state="queued"), name="campaigns_message_due"),
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
        ]

    def __str__(self) -> str:
        return f"{self.get_campaign_display()} {self.occurrence_year}"

    @property
    def message_id(self) -> str:
        """The Message-ID of every attempt: what a mail server that saw one can be asked for."""
        return f"<{self.uid}@{urlsplit(settings.SITE_URL).hostname}>"

"""Broadcasts: one message to many members, in one or more versions, at one time or at each member's own."""

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from campaigns.enums import BroadcastWhen, HourPassed, Metric


class CampaignSettings(models.Model):
    """What holds for all broadcasts. One row."""

    approval_above = models.PositiveIntegerField(
        _("approval above (members)"),
        null=True,
        blank=True,
        default=1000,
        help_text=_("A broadcast to more members needs a second person. Empty: never, 0: always."),
    )
    holdout_percent = models.DecimalField(
        _("held out (%)"),
        max_digits=4,
        decimal_places=1,
        default=5,
        validators=[MinValueValidator(0), MaxValueValidator(50)],
        help_text=_("Of the audience of each new broadcast. They get nothing, which shows what the others bring."),
    )

    class Meta:
        verbose_name = _("settings of campaigns")
        verbose_name_plural = _("settings of campaigns")
        constraints = [models.CheckConstraint(name="campaigns_settings_single", condition=Q(pk=1))]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)


class Broadcast(models.Model):
    """What a campaign of kind broadcast sends, to whom and when. docs/broadcasts.md."""

    campaign = models.OneToOneField(
        "campaigns.Campaign", models.PROTECT, primary_key=True, related_name="broadcast", verbose_name=_("campaign")
    )
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # the lots of members are drawn with it
    # Whom: everybody or anybody of these, but nobody of those
    everybody = models.BooleanField(_("everybody"), default=False)
    segments = models.ManyToManyField("members.Segment", related_name="+", blank=True, verbose_name=_("segments"))
    lists = models.ManyToManyField("members.MemberList", related_name="+", blank=True, verbose_name=_("lists"))
    tags = models.ManyToManyField("members.Tag", related_name="+", blank=True, verbose_name=_("tags"))
    segments_out = models.ManyToManyField(
        "members.Segment", related_name="+", blank=True, verbose_name=_("but not these segments")
    )
    lists_out = models.ManyToManyField(
        "members.MemberList", related_name="+", blank=True, verbose_name=_("but not these lists")
    )
    tags_out = models.ManyToManyField("members.Tag", related_name="+", blank=True, verbose_name=_("but not these tags"))
    follows = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="followers",
        editable=False,
        verbose_name=_("for those who did not get"),
    )
    # When
    when = models.CharField(_("when"), max_length=10, choices=BroadcastWhen, default=BroadcastWhen.NOW)
    send_at = models.DateTimeField(_("moment"), null=True, blank=True)
    day = models.DateField(_("day"), null=True, blank=True)
    hour = models.TimeField(_("time of day"), null=True, blank=True, help_text=_("In each member's own time zone."))
    occasion = models.ForeignKey(
        "campaigns.Occasion", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("occasion")
    )
    days_after = models.SmallIntegerField(
        _("days after it"),
        default=0,
        validators=[MinValueValidator(-60), MaxValueValidator(60)],
        help_text=_("-3: three days before."),
    )
    hour_passed = models.CharField(
        _("where that hour is over already"), max_length=10, choices=HourPassed, default=HourPassed.NOW
    )
    late_hours = models.PositiveSmallIntegerField(
        _("late by at most (hours)"),
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(336)],
        help_text=_("What could not go out in time is made up for that long. After that it is listed as missed."),
    )
    # What comes with it
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
    offer = models.ForeignKey(
        "rewards.Offer", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("coupon")
    )
    # The test of versions
    metric = models.CharField(
        _("the better version is the one with more"), max_length=10, choices=Metric, default=Metric.CLICKS
    )
    minimum = models.PositiveIntegerField(
        _("members for each version at least"), default=500, validators=[MinValueValidator(30)]
    )
    test_percent = models.PositiveSmallIntegerField(
        _("share that tests (%)"),
        default=100,
        validators=[MinValueValidator(5), MaxValueValidator(100)],
        help_text=_("The others get the better version afterwards. 100: all of them are in the test."),
    )
    test_hours = models.PositiveSmallIntegerField(
        _("hours of the test"), default=24, validators=[MinValueValidator(1), MaxValueValidator(336)]
    )
    judged_at = models.DateTimeField(null=True, blank=True, editable=False)
    verdict = models.JSONField(default=dict, blank=True, editable=False)  # campaigns.services.broadcasts.testing
    # Who said so
    asked_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked for"), null=True, blank=True, editable=False)
    approved_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True, editable=False)
    estimate = models.JSONField(default=dict, blank=True, editable=False)  # as it stood when it was asked for
    # How far it is
    occurrence_key = models.CharField(max_length=100, blank=True, default="", editable=False)  # OccasionDate.key
    starts_at = models.DateTimeField(_("begins"), null=True, blank=True, editable=False)
    versions_of_segments = models.JSONField(default=dict, blank=True, editable=False)  # {segment id: version}
    cursor = models.BigIntegerField(default=0, editable=False)  # the last member who has a row
    planned_at = models.DateTimeField(_("audience taken down"), null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("broadcast")
        verbose_name_plural = _("broadcasts")
        permissions = [("approve_broadcast", _("Can approve a broadcast to many members"))]
        constraints = [
            models.CheckConstraint(
                name="campaigns_broadcast_moment",
                condition=Q(starts_at=None)
                | Q(when="now")
                | Q(when="moment", send_at__isnull=False)
                | Q(when="local", day__isnull=False, hour__isnull=False)
                | Q(when="occasion", occasion__isnull=False, hour__isnull=False),
            ),
            models.CheckConstraint(
                name="campaigns_broadcast_two_people",
                condition=Q(approved_by=None) | Q(asked_by=None) | ~Q(approved_by=F("asked_by")),
            ),
            models.CheckConstraint(
                name="campaigns_broadcast_test", condition=Q(test_percent__range=(5, 100), test_hours__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return str(self.campaign)


class BroadcastVariant(models.Model):
    """One version of what a broadcast says. Members are divided among them by lot, in the ratio of their shares."""

    broadcast = models.ForeignKey(Broadcast, models.CASCADE, related_name="variants", db_index=False)
    number = models.PositiveSmallIntegerField(_("number"))
    version = models.ForeignKey(
        "campaigns.TemplateVersion", models.PROTECT, related_name="+", verbose_name=_("template")
    )
    subject = models.JSONField(_("subject"), default=dict, blank=True)  # {"en": …}; empty: the template's
    share = models.PositiveSmallIntegerField(
        _("share"), default=1, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    minutes_later = models.PositiveSmallIntegerField(
        _("minutes later"), default=0, validators=[MaxValueValidator(10_080)]
    )

    class Meta:
        verbose_name = _("version of a broadcast")
        verbose_name_plural = _("versions of broadcasts")
        ordering = ("number",)
        constraints = [
            models.UniqueConstraint("broadcast", "number", name="campaigns_variant_number"),
            models.CheckConstraint(name="campaigns_variant_share", condition=Q(share__gt=0)),
        ]

    def __str__(self) -> str:
        return "ABCDEFGHIJ"[self.number - 1] if self.number <= 10 else str(self.number)

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.enums import MemberDay, OccasionKind, OccasionRule
from campaigns.occasions import Rule


class OccasionCountry(models.Model):
    """A country whose festivals and public holidays the shop keeps."""

    code = models.CharField(_("country"), max_length=2, primary_key=True)

    class Meta:
        verbose_name = _("country of the calendar")
        verbose_name_plural = _("countries of the calendar")

    def __str__(self) -> str:
        return self.code


class Occasion(models.Model):
    """A day that comes again, for all campaigns at once. Its days stand in OccasionDate; docs/occasions.md."""

    key = models.SlugField(_("key"), max_length=80, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=10, choices=OccasionKind)
    active = models.BooleanField(_("switched on"), default=True)
    countries = ArrayField(models.CharField(max_length=2), verbose_name=_("countries"), default=list, blank=True)
    # The rule (campaigns.occasions.Rule): what a kind of rule does not ask for stays 0 or empty.
    rule = models.CharField(_("rule"), max_length=10, choices=OccasionRule)
    month = models.PositiveSmallIntegerField(_("month"), default=0, validators=[MaxValueValidator(12)])
    day = models.PositiveSmallIntegerField(_("day"), default=0, validators=[MaxValueValidator(31)])
    weekday = models.PositiveSmallIntegerField(_("weekday"), default=0, validators=[MaxValueValidator(6)])
    nth = models.SmallIntegerField(_("which one"), default=0, validators=[MinValueValidator(-1), MaxValueValidator(4)])
    offset = models.SmallIntegerField(_("days later"), default=0)
    term = models.CharField(_("solar term"), max_length=30, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    holiday = models.CharField(_("public holiday"), max_length=120, blank=True)
    member_day = models.CharField(_("day of the member's"), max_length=20, blank=True, choices=MemberDay)

    class Meta:
        verbose_name = _("occasion")
        verbose_name_plural = _("occasions")
        constraints = [
            models.CheckConstraint(
                name="campaigns_occasion_numbers",
                condition=Q(month__lte=12, day__lte=31, weekday__lte=6, nth__gte=-1, nth__lte=4),
            ),
            models.CheckConstraint(
                name="campaigns_occasion_member",
                condition=Q(rule="member", kind="member") & ~Q(member_day="")
                | ~Q(rule="member") & ~Q(kind="member") & Q(member_day=""),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.key

    def as_rule(self) -> Rule:
        """The rule as campaigns.occasions computes with it."""
        return Rule(
            OccasionRule(self.rule),
            self.month,
            self.day,
            self.weekday,
            self.nth,
            self.offset,
            self.term,
            self.country,
            self.holiday,
        )


class OccasionDate(models.Model):
    """One coming of an occasion. Whatever hangs on it asks this row when the time comes, so moving it moves all."""

    occasion = models.ForeignKey(Occasion, models.PROTECT, related_name="dates", db_index=False)
    year = models.PositiveSmallIntegerField(_("year"), help_text=_("Of the occasion's own calendar."))
    number = models.PositiveSmallIntegerField(default=1, db_default=1)  # some days by the moon come twice in a year
    day = models.DateField(_("day"))
    computed = models.DateField(_("computed day"), null=True, blank=True)  # none: set by hand
    off = models.BooleanField(_("does not take place"), default=False, db_default=False)
    note = models.CharField(_("reason"), max_length=200, blank=True, db_default="")
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("changed by")
    )
    edited_at = models.DateTimeField(_("changed"), null=True, blank=True)

    class Meta:
        verbose_name = _("day of an occasion")
        verbose_name_plural = _("days of occasions")
        constraints = [
            models.UniqueConstraint("occasion", "year", "number", name="campaigns_occasiondate_once"),
            models.CheckConstraint(
                name="campaigns_occasiondate_said",
                condition=Q(edited_at__isnull=False) | (Q(day=models.F("computed")) & Q(off=False)),
            ),
        ]
        indexes = [
            # What falls on some days (the calendar; whatever hangs on an occasion).
            models.Index(fields=["day", "occasion"], name="campaigns_occasiondate_day"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """Names this coming for ever, wherever it is moved to: "mid-autumn:2026"."""
        return f"{self.occasion.key}:{self.year}" + (f":{self.number}" if self.number > 1 else "")

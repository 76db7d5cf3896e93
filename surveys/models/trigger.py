"""What leads to an invitation: events and days; and how seldom anybody is asked at all."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from surveys.enums import TriggerEvent


class AskingRule(models.Model):
    """How often a member may be asked by all surveys together. One row; none: as it says by default."""

    days = models.PositiveSmallIntegerField(
        _("days between two invitations"),
        default=14,
        validators=[MaxValueValidator(365)],
        help_text=_("Of any two surveys. 0: each survey looks only at its own."),
    )

    class Meta:
        verbose_name = _("rule of asking")
        verbose_name_plural = _("rule of asking")
        constraints = [models.CheckConstraint(name="surveys_askingrule_single", condition=Q(pk=1))]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)


class SurveyTrigger(models.Model):
    """Invites whoever an event happened to, some hours later; or a random part of all, every so many days.

    `share` is drawn by survey and event, so that the same event told twice asks nobody who was not drawn at first."""

    survey = models.ForeignKey(
        "surveys.Survey", models.PROTECT, related_name="triggers", verbose_name=_("survey"), db_index=False
    )
    event = models.CharField(_("when"), max_length=20, choices=TriggerEvent)
    active = models.BooleanField(_("active"), default=True)
    name = models.CharField(
        _("name of the event"), max_length=60, blank=True, help_text=_("As the other system calls it.")
    )
    store = models.CharField(_("only in the store"), max_length=80, blank=True)
    least_minor = models.PositiveBigIntegerField(_("least amount"), null=True, blank=True)  # minor units
    after_hours = models.PositiveSmallIntegerField(_("hours later"), default=2, validators=[MaxValueValidator(24 * 60)])
    share = models.DecimalField(
        _("share (%)"),
        max_digits=5,
        decimal_places=2,
        default=100,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(100)],
    )
    cooldown_days = models.PositiveSmallIntegerField(
        _("not again for days"), default=30, help_text=_("The same member by this trigger.")
    )
    segment = models.ForeignKey(
        "members.Segment", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("only in the group")
    )
    every_days = models.PositiveSmallIntegerField(_("every so many days"), null=True, blank=True)
    days_open = models.PositiveSmallIntegerField(_("days to answer"), default=30, validators=[MinValueValidator(1)])
    next_at = models.DateTimeField(_("next time"), null=True, blank=True)

    class Meta:
        verbose_name = _("trigger of a survey")
        verbose_name_plural = _("triggers of surveys")
        constraints = [
            models.CheckConstraint(
                name="surveys_surveytrigger_schedule",
                condition=Q(event="schedule", every_days__gte=1, next_at__isnull=False) | ~Q(event="schedule"),
            ),
            models.CheckConstraint(name="surveys_surveytrigger_share", condition=Q(share__gt=0, share__lte=100)),
        ]
        indexes = [
            # Which triggers an event concerns (reactions), and those of a survey.
            models.Index(fields=["survey", "event"], name="surveys_trigger_survey"),
        ]

    def __str__(self) -> str:
        return f"{self.survey}: {self.get_event_display()}"


class DueInvitation(models.Model):
    """A member whom a trigger will invite. `key` names the event for ever, as the invitation will."""

    trigger = models.ForeignKey(SurveyTrigger, models.CASCADE, related_name="due", db_index=False)
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+")
    key = models.CharField(max_length=100)
    purchase = models.ForeignKey("members.Purchase", models.CASCADE, null=True, related_name="+")
    due_at = models.DateTimeField()

    class Meta:
        verbose_name = _("invitation to come")
        verbose_name_plural = _("invitations to come")
        constraints = [models.UniqueConstraint("trigger", "member", "key", name="surveys_dueinvitation_key")]
        indexes = [models.Index(fields=["due_at"], name="surveys_dueinvitation_due")]

    def __str__(self) -> str:
        return self.key

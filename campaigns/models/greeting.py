"""The settings of the birthday greeting."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class BirthdayGreeting(models.Model):
    """The birthday greeting: when it goes out, what it gives, and the template that says it. One row."""

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
    template = models.ForeignKey(
        "campaigns.Template",
        models.PROTECT,
        null=True,  # until somebody first looks: then it is the ready one
        related_name="+",
        verbose_name=_("template"),
        limit_choices_to={"archived_at": None, "kind": "marketing"},
        help_text=_("What it says: the newest version at the moment of sending."),
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

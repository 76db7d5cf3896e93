"""How points behave in this shop: one row, edited in the admin."""

from decimal import Decimal

import pgtrigger
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from rewards.enums import Downgrade, ExpiredReturn, RefundPolicy, TierWindow


class RewardSettings(models.Model):
    """The one row of settings for points, refunds, tiers and limits of staff."""

    id = models.BigIntegerField(primary_key=True, default=1, editable=False)  # no sequence: there is one row
    points_per_unit = models.PositiveIntegerField(
        _("points that pay 1.00"), null=True, blank=True, help_text=_("At the till. Empty: points do not pay.")
    )
    point_cost = models.DecimalField(
        _("cost of a point"),
        max_digits=9,
        decimal_places=6,
        default=Decimal("0.01"),
        validators=[MinValueValidator(Decimal(0))],
        help_text=_("In the programme's currency: what is owed for points that are not spent yet."),
    )
    refund_policy = models.CharField(
        _("where points are spent already, a refund will"),
        max_length=10,
        choices=RefundPolicy,
        default=RefundPolicy.ZERO,
    )
    expired_return = models.CharField(
        _("points given back after their expiry"), max_length=10, choices=ExpiredReturn, default=ExpiredReturn.STAY
    )
    expired_return_days = models.PositiveSmallIntegerField(_("days to spend them"), default=30)
    coupons_return = models.BooleanField(
        _("a whole refund gives used coupons back"), default=True, help_text=_("If they are still valid.")
    )
    hold_minutes = models.PositiveIntegerField(
        _("minutes until a reservation lapses"), default=30, validators=[MinValueValidator(1)]
    )
    grant_limit = models.PositiveBigIntegerField(
        _("points that one person may give at once"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    grant_limit_day = models.PositiveBigIntegerField(
        _("points that one person may give in a day"), null=True, blank=True, help_text=_("In all. Empty: no limit.")
    )
    till_confirm_points = models.PositiveBigIntegerField(
        _("points from which the till asks for PIN or code"), null=True, blank=True, help_text=_("Empty: never.")
    )
    tier_window = models.CharField(
        _("members qualify over"), max_length=10, choices=TierWindow, default=TierWindow.ROLLING
    )
    downgrade = models.CharField(_("members go down"), max_length=10, choices=Downgrade, default=Downgrade.FIT)
    grace_days = models.PositiveSmallIntegerField(_("days of grace before they go down"), default=0)
    notice_days = models.PositiveSmallIntegerField(_("days of notice before"), default=30)

    class Meta:
        verbose_name = _("how points behave")
        verbose_name_plural = _("how points behave")
        constraints = [models.CheckConstraint(name="rewards_settings_single", condition=models.Q(pk=1))]

    def __str__(self) -> str:
        return str(_("how points behave")).capitalize()


class RewardSettingsChange(models.Model):
    """Who changed which of these settings, from what to what: {field: [before, after]} as texts. Kept for ever."""

    at = models.DateTimeField(_("when"))
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    changes = models.JSONField(_("changes"))

    class Meta:
        verbose_name = _("change of the reward settings")
        verbose_name_plural = _("changes of the reward settings")
        ordering = ("-at", "-id")
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"

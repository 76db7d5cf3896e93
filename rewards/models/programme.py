"""What purchases earn, and the tiers that members reach."""

from decimal import Decimal

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.validators import validate_currency


class EarningRule(models.Model):
    """One version of what a purchase in a currency earns. A change is a new version; the old one stays as it was."""

    currency = models.CharField(_("currency"), max_length=3, validators=[validate_currency])
    version = models.PositiveIntegerField(_("version"))
    points_per_unit = models.DecimalField(
        _("points per currency unit"),
        max_digits=9,
        decimal_places=4,
        validators=[MinValueValidator(Decimal("0.0001"))],
        help_text=_("Points for each 1.00 paid. A fraction of a point is dropped, once, at the end."),
    )
    valid_months = models.PositiveSmallIntegerField(
        _("valid for months"),
        default=12,
        validators=[MinValueValidator(1), MaxValueValidator(120)],
        help_text=_("Months after earning until the points expire."),
    )
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("since"), editable=False)
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("earning rule")
        verbose_name_plural = _("earning rules")
        constraints = [
            models.UniqueConstraint("currency", "version", name="rewards_earningrule_version"),
            models.UniqueConstraint("currency", condition=Q(active=True), name="rewards_earningrule_active"),
            models.CheckConstraint(name="rewards_earningrule_positive", condition=Q(points_per_unit__gt=0)),
        ]
        triggers = [
            pgtrigger.ReadOnly(name="read_only", fields=["currency", "version", "points_per_unit", "valid_months"]),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.version}"


class Tier(models.Model):
    """A step that a member reaches by points earned in the last 12 months. The step from 0 is everyone's."""

    name = models.CharField(_("name"), max_length=40)
    threshold = models.PositiveIntegerField(_("points in 12 months"), unique=True)
    multiplier = models.DecimalField(
        _("multiplier"),
        max_digits=4,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("What members of this tier earn on purchases: 1.5 is half as much again."),
    )

    class Meta:
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")
        ordering = ("threshold",)
        constraints = [models.CheckConstraint(name="rewards_tier_multiplier", condition=Q(multiplier__gt=0))]

    def __str__(self) -> str:
        return self.name


class MemberTier(models.Model):
    """Where a member stands, as last assessed. No row means: the tier from 0."""

    member = models.OneToOneField(
        "members.Member", models.PROTECT, primary_key=True, related_name="tier_status", verbose_name=_("member")
    )
    tier = models.ForeignKey(Tier, models.PROTECT, related_name="members", verbose_name=_("tier"))
    qualifying_points = models.BigIntegerField(_("points in 12 months"))
    since = models.DateTimeField(_("since"))
    assessed_at = models.DateTimeField(_("assessed"))

    class Meta:
        verbose_name = _("member's tier")
        verbose_name_plural = _("members' tiers")

    def __str__(self) -> str:
        return f"{self.tier}"

"""Tiers, memberships that are bought, and the benefits that come with either. docs/tiers.md."""

from decimal import Decimal

import pgtrigger
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from common.moments import format_day, format_moment
from members.enums import ImportState
from members.models.job import Job
from rewards.enums import BenefitKind, BenefitPeriod, Combine, PlanState, TierCause


class Tier(models.Model):
    """A step that members reach by what they earned, spent, visited, or by how long they belong, over the window of
    RewardSettings. The tier of rank 0 asks for nothing and is everyone's.

    What is None is not asked for; `combine` says whether all or any of the rest must be reached.
    """

    name = models.CharField(_("name"), max_length=40)
    description = models.CharField(_("description"), max_length=200, blank=True)
    rank = models.PositiveSmallIntegerField(_("rank"), unique=True, help_text=_("0 is everyone's; higher is better."))
    threshold = models.PositiveBigIntegerField(_("points earned"), null=True, blank=True)
    spend_minor = models.PositiveBigIntegerField(_("spend, in minor units"), null=True, blank=True)
    visits = models.PositiveIntegerField(_("visits"), null=True, blank=True)
    tenure_days = models.PositiveIntegerField(_("days of membership"), null=True, blank=True)
    combine = models.CharField(_("must reach"), max_length=3, choices=Combine, default=Combine.ALL)
    multiplier = models.DecimalField(
        _("multiplier"),
        max_digits=4,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("What members of this tier earn on purchases: 1.5 is half as much again."),
    )
    color = models.CharField(_("colour"), max_length=7, blank=True)

    class Meta:
        verbose_name = _("tier")
        verbose_name_plural = _("tiers")
        ordering = ("rank",)
        constraints = [
            models.CheckConstraint(name="rewards_tier_multiplier", condition=Q(multiplier__gt=0)),
            models.CheckConstraint(
                name="rewards_tier_asks",
                condition=Q(rank=0, threshold=None, spend_minor=None, visits=None, tenure_days=None)
                | Q(rank__gt=0)
                & (
                    Q(threshold__isnull=False)
                    | Q(spend_minor__isnull=False)
                    | Q(visits__isnull=False)
                    | Q(tenure_days__isnull=False)
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class MemberTier(models.Model):
    """Where a member stands, as last assessed, and on what grounds. No row means: the tier of rank 0."""

    member = models.OneToOneField(
        "members.Member", models.PROTECT, primary_key=True, related_name="tier_status", verbose_name=_("member")
    )
    tier = models.ForeignKey(Tier, models.PROTECT, related_name="members", verbose_name=_("tier"))
    qualifying_points = models.BigIntegerField(_("points that count"))
    qualifying_spend_minor = models.BigIntegerField(_("spend that counts, in minor units"), default=0, db_default=0)
    qualifying_visits = models.PositiveIntegerField(_("visits that count"), default=0, db_default=0)
    since = models.DateTimeField(_("since"))
    grace_until = models.DateTimeField(
        _("grace until"),
        null=True,
        blank=True,
        help_text=_("The tier is no longer reached and is lost at this moment."),
    )
    noticed_at = models.DateTimeField(_("told that it will be lost"), null=True, blank=True)
    assessed_at = models.DateTimeField(_("assessed"))
    # What counts in the last 12 months is known of all transfers up to this one, and until then if no other comes: so
    # that a till need not read a year of them (rewards.queries_having). NULL: not known.
    counted_to = models.BigIntegerField(null=True, editable=False)
    counts_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("member's tier")
        verbose_name_plural = _("members' tiers")
        indexes = [
            # Whose grace ends (rewards.services.tiers).
            models.Index(
                fields=["grace_until"], condition=Q(grace_until__isnull=False), name="rewards_membertier_grace"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tier}"


class TierChange(models.Model):
    """A member came from one tier to another. `why` holds what counted and what was asked for. Kept for ever."""

    member = models.ForeignKey(
        "members.Member", models.PROTECT, db_index=False, related_name="tier_changes", verbose_name=_("member")
    )
    from_tier = models.ForeignKey(Tier, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("from"))
    to_tier = models.ForeignKey(Tier, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("to"))
    cause = models.CharField(_("cause"), max_length=10, choices=TierCause)
    why = models.JSONField(_("why"), default=dict)
    actor = models.ForeignKey(
        "members.User",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("staff"),
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("change of tier")
        verbose_name_plural = _("changes of tiers")
        indexes = [
            # A member's way through the tiers, newest first.
            models.Index(fields=["member", "-at", "-id"], name="rewards_tierchange_member"),
            # How many went up and down in a period.
            models.Index(fields=["at"], name="rewards_tierchange_at"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.from_tier_id} → {self.to_tier_id}"


class TierLift(models.Model):
    """Staff set a member on a higher tier than they had reached, or changed until when; `until` is null where nobody
    goes down anyhow. Where they stand is told by MemberTier; this says who did it, and why."""

    member = models.ForeignKey(
        "members.Member", models.PROTECT, db_index=False, related_name="tier_lifts", verbose_name=_("member")
    )
    tier = models.ForeignKey(Tier, models.PROTECT, related_name="+", verbose_name=_("tier"))
    until = models.DateTimeField(_("until"), null=True)
    reason = models.CharField(_("reason"), max_length=200)
    key = models.CharField(_("key"), max_length=120, unique=True)
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, db_index=False, related_name="+", verbose_name=_("staff")
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("tier set by staff")
        verbose_name_plural = _("tiers set by staff")
        indexes = [
            # What staff did to a member's tier, newest first.
            models.Index(fields=["member", "-id"], name="rewards_tierlift_member"),
        ]

    def __str__(self) -> str:
        return f"{self.tier_id}"


class TierNight(models.Model):
    """Up to when everybody has been put on their tier: the next night looks only at those for whom something may have
    moved since. One row. `ladder` stands for the steps and settings that were asked for then."""

    id = models.BigIntegerField(primary_key=True, default=1, editable=False)  # no sequence: there is one row
    at = models.DateTimeField(_("as of"))
    began_at = models.DateTimeField(_("began"))  # by the clock of the server, as created_at of transfers
    ladder = models.UUIDField(_("steps and settings"))

    class Meta:
        verbose_name = _("night of the tiers")
        verbose_name_plural = _("nights of the tiers")
        constraints = [models.CheckConstraint(name="rewards_tiernight_single", condition=Q(pk=1))]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d}"


class Reassessment(Job):
    """All members are assessed anew because the steps or their rules changed: how far that is, and who moved.

    `moved` holds [from, to, members] by the ids of tiers, null for none; `last_id` is the last member looked at.
    """

    what = models.CharField(_("what changed"), max_length=200, blank=True)
    total = models.PositiveBigIntegerField(_("members"), default=0)
    done = models.PositiveBigIntegerField(_("of them assessed"), default=0)
    last_id = models.BigIntegerField(_("last member"), default=0)
    moved = models.JSONField(_("who moved"), default=list)
    created_at = models.DateTimeField(_("asked for"))

    class Meta:
        verbose_name = _("assessment of all members")
        verbose_name_plural = _("assessments of all members")
        ordering = ("-id",)
        indexes = [
            # Those that wait or whose worker died (rewards.tasks.resume_reassessments).
            models.Index(fields=["id"], condition=Q(state__in=["queued", "running"]), name="rewards_reassessment_open"),
        ]

    def __str__(self) -> str:
        return self.what or format_moment(self.created_at)

    @property
    def percent(self) -> int:
        """How far it is, 0 to 100."""
        return 100 if self.state == ImportState.DONE else min(99, 100 * self.done // (self.total or 1))


class MembershipPlan(models.Model):
    """A membership that is bought for some months, with money or points, and has benefits of its own."""

    name = models.CharField(_("name"), max_length=80)
    description = models.TextField(_("description"), blank=True)
    months = models.PositiveSmallIntegerField(_("months"), default=12, validators=[MinValueValidator(1)])
    price_minor = models.PositiveBigIntegerField(_("price in minor units"), null=True, blank=True)
    price_points = models.PositiveBigIntegerField(_("price in points"), null=True, blank=True)
    active = models.BooleanField(_("on sale"), default=True)
    position = models.PositiveIntegerField(_("position"), default=0, db_default=0)

    class Meta:
        verbose_name = _("membership plan")
        verbose_name_plural = _("membership plans")
        ordering = ("position", "id")
        constraints = [
            models.CheckConstraint(
                name="rewards_plan_price",
                condition=Q(price_minor__isnull=False) | Q(price_points__gt=0),
            )
        ]

    def __str__(self) -> str:
        return self.name


class PlanMembership(models.Model):
    """A member bought a plan for a period; the next begins when the last ends. `key` is the sale's, for ever."""

    source = models.CharField(_("source"), max_length=40)
    key = models.CharField(_("key"), max_length=120)
    plan = models.ForeignKey(MembershipPlan, models.PROTECT, related_name="memberships", verbose_name=_("plan"))
    member = models.ForeignKey(
        "members.Member", models.PROTECT, db_index=False, related_name="plan_memberships", verbose_name=_("member")
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    paid_minor = models.PositiveBigIntegerField(_("paid, in minor units"), default=0)
    paid_points = models.PositiveBigIntegerField(_("paid in points"), default=0)
    transfer = models.OneToOneField(
        "rewards.Transfer", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("payment in points")
    )
    state = models.CharField(_("state"), max_length=10, choices=PlanState, default=PlanState.ACTIVE)
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, blank=True)
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    created_at = models.DateTimeField(_("bought"))

    class Meta:
        verbose_name = _("membership bought")
        verbose_name_plural = _("memberships bought")
        constraints = [
            models.UniqueConstraint("source", "key", name="rewards_planmembership_key"),
            models.CheckConstraint(name="rewards_planmembership_period", condition=Q(ends_at__gt=F("starts_at"))),
        ]
        indexes = [
            # What a member holds now.
            models.Index(fields=["member", "-ends_at"], name="rewards_planmembership_member"),
        ]

    def __str__(self) -> str:
        return f"{self.plan}, {format_day(self.starts_at)}"


class Benefit(models.Model):
    """Something that members of some tiers, plans or a segment may have, so often in a period.

    `value` is a factor for multipliers, percent off for member prices, hours before all others for early access.
    """

    name = models.CharField(_("name"), max_length=80)
    description = models.TextField(_("description"), blank=True)
    kind = models.CharField(_("kind"), max_length=10, choices=BenefitKind)
    value = models.DecimalField(_("value"), max_digits=9, decimal_places=2, null=True, blank=True)
    uses = models.PositiveIntegerField(_("uses"), null=True, blank=True, help_text=_("Empty: as often as one likes."))
    period = models.CharField(_("period"), max_length=10, choices=BenefitPeriod, default=BenefitPeriod.YEAR)
    tiers = models.ManyToManyField(Tier, blank=True, related_name="benefits", verbose_name=_("tiers"))
    plans = models.ManyToManyField(MembershipPlan, blank=True, related_name="benefits", verbose_name=_("plans"))
    segment = models.ForeignKey(
        "members.Segment", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("segment")
    )
    active = models.BooleanField(_("active"), default=True)
    position = models.PositiveIntegerField(_("position"), default=0, db_default=0)

    class Meta:
        verbose_name = _("benefit")
        verbose_name_plural = _("benefits")
        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.name


class BenefitUse(models.Model):
    """A member had a benefit once. What was undone no longer counts."""

    source = models.CharField(_("source"), max_length=40)
    key = models.CharField(_("key"), max_length=120)
    benefit = models.ForeignKey(Benefit, models.PROTECT, related_name="used", verbose_name=_("benefit"))
    member = models.ForeignKey(
        "members.Member", models.PROTECT, db_index=False, related_name="benefit_uses", verbose_name=_("member")
    )
    at = models.DateTimeField(_("when"))
    store = models.CharField(_("store"), max_length=80, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)
    created_at = models.DateTimeField(_("recorded"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("use of a benefit")
        verbose_name_plural = _("uses of benefits")
        constraints = [models.UniqueConstraint("source", "key", name="rewards_benefituse_key")]
        indexes = [
            # How often a member had it in a period.
            models.Index(fields=["member", "benefit", "-at"], name="rewards_benefituse_member"),
        ]

    def __str__(self) -> str:
        return self.key

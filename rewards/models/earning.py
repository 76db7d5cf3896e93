"""What purchases and events earn: rules, their versions, and what was decided by them. docs/earning.md."""

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from members.enums import JobState
from rewards.enums import RuleState, Unit, VersionState


class _Period(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


class EarningRule(models.Model):
    """A rule as marketers know it. What it does stands in its versions; `budget` is for all members and all times.

    `budget_spent` is kept by the statement that gives, in the rule's unit: what was given by this rule less what was
    taken back. `budget_money` limits it as well, in units of the programme's currency (rewards.queries_budgets).
    """

    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(
        _("in the member's words"), max_length=200, blank=True, help_text=_("The sentence that members read beside it.")
    )
    trigger = models.CharField(
        _("trigger"), max_length=60, default="purchase", help_text=_("“purchase”, or what happens to a member.")
    )
    unit = models.CharField(_("gives"), max_length=10, choices=Unit, default=Unit.POINTS)
    state = models.CharField(_("state"), max_length=10, choices=RuleState, default=RuleState.DRAFT)
    budget = models.BigIntegerField(
        _("budget"), null=True, blank=True, help_text=_("Points, or credit in minor units. Empty: as much as it takes.")
    )
    budget_money = models.DecimalField(
        _("budget in money"),
        max_digits=14,
        decimal_places=4,
        null=True,
        blank=True,
        help_text=_("In the programme's currency: as many points as it pays for at what a point costs."),
    )
    budget_spent = models.BigIntegerField(_("spent of the budget"), default=0, db_default=0, editable=False)
    position = models.PositiveIntegerField(_("position"), default=0, db_default=0)
    created_at = models.DateTimeField(_("since"), editable=False)
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("earning rule")
        verbose_name_plural = _("earning rules")
        ordering = ("position", "id")
        constraints = [
            models.CheckConstraint(
                name="rewards_rule_budget",
                condition=Q(budget_spent__gte=0) & (Q(budget=None) | Q(budget_spent__lte=F("budget"))),
            ),
            models.CheckConstraint(
                name="rewards_rule_budget_money",
                condition=Q(budget_money=None) | Q(budget_money__gte=0, unit=Unit.POINTS),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RuleVersion(models.Model):
    """What a rule does from one moment to another (rewards.earning.definition says what `definition` may hold).

    Published, it stays as it is; only its end is set, when the next one begins. Without `valid_from` it counts from
    ever.
    """

    rule = models.ForeignKey(EarningRule, models.PROTECT, related_name="versions", verbose_name=_("rule"))
    number = models.PositiveIntegerField(_("version"))
    state = models.CharField(_("state"), max_length=10, choices=VersionState, default=VersionState.DRAFT)
    definition = models.JSONField(_("definition"), default=dict)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    created_at = models.DateTimeField(_("since"), editable=False)
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    published_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("published by")
    )

    class Meta:
        verbose_name = _("version of a rule")
        verbose_name_plural = _("versions of rules")
        ordering = ("rule", "number")
        constraints = [
            models.UniqueConstraint("rule", "number", name="rewards_ruleversion_number"),
            models.UniqueConstraint(
                "rule", condition=Q(state=VersionState.DRAFT), name="rewards_ruleversion_one_draft"
            ),
            models.CheckConstraint(
                name="rewards_ruleversion_published",
                condition=Q(state=VersionState.DRAFT, published_at=None)
                | Q(state=VersionState.PUBLISHED, published_at__isnull=False),
            ),
            ExclusionConstraint(
                name="rewards_ruleversion_one_at_a_time",
                expressions=[
                    ("rule", RangeOperators.EQUAL),
                    (_Period("valid_from", "valid_until", RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                condition=Q(state=VersionState.PUBLISHED),
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="read_only",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__state="published")
                & (
                    pgtrigger.Q(old__definition__df=pgtrigger.F("new__definition"))
                    | pgtrigger.Q(old__number__df=pgtrigger.F("new__number"))
                    | pgtrigger.Q(old__rule__df=pgtrigger.F("new__rule"))
                    | pgtrigger.Q(old__valid_from__df=pgtrigger.F("new__valid_from"))
                    | pgtrigger.Q(old__state__df=pgtrigger.F("new__state"))
                ),
            ),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete, condition=pgtrigger.Q(old__state="published")),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}.{self.number}"


class Evaluation(models.Model):
    """What the rules made of a purchase or an event: each that fired with its arithmetic, each that did not with its
    reason (rewards.earning.evaluate says what `trace` holds). Kept for ever as it was."""

    purchase = models.OneToOneField(
        "members.Purchase", models.PROTECT, null=True, blank=True, related_name="evaluation", verbose_name=_("purchase")
    )
    event = models.OneToOneField(
        "members.CustomEvent", models.PROTECT, null=True, blank=True, related_name="evaluation", verbose_name=_("event")
    )
    at = models.DateTimeField(_("when"))
    trace = models.JSONField(_("trace"), default=list)

    class Meta:
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        constraints = [
            models.CheckConstraint(
                name="rewards_evaluation_cause",
                condition=Q(purchase__isnull=False, event=None) | Q(purchase=None, event__isnull=False),
            )
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.purchase_id or self.event_id}"


class Replay(models.Model):
    """Real purchases of some months, reckoned anew under other rules, in the background: what they would have given
    beside what they gave. `programme` names the versions tried; `result` holds the tables by week and tier."""

    name = models.CharField(_("name"), max_length=120, blank=True)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"))
    programme = models.JSONField(_("rules"), default=list)
    state = models.CharField(_("state"), max_length=10, choices=JobState, default=JobState.QUEUED)
    total = models.PositiveBigIntegerField(_("purchases"), default=0)
    done = models.PositiveBigIntegerField(_("of them reckoned"), default=0)
    last_id = models.BigIntegerField(_("last purchase"), default=0)
    carry = models.JSONField(_("carried on"), default=dict)
    result = models.JSONField(_("result"), default=dict)
    error = models.TextField(_("error"), blank=True)
    lease_until = models.DateTimeField(_("worker's lease"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("since"))
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("replay")
        verbose_name_plural = _("replays")
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return self.name or f"{self.starts_at:%Y-%m-%d}"


class CheckInPoint(models.Model):
    """A place whose QR code members scan to check in; its token stands in the code."""

    name = models.CharField(_("name"), max_length=80)
    store = models.CharField(_("store"), max_length=80, blank=True)
    token = models.CharField(_("token"), max_length=40, unique=True, editable=False)
    cooldown_hours = models.PositiveSmallIntegerField(_("hours between check-ins"), default=12)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("check-in point")
        verbose_name_plural = _("check-in points")

    def __str__(self) -> str:
        return self.name

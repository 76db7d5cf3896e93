"""Referral programmes, their versions, and who is kept out. docs/referrals.md."""

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from referrals.enums import BlockKind, ProgrammeState


class Programme(models.Model):
    """What bringing friends is thanked with. `draft` is what is being worked on (referrals.definition); a friend stays
    with the version they came by. Of several that are live, whoever brings somebody takes part in the first, by
    position, that is open to them.

    `spent_minor` counts what is promised and given of the budget, under the row's lock; both in minor units of the
    members' programme's currency.
    """

    name = models.CharField(_("name in the office"), max_length=80)
    state = models.CharField(_("state"), max_length=10, choices=ProgrammeState, default=ProgrammeState.DRAFT)
    position = models.PositiveIntegerField(_("position"), default=0, db_default=0)
    starts_at = models.DateTimeField(_("begins"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    segment = models.ForeignKey(
        "members.Segment", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("for the segment")
    )
    tiers = models.ManyToManyField("rewards.Tier", blank=True, related_name="+", verbose_name=_("for the tiers"))
    draft = models.JSONField(_("definition"), default=dict)
    number = models.PositiveIntegerField(_("version"), default=0)  # the newest; 0: never published
    budget_minor = models.PositiveBigIntegerField(_("budget, in minor units"), null=True, blank=True)
    spent_minor = models.PositiveBigIntegerField(_("spent of the budget"), default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("made"))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("referral programme")
        verbose_name_plural = _("referral programmes")
        ordering = ("position", "id")
        constraints = [
            models.CheckConstraint(
                name="referrals_programme_dates",
                condition=Q(starts_at=None) | Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
            ),
            models.CheckConstraint(
                name="referrals_programme_budget",
                condition=Q(budget_minor=None) | Q(spent_minor__lte=F("budget_minor")),
            ),
            models.CheckConstraint(name="referrals_programme_published", condition=Q(state="draft") | Q(number__gte=1)),
        ]

    def __str__(self) -> str:
        return self.name


class ProgrammeVersion(models.Model):
    """A definition as it was published, for ever."""

    programme = models.ForeignKey(Programme, models.PROTECT, related_name="versions", verbose_name=_("programme"))
    number = models.PositiveIntegerField(_("version"))
    definition = models.JSONField(_("definition"))
    at = models.DateTimeField(_("since"))
    actor = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("version of a referral programme")
        verbose_name_plural = _("versions of referral programmes")
        constraints = [models.UniqueConstraint("programme", "number", name="referrals_version_number")]
        triggers = [
            pgtrigger.ReadOnly(name="read_only", exclude=["actor"]),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.programme_id}.{self.number}"


class Block(models.Model):
    """Whom referrals do not count of. Mail: an address, or "@domain" with all below it. Networks in CIDR notation."""

    kind = models.CharField(_("kind"), max_length=10, choices=BlockKind)
    value = models.CharField(_("value"), max_length=254)
    reason = models.CharField(_("reason"), max_length=200)
    created_at = models.DateTimeField(_("since"))
    actor = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("blocked entry")
        verbose_name_plural = _("blocked entries")
        constraints = [models.UniqueConstraint("kind", "value", name="referrals_block_once")]

    def __str__(self) -> str:
        return self.value

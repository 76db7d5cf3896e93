"""Points that one person wants to give and another has to agree to. docs/grants.md."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.moments import format_moment
from rewards.enums import GrantState, Unit


class GrantRequest(models.Model):
    """A gift by hand above what one person may give: it waits for another. What is approved has its transfer.

    Or the same gift for everybody in a segment: `amount` is for each of `members`. Once approved, or where nobody had
    to, a worker gives it, member by member in the order of their ids: `done` of them up to `last_id`.
    """

    key = models.CharField(_("key"), max_length=120)
    member = models.ForeignKey(
        "members.Member",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="grant_requests",
        verbose_name=_("member"),
    )
    segment = models.ForeignKey(
        "members.Segment", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("segment")
    )
    members = models.PositiveIntegerField(_("members"), default=1, db_default=1)
    unit = models.CharField(_("unit"), max_length=10, choices=Unit, default=Unit.POINTS)
    amount = models.PositiveBigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=200)
    note = models.CharField(_("note for the member"), max_length=200, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    why = models.JSONField(_("why it waits"), default=dict)
    state = models.CharField(_("state"), max_length=10, choices=GrantState, default=GrantState.WAITING)
    requested_by = models.ForeignKey("members.User", models.PROTECT, related_name="+", verbose_name=_("asked by"))
    requested_at = models.DateTimeField(_("asked"))
    decided_by = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decision = models.CharField(_("remark"), max_length=200, blank=True)
    transfer = models.OneToOneField(
        "rewards.Transfer", models.PROTECT, null=True, blank=True, related_name="grant", verbose_name=_("transfer")
    )
    done = models.PositiveIntegerField(_("given to"), default=0, db_default=0)
    last_id = models.BigIntegerField(_("last member"), default=0, db_default=0)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("gift by hand")
        verbose_name_plural = _("gifts by hand")
        constraints = [
            models.UniqueConstraint("key", name="rewards_grantrequest_key"),
            models.CheckConstraint(name="rewards_grant_amount", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="rewards_grant_four_eyes",
                condition=~Q(state=GrantState.APPROVED)
                | (
                    Q(decided_by__isnull=False)
                    & ~Q(decided_by=F("requested_by"))
                    & (Q(transfer__isnull=False) | Q(segment__isnull=False))
                ),
            ),
            models.CheckConstraint(
                name="rewards_grant_whom",
                condition=Q(member__isnull=False, segment=None, members=1) | Q(member=None, segment__isnull=False),
            ),
        ]
        indexes = [
            # What waits, oldest first.
            models.Index(fields=["requested_at"], condition=Q(state="waiting"), name="rewards_grant_waiting"),
            # What one person asked for today (rewards.services.grants).
            models.Index(fields=["requested_by", "requested_at"], name="rewards_grant_asked"),
            # What a worker has still to give.
            models.Index(
                fields=["id"],
                condition=Q(segment__isnull=False, state__in=("approved", "free"), finished_at=None),
                name="rewards_grant_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{format_moment(self.requested_at)}: {self.reason}"

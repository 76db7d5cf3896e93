import pgtrigger
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class TimelineEvent(models.Model):
    """Something that happened to a member. `kind` is one of the kinds that the apps declare in their `events.py`."""

    member = models.ForeignKey(
        "members.Member", models.PROTECT, db_index=False, related_name="timeline", verbose_name=_("member")
    )
    kind = models.CharField(_("kind"), max_length=40)
    at = models.DateTimeField(_("when"))
    data = models.JSONField(_("details"), default=dict, db_default={}, blank=True)
    actor = models.ForeignKey(
        "members.User",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("staff"),
    )
    created_at = models.DateTimeField(_("recorded"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("timeline event")
        verbose_name_plural = _("timeline")
        indexes = [
            # A member's timeline, newest first (member page, portal).
            models.Index(fields=["member", "-at", "-id"], name="members_event_timeline"),
            # What seldom happened to a member, among ten thousand other things (timeline filtered by kind).
            models.Index(fields=["member", "kind"], name="members_event_kind"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.kind


class PendingReaction(models.Model):
    """An event that a reaction has still to answer. The row goes with the answer, in the same transaction."""

    event = models.ForeignKey(
        TimelineEvent, models.PROTECT, db_index=False, related_name="reactions", verbose_name=_("event")
    )
    reaction = models.CharField(_("reaction"), max_length=100)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    due_at = models.DateTimeField(_("due"), db_default=Now())
    parked_at = models.DateTimeField(_("parked"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True, db_default="")

    class Meta:
        verbose_name = _("pending reaction")
        verbose_name_plural = _("pending reactions")
        constraints = [models.UniqueConstraint("event", "reaction", name="members_reaction_once")]
        indexes = [
            # What is due now (members.services.reactions.run_due).
            models.Index(fields=["due_at", "id"], condition=Q(parked_at=None), name="members_reaction_due"),
            # What staff must look at (admin, dashboard).
            models.Index(fields=["-parked_at"], condition=Q(parked_at__isnull=False), name="members_reaction_parked"),
        ]

    def __str__(self) -> str:
        return self.reaction


class ChangedMember(models.Model):
    """Somebody to whom something happened, so that what is derived of them is to be looked at again.

    A queue without unique keys: whoever writes to it never waits for who empties it (members.services.derived).
    """

    member = models.ForeignKey(
        "members.Member", models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    at = models.DateTimeField(_("recorded"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("changed member")
        verbose_name_plural = _("changed members")

    def __str__(self) -> str:
        return f"{self.member_id}"

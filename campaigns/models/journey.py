"""Journeys: what members go through step by step, who is on the way, and what happened to each."""

import uuid
from decimal import Decimal

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from campaigns.enums import RunState

APPEND_ONLY = pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)


class Journey(models.Model):
    """What a campaign of kind journey does (campaigns.journeys.definition). `draft` is what is being worked on; who
    comes in takes the newest version, and finishes on it."""

    campaign = models.OneToOneField(
        "campaigns.Campaign", models.PROTECT, primary_key=True, related_name="journey", verbose_name=_("campaign")
    )
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # chance is drawn with it
    draft = models.JSONField(_("definition"), default=dict)
    number = models.PositiveIntegerField(_("version"), default=0)  # the newest; 0: never published
    active_since = models.DateTimeField(_("running since"), null=True, blank=True)
    last_checked_at = models.DateTimeField(_("last look"), null=True, blank=True)  # who came due up to here is decided
    entered = models.PositiveIntegerField(_("came in"), default=0)
    points_given = models.PositiveBigIntegerField(_("points given"), default=0)
    coupons_given = models.PositiveIntegerField(_("coupons given"), default=0)
    cost_minor = models.DecimalField(  # of points, coupons and messages; parts of minor units add up
        _("cost so far"), max_digits=20, decimal_places=4, default=Decimal(0), db_default=Decimal(0)
    )
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("journey")
        verbose_name_plural = _("journeys")

    def __str__(self) -> str:
        return str(self.campaign)


class JourneyVersion(models.Model):
    """A definition as it was published, for ever: those inside finish on the version they began."""

    journey = models.ForeignKey(Journey, models.PROTECT, related_name="versions", verbose_name=_("journey"))
    number = models.PositiveIntegerField(_("version"))
    definition = models.JSONField(_("definition"))
    at = models.DateTimeField(_("since"))
    actor = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("version of a journey")
        verbose_name_plural = _("versions of journeys")
        constraints = [models.UniqueConstraint("journey", "number", name="campaigns_journeyversion_number")]
        triggers = [
            pgtrigger.ReadOnly(name="read_only", exclude=["actor"]),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.number}"


class JourneyRun(models.Model):
    """One member's way through a journey. `key` names for ever what let them in.

    `step` is where they are, since `arrived_at`; `should_at` is when they should have come there had nobody been late.
    """

    journey = models.ForeignKey(Journey, models.PROTECT, related_name="runs", db_index=False, verbose_name=_("journey"))
    version = models.ForeignKey(JourneyVersion, models.PROTECT, related_name="+", db_index=False)
    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="journey_runs", db_index=False, verbose_name=_("member")
    )
    key = models.CharField(_("came in by"), max_length=100)
    state = models.CharField(_("state"), max_length=10, choices=RunState)
    step = models.CharField(_("step"), max_length=20, blank=True)
    hears = ArrayField(models.CharField(max_length=40), default=list, editable=False)  # events that wake it
    entered_at = models.DateTimeField(_("came in"))
    arrived_at = models.DateTimeField(_("at this step since"))
    should_at = models.DateTimeField(editable=False)
    due_at = models.DateTimeField(_("goes on"), null=True, blank=True)
    ended_at = models.DateTimeField(_("left"), null=True, blank=True)
    converted_at = models.DateTimeField(_("reached the goal"), null=True, blank=True)
    why = models.JSONField(_("why"), default=dict, db_default={}, blank=True)  # what let them in, and out
    laps = models.PositiveSmallIntegerField(default=0, db_default=0)  # how often it was led back to another step
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    error = models.TextField(_("error"), blank=True, db_default="")

    class Meta:
        verbose_name = _("member's way through a journey")
        verbose_name_plural = _("members on journeys")
        constraints = [
            # An event lets in once, however often it is told.
            models.UniqueConstraint("journey", "key", name="campaigns_journeyrun_key"),
            # Nobody is inside twice; which runs of a member an event wakes.
            models.UniqueConstraint(
                "member", "journey", condition=Q(state="active"), name="campaigns_journeyrun_inside"
            ),
            models.CheckConstraint(
                name="campaigns_journeyrun_open",
                condition=Q(state="active", due_at__isnull=False, ended_at=None)
                | Q(state="stuck", due_at=None, ended_at=None)
                | (~Q(state__in=["active", "stuck"]) & Q(due_at=None, ended_at__isnull=False)),
            ),
        ]
        indexes = [
            # Who goes on now, a journey at a time (campaigns.services.journeys.advancing).
            models.Index(fields=["journey", "due_at", "id"], condition=Q(state="active"), name="campaigns_run_due"),
            # Whether a member may come in again; their ways (member page, why).
            models.Index(fields=["member", "journey", "-entered_at"], name="campaigns_run_member"),
            # How many are where (list, picture), and who.
            models.Index(fields=["journey", "state", "step"], name="campaigns_run_state"),
            # Who came in last (page of a journey).
            models.Index(F("journey"), F("entered_at").desc(), F("id").desc(), name="campaigns_run_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.journey}: {self.pk}"


class JourneyLog(models.Model):
    """Something that happened on a member's way, at a step or, with none, to the way as a whole."""

    run = models.ForeignKey(JourneyRun, models.PROTECT, related_name="log", db_index=False, verbose_name=_("way"))
    step = models.CharField(_("step"), max_length=20, blank=True)
    at = models.DateTimeField(_("when"))
    what = models.CharField(_("what"), max_length=20)  # entered, left, waits, went, did, skipped, failed
    why = models.JSONField(_("why"), default=dict, db_default={}, blank=True)

    class Meta:
        verbose_name = _("event on a journey")
        verbose_name_plural = _("events on journeys")
        indexes = [models.Index(fields=["run", "id"], name="campaigns_journeylog_run")]  # a member's way, in order
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.step} {self.what}"


class JourneyCall(models.Model):
    """Another system that is to be told of a member's step. The row is there before the call; docs/journeys.md."""

    run = models.ForeignKey(JourneyRun, models.PROTECT, related_name="calls", verbose_name=_("way"))
    step = models.CharField(_("step"), max_length=20)
    lap = models.PositiveSmallIntegerField(default=0)  # a way may come to a step again
    event = models.CharField(_("event"), max_length=60)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # the key that goes with every attempt
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True, default="")

    class Meta:
        verbose_name = _("call of a journey")
        verbose_name_plural = _("calls of journeys")
        constraints = [models.UniqueConstraint("run", "step", "lap", name="campaigns_journeycall_once")]
        indexes = [
            # What is to be called now.
            models.Index(
                fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name="campaigns_journeycall_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event}"

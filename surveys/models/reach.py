"""Who is asked: invitations, each of which can be answered once."""

import uuid
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from surveys.enums import InvitationState


class Wave(models.Model):
    """A random part of those who may be asked, invited at once. The draw is by survey, wave and member, so that the
    same wave begun again, after a crash, asks the same people."""

    survey = models.ForeignKey("surveys.Survey", models.PROTECT, related_name="waves", verbose_name=_("survey"))
    number = models.PositiveIntegerField(_("wave"))
    segment = models.ForeignKey(
        "members.Segment", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("segment")
    )
    share = models.DecimalField(
        _("share (%)"),
        max_digits=5,
        decimal_places=2,
        default=100,
        validators=[MinValueValidator(Decimal("0.01")), MaxValueValidator(100)],
    )
    days_open = models.PositiveSmallIntegerField(_("days to answer"), default=30)
    due_at = models.DateTimeField(_("begins"))
    done_at = models.DateTimeField(_("done"), null=True, blank=True, editable=False)
    considered = models.PositiveIntegerField(_("members in question"), default=0, editable=False)
    rested = models.PositiveIntegerField(_("asked too lately"), default=0, editable=False)
    invited = models.PositiveIntegerField(_("invited"), default=0, editable=False)

    class Meta:
        verbose_name = _("wave")
        verbose_name_plural = _("waves")
        constraints = [
            models.UniqueConstraint("survey", "number", name="surveys_wave_number"),
            models.CheckConstraint(name="surveys_wave_share", condition=models.Q(share__gt=0, share__lte=100)),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(done_at=None), name="surveys_wave_due"),
        ]

    def __str__(self) -> str:
        return f"{self.survey} {self.number}"


class Invitation(models.Model):
    """A member asked to answer a survey. `key` names for ever what they were asked for ("purchase:17", "wave:3").

    Of an anonymous survey it says that it was answered, and on which day, never by which answer.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    survey = models.ForeignKey(
        "surveys.Survey", models.PROTECT, db_index=False, related_name="invitations", verbose_name=_("survey")
    )
    member = models.ForeignKey(
        "members.Member", models.PROTECT, db_index=False, related_name="invitations", verbose_name=_("member")
    )
    key = models.CharField(_("asked for"), max_length=100)
    state = models.CharField(_("state"), max_length=10, choices=InvitationState, default=InvitationState.OPEN)
    purchase = models.ForeignKey(
        "members.Purchase", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("purchase")
    )
    created_at = models.DateTimeField(_("asked"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    answered_on = models.DateField(_("answered"), null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.UniqueConstraint("survey", "member", "key", name="surveys_invitation_key"),
            models.CheckConstraint(
                name="surveys_invitation_answered",
                condition=models.Q(state="answered", answered_on__isnull=False)
                | (~models.Q(state="answered") & models.Q(answered_on=None)),
            ),
        ]
        indexes = [
            # When a member was asked last (contact budget), and what waits for them in the portal.
            models.Index(fields=["member", "-created_at"], name="surveys_invitation_member"),
            # How many were asked and answered (response rate).
            models.Index(fields=["survey", "state"], name="surveys_invitation_state"),
        ]

    def __str__(self) -> str:
        return f"{self.survey_id} {self.key}"

"""Who is asked: invitations, each of which can be answered once."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from surveys.enums import InvitationState


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

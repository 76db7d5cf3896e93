from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.enums import BY_ADDRESS, Channel, Language

MAX_TRIES = 5


class CardClaim(models.Model):
    """Someone signed in asks for the card of an existing member, to be proved by a code sent to the contact on file.

    A number that is nobody's leaves the same row with `member` empty, so that the limits and the answers are the same.
    """

    user = models.ForeignKey("members.User", models.CASCADE, related_name="card_claims", verbose_name=_("user"))
    card_number = models.CharField(_("card number"), max_length=12)
    member = models.ForeignKey(
        "members.Member", models.PROTECT, null=True, blank=True, related_name="claims", verbose_name=_("member")
    )
    channel = models.CharField(
        _("preferred channel"),
        max_length=10,
        choices=[(one.value, one.label) for one in BY_ADDRESS],
        default=Channel.EMAIL,
    )
    language = models.CharField(_("language"), max_length=7, choices=Language, default=Language.ENGLISH)
    code_hash = models.CharField(_("hash of the code"), max_length=64, blank=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    started_at = models.DateTimeField(_("asked"))
    expires_at = models.DateTimeField(_("expires"))
    handled_at = models.DateTimeField(_("code sent, or nobody to send it to"), null=True, blank=True)
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)

    class Meta:
        verbose_name = _("card claim")
        verbose_name_plural = _("card claims")
        constraints = [models.CheckConstraint(name="members_claim_tries", condition=Q(tries__lte=MAX_TRIES))]
        indexes = [
            # How often this user, and anyone for this card, has asked lately (members.services.claims.start_claim).
            models.Index(fields=["user", "-started_at"], name="members_claim_user"),
            models.Index(fields=["card_number", "-started_at"], name="members_claim_card"),
            # Codes still to be sent (members.services.claims.send_due_codes).
            models.Index(fields=["id"], condition=Q(handled_at=None), name="members_claim_due"),
        ]

    def __str__(self) -> str:
        return self.card_number

"""What members want to hear of, how often, and yeses that wait to be confirmed."""

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.enums import Medium, Pace
from members.enums import BY_ADDRESS, MARKETING, Channel, Purpose

_PROVABLE = [(one.value, one.label) for one in BY_ADDRESS]
MARKETING_CHOICES = [(purpose.value, purpose.label) for purpose in MARKETING]


class Topic(models.Model):
    """Something that members may want to hear of or not, within a purpose that they agreed to."""

    name = models.CharField(_("name"), max_length=60)
    about = models.CharField(_("what comes"), max_length=160, blank=True, help_text=_("One sentence for members."))
    purpose = models.CharField(_("purpose"), max_length=20, choices=MARKETING_CHOICES)
    position = models.PositiveSmallIntegerField(_("order"), default=0)
    archived = models.BooleanField(_("no longer offered"), default=False)

    class Meta:
        verbose_name = _("topic")
        verbose_name_plural = _("topics")
        ordering = ("purpose", "position", "pk")

    def __str__(self) -> str:
        return self.name


class TopicChoice(models.Model):
    """A member's last word on a topic by a channel. No row: as the purpose's consent says."""

    member = models.ForeignKey("members.Member", models.PROTECT, related_name="topic_choices", db_index=False)
    topic = models.ForeignKey(Topic, models.PROTECT, related_name="choices", verbose_name=_("topic"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    wanted = models.BooleanField(_("wanted"))
    source = models.CharField(_("given by"), max_length=40)
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("choice of a topic")
        verbose_name_plural = _("choices of topics")
        constraints = [models.UniqueConstraint("member", "topic", "channel", name="campaigns_topicchoice_once")]

    def __str__(self) -> str:
        return f"{self.topic}, {self.get_channel_display()}: {self.wanted}"


class ContactPace(models.Model):
    """How often a member wants to hear of us at most, and which way first. No row: as often as the shop's limits let
    through, and as a campaign has it."""

    member = models.OneToOneField(
        "members.Member", models.PROTECT, primary_key=True, related_name="contact_pace", verbose_name=_("member")
    )
    pace = models.CharField(_("how often"), max_length=10, choices=Pace, default=Pace.NORMAL)
    first_channel = models.CharField(_("which way first"), max_length=10, choices=Medium, blank=True, default="")
    source = models.CharField(_("given by"), max_length=40)
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("wish of how often")
        verbose_name_plural = _("wishes of how often")

    def __str__(self) -> str:
        return self.get_pace_display()


class OptInRule(models.Model):
    """Where a yes counts only once it was confirmed by the link in a message to that very address."""

    channel = models.CharField(_("channel"), max_length=10, choices=_PROVABLE)
    purpose = models.CharField(_("purpose"), max_length=20, choices=MARKETING_CHOICES)
    days = models.PositiveSmallIntegerField(
        _("waits for days"), default=7, validators=[MinValueValidator(1), MaxValueValidator(60)]
    )
    active = models.BooleanField(_("in force"), default=True)

    class Meta:
        verbose_name = _("confirmation of a consent")
        verbose_name_plural = _("confirmation of consents")
        constraints = [models.UniqueConstraint("channel", "purpose", name="campaigns_optinrule_once")]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}, {self.get_channel_display()}"


class PendingConsent(models.Model):
    """A yes that waits for its confirmation. docs/preferences.md."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # in the link
    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="pending_consents", verbose_name=_("member")
    )
    channel = models.CharField(_("channel"), max_length=10, choices=_PROVABLE)
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    address = models.CharField(_("to"), max_length=254)
    wording = models.ForeignKey(
        "members.ConsentWording", models.PROTECT, null=True, related_name="+", verbose_name=_("wording")
    )
    source = models.CharField(_("given by"), max_length=40)
    evidence = models.CharField(_("evidence"), max_length=200, blank=True, db_default="")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField(_("asked"))
    expires_at = models.DateTimeField(_("not after"))
    send_at = models.DateTimeField(null=True)  # a message waits to be sent
    sent = models.PositiveSmallIntegerField(_("messages sent"), default=0, db_default=0)
    sent_at = models.DateTimeField(_("last message"), null=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True)

    class Meta:
        verbose_name = _("consent to be confirmed")
        verbose_name_plural = _("consents to be confirmed")
        constraints = [
            models.UniqueConstraint(
                "member",
                "channel",
                "purpose",
                condition=Q(confirmed_at=None, withdrawn_at=None),
                name="campaigns_pendingconsent_once",
            ),
        ]
        indexes = [
            # Whose message is to be sent (campaigns.services.opt_in).
            models.Index(fields=["send_at"], condition=Q(send_at__isnull=False), name="campaigns_pending_send"),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}, {self.get_channel_display()}"

"""Who sends, whom nothing is sent to, and what providers tell afterwards."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.enums import BreakerState, EventKind, GoesTo, Medium, SuppressionReason, Transport


class Sender(models.Model):
    """Who a message comes from, by which way, and how fast at most. docs/delivery.md."""

    label = models.CharField(_("name in the office"), max_length=80)
    channel = models.CharField(_("channel"), max_length=10, choices=Medium)
    transport = models.CharField(pgettext_lazy("of sending", "way"), max_length=10, choices=Transport)
    is_default = models.BooleanField(_("used where nothing else is chosen"), default=False)
    name = models.CharField(
        _("name that readers see"), max_length=80, blank=True, default="", help_text=_("Empty: the programme's name.")
    )
    address = models.CharField(
        _("address"), max_length=254, blank=True, default="", help_text=_("Empty: the address in the settings.")
    )
    reply_to = models.EmailField(
        _("answers go to"), blank=True, default="", help_text=_("Empty: the programme's contact e-mail.")
    )
    # Whom a call reaches
    goes_to = models.CharField(
        _("members are known there by"),
        max_length=10,
        choices=GoesTo,
        blank=True,
        default=GoesTo.NOBODY,
        db_default="",
        help_text=_("Once this is chosen, members can agree to this channel, and campaigns can use it."),
    )
    goes_to_system = models.CharField(
        _("which system"),
        max_length=40,
        blank=True,
        default="",
        db_default="",
        help_text=_("As it is called among the member's numbers elsewhere, for example “wechat”."),
    )
    # The call of an HTTP way
    url = models.URLField(_("address of the call"), blank=True, default="", max_length=500)
    body = models.TextField(
        _("body of the call"),
        blank=True,
        default="",
        help_text=_(
            "JSON. {{ to }}, {{ text }}, {{ subject }}, {{ member }}, {{ id }}, {{ unsubscribe }} are filled in."
        ),
    )
    token = models.CharField(
        _("bearer token"),
        max_length=500,
        blank=True,
        default="",
        help_text=_(
            "The name of an environment variable that begins with MESSAGE_SECRET_: the secret is not kept here."
        ),
    )
    signing_key = models.CharField(
        _("key of the signature"),
        max_length=500,
        blank=True,
        default="",
        help_text=_("The name of an environment variable; calls are then signed with HMAC-SHA256."),
    )
    id_field = models.CharField(
        _("where the answer says its own id"), max_length=60, blank=True, default="", help_text=_("For example “id”.")
    )
    timeout = models.PositiveSmallIntegerField(
        _("waits at most (seconds)"), default=10, validators=[MinValueValidator(1), MaxValueValidator(60)]
    )
    # How fast
    per_second = models.PositiveIntegerField(
        _("a second at most"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    per_minute = models.PositiveIntegerField(
        _("a minute at most"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    per_hour = models.PositiveIntegerField(
        _("an hour at most"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    message_cost = models.DecimalField(
        _("cost of one message"),
        max_digits=10,
        decimal_places=5,
        default=Decimal(0),
        db_default=Decimal(0),
        validators=[MinValueValidator(0)],
        help_text=_("In the programme's currency. What campaigns cost is counted with it."),
    )
    lanes = models.PositiveSmallIntegerField(
        _("deliverers at a time"), default=1, validators=[MinValueValidator(1), MaxValueValidator(8)]
    )
    # The circuit breaker
    paused_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    paused_at = models.DateTimeField(_("paused by staff"), null=True, blank=True, editable=False)
    breaker = models.CharField(
        _("breaker"), max_length=10, choices=BreakerState, default=BreakerState.CLOSED, editable=False
    )
    failures = models.PositiveSmallIntegerField(_("troubles in a row"), default=0, editable=False)
    opened = models.PositiveSmallIntegerField(_("pauses in a row"), default=0, editable=False)
    open_until = models.DateTimeField(_("next try"), null=True, blank=True, editable=False)
    trouble = models.TextField(_("last trouble"), blank=True, default="", editable=False)
    trouble_at = models.DateTimeField(_("trouble at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        constraints = [
            models.UniqueConstraint(fields=["channel"], condition=Q(is_default=True), name="campaigns_sender_default"),
            models.CheckConstraint(
                name="campaigns_sender_way",
                condition=Q(channel="email", transport="site")
                | Q(channel="app", transport="app")
                | Q(channel__in=["sms", "webhook"], transport__in=["log", "http"]),
            ),
            models.CheckConstraint(
                name="campaigns_sender_goes_to",
                condition=(Q(goes_to="") | Q(channel="webhook"))
                & (Q(goes_to="identity") & ~Q(goes_to_system="") | ~Q(goes_to="identity") & Q(goes_to_system="")),
            ),
            models.CheckConstraint(
                name="campaigns_sender_url", condition=~Q(transport="http") | (~Q(url="") & ~Q(body=""))
            ),
            models.CheckConstraint(
                name="campaigns_sender_rates",
                condition=(Q(per_second=None) | Q(per_second__gt=0))
                & (Q(per_minute=None) | Q(per_minute__gt=0))
                & (Q(per_hour=None) | Q(per_hour__gt=0)),
            ),
            models.CheckConstraint(
                name="campaigns_sender_breaker",
                condition=Q(breaker="closed", open_until=None) | (~Q(breaker="closed") & Q(open_until__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return self.label


class Bucket(models.Model):
    """What is left of a limit of speed, for all workers on all hosts together (campaigns.services.pace)."""

    name = models.CharField(max_length=60, primary_key=True)
    tokens = models.FloatField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("limit of speed")
        verbose_name_plural = _("limits of speed")

    def __str__(self) -> str:
        return self.name


class Suppression(models.Model):
    """An address that nothing is sent to, why, and until when. It is lifted, never deleted."""

    channel = models.CharField(_("channel"), max_length=10, choices=Medium)
    address = models.UUIDField(_("address"), editable=False)  # campaigns.queries.address_key
    value = models.CharField(_("address"), max_length=254, blank=True, default="")  # empty once its owner was erased
    reason = models.CharField(_("why"), max_length=20, choices=SuppressionReason)
    note = models.CharField(_("note"), max_length=500, blank=True, default="")
    expires_at = models.DateTimeField(_("until"), null=True, blank=True, help_text=_("Empty: for ever."))
    actor = models.ForeignKey("members.User", models.SET_NULL, null=True, blank=True, editable=False, related_name="+")
    created_at = models.DateTimeField(_("since"))
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True, editable=False)
    lifted_by = models.ForeignKey(
        "members.User",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("lifted by"),
    )
    lift_note = models.CharField(_("why lifted"), max_length=200, blank=True, default="", editable=False)

    class Meta:
        verbose_name = _("suppressed address")
        verbose_name_plural = _("suppression list")
        constraints = [
            # Also what hand-over and planning ask by.
            models.UniqueConstraint(
                fields=["address", "channel"], condition=Q(lifted_at=None), name="campaigns_suppression_once"
            ),
        ]
        indexes = [
            # The list, newest first.
            models.Index(fields=["-created_at", "-id"], name="campaigns_suppression_new"),
        ]

    def __str__(self) -> str:
        return self.value or str(self.address)


class DeliveryEvent(models.Model):
    """What a provider told, as it told it. Kept even where no message of ours is known by it."""

    source = models.CharField(_("provider"), max_length=40)
    key = models.CharField(max_length=200, editable=False)  # the provider's id of the event, or a digest of it
    kind = models.CharField(_("event"), max_length=12, choices=EventKind)
    at = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("told"))
    recipient = models.CharField(_("address"), max_length=254, blank=True, default="")
    provider_id = models.CharField(_("Message-ID"), max_length=250, blank=True, default="")
    message = models.ForeignKey(
        "campaigns.Message", models.SET_NULL, null=True, blank=True, related_name="events", verbose_name=_("message")
    )
    permanent = models.BooleanField(_("for good"), null=True)
    detail = models.TextField(_("what it said"), blank=True, default="")
    raw = models.JSONField(_("as it came"), default=dict)

    class Meta:
        verbose_name = _("word from a provider")
        verbose_name_plural = _("words from providers")
        constraints = [models.UniqueConstraint(fields=["source", "key"], name="campaigns_event_once")]
        indexes = [
            # Soft bounces of an address in a row (campaigns.services.bounces).
            models.Index(fields=["recipient", "-at", "-id"], name="campaigns_event_recipient"),
            models.Index(fields=["-received_at", "-id"], name="campaigns_event_new"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.recipient}".strip()

"""What everything that sends hangs on."""

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from campaigns.enums import CampaignKind, CampaignPurpose, CampaignState, Medium


def by_email() -> list[str]:
    return [Medium.EMAIL.value]


class Campaign(models.Model):
    """What sends: the birthday greeting, a broadcast, a journey, or messages of service."""

    kind = models.CharField(_("kind"), max_length=10, choices=CampaignKind)
    name = models.CharField(_("name"), max_length=120, blank=True)
    purpose = models.CharField(_("purpose"), max_length=20, choices=CampaignPurpose)
    state = models.CharField(_("state"), max_length=10, choices=CampaignState, default=CampaignState.DRAFT)
    paused_why = models.CharField(_("why paused"), max_length=200, blank=True, default="")
    channels = ArrayField(
        models.CharField(max_length=10, choices=Medium),
        default=by_email,
        verbose_name=_("channels"),
        help_text=_("The first that reaches the member and that they agreed to."),
    )
    topic = models.ForeignKey(
        "campaigns.Topic",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="campaigns",
        verbose_name=_("topic"),
        help_text=_("Members who do not want it are left out."),
    )
    priority = models.PositiveSmallIntegerField(_("priority"), default=50, validators=[MaxValueValidator(100)])
    counts_for_cap = models.BooleanField(_("counts against the limit of messages"), default=True)
    goal_days = models.PositiveSmallIntegerField(
        _("a purchase counts within (days)"), default=14, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )
    holdout_percent = models.DecimalField(
        _("held out (%)"), max_digits=4, decimal_places=1, default=Decimal(5), validators=[MaxValueValidator(50)]
    )
    rate_per_minute = models.PositiveIntegerField(_("messages a minute at most"), null=True, blank=True)
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    utm_campaign = models.SlugField(_("name in web statistics"), max_length=60, blank=True, default="")
    measure_clicks = models.BooleanField(
        _("measure clicks"),
        default=True,
        db_default=True,
        help_text=_("Links lead through this site, which counts them. Service messages are never measured."),
    )
    measure_opens = models.BooleanField(
        _("measure opens"),
        default=False,
        db_default=False,
        help_text=_(
            "A picture that cannot be seen tells when a mail is opened. Off unless you need it: it watches people at"
            " home, and many programs open mails by themselves. In some countries members must agree to it."
        ),
    )
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(_("made"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        constraints = [
            models.UniqueConstraint(fields=["kind"], condition=Q(kind="birthday"), name="campaigns_campaign_birthday"),
            # Service mail needs no consent and passes every limit: nothing else may call itself that.
            models.CheckConstraint(
                name="campaigns_campaign_service",
                condition=Q(kind="service", purpose="service", counts_for_cap=False)
                | (~Q(kind="service") & ~Q(purpose="service") & Q(counts_for_cap=True)),
            ),
            models.CheckConstraint(
                name="campaigns_campaign_numbers",
                condition=Q(priority__lte=100, goal_days__gt=0, holdout_percent__gte=0, holdout_percent__lte=50)
                & (Q(rate_per_minute=None) | Q(rate_per_minute__gt=0)),
            ),
            models.CheckConstraint(
                name="campaigns_campaign_quiet",
                condition=Q(quiet_from=None, quiet_until=None) | Q(quiet_from__isnull=False, quiet_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(CampaignKind(self.kind).label)

"""What points buy, and who bought it. docs/catalogue.md."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from common.moments import format_moment
from rewards.enums import Fulfilment, RedemptionState, RewardKind, RewardState, WaitingState
from rewards.models.tiers import Tier


class Reward(models.Model):
    """Something in the catalogue. `stock` is what may still be taken (reservations are off it); None is endless.

    `redeemed` counts reservations and redemptions that stand, for `limit_total`.
    """

    kind = models.CharField(_("kind"), max_length=10, choices=RewardKind)
    name = models.CharField(_("name"), max_length=80)
    summary = models.CharField(_("in one line"), max_length=120, blank=True)
    description = models.TextField(_("description"), blank=True)
    terms = models.TextField(_("terms"), blank=True)
    points = models.PositiveBigIntegerField(_("points"), default=0)
    money_minor = models.PositiveBigIntegerField(_("plus money, in minor units"), default=0)
    unit_cost_minor = models.PositiveBigIntegerField(
        _("cost to the shop, in minor units"), null=True, blank=True, help_text=_("For reports; members never see it.")
    )
    green = models.BooleanField(_("green"), default=False, help_text=_("Good for the planet: marked so."))
    stock = models.PositiveIntegerField(_("stock"), null=True, blank=True, help_text=_("Empty: endless."))
    redeemed = models.PositiveIntegerField(_("redeemed"), default=0, db_default=0, editable=False)
    limit_total = models.PositiveIntegerField(_("limit in all"), null=True, blank=True)
    limit_member = models.PositiveIntegerField(_("limit for each member"), null=True, blank=True)
    visible_from = models.DateTimeField(_("shown from"), null=True, blank=True)
    visible_until = models.DateTimeField(_("shown until"), null=True, blank=True)
    redeemable_from = models.DateTimeField(_("to be had from"), null=True, blank=True)
    redeemable_until = models.DateTimeField(_("to be had until"), null=True, blank=True)
    tiers = models.ManyToManyField(
        Tier, blank=True, related_name="rewards", verbose_name=_("only for tiers"), help_text=_("None: for all.")
    )
    segment = models.ForeignKey(
        "members.Segment", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("only for segment")
    )
    offer = models.ForeignKey(
        "rewards.Offer",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="rewards",
        verbose_name=_("coupon's offer"),
        help_text=_("Coupons, gift cards and free trials: where the code comes from."),
    )
    credit_minor = models.PositiveBigIntegerField(_("store credit, in minor units"), null=True, blank=True)
    ships = models.BooleanField(_("is sent"), default=False, help_text=_("Else it is collected in the store."))
    hold_minutes = models.PositiveIntegerField(
        _("minutes until a reservation lapses"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    valid_days = models.PositiveSmallIntegerField(
        _("days to collect it"), null=True, blank=True, help_text=_("Empty: the code never runs out.")
    )
    state = models.CharField(_("state"), max_length=10, choices=RewardState, default=RewardState.DRAFT)
    position = models.PositiveIntegerField(_("position"), default=0, db_default=0)
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("reward")
        verbose_name_plural = _("rewards")
        ordering = ("position", "id")
        constraints = [
            models.CheckConstraint(
                name="rewards_reward_limit", condition=Q(limit_total=None) | Q(redeemed__lte=F("limit_total"))
            ),
            models.CheckConstraint(
                name="rewards_reward_kind",
                condition=(~Q(kind=RewardKind.CREDIT) | Q(credit_minor__gt=0))
                & (~Q(kind__in=[RewardKind.COUPON, RewardKind.GIFT_CARD, RewardKind.TRIAL]) | Q(offer__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RewardPrice(models.Model):
    """Another price for members of a tier."""

    reward = models.ForeignKey(Reward, models.CASCADE, related_name="prices", verbose_name=_("reward"))
    tier = models.ForeignKey(Tier, models.CASCADE, related_name="+", verbose_name=_("tier"))
    points = models.PositiveBigIntegerField(_("points"))
    money_minor = models.PositiveBigIntegerField(_("plus money, in minor units"), default=0)

    class Meta:
        verbose_name = _("price for a tier")
        verbose_name_plural = _("prices for tiers")
        constraints = [models.UniqueConstraint("reward", "tier", name="rewards_price_once")]

    def __str__(self) -> str:
        return f"{self.tier}: {self.points}"


class RewardPicture(models.Model):
    """A picture of a reward, re-encoded in two sizes; the file that was uploaded is not kept."""

    reward = models.ForeignKey(Reward, models.CASCADE, related_name="pictures", verbose_name=_("reward"))
    small = models.FileField(_("small"), upload_to="rewards/")
    large = models.FileField(_("large"), upload_to="rewards/")
    width = models.PositiveIntegerField(_("width"))
    height = models.PositiveIntegerField(_("height"))
    alt = models.CharField(_("what it shows"), max_length=120, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("picture")
        verbose_name_plural = _("pictures")
        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.alt or f"{self.width}x{self.height}"


class RewardSession(models.Model):
    """A date of an experience. `booked` counts places reserved, taken, and kept for who was waiting."""

    reward = models.ForeignKey(Reward, models.PROTECT, related_name="sessions", verbose_name=_("reward"))
    starts_at = models.DateTimeField(_("when"))
    place = models.CharField(_("where"), max_length=120, blank=True)
    capacity = models.PositiveIntegerField(_("places"))
    booked = models.PositiveIntegerField(_("places taken"), default=0, db_default=0, editable=False)
    closes_at = models.DateTimeField(_("booking ends"), null=True, blank=True)
    cancelled = models.BooleanField(_("called off"), default=False)

    class Meta:
        verbose_name = _("date of an experience")
        verbose_name_plural = _("dates of experiences")
        ordering = ("starts_at",)
        constraints = [
            models.CheckConstraint(name="rewards_session_capacity", condition=Q(booked__lte=F("capacity"))),
        ]

    def __str__(self) -> str:
        return format_moment(self.starts_at)


class WaitingEntry(models.Model):
    """A member waits for a place at a date that is full."""

    session = models.ForeignKey(RewardSession, models.PROTECT, related_name="waiting", verbose_name=_("date"))
    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="waiting_entries", verbose_name=_("member")
    )
    state = models.CharField(_("state"), max_length=10, choices=WaitingState, default=WaitingState.WAITING)
    at = models.DateTimeField(_("since"))
    offered_until = models.DateTimeField(_("place kept until"), null=True, blank=True)

    class Meta:
        verbose_name = _("place in the waiting list")
        verbose_name_plural = _("waiting list")
        constraints = [
            models.UniqueConstraint(
                "session",
                "member",
                condition=Q(state__in=[WaitingState.WAITING, WaitingState.OFFERED]),
                name="rewards_waiting_once",
            )
        ]
        indexes = [
            # Who is next.
            models.Index(fields=["session", "at", "id"], condition=Q(state="waiting"), name="rewards_waiting_next"),
        ]

    def __str__(self) -> str:
        return f"{self.session_id}/{self.member_id}"


class Redemption(models.Model):
    """A member takes a reward: reserved, then confirmed, or cancelled, lapsed, given back. Price as it was then."""

    source = models.CharField(_("source"), max_length=40)
    key = models.CharField(_("key"), max_length=120)
    member = models.ForeignKey(
        "members.Member", models.PROTECT, db_index=False, related_name="redemptions", verbose_name=_("member")
    )
    reward = models.ForeignKey(
        Reward, models.PROTECT, db_index=False, related_name="redemptions", verbose_name=_("reward")
    )
    session = models.ForeignKey(
        RewardSession, models.PROTECT, null=True, blank=True, related_name="redemptions", verbose_name=_("date")
    )
    points = models.PositiveBigIntegerField(_("points"))
    money_minor = models.PositiveBigIntegerField(_("plus money, in minor units"), default=0)
    state = models.CharField(_("state"), max_length=10, choices=RedemptionState, default=RedemptionState.RESERVED)
    hold = models.OneToOneField(
        "rewards.Hold", models.PROTECT, null=True, blank=True, related_name="redemption", verbose_name=_("hold")
    )
    code = models.CharField(_("code"), max_length=24, null=True, blank=True)  # noqa: DJ001  unique
    coupon = models.OneToOneField(
        "rewards.Coupon", models.PROTECT, null=True, blank=True, related_name="redemption", verbose_name=_("coupon")
    )
    why = models.JSONField(_("why"), default=dict, help_text=_("Price and gates as they were."))
    expires_at = models.DateTimeField(_("lapses"))
    created_at = models.DateTimeField(_("reserved"))
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    settled_at = models.DateTimeField(_("ended"), null=True, blank=True)
    fulfilment = models.CharField(_("fulfilment"), max_length=10, choices=Fulfilment, default=Fulfilment.NONE)
    fulfilled_at = models.DateTimeField(_("handed over or delivered"), null=True, blank=True)
    collect_until = models.DateTimeField(_("to be collected until"), null=True, blank=True)
    carrier = models.CharField(_("carrier"), max_length=60, blank=True)
    tracking_number = models.CharField(_("tracking number"), max_length=80, blank=True)
    address = models.JSONField(_("sent to"), default=dict, blank=True)
    store = models.CharField(_("store"), max_length=80, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        constraints = [
            models.UniqueConstraint("source", "key", name="rewards_redemption_key"),
            models.UniqueConstraint("code", name="rewards_redemption_code"),
        ]
        indexes = [
            # A member's redemptions, newest first; how many of a reward a member has (limit).
            models.Index(fields=["member", "-created_at"], name="rewards_redemption_member"),
            # Take-up of a reward in a period.
            models.Index(fields=["reward", "created_at"], name="rewards_redemption_reward"),
            # What lapses (rewards.services.redemptions.lapse_due).
            models.Index(fields=["expires_at"], condition=Q(state="reserved"), name="rewards_redemption_due"),
            # What is to be sent or handed over.
            models.Index(
                fields=["fulfilment", "created_at"],
                condition=Q(state="confirmed", fulfilment__in=["to_ship", "to_collect", "shipped"]),
                name="rewards_redemption_todo",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reward}, {format_moment(self.created_at)}"

"""Offers, and the codes that stand for them. docs/coupons.md."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now, Upper
from django.utils.translation import gettext_lazy as _

from members.enums import JobState
from rewards.enums import CouponState, CouponUseState, IssuedBy, OfferKind, OfferState


class Offer(models.Model):
    """What a coupon gives and on which terms (rewards.coupons.definition says what `definition` may hold).

    With `shared_code` one code serves everybody, each member `uses_member` times; otherwise each member has codes of
    their own, each good once. `uses` counts what is reserved or used where there is a `uses_limit` ("the first 100"),
    and is 0 where there is none: its row would be waited for in vain.
    """

    kind = models.CharField(_("kind"), max_length=12, choices=OfferKind)
    name = models.CharField(_("name"), max_length=80)
    description = models.TextField(_("description"), blank=True)
    terms = models.TextField(_("terms"), blank=True)
    definition = models.JSONField(_("definition"), default=dict)
    shared_code = models.CharField(_("code for all"), max_length=24, null=True, blank=True)  # noqa: DJ001  unique
    starts_at = models.DateTimeField(_("from"), null=True, blank=True)
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    valid_days = models.PositiveSmallIntegerField(
        _("days a coupon is valid"),
        null=True,
        blank=True,
        help_text=_("From the day it is issued. Empty: until the end."),
    )
    uses_limit = models.PositiveIntegerField(_("uses in all"), null=True, blank=True)
    uses = models.PositiveIntegerField(_("uses"), default=0, db_default=0, editable=False)
    uses_member = models.PositiveIntegerField(
        _("uses for each member"),
        null=True,
        blank=True,
        default=1,
        help_text=_("Of the code for all; a code of one's own is good once. Empty: no limit."),
    )
    segment = models.ForeignKey(
        "members.Segment", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("only for segment")
    )
    stackable = models.BooleanField(_("goes with other coupons"), default=False)
    flash = models.BooleanField(_("flash offer"), default=False, help_text=_("Shown with the time that is left."))
    listed = models.BooleanField(
        _("shown to members"), default=False, help_text=_("Everybody who may have it sees it in the portal.")
    )
    unit_cost_minor = models.PositiveBigIntegerField(_("cost to the shop, in minor units"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=OfferState, default=OfferState.DRAFT)
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        ordering = ("-created_at", "-id")
        constraints = [
            models.UniqueConstraint(Upper("shared_code"), name="rewards_offer_code"),
            models.CheckConstraint(
                name="rewards_offer_uses", condition=Q(uses_limit=None) | Q(uses__lte=F("uses_limit"))
            ),
            models.CheckConstraint(
                name="rewards_offer_window",
                condition=Q(starts_at=None) | Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CouponJob(models.Model):
    """Many coupons at once, in the background: codes made or uploaded into stock, or issued to a segment."""

    offer = models.ForeignKey(Offer, models.PROTECT, related_name="jobs", verbose_name=_("offer"))
    segment = models.ForeignKey(
        "members.Segment", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("segment")
    )
    uploaded = models.BooleanField(_("codes of a file"), default=False)
    prefix = models.CharField(_("codes begin with"), max_length=8, blank=True)
    total = models.PositiveIntegerField(_("coupons"), default=0)
    done = models.PositiveIntegerField(_("made"), default=0)
    skipped = models.PositiveIntegerField(_("left out"), default=0)
    last_id = models.BigIntegerField(_("last"), default=0)
    state = models.CharField(_("state"), max_length=10, choices=JobState, default=JobState.QUEUED)
    error = models.TextField(_("error"), blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("since"))
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("coupons made at once")
        verbose_name_plural = _("coupons made at once")
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.offer}: {self.total}"


class Coupon(models.Model):
    """A code of its own: in stock, or a member's. An offer with a shared code has none. `issue_key` names for ever
    what it was issued for."""

    code = models.CharField(_("code"), max_length=24)
    offer = models.ForeignKey(Offer, models.PROTECT, related_name="coupons", verbose_name=_("offer"))
    job = models.ForeignKey(
        CouponJob, models.PROTECT, null=True, blank=True, related_name="coupons", verbose_name=_("made with")
    )
    member = models.ForeignKey(
        "members.Member",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="coupons",
        verbose_name=_("member"),
    )
    state = models.CharField(_("state"), max_length=10, choices=CouponState, default=CouponState.STOCK)
    issue_key = models.CharField(_("issued for"), max_length=160, null=True, blank=True)  # noqa: DJ001  unique
    issued_by = models.CharField(_("issued by"), max_length=10, choices=IssuedBy, blank=True)
    issued_at = models.DateTimeField(_("issued"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    seen_at = models.DateTimeField(_("seen by the member"), null=True, blank=True)
    why = models.JSONField(_("why"), default=dict, blank=True)

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        constraints = [
            models.UniqueConstraint("code", name="rewards_coupon_code"),
            models.UniqueConstraint("issue_key", name="rewards_coupon_issue_key"),
            models.CheckConstraint(
                name="rewards_coupon_owner",
                condition=Q(state=CouponState.STOCK, member=None, issued_at=None)
                | (~Q(state=CouponState.STOCK) & (Q(issued_at__isnull=False) | Q(state=CouponState.VOID))),
            ),
            models.CheckConstraint(name="rewards_coupon_upper", condition=Q(code=Upper("code"))),
        ]
        indexes = [
            # A member's coupons.
            models.Index(
                fields=["member", "state", "expires_at"],
                condition=Q(member__isnull=False),
                name="rewards_coupon_member",
            ),
            # The next code in stock.
            models.Index(fields=["offer", "id"], condition=Q(state="stock"), name="rewards_coupon_stock"),
        ]

    def __str__(self) -> str:
        return self.code


class CouponUse(models.Model):
    """A coupon, or a shared code, in a basket: reserved, used, or released again."""

    source = models.CharField(_("source"), max_length=40)
    key = models.CharField(_("key"), max_length=160)
    fingerprint = models.CharField(_("fingerprint"), max_length=64, blank=True)
    offer = models.ForeignKey(
        Offer, models.PROTECT, db_index=False, related_name="coupon_uses", verbose_name=_("offer")
    )
    coupon = models.ForeignKey(
        Coupon, models.PROTECT, null=True, blank=True, related_name="coupon_uses", verbose_name=_("coupon")
    )
    member = models.ForeignKey(
        "members.Member",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="coupon_uses",
        verbose_name=_("member"),
    )
    purchase = models.ForeignKey(
        "members.Purchase",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="coupon_uses",
        verbose_name=_("purchase"),
    )
    state = models.CharField(_("state"), max_length=10, choices=CouponUseState)
    discount_minor = models.PositiveBigIntegerField(_("discount, in minor units"), default=0)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    why = models.JSONField(_("why"), default=dict, blank=True)
    at = models.DateTimeField(_("when"))
    reserved_until = models.DateTimeField(_("reserved until"), null=True, blank=True)
    store = models.CharField(_("store"), max_length=80, blank=True)
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )

    class Meta:
        verbose_name = _("use of a coupon")
        verbose_name_plural = _("uses of coupons")
        constraints = [
            models.UniqueConstraint("source", "key", name="rewards_couponuse_key"),
            models.UniqueConstraint(
                "coupon",
                condition=Q(coupon__isnull=False, state__in=[CouponUseState.RESERVED, CouponUseState.USED]),
                name="rewards_couponuse_once",
            ),
        ]
        indexes = [
            # How often a member used an offer.
            models.Index(fields=["member", "offer"], name="rewards_couponuse_member"),
            # Which reservations run out.
            models.Index(fields=["reserved_until"], condition=Q(state="reserved"), name="rewards_couponuse_due"),
            # Take-up of an offer in a period.
            models.Index(fields=["offer", "at"], name="rewards_couponuse_offer"),
        ]

    def __str__(self) -> str:
        return self.key

from decimal import Decimal

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from common.money import to_major
from members.enums import SalesChannel

APPEND_ONLY = pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)


class Purchase(models.Model):
    """What a member bought in one go. `source` and `key` name it for ever; amounts are minor units of `currency`."""

    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="purchases", db_index=False, verbose_name=_("member")
    )
    source = models.CharField(_("source"), max_length=40, help_text=_("The system that reported it."))
    key = models.CharField(_("key"), max_length=120, help_text=_("Its number in that system."))
    fingerprint = models.UUIDField(_("fingerprint"), editable=False, help_text=_("MD5 of what was reported."))
    purchased_at = models.DateTimeField(_("bought"))
    currency = models.CharField(_("currency"), max_length=3)
    amount_minor = models.BigIntegerField(_("amount in minor units"))
    refunded_minor = models.BigIntegerField(_("refunded, in minor units"), default=0, db_default=0)
    store = models.CharField(_("store"), max_length=80, blank=True, db_default="")
    channel = models.CharField(
        _("channel"), max_length=10, choices=SalesChannel, default=SalesChannel.STORE, db_default=SalesChannel.STORE
    )
    created_at = models.DateTimeField(_("recorded"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("purchase")
        verbose_name_plural = _("purchases")
        constraints = [
            models.UniqueConstraint("source", "key", name="members_purchase_key"),
            models.CheckConstraint(name="members_purchase_amount", condition=Q(amount_minor__gte=0)),
            models.CheckConstraint(
                name="members_purchase_refunded",
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("amount_minor")),
            ),
        ]
        indexes = [
            # A member's purchases, newest first (member page, last visit); with what is added up of them, so that a
            # summary needs no look at the rows themselves.
            models.Index(
                F("member"),
                F("purchased_at").desc(),
                include=("currency", "amount_minor", "refunded_minor"),
                name="members_purchase_member",
            ),
            # Revenue in a period (dashboard).
            models.Index(fields=["purchased_at"], name="members_purchase_time"),
        ]
        triggers = [
            pgtrigger.ReadOnly(name="read_only", exclude=["refunded_minor"]),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.key}"

    @property
    def amount(self) -> Decimal:
        """What was paid, in major units."""
        return to_major(self.amount_minor, self.currency)

    @property
    def refunded(self) -> Decimal:
        """What was given back, in major units."""
        return to_major(self.refunded_minor, self.currency)


class PurchaseLine(models.Model):
    """One kind of thing in a purchase."""

    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="lines", verbose_name=_("purchase"))
    sku = models.CharField(_("article"), max_length=80, blank=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    category = models.CharField(_("category"), max_length=80, blank=True)
    brand = models.CharField(_("brand"), max_length=80, blank=True, db_default="")
    quantity = models.DecimalField(_("quantity"), max_digits=12, decimal_places=3, default=Decimal(1))
    amount_minor = models.BigIntegerField(_("amount in minor units"))
    discount_minor = models.BigIntegerField(
        _("discount, in minor units"),
        default=0,
        db_default=0,
        help_text=_("What was taken off already: the line's own discount and its share of coupons."),
    )

    class Meta:
        verbose_name = _("purchase line")
        verbose_name_plural = _("purchase lines")
        constraints = [models.CheckConstraint(name="members_line_quantity", condition=Q(quantity__gt=0))]
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return self.name or self.sku

    @property
    def amount(self) -> Decimal:
        """What the line cost, in major units."""
        return to_major(self.amount_minor, self.purchase.currency)


class Refund(models.Model):
    """Money given back for a purchase. Never more in all than was paid."""

    purchase = models.ForeignKey(Purchase, models.PROTECT, related_name="refunds", verbose_name=_("purchase"))
    source = models.CharField(_("source"), max_length=40)
    key = models.CharField(_("key"), max_length=120)
    amount_minor = models.BigIntegerField(_("amount in minor units"))
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    refunded_at = models.DateTimeField(_("refunded"))
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.UniqueConstraint("source", "key", name="members_refund_key"),
            # What was free comes back, too.
            models.CheckConstraint(name="members_refund_amount", condition=Q(amount_minor__gte=0)),
        ]
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.source} {self.key}"

    @property
    def amount(self) -> Decimal:
        """What was given back, in major units."""
        return to_major(self.amount_minor, self.purchase.currency)


class RefundLine(models.Model):
    """What of a line a refund gave back. Never more in all than was bought."""

    refund = models.ForeignKey(Refund, models.PROTECT, related_name="lines", verbose_name=_("refund"))
    line = models.ForeignKey(PurchaseLine, models.PROTECT, related_name="refund_lines", verbose_name=_("line"))
    quantity = models.DecimalField(_("quantity"), max_digits=12, decimal_places=3, null=True, blank=True)
    amount_minor = models.BigIntegerField(_("amount in minor units"))

    class Meta:
        verbose_name = _("line of a refund")
        verbose_name_plural = _("lines of refunds")
        constraints = [
            models.UniqueConstraint("refund", "line", name="members_refundline_once"),
            models.CheckConstraint(name="members_refundline_quantity", condition=Q(quantity=None) | Q(quantity__gt=0)),
        ]
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.amount_minor}"


class PurchaseSummary(models.Model):
    """A member's purchases added up, for segments and scores. No row means: none.

    Brought up to date by members.services.summaries a moment after the purchases, never in their way.
    """

    member = models.OneToOneField(
        "members.Member", models.PROTECT, primary_key=True, related_name="purchase_summary", verbose_name=_("member")
    )
    purchases = models.PositiveIntegerField(_("purchases"))
    visit_days = models.PositiveIntegerField(_("days with a purchase"))
    spent_minor = models.BigIntegerField(
        _("spent"), help_text=_("Net of refunds, in minor units of the programme's currency.")
    )
    first_at = models.DateTimeField(_("first purchase"))
    last_at = models.DateTimeField(_("last purchase"))
    rhythm_days = models.FloatField(
        _("usual days between visits"), null=True, blank=True, help_text=_("Empty with fewer than three visits.")
    )

    class Meta:
        verbose_name = _("purchase summary")
        verbose_name_plural = _("purchase summaries")
        # The amount that the top so many percent have spent at least (members.segments.purchase_traits.Top).
        indexes = [
            models.Index(fields=["spent_minor"], name="members_summary_spent"),
            # Whose first purchase was on a day (campaigns.queries_occasions.ANNIVERSARIES).
            models.Index(fields=["first_at"], name="members_summary_first"),
        ]

    def __str__(self) -> str:
        return f"{self.purchases}"

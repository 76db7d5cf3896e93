"""The ledger: accounts, transfers between them, and the lots that say which points are spent and expire first."""

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from common.moments import format_day, format_last_day, format_moment
from rewards.enums import MEMBERS_OWN, NEVER, OWNED, AccountKind, HoldState, LotAct, TransferKind, Unit

APPEND_ONLY = pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)


class Account(models.Model):
    """A member's wallet or arrears in a unit, a gift card, or an account of the programme, which keeps no balance.

    A balance is what came in less what went out: never below 0 in a wallet or on a card, never above 0 in
    arrears, where it is what the member owes.
    """

    kind = models.CharField(_("kind"), max_length=10, choices=AccountKind)
    unit = models.CharField(_("unit"), max_length=10, choices=Unit, default=Unit.POINTS, db_default=Unit.POINTS)
    member = models.ForeignKey(
        "members.Member",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,  # the unique constraint begins with it
        related_name="accounts",
        verbose_name=_("member"),
    )
    coupon = models.OneToOneField(
        "rewards.Coupon",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="account",
        verbose_name=_("gift card"),
    )
    balance = models.BigIntegerField(_("balance"), null=True, blank=True)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.CheckConstraint(
                name="rewards_account_balance",
                condition=Q(balance=None)
                | Q(kind__in=[AccountKind.WALLET, AccountKind.CARD], balance__gte=0)
                | Q(kind=AccountKind.ARREARS, balance__lte=0),
            ),
            models.CheckConstraint(
                name="rewards_account_shape",
                condition=Q(kind__in=MEMBERS_OWN, member__isnull=False, coupon=None, balance__isnull=False)
                | Q(kind=AccountKind.CARD, unit=Unit.CREDIT, member=None, coupon__isnull=False, balance__isnull=False)
                | (~Q(kind__in=OWNED) & Q(member=None, coupon=None, balance=None)),
            ),
            models.UniqueConstraint("member", "unit", "kind", name="rewards_account_own"),
            models.UniqueConstraint(
                fields=["kind", "unit", "coupon"],  # of a programme's account no coupon; found by its kind and unit
                condition=Q(member=None),
                nulls_distinct=False,
                name="rewards_account_system",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class Transfer(models.Model):
    """A positive amount moved from one account to another, for ever. `at` is when it counts from."""

    key = models.CharField(_("key"), max_length=200, help_text=_("The same key never has a second effect."))
    kind = models.CharField(_("kind"), max_length=10, choices=TransferKind)
    debit = models.ForeignKey(
        Account, models.PROTECT, related_name="debits", db_index=False, verbose_name=_("from account")
    )
    credit = models.ForeignKey(
        Account, models.PROTECT, related_name="credits", db_index=False, verbose_name=_("to account")
    )
    amount = models.BigIntegerField(pgettext_lazy("points", "amount"))
    at = models.DateTimeField(_("when"))
    reason = models.CharField(_("reason"), max_length=200, blank=True, db_default="")
    note = models.CharField(
        _("note for the member"), max_length=200, blank=True, db_default="", help_text=_("The member reads it.")
    )
    rule = models.ForeignKey(
        "rewards.RuleVersion",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="transfers",
        verbose_name=_("rule"),
    )
    why = models.JSONField(_("why"), default=dict, db_default={}, blank=True)
    actor = models.ForeignKey(
        "members.User",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("staff"),
    )
    purchase = models.ForeignKey(
        "members.Purchase",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="transfers",
        verbose_name=_("purchase"),
    )
    reverses = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="reversals",
        verbose_name=_("takes back"),
    )
    created_at = models.DateTimeField(_("recorded"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("movement of points")
        verbose_name_plural = _("movements of points")
        constraints = [
            # Not unique=True: that keeps a second index, for LIKE, which every transfer would pay for.
            models.UniqueConstraint("key", name="rewards_transfer_key"),
            models.CheckConstraint(name="rewards_transfer_amount", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="rewards_transfer_accounts", condition=~Q(debit=F("credit"))),
        ]
        indexes = [
            # A wallet's movements, newest first (portal, member page); points earned in a window (tiers).
            models.Index(fields=["credit", "-at", "-id"], name="rewards_transfer_credit"),
            models.Index(fields=["debit", "-at", "-id"], name="rewards_transfer_debit"),
            # What a purchase gave (refunds).
            models.Index(fields=["purchase"], condition=Q(purchase__isnull=False), name="rewards_transfer_purchase"),
            # What was taken back of a transfer (refunds, verify).
            models.Index(fields=["reverses"], condition=Q(reverses__isnull=False), name="rewards_transfer_reverses"),
            # What a rule gave, and when (cost and take-up of rules, budgets in verify).
            models.Index(
                fields=["rule", "at"],
                include=("amount",),
                condition=Q(rule__isnull=False),
                name="rewards_transfer_rule",
            ),
            # Points issued, redeemed, expired in a period (dashboard).
            models.Index(fields=["at", "kind"], include=("amount",), name="rewards_transfer_period"),
            # What came since the last night over tiers. Rows come in this order, so blocks tell.
            BrinIndex(fields=["created_at"], autosummarize=True, name="rewards_transfer_recorded"),
        ]
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {format_moment(self.at)}"


class Lot(models.Model):
    """Points that came in together. A debit takes from the lot that expires soonest; what never expires goes last.

    Pending until `available_from`. With `inactivity_months`, each activity of the member moves `expires_at` that far
    ahead; staff move either time by a LotChange.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="lots", db_index=False, verbose_name=_("account"))
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="lot", verbose_name=_("transfer"))
    amount = models.BigIntegerField(pgettext_lazy("points", "amount"))
    remaining = models.BigIntegerField(_("remaining"))
    available_from = models.DateTimeField(_("available from"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    inactivity_months = models.PositiveSmallIntegerField(
        _("expires after months without activity"), null=True, blank=True
    )

    class Meta:
        verbose_name = _("batch of points")
        verbose_name_plural = _("batches of points")
        constraints = [
            models.CheckConstraint(name="rewards_lot_amount", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="rewards_lot_remaining", condition=Q(remaining__gte=0, remaining__lte=F("amount"))
            ),
        ]
        indexes = [
            # Which points go first, and what expires next for a member.
            models.Index(
                "account",
                F("expires_at").asc(nulls_last=True),
                "id",
                condition=Q(remaining__gt=0),
                name="rewards_lot_open",
            ),
            # What expires now (rewards.services.expiry.expire_due). What never does is left out, so that nobody's lots
            # are looked up by it: where statistics know of no open lots, all indexes of them seem to cost the same.
            models.Index(
                fields=["expires_at", "id"],
                condition=Q(remaining__gt=0, expires_at__isnull=False),
                name="rewards_lot_expiry",
            ),
            # What waits for an event and is taken back without it (rewards.services.waiting).
            models.Index(
                fields=["id"], condition=Q(remaining__gt=0, available_from__gte=NEVER), name="rewards_lot_waiting"
            ),
        ]
        triggers = [
            pgtrigger.ReadOnly(name="read_only", fields=["account", "transfer", "amount", "inactivity_months"]),
            # A moment changes only by a LotChange (whose service passes by this trigger), or by activity.
            pgtrigger.Protect(
                name="times",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__available_from__df=pgtrigger.F("new__available_from"))
                | pgtrigger.Q(
                    pgtrigger.Q(old__expires_at__df=pgtrigger.F("new__expires_at")), old__inactivity_months__isnull=True
                ),
            ),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        words = {"came": self.begins, "goes": format_last_day(self.expires_at)}
        return gettext("from %(came)s to %(goes)s") % words if self.expires_at else gettext("since %(came)s") % words

    @property
    def begins(self) -> str:
        """The day from which it can be spent, in words."""
        return gettext("an event") if self.available_from >= NEVER else format_day(self.available_from)


class LotChange(models.Model):
    """Staff moved a time of a lot: activated it before its day, or let it live longer. Kept for ever."""

    key = models.CharField(_("key"), max_length=120)
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="changes", verbose_name=_("lot"))
    act = models.CharField(_("act"), max_length=10, choices=LotAct)
    was = models.DateTimeField(_("before"), null=True, blank=True)
    now = models.DateTimeField(_("after"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200)
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("change of a lot")
        verbose_name_plural = _("changes of lots")
        constraints = [models.UniqueConstraint("key", name="rewards_lotchange_key")]
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return self.key


class LotUse(models.Model):
    """How much of a lot a transfer took (positive) or gave back (negative)."""

    transfer = models.ForeignKey(
        Transfer, models.PROTECT, db_index=False, related_name="lot_uses", verbose_name=_("transfer")
    )
    lot = models.ForeignKey(Lot, models.PROTECT, related_name="uses", verbose_name=_("lot"))
    amount = models.BigIntegerField(pgettext_lazy("points", "amount"))

    class Meta:
        verbose_name = _("lot use")
        verbose_name_plural = _("lot uses")
        constraints = [
            models.CheckConstraint(name="rewards_lotuse_amount", condition=~Q(amount=0)),
            models.UniqueConstraint("transfer", "lot", name="rewards_lotuse_once"),
        ]
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.amount}"


class Hold(models.Model):
    """Points set aside for something not yet final: moved to the held account, then on to redeemed or back."""

    key = models.CharField(_("key"), max_length=120)
    account = models.ForeignKey(Account, models.PROTECT, related_name="holds", verbose_name=_("account"))
    amount = models.BigIntegerField(pgettext_lazy("points", "amount"))
    state = models.CharField(_("state"), max_length=10, choices=HoldState, default=HoldState.RESERVED)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="hold", verbose_name=_("reservation"))
    lapses_at = models.DateTimeField(_("lapses"))
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    created_at = models.DateTimeField(_("recorded"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        constraints = [
            models.UniqueConstraint("key", name="rewards_hold_key"),
            models.CheckConstraint(name="rewards_hold_amount", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="rewards_hold_settled",
                condition=Q(state=HoldState.RESERVED, settled_at=None)
                | (~Q(state=HoldState.RESERVED) & Q(settled_at__isnull=False)),
            ),
        ]
        indexes = [
            # Which holds have run out (rewards.services.holds.lapse_due).
            models.Index(fields=["lapses_at"], condition=Q(state="reserved"), name="rewards_hold_due"),
        ]

    def __str__(self) -> str:
        return self.key

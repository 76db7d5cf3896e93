from django.db import models
from django.utils.translation import gettext_lazy as _


class Unit(models.TextChoices):
    POINTS = "points", _("Points")


class AccountKind(models.TextChoices):
    WALLET = "wallet", _("Member's wallet")
    ISSUED = "issued", _("Issued")
    REDEEMED = "redeemed", _("Redeemed")
    EXPIRED = "expired", _("Expired")
    ADJUSTED = "adjusted", _("Adjusted")
    HELD = "held", _("Held")


class TransferKind(models.TextChoices):
    EARN = "earn", _("Earned")
    GIFT = "gift", _("Gift")
    ADJUST = "adjust", _("Adjustment")
    REDEEM = "redeem", _("Redeemed")
    EXPIRE = "expire", _("Expired")
    HOLD = "hold", _("Reserved")
    RELEASE = "release", _("Reservation ended")
    REVERSE = "reverse", _("Taken back")
    MERGE = "merge", _("Merged")


class HoldState(models.TextChoices):
    RESERVED = "reserved", _("Reserved")
    CONFIRMED = "confirmed", _("Confirmed")
    CANCELLED = "cancelled", _("Cancelled")
    LAPSED = "lapsed", _("Lapsed")

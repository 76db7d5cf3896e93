from datetime import UTC, datetime

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

# When what only an event or staff set free can be spent by itself.
NEVER = datetime(9000, 1, 1, tzinfo=UTC)


class Unit(models.TextChoices):
    POINTS = "points", _("Points")
    CREDIT = "credit", _("Store credit")  # in minor units of the programme's currency


class AccountKind(models.TextChoices):
    WALLET = "wallet", _("Member's wallet")
    ARREARS = "arrears", _("Member's arrears")
    CARD = "card", _("Gift card")
    ISSUED = "issued", _("Issued")
    REDEEMED = "redeemed", _("Redeemed")
    EXPIRED = "expired", _("Expired")
    ADJUSTED = "adjusted", _("Adjusted")
    HELD = "held", _("Held")


MEMBERS_OWN = (AccountKind.WALLET, AccountKind.ARREARS)
OWNED = (*MEMBERS_OWN, AccountKind.CARD)  # a card is its bearer's; all other accounts are the programme's


class TransferKind(models.TextChoices):
    EARN = "earn", _("Earned")
    GIFT = "gift", _("Gift")
    ADJUST = "adjust", _("Adjustment")
    REDEEM = "redeem", _("Redeemed")
    PAY = "pay", pgettext_lazy("movement", "Paid with")
    RETURN = "return", _("Given back")
    EXPIRE = "expire", _("Expired")
    REINSTATE = "reinstate", _("Reinstated")
    HOLD = "hold", _("Reserved")
    RELEASE = "release", _("Reservation ended")
    REVERSE = "reverse", _("Taken back")
    REPAY = "repay", _("Arrears repaid")
    MERGE = "merge", _("Merged")


class HoldState(models.TextChoices):
    RESERVED = "reserved", _("Reserved")
    CONFIRMED = "confirmed", _("Confirmed")
    CANCELLED = "cancelled", _("Cancelled")
    LAPSED = "lapsed", _("Lapsed")


class LotAct(models.TextChoices):
    """What staff did to a lot."""

    ACTIVATE = "activate", _("Activated")
    EXTEND = "extend", _("Expiry changed")


class RefundPolicy(models.TextChoices):
    """What a refund does where the points it takes back are spent already."""

    ZERO = "zero", _("Take what is there, down to zero")
    ARREARS = "arrears", _("Let later earning repay the rest first")


class ExpiredReturn(models.TextChoices):
    """What becomes of points that a refund gives back after they would have expired."""

    STAY = "stay", _("They stay expired")
    GRACE = "grace", _("They can be spent for some days")


# --- earning


class RuleState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    LIVE = "live", _("Live")
    PAUSED = "paused", _("Paused")
    ENDED = "ended", _("Ended")
    ARCHIVED = "archived", _("Archived")  # ended, and out of the lists


class VersionState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")


# --- tiers and benefits


class Combine(models.TextChoices):
    ALL = "all", _("all of these")
    ANY = "any", _("any of these")


class TierWindow(models.TextChoices):
    """Over what a member qualifies."""

    ROLLING = "rolling", _("The last 12 months")
    CALENDAR_YEAR = "calendar", _("The calendar year")
    MEMBERSHIP_YEAR = "membership", _("The member's own year, from the day they joined")
    LIFETIME = "lifetime", _("All time")


class Downgrade(models.TextChoices):
    NONE = "none", _("Never")
    ONE = "one", _("One tier at a time")
    FIT = "fit", _("To the tier that fits")


class TierCause(models.TextChoices):
    """Why a member came to another tier."""

    EARNED = "earned", _("Reached")
    LOST = "lost", _("No longer reached")
    RULES = "rules", _("The rules of the tiers changed")
    STAFF = "staff", _("Set by staff")
    MERGE = "merge", _("Merged")


class BenefitKind(models.TextChoices):
    FREE_SHIPPING = "shipping", _("Free shipping")
    PRIORITY = "priority", _("Priority")
    VISITS = "visits", _("Visits")
    MULTIPLIER = "multiplier", _("Points multiplier")
    BIRTHDAY_MULTIPLIER = "birthday", _("Birthday multiplier")
    EARLY_ACCESS = "early", _("Early access")
    MEMBER_PRICE = "price", _("Member price")
    OTHER = "other", pgettext_lazy("benefit", "Other")


class BenefitPeriod(models.TextChoices):
    MONTH = "month", _("each month")
    YEAR = "year", _("each calendar year")
    MEMBERSHIP_YEAR = "membership", _("each year of membership")
    ONCE = "once", _("once")


class PlanState(models.TextChoices):
    ACTIVE = "active", _("Active")
    CANCELLED = "cancelled", _("Cancelled")


# --- catalogue


class RewardKind(models.TextChoices):
    GOODS = "goods", _("Goods")
    COUPON = "coupon", _("Coupon")
    CREDIT = "credit", _("Store credit")
    GIFT_CARD = "gift_card", _("Gift card")
    EXPERIENCE = "experience", _("Experience")
    DONATION = "donation", _("Donation")
    TREE = "tree", _("Tree planted")
    TRIAL = "trial", _("Free trial")


class RewardState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    LIVE = "live", _("Live")
    ARCHIVED = "archived", _("Archived")


class RedemptionState(models.TextChoices):
    RESERVED = "reserved", _("Reserved")
    CONFIRMED = "confirmed", _("Confirmed")
    CANCELLED = "cancelled", _("Cancelled")
    LAPSED = "lapsed", _("Lapsed")
    REFUNDED = "refunded", _("Given back")


class Fulfilment(models.TextChoices):
    NONE = "none", _("Nothing to do")
    TO_COLLECT = "to_collect", _("To be collected")
    COLLECTED = "collected", _("Collected")
    TO_SHIP = "to_ship", _("To be sent")
    SHIPPED = "shipped", _("On its way")
    DELIVERED = "delivered", _("Delivered")


class WaitingState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    OFFERED = "offered", _("A place is kept")
    TAKEN = "taken", _("Place taken")
    GONE = "gone", _("Given up")


# --- offers and coupons


class OfferKind(models.TextChoices):
    PERCENT = "percent", _("Percentage off")
    AMOUNT = "amount", _("Amount off")
    FREE_ITEM = "free_item", _("Free item")
    BUY_X_GET_Y = "buy_x_get_y", _("Buy some, get some")
    FREE_SHIPPING = "shipping", _("Free shipping")
    CARD = "card", _("Gift card with a balance")


class OfferState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    LIVE = "live", _("Live")
    PAUSED = "paused", _("Paused")
    ENDED = "ended", _("Ended")


class CouponState(models.TextChoices):
    """Of a code. A code in stock is nobody's yet; what has expired is told by its date."""

    STOCK = "stock", _("In stock")
    ISSUED = "issued", pgettext_lazy("of a coupon", "Issued")
    RESERVED = "reserved", _("Reserved")
    USED = "used", _("Used")
    VOID = "void", _("Void")


class CouponUseState(models.TextChoices):
    RESERVED = "reserved", _("Reserved")
    USED = "used", _("Used")
    RELEASED = "released", _("Released")


class IssuedBy(models.TextChoices):
    """How a coupon came to its member."""

    STAFF = "staff", _("Staff")
    SEGMENT = "segment", _("Segment")
    RULE = "rule", _("Rule")
    REDEMPTION = "redemption", _("Redemption")
    MESSAGE = "message", _("Message")
    REFERRAL = "referral", _("Bringing friends")
    API = "api", _("Connected system")


# --- grants


class GrantState(models.TextChoices):
    WAITING = "waiting", _("Waiting for another person")
    APPROVED = "approved", _("Approved")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    FREE = "free", _("Within the limit")  # nobody had to be asked

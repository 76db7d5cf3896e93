from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ProgrammeState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    LIVE = "live", _("Live")
    PAUSED = "paused", _("Paused")  # nobody new; what is under way goes on
    ENDED = "ended", _("Ended")


class ReferralState(models.TextChoices):
    JOINED = "joined", pgettext_lazy("referral", "On the way")
    REVIEW = "review", pgettext_lazy("referral", "Looked at by the shop")
    HELD = "held", pgettext_lazy("referral", "Waiting")
    REWARDED = "rewarded", pgettext_lazy("referral", "Thanked")
    LAPSED = "lapsed", pgettext_lazy("referral", "Ran out")
    REFUSED = "refused", pgettext_lazy("referral", "Refused")
    REVERSED = "reversed", pgettext_lazy("referral", "Taken back")


OPEN = (ReferralState.JOINED, ReferralState.REVIEW, ReferralState.HELD)
COUNTED = (ReferralState.REVIEW, ReferralState.HELD, ReferralState.REWARDED)  # against budgets and limits


class Source(models.TextChoices):
    """How the shop knows who brought somebody."""

    LINK = "link", _("Link")
    CODE = "code", pgettext_lazy("referral", "Code")
    INVITE = "invite", _("Invitation by mail")
    TILL = "till", _("Said at the till")
    CLAIM = "claim", _("Told later")
    API = "api", _("Told by a shop")


class ShareChannel(models.TextChoices):
    """Where a link was shared."""

    COPY = "copy", _("Copied")
    QR = "qr", _("QR code")
    CARD = "card", _("Printed card")
    POSTER = "poster", _("Printed poster")
    MAIL = "mail", pgettext_lazy("channel", "Mail")
    INVITE = "invite", _("Invitation by mail")
    WHATSAPP = "whatsapp", "WhatsApp"
    TELEGRAM = "telegram", "Telegram"
    X = "x", "X"
    FACEBOOK = "facebook", "Facebook"
    LINE = "line", "LINE"
    WECHAT = "wechat", _("WeChat")
    DEVICE = "device", _("Share sheet of the device")


class Qualifies(models.TextChoices):
    SIGN_UP = "sign_up", _("Signing up")
    PURCHASE = "purchase", _("A purchase")
    PURCHASES = "purchases", _("Several purchases")
    SURVEY = "survey", _("Answering a survey")
    EVENT = "event", _("An event told by another system")


class Touch(models.TextChoices):
    FIRST = "first", _("Whoever came first")
    LAST = "last", _("Whoever came last")


class Verdict(models.TextChoices):
    APPROVE = "approve", _("Approve")
    REFUSE = "refuse", _("Refuse")


class Period(models.TextChoices):
    DAY = "day", pgettext_lazy("limit", "Day")
    WEEK = "week", pgettext_lazy("limit", "Week")
    MONTH = "month", pgettext_lazy("limit", "Month")
    YEAR = "year", pgettext_lazy("limit", "Year")
    EVER = "ever", pgettext_lazy("limit", "Ever")


class Role(models.TextChoices):
    """Who is thanked."""

    GIVER = "giver", _("Who brought them")
    FRIEND = "friend", _("Friend")
    SECOND = "second", _("Who brought the one who brought them")


class Occasion(models.TextChoices):
    """What the thanks are for."""

    WELCOME = "welcome", _("Welcome")
    QUALIFIED = "qualified", _("Became a customer")
    MILESTONE = "milestone", _("Milestone")


class Refusal(models.TextChoices):
    """Why somebody does not count as brought by somebody."""

    UNKNOWN = "unknown", _("There is no such code.")
    NOT_RUNNING = "not_running", _("Nobody is thanked for bringing friends at the moment.")
    GIVER_GONE = "giver_gone", _("Whose code it was is no longer a member.")
    GIVER_OUTSIDE = "giver_outside", _("Whose code it is cannot bring friends at the moment.")
    SELF = "self", _("Nobody brings themselves.")
    HOUSEHOLD = "household", _("Members of one household do not bring one another.")
    CIRCLE = "circle", _("These two have brought one another in already.")
    CUSTOMER = "customer", _("Only new customers can be brought.")
    FORMER = "former", _("Who had an account before is no new customer.")
    TAKEN = "taken", _("Somebody else brought them in.")
    TOO_LATE = "too_late", _("It is too late to say who brought them in.")
    BLOCKED = "blocked", _("This cannot be counted.")


class Signal(models.TextChoices):
    """What makes somebody look twice. None of them proves anything."""

    NETWORK = "network", _("Both came from the same network")
    DEVICE = "device", _("Both came with the same device")
    NAME = "name", _("Their names are alike")
    ADDRESS = "address", _("Their mail addresses are alike")
    STREET = "street", _("They live at the same address")
    VELOCITY = "velocity", _("Many friends in a short time")
    DISPOSABLE = "disposable", _("The mail address is a throw-away one")
    REFUNDED = "refunded", _("The purchase was given back in part soon after")


class BlockKind(models.TextChoices):
    MAIL = "mail", _("Mail address or domain")
    NETWORK = "network", pgettext_lazy("computer", "Network")
    DEVICE = "device", _("Device")
    MEMBER = "member", _("Member")

from django.db import models
from django.utils.translation import gettext_lazy as _


class Campaign(models.TextChoices):
    BIRTHDAY = "birthday", _("Birthday greeting")


class MessageState(models.TextChoices):
    """Where a message is. Only `handing_over` may end in doubt: then it is `unknown`, and people decide."""

    QUEUED = "queued", _("Waiting")
    CLAIMED = "claimed", _("Being prepared")
    HANDING_OVER = "handing_over", _("Being handed over")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Unknown")
    MISSED = "missed", _("Missed")
    SKIPPED = "skipped", _("Skipped")


# The states of an occurrence for which the member got nothing and will get nothing by itself.
UNSENT = (MessageState.SKIPPED, MessageState.MISSED)


class SkipReason(models.TextChoices):
    """Why a member got no message."""

    NO_CONSENT = "no_consent", _("has not agreed to greetings by e-mail")
    NO_ADDRESS = "no_address", _("has no e-mail address")
    GREETED = "greeted", _("was greeted less than 300 days before")
    BIRTHDAY_CHANGED = "birthday_changed", _("changed the birthday in the meantime")
    ERASED = "erased", _("was erased")

from django.db import models
from django.utils.translation import gettext_lazy as _

from members.enums import Channel, Purpose


class Medium(models.TextChoices):
    """The ways a message can take. All but the inbox are channels that a member agrees to."""

    EMAIL = Channel.EMAIL.value, Channel.EMAIL.label
    SMS = Channel.SMS.value, Channel.SMS.label
    APP = "app", _("Inbox on the member's pages")
    WEBHOOK = Channel.WEBHOOK.value, Channel.WEBHOOK.label


class CampaignKind(models.TextChoices):
    BIRTHDAY = "birthday", _("Birthday greeting")
    BROADCAST = "broadcast", _("Broadcast")
    JOURNEY = "journey", _("Journey")
    SURVEY = "survey", _("Invitations to a survey")
    SERVICE = "service", _("Service message")


class CampaignPurpose(models.TextChoices):
    """What a campaign writes for: what members agree to, or service, which needs no consent and sells nothing."""

    GREETINGS = Purpose.GREETINGS.value, Purpose.GREETINGS.label
    OFFERS = Purpose.OFFERS.value, Purpose.OFFERS.label
    SERVICE = "service", _("Service: receipts, codes, changes")


class CampaignState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    WAITING = "waiting", _("Waiting for approval")
    SCHEDULED = "scheduled", _("Scheduled")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    DONE = "done", _("Done")
    CANCELLED = "cancelled", _("Cancelled")


class TemplateKind(models.TextChoices):
    """What a template may be sent for. Only service messages go without a way to leave."""

    MARKETING = "marketing", _("Greetings and offers")
    SERVICE = "service", _("Service message")


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
    CANCELLED = "cancelled", _("Cancelled")
    HELD = "held", _("Held out")


# The states of an occurrence for which the member got nothing and will get nothing by itself.
UNSENT = (MessageState.SKIPPED, MessageState.MISSED, MessageState.CANCELLED, MessageState.HELD)
# Not yet in the hands of a server, for all we know.
OPEN = (MessageState.QUEUED, MessageState.CLAIMED, MessageState.HANDING_OVER)


class SkipReason(models.TextChoices):
    """Why a member got no message."""

    NO_CONSENT = "no_consent", _("has not agreed to such messages")
    NO_ADDRESS = "no_address", _("has no address for it")
    GREETED = "greeted", _("was greeted less than 300 days before")
    BIRTHDAY_CHANGED = "birthday_changed", _("changed the birthday in the meantime")
    ERASED = "erased", _("was erased")
    SUPPRESSED = "suppressed", _("the address is on the suppression list")
    BAD_ADDRESS = "bad_address", _("the address cannot be written to")
    DUPLICATE_ADDRESS = "duplicate_address", _("another member with the same address gets it")
    TOPIC_OFF = "topic_off", _("does not want this topic")
    OVER_CAP = "over_cap", _("would get too much in a short time")
    HOLDOUT = "holdout", _("held out, to measure what the campaign brings")
    CAMPAIGN_CANCELLED = "campaign_cancelled", _("the campaign was cancelled")
    NOT_IN_AUDIENCE = "not_in_audience", _("is no longer in the audience")
    QUIET = "quiet", _("quiet hours until it was too late")
    MERGED = "merged", _("was merged with another member")
    EXCLUDED = "excluded", _("in a group that is left out")
    HOUR_PASSED = "hour_passed", _("the hour was over already where the member lives")


class SuppressionReason(models.TextChoices):
    HARD_BOUNCE = "hard_bounce", _("The address does not exist")
    SOFT_BOUNCE = "soft_bounce", _("Refused several times in a row")
    COMPLAINT = "complaint", _("Reported as spam")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed at the provider")
    BY_HAND = "by_hand", _("By hand")


class EventKind(models.TextChoices):
    """What a provider tells about a message that it took."""

    DELIVERED = "delivered", _("Delivered")
    BOUNCED = "bounced", _("Bounced")
    DEFERRED = "deferred", _("Put off")
    COMPLAINED = "complained", _("Reported as spam")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
    OPENED = "opened", _("Opened")
    CLICKED = "clicked", _("Clicked")
    OTHER = "other", _("Other")


class Transport(models.TextChoices):
    """How a sender hands over."""

    SITE = "site", _("The mail settings of this installation")
    LOG = "log", _("A file on disk")
    HTTP = "http", _("An HTTP call")
    APP = "app", _("The member's pages")


class GoesTo(models.TextChoices):
    """What a call to an app or another system names a member by."""

    NOBODY = "", _("nobody: it only tells another system what happens")
    IDENTITY = "identity", _("the member's number in that system")
    CARD = "card", _("the card number")
    PHONE = "phone", _("the phone number")


class BreakerState(models.TextChoices):
    CLOSED = "closed", _("At work")
    OPEN = "open", _("Paused by itself")
    HALF_OPEN = "half_open", _("Trying one message")


class OccasionKind(models.TextChoices):
    FESTIVAL = "festival", _("Festivals")
    PUBLIC = "public", _("Public holidays")
    SHOPPING = "shopping", _("Shopping days")
    OWN = "own", _("The shop's own days")
    MEMBER = "member", _("Each member's own days")


class OccasionRule(models.TextChoices):
    """How the days of an occasion are found."""

    SOLAR = "solar", _("A day of the solar year")
    LUNAR = "lunar", _("A day of the Chinese lunar year")
    TERM = "term", _("A solar term")
    WEEKDAY = "weekday", _("A weekday of a month")
    EASTER = "easter", _("Counted from Easter")
    PUBLIC = "public", _("A country's public holiday")
    DATED = "dated", _("Single days set by hand")
    MEMBER = "member", _("A day of each member's own")


class MemberDay(models.TextChoices):
    BIRTHDAY = "birthday", _("Birthday")
    JOINED = "joined", _("Day of joining")
    FIRST_PURCHASE = "first_purchase", _("First purchase")


class BroadcastWhen(models.TextChoices):
    NOW = "now", _("At once")
    MOMENT = "moment", _("At a moment")
    LOCAL = "local", _("At each member's own time of day")
    OCCASION = "occasion", _("On an occasion, at each member's own time of day")


class HourPassed(models.TextChoices):
    """What a broadcast by local time does for members for whom that time was over when it was scheduled."""

    NOW = "now", _("send at once")
    NEXT_DAY = "next_day", _("send the next day at that hour")
    SKIP = "skip", _("leave them out")


class Metric(models.TextChoices):
    """What makes one version of a broadcast better than another."""

    CLICKS = "clicks", _("Members who clicked")
    PURCHASES = "purchases", _("Members who bought")
    OPENS = "opens", _("Members who opened it (only reported: programs open mails by themselves)")


class RunState(models.TextChoices):
    """How far a member is on a journey."""

    ACTIVE = "active", _("Inside")
    DONE = "done", _("Came to the end")
    CONVERTED = "converted", _("Reached the goal")
    LEFT = "left", _("Left before the end")
    MISSED = "missed", _("Missed: it was too late")
    HELD = "held", _("Held out")
    STUCK = "stuck", _("Stuck")
    GONE = "gone", _("Merged or erased")


BY_HAND = "hand:"  # how the key of a way begins that staff began


class Obstacle(models.TextChoices):
    """What keeps staff from leading a member into a journey, as a sentence."""

    GONE = "gone", _("The member was merged into another, or erased.")
    NOT_BY_HAND = "not_by_hand", _("Staff do not start this journey.")
    NOT_RUNNING = "not_running", _("The journey does not run now.")
    INSIDE = "inside", _("Is inside now, and nobody is inside twice.")
    BEFORE = "before", _("Was inside before, and each member comes in once only.")
    TOO_SOON = "too_soon", _("Was inside a short while ago, and may not come in again yet.")
    FULL = "full", _("As many members have come in as may.")
    AUDIENCE = "audience", _("Does not belong to the journey’s audience.")
    NO_CONSENT = "no_consent", _("Has not agreed to such messages, so nothing would arrive.")
    NO_ADDRESS = "no_address", _("Has no address for such messages.")
    SUPPRESSED = "suppressed", _("The member’s address stands on the suppression list.")


class Pace(models.TextChoices):
    """How often a member wants to hear of us at most."""

    NORMAL = "normal", _("Whenever there is something")
    WEEKLY = "weekly", _("At most once a week")
    MONTHLY = "monthly", _("At most once a month")


class TrackKind(models.TextChoices):
    OPEN = "open", _("Opened")
    CLICK = "click", _("Clicked")
    TRAP = "trap", _("Hidden link fetched")


class Verdict(models.TextChoices):
    """What a request for a picture or a link is taken for."""

    PERSON = "person", _("A person")
    PROXY = "proxy", _("A mail service's proxy")
    SCANNER = "scanner", _("A scanner")
    UNSURE = "unsure", _("Unsure")

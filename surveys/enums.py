from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class QuestionKind(models.TextChoices):
    NPS = "nps", _("Recommendation, 0–10 (NPS)")
    CSAT = "csat", _("Satisfaction, 1–5 (CSAT)")
    CES = "ces", _("Effort, 1–7 (CES)")
    STARS = "stars", _("Stars")
    SINGLE = "single", _("One of several")
    MULTIPLE = "multiple", _("Some of several")
    RANKING = "ranking", _("Put in order")
    MATRIX = "matrix", _("Table: one choice in each row")
    SLIDER = "slider", _("Slider")
    SHORT = "short", _("Short text")
    LONG = "long", _("Long text")
    NUMBER = "number", _("Number")
    DATE = "date", pgettext_lazy("question", "Date")
    PICTURE = "picture", _("One of several pictures")
    CONSENT = "consent", _("Consent")
    PHOTO = "photo", _("Photo")
    STATEMENT = "statement", _("Text to read, nothing to answer")


SCALES: dict[str, tuple[int, int]] = {
    QuestionKind.NPS: (0, 10),
    QuestionKind.CSAT: (1, 5),
    QuestionKind.CES: (1, 7),
    QuestionKind.STARS: (1, 5),
}
WITH_CHOICES = frozenset(
    {QuestionKind.SINGLE, QuestionKind.MULTIPLE, QuestionKind.RANKING, QuestionKind.MATRIX, QuestionKind.PICTURE}
)
NUMERIC = frozenset({*SCALES, QuestionKind.SLIDER, QuestionKind.NUMBER})
TEXTS = frozenset({QuestionKind.SHORT, QuestionKind.LONG})


class Comparison(models.TextChoices):
    """How an answer is held against a value in a condition."""

    IS = "is", pgettext_lazy("answer", "is")
    IS_NOT = "is_not", pgettext_lazy("answer", "is not")
    AT_LEAST = "at_least", _("is at least")
    AT_MOST = "at_most", _("is at most")
    INCLUDES = "includes", _("includes")
    LEAVES_OUT = "leaves_out", _("does not include")
    ANSWERED = "answered", _("was answered")
    NOT_ANSWERED = "not_answered", _("was not answered")


class SurveyState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    OPEN = "open", pgettext_lazy("survey", "Open")
    PAUSED = "paused", _("Paused")
    CLOSED = "closed", _("Closed")
    ARCHIVED = "archived", _("Archived")


class Way(models.TextChoices):
    """How an answer came in."""

    LINK = "link", _("Personal link")
    PORTAL = "portal", _("Portal")
    PUBLIC = "public", _("Public link")
    KIOSK = "kiosk", _("Tablet on the counter")
    PAPER = "paper", _("On paper")
    API = "api", pgettext_lazy("way", "Another system")


class ResponseState(models.TextChoices):
    STARTED = "started", _("Not finished")
    COMPLETE = "complete", _("Complete")
    OVER_QUOTA = "over_quota", _("Quota was full")
    VOID = "void", _("Does not count")


class InvitationState(models.TextChoices):
    OPEN = "open", _("Not answered")
    STARTED = "started", _("Begun")
    ANSWERED = "answered", _("Answered")
    DECLINED = "declined", _("Does not want to")


class TriggerEvent(models.TextChoices):
    """What leads to an invitation."""

    PURCHASE = "purchase", _("A purchase")
    REDEMPTION = "redemption", _("A reward redeemed")
    TIER = "tier", _("A change of tier")
    CASE = "case", _("A case closed")
    CUSTOM = "custom", _("An event that another system tells")
    SCHEDULE = "schedule", _("Every so many days")


class PlaceKind(models.TextChoices):
    POSTER = "poster", _("QR code to hang up")
    TABLET = "tablet", _("Tablet on the counter")

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class CaseKind(models.TextChoices):
    COMPLAINT = "complaint", _("Complaint")
    SUGGESTION = "suggestion", _("Suggestion")
    QUESTION = "question", pgettext_lazy("case", "Question")
    PRAISE = "praise", _("Praise")


class Severity(models.TextChoices):
    LOW = "low", pgettext_lazy("severity", "Low")
    NORMAL = "normal", pgettext_lazy("severity", "Normal")
    HIGH = "high", pgettext_lazy("severity", "High")
    URGENT = "urgent", pgettext_lazy("severity", "Urgent")


class CaseState(models.TextChoices):
    NEW = "new", pgettext_lazy("case", "New")
    OPEN = "open", pgettext_lazy("case", "In progress")
    WAITING = "waiting", _("Waiting for the member")
    RESOLVED = "resolved", pgettext_lazy("case", "Put right")
    CLOSED = "closed", pgettext_lazy("case", "Closed")
    MERGED = "merged", pgettext_lazy("case", "Merged")


UNDONE = (CaseState.NEW, CaseState.OPEN, CaseState.WAITING)
DONE = (CaseState.RESOLVED, CaseState.CLOSED)


class CaseSource(models.TextChoices):
    SURVEY = "survey", _("Survey")
    PORTAL = "portal", _("Portal")
    MAIL = "mail", _("E-mail")
    TILL = "till", _("Till")
    STAFF = "staff", _("Staff")
    API = "api", pgettext_lazy("way", "Another system")


class MessageKind(models.TextChoices):
    NOTE = "note", _("Internal note")
    OUT = "out", _("To the member")
    IN = "in", _("From the member")


class CaseChannel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    PORTAL = "portal", _("Portal")
    PHONE = "phone", _("Phone")
    PERSON = "person", _("In person")
    SURVEY = "survey", _("Survey")


class NotKept(models.TextChoices):
    """Why a file of a mail is not kept."""

    SIZE = "size", _("larger than 12 MB")
    KIND = "kind", _("neither a picture that can be shown nor a PDF")
    DAMAGED = "damaged", _("damaged")
    NUMBER = "number", _("more files than are kept of one mail")


class RemedyKind(models.TextChoices):
    APOLOGY = "apology", _("Apology")
    POINTS = "points", pgettext_lazy("remedy", "Points")
    COUPON = "coupon", pgettext_lazy("remedy", "Coupon")


class RemedyState(models.TextChoices):
    GIVEN = "given", pgettext_lazy("remedy", "Given")
    WAITING = "waiting", _("Waits for another person")
    REFUSED = "refused", pgettext_lazy("remedy", "Refused")


class ActionState(models.TextChoices):
    PLANNED = "planned", pgettext_lazy("action", "Planned")
    DOING = "doing", pgettext_lazy("action", "Being done")
    DONE = "done", pgettext_lazy("action", "Done")
    DROPPED = "dropped", pgettext_lazy("action", "Dropped")


class Effect(models.TextChoices):
    """What a check of an improvement found."""

    WORKED = "worked", _("It helped")
    UNCLEAR = "unclear", _("Cannot be told yet")
    FAILED = "failed", _("The cause came back")


class IdeaState(models.TextChoices):
    OPEN = "open", _("We are looking at it")
    PLANNED = "planned", _("We will do it")
    DONE = "done", _("You said, we did")
    DECLINED = "declined", _("Not for now")

"""How the shop looks after cases: what they are about, how fast, by which words, and what opens one."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from surveys.enums_cases import Severity


class Category(models.Model):
    """What a case is about."""

    name = models.CharField(pgettext_lazy("category", "name"), max_length=80)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    owner = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("lands with"),
        limit_choices_to={"is_staff": True, "is_active": True},
    )  # fmt: skip
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)

    class Meta:
        verbose_name = _("category of cases")
        verbose_name_plural = _("categories of cases")
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class RootCause(models.Model):
    """Why it came to a case: what an improvement does away with."""

    name = models.CharField(pgettext_lazy("cause", "name"), max_length=120)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)

    class Meta:
        verbose_name = _("cause")
        verbose_name_plural = _("causes")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class CannedReply(models.Model):
    """Words that are used again, in the member's language. “{{ name }}” is the member's name."""

    name = models.CharField(_("name in the office"), max_length=80)
    text = models.TextField(_("text"), max_length=4000)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)

    class Meta:
        verbose_name = _("canned reply")
        verbose_name_plural = _("canned replies")
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class CareTarget(models.Model):
    """How fast a case of a severity is answered and put right, in minutes of business hours."""

    severity = models.CharField(_("severity"), max_length=10, choices=Severity, unique=True)
    answer_minutes = models.PositiveIntegerField(_("first answer within (minutes)"))
    resolve_minutes = models.PositiveIntegerField(_("put right within (minutes)"))

    class Meta:
        verbose_name = _("time to answer")
        verbose_name_plural = _("times to answer")
        constraints = [
            models.CheckConstraint(
                name="surveys_caretarget_order",
                condition=Q(answer_minutes__gt=0, resolve_minutes__gte=F("answer_minutes")),
            )
        ]

    def __str__(self) -> str:
        return str(self.get_severity_display())  # type: ignore[attr-defined]


class OpeningHours(models.Model):
    """One opening of the service desk in the week; the shop's time zone. None at all: open day and night."""

    class Weekday(models.IntegerChoices):
        MONDAY = 0, _("Monday")
        TUESDAY = 1, _("Tuesday")
        WEDNESDAY = 2, _("Wednesday")
        THURSDAY = 3, _("Thursday")
        FRIDAY = 4, _("Friday")
        SATURDAY = 5, _("Saturday")
        SUNDAY = 6, _("Sunday")

    weekday = models.PositiveSmallIntegerField(_("day"), choices=Weekday)
    opens = models.TimeField(_("opens"))
    closes = models.TimeField(_("closes"), help_text=_("00:00 is the end of the day."))

    class Meta:
        verbose_name = _("business hours")
        verbose_name_plural = _("business hours")
        ordering = ["weekday", "opens"]
        constraints = [
            models.CheckConstraint(
                name="surveys_openinghours_order", condition=Q(closes__gt=F("opens")) | Q(closes="00:00")
            )
        ]

    def __str__(self) -> str:
        return str(self.get_weekday_display())  # type: ignore[attr-defined]


class Holiday(models.Model):
    """A day on which nobody is at the service desk."""

    day = models.DateField(pgettext_lazy("calendar", "day"), unique=True)
    name = models.CharField(pgettext_lazy("holiday", "name"), max_length=80, blank=True)

    class Meta:
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ["day"]

    def __str__(self) -> str:
        return self.name or str(self.day)


class CaseRule(models.Model):
    """Which answers open a case: a number of at most `at_most` to a question, or, without a question, to any NPS, CSAT
    or CES question whoever is unhappy by its scale."""

    survey = models.ForeignKey(
        "surveys.Survey", models.CASCADE, null=True, blank=True, related_name="case_rules", verbose_name=_("survey"),
        help_text=_("Empty: every survey."),
    )  # fmt: skip
    question = models.CharField(_("question"), max_length=20, blank=True, help_text=_("Its key, as “q1”."))
    at_most = models.DecimalField(_("at most"), max_digits=12, decimal_places=2, null=True, blank=True)
    severity = models.CharField(_("severity"), max_length=10, choices=Severity, default=Severity.NORMAL)
    category = models.ForeignKey(
        Category, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("category")
    )
    owner = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("lands with"),
        limit_choices_to={"is_staff": True, "is_active": True},
    )  # fmt: skip
    active = models.BooleanField(_("active"), default=True)
    since = models.DateTimeField(
        _("for answers since"), null=True, blank=True, help_text=_("Empty: also those that were given before.")
    )

    class Meta:
        verbose_name = _("rule for cases")
        verbose_name_plural = _("rules for cases")
        constraints = [
            models.CheckConstraint(
                name="surveys_caserule_question",
                condition=Q(question="", at_most=None)
                | ~Q(question="") & Q(at_most__isnull=False, survey__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return str(self.survey or _("Every survey"))


class RemedyLimit(models.Model):
    """What somebody of a role may give for one case without another person: points in all, coupons in number. Who has
    several roles has the largest. Without a row: as gifts by hand (rewards.services.grants), and one coupon."""

    role = models.OneToOneField("auth.Group", models.CASCADE, related_name="remedy_limit", verbose_name=_("role"))
    points = models.PositiveIntegerField(_("points for one case"))
    coupons = models.PositiveSmallIntegerField(_("coupons for one case"))

    class Meta:
        verbose_name = _("limit of remedies")
        verbose_name_plural = _("limits of remedies")

    def __str__(self) -> str:
        return self.role.name


class CareSettings(models.Model):
    """Of the whole desk; one row."""

    remind_minutes = models.PositiveIntegerField(
        _("remind so many minutes before"), default=60, help_text=_("In business hours.")
    )
    escalate_to = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("late cases go to"),
        limit_choices_to={"is_staff": True, "is_active": True}, help_text=_("Empty: all managers."),
    )  # fmt: skip
    on_duty = models.ManyToManyField(
        "members.User", blank=True, related_name="+", verbose_name=_("new cases land with"),
        limit_choices_to={"is_staff": True, "is_active": True},
        help_text=_("Whoever of them has the fewest open cases, where neither a rule nor the category says with whom."),
    )  # fmt: skip
    close_after_days = models.PositiveSmallIntegerField(
        _("close so many days after it was put right"), default=7, help_text=_("Unless the member writes again.")
    )

    class Meta:
        verbose_name = _("settings of cases")
        verbose_name_plural = _("settings of cases")
        constraints = [models.CheckConstraint(name="surveys_caresettings_one", condition=Q(id=1))]

    def __str__(self) -> str:
        return str(_("Settings of cases"))

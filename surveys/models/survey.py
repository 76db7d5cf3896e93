"""Surveys: what is asked, the versions it was asked in, and how many answers are wanted of whom."""

import uuid

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from members.enums import Language
from surveys.enums import SurveyState, Way


class Survey(models.Model):
    """A questionnaire (surveys.definition). `draft` is what is being worked on; who begins takes the newest version and
    finishes on it. `taken` counts complete answers, under a lock where `response_limit` bounds them."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # chance is drawn with it
    code = models.CharField(_("public address"), max_length=20, unique=True)
    name = models.CharField(_("name in the office"), max_length=120)
    state = models.CharField(_("state"), max_length=10, choices=SurveyState, default=SurveyState.DRAFT)
    anonymous = models.BooleanField(
        _("anonymous"), default=False, help_text=_("Answers cannot be joined to whoever gave them, by anyone.")
    )
    languages = ArrayField(models.CharField(max_length=10, choices=Language), default=list, verbose_name=_("languages"))
    draft = models.JSONField(_("definition"), default=dict)
    number = models.PositiveIntegerField(_("version"), default=0)  # the newest; 0: never published
    ways = ArrayField(models.CharField(max_length=10, choices=Way), default=list, verbose_name=_("ways to answer"))
    opens_at = models.DateTimeField(_("opens"), null=True, blank=True)
    closes_at = models.DateTimeField(_("closes"), null=True, blank=True)
    response_limit = models.PositiveIntegerField(_("at most so many answers"), null=True, blank=True)
    taken = models.PositiveIntegerField(_("answers"), default=0, db_default=0, editable=False)
    ask_every_days = models.PositiveSmallIntegerField(
        _("days between two invitations"), default=90, help_text=_("Nobody is asked this survey again before.")
    )
    thanks_points = models.PositiveIntegerField(
        _("points as thanks"), default=0, help_text=_("Given once, whatever is answered.")
    )
    thanks_days = models.PositiveSmallIntegerField(_("days until they expire"), null=True, blank=True)
    smallest_group = models.PositiveSmallIntegerField(
        _("smallest group shown"), default=5, help_text=_("Reports of anonymous surveys show no smaller group.")
    )
    created_at = models.DateTimeField(_("made"))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("survey")
        verbose_name_plural = _("surveys")
        constraints = [
            models.CheckConstraint(
                name="surveys_survey_limit", condition=Q(response_limit=None) | Q(taken__lte=F("response_limit"))
            ),
            models.CheckConstraint(name="surveys_survey_published", condition=Q(state="draft") | Q(number__gte=1)),
            models.CheckConstraint(
                name="surveys_survey_closes",
                condition=Q(opens_at=None) | Q(closes_at=None) | Q(closes_at__gt=F("opens_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SurveyVersion(models.Model):
    """A definition as it was published, for ever: answers stay bound to the version they were given to."""

    survey = models.ForeignKey(Survey, models.PROTECT, related_name="versions", verbose_name=_("survey"))
    number = models.PositiveIntegerField(_("version"))
    definition = models.JSONField(_("definition"))
    at = models.DateTimeField(_("since"))
    actor = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("version of a survey")
        verbose_name_plural = _("versions of surveys")
        constraints = [models.UniqueConstraint("survey", "number", name="surveys_surveyversion_number")]
        triggers = [
            pgtrigger.ReadOnly(name="read_only", exclude=["actor"]),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.survey} {self.number}"


class Quota(models.Model):
    """How many complete answers of one kind are wanted: those for which `condition` (as in a definition; None: all)
    holds, of members who fit `who` (a tree of members.segments; None: of everybody). Who is not known fits none."""

    survey = models.ForeignKey(Survey, models.PROTECT, related_name="quotas", verbose_name=_("survey"))
    name = models.CharField(_("name"), max_length=80)
    condition = models.JSONField(_("condition"), null=True, blank=True)
    who = models.JSONField(_("of members"), null=True, blank=True)
    most = models.PositiveIntegerField(_("at most so many answers"))
    taken = models.PositiveIntegerField(_("answers"), default=0, db_default=0, editable=False)

    class Meta:
        verbose_name = _("quota")
        verbose_name_plural = _("quotas")
        constraints = [models.CheckConstraint(name="surveys_quota_kept", condition=Q(taken__lte=F("most")))]

    def __str__(self) -> str:
        return self.name


class SurveyPicture(models.Model):
    """A picture to choose, written anew from what was uploaded (rewards.services.pictures). Versions name it by its
    key, so it stays."""

    survey = models.ForeignKey(Survey, models.PROTECT, related_name="pictures", verbose_name=_("survey"))
    picture = models.FileField(_("picture"), upload_to="surveys/")
    width = models.PositiveIntegerField(editable=False)  # pixels
    height = models.PositiveIntegerField(editable=False)
    created_at = models.DateTimeField(_("added"))

    class Meta:
        verbose_name = _("picture of a survey")
        verbose_name_plural = _("pictures of surveys")

    def __str__(self) -> str:
        return str(self.pk)

"""What people answered."""

import uuid

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from surveys.enums import ResponseState, Way


class Response(models.Model):
    """One person's answers to one version of a survey. Staff cannot change them.

    `member` is empty where nobody is known, and always in an anonymous survey; so is `invitation`. `traits` says who
    they were when they began, as far as reports group by it ("tier", "store", …): it does not change behind the answer.
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    survey = models.ForeignKey(
        "surveys.Survey", models.PROTECT, db_index=False, related_name="responses", verbose_name=_("survey")
    )
    version = models.ForeignKey("surveys.SurveyVersion", models.PROTECT, related_name="+", verbose_name=_("version"))
    invitation = models.OneToOneField(
        "surveys.Invitation", models.PROTECT, null=True, blank=True, related_name="response",
        verbose_name=_("invitation"),
    )  # fmt: skip
    member = models.ForeignKey(
        "members.Member", models.PROTECT, null=True, blank=True, db_index=False, related_name="survey_responses",
        verbose_name=_("member"),
    )  # fmt: skip
    key = models.CharField(_("key"), max_length=120, blank=True, default="")  # of who told it: device, paper, system
    way = models.CharField(_("way"), max_length=10, choices=Way)
    language = models.CharField(_("language"), max_length=10)
    state = models.CharField(_("state"), max_length=10, choices=ResponseState, default=ResponseState.STARTED)
    fits = ArrayField(models.BooleanField(), default=list, editable=False)  # the trees of the definition, at the start
    traits = models.JSONField(_("who"), default=dict, db_default={}, blank=True)
    purchase = models.ForeignKey(
        "members.Purchase", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("purchase")
    )
    started_at = models.DateTimeField(_("begun"))
    changed_at = models.DateTimeField(_("last answer"))
    completed_at = models.DateTimeField(_("finished"), null=True, blank=True)
    mixed_at = models.DateTimeField(null=True, blank=True, editable=False)  # of an anonymous survey (services.mixing)

    class Meta:
        verbose_name = _("response")
        verbose_name_plural = _("responses")
        constraints = [
            models.UniqueConstraint("survey", "key", name="surveys_response_key", condition=~Q(key="")),
            models.CheckConstraint(
                name="surveys_response_finished",
                condition=Q(state="started", completed_at=None) | ~Q(state="started") & Q(completed_at__isnull=False),
            ),
        ]
        indexes = [
            # Reports: the complete answers of a survey by time.
            models.Index(
                fields=["survey", "completed_at"], condition=Q(state="complete"), name="surveys_response_done"
            ),
            # The answers that were begun, for the list and what is forgotten.
            models.Index(fields=["survey", "state", "-changed_at"], name="surveys_response_state"),
            # What a member answered (member page, traits).
            models.Index(
                fields=["member", "-completed_at"], condition=Q(member__isnull=False), name="surveys_response_member"
            ),
        ]

        triggers = [
            pgtrigger.Protect(name="stays", operation=pgtrigger.Delete, condition=~pgtrigger.Q(old__state="started")),
        ]

    def __str__(self) -> str:
        return str(self.uid)


class ResponseChange(models.Model):
    """A complete answer taken out of the figures (`void`), or put back into them, by whom, and why."""

    response = models.ForeignKey(Response, models.CASCADE, related_name="changes", verbose_name=_("response"))
    void = models.BooleanField(_("taken out of the figures"))
    reason = models.CharField(_("reason"), max_length=200)
    at = models.DateTimeField(_("when"))
    actor = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("answer taken out of the figures")
        verbose_name_plural = _("answers taken out of the figures")
        triggers = [
            pgtrigger.ReadOnly(name="read_only", exclude=["actor"]),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.reason


# What somebody finished is theirs: nobody writes over it, and it goes with nothing but erasure and mixing.
_KEPT = """
IF EXISTS (SELECT FROM surveys_response WHERE id = OLD.response_id AND state <> 'started') THEN
    RAISE EXCEPTION 'pgtrigger: Cannot change answers of a finished response';
END IF;
IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
RETURN NEW;
"""


class Answer(models.Model):
    """What was answered to a question of the version. All empty: it was shown and passed over."""

    response = models.ForeignKey(Response, models.CASCADE, db_index=False, related_name="answers")
    question = models.CharField(_("question"), max_length=20)
    number = models.DecimalField(_("number"), max_digits=19, decimal_places=6, null=True, blank=True)
    choices = ArrayField(models.CharField(max_length=20), null=True, blank=True, verbose_name=_("choices"))
    rows = models.JSONField(_("rows"), null=True, blank=True)
    text = models.TextField(_("text"), blank=True, db_default="")
    # What the text comes to, once it is read (services.themes): words and phrases, and the keys of themes.
    words = ArrayField(models.TextField(), null=True, blank=True, editable=False)
    themes = ArrayField(models.BigIntegerField(), null=True, blank=True, editable=False)
    day = models.DateField(_("day"), null=True, blank=True)
    upload = models.ForeignKey(
        "surveys.Upload", models.RESTRICT, null=True, blank=True, related_name="+", verbose_name=_("picture")
    )

    class Meta:
        verbose_name = _("answer")
        verbose_name_plural = _("answers")
        constraints = [
            models.UniqueConstraint("response", "question", include=["number"], name="surveys_answer_question")
        ]
        indexes = [
            # Texts that wait to be read.
            models.Index(fields=["id"], condition=Q(words=None) & ~Q(text=""), name="surveys_answer_unread")
        ]
        triggers = [
            pgtrigger.Trigger(
                name="kept",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(exclude=["words", "themes"]),
                func=_KEPT,
            ),
            pgtrigger.Trigger(name="stays", when=pgtrigger.Before, operation=pgtrigger.Delete, func=_KEPT),
        ]

    def __str__(self) -> str:
        return self.question


class Upload(models.Model):
    """A picture that somebody sent with an answer, written anew: nothing of the file that came is kept."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    response = models.ForeignKey(Response, models.CASCADE, related_name="uploads")
    picture = models.FileField(_("picture"), upload_to="answers/")
    width = models.PositiveIntegerField(editable=False)  # pixels
    height = models.PositiveIntegerField(editable=False)
    created_at = models.DateTimeField(_("sent"))

    class Meta:
        verbose_name = _("picture of an answer")
        verbose_name_plural = _("pictures of answers")

    def __str__(self) -> str:
        return str(self.uid)

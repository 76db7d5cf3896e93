"""What is changed so that a cause does not come back, and what members suggested."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from surveys.enums_cases import ActionState, Effect, IdeaState


class ImprovementAction(models.Model):
    """What will be changed, by whom, until when; for many cases (Case.actions). After it is done for `check_days` it is
    looked at whether the cause came back: `found` keeps the figures of that check with their formula."""

    title = models.CharField(_("what will be changed"), max_length=200)
    details = models.TextField(_("details"), blank=True, max_length=4000)
    cause = models.ForeignKey(
        "surveys.RootCause", models.PROTECT, related_name="actions", verbose_name=_("cause it does away with")
    )
    assignee = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="improvements", verbose_name=_("who"),
        limit_choices_to={"is_staff": True, "is_active": True},
    )  # fmt: skip
    due_on = models.DateField(_("until"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=ActionState, default=ActionState.PLANNED)
    check_days = models.PositiveSmallIntegerField(
        _("look at the effect after so many days"), default=56, help_text=_("As many days before are compared.")
    )
    created_at = models.DateTimeField(_("since"))
    created_by = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    effect = models.CharField(_("effect"), max_length=10, choices=Effect, blank=True, db_default="")
    found = models.JSONField(_("figures"), default=dict, db_default={}, blank=True)
    checked_at = models.DateTimeField(_("looked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("improvement")
        verbose_name_plural = _("improvements")
        constraints = [
            models.CheckConstraint(
                name="surveys_action_done",
                condition=Q(state="done", done_at__isnull=False) | ~Q(state="done") & Q(done_at=None),
            ),
            models.CheckConstraint(name="surveys_action_days", condition=Q(check_days__gte=7, check_days__lte=365)),
        ]

    def __str__(self) -> str:
        return self.title


class Suggestion(models.Model):
    """A suggestion as all members read it: in the shop's words, with the shop's answer. It says nothing of who made
    it."""

    case = models.OneToOneField("surveys.Case", models.PROTECT, related_name="suggestion", verbose_name=_("case"))
    title = models.CharField(_("what was suggested"), max_length=200)
    answer = models.TextField(_("our answer"), blank=True, max_length=2000)
    state = models.CharField(_("state"), max_length=10, choices=IdeaState, default=IdeaState.OPEN)
    published_at = models.DateTimeField(_("shown since"), null=True, blank=True)
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("suggestion")
        verbose_name_plural = _("suggestions")

    def __str__(self) -> str:
        return self.title


class SuggestionLike(models.Model):
    """A member wants it, too."""

    suggestion = models.ForeignKey(Suggestion, models.CASCADE, related_name="likes", verbose_name=_("suggestion"))
    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="suggestion_likes", verbose_name=_("member")
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("like of a suggestion")
        verbose_name_plural = _("likes of suggestions")
        constraints = [models.UniqueConstraint("suggestion", "member", name="surveys_suggestionlike_once")]

    def __str__(self) -> str:
        return str(self.pk)

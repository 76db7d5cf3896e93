"""Members who seem to be one person, and what was done about it. docs/duplicates.md."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from members.enums import DuplicateState


class Duplicate(models.Model):
    """Two members who may be one person. `reasons`: [{"code": "same_phone", …}, …]; `score` 0 to 100."""

    first = models.ForeignKey("members.Member", models.CASCADE, related_name="+", db_index=False)
    second = models.ForeignKey("members.Member", models.CASCADE, related_name="+")
    reasons = models.JSONField(_("reasons"), default=list)
    score = models.PositiveSmallIntegerField(_("likelihood"))
    state = models.CharField(_("state"), max_length=10, choices=DuplicateState, default=DuplicateState.OPEN)
    found_at = models.DateTimeField(_("found"))
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    settled_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("likely duplicate")
        verbose_name_plural = _("likely duplicates")
        constraints = [
            models.UniqueConstraint("first", "second", name="members_duplicate_pair"),
            models.CheckConstraint(name="members_duplicate_order", condition=Q(first__lt=F("second"))),
        ]
        # What is to be looked at, likeliest first (admin list, data quality).
        indexes = [models.Index(fields=["-score", "id"], condition=Q(state="open"), name="members_duplicate_open")]

    def __str__(self) -> str:
        return f"{self.first} = {self.second}"


class MemberMerge(models.Model):
    """One member merged into another. `journal` holds all that is needed to undo it."""

    survivor = models.ForeignKey("members.Member", models.PROTECT, related_name="merges", verbose_name=_("stays"))
    merged = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="merged_by", verbose_name=_("merged away")
    )
    journal = models.JSONField(_("journal"), default=dict)
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    at = models.DateTimeField(_("when"))
    unlinked = models.ForeignKey(
        "members.User",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("account no longer linked"),
        help_text=_("Where both had a portal account: whoever signs in with this one is told where their card is."),
    )
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)
    undone_by = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("undone by")
    )

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        constraints = [
            models.CheckConstraint(name="members_merge_two", condition=~Q(survivor=F("merged"))),
            models.UniqueConstraint("merged", condition=Q(undone_at=None), name="members_merge_once"),
        ]

    def __str__(self) -> str:
        return f"{self.merged} → {self.survivor}"

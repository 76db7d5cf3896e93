"""What a shop wants to know and do about its members beyond the fields that everybody has."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.enums import AttributeKind, AttributeSection


class Attribute(models.Model):
    """A custom attribute that marketers defined. Values stand in Member.attributes under `key`.

    `options` of a choice: [{"key": "oat", "en": "Oat milk", "zh-hans": "燕麦奶"}, …]. Key and kind never change.
    """

    key = models.CharField(
        _("key"),
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*\Z", _("Small letters, digits and _; a letter first."))],
        help_text=_("Its name in files and texts, e.g. “milk”. It cannot be changed later."),
    )
    label = models.CharField(_("label"), max_length=80)
    kind = models.CharField(_("kind"), max_length=10, choices=AttributeKind)
    options = models.JSONField(_("options"), default=list, blank=True)
    section = models.CharField(_("section"), max_length=12, choices=AttributeSection, default=AttributeSection.PROFILE)
    member_may_edit = models.BooleanField(
        _("members fill it in"), default=False, help_text=_("Shown on the member's own profile page.")
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)

    class Meta:
        verbose_name = _("attribute")
        verbose_name_plural = _("attributes")
        ordering = ("section", "position", "id")
        constraints = [
            models.CheckConstraint(name="members_attribute_options", condition=~Q(kind="choice") | ~Q(options=[])),
        ]

    def __str__(self) -> str:
        return self.label


class Tag(models.Model):
    """A word that staff pin to members."""

    name = models.CharField(pgettext_lazy("tag", "name"), max_length=40)
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ("name",)
        constraints = [models.UniqueConstraint(Lower("name"), name="members_tag_name")]

    def __str__(self) -> str:
        return self.name


class MemberTag(models.Model):
    """A tag on a member, by whom and since when."""

    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="tags", db_index=False, verbose_name=_("member")
    )
    tag = models.ForeignKey(Tag, models.PROTECT, related_name="members", verbose_name=_("tag"))
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("member's tag")
        verbose_name_plural = _("members' tags")
        constraints = [models.UniqueConstraint("member", "tag", name="members_membertag_once")]

    def __str__(self) -> str:
        return f"{self.tag}"


class Note(models.Model):
    """What staff want each other to know about a member."""

    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="notes", db_index=False, verbose_name=_("member")
    )
    text = models.TextField(_("note"), max_length=4000)
    pinned = models.BooleanField(_("pinned"), default=False)
    author = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    at = models.DateTimeField(_("when"))
    edited_at = models.DateTimeField(_("edited"), null=True, blank=True)
    removed_at = models.DateTimeField(_("taken away"), null=True, blank=True)

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        # A member's notes, pinned ones first (member page).
        indexes = [models.Index(fields=["member", "-pinned", "-at"], name="members_note_member")]

    def __str__(self) -> str:
        return self.text[:60]


class Task(models.Model):
    """Something staff are to do for a member: call back, send a sample."""

    member = models.ForeignKey(
        "members.Member", models.PROTECT, related_name="tasks", db_index=False, verbose_name=_("member")
    )
    title = models.CharField(_("to do"), max_length=200)
    details = models.TextField(_("details"), blank=True, max_length=4000)
    due_on = models.DateField(_("due"), null=True, blank=True)
    assignee = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="tasks", verbose_name=_("for")
    )
    created_by = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("since"))
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    done_by = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("done by")
    )
    outcome = models.TextField(_("outcome"), blank=True, max_length=4000)

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        indexes = [
            # A member's tasks (member page); what is open, soonest first (list, dashboard).
            models.Index(fields=["member", "-created_at"], name="members_task_member"),
            models.Index(fields=["due_on", "id"], condition=Q(done_at=None), name="members_task_open"),
        ]

    def __str__(self) -> str:
        return self.title


class Household(models.Model):
    """Members who live together (Member.household)."""

    name = models.CharField(pgettext_lazy("household", "name"), max_length=120)
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("household")
        verbose_name_plural = _("households")

    def __str__(self) -> str:
        return self.name

"""Groups of members: what defines them, who is in them, and how that came to be. docs/segments.md."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Segment(models.Model):
    """A group of members. `definition` is a tree of members.segments.tree; who is in it stands in SegmentMember.

    `built_version` says which version of the definition the membership is of: it is whole, and of one version, always.
    """

    name = models.CharField(pgettext_lazy("segment", "name"), max_length=80)
    description = models.TextField(_("description"), blank=True)
    definition = models.JSONField(_("definition"))
    version = models.PositiveIntegerField(_("version"), default=1)
    uses = models.ManyToManyField("self", symmetrical=False, related_name="used_by", blank=True, verbose_name=_("uses"))
    timed = models.BooleanField(_("changes as time passes"), default=False)
    refresh_minutes = models.PositiveIntegerField(
        _("refreshed every (minutes)"), default=60, help_text=_("For what time alone changes.")
    )
    built_version = models.PositiveIntegerField(_("version built"), null=True, blank=True)
    built_at = models.DateTimeField(_("as of"), null=True, blank=True)
    size = models.PositiveIntegerField(_("members"), default=0)
    next_refresh_at = models.DateTimeField(_("next refresh"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True, default="")
    failed_at = models.DateTimeField(_("failing since"), null=True, blank=True)
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    created_at = models.DateTimeField(_("made"), db_default=Now(), editable=False)
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint("name", condition=Q(archived_at=None), name="members_segment_name"),
            models.CheckConstraint(
                name="members_segment_failing",
                condition=Q(error="", failed_at=None) | (~Q(error="") & Q(failed_at__isnull=False)),
            ),
        ]
        indexes = [
            # What is due (members.services.segments.refresh_due).
            models.Index(fields=["next_refresh_at"], condition=Q(archived_at=None), name="members_segment_due"),
        ]

    def __str__(self) -> str:
        return self.name


class SegmentVersion(models.Model):
    """A definition as it was: a change of definition is a new version."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="versions", verbose_name=_("segment"))
    version = models.PositiveIntegerField(_("version"))
    definition = models.JSONField(_("definition"))
    actor = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("version of a segment")
        verbose_name_plural = _("versions of segments")
        constraints = [models.UniqueConstraint("segment", "version", name="members_segmentversion_once")]

    def __str__(self) -> str:
        return f"{self.version}"


class SegmentMember(models.Model):
    """Somebody who is in a segment."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="memberships", db_index=False)
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="segments")
    entered_at = models.DateTimeField(_("in since"))

    class Meta:
        verbose_name = _("segment's member")
        verbose_name_plural = _("segments' members")
        constraints = [models.UniqueConstraint("segment", "member", name="members_segmentmember_once")]

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.member_id}"


class SegmentChange(models.Model):
    """Somebody came into a segment or went out of it, by which version of its definition."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="changes", db_index=False)
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="segment_changes", db_index=False)
    entered = models.BooleanField(_("came in"))
    version = models.PositiveIntegerField(_("version"))
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("way in or out of a segment")
        verbose_name_plural = _("ways in and out of segments")
        indexes = [
            # Who came and went lately (segment page); a member's ways (why page, merge).
            models.Index(fields=["segment", "-at"], name="members_segchange_segment"),
            models.Index(fields=["member", "-at"], name="members_segchange_member"),
        ]

    def __str__(self) -> str:
        return f"{'+' if self.entered else '-'}{self.member_id}"


class SegmentSize(models.Model):
    """How many were in a segment at the last refresh of a day, and how many came and went on it."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="sizes", db_index=False)
    day = models.DateField(_("day"))
    size = models.PositiveIntegerField(_("members"))
    entered = models.PositiveIntegerField(_("came in"), default=0)
    left = models.PositiveIntegerField(_("went out"), default=0)

    class Meta:
        verbose_name = _("size of a segment")
        verbose_name_plural = _("sizes of segments")
        constraints = [models.UniqueConstraint("segment", "day", name="members_segmentsize_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.size}"


class SegmentPick(models.Model):
    """Somebody whom staff put into a segment, or keep out of it, whatever its definition says."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="picks", db_index=False)
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="segment_picks")
    include = models.BooleanField(_("always in"), help_text=_("No: never in."))
    actor = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("picked member")
        verbose_name_plural = _("picked members")
        constraints = [models.UniqueConstraint("segment", "member", name="members_segmentpick_once")]

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.member_id}"


class MemberList(models.Model):
    """A list of members that somebody uploaded or put together; segments can ask whether a member is on it."""

    name = models.CharField(pgettext_lazy("list", "name"), max_length=80, unique=True)
    created_at = models.DateTimeField(_("made"), db_default=Now(), editable=False)
    created_by = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("list of members")
        verbose_name_plural = _("lists of members")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class MemberListEntry(models.Model):
    """Somebody on a list."""

    list = models.ForeignKey(MemberList, models.CASCADE, related_name="entries", db_index=False)
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="list_entries")

    class Meta:
        verbose_name = _("entry of a list")
        verbose_name_plural = _("entries of lists")
        constraints = [models.UniqueConstraint("list", "member", name="members_listentry_once")]

    def __str__(self) -> str:
        return f"{self.list_id}: {self.member_id}"


class Persona(models.Model):
    """A kind of customer, described for people: who they are and want. Who belongs to it is a segment."""

    segment = models.OneToOneField(Segment, models.PROTECT, related_name="persona", verbose_name=_("segment"))
    who = models.TextField(_("who they are"))
    wants = models.TextField(_("what they want"), blank=True)
    frustrations = models.TextField(_("what frustrates them"), blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("persona")
        verbose_name_plural = _("personas")
        ordering = ("position", "id")

    def __str__(self) -> str:
        return f"{self.segment}"

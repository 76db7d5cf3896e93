"""Cases: what somebody was unhappy with, or asked, or thought of, until it is put right."""

import uuid

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from surveys.enums_cases import (
    CaseChannel,
    CaseKind,
    CaseSource,
    CaseState,
    MessageKind,
    NotKept,
    RemedyKind,
    RemedyState,
    Severity,
)


class Case(models.Model):
    """Minutes are of business hours. `answered_at` is the first answer to the member, `resolved_at` when it was put
    right for the time being; what is opened again has none. `version` grows with every act: who acts on what they no
    longer see is told. The pair of uid and mail address is how a reply by mail finds its case."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key = models.CharField(_("key"), max_length=120, unique=True, null=True, blank=True, editable=False)
    kind = models.CharField(_("kind"), max_length=12, choices=CaseKind)
    subject = models.CharField(_("subject"), max_length=200)
    category = models.ForeignKey(
        "surveys.Category", models.PROTECT, null=True, blank=True, related_name="cases", verbose_name=_("category")
    )
    cause = models.ForeignKey(
        "surveys.RootCause", models.PROTECT, null=True, blank=True, related_name="cases", verbose_name=_("cause")
    )
    severity = models.CharField(_("severity"), max_length=10, choices=Severity, default=Severity.NORMAL)
    state = models.CharField(_("state"), max_length=10, choices=CaseState, default=CaseState.NEW)
    source = models.CharField(_("source"), max_length=10, choices=CaseSource)
    owner = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="cases", db_index=False,
        verbose_name=_("owner"),
    )  # fmt: skip
    member = models.ForeignKey(
        "members.Member", models.PROTECT, null=True, blank=True, related_name="cases", db_index=False,
        verbose_name=_("member"),
    )  # fmt: skip
    contact = models.EmailField(_("e-mail of who is no member"), blank=True)
    purchase = models.ForeignKey(
        "members.Purchase", models.PROTECT, null=True, blank=True, related_name="cases", verbose_name=_("purchase")
    )
    response = models.OneToOneField(
        "surveys.Response", models.PROTECT, null=True, blank=True, related_name="case", verbose_name=_("answers")
    )
    store = models.CharField(_("store"), max_length=80, blank=True, db_default="")
    score = models.DecimalField(_("score"), max_digits=12, decimal_places=2, null=True, blank=True)
    question = models.CharField(max_length=20, blank=True, db_default="", editable=False)  # whose score it is
    score_kind = models.CharField(max_length=10, blank=True, db_default="", editable=False)
    # The keys of themes in what the member said; None until it is read (services.themes).
    themes = ArrayField(models.BigIntegerField(), null=True, blank=True, editable=False)
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="merged", verbose_name=_("merged into")
    )
    actions = models.ManyToManyField(
        "surveys.ImprovementAction", blank=True, related_name="cases", verbose_name=_("improvements")
    )
    owner_untold = models.BooleanField(default=False, db_default=False, editable=False)  # whose it is now, by mail
    opened_at = models.DateTimeField(_("opened"))
    answer_due_at = models.DateTimeField(_("first answer due"))
    resolve_due_at = models.DateTimeField(_("to be put right by"))
    remind_at = models.DateTimeField(null=True, blank=True, editable=False)
    escalated_at = models.DateTimeField(_("was late"), null=True, blank=True, editable=False)
    waiting_since = models.DateTimeField(_("waiting since"), null=True, blank=True)
    answered_at = models.DateTimeField(_("first answered"), null=True, blank=True)
    answer_minutes = models.PositiveIntegerField(_("business minutes to the first answer"), null=True, blank=True)
    resolved_at = models.DateTimeField(_("put right"), null=True, blank=True)
    resolve_minutes = models.PositiveIntegerField(_("business minutes until put right"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    reopened = models.PositiveSmallIntegerField(_("times opened again"), default=0, db_default=0)
    changed_at = models.DateTimeField(_("last change"))
    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        constraints = [
            models.CheckConstraint(
                name="surveys_case_answered",
                condition=Q(answered_at=None, answer_minutes=None)
                | Q(answered_at__isnull=False, answer_minutes__isnull=False),
            ),
            models.CheckConstraint(
                name="surveys_case_resolved",
                condition=Q(state__in=["resolved", "closed"], resolved_at__isnull=False, resolve_minutes__isnull=False)
                | Q(state__in=["new", "open", "waiting"], resolved_at=None, resolve_minutes=None)
                | Q(state="merged"),
            ),
            models.CheckConstraint(
                name="surveys_case_merged",
                condition=Q(state="merged", merged_into__isnull=False) | ~Q(state="merged") & Q(merged_into=None),
            ),
            models.CheckConstraint(
                name="surveys_case_waiting",
                condition=Q(state="waiting", waiting_since__isnull=False) | ~Q(state="waiting") & Q(waiting_since=None),
            ),
        ]
        indexes = [
            # The list and the board, newest first, by state; whose they are.
            models.Index(fields=["state", "-opened_at"], name="surveys_case_state"),
            models.Index(fields=["owner", "state"], condition=Q(owner__isnull=False), name="surveys_case_owner"),
            # What a member said to us (member page, portal, traits).
            models.Index(
                fields=["member", "-opened_at"], condition=Q(member__isnull=False), name="surveys_case_member"
            ),
            # Reminders and what is late.
            models.Index(fields=["remind_at"], condition=Q(remind_at__isnull=False), name="surveys_case_remind"),
            models.Index(fields=["resolve_due_at"], condition=Q(state__in=["new", "open"]), name="surveys_case_due"),
            # Owners who are to be told.
            models.Index(fields=["id"], condition=Q(owner_untold=True), name="surveys_case_untold"),
            # Words that wait to be read.
            models.Index(fields=["id"], condition=Q(themes=None), name="surveys_case_unread"),
            # Figures of a period.
            models.Index(fields=["opened_at"], name="surveys_case_opened"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.subject}"

    @property
    def number(self) -> str:
        """What people call it by."""
        return f"C-{self.pk}"

    @property
    def next_due(self):
        """Until when somebody has to do something: answer, else put right. None where nobody has."""
        if self.state not in ("new", "open"):
            return None
        return self.answer_due_at if self.answered_at is None else self.resolve_due_at


class CaseMessage(models.Model):
    """What was said: between the shop and the member, or among staff. What goes by mail has `send_at` until it went."""

    case = models.ForeignKey(Case, models.PROTECT, related_name="messages", db_index=False, verbose_name=_("case"))
    kind = models.CharField(_("kind"), max_length=5, choices=MessageKind)
    channel = models.CharField(_("channel"), max_length=10, choices=CaseChannel)
    text = models.TextField(_("text"), max_length=10_000)
    picture = models.FileField(_("picture"), upload_to="cases/", blank=True)
    width = models.PositiveIntegerField(null=True, editable=False)  # pixels
    height = models.PositiveIntegerField(null=True, editable=False)
    key = models.CharField(max_length=250, unique=True, null=True, blank=True, editable=False)  # said once
    author = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    at = models.DateTimeField(_("when"))
    send_at = models.DateTimeField(_("to be sent"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    refused = models.BooleanField(_("could not be sent"), default=False, db_default=False)
    not_kept = models.JSONField(_("files that were not kept"), default=list, db_default=[], blank=True, editable=False)

    class Meta:
        verbose_name = _("message of a case")
        verbose_name_plural = _("messages of cases")
        indexes = [
            models.Index(fields=["case", "at"], name="surveys_casemessage_case"),
            models.Index(fields=["send_at"], condition=Q(send_at__isnull=False), name="surveys_casemessage_send"),
        ]

    def __str__(self) -> str:
        return self.text[:60]

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """The files that came with it and are not there: their name, and why."""
        return [(name, str(NotKept(reason).label)) for name, reason in self.not_kept]


class CaseFile(models.Model):
    """A file that came with a mail: a picture, written anew, or a PDF, as it came. `name` is the sender's."""

    message = models.ForeignKey(CaseMessage, models.PROTECT, related_name="files", verbose_name=_("message"))
    file = models.FileField(_("file"), upload_to="cases/")
    name = models.CharField(pgettext_lazy("file", "name"), max_length=120)
    width = models.PositiveIntegerField(null=True, editable=False)  # pixels; None: no picture
    height = models.PositiveIntegerField(null=True, editable=False)

    class Meta:
        verbose_name = _("file of a case")
        verbose_name_plural = _("files of cases")

    def __str__(self) -> str:
        return self.name


class CaseChange(models.Model):
    """What was done with a case, by whom: `what` is a code (surveys.services.cases.words), `data` ids and codes."""

    case = models.ForeignKey(Case, models.PROTECT, related_name="changes", db_index=False, verbose_name=_("case"))
    what = models.CharField(_("what"), max_length=20)
    data = models.JSONField(_("details"), default=dict)
    at = models.DateTimeField(_("when"))
    actor = models.ForeignKey(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )

    class Meta:
        verbose_name = _("history of a case")
        verbose_name_plural = _("history of cases")
        indexes = [models.Index(fields=["case", "at"], name="surveys_casechange_case")]
        triggers = [
            pgtrigger.ReadOnly(name="read_only", exclude=["actor"]),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.what


class Remedy(models.Model):
    """What a member got so that it is good again, once. Points go the way of gifts by hand: above what the person may
    give, another decides there; a coupon above the limit is decided here."""

    key = models.UUIDField(unique=True, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="remedies", verbose_name=_("case"))
    kind = models.CharField(_("kind"), max_length=10, choices=RemedyKind)
    points = models.PositiveIntegerField(_("points"), null=True, blank=True)
    offer = models.ForeignKey(
        "rewards.Offer", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("offer")
    )
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=RemedyState)
    grant = models.OneToOneField(
        "rewards.GrantRequest", models.PROTECT, null=True, blank=True, related_name="remedy", verbose_name=_("gift")
    )
    coupon = models.OneToOneField(
        "rewards.Coupon", models.PROTECT, null=True, blank=True, related_name="remedy", verbose_name=_("coupon")
    )
    at = models.DateTimeField(_("when"))
    actor = models.ForeignKey("members.User", models.PROTECT, related_name="+", verbose_name=_("by"))
    settled_at = models.DateTimeField(_("decided"), null=True, blank=True)
    settled_by = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )

    class Meta:
        verbose_name = _("remedy")
        verbose_name_plural = _("remedies")
        constraints = [
            models.CheckConstraint(
                name="surveys_remedy_what",
                condition=Q(kind="points", points__gt=0, grant__isnull=False)
                | Q(kind="coupon", offer__isnull=False, points=None)
                | Q(kind="apology", points=None, offer=None),
            ),
            models.CheckConstraint(
                name="surveys_remedy_given",
                condition=~Q(kind="coupon", state="given") | Q(coupon__isnull=False),
            ),
            models.CheckConstraint(
                name="surveys_remedy_four_eyes",
                condition=Q(settled_by=None) | ~Q(settled_by=models.F("actor")),
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())  # type: ignore[attr-defined]

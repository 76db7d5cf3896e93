"""Friends who came, and what both sides got for it."""

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.models.purchase import APPEND_ONLY
from referrals.enums import COUNTED, OPEN, Occasion, ReferralState, Role, ShareChannel, Source

_OPEN = [str(state) for state in OPEN]
_COUNTED = [str(state) for state in COUNTED]


class Referral(models.Model):
    """A friend brought by a giver. A member is brought once in their life.

    `due_at`: of what is on the way, when it runs out; of what is looked at, when it is decided as the programme says;
    of what waits, when both are thanked. `promised_minor` is what it takes of the programme's budget. `why` holds what
    qualified them and each signal with its evidence.
    """

    version = models.ForeignKey(
        "referrals.ProgrammeVersion", models.PROTECT, related_name="+", verbose_name=_("version")
    )
    programme = models.ForeignKey(
        "referrals.Programme",
        models.PROTECT,
        db_index=False,
        related_name="referrals",
        verbose_name=pgettext_lazy("referral", "programme"),
    )
    giver = models.ForeignKey(
        "members.Member", models.PROTECT, db_index=False, related_name="referrals_made", verbose_name=_("brought by")
    )
    friend = models.OneToOneField("members.Member", models.PROTECT, related_name="referral", verbose_name=_("friend"))
    source = models.CharField(_("known by"), max_length=10, choices=Source)
    channel = models.CharField(_("channel"), max_length=10, choices=ShareChannel, blank=True, db_default="")
    state = models.CharField(_("state"), max_length=10, choices=ReferralState, default=ReferralState.JOINED)
    touched_at = models.DateTimeField(_("first seen"))
    joined_at = models.DateTimeField(_("came"))
    qualified_at = models.DateTimeField(_("became a customer"), null=True, blank=True)
    purchase = models.ForeignKey(
        "members.Purchase", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("purchase")
    )
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    ended_at = models.DateTimeField(_("done"), null=True, blank=True)
    promised_minor = models.PositiveBigIntegerField(_("of the budget"), default=0, db_default=0)
    is_capped = models.BooleanField(_("above the giver's limit"), default=False)  # the friend is thanked all the same
    score = models.PositiveSmallIntegerField(_("doubt"), default=0, db_default=0)
    why = models.JSONField(_("why"), default=dict)
    reason = models.CharField(_("reason"), max_length=200, blank=True, db_default="")  # the member reads it
    objection = models.TextField(_("objection"), max_length=2_000, blank=True, db_default="")
    objected_at = models.DateTimeField(_("objected"), null=True, blank=True)
    friend_shows_name = models.BooleanField(_("the giver sees the first name"), default=False)

    class Meta:
        verbose_name = _("referral")
        verbose_name_plural = _("referrals")
        constraints = [
            models.CheckConstraint(name="referrals_referral_other", condition=~Q(giver=models.F("friend"))),
            models.CheckConstraint(
                name="referrals_referral_due",
                condition=Q(state__in=_OPEN, due_at__isnull=False, ended_at=None)
                | ~Q(state__in=_OPEN) & Q(due_at=None, ended_at__isnull=False),
            ),
            models.CheckConstraint(
                name="referrals_referral_qualified", condition=~Q(state__in=_COUNTED) | Q(qualified_at__isnull=False)
            ),
        ]
        indexes = [
            # What is due (referrals.services.due).
            models.Index(fields=["due_at", "id"], condition=Q(state__in=_OPEN), name="referrals_referral_due"),
            # Whom somebody brought, the newest first; how many in a period.
            models.Index(fields=["giver", "-joined_at"], name="referrals_referral_giver"),
            # The funnel of a programme in a period.
            models.Index(fields=["programme", "joined_at"], name="referrals_referral_joined"),
            # What is looked at, by its deadline, and the list by state.
            models.Index(fields=["state", "due_at"], name="referrals_referral_state"),
        ]

    def __str__(self) -> str:
        return f"{self.giver_id} → {self.friend_id}"


class Said(models.Model):
    """Whose code was said with a purchase, until it is looked at whether it counts."""

    purchase = models.OneToOneField("members.Purchase", models.PROTECT, related_name="+", verbose_name=_("purchase"))
    advocate = models.ForeignKey("referrals.Advocate", models.PROTECT, related_name="+", verbose_name=_("advocate"))
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("code said with a purchase")
        verbose_name_plural = _("codes said with purchases")

    def __str__(self) -> str:
        return f"{self.purchase_id} {self.advocate_id}"


class ReferralStep(models.Model):
    """What became of a referral, and by whom. Kept for ever."""

    referral = models.ForeignKey(Referral, models.PROTECT, related_name="steps", verbose_name=_("referral"))
    state = models.CharField(_("state"), max_length=10, choices=ReferralState)
    at = models.DateTimeField(_("when"))
    note = models.CharField(_("note"), max_length=200, blank=True, db_default="")
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )

    class Meta:
        verbose_name = _("step of a referral")
        verbose_name_plural = _("steps of referrals")
        triggers = [APPEND_ONLY]

    def __str__(self) -> str:
        return f"{self.referral_id} {self.state}"


class MilestoneReached(models.Model):
    """A member has brought so many friends. `referral` is the one that made it."""

    member = models.ForeignKey("members.Member", models.PROTECT, db_index=False, related_name="+")
    programme = models.ForeignKey("referrals.Programme", models.PROTECT, related_name="+")
    friends = models.PositiveIntegerField(_("friends"))
    referral = models.ForeignKey(Referral, models.PROTECT, related_name="milestones")
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("milestone")
        verbose_name_plural = _("milestones")
        constraints = [models.UniqueConstraint("member", "programme", "friends", name="referrals_milestone_once")]

    def __str__(self) -> str:
        return f"{self.member_id} {self.friends}"


class ThanksGiven(models.Model):
    """One thing that one person got for a referral. `key` names it for ever."""

    referral = models.ForeignKey(Referral, models.PROTECT, related_name="thanks", verbose_name=_("referral"))
    member = models.ForeignKey("members.Member", models.PROTECT, related_name="+", verbose_name=_("member"))
    role = models.CharField(_("as"), max_length=10, choices=Role)
    occasion = models.CharField(_("for"), max_length=10, choices=Occasion)
    what = models.CharField(_("what"), max_length=10)  # points, credit, offer, tier, plan
    amount = models.PositiveBigIntegerField(_("amount"), default=1)
    key = models.CharField(max_length=80, unique=True)
    cost_minor = models.PositiveBigIntegerField(_("cost, in minor units"), default=0)
    transfer = models.ForeignKey("rewards.Transfer", models.PROTECT, null=True, blank=True, related_name="+")
    coupon = models.ForeignKey("rewards.Coupon", models.PROTECT, null=True, blank=True, related_name="+")
    given_at = models.DateTimeField(_("given"))
    taken_at = models.DateTimeField(_("taken back"), null=True, blank=True)

    class Meta:
        verbose_name = _("thanks")
        verbose_name_plural = _("thanks")
        indexes = [models.Index(fields=["member", "-given_at"], name="referrals_thanks_member")]
        triggers = [
            pgtrigger.ReadOnly(name="as_given", exclude=["taken_at", "member"]),
            pgtrigger.Protect(name="keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.key

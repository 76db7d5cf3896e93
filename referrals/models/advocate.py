"""Members who bring friends: their code, what comes of it, and what is kept of people who are not members yet."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from referrals.enums import ShareChannel


class Advocate(models.Model):
    """A member's code. Until they agree, nobody who opens their link learns their name."""

    member = models.OneToOneField("members.Member", models.PROTECT, related_name="advocate", verbose_name=_("member"))
    code = models.CharField(_("code"), max_length=12, unique=True)
    shows_name = models.BooleanField(_("friends see the first name"), default=False)
    nickname = models.CharField(_("nickname"), max_length=40, blank=True, db_default="")
    is_listed = models.BooleanField(_("on the leaderboard"), default=False)
    created_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("advocate")
        verbose_name_plural = _("advocates")
        constraints = [
            models.CheckConstraint(name="referrals_advocate_listed", condition=Q(is_listed=False) | ~Q(nickname=""))
        ]
        indexes = [
            # The leaderboard.
            models.Index(fields=["member"], condition=Q(is_listed=True), name="referrals_advocate_listed"),
        ]

    def __str__(self) -> str:
        return self.code


class Traffic(models.Model):
    """How often an advocate's link was shared, seen and taken on a day: one row for each way, however many come."""

    advocate = models.ForeignKey(Advocate, models.CASCADE, db_index=False, related_name="traffic")
    day = models.DateField(_("day"))
    channel = models.CharField(_("channel"), max_length=10, choices=ShareChannel)
    shares = models.PositiveIntegerField(_("shares"), default=0, db_default=0)
    visits = models.PositiveIntegerField(_("visits"), default=0, db_default=0)
    taken = models.PositiveIntegerField(_("gifts taken"), default=0, db_default=0)

    class Meta:
        verbose_name = _("traffic of a link")
        verbose_name_plural = _("traffic of links")
        constraints = [models.UniqueConstraint("advocate", "day", "channel", name="referrals_traffic_once")]
        indexes = [models.Index(fields=["day"], name="referrals_traffic_day")]  # the funnel of a period

    def __str__(self) -> str:
        return f"{self.advocate_id} {self.day} {self.channel}"


class Invite(models.Model):
    """A mail that an advocate asked us to send. `address` is gone once it was sent; what stays is a keyed hash, by
    which the friend is known when they join, and which ages out."""

    advocate = models.ForeignKey(Advocate, models.CASCADE, db_index=False, related_name="invites")
    mark = models.CharField(max_length=64)  # HMAC-SHA-256 of the mailbox, hexadecimal
    address = models.EmailField(_("e-mail"), blank=True, db_default="")
    language = models.CharField(_("language"), max_length=7)
    created_at = models.DateTimeField(_("asked"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    failed_at = models.DateTimeField(_("could not be sent"), null=True, blank=True)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [models.UniqueConstraint("advocate", "mark", name="referrals_invite_once")]
        indexes = [
            models.Index(fields=["mark", "created_at"], name="referrals_invite_mark"),  # who invited somebody who joins
            models.Index(fields=["advocate", "created_at"], name="referrals_invite_day"),  # how many a day
            models.Index(
                fields=["created_at"], condition=Q(sent_at=None, failed_at=None), name="referrals_invite_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.advocate_id} {self.mark[:8]}"


class Unwilling(models.Model):
    """A mailbox, as a keyed hash, that wants no invitations from anybody, for ever."""

    mark = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("refusal of invitations")
        verbose_name_plural = _("refusals of invitations")

    def __str__(self) -> str:
        return self.mark[:8]


class Former(models.Model):
    """A mailbox or phone, as a keyed hash, of somebody who was a member once and was forgotten. It ages out."""

    mark = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("former member's mark")
        verbose_name_plural = _("former members' marks")
        indexes = [models.Index(fields=["at"], name="referrals_former_at")]  # what ages out

    def __str__(self) -> str:
        return self.mark[:8]


class Guess(models.Model):
    """How many codes that there are not somebody tried in a minute. It is gone after an hour."""

    who = models.CharField(max_length=64)  # a keyed hash
    minute = models.DateTimeField(_("minute"))
    misses = models.PositiveIntegerField(_("misses"), default=1, db_default=1)

    class Meta:
        verbose_name = _("guessed code")
        verbose_name_plural = _("guessed codes")
        constraints = [models.UniqueConstraint("who", "minute", name="referrals_guess_once")]
        indexes = [models.Index(fields=["minute"], name="referrals_guess_minute")]  # what ages out

    def __str__(self) -> str:
        return f"{self.who[:8]} {self.misses}"


class Trace(models.Model):
    """That a member was seen on a network, with a device, or with a means of payment, as a keyed hash. It ages out."""

    member = models.ForeignKey("members.Member", models.CASCADE, db_index=False, related_name="+")
    kind = models.CharField(_("kind"), max_length=10)  # network, browser, device, payment
    mark = models.CharField(max_length=64)
    seen_at = models.DateTimeField(_("last seen"))

    class Meta:
        verbose_name = _("trace")
        verbose_name_plural = _("traces")
        constraints = [models.UniqueConstraint("member", "kind", "mark", name="referrals_trace_once")]
        indexes = [
            models.Index(fields=["kind", "mark"], name="referrals_trace_mark"),  # who else
            models.Index(fields=["seen_at"], name="referrals_trace_seen"),  # what ages out
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.mark[:8]}"

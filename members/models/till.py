"""How a member proves at the till that it is they."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class MemberPin(models.Model):
    """The member's PIN for the till, hashed as passwords are. Too many wrong ones lock it for a while."""

    member = models.OneToOneField(
        "members.Member", models.CASCADE, primary_key=True, related_name="pin", verbose_name=_("member")
    )
    digest = models.CharField(_("hash"), max_length=128)
    failures = models.PositiveSmallIntegerField(_("wrong tries"), default=0)
    locked_until = models.DateTimeField(_("locked until"), null=True, blank=True)
    set_at = models.DateTimeField(_("set"))

    class Meta:
        verbose_name = _("PIN")
        verbose_name_plural = _("PINs")

    def __str__(self) -> str:
        return f"{self.member_id}"


class TillCode(models.Model):
    """A code for one act at the till: shown in the portal or sent to the member, good for a few minutes, once."""

    member = models.ForeignKey(
        "members.Member", models.CASCADE, db_index=False, related_name="till_codes", verbose_name=_("member")
    )
    digest = models.CharField(_("hash"), max_length=128)
    made_at = models.DateTimeField(_("made"))
    expires_at = models.DateTimeField(_("expires"))
    failures = models.PositiveSmallIntegerField(_("wrong tries"), default=0)
    used_at = models.DateTimeField(_("used"), null=True, blank=True)

    class Meta:
        verbose_name = _("till code")
        verbose_name_plural = _("till codes")
        indexes = [
            # A member's codes, newest first.
            models.Index(fields=["member", "-made_at"], name="members_tillcode_member"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id}"

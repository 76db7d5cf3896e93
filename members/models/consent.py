import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.enums import Channel, Purpose


class ConsentWording(models.Model):
    """One version of the sentence a member agrees to. A new wording is a new version, never an edit."""

    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    version = models.PositiveIntegerField(_("version"))
    text = models.TextField(_("wording"))
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("consent wording")
        verbose_name_plural = _("consent wordings")
        constraints = [models.UniqueConstraint("purpose", "version", name="members_consentwording_version")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} {self.version}"


# The state follows what is said, whoever writes it. Of two words the later counts, and of two at once the last written.
_SAID = """
INSERT INTO members_consentstate AS state (member_id, channel, purpose, granted, at, consent_id)
SELECT DISTINCT ON (member_id, channel, purpose) member_id, channel, purpose, granted, at, id
FROM {said} ORDER BY member_id, channel, purpose, at DESC, id DESC
ON CONFLICT (member_id, channel, purpose) DO UPDATE
SET granted = excluded.granted, at = excluded.at, consent_id = excluded.consent_id
WHERE (excluded.at, excluded.consent_id) > (state.at, state.consent_id);
"""
_FOLLOW = _SAID.format(said="fresh") + "RETURN NULL;"
# Words change hands only by a merge, or by its undoing: then both members' states are made anew.
_FOLLOW_MERGE = (
    """
IF EXISTS (SELECT FROM fresh JOIN stale USING (id) WHERE fresh.member_id <> stale.member_id) THEN
    DELETE FROM members_consentstate
    WHERE member_id IN (SELECT member_id FROM fresh UNION SELECT member_id FROM stale);
"""
    + _SAID.format(
        said="(SELECT * FROM members_consent"
        " WHERE member_id IN (SELECT member_id FROM fresh UNION SELECT member_id FROM stale)) AS said"
    )
    + "END IF; RETURN NULL;"
)


class Consent(models.Model):
    """One statement by a member: yes or no to a channel for a purpose. The last one counts; none means no."""

    member = models.ForeignKey("members.Member", models.PROTECT, related_name="consents", verbose_name=_("member"))
    channel = models.CharField(
        _("channel"), max_length=10, choices=Channel, blank=True, help_text=_("Empty for a purpose without channels.")
    )
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    granted = models.BooleanField(_("granted"))
    wording = models.ForeignKey(
        ConsentWording, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("wording")
    )
    source = models.CharField(
        _("given by"), max_length=40, help_text=_("Where it was said: portal, till, unsubscribe link…")
    )
    actor = models.ForeignKey(
        "members.User", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("staff")
    )
    evidence = models.CharField(
        _("evidence"),
        max_length=200,
        blank=True,
        db_default="",
        help_text=_("What proves it: form number, file, address."),
    )
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        indexes = [
            # The latest word of a member per channel and purpose (members.queries.consent_state).
            models.Index(fields=["member", "channel", "purpose", "-at", "-id"], name="members_consent_latest"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="keep_state",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="fresh"),
                func=_FOLLOW,
            ),
            pgtrigger.Trigger(
                name="move_state",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                referencing=pgtrigger.Referencing(old="stale", new="fresh"),
                func=_FOLLOW_MERGE,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()}, {self.get_purpose_display()}: {self.granted}"


class ConsentState(models.Model):
    """A member's latest word on a channel and purpose, kept by triggers of Consent. No row: never asked.

    Segments ask it of all members at once, where the log itself would have to be sorted each time.
    """

    member = models.ForeignKey("members.Member", models.PROTECT, related_name="consent_states", db_index=False)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, blank=True)
    purpose = models.CharField(_("purpose"), max_length=20, choices=Purpose)
    granted = models.BooleanField(_("granted"))
    at = models.DateTimeField(_("when"))
    consent = models.ForeignKey(
        Consent, models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False, verbose_name=_("consent")
    )

    class Meta:
        verbose_name = _("state of consent")
        verbose_name_plural = _("states of consent")
        constraints = [models.UniqueConstraint("member", "channel", "purpose", name="members_consentstate_once")]

    def __str__(self) -> str:
        return f"{self.get_channel_display()}, {self.get_purpose_display()}: {self.granted}"

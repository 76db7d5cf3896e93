"""What referrals tell a member of what is kept of them. Of the other side only what they may see."""

from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from members.privacy import exempt, register_export
from referrals.models import Advocate, Invite, Referral, ThanksGiven, Trace


def _advocate(member_id: int) -> list[dict[str, Any]]:
    return [
        dict(row)
        for row in Advocate.objects.filter(member=member_id).values(
            "code", "shows_name", "nickname", "is_listed", "created_at"
        )
    ]


def _referrals(member_id: int) -> list[dict[str, Any]]:
    rows = Referral.objects.filter(Q(giver=member_id) | Q(friend=member_id)).order_by("joined_at")
    return [
        {
            "as": "giver" if row.giver_id == member_id else "friend",
            "state": row.state,
            "joined_at": row.joined_at,
            "qualified_at": row.qualified_at,
            "reason": row.reason,
            "objection": row.objection if row.giver_id == member_id else "",
        }
        for row in rows
    ]


def _thanks(member_id: int) -> list[dict[str, Any]]:
    rows = ThanksGiven.objects.filter(member=member_id).order_by("given_at")
    return [dict(row) for row in rows.values("occasion", "what", "amount", "given_at", "taken_at")]


def _traces(member_id: int) -> list[dict[str, Any]]:
    return [dict(row) for row in Trace.objects.filter(member=member_id).order_by("seen_at").values("kind", "seen_at")]


def _invites(member_id: int) -> list[dict[str, Any]]:
    rows = Invite.objects.filter(advocate__member=member_id).order_by("created_at")
    return [dict(row) for row in rows.values("created_at", "sent_at")]


def register_all() -> None:
    register_export("referral_code", _("Your code for friends"), _advocate, models=["referrals.Advocate"], order=80)
    register_export("referrals", _("Friends you brought, and who brought you"), _referrals,
                    models=["referrals.Referral", "referrals.ReferralStep", "referrals.MilestoneReached"],
                    order=81)  # fmt: skip
    register_export("referral_thanks", _("Thanks for it"), _thanks, models=["referrals.ThanksGiven"], order=82)
    register_export(
        "referral_invites", _("Invitations you had us send"), _invites, models=["referrals.Invite"], order=83
    )
    register_export("referral_traces", _("Networks and devices you were seen with"), _traces,
                    models=["referrals.Trace"], order=84)  # fmt: skip
    exempt("referrals.ProgrammeVersion", _("what is offered to all; a member of staff published it"))
    exempt("referrals.Block", _("whom the shop keeps out; a member of staff wrote it down"))

"""What the portal tells a member of the account they sign in with, and forgets with them. The tables are allauth's."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.utils.translation import gettext_lazy as _

from members.models import User
from members.privacy import exempt, register_eraser, register_export
from members.queries import accounts_of


def _account(member_id: int) -> dict[str, Any] | None:
    user = User.objects.filter(member=member_id).first()
    if user is None:
        return None
    return {
        "email_addresses": list(EmailAddress.objects.filter(user=user).values("email", "verified", "primary")),
        "second_factors": list(Authenticator.objects.filter(user=user).values("type", "created_at", "last_used_at")),
        "name": user.get_full_name(),
        "created_at": user.date_joined,
        "last_sign_in": user.last_login,
        "sessions": [session.expire_date for session in Session.objects.iterator() if _is_of(session, user)],
    }


def _is_of(session: Session, user: User) -> bool:
    return session.get_decoded().get("_auth_user_id") == str(user.pk)


def _erase(member_ids: Sequence[int], at: datetime) -> None:
    users = accounts_of(member_ids)
    EmailAddress.objects.filter(user__in=users).delete()
    Authenticator.objects.filter(user__in=users).delete()


def register_all() -> None:
    register_export(
        "account",
        _("Your account"),
        _account,
        models=["members.User", "account.EmailAddress", "mfa.Authenticator"],
        order=15,
    )
    exempt("admin.LogEntry", "What staff did in the admin: the member's own acts do not stand there.")
    exempt("members.User_groups", "Roles of staff.")
    exempt("members.User_user_permissions", "Permissions of staff.")
    register_eraser("portal", _erase)

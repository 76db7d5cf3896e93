from collections.abc import Callable
from datetime import datetime
from functools import wraps

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.contrib.auth.views import redirect_to_login
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache

from common.sql import lock
from members.models import Member, User


class AccountRequest(HttpRequest):
    """A request of someone signed in, who may have no card yet."""

    user: User
    member: Member | None


class MemberRequest(AccountRequest):
    """A request of a member."""

    member: Member


View = Callable[..., HttpResponseBase]


def members_only(view: View) -> View:
    """Strangers sign in first, staff without a card are shown to the admin, and others join.

    The pages are kept nowhere, so that "back" after signing out shows nothing.
    """

    @wraps(view)
    @never_cache
    def checked(request: AccountRequest, *args, **kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if request.member is None:
            if request.user.is_staff:
                return render(request, "portal/staff.html")
            return redirect("portal:join")
        return view(request, *args, **kwargs)

    return checked


@reauthentication_required
def _shown(request: HttpRequest) -> None:
    """allauth knows how long ago somebody showed who they are, and by what they can."""


def is_surely_them(request: HttpRequest) -> bool:
    """Whether they have shown just now who they are; else allauth's page for that comes first."""
    try:
        _shown(request)
    except ReauthenticationRequired:
        return False
    return True


def too_often(what: str, member_id: int, most: int, at: datetime) -> bool:
    """Whether a member does something more than `most` times in this minute. Counted in PostgreSQL, where a hundred at
    once are counted one by one."""
    key = f"portal:{what}:{member_id}:{int(at.timestamp()) // 60}"
    with transaction.atomic():
        lock(key)
        done = cache.get(key, 0)
        cache.set(key, done + 1, 120)
    return done >= most

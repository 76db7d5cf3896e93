"""Who may work at a till, where it stands, and what it did last."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import quote, unquote

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from members.models import PRESENT, Member, User
from members.queries import get_programme
from members.services.access import log_access
from till.forms import new_key
from till.rules import PERMISSIONS
from till.services.acts import Act

COOKIE, YEAR = "till_store", 365 * 24 * 3600
LAST = "till_last"
LARGEST = 2**63 - 1


class TillRequest(HttpRequest):
    """A request of a cashier. `store` is the name of the shop that this device stands in."""

    user: User
    store: str
    htmx: Any


View = Callable[..., HttpResponseBase]


def cashiers_only(view: View) -> View:
    """Strangers sign in first; who is no cashier is refused. Nothing is kept by the browser."""

    @wraps(view)
    @never_cache
    def checked(request: TillRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not (request.user.is_active and request.user.is_staff and request.user.has_perms(PERMISSIONS)):
            raise PermissionDenied
        request.store = unquote(request.COOKIES.get(COOKIE, ""))[:80].replace("\0", "")
        return view(request, *args, **kwargs)

    return checked


def in_a_store(view: View) -> View:
    """A cashier's page that needs to know which shop it stands in: asked once for each device."""

    @wraps(view)
    @cashiers_only
    def checked(request: TillRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.store:
            back = request.get_full_path() if request.method == "GET" else reverse("till:start")
            return redirect(f"{reverse('till:store')}?next={quote(back)}")
        return view(request, *args, **kwargs)

    return checked


def remember_store(response: HttpResponse, store: str) -> None:
    response.set_cookie(
        COOKIE,
        quote(store),
        max_age=YEAR,
        path=reverse("till:start"),
        httponly=True,
        samesite="Lax",
    )


def member_or_404(member_id: int) -> Member:
    if member_id > LARGEST:
        raise Http404
    member = Member.objects.filter(PRESENT, pk=member_id).first()
    if member is None:
        raise Http404
    return member


def looked_at(request: TillRequest, member: Member, at: datetime) -> None:
    log_access(actor_id=request.user.pk, action="viewed", what="till", member_id=member.pk, at=at)


def remember(request: TillRequest, act: Act) -> None:
    """Keeps what was done last, to be shown and to be undone."""
    request.session[LAST] = {**asdict(act), "at": act.at.isoformat()}


def last_act(request: TillRequest) -> Act | None:
    kept = request.session.get(LAST)
    return Act(**{**kept, "at": datetime.fromisoformat(kept["at"])}) if kept else None


def page(request: TillRequest, template: str, context: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    """A page of the till. `problem` is said in big type; `done` says that the last act was just now. The last act is
    shown, and can be undone, on the page of its own member, and by name where no member's page is open."""
    at, context = timezone.now(), context or {}
    last, here = last_act(request), context.get("member")
    if last and not ("done" in request.GET or last.can_be_undone(at)):
        last = None
    whose = here or (Member.objects.filter(PRESENT, pk=last.member_id).first() if last else None)
    about = {
        "last": last if last and whose and whose.pk == last.member_id else None,
        "whose": whose,
        "can_undo": last is not None and last.can_be_undone(at),
        "done": "done" in request.GET,
        "currency": get_programme().currency,
        "new_key": new_key(),
        "store": request.store,
    }
    return render(request, f"till/{template}.html", {**about, **context}, status=status)


def done(request: TillRequest, act: Act) -> HttpResponse:
    """After an act: the member's page, which says it and looks for the next scan."""
    remember(request, act)
    return redirect(f"{reverse('till:member', args=[act.member_id])}?done")

"""Messages: what the shop wrote to a member, on their own pages and by mail."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from campaigns.enums import Medium
from campaigns.queries_inbox import inbox, lines
from campaigns.services.inbox import letter, mark_read
from portal.views.access import MemberRequest, members_only

PAGE = 20


@require_safe
@members_only
def messages(request: MemberRequest) -> HttpResponse:
    page = Paginator(inbox(request.member.pk), PAGE).get_page(request.GET.get("page"))
    found = lines(list(page))
    return render(request, "portal/inbox.html", {"page": page, "lines": found, "new": any(one.is_new for one in found)})


@require_safe
@members_only
def message(request: MemberRequest, pk: int) -> HttpResponse:
    """One of one's own. The page tells that it was read once it is open: one fetched ahead was read by nobody."""
    found = get_object_or_404(inbox(request.member.pk), pk=pk)
    context = {
        "said": found,
        "is_copy": found.channel == Medium.EMAIL,
        "is_new": found.channel == Medium.APP and found.read_at is None,
        "letter": letter(found, choices_url=reverse("portal:consents")),
    }
    return render(request, "portal/message.html", context)


@require_POST
@members_only
def read(request: MemberRequest, pk: int) -> HttpResponse:
    mark_read(member_id=request.member.pk, message_id=pk, at=timezone.now())
    return redirect("portal:messages") if "back" in request.POST else HttpResponse(status=204)


@require_POST
@members_only
def read_all(request: MemberRequest) -> HttpResponse:
    mark_read(member_id=request.member.pk, at=timezone.now())
    return redirect("portal:messages")

"""The doors by which one comes to a survey: an invitation, its own address, a code on a table, a tablet, a mail, the
member's pages, or a sheet of paper that staff copy."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from members.models import PRESENT, Member
from portal.survey_visit import Visit, begun
from portal.views.access import MemberRequest, members_only
from portal.views.surveys import visit_of
from surveys.enums import PlaceKind, SurveyState, Way
from surveys.links import BadLink, read_member_link
from surveys.models import Invitation, Response, Survey, SurveyPlace
from surveys.queries_reach import open_for

answering = require_http_methods(["GET", "HEAD", "POST"])
PAPER = "surveys.add_response"


@never_cache
@answering
def public(request: HttpRequest, code: str) -> HttpResponse:
    """A survey's own address, for everybody."""
    survey = _published(code)
    return visit_of(Visit(request, survey, Way.PUBLIC, response=begun(request, survey)))


@never_cache
@answering
def at_place(request: HttpRequest, token: str) -> HttpResponse:
    """The code on a table, or the tablet on the counter, where the next one begins anew. Answers say where they were
    given."""
    place = SurveyPlace.objects.select_related("survey").filter(token=token).first()
    if place is None:
        raise Http404
    if place.revoked_at or place.survey.state == SurveyState.DRAFT:
        return _over(request, "revoked", 410)
    way = Way.KIOSK if place.kind == PlaceKind.TABLET else Way.PUBLIC
    return visit_of(Visit(request, place.survey, way, response=begun(request, place.survey), place=place))


@never_cache
@answering
def invited(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The link of one invitation: answered once, by whoever has it, and gone on with on any device."""
    found = Invitation.objects.select_related("member", "survey").filter(uid=uid).first()
    if found is None or not Member.objects.filter(PRESENT, pk=found.member_id).exists():
        return _over(request, "unknown", 404)
    return visit_of(_by_invitation(request, found, Way.LINK))


@never_cache
@answering
def asked(request: HttpRequest, token: str) -> HttpResponse:
    """A personal link in any mail. It becomes an invitation when the first answer is sent."""
    try:
        told = read_member_link(token)
    except BadLink:
        return _over(request, "unknown", 404)
    survey = Survey.objects.filter(pk=told.survey_id).exclude(state=SurveyState.DRAFT).first()
    member = Member.objects.filter(PRESENT, pk=told.member_id).first()
    if survey is None or member is None:
        return _over(request, "unknown", 404)
    return visit_of(_by_member(request, survey, member, Way.LINK, told.key))


@require_safe
@members_only
def surveys(request: MemberRequest) -> HttpResponse:
    """What the member is asked, or can tell by themselves."""
    return render(request, "portal/surveys/list.html", {"waiting": open_for(request.member.pk, timezone.now())})


@answering
@members_only
def own(request: MemberRequest, code: str) -> HttpResponse:
    """A survey on the member's own pages."""
    return visit_of(_by_member(request, _published(code), request.member, Way.PORTAL, "open"))


@never_cache
@answering
def paper(request: HttpRequest, code: str) -> HttpResponse:
    """What somebody wrote on paper, copied by staff: the same questions, and the same answers are taken."""
    if not request.user.is_authenticated or not request.user.is_staff:
        return redirect(f"/accounts/login/?next={request.path}")
    if not request.user.has_perm(PAPER):
        raise PermissionDenied
    survey = _published(code)
    sheet = (request.POST.get("sheet") or "").strip()[:60]
    response = begun(request, survey)
    return visit_of(Visit(request, survey, Way.PAPER, response=response, sheet=sheet))


def _published(code: str) -> Survey:
    return get_object_or_404(Survey.objects.exclude(state=SurveyState.DRAFT), code=code)


def _by_invitation(request: HttpRequest, found: Invitation, way: Way) -> Visit:
    if found.survey.anonymous:
        response = begun(request, found.survey)
    else:
        response = Response.objects.filter(invitation=found).first()
    return Visit(request, found.survey, way, found, response)


def _by_member(request: HttpRequest, survey: Survey, member: Member, way: Way, key: str) -> Visit:
    """Theirs if they have begun; nothing is written before they send."""
    found = Invitation.objects.select_related("member", "survey").filter(survey=survey, member=member, key=key).first()
    visit = _by_invitation(request, found, way) if found else Visit(request, survey, way, member=member)
    visit.asked_for = key
    return visit


def _over(request: HttpRequest, reason: str, status: int) -> HttpResponse:
    return render(request, "portal/surveys/over.html", {"reason": reason}, status=status)

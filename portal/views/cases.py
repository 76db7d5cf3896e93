"""What a member tells the shop, and what the shop answers; suggestions of all."""

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Exists, OuterRef, Q
from django.forms import Form
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from members.services.purchases import KeyReused
from portal.forms_cases import TellForm, WordsForm
from portal.views.access import MemberRequest, members_only, too_often
from rewards.services.pictures import PictureRefused
from surveys.enums_cases import CaseChannel, CaseSource, CaseState, IdeaState, MessageKind
from surveys.files import given_out
from surveys.models import Case, CaseMessage, Suggestion, SuggestionLike
from surveys.queries_desk import file_of, standing_for, talk_of
from surveys.services.cases.hearing import member_writes
from surveys.services.cases.improving import like
from surveys.services.cases.opening import TooMuchText, open_case

A_MINUTE = 5  # messages of one member


@require_safe
@members_only
def cases(request: MemberRequest) -> HttpResponse:
    mine = Case.objects.filter(member=request.member).exclude(state=CaseState.MERGED).order_by("-opened_at", "-pk")
    page = Paginator(mine, 20).get_page(request.GET.get("page"))
    return render(request, "portal/cases/cases.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def tell(request: MemberRequest) -> HttpResponse:
    """A new case. Sent twice, it is one."""
    kind = request.GET.get("kind", "complaint")
    form = TellForm(request.POST or None, request.FILES or None, initial={"kind": kind, "key": uuid4()})
    if request.method == "POST" and form.is_valid() and _not_too_often(request, form):
        told = form.cleaned_data
        try:
            case = open_case(
                kind=told["kind"],
                text=told["text"],
                category_id=told["category"].pk if told["category"] else None,
                source=CaseSource.PORTAL,
                member_id=request.member.pk,
                key=f"portal:{request.member.pk}:{told['key']}" if told["key"] else None,
                picture=told["picture"].file if told["picture"] else None,
                at=timezone.now(),
            )
        except (PictureRefused, TooMuchText, KeyReused) as error:
            _refused(form, error)
        else:
            messages.success(request, _("Thank you. We have it, and you can follow it here."))
            return redirect("portal:case", case.uid)
    return render(request, "portal/cases/tell.html", {"form": form}, status=422 if form.errors else 200)


def _not_too_often(request: MemberRequest, form: Form) -> bool:
    if too_often("case", request.member.pk, A_MINUTE, timezone.now()):
        form.add_error(None, _("That was quick. Please wait a minute, then send it again."))
        return False
    return True


def _refused(form: Form, error: Exception) -> None:
    if isinstance(error, PictureRefused):
        form.add_error("picture", str(error.args[0]))
    elif isinstance(error, TooMuchText):
        form.add_error("text", _("Please write something."))
    else:
        form.add_error(None, _("This was sent already."))


@require_http_methods(["GET", "HEAD", "POST"])
@members_only
def case(request: MemberRequest, uid: UUID) -> HttpResponse:
    """The conversation. Internal notes are not in it."""
    found = Case.objects.filter(uid=uid, member=request.member).select_related("merged_into").first()
    if found is None:
        raise Http404
    standing = standing_for(found)
    if standing.pk != found.pk:
        return redirect("portal:case", standing.uid)
    form = WordsForm(request.POST or None, request.FILES or None, initial={"key": uuid4()})
    if request.method == "POST" and form.is_valid() and _not_too_often(request, form):
        told = form.cleaned_data
        try:
            member_writes(
                case_id=found.pk,
                text=told["text"],
                channel=CaseChannel.PORTAL,
                key=f"portal:{request.member.pk}:{told['key']}" if told["key"] else None,
                picture=told["picture"].file if told["picture"] else None,
                at=timezone.now(),
            )
        except (PictureRefused, TooMuchText) as error:
            _refused(form, error)
        else:
            messages.success(request, _("Sent."))
            return redirect("portal:case", found.uid)
    talk = talk_of(found).exclude(kind=MessageKind.NOTE)
    context = {"case": found, "talk": talk, "form": form}
    return render(request, "portal/cases/case.html", context, status=422 if form.errors else 200)


@require_safe
@members_only
def file(request: MemberRequest, uid: UUID, kind: str, pk: int) -> FileResponse:
    """What they sent with their words. Http404."""
    try:
        case = Case.objects.get(uid=uid, member=request.member)
        return given_out(*file_of(talk_of(case).exclude(kind=MessageKind.NOTE), kind, pk))
    except (Case.DoesNotExist, CaseMessage.DoesNotExist) as error:
        raise Http404 from error


@require_safe
@members_only
def ideas(request: MemberRequest) -> HttpResponse:
    here = Q(likes__member__merged_into=None, likes__member__erased_at=None)
    mine = SuggestionLike.objects.filter(suggestion=OuterRef("pk"), member=request.member)
    shown = Suggestion.objects.filter(published_at__isnull=False)
    state = request.GET.get("state", "")
    if state in IdeaState.values:
        shown = shown.filter(state=state)
    found = shown.annotate(n=Count("likes", filter=here), liked=Exists(mine)).order_by("-n", "-pk")
    page = Paginator(found, 20).get_page(request.GET.get("page"))
    context: dict[str, Any] = {"page": page, "states": IdeaState.choices, "state": state}
    return render(request, "portal/cases/ideas.html", context)


@require_POST
@members_only
def like_idea(request: MemberRequest, pk: int) -> HttpResponse:
    wanted = request.POST.get("wanted") != "no"
    try:
        like(suggestion_id=pk, member_id=request.member.pk, wanted=wanted, at=timezone.now())
    except Suggestion.DoesNotExist as error:
        raise Http404 from error
    return redirect(f"{reverse('portal:ideas')}#idea-{pk}")

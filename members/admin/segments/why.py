"""Why somebody is in a segment, or is not: found by what they are searched by, explained leaf by leaf."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext, gettext_noop

from common.moments import format_moment
from members.enums import AccessAction
from members.models import PRESENT, Member, Segment, SegmentMember
from members.queries import search
from members.segments import asking
from members.segments.tree import BadDefinition
from members.services.access import log_access

MOST_FOUND = 20


def why_page(segment: Segment, request: HttpRequest, *, at: datetime) -> dict[str, Any]:
    """The context of templates/admin/segment_why.html: `m` is a member's key, `q` what somebody typed."""
    q, key = request.GET.get("q", "").strip(), request.GET.get("m", "")
    found: list[Member] = []
    member = None
    if key.isdecimal() and len(key) < 19:
        member = Member.objects.filter(pk=int(key)).first()
    elif q:
        found = list(search(q, Member.objects.filter(PRESENT)).order_by("name", "id")[:MOST_FOUND])
        if len(found) == 1:
            member = found.pop()
    if member:
        action, what = AccessAction.VIEWED, gettext_noop("why in a segment")
        log_access(actor_id=request.user.pk, action=action, what=what, member_id=member.pk, at=at)
    context: dict[str, Any] = {"q": q, "found": found, "member": member}
    return context | (explained(segment, member, at=at) if member else {})


def explained(segment: Segment, member: Member, *, at: datetime) -> dict[str, Any]:
    """The verdict on a member in a sentence, what is to be known with it, and the tree."""
    names = {"member": member, "segment": segment}
    held = SegmentMember.objects.filter(segment=segment, member=member).first()
    try:
        why = asking.why(segment.definition, member_id=member.pk, at=at, segment_id=segment.pk)
    except BadDefinition as bad:
        why = asking.Why(" ".join(problem.sentence for problem in bad.problems), False)
        return {"why": why, "tree": why, "verdict": gettext("The conditions cannot be asked any more."), "notes": []}
    if why.value:
        verdict = gettext("%(member)s is in “%(segment)s”.") % names
    else:
        verdict = gettext("%(member)s is not in “%(segment)s”.") % names
    notes = [gettext("Because: %(reason)s.") % {"reason": why.datum}] if why.datum else []
    if held:
        notes.append(gettext("In since %(moment)s.") % {"moment": format_moment(held.entered_at)})
    if why.value != bool(held) and not segment.archived_at:
        notes.append(gettext("The list of members still says otherwise: it follows with the next refresh."))
    tree = why.children[0] if why.children else why
    return {"why": why, "tree": tree, "verdict": verdict, "notes": notes}

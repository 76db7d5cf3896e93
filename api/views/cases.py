"""POST /cases, GET /cases, GET /cases/{number}."""

import re
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from ninja import Router

from api import schemas_cases as schemas
from api.enums import Scope
from api.errors import Refused, respond
from api.queries import find_members, read_ref
from api.services.answers import Done
from api.views.common import answer_once, call, caller, member_of, rfc3339, unknown_member
from members.models import Purchase
from surveys.enums_cases import CaseSource, MessageKind
from surveys.models import Case
from surveys.services.cases.opening import NobodyThere, NotTheirs, TooMuchText, open_case

router = Router(tags=[gettext_noop("Cases")])
MOST = 100
_NUMBER = re.compile(r"C-([1-9]\d{0,17})", re.ASCII)


@call(
    router,
    "POST",
    "/cases",
    Scope.CASES_WRITE,
    {201: schemas.CaseOpened, 200: schemas.CaseOpened},
    summary=gettext_lazy("Open a case"),
    description=gettext_lazy(
        "A complaint, a question, a suggestion or praise that your system heard, of a member or of anybody. It lands "
        "on the desk of those who answer, and its clocks begin; members see it on their pages."
    ),
    operation_id="open_case",
)
def post_case(request: HttpRequest, body: schemas.NewCase) -> HttpResponse:
    return answer_once(request, "cases", body.key, lambda: _open(request, body))


def _open(request: HttpRequest, body: schemas.NewCase) -> Done:
    if body.member and body.email:
        raise Refused(422, "invalid", _("Name the member or an e-mail, not both."), field="email")
    purchase = None
    if body.purchase:
        purchase = Purchase.objects.filter(source=caller(request).source, key=body.purchase).first()
        if purchase is None:
            raise Refused(404, "no_such_purchase", _("There is no such purchase."), field="purchase")
    member_id, contact = _who(request, body)
    if purchase is not None and member_id is None and not contact:
        member_id = purchase.member_id
    try:
        case = open_case(
            kind=body.kind,
            text=body.text,
            subject=body.subject,
            severity=body.severity,
            source=CaseSource.API,
            channel=body.channel,
            at=now(),
            member_id=member_id,
            contact=contact,
            purchase_id=purchase.pk if purchase else None,
            store=body.store,
        )
    except NobodyThere:
        raise unknown_member() from None
    except TooMuchText:
        raise Refused(422, "invalid", _("This must not be empty."), field="text") from None
    except NotTheirs:
        raise Refused(422, "not_theirs", _("This purchase is another member's."), field="purchase") from None
    told = {
        "key": body.key,
        "number": case.number,
        "state": str(case.state),
        "answer_due_at": rfc3339(case.answer_due_at),
        "resolve_due_at": rfc3339(case.resolve_due_at),
    }
    return Done(201, told, member_id)


def _who(request: HttpRequest, body: schemas.NewCase) -> tuple[int | None, str]:
    """The member, or the address of who is none."""
    if body.member:
        return member_of(request, body.member), ""
    if not body.email:
        return None, ""
    ref = read_ref(f"email:{body.email}", caller(request).source)
    if ref is None:
        raise Refused(422, "invalid", _("This is not an e-mail address."), field="email")
    member_id = find_members([ref]).get(ref)
    return member_id, "" if member_id else ref.value


def _told(case: Case) -> dict[str, Any]:
    return {
        "number": case.number,
        "kind": case.kind,
        "severity": case.severity,
        "state": case.state,
        "subject": case.subject,
        "card": case.member.card_number if case.member else None,
        "store": case.store,
        "opened_at": rfc3339(case.opened_at),
        "answered_at": rfc3339(case.answered_at),
        "resolved_at": rfc3339(case.resolved_at),
        "closed_at": rfc3339(case.closed_at),
        "merged_into": f"C-{case.merged_into_id}" if case.merged_into_id else None,
    }


@call(
    router,
    "GET",
    "/cases",
    Scope.CASES_READ,
    {200: schemas.Cases},
    summary=gettext_lazy("List cases"),
    description=gettext_lazy(
        "The newest first, at most 100, of all or of one member, in all states or in one. “next” is the “before” of "
        "the next hundred; null where there are no more."
    ),
    operation_id="list_cases",
)
def list_cases(
    request: HttpRequest,
    member: str = "",
    state: Literal["", "new", "open", "waiting", "resolved", "closed", "merged"] = "",
    before: str = "",
) -> HttpResponse:
    found = Case.objects.select_related("member").order_by("-pk")
    if "\0" in member:
        raise unknown_member()
    if member:
        found = found.filter(member=member_of(request, member))
    if state:
        found = found.filter(state=state)
    if before:
        found = found.filter(pk__lt=_id(before, "before"))
    rows = list(found[: MOST + 1])
    more = rows[MOST - 1].number if len(rows) > MOST else None
    return respond(200, {"cases": [_told(case) for case in rows[:MOST]], "next": more})


def _id(number: str, field: str) -> int:
    match = _NUMBER.fullmatch(number)
    if match is None:
        raise Refused(404, "no_such_case", _("There is no such case."), field=field)
    return int(match.group(1))


@call(
    router,
    "GET",
    "/cases/{number}",
    Scope.CASES_READ,
    {200: schemas.WholeCase},
    summary=gettext_lazy("Look up a case"),
    description=gettext_lazy("How it stands and what was said between the member and the shop; no internal notes."),
    operation_id="get_case",
)
def get_case(request: HttpRequest, number: str) -> HttpResponse:
    case = Case.objects.select_related("member").filter(pk=_id(number, "number")).first()
    if case is None:
        raise Refused(404, "no_such_case", _("There is no such case."), field="number")
    said = case.messages.exclude(kind=MessageKind.NOTE).order_by("at", "pk")
    messages = [
        {"by": "member" if one.kind == MessageKind.IN else "shop", "text": one.text, "at": rfc3339(one.at)}
        for one in said
    ]
    return respond(200, {**_told(case), "messages": messages})

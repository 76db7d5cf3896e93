"""What staff do with a case. Every act says which version of the case it was decided on: two who act at once do not
write over each other."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from common.doorbell import ring
from surveys import clock
from surveys.enums_cases import CaseChannel, CaseState, MessageKind
from surveys.events import CASE_ANSWERED, CASE_CLOSED, CASE_REOPENED
from surveys.models import Case, CaseMessage
from surveys.queries_desk import care_settings, desk_hours, target
from surveys.services.cases.opening import NotTheirs, is_done, note_change, said, tell, wind, write

MOVES = {
    CaseState.NEW: (CaseState.OPEN, CaseState.WAITING, CaseState.RESOLVED),
    CaseState.OPEN: (CaseState.WAITING, CaseState.RESOLVED),
    CaseState.WAITING: (CaseState.OPEN, CaseState.RESOLVED),
    CaseState.RESOLVED: (CaseState.CLOSED, CaseState.OPEN),
    CaseState.CLOSED: (CaseState.OPEN,),
    CaseState.MERGED: (),
}
FACTS = ("kind", "subject", "severity", "category_id", "cause_id", "purchase_id")


class Stale(Exception):
    """Somebody did something with the case since it was looked at: `who` (may be empty) and `what` was their last act;
    nothing was changed."""

    def __init__(self, *, who: str, what: str) -> None:
        super().__init__(who, what)
        self.who, self.what = who, what


class NoSuchMove(Exception):
    """A case in this state cannot go there."""


class CannotMerge(Exception):
    """Cases of two members, or one with itself, or one that is merged already."""


class NoAddress(Exception):
    """There is no e-mail to write to."""


def _locked(case_id: int, version: int | None) -> Case:
    case = Case.objects.select_for_update(of=("self",), no_key=True).select_related("member").get(pk=case_id)
    if version is not None and case.version != version:
        last = case.changes.select_related("actor").order_by("-pk").first()
        who = (last.actor.get_full_name() or last.actor.email) if last and last.actor else ""
        raise Stale(who=who, what=last.what if last else "")
    return case


def keep(case: Case, *, at: datetime) -> None:
    """Saves a case that was changed, with its clock wound."""
    case.version += 1
    case.changed_at = at
    wind(case, at=at)
    if case.escalated_at and case.remind_at and case.remind_at <= at:
        case.remind_at = None  # was told already
    case.save()


@transaction.atomic
def assign(*, case_id: int, owner_id: int | None, at: datetime, actor_id: int | None, version: int | None) -> Case:
    """Gives a case to somebody, or to nobody. Stale."""
    case = _locked(case_id, version)
    if case.owner_id == owner_id:
        return case
    case.owner_id, case.owner_untold = owner_id, owner_id is not None and owner_id != actor_id
    note_change(case, "owner", at=at, actor_id=actor_id, data={"owner": owner_id})
    keep(case, at=at)
    return case


@transaction.atomic
def note(*, case_id: int, text: str, at: datetime, actor_id: int) -> CaseMessage:
    """A note that only staff read. opening.TooMuchText."""
    case = _locked(case_id, None)
    message = write(case, kind=MessageKind.NOTE, channel=CaseChannel.PERSON, text=said(text), at=at, author_id=actor_id)
    note_change(case, "note", at=at, actor_id=actor_id, data={"message": message.pk})
    return message


@transaction.atomic
def reply(
    *,
    case_id: int,
    text: str,
    channel: CaseChannel | str,
    at: datetime,
    actor_id: int,
    version: int | None,
    then: CaseState | str | None = None,
) -> CaseMessage:
    """Answers the member: by e-mail, in the portal alone, or what was said by phone or in person, put down. The first
    one stops the first clock. `then` is the state after it. Stale; opening.TooMuchText; NoAddress; NoSuchMove."""
    case = _locked(case_id, version)
    text = said(text)
    if case.state == CaseState.MERGED:
        raise NoSuchMove
    by_mail = channel == CaseChannel.EMAIL
    if by_mail and not address_of(case):
        raise NoAddress
    message = write(case, kind=MessageKind.OUT, channel=channel, text=text, at=at, author_id=actor_id, send=by_mail)
    note_change(case, "answered", at=at, actor_id=actor_id, data={"message": message.pk, "channel": str(channel)})
    if case.answered_at is None:
        case.answered_at = at
        case.answer_minutes = clock.passed(case.opened_at, at, desk_hours())
    tell(case, CASE_ANSWERED, at=at, actor_id=actor_id)
    to = CaseState(then) if then else CaseState.OPEN if case.state == CaseState.NEW else CaseState(case.state)
    _move(case, to, at=at, actor_id=actor_id)
    keep(case, at=at)
    if by_mail:
        ring("surveys.tasks.send_case_mail")
    return message


def address_of(case: Case) -> str:
    """The e-mail that a case is answered to; "" where there is none or the member is gone."""
    if case.member is None:
        return case.contact
    gone = case.member.merged_into_id is not None or case.member.erased_at is not None
    return "" if gone else case.member.email


@transaction.atomic
def move(*, case_id: int, to: CaseState | str, at: datetime, actor_id: int | None, version: int | None) -> Case:
    """Another state: begun, waiting for the member, put right, closed, or opened again. Stale; NoSuchMove."""
    case = _locked(case_id, version)
    _move(case, CaseState(to), at=at, actor_id=actor_id)
    keep(case, at=at)
    return case


def _move(case: Case, to: CaseState, *, at: datetime, actor_id: int | None) -> None:
    before = CaseState(case.state)
    if to == before:
        return
    if to not in MOVES[before]:
        raise NoSuchMove
    if before == CaseState.WAITING:
        _go_on(case, at)
    case.state = to
    if to == CaseState.WAITING:
        case.waiting_since = at
    if to == CaseState.RESOLVED:
        case.resolved_at = at
        case.resolve_minutes = clock.passed(case.opened_at, at, desk_hours())
    if to == CaseState.CLOSED:
        case.closed_at = at
        tell(case, CASE_CLOSED, at=at, actor_id=actor_id)
    again = before in (CaseState.RESOLVED, CaseState.CLOSED) and to == CaseState.OPEN
    if again:
        _open_again(case, at)
        tell(case, CASE_REOPENED, at=at, actor_id=actor_id)
    what = "reopened" if again else "state"
    note_change(case, what, at=at, actor_id=actor_id, data={"from": before.value, "to": to.value})


def _go_on(case: Case, at: datetime) -> None:
    """The clock stood while the member was waited for: what was left then is left now."""
    hours = desk_hours()
    if case.waiting_since is not None:
        left = clock.passed(case.waiting_since, case.resolve_due_at, hours)
        case.resolve_due_at = max(case.resolve_due_at, clock.due(at, left, hours))
    case.waiting_since = None


def _open_again(case: Case, at: datetime) -> None:
    """As long to put it right as at first; how long it took is counted from when it was opened first."""
    _answer, resolve = target(case.severity)
    case.resolved_at = case.resolve_minutes = case.closed_at = None
    case.escalated_at = None
    case.resolve_due_at = clock.due(at, resolve, desk_hours())
    case.reopened += 1


@transaction.atomic
def set_facts(
    *, case_id: int, facts: Mapping[str, Any], at: datetime, actor_id: int | None, version: int | None
) -> Case:
    """What it is about: any of FACTS. Another severity has other times, from the opening on. Stale; NotTheirs."""
    case = _locked(case_id, version)
    changed = {name: value for name, value in facts.items() if name in FACTS and getattr(case, name) != value}
    if not changed:
        return case
    before = {name: getattr(case, name) for name in changed if name != "subject"}
    for name, value in changed.items():
        setattr(case, name, value)
    if case.purchase is not None and case.purchase.member_id != case.member_id:
        raise NotTheirs
    if case.purchase is not None and not case.store:
        case.store = case.purchase.store
    if "severity" in changed and not is_done(case):
        answer, resolve = target(case.severity)
        hours = desk_hours()
        case.answer_due_at = clock.due(case.opened_at, answer, hours)
        if not case.reopened:
            case.resolve_due_at = clock.due(case.opened_at, resolve, hours)
    data: dict[str, Any] = {name: [before.get(name), value] for name, value in changed.items() if name != "subject"}
    note_change(case, "facts", at=at, actor_id=actor_id, data=data or {"subject": True})
    keep(case, at=at)
    return case


@transaction.atomic
def merge(*, case_id: int, into_id: int, at: datetime, actor_id: int | None, version: int | None) -> Case:
    """The same thing told twice: this one goes into the other, which answers for it from now on and counts alone.
    Stale; CannotMerge."""
    for pk in sorted({case_id, into_id}):  # in the order of their keys, as every lock
        Case.objects.select_for_update(no_key=True).filter(pk=pk).first()
    case = _locked(case_id, version)
    into = Case.objects.filter(pk=into_id).first()
    other = into is None or (case.member_id or case.contact) != (into.member_id or into.contact)
    if other or into is None or case.pk == into.pk or CaseState.MERGED in (case.state, into.state):
        raise CannotMerge
    into.actions.add(*case.actions.all())
    Case.objects.filter(merged_into=case).update(merged_into=into)
    case.state, case.merged_into, case.waiting_since = CaseState.MERGED, into, None
    note_change(case, "merged", at=at, actor_id=actor_id, data={"into": into.pk})
    note_change(into, "took_in", at=at, actor_id=actor_id, data={"case": case.pk})
    if case.opened_at < into.opened_at:
        into.opened_at = case.opened_at
    if case.answered_at is not None and into.answered_at is None:
        into.answered_at, into.answer_minutes = case.answered_at, case.answer_minutes
        into.state = CaseState.OPEN if into.state == CaseState.NEW else into.state
    keep(case, at=at)
    keep(into, at=at)
    return into


def close_settled(*, at: datetime) -> int:
    """Closes what was put right long enough ago without the member writing again; how many."""
    since = at - timedelta(days=care_settings().close_after_days)
    due = Case.objects.filter(state=CaseState.RESOLVED, resolved_at__lte=since).order_by("pk")
    closed = 0
    for pk in list(due.values_list("pk", flat=True)[:500]):
        with transaction.atomic():
            case = Case.objects.select_for_update(skip_locked=True).filter(pk=pk, state="resolved").first()
            if case is not None:
                _move(case, CaseState.CLOSED, at=at, actor_id=None)
                keep(case, at=at)
                closed += 1
    return closed

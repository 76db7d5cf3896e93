"""What is done on the page of a case: each act reads what was posted and calls one service. What cannot be done is a
ValidationError with a sentence."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.utils.dateparse import parse_date
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from members.services.profile import MemberGone
from members.services.purchases import KeyReused
from rewards.services.coupons.issuing import OfferNotRunning, OutOfCodes
from rewards.services.grants import AlreadyDecided, OwnRequest
from surveys import winback
from surveys.enums_cases import CaseChannel, CaseKind, CaseState, RemedyKind, RemedyState, Severity
from surveys.models import Case, ImprovementAction, Remedy
from surveys.services.cases import acting, improving, remedies
from surveys.services.cases.acting import CannotMerge, NoAddress, NoSuchMove, Stale
from surveys.services.cases.opening import MOST, NotTheirs, TooMuchText
from surveys.words_cases import stale_words

Act = Callable[[Case, HttpRequest, datetime], str]


def do(name: str, case: Case, request: HttpRequest, at: datetime) -> str:
    """Does what was posted; what to say of it. ValidationError with a sentence; PermissionDenied; LookupError where
    there is no such act."""
    other = winback.act(name)
    if other is not None:
        part, run = other
        if not request.user.has_perm(part.permission):
            raise PermissionDenied
        return run(case, at, request)
    run_own, permission = ACTS[name]
    if not request.user.has_perm(permission):
        raise PermissionDenied
    try:
        return run_own(case, request, at)
    except Stale as stale:
        raise ValidationError(stale_words(stale.who)) from stale
    except NoSuchMove as error:
        raise ValidationError(gettext("From where the case is now, this is not a next step.")) from error
    except TooMuchText as error:
        most = {"most": number_format(MOST, use_l10n=True, force_grouping=True)}
        raise ValidationError(gettext("Please write something, at most %(most)s characters.") % most) from error
    except MemberGone as error:
        raise ValidationError(gettext("This member is not there any more.")) from error
    except improving.NoSuggestion as error:
        raise ValidationError(gettext("Only suggestions are shown to members.")) from error
    except KeyReused as error:
        raise ValidationError(
            gettext("This form was sent before with something else. Look at what is there.")
        ) from error


def _person(request: HttpRequest) -> int:
    return cast("int", request.user.pk)


def _version(request: HttpRequest) -> int | None:
    told = request.POST.get("version", "")
    return int(told) if told.isdecimal() and len(told) < 10 else None


def _id(request: HttpRequest, name: str) -> int | None:
    told = request.POST.get(name, "")
    return int(told) if told.isdecimal() and len(told) < 18 else None


def _choice(request: HttpRequest, name: str, choices: Any) -> str:
    told = request.POST.get(name, "")
    if told not in choices.values:
        raise ValidationError(gettext("Please choose one of those that are there."))
    return told


def _key(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError as error:
        raise ValidationError(gettext("Please load the page again.")) from error


def _reply(case: Case, request: HttpRequest, at: datetime) -> str:
    channel = _choice(request, "channel", CaseChannel)
    try:
        acting.reply(
            case_id=case.pk,
            text=request.POST.get("text", ""),
            channel=channel,
            then=_choice(request, "then", CaseState),
            at=at,
            actor_id=_person(request),
            version=_version(request),
        )
    except NoAddress as error:
        raise ValidationError(gettext("There is no e-mail to write to.")) from error
    if channel == CaseChannel.EMAIL:
        return gettext("Your answer is on its way.")
    return gettext("Your answer is kept.")


def _note(case: Case, request: HttpRequest, at: datetime) -> str:
    acting.note(case_id=case.pk, text=request.POST.get("text", ""), at=at, actor_id=_person(request))
    return gettext("The note is kept; only staff read it.")


def _assign(case: Case, request: HttpRequest, at: datetime) -> str:
    from surveys.queries_desk import staff

    owner = _id(request, "owner")
    if owner is not None and not staff().filter(pk=owner).exists():
        raise ValidationError(gettext("Please choose somebody of the staff."))
    acting.assign(case_id=case.pk, owner_id=owner, at=at, actor_id=_person(request), version=_version(request))
    return gettext("It is on your desk.") if owner == request.user.pk else gettext("It has another owner.")


def _move(case: Case, request: HttpRequest, at: datetime) -> str:
    to = _choice(request, "to", CaseState)
    moved = acting.move(case_id=case.pk, to=to, at=at, actor_id=_person(request), version=_version(request))
    return gettext("%(number)s: %(state)s") % {"number": moved.number, "state": CaseState(to).label}


def _facts(case: Case, request: HttpRequest, at: datetime) -> str:
    facts = {
        "kind": _choice(request, "kind", CaseKind),
        "severity": _choice(request, "severity", Severity),
        "subject": " ".join(request.POST.get("subject", "").split())[:200] or case.subject,
        **{f"{name}_id": _id(request, name) for name in ("category", "cause", "purchase")},
    }
    try:
        acting.set_facts(case_id=case.pk, facts=facts, at=at, actor_id=_person(request), version=_version(request))
    except NotTheirs as error:
        raise ValidationError(gettext("This purchase is another member's.")) from error
    return gettext("What it is about is kept.")


def _merge(case: Case, request: HttpRequest, at: datetime) -> str:
    into = _id(request, "into")
    try:
        if into is None:
            raise CannotMerge
        kept = acting.merge(case_id=case.pk, into_id=into, at=at, actor_id=_person(request), version=_version(request))
    except CannotMerge as error:
        raise ValidationError(gettext("Only open cases of one member can be merged.")) from error
    return gettext("This case is part of %(number)s now.") % {"number": kept.number}


def _remedy(case: Case, request: HttpRequest, at: datetime) -> str:
    kind = _choice(request, "kind", RemedyKind)
    reason = " ".join(request.POST.get("reason", "").split())[:200] or case.subject[:150] or case.number
    told = {"case_id": case.pk, "key": _key(request), "reason": reason, "at": at, "actor_id": _person(request)}
    if kind == RemedyKind.APOLOGY:
        given = remedies.apologise(**told)  # type: ignore[arg-type]
    elif kind == RemedyKind.POINTS:
        points = _id(request, "points")
        if not points or points > 1_000_000:
            raise ValidationError(gettext("How many points? A whole number, at most a million."))
        given = remedies.give_points(**told, points=points)  # type: ignore[arg-type]
    else:
        given = _coupon(request, told)
    if given.state == RemedyState.WAITING:
        return gettext("That is more than one person may give here: another has to agree.")
    return gettext("Given.")


def _coupon(request: HttpRequest, told: dict[str, Any]) -> Remedy:
    offer = _id(request, "offer")
    if offer is None:
        raise ValidationError(gettext("Please choose an offer."))
    try:
        return remedies.give_coupon(**told, offer_id=offer)
    except OfferNotRunning as error:
        raise ValidationError(gettext("Nothing is given of this offer now.")) from error
    except OutOfCodes as error:
        raise ValidationError(gettext("This offer has no codes left.")) from error
    except remedies.NotEntitled as error:
        raise ValidationError(gettext("This offer is for a segment that the member is not in.")) from error


def _decide(case: Case, request: HttpRequest, at: datetime) -> str:
    agreed = request.POST.get("agreed") == "yes"
    try:
        remedies.decide(remedy_id=_id(request, "remedy") or 0, agreed=agreed, at=at, actor_id=_person(request))
    except OwnRequest as error:
        raise ValidationError(gettext("Another person has to decide.")) from error
    except (AlreadyDecided, Remedy.DoesNotExist) as error:
        raise ValidationError(gettext("This is decided already.")) from error
    return gettext("Given.") if agreed else gettext("Refused.")


def _plan(case: Case, request: HttpRequest, at: datetime) -> str:
    known = _id(request, "action")
    if known is not None:
        if not ImprovementAction.objects.filter(pk=known).exists():
            raise ValidationError(gettext("Please choose one of those that are there."))
        improving.share(action_id=known, case_id=case.pk, at=at, actor_id=_person(request))
        return gettext("The improvement is for this case, too.")
    cause = _id(request, "cause") or case.cause_id
    if cause is None:
        raise ValidationError(gettext("Please say the cause first: an improvement does away with a cause."))
    improving.plan(
        title=request.POST.get("title", ""),
        cause_id=cause,
        assignee_id=_id(request, "assignee"),
        due_on=_day(request.POST.get("due_on", "")),
        at=at,
        actor_id=_person(request),
        case_id=case.pk,
    )
    return gettext("The improvement is planned.")


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError as error:
        raise ValidationError(gettext("There is no such day.")) from error


def _publish(case: Case, request: HttpRequest, at: datetime) -> str:
    told = request.POST
    fields = ("title_en", "title_zh_hans", "answer_en", "answer_zh_hans")
    idea = improving.publish(
        case_id=case.pk,
        shown=told.get("shown") != "no",
        state=told.get("state", "open"),
        at=at,
        actor_id=_person(request),
        **{name: told.get(name, "").replace("\x00", "").strip() for name in fields},
    )
    likes = idea.likes.count()
    if idea.published_at is None:
        return gettext("Members do not see it any more.")
    return ngettext("All members see it; %(n)d likes it.", "All members see it; %(n)d like it.", likes) % {"n": likes}


CHANGE = "surveys.change_case"
ACTS: dict[str, tuple[Act, str]] = {
    "reply": (_reply, CHANGE),
    "note": (_note, CHANGE),
    "assign": (_assign, CHANGE),
    "move": (_move, CHANGE),
    "facts": (_facts, CHANGE),
    "merge": (_merge, CHANGE),
    "remedy": (_remedy, "surveys.add_remedy"),
    "decide": (_decide, "surveys.change_remedy"),
    "plan": (_plan, "surveys.add_improvementaction"),
    "publish": (_publish, "surveys.change_suggestion"),
}

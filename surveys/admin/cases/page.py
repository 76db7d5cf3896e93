"""What the pages of cases show: one case, and the board."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

from django.db.models import Count, OuterRef, Q, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format

from common.money import format_money
from members.models import Purchase
from rewards.enums import OfferKind, OfferState
from rewards.models import Offer
from rewards.queries import points_text
from surveys import winback
from surveys.definition import said
from surveys.enums_cases import (
    DONE,
    UNDONE,
    ActionState,
    CaseChannel,
    CaseKind,
    CaseState,
    IdeaState,
    MessageKind,
    RemedyKind,
    Severity,
)
from surveys.logic import in_words, piped
from surveys.models import CannedReply, Case, CaseMessage, Category, ImprovementAction, RootCause
from surveys.queries import given_in, reading
from surveys.queries_desk import remedy_limit, staff, standing_for, talk_of
from surveys.queries_effect import score_after
from surveys.queries_words import themes_now
from surveys.services.cases.acting import MOVES, address_of
from surveys.services.cases.remedies import standing
from surveys.words_cases import change_words, minutes_words, name_of, names_for, until_words

COLUMNS = (CaseState.NEW, CaseState.OPEN, CaseState.WAITING, CaseState.RESOLVED)
BOARD = 20  # cards in a column
MOVE_WORDS = {
    CaseState.OPEN: "begin",
    CaseState.WAITING: "wait",
    CaseState.RESOLVED: "resolve",
    CaseState.CLOSED: "close",
}


def case_page(
    case: Case, *, at: datetime, request: HttpRequest, problem: str = "", typed: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The context of a case's page. `typed` is what was sent and refused: it stays in its form."""
    typed = typed or {}
    language = (case.member.language if case.member else "") or "en"
    return {
        "case": case,
        "into": standing_for(case) if case.merged_into_id else None,
        "problem": problem,
        "typed": typed,
        "owner": name_of(case.owner),
        "mine": case.owner_id == request.user.pk,
        "clock": _clock(case, at),
        "talk": talk_of(case),
        "themes": [theme for pk, theme in themes_now().items() if pk in (case.themes or ())],
        "moves": [(to.value, to.label, CaseState(case.state) in DONE) for to in MOVES[CaseState(case.state)]],
        "address": address_of(case),
        "channels": _channels(case),
        "states_after": [(to.value, to.label) for to in (CaseState.OPEN, CaseState.WAITING, CaseState.RESOLVED)],
        "canned": _canned(language),
        "reply_text": typed.get("text", "") if typed.get("act") == "reply" else _chosen(case, request, language),
        "language": language,
        "kinds": CaseKind.choices,
        "severities": Severity.choices,
        "categories": Category.objects.filter(Q(archived_at=None) | Q(pk=case.category_id)),
        "causes": RootCause.objects.filter(Q(archived_at=None) | Q(pk=case.cause_id)),
        "people": [(user.pk, name_of(user)) for user in staff()],
        "purchases": _purchases(case),
        "remedies": _remedies(case, request),
        "remedy": _remedy_form(case, request),
        "actions": case.actions.select_related("cause", "assignee"),
        "open_actions": ImprovementAction.objects.exclude(state=ActionState.DROPPED)
        .exclude(cases=case)
        .order_by("-pk")[:50],
        "others": _others(case),
        "history": _history(case),
        "answers": _answers(case, language),
        "idea": getattr(case, "suggestion", None),
        "idea_states": IdeaState.choices,
        "offers_of_others": winback.shown(case, at=at, request=request),
        "after": _after(case, at),
        "may_change": request.user.has_perm("surveys.change_case"),
        "may_give": request.user.has_perm("surveys.add_remedy"),
        "may_improve": request.user.has_perm("surveys.add_improvementaction"),
        "key": uuid4(),
        "at": at,
    }


def _clock(case: Case, at: datetime) -> list[tuple[str, str, bool]]:
    """(what, when in words, late) of the two clocks."""
    if case.state == CaseState.MERGED:
        return []
    rows = []
    if case.answered_at is None and case.state in UNDONE:
        rows.append(("answer", until_words(case.answer_due_at, at), case.answer_due_at <= at))
    else:
        rows.append(("answered", minutes_words(case.answer_minutes), False))
    if case.state in DONE:
        rows.append(("resolved", minutes_words(case.resolve_minutes), False))
    elif case.state == CaseState.WAITING:
        rows.append(("stands", "", False))
    else:
        rows.append(("resolve", until_words(case.resolve_due_at, at), case.resolve_due_at <= at))
    return rows


def _channels(case: Case) -> list[tuple[str, str]]:
    known = [CaseChannel.PHONE, CaseChannel.PERSON]
    if case.member is not None and case.member.user_id is not None:
        known.insert(0, CaseChannel.PORTAL)
    if address_of(case):
        known.insert(0, CaseChannel.EMAIL)
    return [(one.value, str(one.label)) for one in known]


def _canned(language: str) -> list[CannedReply]:
    return list(CannedReply.objects.filter(archived_at=None))


def _chosen(case: Case, request: HttpRequest, language: str) -> str:
    """The canned reply that was asked for, in the member's language, with their name."""
    asked = request.GET.get("canned", "")
    found = CannedReply.objects.filter(pk=asked).first() if asked.isdecimal() and len(asked) < 12 else None
    if found is None:
        return ""
    text = getattr(found, f"text_{language.replace('-', '_')}", "") or found.text_en  # type: ignore[attr-defined]
    return text.replace("{{ name }}", case.member.name if case.member else "")


def _purchases(case: Case) -> list[tuple[int, str]]:
    """The newest purchases of the member, and the one it is about."""
    if case.member_id is None:
        return []
    bought = list(Purchase.objects.filter(member=case.member_id).order_by("-purchased_at")[:20])
    if case.purchase is not None and case.purchase not in bought:
        bought.append(case.purchase)
    return [
        (one.pk, f"{format_money(one.amount_minor, one.currency)} · {one.purchased_at:%Y-%m-%d} {one.store}")
        for one in bought
    ]


def _remedies(case: Case, request: HttpRequest) -> list[dict[str, Any]]:
    rows = case.remedies.select_related("grant", "offer", "coupon", "actor", "settled_by").order_by("at")
    return [
        {
            "remedy": one,
            "what": points_text(one.points)
            if one.points
            else str(one.offer.name if one.offer else one.get_kind_display()),  # type: ignore[attr-defined]
            "state": standing(one),
            "decide": one.kind == RemedyKind.COUPON and one.state == "waiting" and one.actor_id != request.user.pk,
        }
        for one in rows
    ]


def _remedy_form(case: Case, request: HttpRequest) -> dict[str, Any] | None:
    if case.member is None or case.member.erased_at or case.state == CaseState.MERGED:
        return None
    points, coupons = remedy_limit(cast("int", request.user.pk))
    offers = Offer.objects.filter(state=OfferState.LIVE, shared_code=None).exclude(kind=OfferKind.CARD).order_by("name")
    return {
        "points": None if points is None else number_format(points, use_l10n=True, force_grouping=True),
        "coupons": coupons,
        "offers": list(offers[:100]),
    }


def _others(case: Case) -> list[Case]:
    if case.member_id is None:
        return []
    return list(Case.objects.filter(member=case.member_id).exclude(pk=case.pk).order_by("-opened_at")[:10])


def _history(case: Case) -> list[dict[str, Any]]:
    names = names_for(case)
    return [
        {"change": one, "who": name_of(one.actor), "words": change_words(one, names)}
        for one in case.changes.select_related("actor").order_by("-at", "-pk")
    ]


def _answers(case: Case, language: str) -> list[tuple[str, str]]:
    if case.response is None:
        return []
    survey, given = reading(case.response.version_id), given_in(case.response)
    name = case.member.name if case.member else ""
    return [
        (
            piped(said(question.title, language), survey, given, language=language, name=name),
            in_words(question, given[question.id], language) or "–",
        )
        for question in survey.questions()
        if question.id in given
    ]


def _after(case: Case, at: datetime) -> dict[str, Any] | None:
    """What the member did since it was put right, and how they answer now."""
    if case.resolved_at is None or case.member_id is None:
        return None
    bought = Purchase.objects.filter(member=case.member_id, purchased_at__gt=case.resolved_at)
    return {
        "purchases": bought.count(),
        "first": bought.order_by("purchased_at").values_list("purchased_at", flat=True).first(),
        "score": score_after(case),
        "was": None if case.score is None else int(case.score),
        "coupons": sum(
            1 for one in case.remedies.select_related("coupon") if one.coupon and one.coupon.state == "used"
        ),
    }


# --- The board --------------------------------------------------------------------------------------------------
def board(request: HttpRequest, *, at: datetime) -> dict[str, Any]:
    """Columns by state, what is due soonest first; whose, as the address asks."""
    whose = request.GET.get("whose", "")
    cases = Case.objects.all()
    if whose == "mine":
        cases = cases.filter(owner=request.user.pk)
    elif whose == "nobody":
        cases = cases.filter(owner=None)
    counts = dict(cases.filter(state__in=COLUMNS).values_list("state").annotate(n=Count("pk")))
    columns = []
    for state in COLUMNS:
        order = "-resolved_at" if state == CaseState.RESOLVED else "resolve_due_at"
        rows = list(cases.filter(state=state).select_related("member", "owner").order_by(order, "pk")[:BOARD])
        columns.append(
            {
                "state": state,
                "label": state.label,
                "count": counts.get(state.value, 0),
                "more": reverse("admin:surveys_case_changelist") + f"?state__exact={state.value}",
                "cards": [_card(case, at) for case in rows],
            }
        )
    return {"columns": columns, "whose": whose}


def _card(case: Case, at: datetime) -> dict[str, Any]:
    due = case.next_due
    return {
        "case": case,
        "owner": name_of(case.owner),
        "due": until_words(due, at) if due else "",
        "late": bool(due and due <= at),
        "moves": [(to.value, to.label) for to in MOVES[CaseState(case.state)]],
    }


_LAST = CaseMessage.objects.filter(case=OuterRef("pk"), kind=MessageKind.IN).order_by("-at")
LAST_WORDS = Subquery(_LAST.values("text")[:1])

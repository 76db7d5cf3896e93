"""The panels that need nobody but this app: tags, details, tasks, notes, purchases, household, consents."""

from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.dateparse import parse_date
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.money import format_money
from members.attributes import in_words
from members.channels import offered
from members.enums import MARKETING, AttributeSection, Purpose
from members.models import Consent, Household, Member, Note, Purchase, PurchaseSummary, Tag, Task, User
from members.panels import MAIN, SIDE, TOP, register
from members.queries import attributes, consent_state, find_member, get_programme
from members.services.households import OtherHousehold, leave_household, rename_household, share_household
from members.services.notes import NotYours, add_note, edit_note, pin_note, remove_note
from members.services.tags import add_tag, remove_tag
from members.services.tasks import add_task, finish_task, reopen_task

NOTES, TASKS_DONE, SUGGESTED_TAGS, PURCHASES, CONSENTS = 20, 3, 200, 5, 30


def _number(request: HttpRequest, name: str) -> int:
    """The primary key that a form sent; 0, which is nobody's, where it is none."""
    text = request.POST.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _actor(request: HttpRequest) -> int:
    return int(request.user.pk or 0)


def _gone() -> ValidationError:
    return ValidationError(gettext("Somebody else has just changed this. Please look again."))


# --- Tags -----------------------------------------------------------------------------------------------------------
def _tags(member: Member, at: datetime, request: HttpRequest) -> dict[str, Any]:
    return {
        "tags": list(member.tags.select_related("tag").order_by("tag__name")),
        "known_tags": list(Tag.objects.values_list("name", flat=True)[:SUGGESTED_TAGS]),
    }


def _add_tag(member: Member, at: datetime, request: HttpRequest) -> None:
    add_tag(member_ids=[member.pk], name=request.POST.get("name", ""), at=at, actor_id=_actor(request))


def _remove_tag(member: Member, at: datetime, request: HttpRequest) -> None:
    try:
        remove_tag(member_ids=[member.pk], tag_id=_number(request, "tag"), at=at, actor_id=_actor(request))
    except Tag.DoesNotExist as error:
        raise _gone() from error


# --- Details --------------------------------------------------------------------------------------------------------
def _details(member: Member, at: datetime, request: HttpRequest) -> dict[str, Any]:
    """Custom attributes by section, then what else the profile says."""
    known = attributes()
    said = [(a.section, str(a.label), in_words(a, member.attributes.get(a.key))) for a in known]
    return {
        "sections": [
            (section.label, [(label, words) for where, label, words in said if where == section and words])
            for section in AttributeSection
        ],
        "unsaid": [label for _where, label, words in said if not words],
    }


# --- Notes ----------------------------------------------------------------------------------------------------------
def _notes(member: Member, at: datetime, request: HttpRequest) -> dict[str, Any]:
    written = Note.objects.filter(member=member, removed_at=None).select_related("author").order_by("-pinned", "-at")
    notes = list(written[: NOTES + 1])
    return {"notes": notes[:NOTES], "more_notes": len(notes) > NOTES}


def _add_note(member: Member, at: datetime, request: HttpRequest) -> None:
    pinned = "pinned" in request.POST
    add_note(member_id=member.pk, text=request.POST.get("text", ""), pinned=pinned, at=at, actor_id=_actor(request))


def _own_note(member: Member, request: HttpRequest) -> int:
    pk = _number(request, "note")
    if not Note.objects.filter(pk=pk, member=member, removed_at=None).exists():
        raise _gone()
    return pk


def _edit_note(member: Member, at: datetime, request: HttpRequest) -> None:
    try:
        edit_note(
            note_id=_own_note(member, request), text=request.POST.get("text", ""), at=at, actor_id=_actor(request)
        )
    except NotYours as error:
        raise ValidationError(gettext("Only who wrote a note can change it.")) from error


def _pin_note(member: Member, at: datetime, request: HttpRequest) -> None:
    pin_note(note_id=_own_note(member, request), pinned=request.POST.get("pinned") == "1")


def _remove_note(member: Member, at: datetime, request: HttpRequest) -> None:
    try:
        remove_note(note_id=_own_note(member, request), at=at, actor_id=_actor(request))
    except NotYours as error:
        raise ValidationError(gettext("Only who wrote a note can take it away.")) from error


# --- Tasks ----------------------------------------------------------------------------------------------------------
def colleagues() -> list[User]:
    """Who can be asked to do something."""
    return list(User.objects.filter(is_staff=True, is_active=True).order_by("first_name", "last_name", "email"))


def _tasks(member: Member, at: datetime, request: HttpRequest) -> dict[str, Any]:
    of_member = Task.objects.filter(member=member).select_related("assignee", "done_by")
    return {
        "tasks": list(of_member.filter(done_at=None).order_by("due_on", "id")),
        "tasks_done": list(of_member.exclude(done_at=None).order_by("-done_at")[:TASKS_DONE]),
        "colleagues": colleagues(),
        "today": localtime(at).date(),
    }


def clean_due(text: str) -> date | None:
    """The day that a form sent; None for none. ValidationError where it is no day."""
    try:
        due = parse_date(text) if text else None
    except ValueError:
        due = None
    if text and due is None:
        raise ValidationError(gettext("“%(value)s” is not a date. Please write it like 2026-05-12.") % {"value": text})
    return due


def _add_task(member: Member, at: datetime, request: HttpRequest) -> None:
    add_task(
        member_id=member.pk,
        title=request.POST.get("title", ""),
        details=request.POST.get("details", ""),
        due_on=clean_due(request.POST.get("due_on", "")),
        assignee_id=_number(request, "assignee") or None,
        at=at,
        actor_id=_actor(request),
    )


def _own_task(member: Member, request: HttpRequest) -> int:
    pk = _number(request, "task")
    if not Task.objects.filter(pk=pk, member=member).exists():
        raise _gone()
    return pk


def _finish_task(member: Member, at: datetime, request: HttpRequest) -> None:
    finish_task(
        task_id=_own_task(member, request),
        outcome=request.POST.get("outcome", ""),
        at=at,
        actor_id=_actor(request),
    )


def _reopen_task(member: Member, at: datetime, request: HttpRequest) -> None:
    reopen_task(task_id=_own_task(member, request))


# --- Household ------------------------------------------------------------------------------------------------------
def _household(member: Member, at: datetime, request: HttpRequest) -> dict[str, Any]:
    if member.household_id is None:
        return {"household": None}
    others = list(Member.objects.filter(household=member.household_id).exclude(pk=member.pk).order_by("name"))
    summaries = PurchaseSummary.objects.in_bulk([member.pk, *(other.pk for other in others)])
    spent = sum(summary.spent_minor for summary in summaries.values())
    return {
        "household": Household.objects.get(pk=member.household_id),
        "others": others,
        "spent": format_money(spent, get_programme().currency),
        "purchases": sum(summary.purchases for summary in summaries.values()),
    }


def _join(member: Member, at: datetime, request: HttpRequest) -> None:
    typed = request.POST.get("who", "").strip()
    found = find_member(card=typed) or find_member(email=typed) or find_member(phone=typed) if typed else None
    if found is None:
        raise ValidationError(gettext("Nobody has this card, e-mail or phone. Please type it whole."))
    try:
        share_household(member_id=member.pk, with_member_id=found.pk, at=at, actor_id=_actor(request))
    except OtherHousehold as error:
        words = {"name": found, "household": error.household}
        text = gettext("%(name)s lives in “%(household)s”. Please take them out there first.")
        raise ValidationError(text % words) from error


def _leave(member: Member, at: datetime, request: HttpRequest) -> None:
    pk = _number(request, "member")
    if member.household_id is None or not Member.objects.filter(pk=pk, household=member.household_id).exists():
        raise _gone()
    leave_household(member_id=pk, at=at, actor_id=_actor(request))


def _rename(member: Member, at: datetime, request: HttpRequest) -> None:
    if member.household_id is None:
        raise _gone()
    rename_household(household_id=member.household_id, name=request.POST.get("name", ""))


# --- Purchases ------------------------------------------------------------------------------------------------------
def _purchases(member: Member, at: datetime, request: HttpRequest) -> dict[str, Any]:
    rows = Purchase.objects.filter(member=member).order_by("-purchased_at", "-id").prefetch_related("lines")
    return {"purchases": list(rows[:PURCHASES])}


# --- Consents -------------------------------------------------------------------------------------------------------
# Where consents are stated, for the translators.
SOURCES = (_("portal"), _("till"), _("phone"), _("e-mail"), _("letter"), _("unsubscribe link"))


def _said(consent: Consent | None) -> dict[str, Any]:
    """What a member last said; `consent` None where they were never asked."""
    return {"consent": consent, "where": gettext(consent.source) if consent else ""}


def _consents(member: Member, at: datetime, request: HttpRequest) -> dict[str, Any]:
    state, shown = consent_state(member.pk), offered()
    return {
        "log": member.consents.order_by("-at", "-id")[:CONSENTS],
        "marketing": [(p.label, [(c.label, _said(state.get((c, p)))) for c in shown]) for p in MARKETING],
        "others": [
            (p.label, {**_said(state.get(("", p))), "default": p == Purpose.PROFILING and member.personalised})
            for p in Purpose
            if p not in MARKETING
        ],
    }


def register_all() -> None:
    """Called once, when the app is ready."""
    tags = {"add": _add_tag, "remove": _remove_tag}
    tasks = {"add": _add_task, "done": _finish_task, "open": _reopen_task}
    notes = {"add": _add_note, "edit": _edit_note, "pin": _pin_note, "remove": _remove_note}
    household = {"join": _join, "leave": _leave, "rename": _rename}
    # key, title, order, what it says, who sees it, column, what can be done there, who does it
    for key, title, order, context, permission, column, acts, act_permission in (
        ("tags", _("Tags"), 10, _tags, "view_membertag", TOP, tags, "add_membertag"),
        ("details", _("Details"), 10, _details, "view_attribute", SIDE, {}, ""),
        ("tasks", _("To do"), 20, _tasks, "view_task", SIDE, tasks, "change_task"),
        ("notes", _("Notes"), 30, _notes, "view_note", SIDE, notes, "add_note"),
        ("household", _("Household"), 50, _household, "view_household", SIDE, household, "change_household"),
        ("consents", _("May we write?"), 60, _consents, "view_consent", SIDE, {}, ""),
        ("purchases", _("Purchases"), 20, _purchases, "view_purchase", MAIN, {}, ""),
    ):
        register(
            key,
            title,
            order,
            f"admin/member/{key}.html",
            context,
            f"members.{permission}",
            column,
            acts,
            f"members.{act_permission}",
            lasting=key in ("consents", "purchases"),
        )

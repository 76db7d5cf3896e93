"""The editor: what its page begins with, and what it asks while somebody edits."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from campaigns.journeys.definition import (
    EVENTS,
    OWN_DAYS,
    TIMED,
    Again,
    BadJourney,
    Journey,
    Known,
    StepKind,
    TriggerKind,
)
from campaigns.journeys.drawing import draw
from campaigns.journeys.parser import parse
from campaigns.journeys.words import exit_words, rules_words, step_words, trigger_words
from campaigns.services.journeys.definitions import known
from common.money import minor_digits
from members.queries import get_programme

EMPTY: dict[str, Any] = {
    "trigger": {"kind": "joined"},
    "steps": [],
    "again": {"rule": "never"},
    "catch_up_hours": 48,
}  # fmt: skip

# What the script says.
_WORDS = {
    "add": _("Add a step"),
    "add_here": _("Add a step here"),
    "choose": _("Choose…"),
    "up": _("Move up"),
    "down": _("Move down"),
    "remove": _("Remove"),
    "moved": _("Moved."),
    "removed": _("Removed."),
    "added": _("Added."),
    "empty": _("Nothing here: it goes straight on."),
    "yes": _("If so"),
    "no": _("If not"),
    "then": _("It happens"),
    "else": _("Time is up"),
    "way": _("Way %(n)s"),
    "add_way": _("Add a way"),
    "none": _("Nobody in particular: everybody"),
    "other": _("Other conditions (as JSON)"),
    "in_segment": _("is in the segment"),
    "as_journey": _("as the journey says"),
    "otherwise": _("otherwise by"),
    "nothing_else": _("no other way"),
    "commas": _("with commas between them; empty: all"),
    "offline": _("The server did not answer. What you entered is still here; the next change asks again."),
}


def script_words() -> dict[str, str]:
    return {key: str(text) for key, text in _WORDS.items()}


def settings(preview_url: str, *, may: bool) -> dict[str, Any]:
    """Where the script asks, and what the fields are called that stand in no kind of step."""
    currency = get_programme().currency
    labels: dict[str, Any] = {
        "only": gettext("Only who"), "goal": gettext("Goal: who reaches it leaves"), "again": gettext("Again"),
        "days": gettext("days"), "catch_up_hours": gettext("late by at most (hours)"),
        "entry_limit": gettext("members at most"), "cap_points": gettext("points given at most"),
        "cap_coupons": gettext("coupons given at most"), "cap_cost_minor": gettext("cost at most"),
        "by_hand": gettext("Staff may start it too, from a case"),
        "least": gettext("of at least"), "stores": gettext("at the stores"),
        "suggest": reverse("admin:members_segment_suggest") + "?trait=purchase.count",
        "currency": currency, "digits": minor_digits(currency),
    }  # fmt: skip
    return {"preview": preview_url, "may": may, **labels}


def _number(name: str, label: Any, least: int, most: int, usual: int | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "label": str(label), "type": "number", "least": least, "most": most, "usual": usual, **more}


def _select(name: str, label: Any, choices: Any, usual: Any = None, *, optional: bool = False) -> dict[str, Any]:
    pairs = [[value, str(text)] for value, text in (choices.items() if hasattr(choices, "items") else choices)]
    return {
        "name": name, "label": str(label), "type": "select", "choices": pairs, "usual": usual, "optional": optional,
    }  # fmt: skip


def _line(name: str, label: Any, most: int, help_: Any = "", usual: str | None = None) -> dict[str, Any]:
    return {"name": name, "label": str(label), "type": "line", "most": most, "help": str(help_), "usual": usual}


def _money(name: str, label: Any) -> dict[str, Any]:
    return {"name": name, "label": str(label), "type": "money"}


def _words(name: str, label: Any, filter_: str) -> dict[str, Any]:
    """Some words of the shop's own, with a comma between them; those that purchases name are offered."""
    return {"name": name, "label": str(label), "type": "words", "suggest": filter_}


def catalogue(there: Known) -> dict[str, Any]:
    """The kinds of triggers and steps, each with what is to be filled in."""
    hour = _number("hour", _("hour of the day"), 0, 23, 10)
    triggers: dict[str, list[dict[str, Any]]] = {
        TriggerKind.OCCASION: [
            _select("occasion", _("occasion"), {**OWN_DAYS, **there.occasions}, "birthday"),
            _number("days", _("days after (before: with a minus)"), -90, 90, 0),
            hour,
        ],
        TriggerKind.PURCHASE: [
            {"name": "first", "label": gettext("only the first one"), "type": "check"},
            _money("at_least_minor", _("of at least")),
            _words("stores", _("at the stores"), "store"),
            _words("categories", _("with something of the categories"), "category"),
        ],
        TriggerKind.SEGMENT: [
            _select("segment", _("segment"), there.segments),
            _select("change", _("who"), {"entered": _("comes in"), "left": _("leaves")}, "entered"),
        ],
        TriggerKind.LAPSED: [
            {"name": "factor", "label": gettext("times as long as usual"), "type": "decimal", "usual": 2},
            _number("days", _("days, for who came once or twice"), 7, 1098, 90),
            hour,
        ],
        TriggerKind.TIER: [
            _select(
                "change", _("what"), {"up": _("rises"), "down": _("falls"), "drop": _("is about to be lost")}, "up"
            ),
            _select("tier", _("tier"), there.tiers, optional=True),
        ],
        TriggerKind.EXPIRING: [
            _number("days", _("days before"), 1, 366, 14),
            _number("points", _("points at least"), 1, 10**9, 1),
            hour,
        ],
        TriggerKind.AFFORDABLE: [_select("reward", _("reward"), there.rewards, optional=True)],
        TriggerKind.CUSTOM: [_line("event", _("event, as the other system calls it"), 60)],
    }
    of_days = {
        "birthday": _("the birthday"),
        "expiry": _("the day on which points expire"),
        "coupon": _("the last day of the coupon"),
        **{f"attribute:{key}": label for key, label in there.attributes.items()},
    }
    steps: dict[str, list[dict[str, Any]]] = {
        StepKind.SEND: [
            _select("template", _("template"), there.templates),
            {"name": "channels", "label": gettext("by the channel"), "type": "channels"},
        ],
        StepKind.WAIT: [
            _number("days", _("days"), 0, 732, 1), _number("hours", _("hours"), 0, 999, 0),
            _number("minutes", _("minutes"), 0, 999, 0),
        ],
        StepKind.UNTIL_HOUR: [hour],
        StepKind.UNTIL_DATE: [
            {"name": "date", "label": gettext("day"), "type": "date"},
            _select("of", _("or a day of the member's own"), of_days, optional=True),
            _number("days", _("days after (before: with a minus)"), -365, 365, 0),
            hour,
        ],
        StepKind.WAIT_FOR: [
            {"name": "for", "label": gettext("what"), "type": "pattern"},
            _number("days", _("days at most"), 1, 732, 7),
        ],
        StepKind.IF: [{"name": "condition", "label": gettext("condition"), "type": "condition"}],
        StepKind.SPLIT: [],
        StepKind.POINTS: [
            _number("points", _("points"), 1, 10**7, 50),
            _number("valid_days", _("valid for (days)"), 1, 3660, optional=True),
            _line("reason", _("reason that the member reads"), 200, usual=""),
        ],
        StepKind.COUPON: [_select("offer", _("offer"), there.offers)],
        StepKind.TAG: [_line("tag", _("tag"), 40)],
        StepKind.UNTAG: [_line("tag", _("tag"), 40)],
        StepKind.TASK: [
            _line("title", _("what is to be done"), 120),
            _number("due_days", _("within (days)"), 0, 366, optional=True),
        ],
        StepKind.WEBHOOK: [_line("event", _("what is told"), 60, _("To the address of the sender for calls."))],
        StepKind.GO_TO: [{"name": "step", "label": gettext("step"), "type": "step"}],
        StepKind.END: [],
    }  # fmt: skip
    offered = [
        kind
        for kind in TriggerKind
        if kind in TIMED
        or EVENTS.get(kind, "member.joined") in there.events
        or kind in (TriggerKind.SEGMENT, TriggerKind.TIER, TriggerKind.HAND)
    ]
    return {
        "triggers": [{"kind": k.value, "label": str(k.label), "fields": triggers.get(k, [])} for k in offered],
        "steps": [{"kind": k.value, "label": str(k.label), "fields": fields} for k, fields in _kinds(steps)],
        "events": [[name, label] for name, label in there.events.items() if name != "member.joined"],
        "segments": [[pk, name] for pk, name in there.segments.items()],
        "channels": list(there.channels.items()),
        "again": [[value, str(label)] for value, label in Again.choices],
    }


def _kinds(steps: dict[str, list[dict[str, Any]]]) -> list[tuple[StepKind, list[dict[str, Any]]]]:
    return [(StepKind(kind), fields) for kind, fields in steps.items()]


def judged(definition: Any, *, counts: dict[str, int] | None = None) -> dict[str, Any]:
    """What a definition says, and looks like; or what is wrong with it."""
    there = known()
    try:
        read = parse(definition, there)
    except BadJourney as bad:
        problems = [{"path": problem.path, "sentence": str(problem.sentence)} for problem in bad.problems]
        return {"problems": problems, "svg": "", "sentences": [], "steps": {}}
    return {
        "problems": [],
        "svg": picture(read, there, counts).svg,
        "sentences": [trigger_words(read, there) + gettext("."), *rules_words(read, there)],
        "steps": {step.id: step_words(step, there) for step in read.steps.values()},
    }


def picture(read: Journey, there: Known, counts: dict[str, int] | None = None) -> Any:
    """The picture, with how many stand at each step."""
    told = {name: ngettext("%(n)d member", "%(n)d members", n) % {"n": n} for name, n in (counts or {}).items() if name}
    return draw(
        read,
        entry=trigger_words(read, there),
        leave=gettext("Out"),
        say=lambda step: step_words(step, there),
        name=exit_words,
        counts=told,
    )


def preview(request: HttpRequest) -> HttpResponse:
    """In a blink: what the definition says, how it looks, what is wrong with it."""
    try:
        given = json.loads(request.body or b"null")
    except (ValueError, RecursionError):
        given = None
    return JsonResponse(judged(given))

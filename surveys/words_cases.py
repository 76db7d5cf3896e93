"""Cases in words: what was done, how long things take, what to do about a refusal."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from surveys.enums_cases import CaseKind, CaseSource, CaseState, RemedyKind, Severity
from surveys.models import Case, CaseChange, Category, RootCause

FACT_LABELS = {
    "kind": _("kind"),
    "severity": _("severity"),
    "category_id": _("category"),
    "cause_id": _("cause"),
    "purchase_id": _("purchase"),
}
_PLAIN = {
    "note": _("wrote an internal note"),
    "answered": _("answered the member"),
    "wrote": _("The member wrote"),
    "reminded": _("A reminder went out: the time is nearly over"),
    "late": _("The time ran out; those who look after late cases were told"),
    "action": _("put an improvement to it"),
    "published": _("showed the suggestion to all members"),
    "withdrawn": _("took the suggestion off the members' pages"),
}


def name_of(user: Any) -> str:
    return (user.get_full_name() or user.email) if user else ""


def change_words(change: CaseChange, names: Mapping[str, Mapping[Any, str]]) -> str:
    """One line of the history. `names` are those of users, causes and categories, by id."""
    data = change.data
    if change.what in _PLAIN:
        return str(_PLAIN[change.what])
    if change.what == "opened":
        return gettext("opened the case (%(source)s)") % {"source": CaseSource(data["source"]).label}
    if change.what == "owner":
        if data["owner"] is None:
            return gettext("gave the case to nobody in particular")
        return gettext("gave the case to %(name)s") % {"name": names["users"].get(data["owner"], "?")}
    if change.what in ("state", "reopened"):
        words = {"before": CaseState(data["from"]).label, "after": CaseState(data["to"]).label}
        return gettext("%(before)s → %(after)s") % words
    if change.what in ("merged", "took_in"):
        number = f"C-{data['into' if change.what == 'merged' else 'case']}"
        sentence = (
            gettext("merged it into %(number)s") if change.what == "merged" else gettext("merged %(number)s into it")
        )
        return sentence % {"number": number}
    if change.what.startswith("remedy"):
        kind = {"kind": RemedyKind(data["kind"]).label}
        if change.what == "remedy_agreed":
            return gettext("agreed: %(kind)s") % kind
        if change.what == "remedy_refused":
            return gettext("refused: %(kind)s") % kind
        return gettext("made good: %(kind)s") % kind
    if change.what == "offered":
        return gettext("started “%(name)s” for the member") % {"name": data["name"]}
    if change.what == "facts":
        facts = "; ".join(_fact(name, told, names) for name, told in data.items())
        return gettext("set %(facts)s") % {"facts": facts}
    return change.what


def _fact(name: str, told: Any, names: Mapping[str, Mapping[Any, str]]) -> str:
    if name not in FACT_LABELS:
        return gettext("changed what it is about")
    after = told[1]
    known: Mapping[Any, Any] = {
        "kind": dict(CaseKind.choices),
        "severity": dict(Severity.choices),
        "category_id": names["categories"],
        "cause_id": names["causes"],
    }.get(name, {})
    return f"{FACT_LABELS[name]}: {known.get(after, after) if after is not None else '–'}"


def names_for(case: Case) -> dict[str, dict[Any, str]]:
    """The names that a history speaks of; three queries."""
    from members.models import User

    ids = {c.data["owner"] for c in case.changes.all() if c.what == "owner" and c.data["owner"]}
    return {
        "users": {user.pk: name_of(user) for user in User.objects.filter(pk__in=ids)},
        "categories": {one.pk: one.name for one in Category.objects.all()},
        "causes": {one.pk: one.name for one in RootCause.objects.all()},
    }


def minutes_words(minutes: float | None) -> str:
    """ "3 h 20 min"; "–" for None."""
    if minutes is None:
        return "–"
    hours, rest = divmod(round(minutes), 60)
    if not hours:
        return gettext("%(n)d min") % {"n": rest}
    if hours >= 100 or not rest:
        return gettext("%(n)d h") % {"n": hours}
    return gettext("%(h)d h %(m)d min") % {"h": hours, "m": rest}


def until_words(moment: datetime, at: datetime) -> str:
    """How far a moment is, by the clock on the wall: "in 3 h", "2 days late"."""
    minutes = int(abs((moment - at).total_seconds()) // 60)
    if minutes < 60:
        span = gettext("%(n)d min") % {"n": minutes}
    elif minutes < 2880:
        span = gettext("%(n)d h") % {"n": minutes // 60}
    else:
        days = minutes // 1440
        span = ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    return (gettext("in %(span)s") if moment > at else gettext("%(span)s late")) % {"span": span}


def stale_words(who: str) -> str:
    """What to say to whoever acted on what they no longer saw."""
    if who:
        return gettext("%(who)s has changed this case since you opened it. Look at it again, then send yours.") % {
            "who": who
        }
    return gettext("This case has changed since you opened it. Look at it again, then send yours.")

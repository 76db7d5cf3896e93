"""The builder: what the page begins with, and what it asks while somebody edits."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from members.admin.segments.forms import read_json
from members.admin.segments.words import members_text, number
from members.enums import AccessAction
from members.models import Member, Segment
from members.queries import get_programme
from members.segments import asking, tree, words
from members.segments.foresight import foresee
from members.segments.suggestions import suggestions
from members.segments.tree import BadDefinition
from members.services.access import log_access

SAMPLE = 10

# What the script says. Placeholders are filled in there.
_WORDS = {
    "all": _("All of these are true"),
    "any": _("At least one of these is true"),
    "none": _("None of these is true"),
    "notall": _("Not all of these are true"),
    "not": pgettext_lazy("condition", "not"),
    "negate": _("Turn into its opposite"),
    "unnegate": _("Take the “not” away"),
    "mode": _("How the conditions count together"),
    "add": _("Add a condition"),
    "add_group": _("Add a group"),
    "everybody": _("No condition yet: everybody is in."),
    "empty_group": _("An empty group. Add a condition, or take the group away."),
    "up": _("Move up"),
    "down": _("Move down"),
    "remove": _("Remove"),
    "more": _("More"),
    "wrap": _("Put into a group"),
    "unwrap": _("Dissolve the group"),
    "copy": _("Make a copy"),
    "moved": _("Moved."),
    "pick": _("Choose a condition"),
    "search": _("Search conditions"),
    "condition": _("Conditions"),
    "choose_condition": _("Choose a condition"),
    "change_condition": _("%(what)s. Choose another condition"),
    "gone": _("“%(name)s” is not there any more"),
    "operator": _("comparison"),
    "choose": _("Choose…"),
    "write": _("Type, then press Enter"),
    "nothing": _("Nothing found"),
    "take_away": _("Take away: %(what)s"),
    "cancel": _("Cancel"),
    "from": pgettext_lazy("range", "from"),
    "to": pgettext_lazy("range", "to"),
    "days": pgettext_lazy("unit", "days"),
    "when": _("When"),
    "ever": _("at any time"),
    "last_days": _("in the last … days"),
    "next_days": _("in the next … days"),
    "between": _("between two dates"),
    "from_day": _("First day"),
    "to_day": _("Last day"),
    "narrow": _("Narrow down…"),
    "open_one": _("One condition is not filled in yet. It is not counted."),
    "open_many": _("%(n)s conditions are not filled in yet. They are not counted."),
    "too_many": _("That would be more conditions than a segment can have."),
    "too_deep": _("Groups cannot be nested deeper."),
    "offline": _("The server did not answer. What you entered is still here; the next change asks again."),
}


def script_words() -> dict[str, str]:
    return {key: str(text) for key, text in _WORDS.items()} | {"currency": get_programme().currency}


def script_settings(segment: Segment | None, problems: Any) -> dict[str, Any]:
    return {
        "segment": segment.pk if segment else None,
        "preview_url": reverse("admin:members_segment_preview"),
        "count_url": reverse("admin:members_segment_count"),
        "suggest_url": reverse("admin:members_segment_suggest"),
        "leaves": tree.MOST_LEAVES,
        "depth": tree.MOST_DEPTH,
        "problems": problems_of(problems),
    }


def problems_of(problems: Any) -> list[dict[str, Any]]:
    return [{"path": problem.path, "sentence": str(problem.sentence)} for problem in problems]


def asked(request: HttpRequest) -> tuple[Any, Segment | None]:
    """The definition and the segment of a question of the script. BadDefinition."""
    if request.method != "POST":
        return {"all": []}, None
    given = read_json(request.body)
    if not isinstance(given, dict):
        return given, None
    pk = given.get("segment")
    segment = Segment.objects.filter(pk=pk).first() if isinstance(pk, int) else None
    return given.get("definition"), segment


def preview(request: HttpRequest) -> HttpResponse:
    """In a blink: what the definition says, about how many it finds, what is wrong with it."""
    at = now()
    try:
        definition, _segment = asked(request)
        said = words.summary(definition)
        estimate = asking.estimate(definition, at=at)
    except BadDefinition as bad:
        return JsonResponse({"problems": problems_of(bad.problems), "sentence": "", "count": "–", "note": ""})
    return JsonResponse(
        {
            "problems": [],
            "sentence": said,
            "count": members_text(estimate.members, exact=estimate.exact),
            "note": "" if estimate.exact else gettext("Counting exactly…"),
        }
    )


def count(request: HttpRequest) -> HttpResponse:
    """Exactly how many, some of them, and what saving would do."""
    at = now()
    try:
        definition, segment = asked(request)
        found = asking.count(definition, at=at)
        ids = asking.sample(definition, at=at, limit=SAMPLE)
        plan = what_saving_does(definition, segment, at=at)
    except BadDefinition as bad:
        return JsonResponse({"problems": problems_of(bad.problems), "count": "–", "note": "", "sample": [], "plan": []})
    may_see = request.user.has_perm("members.view_member")
    members = Member.objects.in_bulk(ids) if may_see else {}
    if members:
        what = gettext_noop("some members of a segment being built")
        log_access(actor_id=request.user.pk, action=AccessAction.VIEWED, what=what, members=len(members), at=at)
    return JsonResponse(
        {
            "problems": [],
            "count": members_text(found),
            "note": share(found),
            "plan": plan,
            "sample": [
                {
                    "name": member.name or member.email or member.card_number_grouped,
                    "card": member.card_number_grouped,
                    "url": reverse("admin:members_member_change", args=[member.pk]),
                }
                for member in (members[pk] for pk in ids if pk in members)
            ],
        }
    )


def suggest(request: HttpRequest) -> HttpResponse:
    """Values there are, for a trait or one of its filters that takes any text."""
    name, filter_name, text = (request.GET.get(key, "")[:200] for key in ("trait", "filter", "q"))
    return JsonResponse(suggestions(name, filter_name, text), safe=False)


def share(found: int) -> str:
    """How much of all members that is."""
    everybody = asking.count({"all": []}, at=now())
    if not everybody:
        return ""
    return gettext("%(percent)s of %(all)s members") % {
        "percent": _percent(100 * found / everybody),
        "all": number(everybody),
    }


def _percent(value: float) -> str:
    return gettext("%(n)s%%") % {"n": "< 1" if 0 < value < 1 else f"{value:.0f}"}


def what_saving_does(definition: Any, segment: Segment | None, *, at: Any) -> list[str]:
    """The sentences above the button."""
    enter, leave, _stay = foresee(definition, segment_id=segment.pk if segment else None, at=at)
    sentences = []
    if segment is None:
        sentences.append(
            ngettext("Makes the segment; %(n)s member comes in.", "Makes the segment; %(n)s members come in.", enter)
            % {"n": number(enter)}
        )
    else:
        if definition == segment.definition:  # who is still to come or go does so without it
            sentences.append(gettext("The conditions are as they were: no new version."))
        else:
            sentences.append(gettext("Makes version %(n)d of this segment.") % {"n": segment.version + 1})
            moved = come_and_go(enter, leave) if enter or leave else gettext("Nobody comes in, nobody goes out.")
            sentences.append(moved)
        if used := list(segment.used_by.filter(archived_at=None)[:5]):
            sentences.append(
                gettext("It is used by %(names)s, which change with it.") % {"names": ", ".join(map(str, used))}
            )
    if tree.is_timed(tree.parse(definition)):
        sentences.append(gettext("Some of it changes as time passes, so everybody is looked at again and again."))
    return sentences


def come_and_go(enter: int, leave: int) -> str:
    come = ngettext("%(n)s member comes in", "%(n)s members come in", enter) % {"n": number(enter)}
    go = ngettext("%(n)s goes out", "%(n)s go out", leave) % {"n": number(leave)}
    return gettext("%(come)s, %(go)s.") % {"come": come, "go": go}


def guarded(admin: Any, view: Any, permission: str = "view") -> Any:
    """A view for those who may see (or add, change) segments."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not getattr(admin, f"has_{permission}_permission")(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return answer

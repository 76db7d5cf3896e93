"""What a segment's page shows, in a number of queries that does not grow with its members."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import get_language, gettext, gettext_noop, ngettext, override

from members.admin.segments import builder
from members.admin.segments.states import standing
from members.admin.segments.words import chart, differences, members_text, number, sentence
from members.enums import AccessAction, Language
from members.models import Member, Segment, SegmentChange, SegmentMember
from members.queries import search
from members.queries_segments import find_members, overlap, sizes
from members.segments import asking, words
from members.services.access import log_access
from members.services.segments import Refreshed, set_picks

MEMBERS, CHANGES, VERSIONS, OTHERS, MOST_PICKS = 20, 15, 10, 200, 200
CHART_DAYS, LATELY_DAYS = 90, 30


def segment_page(segment: Segment, request: HttpRequest, *, at: datetime) -> dict[str, Any]:
    """The context of templates/admin/segment.html."""
    days = sizes(segment.pk, days=CHART_DAYS, at=at)
    lately = [day for day in days if day.day > at.date() - timedelta(days=LATELY_DAYS)]
    return {
        "copy_key": str(segment.pk),
        "standing": standing(segment, at),
        "sentences": both_languages(segment.definition),
        "chart": _chart([(day.day, day.size) for day in days]),
        "entered": sum(day.entered for day in lately),
        "left": sum(day.left for day in lately),
        "share": builder.share(segment.size) if segment.built_version else "",
        "used_by": list(segment.used_by.filter(archived_at=None)),
        "versions": _versions(segment),
        "picks_text": picks_text(segment),
        **_members(segment, request, at),
        **_changes(segment, request.GET.get("older", "")),
        **_overlap(segment, request.GET.get("with", "")),
    }


def both_languages(definition: Any) -> list[tuple[str, str]]:
    """What the definition says, in every language of the programme, the reader's first."""
    said = []
    for code in Language.values:
        with override(code):
            said.append((code, sentence(definition)))
    return sorted(said, key=lambda pair: pair[0] != get_language())


def _chart(days: list[tuple[Any, int]]) -> dict[str, Any] | None:
    drawn = chart(days)
    if drawn:
        text = gettext("Members from %(first)s (%(a)s) to %(last)s (%(b)s), at most %(top)s. The table says the same.")
        drawn["label"] = text % {
            "first": date_format(days[0][0]),
            "a": number(days[0][1]),
            "last": date_format(days[-1][0]),
            "b": number(days[-1][1]),
            "top": number(drawn["top"]),
        }
    return drawn


def _members(segment: Segment, request: HttpRequest, at: datetime) -> dict[str, Any]:
    """A page of members, those who came last by their id first, and where the next begins."""
    q, after = request.GET.get("q", "").strip(), request.GET.get("after", "")
    rows = SegmentMember.objects.filter(segment=segment).select_related("member").order_by("-member_id")
    if q:
        rows = rows.filter(member__in=search(q, Member.objects.all()).values("pk"))
    begun = after.isdecimal() and len(after) < 19
    if begun:
        rows = rows.filter(member_id__lt=int(after))
    found = list(rows[: MEMBERS + 1])
    if found:
        shown = len(found[:MEMBERS])
        log_access(
            actor_id=request.user.pk,
            action=AccessAction.VIEWED,
            what=gettext_noop("members of a segment"),
            members=shown,
            at=at,
        )
    more = found[MEMBERS - 1].member_id if len(found) > MEMBERS else ""
    return {"q": q, "members": found[:MEMBERS], "after": more, "before_page": begun}


def _changes(segment: Segment, older: str) -> dict[str, Any]:
    rows = SegmentChange.objects.filter(segment=segment).select_related("member").order_by("-at", "-id")
    moment, _bar, last = older.partition("|")
    try:
        before = parse_datetime(moment) if last.isdecimal() and len(last) < 19 else None
    except ValueError:  # an address that somebody typed
        before = None
    if before is not None:
        rows = rows.filter(Q(at__lt=before) | Q(at=before, pk__lt=int(last)))
    found = list(rows[: CHANGES + 1])
    page = found[:CHANGES]
    return {"changes": page, "older": f"{page[-1].at.isoformat()}|{page[-1].pk}" if len(found) > CHANGES else None}


def _versions(segment: Segment) -> list[Any]:
    found = list(segment.versions.select_related("actor").order_by("-version")[: VERSIONS + 1])
    for newer, older in pairwise(found):
        newer.added, newer.dropped = differences(older.definition, newer.definition)
    for version in found:
        version.sentence = sentence(version.definition)
    return found[:VERSIONS]


def picks_text(segment: Segment) -> str:
    """ "3 always in, 1 never in"."""
    n_in, n_out = (segment.picks.filter(include=include).count() for include in (True, False))
    if not n_in and not n_out:
        return gettext("Nobody.")
    always = ngettext("%(n)s always in", "%(n)s always in", n_in) % {"n": number(n_in)}
    never = ngettext("%(n)s never in", "%(n)s never in", n_out) % {"n": number(n_out)}
    return gettext("%(always)s, %(never)s") % {"always": always, "never": never}


def _overlap(segment: Segment, other_key: str) -> dict[str, Any]:
    others = list(Segment.objects.filter(archived_at=None).exclude(pk=segment.pk).order_by("name")[:OTHERS])
    other = next((one for one in others if str(one.pk) == other_key), None)
    if other is None:
        return {"others": others, "overlap": None}
    found = overlap(segment.pk, other.pk)
    only = gettext("only in “%(name)s”")
    parts = [
        {"key": "only-a", "short": "a", "label": only % {"name": segment}, "members": found.only_first},
        {"key": "both", "short": "both", "label": gettext("in both"), "members": found.both},
        {"key": "only-b", "short": "b", "label": only % {"name": other}, "members": found.only_second},
    ]
    return {
        "others": others,
        "overlap": {"other": other, "parts": parts, "sentence": _overlap_text(segment, other, found)},
    }


def _overlap_text(segment: Segment, other: Segment, found: Any) -> str:
    size = found.only_first + found.both
    if not size:
        return gettext("Nobody is in “%(name)s”.") % {"name": segment}
    text = gettext("%(percent)d%% of “%(one)s” are also in “%(other)s”.")
    return text % {"percent": round(100 * found.both / size), "one": segment, "other": other}


def in_words(definition: Any, segment: Segment | None, *, at: datetime) -> dict[str, Any]:
    """What the builder shows to whom it cannot show it live."""
    return {
        "sentence": words.summary(definition),
        "count": members_text(asking.count(definition, at=at)),
        "plan": builder.what_saving_does(definition, segment, at=at),
    }


def refreshed(done: Refreshed) -> str:
    """What a refresh did, in a sentence."""
    if not done.entered and not done.left:
        return gettext("It was up to date: nobody came or went.")
    return builder.come_and_go(done.entered, done.left)


def pick(
    segment: Segment, given: dict[str, Any], *, at: datetime, actor_id: int | None, request: HttpRequest
) -> list[str]:
    """Picks whom the form names; the keys that lead to nobody, or to several."""
    found = find_members(given["wanted"])
    include = given["include"] == "yes"
    set_picks(segment_id=segment.pk, member_ids=found.member_ids, include=include, at=at, actor_id=actor_id)
    if found.member_ids:
        name = {"members": members_text(len(found.member_ids)), "name": segment}
        if include:
            messages.success(request, gettext("%(members)s: always in “%(name)s” from now on.") % name)
        else:
            messages.success(request, gettext("%(members)s: never in “%(name)s” from now on.") % name)
    return [*found.unknown, *found.ambiguous]

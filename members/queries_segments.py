"""Reads about segments: whom to write to, whether that can be trusted, how segments overlap and grow."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext, ngettext
from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, parse

from common.moments import format_moment
from common.sql import fetch_all, fetch_one
from members.models import PRESENT, ChangedMember, Member, Segment, SegmentMember, SegmentPick, SegmentSize
from members.queries import get_programme
from members.segments.compile import asks_behaviour
from members.segments.tree import BadDefinition
from members.segments.tree import parse as read_tree
from members.validators import CARD_DIGITS, clean_card_number

GRACE = timedelta(minutes=15)  # a refresh that is later than this is not on its way but missing


class State(StrEnum):
    """How far a segment's membership can be trusted. Only what is fresh may be sent to."""

    FRESH = "fresh"
    BUILDING = "building"  # never built yet
    STALE = "stale"  # of an older definition, or not looked at when it should have been
    FAILING = "failing"


class Freshness(NamedTuple):
    """A state, and a sentence in the active language that says why it is not fresh; "" where it is."""

    state: State
    reason: str


class SegmentNotReady(Exception):
    """A segment whose membership must not be sent to now. `args[0]` is a sentence that says why."""

    def __init__(self, reason: str, *, state: State) -> None:
        super().__init__(reason)
        self.state = state


def segment_audience(segment_id: int, *, at: datetime) -> QuerySet[Member]:
    """The members in a segment, for whatever is sent to it. SegmentNotReady while that cannot be trusted.

    Who is gone, was kept out by hand a moment ago, or has just said no to personalised treatment where the segment
    asks for behaviour, is left out at once.
    """
    segment = Segment.objects.get(pk=segment_id)
    state, reason = freshness(segment, at=at)
    if state is not State.FRESH:
        raise SegmentNotReady(reason, state=state)
    members = members_of(segment_id)
    try:
        behaviour = asks_behaviour(read_tree(segment.definition))
    except BadDefinition as bad:  # a tag or a tier that it asks for went a moment ago
        raise SegmentNotReady(str(bad), state=State.FAILING) from bad
    if behaviour:
        put_in = SegmentPick.objects.filter(segment_id=segment_id, member=OuterRef("pk"), include=True)
        members = members.filter(Q(personalised=True) | Exists(put_in))
    return members


def members_of(segment_id: int) -> QuerySet[Member]:
    """The members in a segment as it is, fresh or not: to be looked at, not to be sent to."""
    kept_out = SegmentPick.objects.filter(segment_id=segment_id, member=OuterRef("pk"), include=False)
    held = SegmentMember.objects.filter(segment_id=segment_id).values("member")
    return Member.objects.filter(PRESENT, ~Exists(kept_out), pk__in=held)


def in_segments(member_id: int, segment_ids: Iterable[int], *, at: datetime) -> dict[int, bool | None]:
    """Whether a member is in each of these segments, as segment_audience would have it; None where that cannot be
    trusted now. So many queries, however many segments; none for none."""
    ids = set(segment_ids)
    if not ids:
        return {}
    states = freshnesses(at=at)
    segments = Segment.objects.in_bulk(ids)
    picks = dict(SegmentPick.objects.filter(member=member_id, segment__in=ids).values_list("segment_id", "include"))
    held = set(SegmentMember.objects.filter(member=member_id, segment__in=ids).values_list("segment_id", flat=True))
    person = Member.objects.filter(PRESENT, pk=member_id).first()
    found: dict[int, bool | None] = {}
    for pk in ids:
        state = states.get(pk)  # none of an archived one
        if state is None or state.state is not State.FRESH:
            found[pk] = None
            continue
        inside = person is not None and pk in held and picks.get(pk) is not False
        if inside and person is not None and not person.personalised and not picks.get(pk):
            try:
                inside = not asks_behaviour(read_tree(segments[pk].definition))
            except BadDefinition:
                found[pk] = None
                continue
        found[pk] = inside
    return found


def freshness(segment: Segment, *, at: datetime) -> Freshness:
    """How far this segment's membership can be trusted."""
    return freshnesses(at=at)[segment.pk] if segment.archived_at is None else _own(segment, at, None)


def freshnesses(*, at: datetime) -> dict[int, Freshness]:
    """The same for every segment that is not archived, by id, in three queries."""
    segments = {segment.pk: segment for segment in Segment.objects.filter(archived_at=None)}
    waiting = ChangedMember.objects.order_by("id").values_list("at", flat=True).first()
    states = {pk: _own(segment, at, waiting) for pk, segment in segments.items()}
    users: dict[int, list[int]] = {}
    for user, used in Segment.uses.through.objects.values_list("from_segment_id", "to_segment_id"):
        users.setdefault(used, []).append(user)
    bad = [pk for pk, own in states.items() if own.state is not State.FRESH]
    while bad:  # what stands on something that is not fresh is not fresh either
        used = bad.pop()
        for user in users.get(used, ()):
            if user in states and states[user].state is State.FRESH:
                words = {"name": segments[used].name, "reason": states[used].reason}
                reason = gettext("It uses the segment “%(name)s”. %(reason)s") % words
                states[user] = Freshness(State.STALE, reason)
                bad.append(user)
    return states


def _own(segment: Segment, at: datetime, waiting: datetime | None) -> Freshness:
    """What a segment says of itself. `waiting`: since when a changed member has not been looked at."""
    if segment.archived_at:
        return Freshness(State.STALE, gettext("It is archived."))
    if segment.error:
        words = {"when": format_moment(segment.failed_at), "error": segment.error}
        return Freshness(State.FAILING, gettext("Its refresh has been failing since %(when)s: %(error)s") % words)
    if segment.built_version is None:
        return Freshness(State.BUILDING, gettext("It is being built for the first time."))
    if segment.built_version != segment.version:
        return Freshness(State.STALE, gettext("Its definition was changed, and it is being built anew."))
    if segment.next_refresh_at is None:
        return Freshness(State.STALE, gettext("Many members changed at once, and it is being brought up to date."))
    if segment.next_refresh_at < at - GRACE:
        words = {"when": format_moment(segment.next_refresh_at)}
        return Freshness(
            State.STALE, gettext("It should have been refreshed at %(when)s. Is a worker running?") % words
        )
    if waiting is not None and waiting < at - GRACE:
        minutes = int((at - waiting).total_seconds() // 60)
        sentence = ngettext(
            "Members changed %(n)d minute ago and have not been looked at. Is a worker running?",
            "Members changed %(n)d minutes ago and have not been looked at. Is a worker running?",
            minutes,
        )
        return Freshness(State.STALE, sentence % {"n": minutes})
    return Freshness(State.FRESH, "")


class Overlap(NamedTuple):
    """How many members are only in the first of two segments, in both, and only in the second."""

    only_first: int
    both: int
    only_second: int


_OVERLAP = """
SELECT count(*) FILTER (WHERE two.member_id IS NULL) AS only_first,
       count(*) FILTER (WHERE one.member_id = two.member_id) AS both,
       count(*) FILTER (WHERE one.member_id IS NULL) AS only_second
FROM (SELECT member_id FROM members_segmentmember WHERE segment_id = %s) AS one
FULL JOIN (SELECT member_id FROM members_segmentmember WHERE segment_id = %s) AS two ON one.member_id = two.member_id
"""


def overlap(first_id: int, second_id: int) -> Overlap:
    """How two segments overlap, as they are."""
    return Overlap(*fetch_one(_OVERLAP, [first_id, second_id]))


class DaySize(NamedTuple):
    """A segment's size at the end of a day (or now, for today), and who came and went on it."""

    day: date
    size: int
    entered: int
    left: int


def sizes(segment_id: int, *, days: int, at: datetime) -> list[DaySize]:
    """The sizes of the last `days` days of the programme, today last, beginning when the segment did.

    A day on which nothing was written down has the size of the day before.
    """
    today = at.astimezone(ZoneInfo(get_programme().time_zone)).date()
    first = today - timedelta(days=days - 1)
    noted = SegmentSize.objects.filter(segment_id=segment_id, day__lte=today)
    before = noted.filter(day__lt=first).order_by("-day").first()
    by_day = {row.day: row for row in noted.filter(day__gte=first)}
    size = before.size if before else None
    result = []
    for day in (first + timedelta(days=n) for n in range(days)):
        row = by_day.get(day)
        size = row.size if row else size
        if size is not None:
            result.append(DaySize(day, size, row.entered if row else 0, row.left if row else 0))
    return result


class FoundMembers(NamedTuple):
    """Members by their keys: ids without repeats, keys that nobody has, and keys that several members have."""

    member_ids: list[int]
    unknown: list[str]
    ambiguous: list[str]


# Cards of merged members lead to whom they are now; their addresses and phones are identities of that member.
_FIND = """
WITH key (n, card, email, phone, value) AS (
    SELECT * FROM unnest(%(n)s::int[], %(card)s::text[], %(email)s::text[], %(phone)s::text[], %(value)s::text[])
),
found AS (
    SELECT n, coalesce(member.merged_into_id, member.id) AS id
    FROM key JOIN members_member AS member ON member.card_number = key.card
    UNION SELECT n, member.id FROM key JOIN members_member AS member
        ON lower(member.email) = key.email AND member.email <> ''
    UNION SELECT n, member.id FROM key JOIN members_member AS member
        ON member.phone = key.phone AND member.phone <> ''
    UNION SELECT n, identity.member_id FROM key JOIN members_identity AS identity
        ON identity.value IN (key.value, key.card, key.email, key.phone)
)
SELECT found.n, min(member.id), count(DISTINCT member.id) FROM found JOIN members_member AS member USING (id)
WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL
GROUP BY found.n
"""


def find_members(keys: Iterable[str]) -> FoundMembers:
    """Finds members by card number, e-mail, phone or customer number in another system, whichever each key is.

    A phone without a country is one of PHONENUMBER_DEFAULT_REGION. Two statements, however many keys.
    """
    asked = list(dict.fromkeys(key for raw in keys if (key := raw.replace("\0", "").strip())))
    found = _look_up(asked, [f"+{digits}" if (digits := clean_card_number(key)) else "" for key in asked])
    missing = [key for key in asked if key not in found]
    phones = [_national(key) for key in missing]
    if any(phones):
        found |= _look_up(missing, phones)
    ids = list(dict.fromkeys(id_ for id_, many in found.values() if many == 1))
    return FoundMembers(
        ids, [key for key in asked if key not in found], [key for key in asked if found.get(key, (0, 1))[1] > 1]
    )


def _look_up(keys: Sequence[str], phones: Sequence[str]) -> dict[str, tuple[int, int]]:
    cards = [digits if len(digits := clean_card_number(key)) == CARD_DIGITS else "" for key in keys]
    emails = [key.lower() if "@" in key else "" for key in keys]
    columns = {"n": list(range(len(keys))), "card": cards, "email": emails, "phone": list(phones), "value": list(keys)}
    return {keys[n]: (id_, many) for n, id_, many in fetch_all(_FIND, columns)}


def _national(text: str) -> str:
    if not 6 <= len(clean_card_number(text)) <= 15 or text.startswith("+") or any(c.isalpha() for c in text):
        return ""
    try:
        return format_number(parse(text, settings.PHONENUMBER_DEFAULT_REGION), PhoneNumberFormat.E164)
    except NumberParseException:
        return ""

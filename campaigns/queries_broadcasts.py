"""Reads about broadcasts: who is in the audience, what each of them gets and when, and why not.

One SQL text serves the estimate, the rows, and the question about one member, so they cannot disagree.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import Q

from campaigns.enums import BroadcastWhen, CampaignState, HourPassed, Medium, SkipReason
from campaigns.models import Broadcast, BroadcastVariant, Campaign
from campaigns.queries import ADDRESS, ADDRESS_KEY, LIKED, database_time_zones, known_in_app, way
from common.sql import fetch_all
from members.queries import get_programme

# The order in which reasons are asked: each member counts under the first that holds.
REASONS = (
    SkipReason.EXCLUDED,
    SkipReason.MERGED,
    SkipReason.ERASED,
    SkipReason.NO_CONSENT,
    SkipReason.TOPIC_OFF,
    SkipReason.NO_ADDRESS,
    SkipReason.BAD_ADDRESS,
    SkipReason.SUPPRESSED,
    SkipReason.DUPLICATE_ADDRESS,
    SkipReason.HOUR_PASSED,
    SkipReason.HOLDOUT,
)
_FORM = {
    Medium.EMAIL: r"^[^@[:space:]<>,;\"]+@[^@[:space:]<>,;\"]+\.[^@.[:space:]]{{2,}}$",
    Medium.SMS: r"^\+[0-9]{{5,15}}$",
    Medium.APP: "",
    Medium.WEBHOOK: "",
}

# Four tables say who is in and who is not; each asked for the members of the chunk only.
_GROUPS = {
    "segments": ("members_segmentmember", "segment_id"),
    "lists": ("members_memberlistentry", "list_id"),
    "tags": ("members_membertag", "tag_id"),
}


def draw(salt: str, member: str = "member.id") -> str:
    """SQL of a number from 0 to 9,999 that a member keeps for ever under a salt, as the trait “draw” computes it."""
    return f"(('x' || left(md5({salt} || ':' || {member}), 8))::bit(32)::bigint %% 10000)"


class Groups(NamedTuple):
    """Whom a broadcast means, by ids. `personal`: segments that ask for behaviour, which not everybody wants."""

    everybody: bool
    segments: Sequence[int] = ()
    personal: Sequence[int] = ()
    lists: Sequence[int] = ()
    tags: Sequence[int] = ()
    segments_out: Sequence[int] = ()
    lists_out: Sequence[int] = ()
    tags_out: Sequence[int] = ()
    follows: int | None = None


class Plan(NamedTuple):
    """All that decides about the rows of a broadcast: one text and its parameters, but for `after` and `upto`."""

    sql: str
    params: Mapping[str, Any]


def _in(name: str, param: str) -> str:
    table, column = _GROUPS[name]
    return f"SELECT member_id FROM {table} WHERE {column} = ANY(%({param})s::bigint[]) AND {{range}}"


_KEPT_OUT = (
    "NOT EXISTS (SELECT FROM members_segmentpick AS pick WHERE pick.segment_id = inside.segment_id"
    " AND pick.member_id = inside.member_id AND NOT pick.include)"
)
# As members.queries_segments.segment_audience has it, for many segments and a range of members.
_IN_SEGMENTS = f"""
SELECT inside.member_id FROM members_segmentmember AS inside JOIN members_member AS person ON person.id = member_id
WHERE inside.segment_id = ANY(%({{param}})s::bigint[]) AND {{{{range}}}} AND {_KEPT_OUT}
  AND (person.personalised OR inside.segment_id <> ALL(%(personal)s::bigint[]) OR EXISTS (
       SELECT FROM members_segmentpick AS pick WHERE pick.segment_id = inside.segment_id
        AND pick.member_id = inside.member_id AND pick.include))
"""
# Who got nothing of another broadcast, for now or for good, and for no reason that still holds.
FOLLOWED = "(state IN ('missed', 'failed', 'unknown', 'cancelled') OR (state = 'skipped' AND reason = 'over_cap'))"
_FOLLOWING = f"SELECT member_id FROM campaigns_message WHERE campaign_id = %(follows)s AND {FOLLOWED} AND {{range}}"
_RANGE = "member_id > %(after)s AND member_id <= %(upto)s"


def _audience(groups: Groups) -> str:
    """Conditions on `member`: in the audience; and an SQL truth: in a group that is left out."""
    parts = []
    if groups.segments:
        parts.append(_IN_SEGMENTS.format(param="segments").replace("{range}", _RANGE))
    parts += [_in(name, name).format(range=_RANGE) for name in ("lists", "tags") if getattr(groups, name)]
    if groups.follows is not None:
        parts.append(_FOLLOWING.format(range=_RANGE))
    if groups.everybody:
        return "member.merged_into_id IS NULL AND member.erased_at IS NULL"
    return f"member.id IN ({' UNION ALL '.join(parts)})" if parts else "false"


def _left_out(groups: Groups) -> str:
    parts = []
    if groups.segments_out:
        parts.append(_IN_SEGMENTS.format(param="segments_out").replace("{range}", _RANGE))
    parts += [
        _in(name, f"{name}_out").format(range=_RANGE) for name in ("lists", "tags") if getattr(groups, f"{name}_out")
    ]
    return f"member.id IN ({' UNION ALL '.join(parts)})" if parts else "false"


def against(channel: Medium, topic: bool) -> str:
    """SQL: why this channel does not reach `member`, '' where it does. The statement has `joins` of it."""
    address = ADDRESS[channel]
    return (
        f"CASE WHEN said_{channel}.granted IS NOT TRUE THEN 'no_consent'"
        f" WHEN {f'off_{channel}.id IS NOT NULL' if topic else 'false'} THEN 'topic_off'"
        f" WHEN {address} = '' THEN 'no_address'"
        f" WHEN {address} !~ '{_FORM[channel].format()}' THEN 'bad_address'"
        f" WHEN gone_{channel}.id IS NOT NULL THEN 'suppressed' ELSE '' END"
    )


def joins(channel: Medium, topic: bool, among: str = _RANGE) -> str:
    """SQL: what is asked of other tables, a row at most for each member; `among` is a condition on `member_id` that
    those asked for meet. Parameters: purpose, topic, at. Who agreed to one channel agreed to the member's own pages,
    and who let go of a topic by one of them does not want it there."""
    by = f"= '{channel}'" if channel != Medium.APP else "<> ''"
    said = f"members_consentstate AS said_{channel} ON"
    if channel == Medium.APP:
        said = (
            "(SELECT member_id, bool_or(granted) AS granted, '' AS channel, purpose FROM members_consentstate"
            f" WHERE {among} GROUP BY member_id, purpose) AS said_app ON"
        )
    off = f"""
        LEFT JOIN (SELECT member_id, min(id) AS id FROM campaigns_topicchoice
                   WHERE topic_id = %(topic)s AND channel {by} AND NOT wanted AND {among} GROUP BY member_id)
        AS off_{channel} ON off_{channel}.member_id = member.id"""
    return (
        f"LEFT JOIN {said} said_{channel}.member_id = member.id"
        f" AND said_{channel}.channel = '{channel if channel != Medium.APP else ''}'"
        f" AND said_{channel}.purpose = %(purpose)s{off if topic else ''}"
        f" LEFT JOIN campaigns_suppression AS gone_{channel} ON gone_{channel}.channel = '{channel}'"
        f" AND gone_{channel}.address = {ADDRESS_KEY.format(ADDRESS[channel])} AND gone_{channel}.lifted_at IS NULL"
        f" AND (gone_{channel}.expires_at IS NULL OR gone_{channel}.expires_at > %(at)s)\n"
    )


def _variant(variants: Sequence[BroadcastVariant]) -> str:
    """By lot, in the ratio of the shares."""
    if len(variants) < 2:
        return str(variants[0].number if variants else 0)
    total, upto, cases = sum(variant.share for variant in variants), 0, []
    for variant in variants[:-1]:
        upto += variant.share
        cases.append(f"WHEN lot_variant < {round(10_000 * upto / total)} THEN {variant.number}")
    return f"CASE {' '.join(cases)} ELSE {variants[-1].number} END"


def _due(broadcast: Broadcast) -> str:
    """The moment for `member`, before versions and quiet hours have their say."""
    if broadcast.when in (BroadcastWhen.NOW, BroadcastWhen.MOMENT):
        return "%(start)s::timestamptz"
    there = "(%(day)s::date + %(hour)s::time) AT TIME ZONE zone"
    passed = {
        HourPassed.NOW: "%(scheduled)s::timestamptz",
        HourPassed.NEXT_DAY: "(%(day)s::date + 1 + %(hour)s::time) AT TIME ZONE zone",
        HourPassed.SKIP: there,
    }[HourPassed(broadcast.hour_passed)]
    return f"CASE WHEN {there} < %(scheduled)s THEN {passed} ELSE {there} END"


# Wall time that lies in the quiet hours is put off to their end, by the clock of the day on which that is.
_QUIET = """
CASE WHEN %(quiet_from)s::time IS NULL OR %(quiet_from)s::time = %(quiet_until)s::time THEN planned
     WHEN NOT CASE WHEN %(quiet_from)s::time < %(quiet_until)s::time
              THEN wall::time >= %(quiet_from)s AND wall::time < %(quiet_until)s
              ELSE wall::time >= %(quiet_from)s OR wall::time < %(quiet_until)s END THEN planned
     ELSE (wall::date + CASE WHEN wall::time >= %(quiet_until)s THEN 1 ELSE 0 END + %(quiet_until)s::time)
          AT TIME ZONE zone END
"""


def plan(
    broadcast: Broadcast,
    variants: Sequence[BroadcastVariant],
    groups: Groups,
    *,
    at: datetime,
    start: datetime,
    day: date | None = None,
) -> Plan:
    """Everybody whom a broadcast means, of the members with `after` < id <= `upto`: (member_id, language, channel,
    reason, address, variant, tests, due_at). `reason` is '' for those who get it; `tests` false for who waits for the
    better version. `day` is the day of the shop on which the members' own time of day is meant."""
    campaign: Campaign = broadcast.campaign
    channels = [Medium(channel) for channel in campaign.channels]
    topic = campaign.topic_id is not None
    one_by_one = ", ".join(f"{against(channel, topic)} AS against_{channel}" for channel in channels)
    blocked = " AND ".join(f"against_{channel} <> ''" for channel in channels)
    keys = " ".join(f"WHEN '{channel}' THEN {ADDRESS_KEY.format(f'to_{channel}')}" for channel in channels)
    places = ", ".join(f"{ADDRESS[channel]} AS to_{channel}" for channel in channels)
    kept = ", ".join(f"to_{channel}" for channel in channels)
    later = " ".join(f"WHEN {variant.number} THEN {variant.minutes_later}" for variant in variants)
    local = broadcast.when not in (BroadcastWhen.NOW, BroadcastWhen.MOMENT)
    hour_passed = "false"
    if local and broadcast.hour_passed == HourPassed.SKIP:
        hour_passed = "((%(day)s::date + %(hour)s::time) AT TIME ZONE zone) < %(scheduled)s"
    due_at = f"greatest({_QUIET if campaign.quiet_from else 'planned'}, %(start)s)"
    needs_clock = local or campaign.quiet_from is not None
    zone = "CASE WHEN member.time_zone = ANY(%(zones)s) THEN member.time_zone ELSE %(fallback)s END"
    sql = f"""
SELECT member_id, language, channel, reason, CASE channel {keys} END AS address,
       variant, tests, {due_at} AS due_at
FROM (
    SELECT *, planned AT TIME ZONE zone AS wall FROM (
        SELECT *, due + CASE variant {later or "WHEN -1 THEN 0"} ELSE 0 END * interval '1 minute' AS planned FROM (
            SELECT member_id, language, zone, {kept},
                   {way(channels)} AS channel,
                   CASE WHEN left_out THEN 'excluded' WHEN merged THEN 'merged' WHEN erased THEN 'erased'
                        WHEN {blocked} THEN against_{channels[0]}
                        WHEN {hour_passed} THEN 'hour_passed'
                        WHEN lot_holdout < %(holdout)s THEN 'holdout' ELSE '' END AS reason,
                   {_variant(variants)} AS variant,
                   lot_test < %(test)s AS tests,
                   {_due(broadcast)} AS due
            FROM (
                SELECT member.id AS member_id, member.language, {places},
                       {zone if needs_clock else "'UTC'"} AS zone,
                       {_left_out(groups)} AS left_out,
                       member.merged_into_id IS NOT NULL AS merged, member.erased_at IS NOT NULL AS erased,
                       {one_by_one}, {"liked.first_channel" if len(channels) > 1 else "''"} AS liked,
                       {draw("%(uid)s::text || 'holdout'") if campaign.holdout_percent else "10000"} AS lot_holdout,
                       {draw("%(uid)s::text || 'variant'") if len(variants) > 1 else "0"} AS lot_variant,
                       {draw("%(uid)s::text || 'test'") if len(variants) > 1 and broadcast.test_percent < 100 else "0"}
                           AS lot_test
                FROM members_member AS member
                {LIKED if len(channels) > 1 else ""} {known_in_app() if Medium.WEBHOOK in channels else ""}
                {"".join(joins(channel, topic) for channel in channels)}
                WHERE member.id > %(after)s AND member.id <= %(upto)s AND {_audience(groups)}
            ) AS candidate
        ) AS judged
    ) AS timed
) AS told
"""
    zones, own = database_time_zones(), get_programme().time_zone
    params = groups._asdict() | {
        "uid": str(broadcast.uid),
        "purpose": campaign.purpose,
        "topic": campaign.topic_id,
        "at": at,
        "start": start,
        "scheduled": broadcast.asked_at or at,
        "day": day,
        "hour": broadcast.hour,
        "holdout": round(campaign.holdout_percent * 100),
        "test": broadcast.test_percent * 100 if len(variants) > 1 else 10_000,
        "zones": zones,
        "fallback": own if own in zones else "UTC",
        "quiet_from": campaign.quiet_from,
        "quiet_until": campaign.quiet_until,
    }
    lists = {name: list(value) for name, value in params.items() if isinstance(value, tuple)}
    return Plan(sql, params | lists)


LAST = 2**62  # a bound for all members


class Cell(NamedTuple):
    """So many members with one reason ('' gets it), channel, language and version; `some` are up to ten of them."""

    reason: str
    channel: str
    language: str
    variant: int
    tests: bool
    members: int
    some: list[int]


def cells(plan: Plan) -> list[Cell]:
    """The whole audience by reason, channel, language and version, in one statement."""
    rows = fetch_all(
        "SELECT reason, channel, language, variant, tests, count(*), (array_agg(member_id))[1:10]"
        f" FROM ({plan.sql}) AS row GROUP BY reason, channel, language, variant, tests",
        {**plan.params, "after": 0, "upto": LAST},
    )
    return [Cell(*row) for row in rows]


class Answer(NamedTuple):
    """What a broadcast comes to for one member as things are now."""

    member_id: int
    language: str
    channel: str
    reason: str
    address: Any
    variant: int
    tests: bool
    due_at: datetime


def answer_for(plan: Plan, member_id: int) -> Answer | None:
    """None where the member is not in the audience."""
    rows = fetch_all(plan.sql, {**plan.params, "after": member_id - 1, "upto": member_id})
    return Answer(*rows[0]) if rows else None


def broadcasts_that_ask(segment_id: int) -> list[str]:
    """The names of broadcasts that have yet to take down an audience with a segment in it, or left out of it."""
    asks = Q(segments=segment_id) | Q(segments_out=segment_id)
    over = (CampaignState.DONE, CampaignState.CANCELLED)
    found = Broadcast.objects.filter(asks, planned_at=None).exclude(campaign__state__in=over)
    return list(found.order_by("campaign__name").values_list("campaign__name", flat=True).distinct())

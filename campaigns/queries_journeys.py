"""Reads about journeys: who comes in as time passes, who is where."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Count, Min, Q

from campaigns.enums import RunState
from campaigns.journeys import dates
from campaigns.journeys.definition import OWN_DAYS, Journey, TriggerKind
from campaigns.models import JourneyRun
from campaigns.queries import database_time_zones
from campaigns.queries_occasions import ANNIVERSARIES, anniversary_params, dates_of
from common.sql import fetch_all, fetch_prepared
from members.models import Programme
from members.queries import BIRTHDAY_JOIN, birthday_patterns

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LEAST_LAPSE = 7  # days: who comes daily is not missed on the second morning
OVERLAP = timedelta(minutes=15)  # a transaction may be seen this long after it began; the key lets in once


class Due(NamedTuple):
    """An hour of a day that came, in a time zone: the day there, and the moment."""

    zone: str
    day: date
    at: datetime


class Source(NamedTuple):
    """A query of (member_id, key, at, why) for those who come in, and its parameters. `present`: it leaves out itself
    who is merged or erased."""

    sql: str
    params: dict[str, Any]
    present: bool = False


@cache
def _known() -> list[tuple[str, ZoneInfo]]:
    """The time zones that the database knows, and this machine too: to look in vain for one takes its time."""
    found = []
    for name in database_time_zones():
        with suppress(KeyError, ValueError, OSError):
            found.append((name, ZoneInfo(name)))
    return found


def _clocks(since: datetime, until: datetime) -> list[tuple[tzinfo, list[str]]]:
    """The clocks on the walls, each with the time zones where it hangs: few are set anew, the others differ by their
    distance from UTC alone. One that is set anew within a day has hours that came already, come again, or never."""
    # The looks of an hour ask the same.
    last = until.replace(minute=0, second=0, microsecond=0)
    return _clocks_of(since.replace(minute=0, second=0, microsecond=0), last if last == until else last + HOUR)


@lru_cache(maxsize=8)
def _clocks_of(since: datetime, until: datetime) -> list[tuple[tzinfo, list[str]]]:
    clocks: dict[tzinfo, list[str]] = defaultdict(list)
    short = until - since <= DAY
    for name, zone in _known():
        before, after = (since - DAY).astimezone(zone).utcoffset(), (until + DAY).astimezone(zone).utcoffset()
        alike = short and before == after
        clocks[timezone(before) if alike and before is not None else zone].append(name)
    return list(clocks.items())


@lru_cache(maxsize=64)
def dues(since: datetime, until: datetime, hour: int) -> tuple[Due, ...]:
    """For which time zones it became this hour, behind `since` and not after `until`."""
    found: list[Due] = []
    for clock, names in _clocks(since, until):
        day, last = since.astimezone(clock).date(), until.astimezone(clock).date()
        while day <= last:
            at = dates.moment(day, hour, clock)
            if since < at <= until:
                found.extend(Due(name, day, at) for name in names)
            day += DAY
    return tuple(found)


def source(journey: Journey, *, since: datetime, until: datetime, member_id: int | None = None) -> Source | None:
    """Who comes in by time behind `since` and not after `until`; None where nobody can. Who asks for one member only
    names them: the others may still be among the rows."""
    told = journey.trigger
    if journey.kind is TriggerKind.AFFORDABLE:
        return _affordable(told, since, until, member_id)
    if not (came := dues(since, until, told["hour"])):
        return None
    if journey.kind is not TriggerKind.OCCASION:
        own = _own_zone()
        came = tuple(due for due in came if due.zone == own)
        ask = _lapsed if journey.kind is TriggerKind.LAPSED else _expiring
        return ask(told, came) if came else None
    days, name = timedelta(days=told["days"]), told["occasion"]
    if name in OWN_DAYS:
        return _own_day(name, came, days)
    wanted = [due.day - days for due in came]
    falls: dict[date, str] = {}
    for one in dates_of(name, min(wanted), max(wanted)):
        falls[one.day] = one.key
    keyed = [(due, falls[due.day - days]) for due in came if due.day - days in falls]
    if not keyed:
        return None
    return Source(
        "SELECT member.id AS member_id, due.key || ':' || member.id AS key, due.at,"
        " jsonb_build_object('occasion', due.key, 'zone', due.zone) AS why"
        " FROM unnest(%(due_zones)s::text[], %(due_ats)s::timestamptz[], %(due_keys)s::text[])"
        f" AS due (zone, at, key) JOIN members_member AS member ON {_ZONE} = due.zone AND {_PRESENT}",
        _columns([due for due, _ in keyed]) | {"due_keys": [key for _, key in keyed]} | zones(),
        present=True,
    )


# Where a member lives; the programme's zone where the database does not know theirs.
_ZONE = "CASE WHEN member.time_zone = ANY(%(zones)s) THEN member.time_zone ELSE %(fallback)s END"
_PRESENT = "member.merged_into_id IS NULL AND member.erased_at IS NULL"
_DUE = "unnest(%(due_zones)s::text[], %(due_days)s::date[], %(due_ats)s::timestamptz[]) AS due (zone, day, at)"


def _own_zone() -> str:
    """The programme's. It is asked for each journey."""
    rows = fetch_prepared("SELECT time_zone FROM members_programme WHERE id = 1")
    return rows[0][0] if rows else Programme().time_zone


@cache
def _known_to_database() -> str:
    """The hundreds of names in one piece: the driver takes as long for each as the server for a member."""
    return f"{{{','.join(database_time_zones())}}}"


def zones() -> dict[str, Any]:
    """The parameters by which a query tells where a member lives."""
    own = _own_zone()
    return {"zones": _known_to_database(), "fallback": own if own in database_time_zones() else "UTC"}


def _columns(came: Iterable[Due]) -> dict[str, Any]:
    zones, days, ats = zip(*came, strict=True)
    return {"due_zones": list(zones), "due_days": list(days), "due_ats": list(ats)}


def _own_day(name: str, came: tuple[Due, ...], days: timedelta) -> Source:
    """Each member's own day, at their own hour of it or so many days from it."""
    wanted = sorted({due.day - days for due in came})
    if name == "birthday":
        rows = (
            f"SELECT member.id AS member_id, birthday.day, birthday.year, {_ZONE} AS zone"
            f" FROM {BIRTHDAY_JOIN} AND {_PRESENT}"
        )
        params: dict[str, Any] = birthday_patterns(wanted)._asdict()
    else:
        rows = ANNIVERSARIES[name]  # type: ignore[index]
        params = anniversary_params(wanted)
    # OFFSET 0: members are looked up by their day, once, and not anew for each of the zones.
    return Source(
        f"SELECT own.member_id, '{name}:' || own.year || ':' || own.member_id AS key, due.at,"
        f" jsonb_build_object('occasion', '{name}', 'day', own.day, 'zone', due.zone) AS why"
        f" FROM (SELECT * FROM ({rows}) AS kept WHERE zone = ANY(%(due_zones)s) OFFSET 0) AS own"
        f" JOIN {_DUE} ON due.zone = own.zone AND due.day = own.day + %(later)s",
        params | _columns(came) | zones() | {"later": days.days},
        present=True,
    )


def _lapsed(told: Any, came: tuple[Due, ...]) -> Source:
    """Who stayed away too long on the day before each look. A day is looked at once."""
    return Source(
        "SELECT bought.member_id, 'lapsed:' || bought.member_id || ':' || extract(epoch FROM bought.last_at)::bigint"
        " AS key, due.at, jsonb_build_object('last', bought.last_at, 'rhythm', bought.rhythm_days) AS why"
        f" FROM members_purchasesummary AS bought CROSS JOIN LATERAL (SELECT bought.last_at + greatest({LEAST_LAPSE},"
        " coalesce(bought.rhythm_days * %(factor)s, %(away)s)) * interval '1 day') AS lapse (at)"
        " JOIN unnest(%(due_ats)s::timestamptz[]) AS due (at)"
        " ON lapse.at <= due.at AND lapse.at > due.at - interval '1 day'",
        {"due_ats": [due.at for due in came], "factor": told["factor"], "away": told["days"]},
    )


def _expiring(told: Any, came: tuple[Due, ...]) -> Source:
    """Whose points expire on the day that is so many days ahead, in the programme's time zone."""
    zone = ZoneInfo(_own_zone())
    first = [dates.moment(due.day + timedelta(days=told["days"]), 0, zone) for due in came]
    last = [dates.moment(due.day + timedelta(days=told["days"] + 1), 0, zone) for due in came]
    return Source(
        "SELECT wallet.member_id, 'expiring:' || due.day || ':' || wallet.member_id AS key, due.at,"
        " jsonb_build_object('points', sum(lot.remaining), 'day', due.day) AS why"
        " FROM unnest(%(due_days)s::date[], %(due_ats)s::timestamptz[], %(firsts)s::timestamptz[],"
        " %(lasts)s::timestamptz[]) AS due (day, at, first, last)"
        # A lot expires at the end of its last day, which is the beginning of the next.
        " JOIN rewards_lot AS lot ON lot.expires_at > due.first AND lot.expires_at <= due.last AND lot.remaining > 0"
        " JOIN rewards_account AS wallet ON wallet.id = lot.account_id AND wallet.kind = 'wallet'"
        " AND wallet.unit = 'points'"
        " GROUP BY due.day, due.at, wallet.member_id HAVING sum(lot.remaining) >= %(least)s",
        {
            "due_days": [due.day + timedelta(days=told["days"]) for due in came],
            "due_ats": [due.at for due in came],
            "firsts": first,
            "lasts": last,
            "least": told["points"],
        },
    )


def _affordable(told: Any, since: datetime, until: datetime, member_id: int | None) -> Source:
    """Whose balance rose past the price of a reward that is on show: the transfer that did it names the entry."""
    only = "reward.id = %(reward)s" if told.get("reward") else "TRUE"
    whose = "wallet.member_id = %(whose)s" if member_id else "TRUE"
    return Source(
        "WITH moved AS ("
        " SELECT transfer.id, transfer.created_at AS at, wallet.id AS wallet, wallet.member_id, wallet.balance,"
        " CASE WHEN transfer.credit_id = wallet.id THEN transfer.amount ELSE -transfer.amount END AS delta"
        " FROM rewards_transfer AS transfer JOIN rewards_account AS wallet"
        " ON wallet.id IN (transfer.credit_id, transfer.debit_id)"
        " WHERE transfer.created_at > %(moved_since)s AND wallet.kind = 'wallet' AND wallet.unit = 'points'"
        f" AND {whose}"
        "), stood AS ("
        " SELECT *, balance - coalesce(sum(delta) OVER (PARTITION BY wallet ORDER BY id DESC"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS points FROM moved)"
        " SELECT stood.member_id, 'affordable:' || reward.id || ':' || stood.id AS key, stood.at,"
        " jsonb_build_object('reward', reward.id, 'points', stood.points) AS why"
        " FROM stood JOIN rewards_reward AS reward ON reward.points <= stood.points"
        " AND reward.points > stood.points - stood.delta"
        f" WHERE stood.delta > 0 AND stood.at <= %(moved_until)s AND reward.state = 'live' AND {only}",
        {"moved_since": since - OVERLAP, "moved_until": until, "reward": told.get("reward"), "whose": member_id},
    )


_LIVING = """
SELECT campaign.name FROM campaigns_journey AS journey
JOIN campaigns_campaign AS campaign ON campaign.id = journey.campaign_id AND campaign.state IN ('running', 'paused')
WHERE EXISTS (
    SELECT FROM campaigns_journeyversion AS version
    WHERE version.journey_id = journey.campaign_id AND version.definition @? %(place)s::jsonpath
      AND (version.number = journey.number OR EXISTS (
          SELECT FROM campaigns_journeyrun AS run
          WHERE run.journey_id = journey.campaign_id AND run.version_id = version.id
            AND run.state IN ('active', 'stuck'))))
ORDER BY campaign.name
"""


def journeys_that_send(template_id: int) -> list[str]:
    """The names of journeys, running or paused, that send a template: by the version that lets in, or by one on which
    somebody still is."""
    return _living(f'@.kind == "send" && @.template == {int(template_id)}')


def journeys_that_ask(segment_id: int) -> list[str]:
    """The same for journeys that ask for a segment, wherever they do."""
    one = int(segment_id)
    return _living(f'@.segment == {one} || (@.trait == "segment" && @.value[*] == {one})')


def _living(place: str) -> list[str]:
    return [name for (name,) in fetch_all(_LIVING, {"place": f"$.** ? ({place})"})]


class Stuck(NamedTuple):
    """Ways that are stuck for the same cause: at a step, with an error; how many, and one of them."""

    step: str
    error: str
    n: int
    example: int


def stuck(journey_id: int) -> list[Stuck]:
    """What holds members up in a journey, the most frequent first."""
    rows = JourneyRun.objects.filter(journey=journey_id, state=RunState.STUCK).values_list("step", "error")
    counted = rows.annotate(n=Count("pk"), example=Min("pk")).order_by("-n", "step", "error")[:50]
    return [Stuck(*row) for row in counted]


class Figures(NamedTuple):
    """How many are where in a journey."""

    inside: int
    ended: int
    converted: int
    missed: int
    held: int
    stuck: int


def figures(journey_ids: Iterable[int]) -> dict[int, Figures]:
    """The figures of journeys by id, in one query."""
    ids = list(journey_ids)
    rows: Iterable[Any] = (
        JourneyRun.objects.filter(journey__in=ids)
        .values("journey")
        .annotate(
            inside=Count("pk", filter=Q(state=RunState.ACTIVE)),
            ended=Count("pk", filter=Q(state__in=[RunState.DONE, RunState.LEFT, RunState.GONE])),
            converted=Count("pk", filter=Q(state=RunState.CONVERTED)),
            missed=Count("pk", filter=Q(state=RunState.MISSED)),
            held=Count("pk", filter=Q(state=RunState.HELD)),
            stuck=Count("pk", filter=Q(state=RunState.STUCK)),
        )
    )
    found = {row["journey"]: Figures(*(row[name] for name in Figures._fields)) for row in rows}
    return {pk: found.get(pk, Figures(0, 0, 0, 0, 0, 0)) for pk in ids}


def at_steps(journey_id: int) -> dict[str, int]:
    """How many stand at each step."""
    rows = JourneyRun.objects.filter(journey=journey_id, state=RunState.ACTIVE).values_list("step")
    return dict(rows.annotate(n=Count("pk")))

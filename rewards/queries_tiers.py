"""Reads about tiers: what counts towards them, who reaches which, what is missing, and until when one is kept.

The statements are built of the parts below, so that a single purchase, the night, the preview of an edit and the
member's own page count alike. docs/tiers.md.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, ngettext

from common.money import format_money
from common.sql import fetch_all
from members.models import Member
from rewards.enums import Combine, Downgrade, TierWindow, Unit
from rewards.models import Tier, TierChange
from rewards.queries import PURSES, points_text

YEARLY = (TierWindow.CALENDAR_YEAR, TierWindow.MEMBERSHIP_YEAR)

# --- the parts of the statements ----------------------------------------------------------------------------------

# How members qualify, as it is saved. A preview gives other rows of the same shape.
SETTING = """
SELECT coalesce(settings.tier_window, 'rolling') AS span, coalesce(settings.downgrade, 'fit') AS downgrade,
       make_interval(days => coalesce(settings.grace_days, 0)) AS grace,
       make_interval(days => coalesce(settings.notice_days, 30)) AS notice,
       coalesce(programme.time_zone, 'UTC') AS zone, coalesce(programme.currency, 'EUR') AS currency
FROM (VALUES (1)) AS one (id)
LEFT JOIN rewards_rewardsettings AS settings USING (id) LEFT JOIN members_programme AS programme USING (id)
"""
STEP = "SELECT id, rank, threshold, spend_minor, visits, tenure_days, combine FROM rewards_tier"


def meets(step: str, points: str, spend: str, visits: str, days: str) -> str:
    """SQL: whether what counts reaches a step. What a step does not ask for is reached (all), or is no way (any)."""
    pairs = ((points, "threshold"), (spend, "spend_minor"), (visits, "visits"), (days, "tenure_days"))
    every = " AND ".join(f"coalesce({has} >= {step}.{asked}, true)" for has, asked in pairs)
    some = " OR ".join(f"coalesce({has} >= {step}.{asked}, false)" for has, asked in pairs)
    return f"({step}.rank = 0 OR CASE {step}.combine WHEN 'any' THEN {some} ELSE {every} END)"


_YEARLY = "setting.span IN ('calendar', 'membership')"  # in a CASE: else nobody's years are reckoned
_NOW = "CASE WHEN who.span = 'rolling' THEN {at} + interval '12 months' > who.at ELSE {at} >= who.since END"
_BEFORE = "who.is_yearly AND {at} < who.since AND {at} >= who.floor"
_LATER = "CASE WHEN who.span = 'rolling' THEN {at} + interval '12 months' > who.probe ELSE {at} >= who.since END"
_VISIT = "(bought.amount_minor > bought.refunded_minor OR bought.amount_minor = 0)"
_DAY = "(bought.purchased_at AT TIME ZONE who.zone)::date"


# Of `earn`: whether what a rule gave counts for tiers.
COUNTS = """
earn.rule_id IS NULL OR earn.rule_id <> ALL (ARRAY(
    SELECT id FROM rewards_ruleversion WHERE definition->'counts_for_tier' = 'false'))
"""


def _totals(value: str, at: str) -> str:
    return ", ".join(
        f"coalesce(sum({value}) FILTER (WHERE {when.format(at=at)}), 0)::bigint AS {name}"
        for name, when in (("now", _NOW), ("before", _BEFORE), ("later", _LATER))
    )


def stood(*, own: str, moment: str, setting: str = SETTING, step: str = STEP) -> str:
    """The CTEs `setting`, `step`, `wallet`, `who` (one row per owner of the wallets `own`), `earned`, and `stood`: who
    with what counts at `moment`, what counted in the year before (in windows of a year), and what will still count at
    `probe`, when a notice would be due.

    12 calendar months count from the purchase; the bound `floor` is a day longer, because a year from 29 February is
    shorter than a year back to it. What a rule gives that does not count for tiers is left out. Purchases are read only
    where a step asks for spend or visits.
    """
    return f"""
setting AS MATERIALIZED ({setting}),
step AS MATERIALIZED ({step}),
wallet AS (
    SELECT wallet.id, coalesce(member.merged_into_id, member.id) AS member_id
    FROM rewards_account AS wallet JOIN members_member AS member ON member.id = wallet.member_id
    WHERE wallet.id = ANY({own})
),
who AS MATERIALIZED (
    SELECT member.id AS member_id, member.joined_at, moment.at, setting.span, setting.zone, setting.currency,
           {_YEARLY} AS is_yearly,
           status.member_id IS NOT NULL AS is_known, status.tier_id, status.since AS tier_since, status.grace_until,
           status.noticed_at, status.qualifying_points, status.qualifying_spend_minor, status.qualifying_visits,
           moment.at + greatest(setting.notice - setting.grace, interval '0') AS probe,
           CASE setting.span WHEN 'rolling' THEN moment.at - interval '12 months 1 day'
                             WHEN 'lifetime' THEN '-infinity' ELSE year.since END AS since,
           CASE setting.span WHEN 'rolling' THEN moment.at - interval '12 months 1 day'
                             WHEN 'lifetime' THEN '-infinity' ELSE year.before END AS floor,
           year.ends, year.next_ends
    FROM (SELECT DISTINCT member_id FROM wallet) AS one
    JOIN members_member AS member ON member.id = one.member_id
    LEFT JOIN rewards_membertier AS status ON status.member_id = member.id
    CROSS JOIN setting
    CROSS JOIN LATERAL (SELECT {moment} AS at OFFSET 0) AS moment
    CROSS JOIN LATERAL (
        SELECT moment.at AT TIME ZONE setting.zone AS now,
               CASE setting.span WHEN 'membership' THEN (member.joined_at AT TIME ZONE setting.zone)::date
                                 ELSE date '2000-01-01' END AS anchor
        OFFSET 0
    ) AS local
    CROSS JOIN LATERAL (
        SELECT (extract(year FROM local.now) - extract(year FROM local.anchor))::int AS n OFFSET 0
    ) AS rough
    CROSS JOIN LATERAL (
        SELECT rough.n - (local.anchor + make_interval(years => rough.n) > local.now)::int AS n
        OFFSET 0
    ) AS nth
    CROSS JOIN LATERAL (
        SELECT CASE WHEN {_YEARLY} THEN (local.anchor + make_interval(years => nth.n - 1))
                   AT TIME ZONE setting.zone END AS before,
               CASE WHEN {_YEARLY} THEN (local.anchor + make_interval(years => nth.n))
                   AT TIME ZONE setting.zone END AS since,
               CASE WHEN {_YEARLY} THEN (local.anchor + make_interval(years => nth.n + 1))
                   AT TIME ZONE setting.zone END AS ends,
               CASE WHEN {_YEARLY} THEN (local.anchor + make_interval(years => nth.n + 2))
                   AT TIME ZONE setting.zone END AS next_ends
        OFFSET 0
    ) AS year
),
given AS (
    SELECT earn.id, earn.credit_id, earn.at, earn.amount FROM rewards_transfer AS earn
    WHERE earn.credit_id = ANY({own}) AND earn.kind = 'earn' AND earn.at >= (SELECT min(floor) FROM who)
      AND ({COUNTS})
),
earned AS (
    SELECT given.credit_id AS wallet_id, given.at, given.amount - coalesce(back.amount, 0) AS points
    FROM given LEFT JOIN (
        SELECT taken.reverses_id, sum(taken.amount)::bigint AS amount
        FROM given JOIN rewards_transfer AS taken ON taken.reverses_id = given.id AND taken.kind = 'reverse'
        GROUP BY taken.reverses_id
    ) AS back ON back.reverses_id = given.id
),
points AS (
    SELECT who.member_id, {_totals("earned.points", "earned.at")}
    FROM who JOIN wallet USING (member_id) JOIN earned ON earned.wallet_id = wallet.id GROUP BY who.member_id
),
bought AS (
    SELECT who.member_id,
           {
        _totals(
            "CASE WHEN bought.currency = who.currency THEN bought.amount_minor - bought.refunded_minor END",
            "bought.purchased_at",
        )
    },
           count(DISTINCT {_DAY}) FILTER (WHERE {_VISIT} AND {_NOW.format(at="bought.purchased_at")}) AS visits_now,
           count(DISTINCT {_DAY}) FILTER (WHERE {_VISIT} AND {_BEFORE.format(at="bought.purchased_at")})
               AS visits_before,
           count(DISTINCT {_DAY}) FILTER (WHERE {_VISIT} AND {_LATER.format(at="bought.purchased_at")}) AS visits_later
    FROM who JOIN members_purchase AS bought
      ON bought.member_id = who.member_id AND bought.purchased_at >= who.floor
    WHERE (SELECT bool_or(spend_minor IS NOT NULL OR visits IS NOT NULL) FROM step)
    GROUP BY who.member_id
),
stood AS (
    SELECT who.*, coalesce(points.now, 0) AS points, coalesce(bought.now, 0) AS spend,
           coalesce(bought.visits_now, 0) AS visits,
           coalesce(points.before, 0) AS points_before, coalesce(bought.before, 0) AS spend_before,
           coalesce(bought.visits_before, 0) AS visits_before,
           coalesce(points.later, 0) AS points_later, coalesce(bought.later, 0) AS spend_later,
           coalesce(bought.visits_later, 0) AS visits_later,
           floor(extract(epoch FROM who.at - who.joined_at) / 86400)::int AS days
    FROM who LEFT JOIN points USING (member_id) LEFT JOIN bought USING (member_id)
)"""


# Which tier each of `stood` holds, reaches, and comes to; -1 where a programme has no tier of rank 0 to stand on.
# In windows of a year, what was reached in a year is kept to the end of the next. One level at a time falls once a
# year. `goes_to` is where a fall would lead, grace or none; `new_rank` where the member stands from now on.
DECIDED = f"""
ranked AS MATERIALIZED (
    SELECT stood.*, held.from_rank, coalesce(found.reached, -1) AS reached,
           CASE WHEN stood.span = 'rolling' THEN coalesce(found.later, -1)
                WHEN stood.probe >= stood.ends THEN coalesce(found.this, -1)
                ELSE coalesce(found.reached, -1) END AS later,
           coalesce(found.lower, -1) AS lower
    FROM stood
    LEFT JOIN step AS present ON present.id = stood.tier_id
    LEFT JOIN step AS base ON base.rank = 0
    CROSS JOIN LATERAL (SELECT coalesce(present.rank, base.rank, -1) AS from_rank OFFSET 0) AS held
    CROSS JOIN LATERAL (
        SELECT max(one.rank) FILTER (WHERE one.now OR one.before) AS reached,
               max(one.rank) FILTER (WHERE one.now) AS this,
               max(one.rank) FILTER (WHERE one.later) AS later,
               max(one.rank) FILTER (WHERE one.rank < held.from_rank) AS lower
        FROM (
            SELECT step.rank, {meets("step", "stood.points", "stood.spend", "stood.visits", "stood.days")} AS now,
                   stood.is_yearly AND {
    meets("step", "stood.points_before", "stood.spend_before", "stood.visits_before", "stood.days")
} AS before,
                   {
    meets("step", "stood.points_later", "stood.spend_later", "stood.visits_later", "stood.days")
} AS later
            FROM step
        ) AS one
    ) AS found
),
decided AS (
    SELECT ranked.*, going.goes_to, going.falls, coming.new_rank, kept.new_grace,
           -- A notice: the tier held from now on will be lost within the days of notice, if nothing more comes.
           setting.downgrade <> 'none' AND setting.notice > interval '0' AND coming.new_rank > 0
           AND coalesce(kept.new_grace <= ranked.at + setting.notice, ranked.later < coming.new_rank) AS warned
    FROM ranked CROSS JOIN setting
    CROSS JOIN LATERAL (
        SELECT CASE WHEN ranked.reached >= ranked.from_rank THEN ranked.reached
                    WHEN setting.downgrade = 'none' THEN ranked.from_rank
                    WHEN setting.downgrade = 'one' THEN ranked.lower ELSE ranked.reached END AS goes_to,
               ranked.reached < ranked.from_rank AND setting.downgrade <> 'none' AS is_due,
               ranked.reached < ranked.from_rank AND setting.downgrade <> 'none'
               AND coalesce(ranked.grace_until <= ranked.at, setting.grace = interval '0') AS falls
        OFFSET 0
    ) AS going
    CROSS JOIN LATERAL (
        SELECT CASE WHEN going.is_due AND NOT going.falls THEN ranked.from_rank ELSE going.goes_to END AS new_rank
        OFFSET 0
    ) AS coming
    CROSS JOIN LATERAL (
        SELECT CASE WHEN going.is_due AND NOT going.falls THEN coalesce(ranked.grace_until, ranked.at + setting.grace)
                    WHEN going.falls AND going.goes_to > ranked.reached
                    THEN ranked.at + greatest(interval '12 months', setting.grace) END AS new_grace
        OFFSET 0
    ) AS kept
)"""


# --- where a member stands ----------------------------------------------------------------------------------------
class Criterion(NamedTuple):
    """One thing that a tier asks for: `kind` is points, spend (minor units of the programme's currency), visits (days
    with a purchase) or tenure (days of membership)."""

    kind: str
    has: int
    needs: int

    @property
    def missing(self) -> int:
        return max(0, self.needs - self.has)

    @property
    def share(self) -> float:
        """How much of it is there, 0 to 1."""
        return min(1.0, self.has / self.needs) if self.needs else 1.0


class TierStanding(NamedTuple):
    """Where a member stands, as last assessed, with what counts now.

    `next_tier` asks for `to_next`, all of it or, with `next_any`, any of it. `keep_until` is the last day on which
    `tier` is held if nothing more comes, and `to_keep` what would keep it, with what will be left by then; None and
    empty where the tier cannot be lost. With `is_lost`, it is no longer reached and only kept by grace. `tier` is None
    only where the programme has none to stand on.
    """

    tier: Tier | None
    qualifying_points: int
    spend_minor: int
    visits: int
    days: int
    since: datetime | None
    next_tier: Tier | None
    to_next: tuple[Criterion, ...]
    next_any: bool
    keep_until: date | None
    to_keep: tuple[Criterion, ...]
    keep_any: bool
    is_lost: bool
    window: str
    window_ends: date | None
    currency: str

    @property
    def points_to_next(self) -> int | None:
        """Points missing for the next tier; None where there is none, or it asks for none."""
        return next((one.missing for one in self.to_next if one.kind == "points"), None)

    @property
    def points_to_keep(self) -> int | None:
        return next((one.missing for one in self.to_keep if one.kind == "points"), None)

    @property
    def progress(self) -> float | None:
        """The way to the next tier, 0 to 1: of what is least there, or with `next_any` of what is most. None at the
        top."""
        shares = [one.share for one in self.to_next]
        if not shares:
            return None
        return max(shares) if self.next_any else min(shares)


# What of the window falls out when, in rolling windows; what is left then, and when the present tier is lost by it.
_STANDINGS = f"""
WITH purse (own, ever) AS ({PURSES}),
{stood(own="(SELECT own FROM purse)::bigint[]", moment="%(at)s::timestamptz")},
{DECIDED},
item AS (
    SELECT who.member_id, earned.at + interval '12 months' AS until, earned.points, 0::bigint AS spend, 0 AS visits
    FROM who JOIN wallet USING (member_id) JOIN earned ON earned.wallet_id = wallet.id
    WHERE who.span = 'rolling' AND earned.at + interval '12 months' > who.at
    UNION ALL
    SELECT who.member_id, bought.purchased_at + interval '12 months', 0,
           CASE WHEN bought.currency = who.currency THEN bought.amount_minor - bought.refunded_minor ELSE 0 END,
           ({_VISIT} AND NOT EXISTS (
               SELECT FROM members_purchase AS again WHERE again.member_id = bought.member_id
               AND (again.purchased_at, again.id) > (bought.purchased_at, bought.id)
               AND again.purchased_at < bought.purchased_at + interval '2 days'
               AND (again.amount_minor > again.refunded_minor OR again.amount_minor = 0)
               AND (again.purchased_at AT TIME ZONE who.zone)::date = {_DAY}))::int
    FROM who JOIN members_purchase AS bought
      ON bought.member_id = who.member_id AND bought.purchased_at >= who.floor
    WHERE who.span = 'rolling' AND bought.purchased_at + interval '12 months' > who.at
      AND (SELECT bool_or(spend_minor IS NOT NULL OR visits IS NOT NULL) FROM step)
),
falling AS (
    SELECT ranked.member_id, item.until, ranked.from_rank, ranked.points - sum(item.points) OVER passed AS points,
           ranked.spend - sum(item.spend) OVER passed AS spend, ranked.visits - sum(item.visits) OVER passed AS visits,
           floor(extract(epoch FROM item.until - ranked.joined_at) / 86400)::int AS days
    FROM item JOIN ranked USING (member_id)
    WINDOW passed AS (PARTITION BY ranked.member_id ORDER BY item.until)
),
lost AS (
    SELECT DISTINCT ON (falling.member_id) falling.*
    FROM falling JOIN step ON step.rank = falling.from_rank
    WHERE NOT {meets("step", "falling.points", "falling.spend", "falling.visits", "falling.days")}
    ORDER BY falling.member_id, falling.until
)
SELECT decided.member_id, decided.from_rank, decided.reached, decided.points, decided.spend, decided.visits,
       decided.days, decided.tier_since, decided.new_grace, decided.falls, decided.span, decided.ends,
       decided.next_ends, decided.currency, decided.at, setting.downgrade, setting.grace, lost.until AS lost_at,
       lost.points AS points_then, lost.spend AS spend_then, lost.visits AS visits_then, lost.days AS days_then
FROM decided CROSS JOIN setting LEFT JOIN lost USING (member_id)
"""
_COLUMNS = (
    "member_id from_rank reached points spend visits days tier_since grace falls span ends next_ends currency at"
    " downgrade grace_time lost_at points_then spend_then visits_then days_then"
)
_Row = NamedTuple("_Row", [(name, Any) for name in _COLUMNS.split()])  # type: ignore[misc]


def standings(member_ids: Iterable[int], at: datetime, tiers: Sequence[Tier] | None = None) -> dict[int, TierStanding]:
    """The standing at `at` of each of these members who has a wallet, with those merged into them."""
    steps = list(Tier.objects.order_by("rank")) if tiers is None else list(tiers)
    params = {"members": list(member_ids), "wallets": [], "unit": Unit.POINTS, "at": at}
    return {row[0]: _standing(_Row(*row), steps) for row in fetch_all(_STANDINGS, params)}


def tier_standing(member_id: int, at: datetime) -> TierStanding:
    """A member's standing at `at`; with no wallet yet, that of who did nothing. Two queries, or three."""
    tiers = list(Tier.objects.order_by("rank"))
    found = standings([member_id], at, tiers)
    if found:
        return next(iter(found.values()))
    base = next((tier for tier in tiers if tier.rank == 0), None)
    above = next((tier for tier in tiers if tier.rank > 0), None)
    joined = Member.objects.values_list("joined_at", flat=True).filter(pk=member_id).first()
    days = max((at - joined).days, 0) if joined else 0
    nothing = TierStanding(
        base, 0, 0, 0, days, None, above, (), False, None, (), False, False, TierWindow.ROLLING, None, "EUR"
    )
    return nothing._replace(to_next=_criteria(above, 0, 0, 0, days), next_any=_any(above)) if above else nothing


def _criteria(tier: Tier, points: int, spend: int, visits: int, days: int) -> tuple[Criterion, ...]:
    asked = (
        ("points", points, tier.threshold),
        ("spend", spend, tier.spend_minor),
        ("visits", visits, tier.visits),
        ("tenure", days, tier.tenure_days),
    )
    return tuple(Criterion(kind, int(has), needs) for kind, has, needs in asked if needs is not None)


def _any(tier: Tier) -> bool:
    return tier.combine == Combine.ANY


def _met(tier: Tier, criteria: Sequence[Criterion]) -> bool:
    return (any if _any(tier) else all)(not one.missing for one in criteria)


def _last_day(moment: datetime) -> date:
    """The day, in the active time zone, of the last instant before `moment`."""
    return timezone.localdate(moment - timedelta(microseconds=1))


def _standing(row: Any, tiers: list[Tier]) -> TierStanding:
    tier = next((one for one in tiers if one.rank == row.from_rank), None)
    above = next((one for one in tiers if one.rank > max(row.from_rank, row.reached)), None)
    now = (row.points, row.spend, row.visits, row.days)
    to_next = _criteria(above, *now) if above else ()
    keep_until: date | None = None
    to_keep: tuple[Criterion, ...] = ()
    is_lost = False
    if tier is not None and tier.rank > 0 and row.downgrade != Downgrade.NONE:
        wanted = _criteria(tier, *now)
        if row.reached < tier.rank:
            is_lost, to_keep = True, wanted
            keep_until = timezone.localdate(row.at) if row.falls else _last_day(row.grace)
        elif row.span == TierWindow.ROLLING and row.lost_at:
            keep_until = _last_day(row.lost_at + row.grace_time)
            to_keep = _criteria(tier, row.points_then, row.spend_then, row.visits_then, row.days_then)
        elif row.ends:
            # When the year ends, what it brought holds for one more; after that, only time does.
            then = _criteria(tier, row.points, row.spend, row.visits, row.days + (row.ends - row.at).days)
            last = _criteria(tier, 0, 0, 0, row.days + (row.next_ends - row.at).days)
            if not _met(tier, then):
                keep_until, to_keep = _last_day(row.ends + row.grace_time), then
            elif not _met(tier, last):
                keep_until = _last_day(row.next_ends + row.grace_time)
    return TierStanding(
        tier=tier,
        qualifying_points=int(row.points),
        spend_minor=int(row.spend),
        visits=int(row.visits),
        days=int(row.days),
        since=row.tier_since,
        next_tier=above,
        to_next=to_next,
        next_any=bool(above and _any(above)),
        keep_until=keep_until,
        to_keep=to_keep,
        keep_any=bool(tier and _any(tier)),
        is_lost=is_lost,
        window=row.span,
        window_ends=_last_day(row.ends) if row.ends else None,
        currency=row.currency,
    )


def tier_history(member_id: int) -> QuerySet[TierChange]:
    """A member's way through the tiers, newest first."""
    changes = TierChange.objects.filter(member_id=member_id).select_related("from_tier", "to_tier", "actor")
    return changes.order_by("-at", "-id")


# --- words --------------------------------------------------------------------------------------------------------
def amount_words(kind: str, amount: int, currency: str) -> str:
    """So much of a criterion, in the active language: "240 points", "€120.00", "3 visits", "30 days"."""
    if kind == "points":
        return points_text(amount)
    if kind == "spend":
        return format_money(amount, currency)
    shown = {"n": number_format(amount, use_l10n=True, force_grouping=True)}
    if kind == "visits":
        return ngettext("%(n)s visit", "%(n)s visits", amount) % shown
    return ngettext("%(n)s day of membership", "%(n)s days of membership", amount) % shown


def _joined(parts: list[str], any_of: bool) -> str:
    """ "a, b and c", or "a, b or c"."""
    if len(parts) < 2:
        return "".join(parts)
    words = {"some": gettext(", ").join(parts[:-1]), "last": parts[-1]}
    return (gettext("%(some)s or %(last)s") if any_of else gettext("%(some)s and %(last)s")) % words


def missing_words(criteria: Sequence[Criterion], any_of: bool, currency: str) -> str:
    """What is still missing: "240 points and 2 visits"; empty where nothing is."""
    return _joined([amount_words(one.kind, one.missing, currency) for one in criteria if one.missing], any_of)


def step_words(tier: Tier, currency: str) -> str:
    """What a tier asks for: "500 points and 6 visits", "from the first day"."""
    criteria = _criteria(tier, 0, 0, 0, 0)
    if not criteria:
        return gettext("from the first day")
    return _joined([amount_words(one.kind, one.needs, currency) for one in criteria], _any(tier))


def window_words(window: str) -> str:
    """Over what members qualify, to stand behind an amount."""
    return {
        TierWindow.ROLLING: gettext("in the last 12 months"),
        TierWindow.CALENDAR_YEAR: gettext("in the calendar year"),
        TierWindow.MEMBERSHIP_YEAR: gettext("in the year of membership"),
        TierWindow.LIFETIME: gettext("in all"),
    }[TierWindow(window)]


def counts_words(window: str) -> str:
    """What counts towards tiers, as a sentence for members."""
    return {
        TierWindow.ROLLING: gettext("What counts is what you did in the last 12 months."),
        TierWindow.CALENDAR_YEAR: gettext("What counts is what you did this calendar year."),
        TierWindow.MEMBERSHIP_YEAR: gettext("What counts is what you did in this year of your membership."),
        TierWindow.LIFETIME: gettext("What counts is all that you ever did."),
    }[TierWindow(window)]


def keep_words(standing: TierStanding) -> str:
    """Until when the tier is kept, and what would keep it longer, as a sentence; empty where it cannot be lost."""
    if standing.keep_until is None or standing.tier is None:
        return ""
    words = {
        "tier": standing.tier.name,
        "day": date_format(standing.keep_until, "DATE_FORMAT", use_l10n=True),
        "what": missing_words(standing.to_keep, standing.keep_any, standing.currency),
    }
    if words["what"]:
        return gettext("%(tier)s until %(day)s; %(what)s more keeps it.") % words
    return gettext("%(tier)s until %(day)s.") % words

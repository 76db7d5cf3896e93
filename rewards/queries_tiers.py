"""Where members stand: their tier, what is missing for the next, until when theirs is kept, and all that in words.

What counts is reckoned in rewards.queries_qualifying. docs/tiers.md.
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
from rewards.models import Tier, TierChange, TierLift
from rewards.queries import PURSES, points_text
from rewards.queries_qualifying import DAY, DECIDED, VISIT, meets, stood


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
           ({VISIT} AND NOT EXISTS (
               SELECT FROM members_purchase AS again WHERE again.member_id = bought.member_id
               AND (again.purchased_at, again.id) > (bought.purchased_at, bought.id)
               AND again.purchased_at < bought.purchased_at + interval '2 days'
               AND (again.amount_minor > again.refunded_minor OR again.amount_minor = 0)
               AND (again.purchased_at AT TIME ZONE who.zone)::date = {DAY}))::int
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


def tier_lifts(member_id: int) -> QuerySet[TierLift]:
    """What staff did to a member's tier by hand, newest first."""
    return TierLift.objects.filter(member_id=member_id).select_related("tier", "actor").order_by("-id")


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

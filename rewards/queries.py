"""Reads about points and tiers. Each is one query or two, whatever the length of a member's history."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, Case, F, Min, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, gettext, ngettext
from modeltranslation.utils import build_localized_fieldname

from common.money import format_money
from common.sql import fetch_all
from members.queries import get_programme
from rewards.enums import AccountKind, HoldState, RuleState, TransferKind, Unit, VersionState
from rewards.models import Account, Lot, Reward, RewardSettings, RuleVersion, Transfer
from rewards.queries_awards import award_sentence, untold_text


def reward_settings() -> RewardSettings:
    """How points behave in this shop; the defaults where nobody has saved any yet. One look-up by key."""
    return RewardSettings.objects.filter(pk=1).first() or RewardSettings()


def wallets(member_ids: Iterable[int]) -> QuerySet[Account]:
    """The members' wallets of points; none for who never had any."""
    return Account.objects.filter(kind=AccountKind.WALLET, unit=Unit.POINTS, member_id__in=member_ids)


def open_lots(*, at: datetime) -> QuerySet[Lot]:
    """The lots that can be spent at `at`."""
    lots = Lot.objects.filter(remaining__gt=0, available_from__lte=at)
    return lots.filter(Q(expires_at=None) | Q(expires_at__gt=at))


def balances(member_ids: Iterable[int], at: datetime | None = None, unit: Unit = Unit.POINTS) -> dict[int, int]:
    """What each member can spend at `at` (now): points, or credit in minor units. What has expired does not count, even
    before it is swept, nor what is pending."""
    ids = list(member_ids)
    rows = fetch_all(_BALANCES, {"members": ids, "at": at or timezone.now(), "unit": unit})
    return {**dict.fromkeys(ids, 0), **dict(rows)}


_BALANCES = """
SELECT wallet.member_id, wallet.balance - coalesce((
    SELECT sum(lot.remaining) FROM rewards_lot AS lot
    WHERE lot.account_id = wallet.id AND lot.remaining > 0
      AND (lot.expires_at <= %(at)s OR lot.available_from > %(at)s)
), 0)::bigint
FROM rewards_account AS wallet
WHERE wallet.member_id = ANY(%(members)s) AND wallet.unit = %(unit)s AND wallet.kind = 'wallet'
"""


def balance(member_id: int, at: datetime | None = None, unit: Unit = Unit.POINTS) -> int:
    """What the member can spend at `at` (now)."""
    return balances([member_id], at, unit)[member_id]


def arrears(member_id: int, unit: Unit = Unit.POINTS) -> int:
    """What the member owes: later earning repays it first."""
    owing = Account.objects.filter(kind=AccountKind.ARREARS, unit=unit, member_id=member_id)
    return -(owing.values_list("balance", flat=True).first() or 0)


def pending(member_id: int, at: datetime, unit: Unit = Unit.POINTS) -> int:
    """What has been given to the member and cannot be spent yet."""
    return pending_lots(member_id, at, unit).aggregate(n=Sum("remaining", default=0))["n"]


def pending_lots(member_id: int, at: datetime, unit: Unit = Unit.POINTS) -> QuerySet[Lot]:
    """The lots that cannot be spent yet, those first whose time comes first."""
    wallet = {"account__member_id": member_id, "account__unit": unit, "account__kind": AccountKind.WALLET}
    lots = Lot.objects.filter(**wallet, remaining__gt=0, available_from__gt=at)
    return lots.filter(Q(expires_at=None) | Q(expires_at__gt=at)).order_by("available_from", "pk")


class Expiring(NamedTuple):
    """Points that are good until the end of one day, in the active time zone; the first of them expire at `at`."""

    at: datetime
    points: int


def expiring(member_id: int, at: datetime, unit: Unit = Unit.POINTS) -> list[Expiring]:
    """What a member's wallet loses, day by day, if nothing is spent."""
    return [Expiring(first, int(points)) for first, points in _expiring(member_id, at, unit)]


def expiring_next(member_id: int, at: datetime) -> Expiring | None:
    """What expires next for a member; None where nothing does."""
    return next((Expiring(first, int(points)) for first, points in _expiring(member_id, at, Unit.POINTS)[:1]), None)


def _expiring(member_id: int, at: datetime, unit: Unit) -> QuerySet[Any, Any]:
    wallet = {"account__member_id": member_id, "account__unit": unit, "account__kind": AccountKind.WALLET}
    last_day = TruncDate(F("expires_at") - timedelta(microseconds=1))  # what expires at midnight is good the day before
    days = open_lots(at=at).filter(**wallet, expires_at__gt=at).annotate(day=last_day).values("day")
    days = days.annotate(first=Min("expires_at"), points=Sum("remaining")).order_by("day")
    return days.values_list("first", "points")


def expiring_of(member_ids: Iterable[int], at: datetime, zone: ZoneInfo) -> dict[int, tuple[int, date]]:
    """For each of many members the points that expire next and the last day on which they can be spent, in `zone`;
    those without any are left out. One query."""
    rows = fetch_all(_EXPIRING, {"members": list(member_ids), "at": at, "zone": zone.key})
    return {member_id: (int(points), last) for member_id, points, last in rows}


_EXPIRING = """
SELECT DISTINCT ON (member_id) member_id, points, day FROM (
    SELECT wallet.member_id, sum(lot.remaining) AS points,
           ((lot.expires_at - interval '1 microsecond') AT TIME ZONE %(zone)s)::date AS day
    FROM rewards_account AS wallet JOIN rewards_lot AS lot ON lot.account_id = wallet.id
    WHERE wallet.member_id = ANY(%(members)s) AND wallet.unit = 'points' AND wallet.kind = 'wallet'
      AND lot.remaining > 0 AND lot.available_from <= %(at)s AND lot.expires_at > %(at)s
    GROUP BY wallet.member_id, day
) AS days ORDER BY member_id, day
"""


def plain_rules(currency: str) -> QuerySet[RuleVersion]:
    """The published versions of the plain rule of a currency: so many points for each 1.00, and nothing else asked."""
    versions = RuleVersion.objects.filter(state=VersionState.PUBLISHED)
    plain = {"definition__effect__kind": "per_amount", "definition__conditions": {"currency": currency}}
    return (
        versions.filter(rule__trigger="purchase", rule__unit=Unit.POINTS, **plain)
        .exclude(rule__state__in=[RuleState.ENDED, RuleState.ARCHIVED])
        .select_related("rule")
    )


class Rate(NamedTuple):
    """What each 1.00 of a currency earns, and for how many months."""

    currency: str
    points_per_unit: Decimal
    valid_months: int | None


def plain_rate(currency: str, at: datetime) -> Rate | None:
    """The rate of the currency's plain rule at `at`; None where there is none, or it rests."""
    begun = Q(valid_from=None) | Q(valid_from__lte=at)
    lasting = Q(valid_until=None) | Q(valid_until__gt=at)
    version = plain_rules(currency).filter(begun, lasting, rule__state=RuleState.LIVE).order_by("rule_id").first()
    if version is None:
        return None
    effect = version.definition["effect"]
    expiry = version.definition.get("expiry") or {}
    return Rate(currency, Decimal(effect["points"]) / Decimal(effect["per"]), expiry.get("months"))


class Purses(NamedTuple):
    """Wallets that tell one story: the members' own with those of whoever was merged into them, and all from which
    points that came into those may have been taken back, those of undone merges among them."""

    own: list[int]
    ever: list[int]


PURSES = """
WITH RECURSIVE owner (id) AS (
    SELECT coalesce(merged_into_id, id) FROM members_member WHERE id = ANY(%(members)s)
    UNION
    SELECT coalesce(member.merged_into_id, member.id)
    FROM rewards_account AS wallet JOIN members_member AS member ON member.id = wallet.member_id
    WHERE wallet.id = ANY(%(wallets)s)
),
own (id) AS (
    SELECT id FROM owner UNION
    SELECT member.id FROM owner JOIN members_member AS member ON member.merged_into_id = owner.id
),
ever (id) AS (
    SELECT id FROM own UNION
    SELECT merge.survivor_id FROM ever JOIN members_membermerge AS merge ON merge.merged_id = ever.id
)
SELECT array_agg(wallet.id) FILTER (WHERE wallet.member_id IN (SELECT id FROM own)), array_agg(wallet.id)
FROM ever JOIN rewards_account AS wallet
  ON wallet.member_id = ever.id AND wallet.unit = %(unit)s AND wallet.kind = 'wallet'
"""


def purses(*, member_ids: Iterable[int] = (), wallet_ids: Iterable[int] = (), unit: Unit = Unit.POINTS) -> Purses:
    """The wallets of a unit that belong together with those of some members."""
    own, ever = fetch_all(PURSES, {"members": list(member_ids), "wallets": list(wallet_ids), "unit": unit})[0]
    return Purses(own or [], ever or [])


def with_rewards(transfers: QuerySet[Transfer]) -> QuerySet[Transfer]:
    """The same, each with `reward_name` in the active language where points were reserved for a reward, or given back.

    Looked up row by row, as a join would read all reservations for a page of twenty.
    """
    held = Case(
        When(kind=TransferKind.HOLD, then=F("id")),
        When(kind=TransferKind.RELEASE, then=F("reverses_id")),
        output_field=BigIntegerField(),
    )
    reward = Reward.objects.filter(redemptions__hold__transfer=OuterRef("held_as"))
    return transfers.alias(held_as=held).annotate(reward_name=name_of(reward))


def name_of(reward: QuerySet[Reward]) -> Subquery:
    """What the one reward is called in the active language, beside what refers to it."""
    return Subquery(reward.order_by().values(build_localized_fieldname("name", get_language() or "en")))


def history(member_id: int, unit: Unit = Unit.POINTS) -> QuerySet[Transfer]:
    """The movements of a member's wallet and of those merged into it, newest first, each with its signed `change` in
    its unit and its hold. What moved between these wallets is no movement.

    The wallets are looked up at once: only for plain numbers does the planner know that they are rare ones.
    """
    own = purses(member_ids=[member_id], unit=unit).own
    if len(own) == 1:  # as nearly always; the planner does best with one number
        moved, comes_in = Transfer.objects.filter(Q(credit_id=own[0]) | Q(debit_id=own[0])), Q(credit_id=own[0])
    else:
        moved = Transfer.objects.filter(Q(credit__in=own) | Q(debit__in=own)).exclude(credit__in=own, debit__in=own)
        comes_in = Q(credit__in=own)
    change = Case(When(comes_in, then=F("amount")), default=-F("amount"), output_field=BigIntegerField())
    rows = with_rewards(moved.annotate(change=change)).select_related("hold", "rule__rule")
    return rows.order_by("-at", "-id")


def points_text(points: int) -> str:
    """A number of points in the active language: "1,250 points"."""
    text = ngettext("%(points)s point", "%(points)s points", points)
    return text % {"points": number_format(points, use_l10n=True, force_grouping=True)}


def amount_text(amount: int, unit: str) -> str:
    """An amount of a unit in the active language: "1,250 points", or credit as money: "€12.50"."""
    return points_text(amount) if unit == Unit.POINTS else format_money(amount, get_programme().currency)


def explain(transfer: Transfer) -> str:
    """Why a transfer was made, as a sentence in the active language, from what the transfer itself keeps.

    A reason that stands in the catalogue of messages ("Gift for your birthday") is translated. For a list, let the
    transfers come with their hold, which says whether what was reserved has been redeemed, and with_rewards, for the
    reader calls a reward as they do, and not as the member did.
    """
    why, points = transfer.why, points_text(transfer.amount)
    # What staff wrote for the member; what they wrote for each other is not for the member's eyes. Before there were
    # notes, reasons were written for members.
    told = transfer.note or ("" if why.get("internal") else transfer.reason)
    reason = getattr(transfer, "reward_name", None) or (gettext(told) if told else "")
    match transfer.kind:
        case TransferKind.EARN:
            return award_sentence(transfer)
        case TransferKind.EXPIRE:
            day = date_format(timezone.localtime(transfer.at), "DATE_FORMAT", use_l10n=True)
            return gettext("Expired on %(day)s") % {"day": day}
        case TransferKind.REVERSE | TransferKind.RETURN if "refund" in why:
            words = {"amount": format_money(why["amount_minor"], why["currency"])}
            if transfer.kind == TransferKind.RETURN:
                return gettext("Given back: refund of %(amount)s") % words
            return gettext("Taken back: refund of %(amount)s") % words
        case TransferKind.REVERSE | TransferKind.REINSTATE if "lot" in why or "expiry" in why:  # by staff, for reasons
            if transfer.note:
                return gettext(transfer.note)
            if transfer.kind == TransferKind.REINSTATE:
                return gettext("Brought back after their expiry")
            if "waits" in why:
                return untold_text(why["waits"])
            return gettext("Cancelled before they could be spent")
        case TransferKind.REPAY:
            return gettext("Repaid what was owed after a refund")
        case TransferKind.PAY:
            return gettext("Paid with at a purchase")
        case TransferKind.MERGE if transfer.reverses_id is None:
            return gettext("Brought along from a merged card")
        case TransferKind.MERGE:
            return gettext("Given back: the merge of two cards was undone")
        case TransferKind.RELEASE:
            return gettext("Given back: %(reason)s") % {"reason": reason or gettext("reservation ended")}
        case TransferKind.HOLD if transfer.hold.state != HoldState.CONFIRMED:
            return gettext("Reserved: %(reason)s") % {"reason": reason or points}
        case TransferKind.HOLD | TransferKind.REDEEM:
            return gettext("Redeemed: %(reason)s") % {"reason": reason or points}
        case _:
            return reason or str(transfer.get_kind_display())

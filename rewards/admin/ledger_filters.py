"""What the lists of movements and lots can be filtered by: the figures lead here."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.expressions import RawSQL
from django.http import HttpRequest
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from members.queries import get_programme
from rewards.enums import OWNED, AccountKind, HoldState, Unit
from rewards.models import Account, EarningRule, LotUse

SYSTEM = [kind for kind in AccountKind if kind not in OWNED]


class UnitFilter(admin.SimpleListFilter):
    title = _("unit")
    parameter_name = "unit"
    path = "debit__unit"  # of a transfer both accounts have the same

    def lookups(self, request: HttpRequest, model_admin: Any) -> list:
        return Unit.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.path: self.value()}) if self.value() in Unit.values else queryset


class LotUnitFilter(UnitFilter):
    path = "account__unit"


class HolderFilter(admin.SimpleListFilter):
    """Lots of store credit: a member's, or a gift card's."""

    title = _("held by")
    parameter_name = "holder"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list:
        return [("member", _("Members")), ("card", _("Gift cards"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "member":
                return queryset.exclude(account__kind=AccountKind.CARD)
            case "card":
                return queryset.filter(account__kind=AccountKind.CARD)
        return queryset


class _SideFilter(admin.SimpleListFilter):
    side = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list:
        return [(kind.value, kind.label) for kind in SYSTEM]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in SYSTEM:
            return queryset
        # Asked for at once: with plain numbers the planner uses the index by account and moment.
        accounts = list(Account.objects.filter(member=None, kind=self.value()).values_list("pk", flat=True))
        return queryset.filter(**{f"{self.side}__in": accounts})


class FromFilter(_SideFilter):
    title = _("from account")
    parameter_name = "from"
    side = "debit"


class ToFilter(_SideFilter):
    title = _("to account")
    parameter_name = "to"
    side = "credit"


class FlowFilter(admin.SimpleListFilter):
    """What makes up a figure: what left an account (or came to it) and, against it, what went the other way. Each row
    is annotated with `signed`, what it adds to the figure."""

    title = _("counts as")
    parameter_name = "flow"
    LEAVES = (AccountKind.ISSUED, AccountKind.ADJUSTED)
    COMES = (AccountKind.REDEEMED, AccountKind.EXPIRED)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list:
        return [(kind.value, kind.label) for kind in (*self.LEAVES, *self.COMES)]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in (*self.LEAVES, *self.COMES):
            return queryset
        accounts = list(Account.objects.filter(member=None, kind=self.value()).values_list("pk", flat=True))
        out, came = Q(debit__in=accounts), Q(credit__in=accounts)
        adds = out if self.value() in self.LEAVES else came
        return queryset.filter(out | came).annotate(signed=Case(When(adds, then=F("amount")), default=-F("amount")))


class HoldFilter(admin.SimpleListFilter):
    title = _("reservation")
    parameter_name = "hold"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list:
        return HoldState.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() not in HoldState.values:
            return queryset
        return queryset.filter(hold__state=self.value()).annotate(signed=F("amount"))


class RuleFilter(admin.SimpleListFilter):
    title = _("rule")
    parameter_name = "rule"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list:
        return [(str(pk), name) for pk, name in EarningRule.objects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value() or ""
        return queryset.filter(rule__rule=value) if value.isdecimal() and len(value) < 19 else queryset


class LotStateFilter(admin.SimpleListFilter):
    title = _("what is left")
    parameter_name = "left"

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple:
        return (
            ("open", _("Spendable")),
            ("pending", _("Pending")),
            ("waiting", _("Waiting for an event")),
            ("alive", _("Spendable or pending")),
            ("held", _("Outstanding")),
            ("some", _("Something")),
            ("none", _("Nothing")),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        lives = Q(expires_at=None) | Q(expires_at__gt=now())
        match self.value():
            case "open":
                return queryset.filter(lives, remaining__gt=0, available_from__lte=now())
            case "pending":
                return queryset.filter(lives, remaining__gt=0, available_from__gt=now())
            case "waiting":
                waits = {"remaining__gt": 0, "available_from__gt": now(), "transfer__why__has_key": "waits"}
                return queryset.filter(lives, **waits)
            case "alive":
                return queryset.filter(lives, remaining__gt=0)
            case "held":  # with what is reserved, and what has expired but was not swept yet
                reserved = LotUse.objects.filter(transfer__hold__state=HoldState.RESERVED).values("lot")
                counted = F("remaining") + F("reserved")
                return queryset.filter(Q(remaining__gt=0) | Q(pk__in=reserved)).annotate(counted=counted)
            case "some":
                return queryset.filter(remaining__gt=0)
            case "none":
                return queryset.filter(remaining=0)
        return queryset


# Lots whose points were first given in a span of time: what a merge moved is known by the lot that it came from.
_GIVEN_IN = """
WITH RECURSIVE found (id) AS (
    SELECT lot.id FROM rewards_transfer AS given JOIN rewards_lot AS lot ON lot.transfer_id = given.id
    WHERE given.kind <> 'merge' AND given.at >= %s AND given.at < %s
    UNION
    SELECT moved.id FROM found
    JOIN rewards_lotuse AS used ON used.lot_id = found.id AND used.amount > 0
    JOIN rewards_transfer AS merge ON merge.id = used.transfer_id AND merge.kind = 'merge'
    JOIN rewards_lot AS moved ON moved.transfer_id = merge.id
)
SELECT id FROM found
"""


class GivenInFilter(admin.SimpleListFilter):
    """Lots by the programme's month in which their points were issued, as "2026-05"."""

    title = _("issued in")
    parameter_name = "issued"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list:
        """The month that a figure led to: a list of all of them would be long, and reads every row."""
        asked = request.GET.get(self.parameter_name, "")
        return [(asked, asked)] if _month(asked) else []

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        first = _month(self.value() or "")
        if first is None:
            return queryset
        following = (first + timedelta(days=31)).replace(day=1)
        zone = ZoneInfo(get_programme().time_zone)
        span = [datetime.combine(day, time(), tzinfo=zone) for day in (first, following)]
        return queryset.filter(pk__in=RawSQL(_GIVEN_IN, span))  # noqa: S611 (no text of others in it)


def _month(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 (a month is no moment)
    except ValueError:
        return None

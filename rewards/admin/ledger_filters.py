"""What the lists of movements and lots can be filtered by: the figures lead here."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from rewards.enums import MEMBERS_OWN, AccountKind, Unit
from rewards.models import Account, EarningRule

SYSTEM = [kind for kind in AccountKind if kind not in MEMBERS_OWN]


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
            case "some":
                return queryset.filter(remaining__gt=0)
            case "none":
                return queryset.filter(remaining=0)
        return queryset

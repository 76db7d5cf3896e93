from datetime import timedelta
from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from members.models import Purchase
from rewards.enums import HoldState, TransferKind
from rewards.models import Transfer

PERIODS = {
    "30": _("Last 30 days"),
    "90": _("Last 3 months"),
    "365": _("Last 12 months"),
}


PENDING = "pending"


class HistoryFilter(django_filters.FilterSet):
    """Movements of points by what they were and when. An unknown value filters nothing."""

    kind = django_filters.ChoiceFilter(
        label=_("What"),
        choices=[*TransferKind.choices, (PENDING, _("Cannot be spent yet"))],
        empty_label=_("All"),
        method="of_kind",
    )
    period = django_filters.ChoiceFilter(
        label=_("When"), choices=list(PERIODS.items()), empty_label=_("Any time"), method="in_period"
    )

    class Meta:
        model = Transfer
        fields = ("kind", "period")

    def of_kind(self, movements: QuerySet[Transfer], name: str, value: str) -> QuerySet[Transfer]:
        """What left the wallet as a reservation counts as redeemed once it is confirmed."""
        redeemed = Q(kind=TransferKind.HOLD, hold__state=HoldState.CONFIRMED)
        match value:
            case TransferKind.REDEEM:
                return movements.filter(Q(kind=value) | redeemed)
            case TransferKind.HOLD:
                return movements.filter(Q(kind=value) & ~redeemed)
            case "pending":
                return movements.filter(lot__available_from__gt=timezone.now(), lot__remaining__gt=0)
        return movements.filter(kind=value)

    def in_period(self, movements: QuerySet[Transfer], name: str, value: str) -> QuerySet[Transfer]:
        return movements.filter(at__gt=timezone.now() - timedelta(days=int(value)))


class PurchaseFilter(django_filters.FilterSet):
    """Purchases by where and when. Only stores where the member bought are offered."""

    store = django_filters.ChoiceFilter(label=_("Where"), choices=(), empty_label=_("Everywhere"))
    period = django_filters.ChoiceFilter(
        label=_("When"), choices=list(PERIODS.items()), empty_label=_("Any time"), method="in_period"
    )

    class Meta:
        model = Purchase
        fields = ("store", "period")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stores = self.queryset.order_by("store").exclude(store="").values_list("store", flat=True).distinct()
        self.filters["store"].extra["choices"] = [(store, store) for store in stores]

    def in_period(self, purchases: QuerySet[Purchase], name: str, value: str) -> QuerySet[Purchase]:
        return purchases.filter(purchased_at__gt=timezone.now() - timedelta(days=int(value)))

from datetime import timedelta

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from rewards.enums import TransferKind
from rewards.models import Transfer

PERIODS = {
    "30": _("Last 30 days"),
    "90": _("Last 3 months"),
    "365": _("Last 12 months"),
}


class HistoryFilter(django_filters.FilterSet):
    """Movements of points by what they were and when. An unknown value filters nothing."""

    kind = django_filters.ChoiceFilter(label=_("What"), choices=TransferKind, empty_label=_("All"))
    period = django_filters.ChoiceFilter(
        label=_("When"), choices=list(PERIODS.items()), empty_label=_("Any time"), method="in_period"
    )

    class Meta:
        model = Transfer
        fields = ("kind", "period")

    def in_period(self, movements: QuerySet[Transfer], name: str, value: str) -> QuerySet[Transfer]:
        return movements.filter(at__gt=timezone.now() - timedelta(days=int(value)))

"""Filters of the list of members: what the pages of figures open."""

from zoneinfo import ZoneInfo

from django.contrib import admin
from django.db.models import F
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from analytics.enums import Group, Lifecycle
from analytics.lifecycle import in_state, won_back
from analytics.periods import STEPS, Period
from analytics.quality import BY_KEY, faulty
from analytics.rules import cells_of
from members.queries import get_programme


class LifecycleFilter(admin.SimpleListFilter):
    """Where they stand as customers, by their own rhythm; or who came back after being lost."""

    title = _("customer")
    parameter_name = "customer"

    def lookups(self, request, model_admin):
        back = [(f"back.{days}", _("Won back in the last %(n)d days") % {"n": days}) for days in STEPS]
        return [*Lifecycle.choices, *back]

    def queryset(self, request, queryset):
        chosen = self.value() or ""
        if chosen in Lifecycle.values:
            return in_state(queryset, chosen, now())
        if chosen in dict(self.lookup_choices):
            zone = ZoneInfo(get_programme().time_zone)
            period = Period(int(chosen.removeprefix("back.")), now(), zone)
            return won_back(queryset, period.start, period.at)
        return queryset


class GroupFilter(admin.SimpleListFilter):
    """The named groups of the RFM map."""

    title = _("RFM group")
    parameter_name = "rfm"

    def lookups(self, request, model_admin):
        return Group.choices

    def queryset(self, request, queryset):
        chosen = self.value() or ""
        if chosen not in Group.values:
            return queryset
        cells = [10 * recency + value for recency, value in cells_of(Group(chosen))]
        return queryset.alias(cell=10 * F("score__recency") + F("score__value")).filter(cell__in=cells)


class QualityFilter(admin.SimpleListFilter):
    """What is missing or odd."""

    title = _("data")
    parameter_name = "data"

    def lookups(self, request, model_admin):
        return [(key, check.label) for key, check in BY_KEY.items()]

    def queryset(self, request, queryset):
        chosen = self.value() or ""
        return faulty(queryset, chosen, now()) if chosen in BY_KEY else queryset

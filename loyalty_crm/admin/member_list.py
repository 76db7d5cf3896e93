"""The list of members: what it is filtered by, how it is counted, what an export of it holds."""

from datetime import timedelta

from django.contrib import admin
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from analytics.queries import ACTIVE_DAYS
from common import admin as desk
from members.attributes import choices
from members.enums import MARKETING, AttributeKind, Channel
from members.models import PRESENT, Attribute, ConsentState, Member, MemberTag, Purchase, Segment, SegmentMember, Tag
from members.queries import attributes

TAGS_OFFERED = SEGMENTS_OFFERED = 100
COUNT_UP_TO = 10_000
SORTED_UP_TO = 5_000


class MemberPaginator(desk.EstimatingPaginator):
    """All members are estimated; a filter asks several tables for each, so it counts less far than others."""

    count_up_to = COUNT_UP_TO

    @cached_property
    def is_whole(self) -> bool:
        return self.object_list.query.where == Member.objects.filter(PRESENT).query.where  # type: ignore[union-attr]


class ConsentFilter(admin.SimpleListFilter):
    """Members whose last word on a channel and purpose is yes."""

    title = _("consent")
    parameter_name = "consent"

    def lookups(self, request, model_admin):
        return [(f"{c.value}.{p.value}", f"{p.label} · {c.label}") for p in MARKETING for c in Channel]

    def queryset(self, request, queryset):
        if self.value() not in dict(self.lookup_choices):
            return queryset
        channel, _dot, purpose = str(self.value()).partition(".")
        said = ConsentState.objects.filter(member=OuterRef("pk"), channel=channel, purpose=purpose, granted=True)
        return queryset.filter(Exists(said))


class ActiveFilter(admin.SimpleListFilter):
    """As the dashboard counts active members."""

    title = _("activity")
    parameter_name = "active"

    def lookups(self, request, model_admin):
        days = {"days": ACTIVE_DAYS}
        return [
            ("yes", gettext("Bought in the last %(days)d days") % days),
            ("no", gettext("Did not buy in the last %(days)d days") % days),
        ]

    def queryset(self, request, queryset):
        since = now() - timedelta(days=ACTIVE_DAYS)
        bought = Exists(Purchase.objects.filter(member=OuterRef("pk"), purchased_at__gt=since))
        if self.value() in ("yes", "no"):
            return queryset.filter(bought if self.value() == "yes" else ~bought)
        return queryset


class YesNoFilter(admin.SimpleListFilter):
    """Whether a column of the member is filled."""

    column = ""

    def lookups(self, request, model_admin):
        return [("yes", _("Has one")), ("no", _("Has none"))]

    def queryset(self, request, queryset):
        if self.value() in ("yes", "no"):
            return queryset.filter(**{f"{self.column}__isnull": self.value() == "no"})
        return queryset


class AccountFilter(YesNoFilter):
    title = _("portal account")
    parameter_name = "account"
    column = "user"


class HouseholdFilter(YesNoFilter):
    title = _("household")
    parameter_name = "home"
    column = "household"


class TagFilter(admin.SimpleListFilter):
    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request, model_admin):
        return [(str(pk), name) for pk, name in Tag.objects.values_list("pk", "name")[:TAGS_OFFERED]]

    def queryset(self, request, queryset):
        value = str(self.value() or "")
        if not value.isdecimal() or len(value) > 18:
            return queryset
        return queryset.filter(pk__in=MemberTag.objects.filter(tag=int(value)).values("member"))


class SegmentFilter(admin.SimpleListFilter):
    """Who is in a segment as it is now, fresh or not."""

    title = _("segment")
    parameter_name = "segment"

    def lookups(self, request, model_admin):
        if not request.user.has_perm("members.view_segment"):
            return []
        offered = Segment.objects.filter(archived_at=None).order_by("name")[:SEGMENTS_OFFERED]
        return [(str(segment.pk), segment.name) for segment in offered]

    def queryset(self, request, queryset):
        value = str(self.value() or "")
        if not value.isdecimal() or len(value) > 18:
            return queryset
        return queryset.filter(pk__in=SegmentMember.objects.filter(segment=int(value)).values("member"))


def attribute_filters() -> list[type[admin.SimpleListFilter]]:
    """A filter for each custom attribute with a few possible values."""
    few = (AttributeKind.CHOICE, AttributeKind.BOOLEAN)
    return [_attribute_filter(attribute) for attribute in attributes(kind__in=few)]


def _attribute_filter(attribute: Attribute) -> type[admin.SimpleListFilter]:
    class AttributeFilter(admin.SimpleListFilter):
        title = str(attribute.label)
        parameter_name = f"attribute_{attribute.key}"

        def lookups(self, request, model_admin):
            return choices(attribute)

        def queryset(self, request, queryset):
            if self.value() not in dict(self.lookup_choices):
                return queryset
            value = self.value() == "true" if attribute.kind == AttributeKind.BOOLEAN else self.value()
            return queryset.filter(attributes__contains={attribute.key: value})

    return AttributeFilter


def only_search(request: HttpRequest) -> str:
    """What somebody looks for, where they look for nothing else."""
    return request.GET.get("q", "") if set(request.GET) == {"q"} else ""

"""The list of members: what it is filtered by, how it is counted, what an export of it holds."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from analytics.queries import ACTIVE_DAYS
from common import admin as desk
from members.attributes import choices, clean_attribute
from members.channels import offered
from members.enums import MARKETING, AttributeKind
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
        return [(f"{c.value}.{p.value}", f"{p.label} · {c.label}") for p in MARKETING for c in offered()]

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


def attribute_filters() -> list[type[admin.ListFilter]]:
    """A filter for each custom attribute: a choice of few values; from and to; a part of a text."""
    few = (AttributeKind.CHOICE, AttributeKind.BOOLEAN)
    return [_attribute_filter(one) if one.kind in few else _typed_filter(one) for one in attributes()]


def _typed_filter(attribute: Attribute) -> type[admin.ListFilter]:
    return type("TypedFilter", (TypedFilter,), {"attribute": attribute, "title": str(attribute.label)})


class TypedFilter(admin.ListFilter):
    """What is typed for an attribute. What cannot be read is said, and finds nobody: an export must not take all."""

    attribute: Attribute
    template = "unfold/filters/filters_field.html"
    told = False

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in typed_fields(self.attribute):
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]
        self.form = TypedForm(self.attribute, self.used_parameters)

    def expected_parameters(self) -> list[str | None]:
        return list(typed_fields(self.attribute))

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> list[dict[str, Any]]:  # type: ignore[override]
        return [{"form": self.form}]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.form.is_valid():
            if not self.told:  # a list is asked more than once
                self.told = True
                for problem in self.form.errors.values():
                    what = {"attribute": self.title, "problem": " ".join(str(sentence) for sentence in problem)}
                    messages.error(request, gettext("%(attribute)s: %(problem)s Nobody is shown.") % what)
            return queryset.none()
        asked = {lookup: self.form.cleaned_data[name] for name, (lookup, _label) in self.form.typed.items()}
        held = f"held_{self.attribute.key}"
        transform = KeyTextTransform if self.attribute.kind == AttributeKind.TEXT else KeyTransform
        wanted = {f"{held}__{lookup}": value for lookup, value in asked.items() if value is not None}
        return (
            queryset.alias(**{held: transform(self.attribute.key, "attributes")}).filter(**wanted)
            if wanted
            else queryset
        )


def typed_fields(attribute: Attribute) -> dict[str, tuple[str, Any]]:
    """By the name of each field: how it compares, and its label."""
    name, label = f"attribute_{attribute.key}", {"attribute": attribute.label}
    if attribute.kind == AttributeKind.TEXT:
        return {name: ("icontains", _("%(attribute)s contains") % label)}
    return {  # with a dot, which no key has: an attribute may be called so_from
        f"{name}.from": ("gte", _("%(attribute)s from") % label),
        f"{name}.to": ("lte", _("%(attribute)s to") % label),
    }


class TypedForm(forms.Form):
    def __init__(self, attribute: Attribute, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.attribute, self.typed = attribute, typed_fields(attribute)
        kinds = {AttributeKind.DATE: {"type": "date"}, AttributeKind.NUMBER: {"inputmode": "decimal"}}
        for name, (_lookup, label) in self.typed.items():
            widget = UnfoldAdminTextInputWidget(attrs=kinds.get(AttributeKind(attribute.kind), {}))
            self.fields[name] = forms.CharField(label=label, required=False, widget=widget)

    def clean(self) -> dict[str, Any]:
        for name in self.typed:
            if name in self.cleaned_data:
                try:
                    self.cleaned_data[name] = clean_attribute(self.attribute, self.cleaned_data[name])
                except ValidationError as problem:
                    self.add_error(name, problem)
        values = [value for name in self.typed if (value := self.cleaned_data.get(name)) is not None]
        if len(values) == 2 and values[0] > values[1]:
            self.add_error(next(iter(self.typed)), gettext("“From” is after “to”."))
        return self.cleaned_data


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

"""Segments: the list, the builder, the page of each."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.timezone import localdate, now, timedelta
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ArchivedFilter, DeskAdmin, QuickChangeList, found_or_404
from common.moments import format_moment
from members.admin.segments import builder, page
from members.admin.segments.acts import ArchiveView
from members.admin.segments.forms import PickForm, SegmentForm
from members.admin.segments.states import standing
from members.admin.segments.why import why_page
from members.admin.segments.words import members_text, number, spark
from members.models import Segment, SegmentSize
from members.queries_segments import freshnesses
from members.segments import asking, templates
from members.segments.traits import catalogue
from members.segments.tree import BadDefinition
from members.services.segments import (
    NameTaken,
    RefreshFailed,
    SegmentCycle,
    Superseded,
    refresh,
    save_segment,
    set_picks,
)

TREND_DAYS = 60


class TroubleFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("failing", _("Failing")), ("building", _("Being built"))]

    def queryset(self, request, queryset):
        if self.value() == "failing":
            return queryset.filter(failed_at__isnull=False)
        if self.value() == "building":
            return queryset.filter(built_version=None)
        return queryset


class PersonaFilter(admin.SimpleListFilter):
    title = _("persona")
    parameter_name = "persona"

    def lookups(self, request, model_admin):
        return [("yes", _("Is a persona")), ("no", _("Is none"))]

    def queryset(self, request, queryset):
        if self.value() in ("yes", "no"):
            return queryset.filter(persona__isnull=self.value() == "no")
        return queryset


class SegmentChangeList(QuickChangeList):
    """Asks once for the states of all segments."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        states = freshnesses(at=now())
        for segment in self.result_list:
            segment.known = states.get(segment.pk)


@admin.register(Segment)
class SegmentAdmin(DeskAdmin):
    list_display = ("shown_name", "state", "shown_size", "trend", "as_of", "used")
    list_filter = (ArchivedFilter, TroubleFilter, PersonaFilter)
    search_fields = ("name_en", "name_zh_hans", "description_en", "description_zh_hans")
    search_help_text = _("Name or description")
    ordering = ("name",)
    sortable_by = ("shown_name", "shown_size", "as_of")

    class Media:
        css = {"all": ["desk/segments.css"]}

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str, permission: str = "view") -> Any:
            guarded = builder.guarded(self, view, permission)
            return path(route, self.admin_site.admin_view(guarded), name=f"members_segment_{name}")

        return [
            own("preview/", builder.preview, "preview"),
            own("suggest/", builder.suggest, "suggest"),
            own("count/", builder.count, "count"),
            own("<int:object_id>/edit/", self.edit, "edit", "change"),
            own("<int:object_id>/why/", self.why, "why"),
            own("<int:object_id>/picks/", self.picks, "picks", "change"),
            own("<int:object_id>/archive/", self.archive, "archive", "change"),
            *super().get_urls(),
        ]

    # --- The list ---------------------------------------------------------------------------------------------------
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SegmentChangeList]:
        return SegmentChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        lately = SegmentSize.objects.filter(day__gte=localdate() - timedelta(days=TREND_DAYS)).order_by("day")
        using = Segment.objects.filter(archived_at=None)
        return (
            super()
            .get_queryset(request)
            .select_related("persona")
            .prefetch_related(Prefetch("sizes", lately, to_attr="lately"), Prefetch("used_by", using))
        )

    @display(description=_("segment"), ordering="name")
    def shown_name(self, segment: Segment) -> str:
        """With what is the matter, where something is."""
        found = standing(segment, now(), segment.known)
        cell = '<span class="seg-cell"><strong>{}</strong><span class="desk-muted">{}</span></span>'
        return format_html(cell, segment.name, found.reason or segment.description)

    @display(
        description=_("state"),
        label={"fresh": "success", "building": "info", "stale": "warning", "failing": "danger", "archived": ""},
    )
    def state(self, segment: Segment) -> tuple[str, Any]:
        found = standing(segment, now(), segment.known)
        return found.state, found.label

    @display(description=_("members"), ordering="size")
    def shown_size(self, segment: Segment) -> str:
        return number(segment.size) if segment.built_version else "–"

    @display(description=_("last 60 days"))
    def trend(self, segment: Segment) -> str:
        sizes = [row.size for row in segment.lately]
        if not (points := spark(sizes)):
            return "–"
        label = gettext("from %(first)s to %(last)s members") % {"first": number(sizes[0]), "last": number(sizes[-1])}
        line = '<svg class="seg-spark" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label="{}">'
        return format_html(line + '<polyline points="{}"/></svg>', label, points)

    @display(description=_("as of"), ordering="built_at")
    def as_of(self, segment: Segment) -> str:
        return format_moment(segment.built_at) or "–"

    @display(description=_("used by"))
    def used(self, segment: Segment) -> str:
        names = [str(other) for other in segment.used_by.all()]
        if hasattr(segment, "persona"):
            names.insert(0, gettext("a persona"))
        return ", ".join(names) or "–"

    # --- The builder ------------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """A blank tree, a template or a copy; which of them is asked first."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        start = {"blank", "template", "copy", "definition"} & request.GET.keys()
        if request.method != "POST" and not start:
            return self._page(request, "segment_start", title=_("New segment"), templates=_templates())
        return self._builder(request, None, initial=_beginning(request))

    def edit(self, request: HttpRequest, object_id: int) -> HttpResponse:
        segment = found_or_404(Segment, object_id)
        if segment.archived_at:
            messages.warning(request, gettext("An archived segment is not changed. Make a copy of it."))
            return redirect("admin:members_segment_change", segment.pk)
        return self._builder(request, segment, initial=SegmentForm.of(segment))

    def _builder(self, request: HttpRequest, segment: Segment | None, *, initial: dict[str, Any]) -> HttpResponse:
        form = SegmentForm(request.POST or None, initial=initial)
        checked: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            if "check" in request.POST:
                checked = page.in_words(form.cleaned_data["definition"], segment, at=now())
            elif saved := self._save(request, form, segment):
                return redirect("admin:members_segment_change", saved.pk)
        return self._page(
            request,
            "segment_builder",
            segment,
            title=_("Conditions") if segment else _("New segment"),
            form=form,
            checked=checked,
            catalogue=catalogue(),
            script_words=builder.script_words(),
            script_settings=builder.script_settings(segment, form.problems),
        )

    def _save(self, request: HttpRequest, form: SegmentForm, segment: Segment | None) -> Segment | None:
        try:
            saved = save_segment(
                segment_id=segment.pk if segment else None, **form.wanted(), at=now(), actor_id=request.user.pk
            )
        except NameTaken:
            form.add_error("name_en", gettext("There is a segment of this name already."))
        except SegmentCycle as cycle:
            text = gettext("A segment cannot ask for itself, nor for one that asks for it: %(names)s.")
            form.add_error("definition", text % {"names": ", ".join(cycle.names)})
        except BadDefinition as bad:
            form.problems = tuple(bad.problems)
            form.add_error("definition", gettext("Some conditions are not complete. They are marked."))
        else:
            messages.success(request, gettext("“%(name)s” is saved. Its members are being found.") % {"name": saved})
            return saved
        return None

    # --- A segment --------------------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        segment: Segment = found_or_404(Segment.objects.select_related("persona", "created_by"), object_id)
        if request.method == "POST":
            if not self.has_change_permission(request):
                raise PermissionDenied
            self._refresh(request, segment)
            return redirect("admin:members_segment_change", segment.pk)
        context = page.segment_page(segment, request, at=now())
        return self._page(request, "segment", segment, title=str(segment), **context)

    def _refresh(self, request: HttpRequest, segment: Segment) -> None:
        try:
            done = refresh(segment_id=segment.pk, at=now())
        except RefreshFailed as failed:
            messages.error(request, gettext("It could not be brought up to date: %(error)s") % {"error": failed})
        except Superseded:
            messages.warning(request, gettext("It was changed meanwhile and is being built anew."))
        else:
            messages.success(request, page.refreshed(done))

    def why(self, request: HttpRequest, object_id: int) -> HttpResponse:
        segment = found_or_404(Segment, object_id)
        context = why_page(segment, request, at=now())
        return self._page(request, "segment_why", segment, title=_("Why?"), **context)

    def picks(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Who is always in or never in: named, in a file, or taken back."""
        segment = found_or_404(Segment, object_id)
        at, actor = now(), request.user.pk
        if "take_back" in request.POST and request.POST["take_back"].isdecimal():
            set_picks(
                segment_id=segment.pk, member_ids=[int(request.POST["take_back"])], include=None, at=at, actor_id=actor
            )
            return redirect("admin:members_segment_picks", segment.pk)
        form = PickForm(request.POST or None, request.FILES or None)
        unknown: list[str] = []
        if request.method == "POST" and form.is_valid():
            unknown = page.pick(segment, form.cleaned_data, at=at, actor_id=actor, request=request)
            if not unknown:
                return redirect("admin:members_segment_picks", segment.pk)
            form = PickForm()
        picked = segment.picks.select_related("member", "actor").order_by("-at", "-id")[: page.MOST_PICKS]
        return self._page(
            request, "segment_picks", segment, title=_("Picked by hand"), form=form, picks=picked, unknown=unknown
        )

    def archive(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return ArchiveView.answer(self, request, object_id=object_id)

    def _page(
        self, request: HttpRequest, template: str, segment: Segment | None = None, **context: Any
    ) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": segment,
            "segment": segment,
            "media": self.media,
            "may_change": self.has_change_permission(request),
            "may_add": self.has_add_permission(request),
            **context,
        }
        return TemplateResponse(request, f"admin/{template}.html", context)


def _templates() -> list[dict[str, Any]]:
    """The templates, each with about how many it would find today."""
    at, cards = now(), []
    for template in templates.templates():
        found = asking.estimate(template.definition, at=at)
        cards.append({"template": template, "found": members_text(found.members, exact=found.exact)})
    return cards


def _beginning(request: HttpRequest) -> dict[str, Any]:
    """What a new segment starts from."""
    blank = {"definition": '{"all": []}', "refresh_minutes": 60}
    if key := request.GET.get("template"):
        template = templates.find(key)
        return blank | (template.beginning() if template else {})
    if (copy := request.GET.get("copy", "")).isdecimal():
        other = found_or_404(Segment, copy)
        form = SegmentForm.of(other)
        return form | {
            "name_en": gettext("%(name)s (copy)") % {"name": other.name_en},
            "name_zh_hans": f"{other.name_zh_hans}（副本）" if other.name_zh_hans else "",
        }
    if definition := request.GET.get("definition"):  # a page that shows a group, and opens it as a segment
        return blank | {"definition": definition}
    return blank

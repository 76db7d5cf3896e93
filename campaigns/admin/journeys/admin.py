"""Journeys: the list, what to begin from, the editor, trying it, and why somebody came in or did not."""

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.admin.journeys import acts, editor
from campaigns.admin.journeys.forms import JourneyForm, TryForm, WhoForm
from campaigns.enums import CampaignState
from campaigns.forms_measures import MEASURES
from campaigns.forms_outgoing import SENDING
from campaigns.journeys.definition import BadJourney
from campaigns.journeys.parser import parse
from campaigns.journeys.ready import READY
from campaigns.journeys.words import step_words, trigger_words
from campaigns.models import Campaign, Journey
from campaigns.queries_journeys import at_steps, figures
from campaigns.services.journeys.definitions import known, save_journey
from campaigns.services.journeys.ready import take_ready
from campaigns.services.journeys.trying import dry_run, why
from common.admin import DeskAdmin, Labelled, Tones, changed_meanwhile, found_or_404, guarded
from common.moments import format_moment
from common.money import format_money
from members.models import PRESENT, Member
from members.queries import get_programme, search

COLOURS = Tones({CampaignState.RUNNING: "success", CampaignState.PAUSED: "warning", CampaignState.DRAFT: "info"})


@admin.register(Journey)
class JourneyAdmin(DeskAdmin):
    list_display = ("shown_name", "shown_state", "shown_inside", "shown_ended", "shown_converted", "shown_trouble")
    list_filter = ("campaign__state",)
    search_fields = ("campaign__name",)
    search_help_text = _("Name")
    ordering = ("-changed_at", "-pk")
    list_select_related = ("campaign",)
    sortable_by = ()

    class Media:
        css = {"all": ["desk/segments.css", "desk/journeys.css"]}

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str, permission: str = "view") -> Any:
            guard = guarded(self, view, permission)
            return path(route, self.admin_site.admin_view(guard), name=f"campaigns_journey_{name}")

        confirms = {
            "publish": acts.PublishView,
            "pause": acts.PauseView,
            "resume": acts.ResumeView,
            "mend": acts.MendView,
        }
        return [
            own("preview/", editor.preview, "preview"),
            own("ready/<str:key>/", self.ready, "ready", "add"),
            own("<int:object_id>/try/", self.try_it, "try"),
            own("<int:object_id>/why/", self.why, "why"),
            *(own(f"<int:object_id>/{name}/", self.confirm(view), name, "change") for name, view in confirms.items()),
            *super().get_urls(),
        ]

    def confirm(self, view: Any) -> Any:
        def called(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            return view.as_view(model_admin=self)(request, **kwargs)

        return called

    def page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(
            request,
            f"campaigns/admin/journeys/{template}.html",
            {**self.admin_site.each_context(request), "opts": self.opts, "original": None, **context},
        )

    # --- The list -----------------------------------------------------------------------------------------------
    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        rows: list[Any] = list(found.result_list)
        counted, there = figures(row.pk for row in rows), known()
        for row in rows:
            row.figures = counted[row.pk]
            try:
                row.words = trigger_words(parse(row.draft, there), there)
            except BadJourney:
                row.words = gettext("Not finished yet")
        found.result_list = rows
        return found

    @display(description=_("journey"))
    def shown_name(self, journey: Any) -> str:
        return format_html(
            '<span class="seg-cell">{}<span class="desk-muted">{}</span></span>', journey.campaign.name, journey.words
        )

    @display(description=_("state"), label=COLOURS)
    def shown_state(self, journey: Any) -> Labelled:
        state = CampaignState(journey.campaign.state)
        return Labelled((state, state.label))

    @display(description=_("inside"))
    def shown_inside(self, journey: Any) -> int:
        return journey.figures.inside

    @display(description=_("ended"))
    def shown_ended(self, journey: Any) -> int:
        return journey.figures.ended

    @display(description=_("reached the goal"))
    def shown_converted(self, journey: Any) -> int:
        return journey.figures.converted

    @display(description=_("to look at"))
    def shown_trouble(self, journey: Any) -> str:
        parts = []
        if n := journey.figures.missed:
            parts.append(gettext("%(n)d missed") % {"n": n})
        if n := journey.figures.stuck:
            parts.append(gettext("%(n)d stuck") % {"n": n})
        return ", ".join(parts) or "–"

    # --- Begin --------------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        if "empty" in request.GET or request.method == "POST":
            return self.edit(request, None)
        return self.page(request, "start", title=_("New journey"), ready=list(READY.values()))

    def ready(self, request: HttpRequest, key: str) -> HttpResponse:
        """Takes a ready journey: a draft that nobody is in yet."""
        if key not in READY:
            raise Http404
        if request.method != "POST":
            return redirect("admin:campaigns_journey_add")
        made = take_ready(key=key, at=now(), actor_id=request.user.pk)
        messages.success(request, gettext("“%(name)s” is yours now. It runs once you publish it.") % {"name": made})
        return redirect("admin:campaigns_journey_change", made.pk)

    # --- The editor ---------------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.edit(request, found_or_404(Journey.objects.select_related("campaign"), object_id))

    def edit(self, request: HttpRequest, journey: Journey | None) -> HttpResponse:
        may = self.has_change_permission(request) if journey else self.has_add_permission(request)
        campaign = journey.campaign if journey else None
        initial = {
            "name": campaign.name if campaign else "",
            "purpose": campaign.purpose if campaign else "offers",
            "holdout_percent": campaign.holdout_percent if campaign else 5,
            "topic": campaign.topic_id if campaign else None,
            **{name: getattr(campaign or Campaign(), name) for name in (*MEASURES, *SENDING)},
            **dict(zip(("channel", "otherwise", "last"), campaign.channels if campaign else ["email"], strict=False)),
            "definition": json.dumps(journey.draft if journey else editor.EMPTY, ensure_ascii=False, indent=1),
        }
        form = JourneyForm(request.POST if request.method == "POST" else None, initial=initial)
        clash = journey is not None and changed_meanwhile(request, form, initial)
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            if form.is_valid() and not clash and ("save" in request.POST or "publish" in request.POST):
                saved = self._saved(request, journey, form)
                go_on = "publish" if "publish" in request.POST and not form.problems else "change"
                return redirect(f"admin:campaigns_journey_{go_on}", saved.pk)
        try:
            definition = json.loads(str(form.data["definition"] if form.is_bound else initial["definition"]))
        except (ValueError, RecursionError):
            definition = None
        checked = editor.judged(definition, counts=at_steps(journey.pk) if journey else None)
        return self.page(
            request,
            "editor",
            title=str(journey) if journey else _("New journey"),
            original=journey,
            form=form,
            may=may,
            checked={**checked, "svg": mark_safe(checked["svg"])},  # noqa: S308  made by drawing.draw, which escapes
            catalogue=editor.catalogue(known()),
            script_words=editor.script_words(),
            script_settings=editor.settings(reverse("admin:campaigns_journey_preview"), may=may),
            figures=figures([journey.pk])[journey.pk] if journey else None,
            cost=format_money(round(journey.cost_minor), get_programme().currency) if journey else "",
            is_published=bool(journey and journey.number),
            is_changed=bool(journey and journey.number and self._newest(journey) != journey.draft),
            running=bool(campaign and campaign.state == CampaignState.RUNNING),
            paused=bool(campaign and campaign.state == CampaignState.PAUSED),
            back_url=reverse("admin:campaigns_journey_changelist"),
        )

    def _newest(self, journey: Journey) -> Any:
        return journey.versions.values_list("definition", flat=True).get(number=journey.number)

    def _saved(self, request: HttpRequest, journey: Journey | None, form: JourneyForm) -> Journey:
        given = form.cleaned_data
        saved = save_journey(
            journey_id=journey.pk if journey else None,
            name=given["name"],
            purpose=given["purpose"],
            definition=given["definition"],
            holdout_percent=given["holdout_percent"],
            channels=form.channels,
            topic=given["topic"],
            **{name: given[name] for name in (*MEASURES, *SENDING)},
            at=now(),
            actor_id=request.user.pk,
        )
        if form.problems:
            messages.warning(request, gettext("Saved as a draft. Something has to be mended before it can run."))
        else:
            messages.success(request, gettext("“%(name)s” is saved as a draft.") % {"name": saved})
        return saved

    # --- Trying -------------------------------------------------------------------------------------------------
    def try_it(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """A member's way, by a clock that leaps. Nothing is written."""
        journey = found_or_404(Journey.objects.select_related("campaign"), object_id)
        form = TryForm(request.GET if "card" in request.GET else None)
        context: dict[str, Any] = {}
        if form.is_bound and form.is_valid():
            member = _member(form)
            if member is not None:
                there = known()
                try:
                    stops = dry_run(
                        journey=journey, member=member, buys_after=form.cleaned_data["buys_after"], at=now()
                    )
                    context = {"member": member, "stops": [_stop(stop, there) for stop in stops]}
                except BadJourney as bad:
                    form.add_error(None, bad.problems[0].sentence)
        return self.page(request, "try", title=gettext("Try it on a member"), original=journey, form=form, **context)

    def why(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Why somebody came in, or did not."""
        journey = found_or_404(Journey.objects.select_related("campaign"), object_id)
        form = WhoForm(request.GET if "card" in request.GET else None)
        context: dict[str, Any] = {}
        if form.is_bound and form.is_valid() and (member := _member(form)):
            context = {"member": member, "reasons": why(journey=journey, member=member, at=now())}
        return self.page(request, "why", title=gettext("Why did they, why did they not?"), original=journey, form=form,
                         **context)  # fmt: skip


def _member(form: Any) -> Member | None:
    found = list(search(form.cleaned_data["card"], Member.objects.filter(PRESENT))[:2])
    if len(found) == 1:
        return found[0]
    form.add_error(
        "card", gettext("Several members are called so: please give the card number.") if found else
        gettext("No member was found."),
    )  # fmt: skip
    return None


def _stop(stop: Any, there: Any) -> dict[str, Any]:
    ends = {
        "end": gettext("Comes to the end"),
        "goal": gettext("Reaches the goal, and leaves"),
        "exit": gettext("Leaves before the end"),
        "circle": gettext("And so on"),
    }
    words = step_words(stop.step, there) if stop.step else ends[stop.why]
    ways = {"yes": gettext("yes"), "no": gettext("no"), "then": gettext("it happens"), "else": gettext("time is up")}
    way = ways.get(stop.exit, "")
    if stop.step and stop.step.kind == "split":
        way = gettext("drawn: way %(n)d") % {"n": int(stop.exit) + 1}
    return {
        "when": format_moment(stop.at),
        "words": words,
        "way": way,
        "until": format_moment(stop.until) if stop.until else "",
        "out": stop.step is None,
    }

"""Members on journeys: the list, and one member's way."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.enums import BY_HAND, RunState
from campaigns.journeys.words import exit_words, step_words
from campaigns.models import JourneyLog, JourneyRun
from campaigns.services.journeys.definitions import known, read_version, read_versions
from common.admin import Labelled, ReadOnlyAdmin, Tones, found_or_404
from common.moments import format_moment

COLOURS = Tones({
    RunState.ACTIVE: "info", RunState.CONVERTED: "success", RunState.STUCK: "danger", RunState.MISSED: "warning",
})  # fmt: skip
WHATS = {
    "entered": _("Came in"), "waits": _("Waits"), "went": _("Went on"), "did": _("Done"), "skipped": _("Skipped"),
    "missed": _("Missed: it was too late"), "failed": _("Failed, and is tried again"), "held": _("Held out"),
    "done": _("Came to the end"), "converted": _("Reached the goal"), "left": _("Left before the end"),
    "gone": _("Merged or erased"), "cancelled": _("Cancelled"), "stuck": _("Stuck"),
    "retried": _("Staff let it try again"), "passed": _("Staff led past the step"),
}  # fmt: skip
REASONS = {
    "cap": _("the journey had given all that it may"),
    "cost_cap": _("the journey had cost all that it may"), "offer_over": _("the offer was over"),
    "out_of_codes": _("there were no codes left"), "not_entitled": _("the offer is not for this member"),
    "no_consent": _("has not agreed"), "to_be_confirmed": _("their yes is to be confirmed"),
    "no_address": _("has no address for it"),
    "duplicate_address": _("another member with the same address gets it"),
}  # fmt: skip


@admin.register(JourneyRun)
class JourneyRunAdmin(ReadOnlyAdmin):
    list_display = ("member", "journey", "shown_state", "shown_entered", "shown_step", "shown_next")
    search_fields = ("member__name", "member__card_number")
    search_help_text = _("Name or card number")
    list_filter = ("state", "journey")
    ordering = ("-id",)
    list_select_related = ("member", "journey__campaign")
    sortable_by = ()

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        rows: list[Any] = list(found.result_list)
        read_versions({row.version_id for row in rows})
        there = known()
        for row in rows:
            step = read_version(row.version_id).steps.get(row.step)
            row.words = step_words(step, there) if step else ""
        found.result_list = rows
        return found

    @display(description=_("state"), label=COLOURS)
    def shown_state(self, run: JourneyRun) -> Labelled:
        state = RunState(run.state)
        return Labelled((state, state.label))

    @display(description=_("came in"))
    def shown_entered(self, run: JourneyRun) -> str:
        return format_moment(run.entered_at)

    @display(description=_("step"))
    def shown_step(self, run: Any) -> str:
        if run.state == RunState.STUCK:
            return format_html('{}<br><span class="desk-bad">{}</span>', run.words, run.error)
        return run.words or "–"

    @display(description=_("goes on"))
    def shown_next(self, run: JourneyRun) -> str:
        if run.ended_at:
            return gettext("left %(when)s") % {"when": format_moment(run.ended_at)}
        return format_moment(run.due_at) if run.due_at else "–"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = found_or_404(JourneyRun.objects.select_related("member", "journey__campaign", "version"), object_id)
        read, there = read_version(run.version_id), known()
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(
            request,
            "campaigns/admin/journeys/run.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": gettext("%(member)s on “%(journey)s”") % {"member": run.member, "journey": run.journey},
                "original": run,
                "run": run,
                "state": RunState(run.state).label,
                "colour": COLOURS.get(RunState(run.state), ""),
                "mended": run.why.get("mended", []),
                "notes": [self._note(note, read, there) for note in run.log.order_by("id")],
            },
        )

    def _note(self, note: JourneyLog, read: Any, there: Any) -> dict[str, Any]:
        step = read.steps.get(note.step)
        way = exit_words(step, note.why["exit"]) if step and note.why.get("exit") in step.exits else ""
        why = REASONS.get(note.why.get("reason", ""), "")
        if note.what == "entered" and note.run.key.startswith(BY_HAND):
            why = gettext("started by staff")
        if "points" in note.why and note.what == "did":
            why = gettext("%(n)d points given") % {"n": note.why["points"]}
        return {
            "when": format_moment(note.at),
            "words": step_words(step, there) if step else "",
            "what": WHATS.get(note.what, note.what),
            "way": way,
            "why": why,
            "message": note.why.get("message"),
        }

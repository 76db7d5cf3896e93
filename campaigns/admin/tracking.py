"""What was opened and clicked, request by request, with what each is taken for."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.admin.verdict_words import because, program
from campaigns.enums import Verdict
from campaigns.models import TrackEvent
from common.admin import ReadOnlyAdmin
from common.moments import format_moment

COLOURS = {Verdict.PERSON: "success", Verdict.PROXY: "info", Verdict.SCANNER: "warning"}


@admin.register(TrackEvent)
class TrackEventAdmin(ReadOnlyAdmin):
    list_display = ("happened", "kind", "shown_verdict", "shown_rule", "message", "link", "shown_program", "times")
    list_filter = ("kind", "verdict", "message__campaign", "at")
    list_select_related = ("message__campaign", "link")
    ordering = ("-at", "-id")
    sortable_by = ()
    fields = (
        ("message", "link"),
        ("kind", "times"),
        ("happened", "after_seconds"),
        ("method", "network"),
        "agent",
        ("shown_verdict", "shown_rule", "rules"),
    )
    readonly_fields = ("happened", "shown_verdict", "shown_rule")

    @display(description=_("when"), ordering="at")
    def happened(self, event: TrackEvent) -> str:
        return format_moment(event.at)

    @display(description=_("taken for"), label=COLOURS)
    def shown_verdict(self, event: TrackEvent) -> tuple:
        return event.verdict, event.get_verdict_display()

    @display(description=_("because"))
    def shown_rule(self, event: TrackEvent) -> str:
        return because(event.rule)

    @display(description=_("program"))
    def shown_program(self, event: TrackEvent) -> str:
        return program(event.agent) or "–"

"""Cases: the list, the board, and the page of each."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.timezone import now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from unfold.decorators import display

from common.admin import ExportAdmin, Labelled, PlainResource, Tones, found_or_404, guarded
from common.moments import format_moment
from members.models import PRESENT, Member
from members.queries import search
from surveys import behind
from surveys.admin.cases import acts, answers, figures, page
from surveys.admin.cases.forms import NewCaseForm
from surveys.enums_cases import UNDONE, CaseSource, CaseState, Severity
from surveys.files import given_out
from surveys.models import Case, CaseMessage
from surveys.queries_desk import file_of, late, talk_of
from surveys.queries_words import themes_now
from surveys.services.cases.opening import NobodyThere, TooMuchText, open_case
from surveys.words_cases import name_of, until_words

STATES = Tones(
    {CaseState.NEW: "danger", CaseState.OPEN: "info", CaseState.WAITING: "warning", CaseState.RESOLVED: "success"}
)
SEVERITIES = Tones({Severity.URGENT: "danger", Severity.HIGH: "warning"})


class WhoseFilter(admin.SimpleListFilter):
    title = _("on whose desk")
    parameter_name = "desk"

    def lookups(self, request, model_admin):
        return [
            ("mine", _("Mine")),
            ("late", _("Late")),
            ("nobody", _("Nobody's yet")),
            ("open", _("All that are open")),
        ]

    def queryset(self, request, queryset):
        match self.value():
            case "mine":
                return queryset.filter(owner=request.user.pk, state__in=UNDONE)
            case "late":
                return queryset.filter(late(now()))
            case "nobody":
                return queryset.filter(owner=None, state__in=UNDONE)
            case "open":
                return queryset.filter(state__in=UNDONE)
        return queryset


class ThemeFilter(admin.SimpleListFilter):
    title = _("theme")
    parameter_name = "theme"

    def lookups(self, request, model_admin):
        return [(str(pk), str(theme)) for pk, theme in themes_now().items()]

    def queryset(self, request, queryset):
        told = self.value() or ""
        return queryset.filter(themes__contains=[int(told)]) if told.isdecimal() and len(told) < 19 else queryset


class BehindFilter(admin.SimpleListFilter):
    """What a figure of care counted (surveys.admin.cases.behind): offered only where one came from there."""

    title = _("counted in a figure")
    parameter_name = behind.PARAMETER

    def lookups(self, request, model_admin):
        given = request.GET.get(self.parameter_name, "")
        return [(given, behind.name_of_cases(given))] if given else []

    def queryset(self, request, queryset):
        asked = behind.read(self.value() or "")
        if asked is None or asked.name not in behind.CASES:
            raise IncorrectLookupParameters
        return queryset.filter(pk__in=asked.cases().values("pk"))


class CaseResource(PlainResource):
    number = Field(attribute="number", column_name="number")
    category = Field(attribute="category__name", column_name="category")
    cause = Field(attribute="cause__name", column_name="cause")
    card = Field(attribute="member__card_number", column_name="card")
    owner = Field(attribute="owner__email", column_name="owner")

    class Meta:
        model = Case
        fields = (
            "number", "kind", "subject", "severity", "state", "category", "cause", "source", "card", "owner", "store",
            "score", "opened_at", "answered_at", "answer_minutes", "resolved_at", "resolve_minutes", "closed_at",
            "reopened",
        )  # fmt: skip


@admin.register(Case)
class CaseAdmin(ExportAdmin):
    list_display = (
        "shown_number",
        "member",
        "shown_kind",
        "shown_severity",
        "shown_state",
        "shown_owner",
        "due",
        "opened",
    )
    list_filter = (
        WhoseFilter,
        BehindFilter,
        "state",
        "kind",
        "severity",
        "category",
        "cause",
        ThemeFilter,
        "source",
        "opened_at",
        "answered_at",
    )
    list_select_related = ("member", "owner", "category")

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        """Also what the page of a member leads here by."""
        return lookup == "member__id__exact" or super().lookup_allowed(lookup, value, request)

    search_fields = ("subject",)
    search_help_text = _("Words of the subject, C-12, or a member's name, phone, card number or e-mail")
    ordering = ("-opened_at", "-id")
    sortable_by = ()
    resource_classes = [CaseResource]
    export_permission = "surveys.change_case"

    class Media:
        css = {"all": ["desk/segments.css", "desk/cases.css"]}

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str, permission: str = "view") -> Any:
            return path(route, self.admin_site.admin_view(guarded(self, view, permission)), name=f"surveys_case_{name}")

        return [
            own("board/", self.board, "board"),
            own("figures/", self.figures, "figures"),
            own("figures/file/", figures.file, "figures_file"),
            own("figures/answers/", self.answers, "answers"),
            own("figures/answers/file/", answers.file, "answers_file"),
            own("<int:object_id>/act/", self.act, "act", "change"),
            own("<int:object_id>/<str:kind>/<int:pk>/", self.file, "file"),
            *super().get_urls(),
        ]

    def page(self, request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        shown = {**self.admin_site.each_context(request), "opts": self.opts, "original": None, "media": self.media}
        return TemplateResponse(request, f"surveys/admin/cases/{template}.html", {**shown, **context}, status=status)

    def get_search_results(self, request: HttpRequest, queryset, search_term: str):
        term = search_term.strip()
        if term.upper().startswith("C-") and term[2:].isdecimal() and len(term) < 20:
            return queryset.filter(pk=int(term[2:])), False
        found, distinct = super().get_search_results(request, queryset, search_term)
        if term:
            found |= queryset.filter(member__in=search(term).values("pk"))
        return found, distinct

    # --- Pages --------------------------------------------------------------------------------------------------
    def board(self, request: HttpRequest) -> HttpResponse:
        return self.page(request, "board", title=_("Board of cases"), **page.board(request, at=now()))

    def figures(self, request: HttpRequest) -> HttpResponse:
        return self.page(request, "figures", title=_("Figures of care"), **figures.context(request))

    def answers(self, request: HttpRequest) -> HttpResponse:
        return self.page(request, "answers", **answers.context(request))

    def change_view(self, request, object_id, form_url="", extra_context=None):
        case = self._case(request, object_id)
        return self._show(request, case)

    def _case(self, request: HttpRequest, object_id: object) -> Case:
        if not self.has_view_permission(request):
            raise PermissionDenied
        cases = Case.objects.select_related(
            "member", "owner", "category", "cause", "purchase", "response__survey", "merged_into"
        )
        return found_or_404(cases, object_id)

    def _show(self, request: HttpRequest, case: Case, problem: str = "") -> HttpResponse:
        typed = request.POST.dict() if problem else None
        shown = page.case_page(case, at=now(), request=request, problem=problem, typed=typed)
        return self.page(request, "case", title=case.number, status=422 if problem else 200, **shown)

    def file(self, request: HttpRequest, object_id: int, kind: str, pk: int) -> FileResponse:
        """What somebody sent with their words."""
        try:
            return given_out(*file_of(talk_of(self._case(request, object_id)), kind, pk))
        except CaseMessage.DoesNotExist as error:
            raise Http404 from error

    def act(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """What was posted on the page or the board; refused, the page again with the sentence and what was typed."""
        case = self._case(request, object_id)
        if request.method != "POST":
            return redirect("admin:surveys_case_change", case.pk)
        try:
            said = acts.do(request.POST.get("act", ""), case, request, now())
        except LookupError as error:
            raise Http404 from error
        except ValidationError as error:
            return self._show(request, self._case(request, object_id), " ".join(error.messages))
        messages.success(request, said)
        if request.POST.get("back") == "board":
            return redirect("admin:surveys_case_board")
        return redirect("admin:surveys_case_change", case.pk)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        member = request.GET.get("member", "")
        first = Member.objects.filter(PRESENT, pk=member).first() if member.isdecimal() and len(member) < 18 else None
        form = NewCaseForm(request.POST or None, initial={"who": first.card_number if first else ""})
        if request.method == "POST" and form.is_valid():
            told = form.cleaned_data
            try:
                case = open_case(
                    kind=told["kind"],
                    text=told["text"],
                    severity=told["severity"],
                    category_id=told["category"].pk if told["category"] else None,
                    source=CaseSource.STAFF,
                    channel=told["channel"],
                    member_id=told["who"].pk if told["who"] else None,
                    contact="" if told["who"] else told["contact"],
                    owner_id=request.user.pk,
                    at=now(),
                    actor_id=request.user.pk,
                )
            except (NobodyThere, TooMuchText) as error:
                raise Http404 from error
            messages.success(request, gettext("%(number)s is on your desk.") % {"number": case.number})
            return redirect("admin:surveys_case_change", case.pk)
        return self.page(request, "new", title=_("New case"), form=form)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # --- The list -----------------------------------------------------------------------------------------------
    @display(description=_("case"))
    def shown_number(self, case: Case) -> str:
        return format_html(
            '<span class="seg-cell">{}<span class="desk-muted">{}</span></span>', case.number, case.subject[:80]
        )

    @display(description=_("kind"))
    def shown_kind(self, case: Case) -> str:
        kind = case.get_kind_display()  # type: ignore[attr-defined]
        return f"{kind} · {case.category}" if case.category else kind

    @display(description=_("severity"), label=SEVERITIES)
    def shown_severity(self, case: Case) -> Labelled:
        return Labelled((case.severity, case.get_severity_display()))  # type: ignore[attr-defined]

    @display(description=_("state"), label=STATES)
    def shown_state(self, case: Case) -> Labelled:
        return Labelled((case.state, case.get_state_display()))  # type: ignore[attr-defined]

    @display(description=_("owner"))
    def shown_owner(self, case: Case) -> str:
        return name_of(case.owner) or "–"

    @display(description=pgettext_lazy("case", "due"))
    def due(self, case: Case) -> str:
        at, due = now(), case.next_due
        if due is None:
            return "–"
        return format_html('<span class="{}">{}</span>', "desk-bad" if due <= at else "", until_words(due, at))

    @display(description=pgettext_lazy("case", "opened"))
    def opened(self, case: Case) -> str:
        return format_moment(case.opened_at)

"""Referral programmes: the list, the form, and what starts and ends them."""

from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from common.admin import ConfirmView, DeskAdmin, Labelled, Tones, found_or_404, guarded
from common.moments import format_moment
from common.money import format_money
from members.queries import get_programme
from referrals.admin.figures import figures
from referrals.definition import BadProgramme
from referrals.enums import ProgrammeState
from referrals.forms import STEPS, TEXTS, WHOSE, ProgrammeForm
from referrals.models import Programme
from referrals.queries_figures import counts
from referrals.services.programmes import WrongState, move, publish, read_draft, save_programme
from referrals.services.thanking import cost_of, promise
from referrals.words import asked_of, in_words

COLOURS = Tones({ProgrammeState.LIVE: "success", ProgrammeState.PAUSED: "warning", ProgrammeState.DRAFT: "info"})


class MoveView(ConfirmView):
    """One step of a programme."""

    form_class = Form
    permission_required = "referrals.change_programme"
    to: ProgrammeState | None = None  # None: a new version

    def get_object(self) -> Programme:
        return found_or_404(Programme, self.kwargs["object_id"])

    def get_success_url(self) -> str:
        return reverse("admin:referrals_programme_change", args=[self.kwargs["object_id"]])

    def preview(self, form: Form) -> list[str]:
        try:
            return self.sentences(self.get_object())
        except BadProgramme as bad:
            raise ValidationError([problem.sentence for problem in bad.problems]) from None

    def sentences(self, programme: Programme) -> list[str]:
        return [str(self.intro)]

    def act(self, form: Form) -> str:
        at, pk, person = now(), int(self.kwargs["object_id"]), cast("int", self.request.user.pk)
        try:
            if self.to is None:
                publish(programme_id=pk, at=at, actor_id=person)
            else:
                move(programme_id=pk, to=self.to, at=at, actor_id=person)
        except WrongState:
            raise ValidationError(gettext("The programme is in another state by now.")) from None
        except BadProgramme as bad:
            raise ValidationError([problem.sentence for problem in bad.problems]) from None
        return gettext("Done.")


class _WithTerms(MoveView):
    def sentences(self, programme: Programme) -> list[str]:
        read, currency = read_draft(programme), get_programme().currency
        most = promise(read, is_capped=False) + cost_of(read.welcome)
        told = []
        if read.giver:
            told.append(gettext("Who brings somebody gets %(what)s.") % {"what": in_words(read.giver)})
        if read.welcome:
            told.append(gettext("The friend gets %(what)s at once.") % {"what": in_words(read.welcome)})
        if read.friend:
            told.append(gettext("The friend gets %(what)s as a customer.") % {"what": in_words(read.friend)})
        told.append(gettext("Both are thanked %(asked)s.") % {"asked": asked_of(read)})
        told.append(
            gettext("A friend costs at most %(cost)s, milestones left out.") % {"cost": format_money(most, currency)}
        )
        if programme.budget_minor is not None and most:
            left = max(programme.budget_minor - programme.spent_minor, 0)
            told.append(gettext("The budget lasts for about %(n)d friends.") % {"n": left // most})
        return told


class LiveView(_WithTerms):
    title, act_label, to = _("Let it run"), _("Let it run"), ProgrammeState.LIVE


class PublishView(_WithTerms):
    title, act_label = _("Publish the changes"), _("Publish")
    intro = _("From now on friends come by these terms. Who came before stays with what they were promised.")


class PauseView(MoveView):
    title, act_label, to = _("Pause"), _("Pause"), ProgrammeState.PAUSED
    intro = _("Nobody new can be brought. Who is on the way goes on, and is thanked.")


class EndView(MoveView):
    title, act_label, to, danger = _("End for good"), _("End"), ProgrammeState.ENDED, True
    intro = _("Nobody new can be brought, and it cannot be begun again. Who is on the way goes on, and is thanked.")


@admin.register(Programme)
class ProgrammeAdmin(DeskAdmin):
    form = ProgrammeForm
    list_display = ("name", "shown_state", "number", "friends", "qualified", "rewarded", "spent", "dates")
    list_filter = ("state",)
    search_fields = ("name",)
    ordering = ("position", "pk")
    sortable_by = ()
    list_select_related = ("segment",)
    actions_detail = ("publish", "live", "pause", "end")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{**kwargs, "fields": ProgrammeForm.Meta.fields})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        def thanks(name: str) -> tuple[Any, ...]:
            pairs: list[tuple[str, ...]] = [
                (f"{name}_points", f"{name}_points_days"),
                (f"{name}_credit", f"{name}_offer"),
            ]
            if name in WHOSE:
                pairs += [(f"{name}_tier", f"{name}_tier_days"), (f"{name}_plan",)]
            return tuple(pairs)

        texts = tuple(f"text_{name}_{language}" for name in TEXTS for language in ("en", "zh-hans"))
        steps = tuple(one for n in range(STEPS) for one in (f"step{n}_friends", *thanks(f"step{n}")))
        limits = (("limit_day", "limit_week"), ("limit_month", "limit_year"), "limit_ever")
        counts_when = (
            ("qualifies_by", "event"),
            ("least", "count"),
            ("window_days", "hold_days"),
            ("claim_days", "cookie_days"),
            ("touch", "invites_per_day"),
        )
        folded = ("collapse",)
        return (
            (None, {"fields": ("name", "starts_at", "ends_at", ("segment", "tiers"), ("budget", "position"))}),
            (_("When it counts"), {"fields": counts_when}),
            *((words, {"fields": thanks(name)}) for name, words in WHOSE.items()),
            (_("Milestones"), {"fields": steps, "classes": folded}),
            (_("At most so many friends are thanked for"), {"fields": limits, "classes": folded}),
            (_("Fairness"), {"fields": ("review_from", ("review_days", "review_then"))}),
            (_("Texts"), {"fields": texts}),
        )

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(guarded(self, lambda request: figures(self, request)))
        return [path("figures/", view, name="referrals_programme_figures"), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Programme, form: Any, change: bool) -> None:
        columns = ("name", "position", "starts_at", "ends_at", "segment")
        saved = save_programme(
            programme_id=obj.pk if change else None,
            definition=form.raw,
            budget_minor=form.budget_minor,
            tiers=list(form.cleaned_data["tiers"]),
            at=now(),
            **{name: form.cleaned_data[name] for name in columns},
        )
        obj.pk = saved.pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The service has written the tiers."""

    # --- What can be done ---------------------------------------------------------------------------------------
    @action(description=_("Publish the changes"), url_path="publish", permissions=["publish"], icon="publish")
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return PublishView.answer(self, request, object_id=object_id)

    @action(description=_("Let it run"), url_path="live", permissions=["live"], icon="play_arrow")
    def live(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return LiveView.answer(self, request, object_id=object_id)

    @action(description=_("Pause"), url_path="pause", permissions=["pause"], icon="pause")
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return PauseView.answer(self, request, object_id=object_id)

    @action(description=_("End for good"), url_path="end", permissions=["end"], icon="stop")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return EndView.answer(self, request, object_id=object_id)

    publish.dialog = live.dialog = pause.dialog = end.dialog = {"title": ""}

    def _state(self, request: HttpRequest, pk: Any) -> str:
        if not request.user.has_perm("referrals.change_programme") or not str(pk).isdecimal():
            return ""
        return Programme.objects.filter(pk=pk).values_list("state", flat=True).first() or ""

    def has_live_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._state(request, obj) in (ProgrammeState.DRAFT, ProgrammeState.PAUSED)

    def has_publish_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._state(request, obj) in (ProgrammeState.LIVE, ProgrammeState.PAUSED)

    def has_pause_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._state(request, obj) == ProgrammeState.LIVE

    def has_end_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._state(request, obj) in (ProgrammeState.LIVE, ProgrammeState.PAUSED)

    # --- What is shown ------------------------------------------------------------------------------------------
    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        rows: list[Any] = list(found.result_list)
        told = counts(row.pk for row in rows)
        for row in rows:
            row.counted = told.get(row.pk, {})
        found.result_list = rows
        return found

    @display(description=_("state"), label=COLOURS)
    def shown_state(self, programme: Programme) -> Labelled:
        state = ProgrammeState(programme.state)
        return Labelled((state, state.label))

    @display(description=_("friends"))
    def friends(self, programme: Any) -> int:
        return sum(programme.counted.values())

    @display(description=_("became customers"))
    def qualified(self, programme: Any) -> int:
        return sum(programme.counted.get(state, 0) for state in ("review", "held", "rewarded"))

    @display(description=_("thanked"))
    def rewarded(self, programme: Any) -> int:
        return programme.counted.get("rewarded", 0)

    @display(description=_("spent of the budget"))
    def spent(self, programme: Programme) -> str:
        currency = get_programme().currency
        spent = format_money(programme.spent_minor, currency)
        if programme.budget_minor is None:
            return spent
        return gettext("%(spent)s of %(budget)s") % {
            "spent": spent, "budget": format_money(programme.budget_minor, currency)
        }  # fmt: skip

    @display(description=_("dates"))
    def dates(self, programme: Programme) -> str:
        begins, ends = (format_moment(moment) if moment else "" for moment in (programme.starts_at, programme.ends_at))
        return f"{begins} – {ends}" if begins or ends else "–"

"""The ladder of tiers: what each asks for and brings, who stands where, and whom a change would move."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from unfold.decorators import display

from common.admin import ConfirmView, DeskAdmin, ExportAdmin, ReadOnlyAdmin, found_or_404, record_link
from common.moments import format_moment
from common.sql import fetch_all
from members.queries import get_programme
from rewards.admin.found import FoundByMember, OfMember
from rewards.admin.tiers.forms import QualifyingForm, TierForm
from rewards.admin.tiers.removal import DeleteTierView
from rewards.enums import Downgrade, TierCause
from rewards.models import MemberTier, Reassessment, RewardSettings, Tier, TierChange, TierLift
from rewards.queries import reward_settings
from rewards.queries_tiers import amount_words, step_words, window_words
from rewards.services.tier_steps import Moves, moves, planned, save_qualifying, save_tier


def grace_words(kept: RewardSettings) -> str:
    """How members go down, as a sentence."""
    if kept.downgrade == Downgrade.NONE:
        return gettext("Nobody goes down.")
    how = {
        Downgrade.ONE: gettext("Who no longer reaches a tier goes down one tier, at most once a year"),
        Downgrade.FIT: gettext("Who no longer reaches a tier goes down to the one that fits"),
    }[Downgrade(kept.downgrade)]
    if not kept.grace_days:
        return gettext("%(how)s, the same day.") % {"how": how}
    words = ngettext("%(how)s, after %(n)d day of grace.", "%(how)s, after %(n)d days of grace.", kept.grace_days)
    return words % {"how": how, "n": kept.grace_days}


class MovesView(ConfirmView):
    """A change that moves members: the second step shows who goes from where to where."""

    template_name = "admin/tiers/confirm.html"
    model_admin: Any

    @cached_property
    def found(self) -> Moves:
        raise NotImplementedError

    def steps(self) -> list[Tier]:
        return list(Tier.objects.order_by("rank"))

    def get_success_url(self) -> str:
        return reverse("admin:rewards_tier_changelist")

    def move_words(self, found: Moves) -> list[str]:
        about = gettext("About %(n)s") if found.every > 1 else "%(n)s"
        if not found.up and not found.down:
            return [gettext("Nobody moves to another tier.")]
        sentences = []
        for n, text in (
            (found.up, ngettext("%(n)s member moves up.", "%(n)s members move up.", found.up)),
            (found.down, ngettext("%(n)s member moves down.", "%(n)s members move down.", found.down)),
        ):
            if n:
                sentences.append(text % {"n": about % {"n": number_format(n, force_grouping=True)}})
        if found.down and (anyway := min(found.down, moves(at=self.at).down)):
            text = ngettext(
                "%(n)s of those who move down does so without this change, too: their tier runs out anyway.",
                "%(n)s of those who move down do so without this change, too: their tier runs out anyway.",
                anyway,
            )
            sentences.append(text % {"n": about % {"n": number_format(anyway, force_grouping=True)}})
        return sentences

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        if "sentences" in kwargs:
            names: dict[int | None, str] = {tier.pk or 0: tier.name for tier in self.steps()}
            context["moves"] = [
                {
                    "from": names.get(row.from_id, "–"),
                    "to": names.get(row.to_id, "–"),
                    "members": row.members,
                    "way": _way(self.found, row),
                    "sample": row.sample,
                }
                for row in self.found.rows
            ]
            context["every"] = self.found.every
        return context


def _way(found: Moves, row: Any) -> str:
    old, new = found.ranks.get(row.from_id, -1), found.ranks.get(row.to_id, -1)
    return "up" if new > old else "down" if new < old else ""


class SaveTierView(MovesView):
    form_class = TierForm
    act_label = _("Save")

    @cached_property
    def tier(self) -> Tier | None:
        return found_or_404(Tier, self.kwargs["object_id"]) if "object_id" in self.kwargs else None

    @property
    def title(self) -> str:  # type: ignore[override]
        return gettext("Change the tier “%(tier)s”") % {"tier": self.tier} if self.tier else gettext("Add a tier")

    def get_permission_required(self) -> tuple[str]:
        return ("rewards.change_tier" if self.tier else "rewards.add_tier",)

    def get_object(self) -> Tier | None:
        return self.tier

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"tier": self.tier}

    def get_initial(self) -> dict:
        if self.tier is not None:
            return TierForm.initial_of(self.tier)
        highest = Tier.objects.order_by("-rank").first()
        return {"multiplier": 1, "above": highest and highest.pk}

    def _asked(self, form: Any) -> dict[str, Any]:
        above = form.cleaned_data.get("above")
        return {
            "tier_id": self.tier.pk if self.tier else None,
            "above_id": above.pk if above else None,
            "values": form.values(),
        }

    def preview(self, form: Form) -> list[str]:
        self.plan = planned(**self._asked(form))
        self.found = moves(at=self.at, steps=self.plan)
        changed = next(tier for tier in self.plan if tier.pk == (self.tier.pk if self.tier else None))
        kept = reward_settings()
        asked = {"tier": changed.name, "asked": step_words(changed, get_programme().currency)}
        asked["window"] = window_words(kept.tier_window)
        if changed.rank:
            first = gettext("%(tier)s asks for %(asked)s, %(window)s.") % asked
        else:
            first = gettext("%(tier)s is everybody's.") % asked
        down = [grace_words(kept)] if self.found.down else []
        return [first, *self.move_words(self.found), *down]

    def steps(self) -> list[Tier]:
        return self.plan

    def act(self, form: Form) -> str:
        tier, job = save_tier(**self._asked(form), at=self.at, actor_id=self.request.user.pk)
        saved = gettext("%(tier)s is saved.") % {"tier": tier}
        anew = gettext("Members are being assessed anew.")
        return f"{saved} {anew}" if job else saved


class QualifyingView(MovesView):
    title = _("How members qualify")
    intro = _("One window and one way down hold for all tiers. You will see who would move before anything is saved.")
    form_class = QualifyingForm
    permission_required = "rewards.change_tier"
    act_label = _("Save")

    def get_initial(self) -> dict:
        return QualifyingForm.initial_of(reward_settings())

    def preview(self, form: Form) -> list[str]:
        data = form.cleaned_data
        self.found = moves(at=self.at, settings=data)
        window = gettext("What counts is what members do %(window)s.") % {"window": window_words(data["tier_window"])}
        return [window, grace_words(RewardSettings(**data)), *self.move_words(self.found)]

    def act(self, form: Form) -> str:
        job = save_qualifying(values=form.cleaned_data, at=self.at, actor_id=self.request.user.pk)
        if job is None:
            return gettext("Nothing has changed.")
        saved, anew = gettext("How members qualify is saved."), gettext("Members are being assessed anew.")
        return f"{saved} {anew}"


@admin.register(Tier)
class TierAdmin(DeskAdmin):
    """The steps in their order; each is changed in two steps that say whom it moves."""

    list_display = ("name",)
    ordering = ("-rank",)
    sortable_by = ()
    change_list_template = "admin/tiers/list.html"
    fields = ("name", "asks", "times")
    readonly_fields = ("asks", "times")

    def get_urls(self) -> list:
        view = self.admin_site.admin_view
        return [
            path("qualifying/", view(self.qualifying), name="rewards_tier_qualifying"),
            path("<int:object_id>/remove/", view(self.remove), name="rewards_tier_remove"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        counted = _standing()
        self.currency = get_programme().currency
        kept = reward_settings()
        everybody = sum(counted.values())
        rows = [
            {
                "tier": tier,
                "asked": step_words(tier, self.currency),
                "benefits": [benefit.name for benefit in tier.benefits.all() if benefit.active],
                "members": counted.get(tier.pk, 0),
                "share": round(100 * counted.get(tier.pk, 0) / everybody) if everybody else 0,
                "link": f"{reverse('admin:members_member_changelist')}?tier_status__tier__id__exact={tier.pk}",
            }
            for tier in Tier.objects.prefetch_related("benefits").order_by("-rank")
        ]
        job = Reassessment.objects.first()
        told = {
            "ladder": rows,
            "between": pgettext("list", ", "),
            "window": gettext("What counts is what members do %(window)s.")
            % {"window": window_words(kept.tier_window)},
            "down": grace_words(kept),
            "job": job,
            "may_change": request.user.has_perm("rewards.change_tier"),
        }
        return super().changelist_view(request, {**told, **(extra_context or {})})

    def qualifying(self, request: HttpRequest) -> HttpResponse:
        return QualifyingView.answer(self, request)

    def remove(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return DeleteTierView.answer(self, request, object_id=object_id)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict | None = None) -> HttpResponse:
        return SaveTierView.answer(self, request)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict | None = None):
        if not self.has_change_permission(request):
            return super().change_view(request, object_id, form_url, extra_context)
        return SaveTierView.answer(self, request, object_id=object_id)

    @display(description=_("asks for"))
    def asks(self, tier: Tier) -> str:
        return step_words(tier, get_programme().currency)

    @display(description=_("multiplier"))
    def times(self, tier: Tier) -> str:
        return f"× {tier.multiplier.normalize():f}"


def _standing() -> dict[int, int]:
    """How many members stand on each tier; who was never assessed stands on the lowest."""
    counted = dict(
        MemberTier.objects.filter(member__merged_into=None, member__erased_at=None)
        .order_by()
        .values_list("tier")
        .annotate(n=Count("pk"))
    )
    base = Tier.objects.filter(rank=0).values_list("pk", flat=True).first()
    if base is not None:
        others = fetch_all(
            "SELECT count(*) FROM members_member AS member WHERE merged_into_id IS NULL AND erased_at IS NULL"
            " AND NOT EXISTS (SELECT FROM rewards_membertier AS status WHERE status.member_id = member.id)"
        )[0][0]
        counted[base] = counted.get(base, 0) + others
    return counted


@admin.register(Reassessment)
class ReassessmentAdmin(ReadOnlyAdmin):
    """Assessments of all members after a change: how far they are, and who moved."""

    list_display = ("shown", "stage", "done", "created_by")
    list_select_related = ("created_by",)
    sortable_by = ()

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(self.progress)
        return [path("<int:job_id>/progress/", view, name="rewards_reassessment_progress"), *super().get_urls()]

    @display(description=_("asked for"))
    def shown(self, job: Reassessment) -> str:
        return f"{format_moment(job.created_at)} · {job.what}" if job.what else format_moment(job.created_at)

    @display(description=_("state"), label={"queued": "info", "running": "info", "done": "success", "failed": "danger"})
    def stage(self, job: Reassessment) -> tuple[str, Any]:
        return job.state, job.get_state_display()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = found_or_404(Reassessment, object_id)
        tiers = {tier.pk: tier for tier in Tier.objects.all()}
        moved = [
            {"from": tiers.get(old), "to": tiers.get(new), "members": n, "way": _rise(tiers.get(old), tiers.get(new))}
            for old, new, n in job.moved
        ]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Members are being assessed anew.") if job.is_open else _("Members were assessed anew"),
            "job": job,
            "moved": moved,
            "original": job,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "admin/tiers/job.html", context)

    def progress(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """The bar alone, for htmx to renew; once the work has ended, the whole page is to be loaded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = found_or_404(Reassessment, job_id)
        response = TemplateResponse(request, "admin/tiers/bar.html", {"job": job})
        if not job.is_open:
            response["HX-Refresh"] = "true"
        return response


def _rise(old: Tier | None, new: Tier | None) -> str:
    return "up" if (new.rank if new else -1) > (old.rank if old else -1) else "down"


class TierChangeResource(OfMember):
    before = Field("from_tier__name", column_name="from")
    after = Field("to_tier__name", column_name="to")
    grounds = Field(column_name="what counted")
    staff = Field("actor__email", column_name="staff")

    class Meta:
        model = TierChange
        fields = ("id", "card", "name", "at", "before", "after", "cause", "grounds", "staff")
        export_order = fields

    def dehydrate_grounds(self, change: Any) -> str:
        return grounds_words(change)


@admin.register(TierChange)
class TierChangeAdmin(FoundByMember, ExportAdmin, ReadOnlyAdmin):
    resource_classes = (TierChangeResource,)
    export_permission = "members.download_exportjob"
    list_display = ("when", "who", "from_tier", "to_tier", "cause", "grounds")
    list_filter = ("cause", "to_tier", "at")
    list_filter_submit = True
    list_select_related = ("member", "from_tier", "to_tier", "actor")
    search_fields = ("pk",)
    ordering = ("-at", "-id")
    sortable_by = ()
    fields = ("when", "who", "from_tier", "to_tier", "cause", "grounds", "actor")
    readonly_fields = ("when", "who", "grounds")

    @display(description=_("when"))
    def when(self, change: TierChange) -> str:
        return format_moment(change.at)

    @display(description=_("member"))
    def who(self, change: TierChange) -> str:
        return record_link("members_member", change.member_id, change.member)

    @display(description=_("what counted"))
    def grounds(self, change: Any) -> str:
        return grounds_words(change)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TierChange]:
        lift = TierLift.objects.filter(member=OuterRef("member"), at=OuterRef("at"))
        return super().get_queryset(request).annotate(reason=Subquery(lift.values("reason")[:1]))


def grounds_words(change: Any) -> str:
    """What counted; where staff set the tier, their reason."""
    return change.reason or "–" if change.cause == TierCause.STAFF else why_words(change.why)


def why_words(why: dict[str, Any]) -> str:
    """What counted when a tier changed: "620 points, 4 visits in the last 12 months"."""
    asked, currency = why.get("asked", {}), get_programme().currency
    kinds = (("points", "threshold"), ("spend_minor", "spend_minor"), ("visits", "visits"), ("days", "tenure_days"))
    told = {"points": "points", "spend_minor": "spend", "visits": "visits", "days": "tenure"}
    parts = [
        amount_words(told[name], why.get(name, 0), currency)
        for name, field in kinds
        if field in asked or (not asked and name == "points")
    ]
    window = window_words(why["window"]) if "window" in why else ""
    return f"{', '.join(parts)} {window}".strip()

"""Who brought whom: the list, the queue of what is looked at with its evidence, and the tree."""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Case, QuerySet, When
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime, now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from common.admin import ConfirmView, Labelled, ReadOnlyAdmin, Tones, found_or_404, guarded, record_link
from common.moments import format_moment
from common.money import format_money
from members.models import Member
from members.queries import get_programme, search
from referrals.enums import COUNTED, ReferralState, Signal, Verdict
from referrals.fairness import WEIGHTS
from referrals.models import Referral
from referrals.queries import reading, tree
from referrals.services.qualifying import NotOpen, decide
from rewards.queries import amount_text

COLOURS = Tones(
    {
        ReferralState.REVIEW: "warning",
        ReferralState.REWARDED: "success",
        ReferralState.HELD: "info",
        ReferralState.REFUSED: "danger",
        ReferralState.REVERSED: "danger",
    }
)
LEVELS, SHOWN = 3, 200


class CountedFilter(admin.SimpleListFilter):
    title, parameter_name = _("became a customer"), "counted"

    def lookups(self, request, model_admin):
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request, queryset):
        match self.value():
            case "yes":
                return queryset.filter(state__in=COUNTED)
            case "no":
                return queryset.exclude(state__in=COUNTED)
        return queryset


class _DecideView(ConfirmView):
    permission_required = "referrals.change_referral"
    verdict = Verdict.APPROVE

    def get_object(self) -> Referral:
        return found_or_404(Referral.objects.select_related("giver", "friend"), self.kwargs["object_id"])

    def get_success_url(self) -> str:
        return reverse("admin:referrals_referral_change", args=[self.kwargs["object_id"]])

    def act(self, form: Form) -> str:
        try:
            decide(
                referral_id=int(self.kwargs["object_id"]),
                verdict=self.verdict,
                reason=form.cleaned_data.get("reason", ""),
                at=now(),
                actor_id=cast("int", self.request.user.pk),
            )
        except NotOpen:
            raise ValidationError(gettext("It has been decided by now.")) from None
        return gettext("Decided.")


class ApproveView(_DecideView):
    title, act_label, form_class = _("Approve"), _("Approve"), Form

    def preview(self, form: Form) -> list[str]:
        one = self.get_object()
        words = {"giver": one.giver, "friend": one.friend}
        return [gettext("%(giver)s and %(friend)s are thanked once the waiting is over.") % words]


class RefuseForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("The member reads it."), widget=UnfoldAdminTextInputWidget
    )


class RefuseView(_DecideView):
    title, act_label, form_class, danger = _("Refuse"), _("Refuse"), RefuseForm, True
    verdict = Verdict.REFUSE

    def preview(self, form: Form) -> list[str]:
        one = self.get_object()
        told = [gettext("%(giver)s gets nothing for %(friend)s.") % {"giver": one.giver, "friend": one.friend}]
        if one.objected_at is None:
            told.append(gettext("They read your reason and can object once."))
        return told


@admin.register(Referral)
class ReferralAdmin(ReadOnlyAdmin):
    class Media:
        css = {"all": ["desk/referrals.css"]}

    list_display = ("came", "giver", "friend", "shown_state", "programme", "channel", "score", "due")
    list_filter = ("state", CountedFilter, "programme", "source", "channel", "giver__tier_status__tier", "joined_at")
    list_select_related = ("giver", "friend", "programme")
    search_fields = ("giver__name",)
    search_help_text = _("A member's name, phone, card number or e-mail")
    ordering = (Case(When(state=ReferralState.REVIEW, then=0), default=1).asc(), "-joined_at", "-id")
    sortable_by = ()
    actions_detail = ("approve", "refuse")
    fieldsets = (
        (None, {"fields": (("giver_link", "friend_link"), ("shown_state", "programme"), ("came", "due"))}),
        (_("How it is known"), {"fields": (("source", "channel"), "touched_at")}),
        (_("What qualified"), {"fields": ("qualified", "purchase_link", "is_capped")}),
        (_("Doubt"), {"fields": ("score", "signals", "reason", "objection")}),
        (_("What was given"), {"fields": ("given",)}),
        (_("Step by step"), {"fields": ("history",)}),
    )
    readonly_fields = (
        "giver_link", "friend_link", "came", "due", "shown_state", "qualified", "purchase_link", "signals", "given",
        "history",
    )  # fmt: skip

    def get_urls(self) -> list:
        def drawn(request: HttpRequest, member_id: int) -> HttpResponse:
            return self.tree_view(request, member_id)

        view = self.admin_site.admin_view(guarded(self, drawn))
        return [path("tree/<int:member_id>/", view, name="referrals_referral_tree"), *super().get_urls()]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if search_term.strip():
            found = search(search_term).values("pk")
            queryset = queryset.filter(giver__in=found) | queryset.filter(friend__in=found)
        return queryset, False

    @action(description=_("Approve"), url_path="approve", permissions=["decide"], icon="check")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ApproveView.answer(self, request, object_id=object_id)

    @action(description=_("Refuse"), url_path="refuse", permissions=["decide"], icon="close")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return RefuseView.answer(self, request, object_id=object_id)

    approve.dialog = refuse.dialog = {"title": ""}

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not request.user.has_perm("referrals.change_referral") or not str(obj).isdecimal():
            return False
        return Referral.objects.filter(pk=obj, state=ReferralState.REVIEW).exists()

    def tree_view(self, request: HttpRequest, member_id: int) -> HttpResponse:
        """Whom a member brought, whom these brought, and so on: the first levels, drawn."""
        head = found_or_404(Member, member_id)
        rows = tree(head.pk, depth=LEVELS, most=SHOWN + 1)
        people = Member.objects.in_bulk([row[0] for row in rows])
        below: dict[int, list[dict[str, Any]]] = {}
        for friend, giver, level, more in rows[:SHOWN]:
            rest = more if level == LEVELS else 0
            below.setdefault(giver, []).append({"pk": friend, "member": people[friend], "n": more, "rest": rest})
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Whom %(member)s brought") % {"member": head},
            "opts": self.opts,
            "head": head,
            "nodes": _nested(head.pk, below),
            "is_cut": len(rows) > SHOWN,
            "shown": SHOWN,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "admin/referrals/tree.html", context)

    # --- What is shown ------------------------------------------------------------------------------------------
    @display(description=_("came"))
    def came(self, one: Referral) -> str:
        return format_moment(one.joined_at)

    @display(description=_("state"), label=COLOURS)
    def shown_state(self, one: Referral) -> Labelled:
        state = ReferralState(one.state)
        return Labelled((state, state.label))

    @display(description=_("due"))
    def due(self, one: Referral) -> str:
        day = date_format(localtime(one.due_at).date(), "SHORT_DATE_FORMAT") if one.due_at else "–"
        return format_html('<span class="desk-nowrap">{}</span>', day)

    @display(description=_("brought by"))
    def giver_link(self, one: Referral) -> SafeString:
        link = record_link("members_member", one.giver_id, one.giver)
        seen = reverse("admin:referrals_referral_tree", args=[one.giver_id])
        words = gettext("all they brought")
        return format_html('{} · <a class="desk-link" href="{}">{}</a>', link, seen, words)

    @display(description=_("friend"))
    def friend_link(self, one: Referral) -> str:
        return record_link("members_member", one.friend_id, one.friend)

    @display(description=_("purchase"))
    def purchase_link(self, one: Referral) -> str:
        return record_link("members_purchase", one.purchase_id, one.purchase) if one.purchase_id else "–"

    @display(description=_("what counted"))
    def qualified(self, one: Referral) -> str:
        why = one.why.get("qualified")
        if not why:
            return "–"
        if "minor" in why:
            currency = get_programme().currency
            words = {"spent": format_money(why["minor"], currency), "least": format_money(why["least"], currency)}
            return gettext("%(spent)s in money, where %(least)s were asked for each time") % words
        return gettext("version %(n)s of the programme") % {"n": one.version.number}

    @display(description=_("why it is doubted"))
    def signals(self, one: Referral) -> SafeString | str:
        found = one.why.get("signals", {})
        limit = reading(one.version_id).review_from
        if not found:
            return gettext("Nothing. A person looks from a doubt of %(n)d.") % {"n": limit}
        lines = [(Signal(key).label, WEIGHTS[Signal(key)]) for key in found if key in Signal.values]
        listed = format_html_join("", "<li>{} (+{})</li>", lines)
        told = gettext("A person looks from a doubt of %(n)d.") % {"n": limit}
        return format_html("<ul>{}</ul><p>{}</p>", listed, told)

    @display(description=_("thanks"))
    def given(self, one: Referral) -> SafeString | str:
        rows = []
        for thanks in one.thanks.select_related("member", "coupon__offer").order_by("pk"):
            what = thanks.what
            if what in ("points", "credit"):
                what = amount_text(thanks.amount, what)
            elif thanks.coupon:
                what = str(thanks.coupon.offer)
            taken = gettext("taken back") if thanks.taken_at else ""
            rows.append((thanks.member, what, thanks.get_occasion_display(), taken))
        return format_html_join("", "<p>{}: {} · {} {}</p>", rows) if rows else "–"

    @display(description=_("steps"))
    def history(self, one: Referral) -> SafeString:
        steps = one.steps.select_related("actor").order_by("pk")
        rows = [
            (
                format_moment(step.at),
                step.get_state_display(),
                gettext(step.note) if step.note else "",
                step.actor or "",
            )
            for step in steps
        ]
        return format_html_join("", "<p>{} · {} {} {}</p>", rows)


def _nested(pk: int, below: dict[int, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [{**node, "nodes": _nested(node["pk"], below)} for node in below.get(pk, [])]

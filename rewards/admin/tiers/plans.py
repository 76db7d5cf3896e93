"""Memberships that are bought: what is sold, and who holds what."""

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, Q, QuerySet, Value
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.timezone import localtime, now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminRadioSelectWidget, UnfoldAdminSelectWidget

from common.admin import (
    ConfirmView,
    DeskAdmin,
    ExportAdmin,
    Labelled,
    ReadOnlyAdmin,
    found_or_404,
    record_link,
    rehearse,
)
from common.moments import format_day
from common.money import format_money, minor_digits, to_major, to_minor
from members.models import PRESENT, Member
from members.queries import get_programme
from members.services.purchases import KeyReused
from rewards.admin.found import FoundByMember, Major, OfMember
from rewards.enums import PlanState
from rewards.models import MembershipPlan, PlanMembership
from rewards.queries import points_text
from rewards.queries_benefits import plans_on_sale
from rewards.services.ledger import InsufficientPoints
from rewards.services.plans import AlreadyOver, LaterMembership, NotOnSale, buy_plan, cancel_plan


def price_words(plan: MembershipPlan) -> str:
    """ "€49.00 or 5,000 points"."""
    money = None if plan.price_minor is None else format_money(plan.price_minor, get_programme().currency)
    points = points_text(plan.price_points) if plan.price_points else None
    if money and points:
        return gettext("%(money)s or %(points)s") % {"money": money, "points": points}
    return money or points or "–"


def _day(moment: Any) -> str:
    return date_format(localtime(moment), "DATE_FORMAT", use_l10n=True)


class PlanForm(forms.ModelForm):
    price = forms.DecimalField(
        label=_("Price in money"), required=False, min_value=0, max_digits=10, decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=_("In the programme's currency. Empty: not sold for money."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = get_programme().currency
        if "price" in self.fields and self.instance.price_minor is not None:
            self.fields["price"].initial = to_major(self.instance.price_minor, self.currency)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        price = data.get("price")
        if price is not None and round(price, minor_digits(self.currency)) != price:
            raise ValidationError({"price": _("There is no smaller coin than that.")})
        if price is None and not data.get("price_points"):
            raise ValidationError({"price": _("Say what it costs: money, points, or either.")})
        self.instance.price_minor = None if price is None else to_minor(price, self.currency)
        return data


@admin.register(MembershipPlan)
class MembershipPlanAdmin(DeskAdmin):
    form = PlanForm
    list_display = ("name", "months", "costs", "brings", "holders", "active")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": (("name_en", "name_zh_hans"), ("description_en", "description_zh_hans"))}),
        (_("What it costs"), {"fields": ("months", ("price", "price_points"))}),
        (None, {"fields": (("active", "position"),)}),
    )

    def get_queryset(self, request: HttpRequest):
        at = now()
        held = Q(memberships__state=PlanState.ACTIVE, memberships__starts_at__lte=at, memberships__ends_at__gt=at)
        counted = Count("memberships", filter=held, distinct=True)
        return super().get_queryset(request).prefetch_related("benefits").annotate(n=counted)

    @display(description=_("price"))
    def costs(self, plan: MembershipPlan) -> str:
        return price_words(plan)

    @display(description=_("brings"))
    def brings(self, plan: MembershipPlan) -> str:
        return ", ".join(benefit.name for benefit in plan.benefits.all() if benefit.active) or "–"

    @display(description=_("members now"))
    def holders(self, plan: MembershipPlan) -> int:
        return plan.n  # type: ignore[attr-defined]


class SellForm(forms.Form):
    plan: forms.ModelChoiceField = forms.ModelChoiceField(
        label=_("Plan"), queryset=MembershipPlan.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget
    )
    pay = forms.ChoiceField(
        label=_("Paid with"),
        choices=(("money", _("Money, taken at the till")), ("points", _("Points"))),
        initial="money",
        widget=UnfoldAdminRadioSelectWidget,
    )
    key = forms.CharField(widget=forms.HiddenInput, max_length=120)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plan: Any = self.fields["plan"]
        plan.queryset = plans_on_sale()
        plan.label_from_instance = lambda one: f"{one} · {price_words(one)}"


class SellView(ConfirmView):
    """A membership for a member."""

    title = _("Sell a membership")
    form_class = SellForm
    permission_required = "rewards.add_planmembership"
    act_label = _("Sell")

    @cached_property
    def member(self) -> Member:
        return found_or_404(Member.objects.filter(PRESENT), self.kwargs["member_id"])

    @property
    def intro(self) -> str:
        return gettext("For %(member)s.") % {"member": self.member}

    def get_initial(self) -> dict:
        return {"key": str(uuid4()), "plan": plans_on_sale().first(), "pay": "money"}

    def get_success_url(self) -> str:
        return reverse("admin:members_member_change", args=[self.member.pk])

    def _sell(self, form: Form) -> PlanMembership:
        data = form.cleaned_data
        try:
            return buy_plan(
                member_id=self.member.pk,
                plan_id=data["plan"].pk,
                source="desk",
                key=data["key"],
                at=self.at,
                with_points=data["pay"] == "points",
                actor_id=self.request.user.pk,
            )
        except NotOnSale as error:
            way = gettext("points") if data["pay"] == "points" else gettext("money")
            words = {"plan": data["plan"], "way": way}
            raise ValidationError({"pay": gettext("%(plan)s is not sold for %(way)s.") % words}) from error
        except InsufficientPoints as error:
            words = {"asked": points_text(error.asked), "has": points_text(error.available)}
            raise ValidationError({"pay": gettext("That costs %(asked)s; the member has %(has)s.") % words}) from error
        except KeyReused as error:
            raise ValidationError(gettext("This form was used already. Please open it anew.")) from error

    def preview(self, form: Form) -> list[str]:
        bought = rehearse(lambda: self._sell(form))
        words = {"plan": bought.plan, "from": _day(bought.starts_at), "until": _day(bought.ends_at)}
        told = [gettext("%(plan)s from %(from)s until %(until)s.") % words]
        if bought.paid_points:
            told.append(gettext("%(points)s are taken.") % {"points": points_text(bought.paid_points)})
        else:
            money = format_money(bought.paid_minor, get_programme().currency)
            told.append(gettext("Take %(money)s at the till.") % {"money": money})
        return told

    def act(self, form: Form) -> str:
        bought = self._sell(form)
        words = {"member": self.member, "plan": bought.plan, "until": _day(bought.ends_at)}
        return gettext("%(member)s holds %(plan)s until %(until)s.") % words


class CancelView(ConfirmView):
    title = _("Cancel the membership")
    form_class = forms.Form
    permission_required = "rewards.change_planmembership"
    act_label = _("Cancel the membership")
    danger = True

    @cached_property
    def bought(self) -> PlanMembership:
        return found_or_404(PlanMembership.objects.select_related("plan", "member"), self.kwargs["object_id"])

    @property
    def intro(self) -> str:
        words = {"plan": self.bought.plan, "member": self.bought.member, "until": _day(self.bought.ends_at)}
        return gettext("%(plan)s of %(member)s, until %(until)s.") % words

    def get_object(self) -> PlanMembership:
        return self.bought

    def get_success_url(self) -> str:
        return reverse("admin:members_member_change", args=[self.bought.member_id])

    def _cancel(self) -> PlanMembership:
        try:
            return cancel_plan(membership_id=self.bought.pk, at=self.at, actor_id=self.request.user.pk)
        except AlreadyOver as error:
            raise ValidationError(gettext("This membership is over already.")) from error
        except LaterMembership as error:
            raise ValidationError(gettext("It was renewed: please cancel the later one first.")) from error

    def preview(self, form: Form) -> list[str]:
        bought = rehearse(self._cancel)
        told = [gettext("It ends now, with its benefits.")]
        if bought.paid_points:
            told.append(gettext("%(points)s go back.") % {"points": points_text(bought.paid_points)})
        elif bought.paid_minor:
            money = format_money(bought.paid_minor, get_programme().currency)
            told.append(gettext("The till gives %(money)s back, if you agreed on that.") % {"money": money})
        return told

    def act(self, form: Form) -> str:
        self._cancel()
        return gettext("The membership is cancelled.")


class PlanMembershipResource(OfMember):
    plan = Field("plan__name", column_name="plan")
    money = Major("paid_minor", column_name="paid in money")
    points = Field("paid_points", column_name="paid in points")

    class Meta:
        model = PlanMembership
        fields = ("id", "card", "name", "plan", "starts_at", "ends_at", "money", "points", "state", "cancelled_at")
        export_order = fields


@admin.register(PlanMembership)
class PlanMembershipAdmin(FoundByMember, ExportAdmin, ReadOnlyAdmin):
    """Sold on the member page or at the till; cancelled here."""

    resource_classes = (PlanMembershipResource,)
    export_permission = "rewards.change_membershipplan"
    list_display = ("who", "plan", "starts", "ends", "paid", "stage")
    list_filter = ("plan", "state", "ends_at")
    list_filter_submit = True
    list_select_related = ("member", "plan")
    search_fields = ("key",)
    own_key = "key"
    ordering = ("-created_at", "-id")
    sortable_by = ()
    fields = ("who", "plan", ("starts", "ends"), "paid", "stage", "actor", ("source", "key"))
    readonly_fields = ("who", "starts", "ends", "paid", "stage")

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanMembership]:
        return super().get_queryset(request).annotate(currency=Value(get_programme().currency))

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_planmembership_{name}")

        return [
            own("sell/<int:member_id>/", self.sell, "sell"),
            own("<path:object_id>/cancel/", self.cancel, "cancel"),
            *super().get_urls(),
        ]

    def sell(self, request: HttpRequest, member_id: int) -> HttpResponse:
        return SellView.answer(self, request, member_id=member_id)

    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return CancelView.answer(self, request, object_id=object_id)

    @display(description=_("member"))
    def who(self, bought: PlanMembership) -> str:
        return record_link("members_member", bought.member_id, bought.member)

    @display(description=_("from"))
    def starts(self, bought: PlanMembership) -> str:
        return format_day(bought.starts_at)

    @display(description=_("until"))
    def ends(self, bought: PlanMembership) -> str:
        return format_day(bought.ends_at)

    @display(description=_("paid"))
    def paid(self, bought: PlanMembership) -> str:
        if bought.paid_points:
            return points_text(bought.paid_points)
        return format_money(bought.paid_minor, bought.currency)  # type: ignore[attr-defined]  # annotated

    @display(description=_("state"), label={"active": "success", "to come": "info", "over": "", "cancelled": "danger"})
    def stage(self, bought: PlanMembership) -> tuple[str, Any]:
        at = now()
        if bought.state == PlanState.CANCELLED:
            return Labelled(("cancelled", bought.get_state_display()))
        if bought.ends_at <= at:
            return Labelled(("over", _("over")))
        coming = bought.starts_at > at
        return Labelled(("to come", _("to come")) if coming else ("active", bought.get_state_display()))

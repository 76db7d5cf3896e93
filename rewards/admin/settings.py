"""How points behave, in plain words: what each choice means, and what changes by changing it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Sum
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldBooleanSwitchWidget,
)

from common.admin import ConfirmView, DeskAdmin, rehearse
from common.moments import format_moment
from common.money import format_exact, format_money, minor_digits
from members.queries import get_programme
from rewards.enums import AccountKind, ExpiredReturn, RefundPolicy, Unit
from rewards.models import Account, RewardSettings, RewardSettingsChange
from rewards.queries import points_text, reward_settings
from rewards.services.settings import save_reward_settings

SECTIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_("What points are worth"), ("point_cost", "points_per_unit")),
    (_("When something is given back"), ("refund_policy", "expired_return", "expired_return_days", "coupons_return")),
    (_("What staff may do alone"), ("grant_limit", "grant_limit_day")),
    (_("At the till and in the portal"), ("till_confirm_points", "hold_minutes")),
)
CHANGES_SHOWN = 10


def _field(name: str) -> Any:
    return RewardSettings._meta.get_field(name)


def _whole(name: str, text: Any, least: int = 1, most: int = 1_000_000_000, required: bool = False) -> forms.Field:
    label = _field(name).verbose_name
    return forms.IntegerField(
        label=capfirst(label),
        min_value=least,
        max_value=most,
        required=required,
        help_text=text,
        widget=UnfoldAdminIntegerFieldWidget,
    )


def _choice(name: str, choices: Any, text: Any) -> forms.Field:
    return forms.ChoiceField(
        label=capfirst(_field(name).verbose_name),
        choices=choices,
        help_text=text,
        widget=UnfoldAdminRadioSelectWidget,
    )


class SettingsForm(forms.Form):
    """The fields of RewardSettings but those of tiers, which have a page of their own."""

    point_cost = forms.DecimalField(
        label=_("Cost of a point"),
        max_digits=9,
        decimal_places=6,
        min_value=Decimal(0),
        help_text=_(
            "In the programme's currency. What finance owes is this times the points that members hold. Take what a"
            " point costs you when it is spent, not what it is worth to the member."
        ),
        widget=UnfoldAdminDecimalFieldWidget,
    )
    points_per_unit = _whole(
        "points_per_unit", _("How many points pay 1.00 of a purchase at the till. Empty: points do not pay purchases.")
    )
    refund_policy = _choice(
        "refund_policy",
        RefundPolicy,
        _("Someone returns what they bought, but the points that it gave are spent. No balance ever falls below zero."),
    )
    expired_return = _choice(
        "expired_return",
        ExpiredReturn,
        _("Someone gives back what they paid for with points, and these would have expired in the meantime."),
    )
    expired_return_days = _whole(
        "expired_return_days", _("For how long they can be spent then."), most=3_650, required=True
    )
    coupons_return = forms.BooleanField(
        label=_("A whole refund gives used coupons back"),
        required=False,
        help_text=_("If they are still valid on that day."),
        widget=UnfoldBooleanSwitchWidget,
    )
    grant_limit = _whole(
        "grant_limit", _("More than that, given by hand at once, waits for another person. Empty: no limit.")
    )
    grant_limit_day = _whole(
        "grant_limit_day",
        _(
            "Many small gifts of one person add up: past this sum on one day each further one waits for another"
            " person. Empty: no limit."
        ),
    )
    till_confirm_points = _whole(
        "till_confirm_points",
        _("From so many points on, the till asks for the member's PIN or a one-time code. Empty: never."),
    )
    hold_minutes = _whole(
        "hold_minutes",
        _("So long points, stock and coupon wait for a redemption to be confirmed; then all goes back by itself."),
        most=43_200,
        required=True,
    )

    def sections(self) -> list[tuple[Any, list[forms.BoundField]]]:
        return [(title, [self[name] for name in names]) for title, names in SECTIONS]


def _cost(kept: RewardSettings) -> str:
    cost = format_exact(kept.point_cost, get_programme().currency)
    return gettext("A point costs %(cost)s.") % {"cost": cost}


def _pays(kept: RewardSettings) -> str:
    if kept.points_per_unit is None:
        return gettext("Points do not pay purchases.")
    currency = get_programme().currency
    one = format_money(10 ** minor_digits(currency), currency)
    return gettext("%(points)s pay %(amount)s at the till.") % {
        "points": points_text(kept.points_per_unit),
        "amount": one,
    }


def _refund(kept: RewardSettings) -> str:
    if kept.refund_policy == RefundPolicy.ARREARS:
        return gettext("Points that a refund cannot take back are owed: what the member earns next repays them first.")
    return gettext("A refund takes back what is still there; points that are spent are let go.")


def _expired(kept: RewardSettings) -> str:
    if kept.expired_return == ExpiredReturn.STAY:
        return gettext("Points that are given back after their expiry stay expired.")
    text = ngettext(
        "Points that are given back after their expiry can be spent for %(n)d day.",
        "Points that are given back after their expiry can be spent for %(n)d days.",
        kept.expired_return_days,
    )
    return text % {"n": kept.expired_return_days}


def _coupons(kept: RewardSettings) -> str:
    if kept.coupons_return:
        return gettext("When a whole purchase is refunded, its coupons can be used again.")
    return gettext("A used coupon stays used, also when the purchase is refunded.")


def _limit(kept: RewardSettings) -> str:
    if kept.grant_limit is None:
        return gettext("One person may give any number of points at once.")
    words = {"points": points_text(kept.grant_limit)}
    return gettext("A gift of more than %(points)s waits for another person.") % words


def _limit_day(kept: RewardSettings) -> str:
    if kept.grant_limit_day is None:
        return gettext("One person may give any number of points in a day.")
    words = {"points": points_text(kept.grant_limit_day)}
    return gettext("What one person gives beyond %(points)s in a day waits for another.") % words


def _till(kept: RewardSettings) -> str:
    if kept.till_confirm_points is None:
        return gettext("The till never asks for PIN or code.")
    words = {"points": points_text(kept.till_confirm_points)}
    return gettext("From %(points)s on, the till asks for PIN or code.") % words


def _hold(kept: RewardSettings) -> str:
    text = ngettext(
        "A reservation lapses after %(n)s minute.", "A reservation lapses after %(n)s minutes.", kept.hold_minutes
    )
    return text % {"n": number_format(kept.hold_minutes, use_l10n=True)}


# What a setting means, as a sentence.
WORDS: dict[str, Callable[[RewardSettings], str]] = {
    "point_cost": _cost,
    "points_per_unit": _pays,
    "refund_policy": _refund,
    "expired_return": _expired,
    "expired_return_days": _expired,
    "coupons_return": _coupons,
    "grant_limit": _limit,
    "grant_limit_day": _limit_day,
    "till_confirm_points": _till,
    "hold_minutes": _hold,
}


def _owed(kept: RewardSettings) -> tuple[int, str]:
    """Points that members hold, and what they cost, in words."""
    held = Account.objects.filter(kind=AccountKind.WALLET, unit=Unit.POINTS).aggregate(n=Sum("balance", default=0))["n"]
    currency = get_programme().currency
    minor = int((held * kept.point_cost).scaleb(minor_digits(currency)).to_integral_value())
    return held, format_money(minor, currency)


class RewardSettingsView(ConfirmView):
    template_name = "admin/reward_settings.html"
    title = _("How points behave")
    intro = _("What holds here holds from the moment it is saved. What has happened stays as it is.")
    form_class = SettingsForm
    permission_required = "rewards.change_rewardsettings"
    act_label = _("Save")

    def get_initial(self) -> dict[str, Any]:
        kept = reward_settings()
        initial = {name: getattr(kept, name) for name in WORDS}
        return {**initial, "point_cost": f"{kept.point_cost.normalize():f}"}

    def get_success_url(self) -> str:
        return reverse("admin:rewards_rewardsettings_change", args=[1])

    def _save(self, form: Form) -> RewardSettings:
        return save_reward_settings(values=form.cleaned_data, at=self.at, actor_id=self.request.user.pk)

    def preview(self, form: Form) -> list[str]:
        before, after = reward_settings(), rehearse(lambda: self._save(form))
        changed = [name for name in WORDS if getattr(before, name) != getattr(after, name)]
        told: dict[str, str] = {}
        for name in changed:
            now, was = WORDS[name](after), WORDS[name](before)
            if now != was:
                told[now] = gettext("%(now)s Until now: %(before)s") % {"now": now, "before": was}
        sentences = list(told.values()) or [gettext("This is what holds already: nothing will change.")]
        if "point_cost" in changed:
            (held, owed), (_held, was_owed) = _owed(after), _owed(before)
            words = {"points": points_text(held), "owed": owed, "before": was_owed}
            text = gettext("Members hold %(points)s: %(owed)s are owed for them, instead of %(before)s.")
            sentences.append(text % words)
        return sentences

    def act(self, form: Form) -> str:
        self._save(form)
        return gettext("The settings are saved.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"changes": changes()}


def changes() -> list[dict[str, Any]]:
    """The latest changes of the settings, newest first, as they are shown."""
    rows = RewardSettingsChange.objects.select_related("actor")[:CHANGES_SHOWN]
    return [
        {"at": format_moment(row.at), "actor": row.actor, "fields": [_told(*item) for item in row.changes.items()]}
        for row in rows
    ]


def _told(name: str, values: list[str | None]) -> dict[str, str]:
    field = _field(name)
    choices = {str(key): str(label) for key, label in (field.choices or ())}
    choices |= {"True": gettext("Yes"), "False": gettext("No")}
    before, after = ("–" if value is None else choices.get(value, value) for value in values)
    return {"label": str(capfirst(field.verbose_name)), "before": before, "after": after}


@admin.register(RewardSettings)
class RewardSettingsAdmin(DeskAdmin):
    """One row: the list leads straight to it. Those who may only look see it in words."""

    fields = ("words",)
    readonly_fields = ("words",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        return redirect("admin:rewards_rewardsettings_change", 1)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> RewardSettings:
        return reward_settings()

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict | None = None):
        if not self.has_change_permission(request):
            return super().change_view(request, object_id, form_url, extra_context)
        return RewardSettingsView.answer(self, request)

    @display(description=_("in words"))
    def words(self, kept: RewardSettings) -> str:
        said = dict.fromkeys(sentence(kept) for sentence in WORDS.values())
        return format_html_join("", "<p>{}</p>", [(one,) for one in said])

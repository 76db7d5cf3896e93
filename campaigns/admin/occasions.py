"""The calendar of occasions: when each falls, this year and the ten ahead; moved, switched, added to by staff."""

from calendar import Calendar as MonthCalendar
from datetime import date, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.forms import Form, ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from campaigns.admin.occasion_words import month_words, rule_words, short_day, weekday_of, weekdays
from campaigns.enums import CampaignKind, OccasionKind, OccasionRule
from campaigns.forms_occasions import CountriesForm, MoveForm, OwnDayForm
from campaigns.models import Occasion, OccasionDate
from campaigns.queries_calendar import Hanging, hanging
from campaigns.queries_occasions import calendar, chosen_countries, dates_between, shop_day
from campaigns.services.occasions import (
    YEARS_AHEAD,
    DayIsPast,
    DayTaken,
    OccasionError,
    choose_countries,
    move,
    put_back,
    save_own,
)
from common.admin import ConfirmView, DeskAdmin, found_or_404, guarded, rehearse
from members.rules import country_name

_REFUSALS = {
    DayIsPast: _("What has been cannot be moved, and nothing can be moved into the past."),
    DayTaken: _("This occasion falls on that day already."),
}
_OTHER = _("This cannot be. Please choose again.")
FIRST_MONTH, LAST_MONTH = date(1990, 1, 1), date(2098, 12, 1)


def _refusal(error: OccasionError) -> str:
    return str(_REFUSALS.get(type(error), _OTHER))


class MoveView(ConfirmView):
    """Another day for one coming of an occasion, for a reason that is kept."""

    form_class = MoveForm
    permission_required = "campaigns.change_occasion"
    act_label = _("Save")

    @property
    def coming(self) -> OccasionDate:
        return found_or_404(OccasionDate.objects.select_related("occasion"), self.kwargs["date_id"])

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"{self.coming.occasion} {self.coming.day.year}"

    @property
    def intro(self) -> str:  # type: ignore[override]
        rule = rule_words(self.coming.occasion.as_rule())
        return gettext("The rule says: %(rule)s. Whatever hangs on this day moves with it.") % {"rule": rule}

    def get_initial(self) -> dict[str, Any]:
        return {"day": self.coming.day, "takes_place": not self.coming.off, "note": self.coming.note}

    def get_success_url(self) -> str:
        return reverse("admin:campaigns_occasion_change", args=[self.coming.occasion_id])

    def _move(self, form: Form) -> OccasionDate:
        try:
            return move(date_id=self.coming.pk, at=self.at, actor_id=self.request.user.pk, **form.cleaned_data)
        except OccasionError as error:
            raise ValidationError(_refusal(error)) from error

    def preview(self, form: Form) -> list[str]:
        before, after = self.coming, rehearse(lambda: self._move(form))
        words = {"occasion": after.occasion, "day": date_format(after.day), "before": date_format(before.day)}
        if after.off:
            return [gettext("%(occasion)s does not take place on %(before)s: nothing is sent for it.") % words]
        if before.day == after.day:
            return [gettext("%(occasion)s stays on %(day)s.") % words]
        n = abs((after.day - before.day).days)
        later = ngettext("That is %(n)d day later.", "That is %(n)d days later.", n)
        earlier = ngettext("That is %(n)d day earlier.", "That is %(n)d days earlier.", n)
        return [
            gettext("%(occasion)s falls on %(day)s instead of %(before)s.") % words,
            (later if after.day > before.day else earlier) % {"n": n},
            gettext("What hangs on it and has not been sent yet moves with it."),
        ]

    def act(self, form: Form) -> str:
        coming = self._move(form)
        return gettext("%(occasion)s: %(day)s is saved.") % {
            "occasion": coming.occasion,
            "day": date_format(coming.day),
        }


class CountriesView(ConfirmView):
    """Whose festivals and public holidays the shop keeps."""

    form_class = CountriesForm
    permission_required = "campaigns.change_occasion"
    title = _("Countries")
    intro = _("The festivals and public holidays of these countries stand in the calendar, switched on.")
    act_label = _("Save")

    def get_initial(self) -> dict[str, Any]:
        return {"codes": chosen_countries()}

    def get_success_url(self) -> str:
        return reverse("admin:campaigns_occasion_changelist")

    def _choose(self, form: Form) -> int:
        choose_countries(codes=form.cleaned_data["codes"], at=self.at)
        return Occasion.objects.filter(active=True).count()

    def preview(self, form: Form) -> list[str]:
        names = gettext(", ").join(country_name(code) for code in form.cleaned_data["codes"])
        first = gettext("The calendar keeps: %(countries)s.") % {"countries": names or gettext("no country")}
        n = rehearse(lambda: self._choose(form))
        text = ngettext("%(n)d occasion is then switched on.", "%(n)d occasions are then switched on.", n)
        return [first, text % {"n": n}]

    def act(self, form: Form) -> str:
        self._choose(form)
        return gettext("The countries are saved.")


@admin.register(Occasion)
class OccasionAdmin(DeskAdmin):
    change_form_after_template = "campaigns/admin/occasion_days.html"
    search_fields = ("key", "name_en", "name_zh_hans")

    class Media:
        css = {"all": ["campaigns/occasions.css"]}
        js = ["campaigns/occasions.js"]

    def get_urls(self) -> list:
        views = (
            ("month/", guarded(self, self.month), "month"),
            ("countries/", guarded(self, self.choose_countries, "change"), "countries"),
            ("dates/<int:date_id>/", guarded(self, self.move_date, "change"), "date"),
            ("dates/<int:date_id>/back/", guarded(self, self.put_back, "change"), "put_back"),
        )
        own = [
            path(route, self.admin_site.admin_view(view), name=f"campaigns_occasion_{name}")
            for route, view, name in views
        ]
        return own + super().get_urls()

    # --- The table of years ---------------------------------------------------------------------------------------
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        today = shop_day(now())
        years = range(today.year, today.year + YEARS_AHEAD + 1)
        occasions = calendar(first=date(today.year, 1, 1), last=date(years[-1], 12, 31), today=today)
        kind, country, show = (request.GET.get(name, "") for name in ("kind", "country", "show"))
        if kind in OccasionKind.values:
            occasions = occasions.filter(kind=kind)
        if country:
            occasions = occasions.filter(countries__contains=[country])
        if show != "all":
            occasions = occasions.filter(active=True)
        rows = [_row(occasion, years, today) for occasion in occasions]
        chosen = chosen_countries()
        return self._page(
            request,
            "campaigns/admin/occasions.html",
            title=_("Occasions"),
            years=years,
            rows=[row for row in rows if row["occasion"].rule != OccasionRule.MEMBER],
            member_rows=[row for row in rows if row["occasion"].rule == OccasionRule.MEMBER],
            kinds=OccasionKind.choices,
            countries=[(code, country_name(code)) for code in chosen],
            chosen={"kind": kind, "country": country, "show": show},
            may_change=self.has_change_permission(request),
            may_add=self.has_add_permission(request),
        )

    # --- One month --------------------------------------------------------------------------------------------------
    def month(self, request: HttpRequest) -> HttpResponse:
        today = shop_day(now())
        try:
            first = date.fromisoformat(f"{request.GET.get('month') or today.isoformat()[:7]}-01")
        except ValueError:
            raise Http404 from None
        if not FIRST_MONTH <= first <= LAST_MONTH:
            raise Http404
        weeks = MonthCalendar().monthdatescalendar(first.year, first.month)
        by_day: dict[date, list[OccasionDate]] = {}
        for coming in dates_between(weeks[0][0], weeks[-1][-1]):
            by_day.setdefault(coming.day, []).append(coming)
        planned, every_day = hanging(weeks[0][0], weeks[-1][-1])
        sent = {day: pills for day, ones in planned.items() if (pills := _pills(request, ones))}
        cells = [
            [
                {
                    "day": day,
                    "here": day.month == first.month,
                    "today": day == today,
                    "on": by_day.get(day, []),
                    "sent": sent.get(day, []),
                }
                for day in week
            ]
            for week in weeks
        ]
        return self._page(
            request,
            "campaigns/admin/occasion_month.html",
            title=month_words(first),
            weekdays=weekdays(),
            weeks=cells,
            listed=[
                {
                    "short": short_day(day),
                    "weekday": weekday_of(day),
                    "on": by_day.get(day, []),
                    "sent": sent.get(day, []),
                }
                for day in sorted(by_day.keys() | sent.keys())
                if day.month == first.month
            ],
            every_day=_pills(request, every_day),
            before=(first - timedelta(days=1)).isoformat()[:7],
            after=(first + timedelta(days=31)).isoformat()[:7],
            this=today.isoformat()[:7],
        )

    # --- Acts -------------------------------------------------------------------------------------------------------
    def move_date(self, request: HttpRequest, date_id: int) -> HttpResponse:
        return MoveView.answer(self, request, date_id=date_id)

    def choose_countries(self, request: HttpRequest) -> HttpResponse:
        return CountriesView.answer(self, request)

    def put_back(self, request: HttpRequest, date_id: int) -> HttpResponse:
        coming = found_or_404(OccasionDate, date_id)
        if request.method != "POST":  # a link that is only looked at changes nothing
            return redirect("admin:campaigns_occasion_change", coming.occasion_id)
        try:
            put_back(date_id=date_id, at=now())
        except OccasionError as error:
            messages.error(request, _refusal(error))
        else:
            messages.success(request, gettext("It falls again where the rule says."))
        return redirect("admin:campaigns_occasion_change", coming.occasion_id)

    # --- One occasion -----------------------------------------------------------------------------------------------
    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm]:
        if obj is None or obj.kind == OccasionKind.OWN:
            return super().get_form(request, obj, change, form=OwnDayForm, **{"fields": None, **kwargs})
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own = obj is None or obj.kind == OccasionKind.OWN
        numbers = (("month", "day"), ("nth", "weekday"), "offset", "on")
        return ((None, {"fields": (("name_en", "name_zh_hans"), *(("rule", *numbers) if own else ()), "active")}),)

    def save_model(self, request: HttpRequest, obj: Occasion, form: Any, change: bool) -> None:
        if obj.kind != OccasionKind.OWN:
            obj.save(update_fields=["name_en", "name_zh_hans", "active"])
            return
        on = form.cleaned_data.get("on")
        try:
            save_own(occasion=obj, days=[on] if on else [], at=now(), actor_id=request.user.pk)
        except DayIsPast as error:
            messages.error(request, _refusal(error))

    def render_change_form(self, request, context, add=False, change=False, form_url="", obj=None):
        if obj is not None:
            today = shop_day(now())
            context["rule_words"] = rule_words(obj.as_rule())
            context["country_names"] = [country_name(code) for code in obj.countries]
            context["occasion_dates"] = [
                {"coming": coming, "weekday": weekday_of(coming.day), "past": coming.day < today}
                for coming in obj.dates.select_related("occasion", "edited_by").order_by("day")
            ]
            context["may_change"] = self.has_change_permission(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {**self.admin_site.each_context(request), "opts": self.opts, "original": None, **context}
        return TemplateResponse(request, template, context)


_PAGES = {CampaignKind.BROADCAST: "broadcast", CampaignKind.JOURNEY: "journey"}


def _pills(request: HttpRequest, ones: list[Hanging]) -> list[dict[str, Any]]:
    """What goes out, as links for who may see them."""
    return [
        {
            "name": str(one.campaign),
            "kind": one.campaign.get_kind_display(),
            "state": one.campaign.get_state_display(),
            "own_day": one.own_day,
            "url": reverse(f"admin:campaigns_{page}_change", args=[one.campaign.pk]),
        }
        for one in ones
        if request.user.has_perm(f"campaigns.view_{(page := _PAGES[CampaignKind(one.campaign.kind)])}")
    ]


def _row(occasion: Occasion, years: range, today: date) -> dict[str, Any]:
    """An occasion as a line of the table: its days by solar year, which for a lunar one may be none, or two."""
    cells: dict[int, list[dict[str, Any]]] = {year: [] for year in years}
    for coming in occasion.shown:  # type: ignore[attr-defined]
        coming.occasion = occasion
        cell = {"coming": coming, "short": short_day(coming.day), "weekday": weekday_of(coming.day)}
        cells[coming.day.year].append(
            cell | {"past": coming.day < today, "moved": coming.computed not in (None, coming.day)}
        )
    next_day: date | None = occasion.next_day  # type: ignore[attr-defined]
    return {
        "occasion": occasion,
        "rule": rule_words(occasion.as_rule()),
        "countries": [country_name(code) for code in occasion.countries],
        "next_day": next_day,
        "in_days": (next_day - today).days if next_day else None,
        "cells": list(cells.items()),
    }

"""Replays: asked for, watched, read, kept, taken along."""

import csv
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.timezone import get_current_timezone, localtime, now
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import DeskAdmin, found_or_404, guarded
from common.cells import plain_cell
from common.moments import format_day
from common.money import format_money, minor_digits, to_major
from members.enums import JobState
from rewards.admin.rules.fields import Day, text_line
from rewards.admin.rules.trying import chosen_rules, rule_choice
from rewards.earning.triggers import PURCHASE
from rewards.models import Replay
from rewards.queries import points_text
from rewards.services.earning.programme import in_use
from rewards.services.earning.replay import (
    MOST_DAYS,
    BadPeriod,
    NothingToTry,
    cancel_replay,
    create_replay,
    go_on,
)

USUAL = timedelta(days=182)


class ReplayForm(forms.Form):
    name = text_line(_("Name"), 120, required=False, help_text=_("By which you find it again."))
    first = Day(label=_("First day"))
    last = Day(label=_("Last day"))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for name in ("first", "last"):
            if not given.get(name) and name not in self.errors:
                self.add_error(name, gettext("Please choose a day."))
        return given

    def period(self) -> tuple[datetime, datetime]:
        """Both days included, in the programme's time."""
        zone = get_current_timezone()
        first, last = (self.cleaned_data[name] for name in ("first", "last"))
        after = last + timedelta(days=1)
        return datetime.combine(first, time(), tzinfo=zone), datetime.combine(after, time(), tzinfo=zone)


@admin.register(Replay)
class ReplayAdmin(DeskAdmin):
    list_display = ("shown_name", "period", "shown_state", "outcome", "created_at", "created_by")
    list_filter = ("state",)
    list_select_related = ("created_by",)
    search_fields = ("name",)
    search_help_text = _("Name")
    ordering = ("-created_at", "-id")
    sortable_by = ("created_at",)

    class Media:
        css = {"all": ["desk/segments.css", "desk/rules.css"]}

    def get_urls(self) -> list:
        def own(route: str, view: Callable[..., HttpResponse], name: str, permission: str) -> Any:
            guard = guarded(self, view, permission)
            return path(route, self.admin_site.admin_view(guard), name=f"rewards_replay_{name}")

        return [own("<int:object_id>/table/", self.table, "table", "view"), *super().get_urls()]

    # --- The list ---------------------------------------------------------------------------------------------------
    @display(description=_("replay"))
    def shown_name(self, replay: Replay) -> str:
        rules = ", ".join(rule_name(one) for one in replay.programme)
        cell = '<span class="rule-cell"><strong>{}</strong><span class="desk-muted">{}</span></span>'
        return format_html(cell, replay.name or gettext("Replay"), rules)

    @display(description=_("period"))
    def period(self, replay: Replay) -> str:
        return period_text(replay)

    @display(
        description=_("state"),
        label={"done": "success", "running": "info", "queued": "info", "failed": "danger", "cancelled": "warning"},
    )
    def shown_state(self, replay: Replay) -> tuple[str, Any]:
        return replay.state, replay.get_state_display()

    @display(description=_("outcome"))
    def outcome(self, replay: Replay) -> str:
        return headline(replay) if replay.state == JobState.DONE else f"{percent(replay)}%"

    # --- Asking -----------------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        rules, at = in_use(PURCHASE), now()
        chosen = chosen_rules(request.POST, rules)
        today = localtime(at).date()
        initial = {"first": today - USUAL, "last": today - timedelta(days=1)}
        form = ReplayForm(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                starts_at, ends_at = form.period()
                name = form.cleaned_data["name"]
                replay = create_replay(
                    name=name, starts_at=starts_at, ends_at=ends_at, chosen=chosen, at=at, actor_id=request.user.pk
                )
            except BadPeriod:
                text = gettext("The last day must not come before the first, nor more than %(n)d days later.")
                form.add_error("last", text % {"n": MOST_DAYS})
            except NothingToTry:
                form.add_error(None, gettext("Please choose at least one rule."))
            else:
                return redirect("admin:rewards_replay_change", replay.pk)
        choices = [rule_choice(rule, chosen[rule.pk], published=gettext("as it counts now")) for rule in rules]
        return self._page(request, "replay_ask", title=_("Replay the past"), form=form, rules=choices)

    # --- A replay ---------------------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        replay: Replay = found_or_404(Replay.objects.select_related("created_by"), object_id)
        if request.method == "POST":
            if not self.has_add_permission(request):
                raise PermissionDenied
            self._do(request, replay)
            return redirect("admin:rewards_replay_change", replay.pk)
        is_open = replay.state in (JobState.QUEUED, JobState.RUNNING)
        context = {"percent": percent(replay), "open": is_open, "period": period_text(replay)}
        if replay.state == JobState.DONE:
            context |= shown(replay)
        return self._page(request, "replay", replay, title=replay.name or _("Replay"), **context)

    def _do(self, request: HttpRequest, replay: Replay) -> None:
        if "cancel" in request.POST:
            if cancel_replay(replay_id=replay.pk):
                messages.success(request, gettext("It was stopped. It can go on from where it is."))
        elif "go_on" in request.POST:
            go_on(replay_id=replay.pk)
        elif "rename" in request.POST:
            Replay.objects.filter(pk=replay.pk).update(name=request.POST.get("name", "").strip()[:120])

    def table(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Week by week and tier by tier, as CSV."""
        replay = found_or_404(Replay, object_id)
        if replay.state != JobState.DONE:
            raise Http404
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="replay-{replay.pk}.csv"'
        response.write("\ufeff")  # Excel knows Chinese by it
        rows = csv.writer(response)
        rows.writerow(
            [
                gettext("Week from"),
                gettext("Tier"),
                gettext("Points tried"),
                gettext("Points really given"),
                gettext("Credit tried"),
                gettext("Credit given"),
                gettext("Cost tried"),
                gettext("Cost given"),
                gettext("Currency"),
            ]
        )
        currency = replay.result["currency"]
        for week, tier, *four in replay.result["cells"]:
            tried, credit, given, credit_given = four
            money = [to_major(minor, currency) for minor in (credit, credit_given, *costs(replay, four))]
            rows.writerow(
                [week, plain_cell(tier_name(replay, tier)), tried, given, *(f"{one:f}" for one in money), currency]
            )
        return response

    def _page(self, request: HttpRequest, template: str, replay: Replay | None = None, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": replay,
            "replay": replay,
            "media": self.media,
            "may_add": self.has_add_permission(request),
            **context,
        }
        return TemplateResponse(request, f"admin/rules/{template}.html", context)


def percent(replay: Replay) -> int:
    return min(100 * replay.done // replay.total, 100) if replay.total else 0


def period_text(replay: Replay) -> str:
    last = replay.ends_at - timedelta(seconds=1)
    return gettext("%(first)s to %(last)s") % {"first": format_day(replay.starts_at), "last": format_day(last)}


def rule_name(one: dict[str, Any]) -> str:
    name = one["name_zh_hans"] if (get_language() or "").startswith("zh") else one["name_en"]
    return gettext("%(name)s (draft)") % {"name": name} if one["draft"] else name


def tier_name(replay: Replay, tier: str) -> str:
    names = replay.result["tiers"].get(tier)
    if not names:
        return gettext("no tier") if not tier else f"#{tier}"
    return names[1] if (get_language() or "").startswith("zh") else names[0]


def costs(replay: Replay, four: Sequence[int]) -> tuple[int, int]:
    """What was tried and what was given costs, in minor units, from (points tried, credit tried, points given, credit
    given)."""
    each = Decimal(replay.result["point_cost"]) * 10 ** minor_digits(replay.result["currency"])
    tried, credit, given, credit_given = four
    return round(tried * each) + credit, round(given * each) + credit_given


def _sum(rows: Sequence[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)] or [0, 0, 0, 0]


def headline(replay: Replay) -> str:
    """What it comes to, in one sentence."""
    total = _sum([row[2:] for row in replay.result["cells"]])
    tried, given = costs(replay, total)
    money = {
        name: format_money(value, replay.result["currency"]) for name, value in (("tried", tried), ("given", given))
    }
    words = {**money, "points": points_text(total[0])}
    if not given:
        return gettext("%(points)s, at a cost of %(tried)s; nothing was really given.") % words
    change = 100 * (tried - given) / given
    words["change"] = f"{'+' if change >= 0 else '−'}{abs(change):.0f}"
    return gettext("%(points)s, at a cost of %(tried)s instead of %(given)s (%(change)s%%).") % words


def shown(replay: Replay) -> dict[str, Any]:
    """The result as its page shows it."""
    result, currency = replay.result, replay.result["currency"]
    by_week: dict[str, list[list[int]]] = {}
    by_tier: dict[str, list[list[int]]] = {}
    for week, tier, *four in result["cells"]:
        by_week.setdefault(week, []).append(four)
        by_tier.setdefault(tier, []).append(four)
    weeks = [(week, _sum(rows)) for week, rows in by_week.items()]
    order = list(result["tiers"])
    tiers = sorted(by_tier.items(), key=lambda pair: order.index(pair[0]) if pair[0] in order else -1)
    total = _sum([row[2:] for row in result["cells"]])
    credit = bool(total[1] or total[3])

    def line(label: str, four: Sequence[int]) -> dict[str, Any]:
        tried_cost, given_cost = costs(replay, four)
        cells = [number_format(four[0], force_grouping=True), number_format(four[2], force_grouping=True)]
        if credit:
            cells += [format_money(four[1], currency), format_money(four[3], currency)]
        return {
            "label": label,
            "cells": [*cells, format_money(tried_cost, currency), format_money(given_cost, currency)],
        }

    return {
        "headline": headline(replay),
        "counted": _counted(result),
        "with_credit": credit,
        "weeks": [line(date_format(date.fromisoformat(week)), four) for week, four in weeks],
        "tiers": [line(tier_name(replay, tier), _sum(rows)) for tier, rows in tiers],
        "total": line(gettext("In all"), total),
        "rules": [_of_rule(one, currency) for one in result["rules"]],
        "chart": _chart([(week, costs(replay, four)) for week, four in weeks], currency),
    }


def _counted(result: dict[str, Any]) -> str:
    words = {name: number_format(result[name], force_grouping=True) for name in ("purchases", "members", "fired")}
    text = gettext(
        "%(purchases)s purchases of %(members)s members were reckoned anew; %(fired)s of them give something."
    )
    return text % words


def _of_rule(one: dict[str, Any], currency: str) -> dict[str, Any]:
    money = one["unit"] == "credit"

    def amount(units: int) -> str:
        return format_money(units, currency) if money else points_text(units)

    note = ""
    if one["cut"]:
        words = {
            "budget": amount(one["budget"]),
            "day": date_format(date.fromisoformat(one["gone"])),
            "cut": amount(one["cut"]),
        }
        note = gettext("The budget of %(budget)s is spent on %(day)s; %(cut)s are not given.") % words
    return {
        "pk": one["rule"],
        "name": rule_name(one),
        "version": one["version"],
        "amount": amount(one["units"]),
        "times": number_format(one["times"], force_grouping=True),
        "note": note,
    }


def _chart(weeks: Sequence[tuple[str, tuple[int, int]]], currency: str) -> dict[str, Any] | None:
    """Two bars a week, by cost: what was tried and what was given."""
    if not weeks:
        return None
    top = max(max(pair) for _week, pair in weeks) or 1
    height, step = 100, 10
    bars = []
    for n, (_week, pair) in enumerate(weeks):
        for k, (kind, value) in enumerate(zip(("tried", "given"), pair, strict=True)):
            tall = round(value / top * height, 2)
            bars.append({"kind": kind, "x": n * step + 1 + k * 4, "y": height - tall, "height": tall})
    words = {
        "first": date_format(date.fromisoformat(weeks[0][0])),
        "last": date_format(date.fromisoformat(weeks[-1][0])),
    }
    label = gettext("Cost a week from %(first)s to %(last)s, at most %(top)s. The table says the same.")
    return {
        "bars": bars,
        "width": len(weeks) * step,
        "height": height,
        "top": format_money(top, currency),
        "label": label % {**words, "top": format_money(top, currency)},
        **words,
    }

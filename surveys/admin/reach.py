"""How a survey reaches people: waves, triggers, mail, links, codes to hang up, tablets, and who was asked."""

from collections.abc import Callable
from typing import Any

import segno
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.utils.timezone import now
from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_lazy as _

from common.money import format_money, to_minor
from members.queries import get_programme
from surveys import reaching
from surveys.admin.tabs import draw, register_page
from surveys.definition import said
from surveys.enums import InvitationState, PlaceKind, SurveyState, TriggerEvent, Way
from surveys.forms_reach import PlaceForm, RestForm, TestForm, TriggerForm, WaveForm
from surveys.links import place_url, public_url
from surveys.models import AskingRule, Invitation, Survey, SurveyPlace
from surveys.queries import reading
from surveys.queries_reach import drawn_of, going, resting
from surveys.services.doors import make_place, make_trigger, revoke_place, set_rest
from surveys.services.inviting import plan_wave

PAGE = 50


def reach(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """Everything by which people come to a survey; what is sent from here does one thing and comes back."""
    may = model_admin.has_change_permission(request)
    bound: dict[str, forms.Form] = {}
    if request.method == "POST":
        act = request.POST.get("act", "")
        if not may:
            raise PermissionDenied
        if act in _FORMS:
            form = _FORMS[act](request.POST, prefix=act)
            if form.is_valid():
                said_so = _ACTS[act](request, survey, form.cleaned_data)
                messages.success(request, said_so)
                return redirect(f"{request.path}#{act}")
            bound[act] = form
        elif act in _BUTTONS:
            _BUTTONS[act](request, survey)
            return redirect(request.path)
    rule = AskingRule.objects.filter(pk=1).first() or AskingRule()
    opened = {"rest": RestForm(initial={"days": rule.days}, prefix="rest")}
    made = {act: bound.get(act) or opened.get(act) or form(prefix=act) for act, form in _FORMS.items()}
    way = reaching.sending()
    estimate = None
    if "wave-share" in request.GET:
        made["wave"] = WaveForm(request.GET, prefix="wave")
        if made["wave"].is_valid():
            estimate = estimate_of(survey, made["wave"].cleaned_data)
    context = {
        "forms": made,
        "may": may,
        "estimate": estimate,
        "rule": rule,
        "states": _states(survey),
        "counts": way.counts(survey.pk) if way else (),
        "visits": way.visits(survey.pk) if way else (),
        "templates": way.templates() if way else (),
        "chosen": way.chosen(survey.pk) if way else None,
        "channels": _channels(way, survey) if way else (),
        "waves": survey.waves.select_related("segment").order_by("-number")[:10],
        "triggers": [
            (one, trigger_words(one))
            for one in survey.triggers.select_related("segment").annotate(waiting=Count("due")).order_by("pk")
        ],
        "posters": survey.places.filter(revoked_at=None, kind=PlaceKind.POSTER).order_by("store", "table", "pk"),
        "tablets": [
            (one, place_url(one.token))
            for one in survey.places.filter(revoked_at=None, kind=PlaceKind.TABLET).order_by("store", "pk")
        ],
        "public": public_url(survey.code) if Way.PUBLIC in survey.ways else "",
        "is_open": survey.state == SurveyState.OPEN,
        "paper": request.user.has_perm("surveys.add_response") and Way.PAPER in survey.ways,
    }
    return draw(model_admin, request, survey, "surveys/admin/reach.html", tab="reach", **context)


def _channels(way: reaching.Sending, survey: Survey) -> list[tuple[Any, str, list[tuple[str, str]]]]:
    """What can be chosen for each place in the order of channels: label, chosen, choices."""
    used, choices = [*way.by(survey.pk), "", ""], list(way.channels())
    other = [("", gettext("no other way")), *choices]
    labels = (gettext("By"), gettext("otherwise by"), gettext("and else by"))
    return list(zip(labels, used, (choices, other, other), strict=False))


def estimate_of(survey: Survey, told: dict[str, Any]) -> dict[str, Any]:
    """What a wave would come to, before it begins: who is drawn, who rests, and who gets no message, by reason."""
    at = now()
    number = (survey.waves.order_by("-number").values_list("number", flat=True).first() or 0) + 1
    segment = told["segment"]
    drawn, params = drawn_of(survey, number=number, share=told["share"], segment_id=segment.pk if segment else None)
    total, rest = resting(survey, drawn, params, at)
    way = reaching.sending()
    found = way.reached(survey.pk, *going(survey, drawn, params, at), at) if way else None
    return {
        "drawn": total,
        "rest": rest,
        "invited": total - rest,
        "found": found,
        "written": sum(n for _label, n in found.ways) if found else 0,
    }


def trigger_words(trigger: Any) -> str:
    """A trigger as a sentence."""
    share = f"{trigger.share.normalize():f}"
    if trigger.event == TriggerEvent.SCHEDULE:
        text = gettext("Every %(n)s days, %(share)s %% of %(who)s.")
        return text % {"n": trigger.every_days, "share": share, "who": trigger.segment or gettext("all members")}
    words = {"event": trigger.get_event_display(), "hours": trigger.after_hours, "share": share}
    text = gettext("%(event)s: %(hours)s hours later, %(share)s %% of them.") % words
    if trigger.name:
        text += " " + gettext("Event: %(name)s.") % {"name": trigger.name}
    if trigger.store:
        text += " " + gettext("Only in %(store)s.") % {"store": trigger.store}
    if trigger.least_minor:
        amount = format_money(trigger.least_minor, get_programme().currency)
        text += " " + gettext("From %(amount)s.") % {"amount": amount}
    if trigger.segment:
        text += " " + gettext("Only “%(group)s”.") % {"group": trigger.segment}
    return text + " " + gettext("Nobody again within %(n)s days.") % {"n": trigger.cooldown_days}


def why_words(key: str) -> str:
    """What an invitation was for, as people say it."""
    kind, _colon, rest = key.partition(":")
    if kind == "wave":
        return gettext("Wave %(n)s") % {"n": rest}
    if kind == "open":
        return gettext("a link in another mail") if rest else gettext("came by themselves")
    return gettext("a trigger") if kind == "trigger" else key


def _states(survey: Survey) -> list[tuple[str, str, int]]:
    found = dict(Invitation.objects.filter(survey=survey).values_list("state").annotate(n=Count("pk")).order_by())
    return [(state.value, str(state.label), found.get(state.value, 0)) for state in InvitationState]


# --- what is sent ---------------------------------------------------------------------------------------------------
def _wave(request: HttpRequest, survey: Survey, told: dict[str, Any]) -> str:
    segment = told["segment"]
    wave = plan_wave(
        survey_id=survey.pk,
        due_at=now(),
        share=told["share"],
        segment_id=segment.pk if segment else None,
        days_open=told["days_open"],
    )
    return gettext("Wave %(n)d begins within a minute.") % {"n": wave.number}


def _trigger(request: HttpRequest, survey: Survey, told: dict[str, Any]) -> str:
    least, segment = told.pop("least"), told.pop("segment")
    made = make_trigger(
        survey_id=survey.pk,
        at=now(),
        least_minor=None if least is None else to_minor(least, get_programme().currency),
        segment_id=segment.pk if segment else None,
        **told,
    )
    return trigger_words(made)


def _place(request: HttpRequest, survey: Survey, told: dict[str, Any]) -> str:
    tables = [one.strip()[:40] for one in told["tables"].replace("，", ",").split(",") if one.strip()] or [""]
    for table in tables[:100]:
        make_place(
            survey_id=survey.pk, kind=told["kind"], store=told["store"], table=table, at=now(),
            idle_seconds=told["idle_seconds"],
        )  # fmt: skip
    return ngettext("%(n)d code is made.", "%(n)d codes are made.", len(tables)) % {"n": len(tables)}


def _test(request: HttpRequest, survey: Survey, told: dict[str, Any]) -> str:
    way = reaching.sending()
    if way is not None:
        way.test(survey.pk, told["to"], get_language() or "en", now())
    return gettext("A test is on its way to %(to)s. Its links count for nobody.") % {"to": told["to"]}


def _rest(request: HttpRequest, survey: Survey, told: dict[str, Any]) -> str:
    set_rest(days=told["days"])
    return gettext("From now on nobody is asked twice within %(n)d days, whichever survey asks.") % {"n": told["days"]}


def _choose(request: HttpRequest, survey: Survey) -> None:
    way, told = reaching.sending(), request.POST.get("template", "")
    if way is None:
        return
    there = dict(way.channels())
    channels = list(dict.fromkeys(one for one in request.POST.getlist("channel") if one in there))
    template = int(told) if told.isdecimal() and int(told) in dict(way.templates()) else None
    if channels:
        way.choose(survey.pk, template, channels, now())
        messages.success(request, gettext("Invitations go out so from now on."))


def _revoke(request: HttpRequest, survey: Survey) -> None:
    told = request.POST.get("place", "")
    if told.isdecimal() and revoke_place(place_id=int(told), survey_id=survey.pk, at=now()):
        messages.success(request, gettext("Its link takes no more answers."))


_FORMS: dict[str, type[forms.Form]] = {
    "wave": WaveForm,
    "trigger": TriggerForm,
    "place": PlaceForm,
    "test": TestForm,
    "rest": RestForm,
}
_ACTS: dict[str, Callable[[HttpRequest, Survey, dict[str, Any]], str]] = {
    "wave": _wave,
    "trigger": _trigger,
    "place": _place,
    "test": _test,
    "rest": _rest,
}
_BUTTONS = {"template": _choose, "revoke": _revoke}


# --- further pages --------------------------------------------------------------------------------------------------
def invitations(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """Who was asked, what for, and how far they have come; of an anonymous survey no more than that."""
    found = Invitation.objects.filter(survey=survey).select_related("member").order_by("-created_at", "-pk")
    state = request.GET.get("state", "")
    if state in InvitationState.values:
        found = found.filter(state=state)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    for one in page.object_list:
        one.why = why_words(one.key)  # type: ignore[attr-defined]
    context = {"page": page, "state": state, "states": _states(survey)}
    return draw(model_admin, request, survey, "surveys/admin/invitations.html", tab="reach", **context)


def posters(model_admin: Any, request: HttpRequest, survey: Survey) -> HttpResponse:
    """Sheets to print and hang up, one for each place; or one of the public address."""
    places: list[SurveyPlace | None] = list(survey.places.filter(revoked_at=None, kind=PlaceKind.POSTER).order_by("pk"))
    if (told := request.GET.get("place", "")).isdecimal():
        places = [one for one in places if one is not None and one.pk == int(told)]
    newest = survey.versions.filter(number=survey.number).first()
    first = next(iter(reading(newest.pk).questions()), None) if newest else None
    sheets = [_sheet(survey, one) for one in places or [None]]
    question = [said(first.title, language) for language in survey.languages] if first else []
    context = {"survey": survey, "sheets": sheets, "question": question}
    return render(request, "surveys/admin/posters.html", context)


def _sheet(survey: Survey, place: SurveyPlace | None) -> dict[str, Any]:
    address = place_url(place.token) if place else public_url(survey.code)
    svg = segno.make(address, error="q", micro=False).svg_inline(border=2, scale=10, omitsize=True, lineclass=None)
    return {"place": place, "address": address, "code": mark_safe(svg)}  # noqa: S308 (drawn here)


register_page("reach/", reach, "reach", tab=_("Reach"), order=20)
register_page("reach/invitations/", invitations, "invitations")
register_page("reach/posters/", posters, "posters")

"""The page of a broadcast that is under way or over: how far, what became of it, what it brought, and why not him."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.timezone import now
from django.utils.translation import gettext

from campaigns.admin.broadcasts.steps import broadcast_or_404, looked_at, url
from campaigns.admin.broadcasts.words import (
    arm_words,
    gift_words,
    lift_words,
    number,
    pace_words,
    percent,
    test_words,
    verdict_words,
    way_words,
    when_words,
    who_words,
)
from campaigns.enums import CampaignState, Medium, MessageState, SkipReason
from campaigns.models import Broadcast, Campaign, Message
from campaigns.queries_broadcast_results import Progress, VersionFigures, figures, gifts, lift, progress
from campaigns.queries_broadcasts import answer_for
from campaigns.services.broadcasts import control
from campaigns.services.broadcasts.audience import NoDate, plan_of
from campaigns.services.broadcasts.testing import arm_rates
from common.moments import format_moment
from common.money import format_money
from members.models import Member
from members.queries import find_member, search
from members.queries_segments import SegmentNotReady

MISSED = (MessageState.MISSED, MessageState.FAILED, MessageState.UNKNOWN, MessageState.CANCELLED)
_ORDER = [state.value for state in MessageState]


def show(model_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """A draft is shown where it is written; anything else by its state and figures."""
    broadcast = broadcast_or_404(object_id)
    campaign, at = broadcast.campaign, now()
    may_change = model_admin.has_change_permission(request)
    if campaign.state == CampaignState.DRAFT:
        return redirect(url("check", broadcast.pk))
    variants = list(broadcast.variants.select_related("version__template"))
    before = campaign.state in (CampaignState.WAITING, CampaignState.SCHEDULED)
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": broadcast,
        "opts": model_admin.opts,
        "media": model_admin.media,
        "original": broadcast,
        "broadcast": broadcast,
        "campaign": campaign,
        "acts": _acts(broadcast, request, may_change),
        "sentences": [
            who_words(broadcast),
            way_words(broadcast),
            when_words(broadcast, at=at),
            *pace_words(broadcast),
            *filter(None, [gift_words(broadcast), test_words(broadcast, variants)]),
        ],
        "people": _people(broadcast),
        **_progress(broadcast, at),
        **_results(broadcast, variants, at),
        # Who approves sees what it says and who gets it; later the messages themselves tell.
        "variants": [looked_at(variant, at) for variant in variants] if before else [],
        "estimate_url": url("estimate", broadcast.pk),
        "why": _why(broadcast, request.GET.get("q", ""), at),
        "q": request.GET.get("q", ""),
    }
    return TemplateResponse(request, "campaigns/admin/broadcasts/page.html", context)


def live(model_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """The part of the page that moves while it goes out."""
    broadcast = broadcast_or_404(object_id)
    context = {"broadcast": broadcast, "campaign": broadcast.campaign, **_progress(broadcast, now())}
    return TemplateResponse(request, "campaigns/admin/broadcasts/progress.html", context)


def _acts(broadcast: Broadcast, request: HttpRequest, may_change: bool) -> list[tuple[str, str, str]]:
    """What can be done with it now: (address, words, how loud)."""
    state, found = broadcast.campaign.state, []
    asked = broadcast.asked_by_id == request.user.pk
    if state == CampaignState.WAITING and request.user.has_perm("campaigns.approve_broadcast") and not asked:
        found.append((url("approve", broadcast.pk), gettext("Approve…"), "primary"))
        found.append((url("refuse", broadcast.pk), gettext("Refuse…"), "default"))
    if not may_change:
        return found
    if state == CampaignState.PAUSED:
        found.append((url("resume", broadcast.pk), gettext("Go on…"), "primary"))
    if state in (CampaignState.SCHEDULED, CampaignState.RUNNING):
        found.append((url("pause", broadcast.pk), gettext("Pause…"), "default"))
    if state == CampaignState.SCHEDULED or (state == CampaignState.WAITING and len(found) < 2):
        found.append((url("take_back", broadcast.pk), gettext("Back to the draft…"), "default"))
    if state in (CampaignState.WAITING, *control.ALIVE):
        found.append((url("cancel", broadcast.pk), gettext("Cancel…"), "danger"))
    return found


def _people(broadcast: Broadcast) -> list[tuple[str, str]]:
    asked = (broadcast.asked_at, broadcast.asked_by, gettext("Asked for"))
    approved = (broadcast.approved_at, broadcast.approved_by, gettext("Approved"))
    return [(label, f"{format_moment(at)} {who or ''}".strip()) for at, who, label in (asked, approved) if at]


def _messages_url(broadcast: Broadcast, **filters: str) -> str:
    return (
        reverse("admin:campaigns_message_changelist")
        + "?"
        + urlencode({"campaign__id__exact": broadcast.pk, **filters})
    )


def _progress(broadcast: Broadcast, at: Any) -> dict[str, Any]:
    done: Progress = progress(broadcast.pk, at=at)
    states = [
        (
            MessageState(state).label,
            number(done.states[state]),
            _messages_url(broadcast, state__exact=state),
            state in MISSED and done.states[state] > 0,
        )
        for state in _ORDER
        if done.states.get(state)
    ]
    reasons = [
        (SkipReason(reason).label, number(count), _messages_url(broadcast, reason__exact=reason))
        for reason, count in sorted(done.reasons.items(), key=lambda pair: -pair[1])
    ]
    lost = sum(done.states.get(state, 0) for state in MISSED)
    alive = broadcast.campaign.state in (CampaignState.SCHEDULED, CampaignState.RUNNING)
    return {
        "done": done,
        "over_text": number(done.over),
        "meant_text": number(done.meant),
        "states": states,
        "reasons": reasons,
        "lost": lost if lost and not alive else 0,
        "ends": format_moment(done.ends_at) if broadcast.campaign.state == CampaignState.RUNNING else "",
        "planning": broadcast.campaign.state == CampaignState.RUNNING and broadcast.planned_at is None,
        "moves": broadcast.campaign.state in (CampaignState.SCHEDULED, CampaignState.RUNNING),
        "waits_for": _waits_for(broadcast, at),
        "live_url": url("live", broadcast.pk),
    }


def _waits_for(broadcast: Broadcast, at: Any) -> str:
    """Why it has not begun although it is time, if that is so."""
    late = broadcast.starts_at and broadcast.starts_at <= at and broadcast.planned_at is None
    if broadcast.campaign.state not in (CampaignState.SCHEDULED, CampaignState.RUNNING) or not late:
        return ""
    try:
        plan_of(broadcast, at=at)
    except (SegmentNotReady, NoDate, ValueError) as error:
        return str(error)
    return ""


def _results(broadcast: Broadcast, variants: list[Any], at: Any) -> dict[str, Any]:
    if broadcast.starts_at is None or broadcast.starts_at > at:
        return {"versions": []}
    rows = figures(broadcast)
    found, given = lift(broadcast, at=at), gifts(broadcast)
    arms = {arm.number: arm_words(arm) for arm in arm_rates(broadcast)}
    return {
        "versions": [
            _version(broadcast.campaign, row, arms.get(row.variant, ""))
            for row in rows
            if row.variant == 0 or len(variants) > 1
        ],
        "verdict": verdict_words(broadcast) if len(variants) > 1 else "",
        "lift": lift_words(found, at=at),
        "got": found.got,
        "held": found.held,
        "got_spent": format_money(found.got.spent, found.currency),
        "held_spent": format_money(found.held.spent, found.currency),
        "got_buyers": percent(found.got.buyers / found.got.members) if found.got.members else "–",
        "held_buyers": percent(found.held.buyers / found.held.members) if found.held.members else "–",
        "given": given,
        "given_cost": "" if given.cost_minor is None else format_money(given.cost_minor, found.currency),
    }


def _version(campaign: Campaign, row: VersionFigures, arm: str) -> dict[str, Any]:
    def cell(n: int, unseen: bool) -> tuple[str, str]:
        if unseen and not n:
            return "–", gettext("not measured")
        return number(n), percent(n / row.sent) if row.sent else ""

    unseen = {"opened": not campaign.measure_opens, "clicked": not campaign.measure_clicks}
    columns = ("delivered", "bounced", "opened", "clicked", "complained", "unsubscribed")
    return {
        "name": gettext("Version %(letter)s") % {"letter": "ABCD"[row.variant - 1]} if row.variant else gettext("All"),
        "sent": number(row.sent),
        "cells": [cell(getattr(row, name), unseen.get(name, False)) for name in columns],
        "arm": arm,
    }


def _why(broadcast: Broadcast, q: str, at: Any) -> dict[str, Any] | None:
    """What became of it for one member, or why there is nothing."""
    if not q.strip():
        return None
    member = find_member(email=q) if "@" in q else search(q).first()
    if member is None:
        return {"sentences": [gettext("Nobody is found by that.")]}
    message = Message.objects.filter(campaign=broadcast.pk, member=member).select_related("member").first()
    if message is not None:
        return {"member": member, "message": message, "sentences": _story(message)}
    return {"member": member, "sentences": [_not_there(broadcast, member, at)]}


def _story(message: Message) -> list[str]:
    steps = [
        (message.created_at, gettext("taken down")),
        (message.frozen_at, gettext("written")),
        (message.sent_at, gettext("handed over to the server")),
        (message.delivered_at, gettext("delivered, says the provider")),
        (message.bounced_at, gettext("bounced")),
        (message.opened_at, gettext("opened")),
        (message.clicked_at, gettext("clicked")),
        (message.complained_at, gettext("reported as spam")),
    ]
    said = message.get_state_display()
    if message.reason:
        said = gettext("%(state)s: %(reason)s") % {"state": said, "reason": message.get_reason_display()}
    elif message.error:
        said = gettext("%(state)s: %(reason)s") % {"state": said, "reason": message.error}
    due = gettext("Due %(moment)s, by %(channel)s.") % {
        "moment": format_moment(message.due_at),
        "channel": Medium(message.channel).label,
    }
    return [said, due, *(f"{format_moment(at)}: {what}" for at, what in steps if at)]


def _not_there(broadcast: Broadcast, member: Member, at: Any) -> str:
    if broadcast.planned_at is None and broadcast.campaign.state != CampaignState.CANCELLED:
        try:
            answer = answer_for(plan_of(broadcast, at=at), member.pk)
        except (SegmentNotReady, NoDate, ValueError) as error:
            return str(error)
        if answer is None:
            return gettext("As things are now, this member is not in the audience.")
        if answer.reason:
            said = gettext("As things are now, this member does not get it: %(reason)s.")
            return said % {"reason": SkipReason(answer.reason).label}
        return gettext("As things are now, this member gets it on %(moment)s.") % {
            "moment": format_moment(answer.due_at)
        }
    if broadcast.planned_at is None:
        return gettext("It was cancelled before this member's turn came.")
    return gettext("This member was not in the audience when it was taken down.")

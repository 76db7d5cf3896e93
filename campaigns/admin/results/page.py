"""The page of what a campaign came to, brought and cost."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.http import urlencode
from django.utils.timezone import now
from django.utils.translation import gettext

from campaigns.admin.broadcasts.words import amount, lift_words, number, percent
from campaigns.admin.results.acts import AGAIN, MAY
from campaigns.admin.results.table import answer, money_cells
from campaigns.content import places as named_places
from campaigns.content.links import CARD, SURVEY
from campaigns.enums import CampaignKind, CampaignState, TrackKind, Verdict
from campaigns.models import Campaign, Message, SurveyMail
from campaigns.queries_measure import Came, Lift, asked, came, lifts, places
from campaigns.services.measuring import Cost, Return, cost_of, return_of
from common.admin import found_or_404
from common.money import format_money, to_major

_ORDER = (Verdict.PERSON, Verdict.PROXY, Verdict.SCANNER, Verdict.UNSURE)


def show(model_admin: Any, request: HttpRequest, object_id: Any) -> HttpResponse:
    campaign = found_or_404(Campaign.objects.exclude(kind=CampaignKind.SERVICE), object_id)
    at, kind = now(), CampaignKind(campaign.kind)
    figures, lift = came([campaign.pk])[campaign.pk], lifts([campaign.pk], at=at)[campaign.pk]
    cost, gave = cost_of(campaign)
    may_change = request.user.has_perm(MAY[kind])
    lost = Message.objects.filter(campaign=campaign, state__in=AGAIN).count()
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": campaign,
        "opts": model_admin.opts,
        "media": model_admin.media,
        "original": campaign,
        "campaign": campaign,
        "own_page": _own_page(campaign),
        "measured": _measured(campaign),
        "may_change": may_change,
        "steps": _steps(campaign, figures),
        "asked": _asked(campaign),
        "links": [(_leads(place.url), number(place.people), number(place.all)) for place in places(campaign.pk)],
        "lift": lift_words(lift, at=at),
        "sides": _sides(lift),
        "cost": _cost(cost, gave, lift.currency),
        "remains": _remains(return_of(lift, cost), cost, lift),
        "lost": number(lost) if lost else "",
        "resend": _resend(campaign) if lost and may_change else "",
        "lost_rows": _rows(campaign, state__in=",".join(AGAIN)),
    }
    return TemplateResponse(request, "campaigns/admin/results/page.html", context)


def _own_page(campaign: Campaign) -> str:
    if campaign.kind == CampaignKind.BIRTHDAY:
        return reverse("admin:campaigns_birthdaygreeting_changelist")
    if campaign.kind == CampaignKind.SURVEY:
        return reverse("admin:surveys_survey_change", args=[SurveyMail.objects.get(campaign=campaign).pk])
    return reverse(f"admin:campaigns_{campaign.kind}_change", args=[campaign.pk])


def _resend(campaign: Campaign) -> str:
    """A broadcast makes a draft for them once it stands; the messages of other kinds go out again as they are."""
    if campaign.kind != CampaignKind.BROADCAST:
        return reverse("admin:campaigns_campaign_resend", args=[campaign.pk])
    stands = campaign.state in (CampaignState.DONE, CampaignState.PAUSED, CampaignState.CANCELLED)
    return reverse("admin:campaigns_broadcast_follow", args=[campaign.pk]) if stands else ""


def _measured(campaign: Campaign) -> str:
    match campaign.measure_clicks, campaign.measure_opens:
        case True, True:
            return gettext("Clicks and opens are measured.")
        case True, False:
            return gettext("Clicks are measured, opens are not.")
        case False, True:
            return gettext("Opens are measured, clicks are not.")
    return gettext("Neither clicks nor opens are measured.")


def _rows(campaign: Campaign, **filters: str) -> str:
    query = urlencode({"campaign__id__exact": str(campaign.pk), **filters})
    return f"{reverse('admin:campaigns_message_changelist')}?{query}"


def _steps(campaign: Campaign, figures: Came) -> list[tuple[str, str, str, int, str]]:
    """(words, number, share, share from 0 to 100, address of its rows)."""
    since = {"state__exact": "sent"}
    told = (
        (gettext("Sent"), figures.sent, since),
        (gettext("Delivered, says the provider"), figures.delivered, {**since, "delivered_at__isnull": "False"}),
        (gettext("Bounced"), figures.bounced, {**since, "bounced_at__isnull": "False"}),
        (gettext("Opened by a person"), figures.opened, {**since, "opened_at__isnull": "False"}),
        (gettext("Clicked by a person"), figures.clicked, {**since, "clicked_at__isnull": "False"}),
        (gettext("Unsubscribed"), figures.unsubscribed, {**since, "left": "yes"}),
        (gettext("Reported as spam"), figures.complained, {**since, "complained_at__isnull": "False"}),
    )
    whole = figures.sent
    return [
        (words, number(n), percent(n / whole) if whole else "", round(100 * n / whole) if whole else 0,
         _rows(campaign, **filters))
        for words, n, filters in told
    ]  # fmt: skip


def _asked(campaign: Campaign) -> list[dict[str, Any]]:
    """How many messages were asked for, by whom; each opens its rows."""
    page = reverse("admin:campaigns_trackevent_changelist")
    names = {TrackKind.OPEN: gettext("Opened"), TrackKind.CLICK: gettext("Clicked")}
    told = []
    for row in asked(campaign.pk):
        filters = {"message__campaign__id__exact": str(campaign.pk), "kind__exact": row.kind.value}
        cells = [
            (number(row.verdicts.get(one, 0)), f"{page}?{urlencode({**filters, 'verdict__exact': one.value})}")
            for one in _ORDER
        ]
        told.append({"name": names[row.kind], "cells": cells, "any": bool(row.verdicts)})
    return told if any(row["any"] for row in told) else []


def _leads(url: str) -> str:
    """Where a link leads, as people say it."""
    if url == CARD:
        return gettext("A reward that the member can have")
    if url.startswith(SURVEY):
        return gettext("The survey, with a score chosen") if "?" in url else gettext("The survey")
    return str(named_places.places().get(url, url))


def _sides(lift: Lift) -> list[dict[str, str]]:
    def money(minor: float) -> str:
        return amount(minor, lift.currency)

    return [
        {
            "name": name,
            "members": number(side.members),
            "buyers": percent(side.buyers / side.members) if side.members else "–",
            "spent": money(side.spent),
            "each": money(side.sample.mean) if side.members else "–",
        }
        for name, side in ((gettext("Meant to get it"), lift.got), (gettext("Held out"), lift.held))
    ]


def _cost(cost: Cost, gave: Any, currency: str) -> list[tuple[str, str, str]]:
    """(what, how many, money)."""

    def money(minor: Decimal) -> str:
        return amount(minor, currency)

    coupons, used = sum(gave.coupons.values()), sum(gave.used.values())
    rows = [(gettext("Points given"), number(gave.points), money(cost.points))]
    if coupons:
        said = money(cost.coupons) if not cost.unknown else gettext("The offer does not say what one costs.")
        many = gettext("%(n)s, of them used: %(used)s") % {"n": number(coupons), "used": number(used)}
        rows.append((gettext("Coupons given"), many if gave.used else number(coupons), said))
    rows.append((gettext("Sending"), "", money(cost.sending)))
    rows.append((gettext("All together"), "", money(cost.whole)))
    return rows


def _remains(found: Return | None, cost: Cost, lift: Lift) -> list[str]:
    """What is left when the cost is paid, in sentences."""
    if found is None:
        return [gettext("Not enough data to say whether it paid.")]

    def money(minor: Decimal) -> str:
        return amount(minor, lift.currency)

    words = {"left": money(found.left), "low": money(found.low), "high": money(found.high)}
    said = [gettext("After its cost %(left)s remain, between %(low)s and %(high)s (95 %%).") % words]
    clear = lift.difference is not None and lift.difference.clear
    if found.each is not None and clear:  # a quotient of chance says nothing, in many digits
        each = number_format(round(found.each, 2), 2)
        said.append(gettext("For each %(one)s put in, that is %(each)s.") % {
            "one": format_money(10 ** _digits(lift.currency), lift.currency), "each": each,
        })  # fmt: skip
    if not clear:
        said.append(gettext("That may be chance."))
    return said


def _digits(currency: str) -> int:
    return -to_major(1, currency).as_tuple().exponent  # type: ignore[operator]  # a finite number


def as_csv(request: HttpRequest, object_id: int) -> HttpResponse:
    """All figures of one campaign, a line each."""
    campaign = found_or_404(Campaign.objects.exclude(kind=CampaignKind.SERVICE), object_id)
    return answer(f"campaign-{campaign.pk}.csv", _lines(campaign))


def _lines(campaign: Campaign) -> Iterator[Sequence[Any]]:
    at = now()
    figures, lift = came([campaign.pk])[campaign.pk], lifts([campaign.pk], at=at)[campaign.pk]
    cost, _gave = cost_of(campaign)
    yield [gettext("Campaign"), str(campaign)]
    yield [gettext("As of"), at.isoformat(timespec="seconds")]
    for words, count, *_rest in _steps(campaign, figures):
        yield [words, count]
    for row in asked(campaign.pk):
        for one in _ORDER:
            yield [f"{row.kind.label}: {one.label}", row.verdicts.get(one, 0)]
    for place in places(campaign.pk, most=1000):
        yield [gettext("Link"), place.url, place.people, place.all]
    names = (
        gettext("Meant to get it"), gettext("Held out"), gettext("Spent, of the first"),
        gettext("Spent, of those held out"), gettext("More a member"), gettext("at least (95 %)"),
        gettext("at most (95 %)"), gettext("Brought"),
    )  # fmt: skip
    yield from zip(names, money_cells(lift), strict=True)
    for words, minor in (
        (gettext("Cost of points"), cost.points), (gettext("Cost of coupons"), cost.coupons),
        (gettext("Cost of sending"), cost.sending),
    ):  # fmt: skip
        yield [words, to_major(round(minor), lift.currency)]

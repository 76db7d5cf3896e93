"""What bringing friends is worth, on one page; each figure opens the rows behind it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.money import format_money, to_minor
from members.models import Member, Segment
from members.queries import get_programme
from members.sources import source_name
from referrals.enums import ShareChannel
from referrals.models import Programme
from referrals.queries_figures import Worth, fairness, funnel, referral_rate, top_givers, ways, worth
from rewards.models import Tier
from rewards.queries import reward_settings

PERIODS = {30: _("30 days"), 90: _("90 days"), 365: _("a year")}


def _n(value: float, digits: int = 0) -> str:
    return number_format(round(value, digits), digits, use_l10n=True, force_grouping=True)  # it would cut off


def _interval(value: tuple[float, float, float] | None, show: Any) -> str:
    if value is None:
        return gettext("not enough data")
    middle, low, high = value
    return gettext("%(value)s (%(low)s to %(high)s)") % {"value": show(middle), "low": show(low), "high": show(high)}


def figures(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The page. ?days= one of PERIODS, ?segment= of those who bring."""
    days = int(request.GET["days"]) if request.GET.get("days", "").isdecimal() else 90
    days = days if days in PERIODS else 90
    segment = (
        Segment.objects.filter(pk=request.GET["segment"]).first()
        if request.GET.get("segment", "").isdecimal()
        else None
    )
    end = now()
    start, currency = end - timedelta(days=days), get_programme().currency
    span: dict[str, Any] = {"start": start, "end": end}

    def money(minor: float) -> str:
        return format_money(round(minor), currency)

    def percent(share: float) -> str:
        return f"{_n(share, 1)} %"

    names = dict(Programme.objects.values_list("pk", "name"))
    tiers = {tier.pk: str(tier) for tier in Tier.objects.all()}
    listed = reverse("admin:referrals_referral_changelist")
    since = f"joined_at__gte={start.date().isoformat()}"

    def lines(by: str) -> list[dict[str, Any]]:
        only = {
            "programme_id": "programme__id__exact",
            "channel": "channel__exact",
            "tier_id": "giver__tier_status__tier__id__exact",
        }[by]
        called = {"programme_id": names.get, "tier_id": tiers.get}.get(by, lambda name, _other: _channel(name))
        rows = funnel(**span, by=by, segment_id=segment.pk if segment else None)
        return [
            {
                "row": row,
                "name": called(row.name, "–"),
                "conversion": "–" if row.conversion is None else percent(row.conversion),
                "cost": money(row.cost_minor),
                "each": "–" if row.cost_each is None else money(row.cost_each),
                "link": f"{listed}?{only}={row.name}&{since}",
            }
            for row in rows
        ]

    by_channel, by_programme, by_tier = lines("channel"), lines("programme_id"), lines("tier_id")
    joined = sum(line["row"].joined for line in by_programme)
    qualified = sum(line["row"].qualified for line in by_programme)
    cost = sum(line["row"].cost_minor for line in by_programme)
    active, givers = referral_rate(**span)
    both = worth(**span, currency=currency)
    none = Worth(0, 0, 0, 0, 0)
    kinds = [
        {
            "name": words,
            "worth": one,
            "repeat": _interval(one.repeat, percent),
            "spend": _interval(one.spend, money),
        }
        for words, one in (
            (gettext("Brought by a friend"), both.get(True, none)),
            (gettext("All others"), both.get(False, none)),
        )
    ]
    point = (reward_settings().point_cost or 0) * to_minor(Decimal(1), currency)
    new = reverse("admin:members_member_changelist") + f"?joined_at__gte={start.date().isoformat()}"
    came = [
        {
            "way": one,
            "name": gettext("Brought by a friend") if one.source is None else source_name(one.source),
            "link": f"{listed}?{since}" if one.source is None else f"{new}&source__exact={quote(one.source)}",
            "cost": money(one.cost_minor),
            "each": "–" if one.cost_each is None else money(one.cost_each),
        }
        for one in ways(**span, point_minor=Decimal(point))
    ]
    top = top_givers(**span, currency=currency)
    people = Member.objects.in_bulk([one.member_id for one in top])
    context = {
        **model_admin.admin_site.each_context(request),
        "title": gettext("What bringing friends is worth"),
        "opts": model_admin.opts,
        "periods": PERIODS.items(),
        "days": days,
        "segments": Segment.objects.filter(archived_at=None),
        "segment": segment,
        "by_channel": by_channel,
        "by_programme": by_programme,
        "by_tier": by_tier,
        "tiles": [
            (gettext("Friends who came"), _n(joined), f"{listed}?{since}"),
            (gettext("became customers"), _n(qualified), f"{listed}?{since}&counted=yes"),
            (gettext("cost of a new customer"), money(cost / qualified) if qualified else "–", ""),
            (gettext("referral rate"), percent(100 * givers / active) if active else "–", ""),
        ],
        "rate": gettext("%(givers)s of %(active)s members who bought something brought at least one customer.")
        % {"givers": _n(givers), "active": _n(active)},
        "kinds": kinds,
        "ways": came,
        "top": [
            {"member": people.get(one.member_id), "friends": _n(one.friends), "spent": money(one.spent_minor)}
            for one in top
        ],
        "fair": fairness(**span),
    }
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    return TemplateResponse(request, "admin/referrals/figures.html", context)


def _channel(name: str) -> str:
    return str(ShareChannel(name).label) if name in ShareChannel.values else gettext("not known")

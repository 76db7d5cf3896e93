"""The first page, the card, and what browsers and robots ask for."""

from decimal import Decimal

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils import timezone
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language

from common.money import to_minor
from members.enums import Language
from members.queries import get_programme
from members.services.erasure import open_request
from members.services.profile import update_profile
from portal.views.access import AccountRequest, MemberRequest, members_only
from portal.views.rewards import tiles
from rewards.enums import NEVER
from rewards.models import Tier
from rewards.queries import arrears, expiring_next, explain, history, pending_lots, plain_rate, reward_settings
from rewards.queries_catalogue import Shelf, catalogue, kept_places
from rewards.queries_coupons import usable_coupons
from rewards.queries_tiers import counts_words, missing_words, step_words, tier_standing, window_words
from rewards.services.receipts import stands_of
from surveys.queries_reach import open_for

NEWEST = 3
TILES, NEARLY = 4, 2  # rewards on the first page, of them those that lack points


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """The club for strangers, their own page for members."""
    return dashboard(request) if request.user.is_authenticated else landing(request)


def landing(request: HttpRequest) -> HttpResponse:
    programme = get_programme()
    context = {
        "tiers": [(tier, step_words(tier, programme.currency)) for tier in Tier.objects.all()],
        "counts": counts_words(reward_settings().tier_window),
        "rule": plain_rate(programme.currency, timezone.now()),
        "unit_minor": to_minor(Decimal(1), programme.currency),
    }
    return render(request, "portal/landing.html", context)


@members_only
def dashboard(request: MemberRequest) -> HttpResponse:
    at = timezone.now()
    member = request.member
    standing = tier_standing(member.pk, at)
    keep_until = standing.keep_until
    stand = stands_of({member.pk}, at)[member.pk]
    shelves = catalogue(member_id=member.pk, at=at)
    coupons = usable_coupons(member.pk, at)
    next_lot = pending_lots(member.pk, at).first() if stand.pending else None
    context = {
        "greeting": greeting(timezone.localtime(at).hour),
        "balance": stand.spendable,
        "credit": stand.credit,
        "pending": stand.pending,
        "next_day": next_lot.available_from if next_lot and next_lot.available_from < NEVER else None,
        "owed": arrears(member.pk),
        "tiles": tiles(for_you(shelves)),
        "coupon": next(iter(coupons), None),
        "more_coupons": max(0, len(coupons) - 1),
        "kept": kept_places(member.pk, at),
        "asked": open_for(member.pk, at)[:1],
        "expiring": expiring_next(member.pk, at),
        "standing": standing,
        "progress": None if standing.progress is None else round(100 * standing.progress),
        "window": window_words(standing.window),
        "to_next": missing_words(standing.to_next, standing.next_any, standing.currency),
        "to_keep": missing_words(standing.to_keep, standing.keep_any, standing.currency),
        "days_to_keep": (keep_until - timezone.localdate(at)).days if keep_until else None,
        "leaving": open_request(member.pk),
        "movements": [(movement, explain(movement)) for movement in history(member.pk)[:NEWEST]],
    }
    return render(request, "portal/home.html", context)


def for_you(shelves: list[Shelf]) -> list[Shelf]:
    """What a member can have now, the dearest first, then what only lacks points, the nearest first."""
    now = sorted((shelf for shelf in shelves if not shelf.reasons), key=lambda shelf: -shelf.price.points)
    near = [shelf for shelf in shelves if shelf.points_missing and len(shelf.reasons) == 1]
    near.sort(key=lambda shelf: shelf.points_missing)
    kept = now[: max(TILES - NEARLY, TILES - len(near))]
    return kept + near[: TILES - len(kept)]


def greeting(hour: int) -> str:
    """What one says at this hour of the member's day."""
    if 5 <= hour < 12:
        return _("Good morning")
    if 12 <= hour < 18:
        return _("Good afternoon")
    return _("Good evening")


@require_safe
@members_only
def card(request: MemberRequest) -> HttpResponse:
    return render(request, "portal/card.html")


@require_POST
def language(request: AccountRequest) -> HttpResponse:
    """Django's own choice of language, by cookie, remembered for members as well."""
    code = request.POST.get("language", "")
    member = request.member
    if member and code in Language.values and check_for_language(code):
        update_profile(member_id=member.pk, changes={"language": code}, at=timezone.now(), actor_id=request.user.pk)
    return set_language(request)


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Only the first page is for search engines."""
    return HttpResponse("User-agent: *\nAllow: /$\nDisallow: /\n", content_type="text/plain; charset=utf-8")


@require_safe
def manifest(request: HttpRequest) -> JsonResponse:
    """Lets a phone keep the card on its home screen."""
    name = get_programme().name
    icon = {"src": static("portal/icon.svg"), "sizes": "any", "type": "image/svg+xml"}
    about = {"name": name, "short_name": name, "start_url": "/", "display": "standalone", "icons": [icon]}
    colours = {"background_color": "#faf7f2", "theme_color": "#5b2148"}
    return JsonResponse({**about, **colours}, content_type="application/manifest+json")

"""What blocks show beside merge fields: reward cards, coupons of an offer. Read by batch."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext

from campaigns.merge import Recipient, register_family
from campaigns.merge_fields import coupon_values, one_line
from common.money import format_money
from members.queries import get_programme
from rewards.models import Coupon, Reward
from rewards.queries import points_text
from rewards.queries_catalogue import affordable, price_of
from rewards.queries_coupons import open_coupons
from rewards.services.pictures import mail_name

MOST_CARDS = 3


class Card(NamedTuple):
    """A reward in a message, in the active language."""

    name: str
    price: str
    picture: str
    url: str


def chosen_cards(ids: Sequence[int]) -> list[Card]:
    """Chosen rewards in that order, at the price of all; those that are gone are left out."""
    found = Reward.objects.filter(pk__in=ids).prefetch_related("pictures", "prices__tier").in_bulk()
    return [_card(found[pk]) for pk in ids if pk in found]


def _card(reward: Reward) -> Card:
    price = price_of(reward, None)
    words = [points_text(price.points)] if price.points or not price.money_minor else []
    if price.money_minor:
        words.append(format_money(price.money_minor, get_programme().currency))
    picture = next(iter(reward.pictures.all()), None)
    shown = f"{settings.SITE_URL}{mail_name(picture.small.url)}" if picture else ""
    return Card(one_line(reward.name), " + ".join(words), shown, _page_of(reward))


def _page_of(reward: Reward) -> str:
    try:
        return settings.SITE_URL + reverse("portal:reward", args=[reward.pk])
    except NoReverseMatch:  # a shop without the members' pages
        return settings.SITE_URL


def _cards(recipients: Sequence[Recipient], what: str) -> list[Mapping[str, Any]]:
    """`cards_affordable`: what each can have now, dearest first, at most three."""
    ids = [recipient.member.pk for recipient in recipients]
    can = affordable([pk for pk in ids if pk], at=recipients[0].at)
    wanted = {reward.pk for rewards in can.values() for reward in rewards[:MOST_CARDS]}
    full = Reward.objects.filter(pk__in=wanted).prefetch_related("pictures", "prices__tier").in_bulk()
    cards = {pk: _card(reward)._asdict() for pk, reward in full.items()}
    return [{"all": [cards[reward.pk] for reward in can.get(pk, [])[:MOST_CARDS] if reward.pk in cards]} for pk in ids]


def _offer(recipients: Sequence[Recipient], what: str) -> list[Mapping[str, Any]]:
    """`offer_12`: each one's newest coupon of that offer."""
    coupons = open_coupons(recipients[0].at).filter(offer=int(what)) if what.isdecimal() else Coupon.objects.none()
    ids = [recipient.member.pk for recipient in recipients]
    newest = coupons.filter(member__in=ids).order_by("member_id", "-issued_at", "-pk").distinct("member_id")
    return coupon_values(recipients, newest.select_related("offer"))


def sample_values() -> dict[str, Any]:
    """What families say where there is no recipient."""
    card = {"name": gettext("Free coffee"), "price": points_text(200), "picture": "", "url": settings.SITE_URL}
    cards = [card, {**card, "name": gettext("Free cake"), "price": points_text(350)}]
    return {"cards_affordable": {"all": cards}, "products_own": {"all": [gettext("Carrot cake"), gettext("Oat milk")]}}


def register_all() -> None:
    """Called once, when the app is ready."""
    register_family("cards", _cards)
    register_family("offer", _offer)

"""What the café's other systems told today by the API: sales of a till, parcels that came, who came to a workshop."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client

from loyalty_crm.demo import data
from loyalty_crm.demo.people import Guest
from members.models import Member, Purchase
from rewards.enums import IssuedBy, OfferKind
from rewards.models import Offer
from rewards.services.coupons.issuing import issue_coupons
from rewards.services.waiting import cancel_untold

WORKSHOP, DELIVERED = "workshop", "order.delivered"
SALES, PARCELS = 12, 6


def call(random: Random, guests: Sequence[Guest], at: datetime) -> None:
    """Calls as they come over HTTP, with the demo's key, so that each is answered and kept as a real one is."""
    chosen = random.sample(list(guests[:-2]), SALES) + list(guests[-2:])
    asked = [guest.member.pk for guest in chosen]
    cards = Member.objects.filter(pk__in=asked, merged_into=None, erased_at=None).values_list("card_number", flat=True)
    for n, card in enumerate(cards.order_by("pk")):
        moment = at - timedelta(minutes=9 * (SALES - n) + 20)
        if n % 3 == 2:
            _post("events", {"kind": WORKSHOP, "data": {"topic": "Latte art"}}, f"workshop-{n}", card, moment)
        else:
            _post("purchases", _sale(random), f"R-{7_400 + n}", card, moment)
    _web_shop(guests[-2].member.pk, at)
    _gift_card(guests[-2].member.pk, guests[-1].member.pk, at)
    on_their_way = Purchase.objects.filter(channel="online", purchased_at__lt=at - timedelta(days=4)).order_by("-pk")
    for key, card in on_their_way.values_list("key", "member__card_number")[1:PARCELS]:
        _post("events", {"kind": DELIVERED, "data": {"purchase": key}}, f"parcel-{key}", card, at - timedelta(hours=1))
    cancel_untold(at=at)  # the oldest parcels are lost


def _web_shop(member_id: int, at: datetime) -> None:
    """Anna ordered beans: what they earn waits for the parcel."""
    sku, name, category, cents, _often = data.ONLINE[0]
    line = {"sku": sku, "name": name, "category": category, "quantity": "2", "unit_price": f"{cents / 100:.2f}"}
    card = Member.objects.values_list("card_number", flat=True).get(pk=member_id)
    order = {"currency": data.CURRENCY, "channel": "online", "lines": [line]}
    _post("purchases", order, "W-2211", card, at - timedelta(hours=6))


def _gift_card(whose: int, payer: int, at: datetime) -> None:
    """Anna got a gift card, and Mei's coffee was on it: the rest is there still."""
    offer = Offer.objects.get(kind=OfferKind.CARD)
    (coupon,) = issue_coupons(
        offer_id=offer.pk, member_ids=[whose], keys=["demo:gift"], issued_by=IssuedBy.STAFF, at=at - timedelta(days=2)
    )
    sku, name, category, cents, _often = data.MENU[0]
    line = {"sku": sku, "name": name, "category": category, "quantity": "1", "unit_price": f"{cents / 100:.2f}"}
    sale = {"currency": data.CURRENCY, "store": data.STORES[0], "lines": [line], "coupons": [coupon.code]}
    card = Member.objects.values_list("card_number", flat=True).get(pk=payer)
    _post("purchases", sale, "R-7399", card, at - timedelta(hours=3))


def _sale(random: Random) -> dict[str, Any]:
    items = random.choices(data.MENU, [item[4] for item in data.MENU], k=random.randint(1, 3))
    lines = [
        {"sku": sku, "name": name, "category": category, "quantity": "1", "unit_price": f"{cents / 100:.2f}"}
        for sku, name, category, cents, _often in items
    ]
    return {"currency": data.CURRENCY, "store": random.choice(data.STORES), "lines": lines}


def _post(path: str, body: dict[str, Any], key: str, card: str, at: datetime) -> None:
    site = urlsplit(settings.SITE_URL)
    answer = Client(headers={"authorization": f"Bearer {data.API_KEY}", "host": site.netloc}).post(
        f"/api/v1/{path}",
        {**body, "key": key, "member": card, "at": at.isoformat()},
        content_type="application/json",
        secure=site.scheme == "https",
    )
    if answer.status_code != 201:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.content[:400]!r}")

"""People who are in the demo café twice: some still to be found out, one merged already."""

from datetime import datetime, timedelta

from loyalty_crm.demo import data
from members.models import PRESENT, Member, User
from members.services.duplicates import scan
from members.services.identities import add_identity
from members.services.merging import merge_members
from members.services.profile import create_member
from members.services.purchases import NewLine, NewPurchase
from rewards.services.purchases import post_purchases

BIRTHDAY = ("birthday_calendar", "birthday_month", "birthday_day", "birthday_year", "birthday_leap_month")


def make_doubles(at: datetime, by: User) -> None:
    """A second card, taken at the till by who had left the first at home, with a purchase or two on it."""
    anna, mei = (Member.objects.get(email=email) for email in data.MEMBERS)
    guests = list(
        Member.objects.filter(PRESENT, birthday_month__isnull=False, email__startswith="guest").order_by("pk")[20:22]
    )
    _double(anna, at, name="Becker, Anna", phone="", city="Berlin")
    _double(mei, at, name="梅 陈")
    _double(guests[0], at, name=guests[0].name.upper(), postal_code="10243")
    again = _double(guests[1], at, name=guests[1].name)
    merge_members(survivor_id=guests[1].pk, merged_id=again.pk, at=at - timedelta(days=2), actor_id=by.pk)
    add_identity(member_id=anna.pk, system="email", value="anna.becker@work.example", at=at, actor_id=by.pk)
    add_identity(member_id=anna.pk, system="web shop", value="K-20417", at=at, actor_id=by.pk)
    scan(at=at)


def _double(member: Member, at: datetime, **profile: str) -> Member:
    said = {name: getattr(member, name) for name in (*BIRTHDAY, "language", "time_zone", "city")}
    double = create_member(at=at - timedelta(days=30), profile={**said, **profile}, source="till")
    bought = [
        NewPurchase(
            member_id=double.pk,
            source="till",
            key=f"demo-double-{double.pk}-{n}",
            purchased_at=at - timedelta(days=29 - 9 * n),
            currency=data.CURRENCY,
            amount_minor=cents,
            store=data.STORES[n],
            lines=(NewLine(amount_minor=cents, sku=sku, name=name, category=category),),
        )
        for n, (sku, name, category, cents, _often) in enumerate(data.ONLINE)
    ]
    post_purchases(purchases=bought, at=at)
    return double

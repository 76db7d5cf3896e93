"""Who comes to the demo café: members, their consents, the accounts."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from allauth.account.models import EmailAddress
from borax.calendars.lunardate import LunarDate
from django.contrib.auth.models import Group
from django.db.models import F

from loyalty_crm.demo import data
from members.enums import MARKETING, Calendar, Channel, Language, Purpose
from members.models import Member, User
from members.services.consent import state_consent
from members.services.profile import create_member, link_account

# Days between visits, and how many people are so: regulars, weekly, now and then, rarely.
RHYTHMS = ((2.5, 20), (6, 60), (14, 120), (35, 140), (80, 60))


@dataclass(frozen=True, slots=True)
class Guest:
    """A member and their habits: days between visits, the usual store, since when and until when they come."""

    member: Member
    rhythm: float
    store: str
    first: datetime
    last: datetime


def make_staff() -> dict[str, User]:
    users = {}
    for email, first, family, role in data.STAFF:
        user = _account(email, first_name=first, last_name=family, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        users[role] = user
    return users


def make_guests(random: Random, at: datetime, months: int, count: int) -> list[Guest]:
    """`count` members who joined over time, and the two with a portal account."""
    rhythms = [days for days, weight in RHYTHMS for _ in range(weight)]
    guests = [_guest(random, at, months, n, random.choice(rhythms)) for n in range(count)]
    start = at - timedelta(days=30 * months)
    anna = {
        "name": "Anna Becker", "email": data.MEMBERS[0], "phone": "+4915112340001", "city": "Berlin",
        "time_zone": data.TIME_ZONE, "birthday_month": 6, "birthday_day": 21, "birthday_year": 1991,
    }  # fmt: skip
    # A lunar birthday a few days ahead, so that her greeting is the next one to be planned.
    lunar = LunarDate.from_solar(at.date() + timedelta(days=3))
    mei = {
        "name": "陈梅", "email": data.MEMBERS[1], "phone": "+4915112340002", "city": "Berlin",
        "language": Language.CHINESE, "time_zone": data.TIME_ZONE, "birthday_calendar": Calendar.LUNAR,
        "birthday_month": lunar.month, "birthday_day": lunar.day,
    }  # fmt: skip
    for profile, rhythm, store in ((anna, 3.5, data.STORES[0]), (mei, 8.0, data.STORES[1])):
        member = create_member(at=start, profile=profile, source="portal")
        link_account(member_id=member.pk, user=_account(str(profile["email"])), at=start)
        for purpose in MARKETING:
            _say(member, purpose, Channel.EMAIL, True, start, "portal")
        guests.append(Guest(member, rhythm, store, start, at))
    # Who joined in the portal has shown that the address is theirs, every third guest that the phone is.
    Member.objects.filter(source="portal").exclude(email="").update(email_verified_at=F("joined_at"))
    called = [guest.member.pk for guest in guests[::3]]
    Member.objects.filter(pk__in=called).exclude(phone="").update(phone_verified_at=F("joined_at"))
    return guests


def _account(email: str, **fields: Any) -> User:
    user = User.objects.create_user(email, data.PASSWORD, **fields)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def _guest(random: Random, at: datetime, months: int, n: int, rhythm: float) -> Guest:
    chinese = random.random() < 0.4
    joined = at - timedelta(days=random.uniform(0.5, 30 * months))
    joined = joined.replace(hour=random.randint(6, 17), minute=random.randint(0, 59), second=random.randint(0, 59))
    city = _weighted(random, data.CHINESE_CITIES if chinese else data.EUROPEAN_CITIES)
    profile: dict[str, Any] = {
        "name": _name(random, chinese),
        "language": Language.CHINESE if chinese and random.random() < 0.8 else Language.ENGLISH,
        "city": city,
        "time_zone": data.ZONES.get(city, data.TIME_ZONE),
    }
    if random.random() < 0.9:
        profile["email"] = f"guest{n + 1}@corner-cafe.example"
    if random.random() < 0.6:
        abroad = profile["time_zone"] == "Asia/Shanghai"
        profile["phone"] = f"+86138{10_000_000 + n * 37}" if abroad else f"+4915{112_000_000 + n * 41}"
    if random.random() < 0.85:
        profile |= _birthday(random, at.date(), n, chinese)
    member = create_member(at=joined, profile=profile, source=random.choice(("portal", "till", "till")))
    if "email" in profile:
        for purpose, share in ((Purpose.GREETINGS, 0.8), (Purpose.OFFERS, 0.55)):
            if random.random() < share:
                _say(member, purpose, Channel.EMAIL, True, joined, "portal")
                if random.random() < 0.07:
                    _say(member, purpose, Channel.EMAIL, False, joined + (at - joined) / 2, "unsubscribe link")
    last = at if random.random() < 0.8 else joined + (at - joined) * random.random()
    return Guest(member, rhythm * random.uniform(0.7, 1.4), random.choice(data.STORES), joined, last)


def _say(member: Member, purpose: Purpose, channel: Channel, granted: bool, at: datetime, source: str) -> None:
    state_consent(member_id=member.pk, channel=channel, purpose=purpose, granted=granted, source=source, at=at)


def _name(random: Random, chinese: bool) -> str:
    if chinese:
        return random.choice(data.CHINESE_FAMILY) + random.choice(data.CHINESE_GIVEN.split())
    return f"{random.choice(data.EUROPEAN_GIVEN.split())} {random.choice(data.EUROPEAN_FAMILY.split())}"


def _birthday(random: Random, today: date, n: int, chinese: bool) -> dict[str, Any]:
    """Some birthday; for the first twenty guests one of the next ten days."""
    day = today + timedelta(days=n % 10 if n < 20 else random.randint(0, 364))
    if chinese and random.random() < 0.5:
        lunar = LunarDate.from_solar(day)
        return {"birthday_calendar": Calendar.LUNAR, "birthday_month": lunar.month, "birthday_day": lunar.day}
    year = random.randint(1955, 2006) if random.random() < 0.6 and (day.month, day.day) != (2, 29) else None
    return {"birthday_month": day.month, "birthday_day": day.day, "birthday_year": year}


def _weighted(random: Random, choices: tuple[tuple[str, int], ...]) -> str:
    names, weights = zip(*choices, strict=True)
    return random.choices(names, weights)[0]

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
from members.events import CONSENT_GRANTED, CONSENT_WITHDRAWN, MEMBER_JOINED, record_many
from members.models import Consent, ConsentWording, Member, User
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
    said: list[Consent] = []
    guests = [_guest(random, at, months, n, random.choice(rhythms), said) for n in range(count)]
    _join(guests, said)
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
            state_consent(
                member_id=member.pk, channel=Channel.EMAIL, purpose=purpose, granted=True, source="portal", at=start
            )
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


def _join(guests: list[Guest], said: list[Consent]) -> None:
    """Writes all guests, and what they agreed to, as the services would one by one."""
    Member.objects.bulk_create(guest.member for guest in guests)
    joined = [(guest.member.pk, guest.member.joined_at, {"source": guest.member.source}) for guest in guests]
    record_many(kind=MEMBER_JOINED, events=joined)
    wordings = {wording.purpose: wording for wording in ConsentWording.objects.order_by("version")}
    for consent in said:
        consent.member_id, consent.wording = consent.member.pk, wordings.get(consent.purpose)
    Consent.objects.bulk_create(said)
    for kind, granted in ((CONSENT_GRANTED, True), (CONSENT_WITHDRAWN, False)):
        words = [one for one in said if one.granted == granted]
        told = [{"channel": one.channel, "purpose": one.purpose, "source": one.source} for one in words]
        events = [(one.member_id, one.at, data) for one, data in zip(words, told, strict=True)]
        record_many(kind=kind, events=events)


def _guest(random: Random, at: datetime, months: int, n: int, rhythm: float, said: list[Consent]) -> Guest:
    """A guest who is not written yet; what they agree to joins `said`."""
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
    member = Member(joined_at=joined, source=random.choice(("portal", "till", "till")), **profile)
    if "email" in profile:
        for purpose, share in ((Purpose.GREETINGS, 0.8), (Purpose.OFFERS, 0.55)):
            says = {"member": member, "purpose": purpose, "channel": Channel.EMAIL}
            if random.random() < share:
                said.append(Consent(**says, granted=True, at=joined, source="portal"))
                if random.random() < 0.07:
                    later = joined + (at - joined) / 2
                    said.append(Consent(**says, granted=False, at=later, source="unsubscribe link"))
    last = at if random.random() < 0.8 else joined + (at - joined) * random.random()
    return Guest(member, rhythm * random.uniform(0.7, 1.4), random.choice(data.STORES), joined, last)


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

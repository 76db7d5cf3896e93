"""Nobody below the programme's minimum age joins without a guardian's consent (PIPL: 14; GDPR: 13 to 16 by country)."""

from datetime import date, datetime
from typing import NamedTuple

from borax.calendars.lunardate import LunarDate
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from members.enums import Calendar
from members.models import Guardian, Member, Programme
from members.queries import get_programme


class GuardianConsent(NamedTuple):
    """Who agrees for somebody who is too young, and what proves it."""

    name: str
    evidence: str


def age_of(member: Member, today: date) -> int | None:
    """Full years; None where the member did not say the year. Without month and day, the year that is certain."""
    if member.birthday_year is None:
        return None
    month, day = member.birthday_month or 12, member.birthday_day or 31
    born = (member.birthday_year, month, day)
    if member.birthday_calendar == Calendar.LUNAR:
        last = LunarDate(member.birthday_year, 12, 29)
        try:
            solar = LunarDate(member.birthday_year, month, day, int(member.birthday_leap_month)).to_solar_date()
        except ValueError:  # a year that the tables do not hold, or a day that it has not
            solar = last.to_solar_date()
        born = (solar.year, solar.month, solar.day)
    return today.year - born[0] - ((today.month, today.day) < born[1:])


def check_age(*, member: Member, at: datetime, guardian: GuardianConsent | None = None) -> None:
    """ValidationError beside the birth year for who is too young and has no guardian's consent."""
    if member.birthday_year is None or at.year - member.birthday_year > 22:  # most: no question, no query
        return
    programme = get_programme()
    age = age_of(member, at.date())
    if age is None or age >= programme.minimum_age:
        return
    known = guardian or (member.pk and Guardian.objects.filter(pk=member.pk).exists())
    if not (programme.guardian_may_consent and known):
        raise ValidationError({"birthday_year": ValidationError(too_young(programme), code="too_young")})


def too_young(programme: Programme) -> str:
    """What somebody is told who is too young to join, in the active language."""
    if programme.guardian_may_consent:
        text = _("Who is younger than %(age)d joins with a parent or guardian: please come to us together.")
    else:
        text = _("Our club is for people of %(age)d and older.")
    return str(text) % {"age": programme.minimum_age}


def write_guardian(*, member_id: int, guardian: GuardianConsent, at: datetime, actor_id: int | None) -> Guardian:
    """Writes down who agrees for a member; a second word replaces the first."""
    values = {**guardian._asdict(), "actor_id": actor_id, "at": at}
    return Guardian.objects.update_or_create(member_id=member_id, defaults=values)[0]

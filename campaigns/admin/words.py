"""The birthday greeting in words: what it will do, to whom, and whether it is at work."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils.translation import gettext, ngettext

from campaigns.enums import SkipReason
from campaigns.models import BirthdayGreeting
from common.moments import format_moment
from rewards.queries import points_text

QUIET = timedelta(minutes=10)


def describe(greeting: BirthdayGreeting) -> list[str]:
    """What these settings do, as sentences."""
    hour = {"hour": f"{greeting.send_hour:02}:00"}
    if greeting.days_ahead:
        text = ngettext(
            "At %(hour)s in their own time zone, %(n)d day before their birthday, members who agreed to greetings by"
            " e-mail get this mail.",
            "At %(hour)s in their own time zone, %(n)d days before their birthday, members who agreed to greetings by"
            " e-mail get this mail.",
            greeting.days_ahead,
        )
        when = text % (hour | {"n": greeting.days_ahead})
    else:
        when = gettext(
            "At %(hour)s in their own time zone, on their birthday, members who agreed to greetings by e-mail get this"
            " mail."
        )
        when %= hour
    late = ngettext(
        "Should nothing go out in time, it is made up for until the birthday is over, or for %(n)d hour.",
        "Should nothing go out in time, it is made up for until the birthday is over, or for %(n)d hours.",
        greeting.catch_up_hours,
    )
    once = gettext("Nobody is greeted twice within 300 days, even if the birthday is changed.")
    return [when, _gift(greeting), late % {"n": greeting.catch_up_hours}, once]


def _gift(greeting: BirthdayGreeting) -> str:
    if not greeting.gift_points:
        return gettext("No points are given with it.")
    points = {"points": points_text(greeting.gift_points)}
    if not greeting.gift_valid_days:
        return gettext("%(points)s are given with it, and never expire.") % points
    text = ngettext(
        "%(points)s are given with it, to spend within %(n)d day.",
        "%(points)s are given with it, to spend within %(n)d days.",
        greeting.gift_valid_days,
    )
    return text % (points | {"n": greeting.gift_valid_days})


def outlook(counts: Mapping[str, int], days: int) -> str:
    """Who has a birthday soon: "In the next 30 days 34 members have a birthday; 28 will be greeted, 4 …"."""
    everyone = sum(counts.values())
    if not everyone:
        text = gettext("Nobody has a birthday in the next %(days)d days.")
        return text % {"days": days}
    parts = [gettext("%(n)d will be greeted") % {"n": counts.get("", 0)}]
    sentences = {
        SkipReason.NO_CONSENT: gettext("%(n)d have not agreed to greetings by e-mail"),
        SkipReason.NO_ADDRESS: gettext("%(n)d have no e-mail address"),
        SkipReason.GREETED: gettext("%(n)d were greeted less than 300 days before"),
        SkipReason.BIRTHDAY_CHANGED: gettext("%(n)d changed their birthday"),
    }
    parts += [text % {"n": counts[reason]} for reason, text in sentences.items() if counts.get(reason)]
    text = ngettext(
        "In the next %(days)d days %(n)d member has a birthday: %(parts)s.",
        "In the next %(days)d days %(n)d members have a birthday: %(parts)s.",
        everyone,
    )
    return text % {"days": days, "n": everyone, "parts": gettext(", ").join(parts)}


def health(greeting: BirthdayGreeting, at: datetime) -> str:
    """A warning where nothing looks for birthdays although it should; empty where all is well."""
    seen = greeting.last_checked_at
    if not greeting.active or (seen is not None and at - seen < QUIET):
        return ""
    if seen is None:
        return gettext("Nothing has looked for birthdays yet. Is the worker running?")
    text = gettext("Nothing has looked for birthdays since %(moment)s. Is the worker running?")
    return text % {"moment": format_moment(seen)}

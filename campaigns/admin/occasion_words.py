"""Occasions in the words of the active language."""

from datetime import date

from babel.dates import format_skeleton, get_day_names, get_month_names
from django.utils.translation import get_language, gettext, ngettext, to_locale

from campaigns.enums import OccasionRule
from campaigns.occasions import LAST, TERMS, Rule
from members.enums import Calendar
from members.rules import Birthday, birthday_words, country_name


def short_day(day: date) -> str:
    """ "Sep 25", "9月25日"."""
    return format_skeleton("MMMd", day, locale=_locale())


def weekday_of(day: date) -> str:
    """ "Fri", "周五"."""
    return get_day_names("abbreviated", locale=_locale())[day.weekday()]


def weekdays() -> list[str]:
    """The heads of the columns of a month, from Monday."""
    names = get_day_names("abbreviated", locale=_locale())
    return [names[n] for n in range(7)]


def month_words(day: date) -> str:
    """ "September 2026", "2026年9月"."""
    return format_skeleton("yMMMM", day, locale=_locale())


def rule_words(rule: Rule) -> str:
    """When an occasion comes: "Day 15 of lunar month 8", "Second Sunday of May", "39 days after Easter Sunday"."""
    base = _base(rule)
    return base[:1].upper() + base[1:]


def _base(rule: Rule) -> str:
    match rule.kind:
        case OccasionRule.SOLAR:
            return birthday_words(Birthday(Calendar.SOLAR, rule.month, rule.day))
        case OccasionRule.LUNAR if (rule.month, rule.day) == (12, 30):
            return gettext("the last day of the lunar year")
        case OccasionRule.LUNAR:
            return birthday_words(Birthday(Calendar.LUNAR, rule.month, rule.day))
        case OccasionRule.TERM:
            return gettext("solar term %(term)s") % {"term": term_name(rule.term)}
        case OccasionRule.WEEKDAY:
            return _after(_weekday(rule), rule.offset)
        case OccasionRule.EASTER:
            return _after(gettext("Easter Sunday"), rule.offset)
        case OccasionRule.PUBLIC:
            return gettext("public holiday: %(country)s") % {"country": country_name(rule.country)}
        case OccasionRule.MEMBER:
            return gettext("each member's own day")
    return gettext("single days")


def term_name(term: str) -> str:
    """What a solar term is called."""
    if (get_language() or "en").startswith("zh"):
        return TERMS.get(term, term)
    return term.replace("-", " ").title()


def _weekday(rule: Rule) -> str:
    words = {
        "day": get_day_names("wide", locale=_locale())[rule.weekday],
        "month": get_month_names("wide", context="stand-alone", locale=_locale())[rule.month],
    }
    texts = {
        1: gettext("first %(day)s of %(month)s"),
        2: gettext("second %(day)s of %(month)s"),
        3: gettext("third %(day)s of %(month)s"),
        4: gettext("fourth %(day)s of %(month)s"),
        LAST: gettext("last %(day)s of %(month)s"),
    }
    return texts[rule.nth] % words


def _after(what: str, days: int) -> str:
    if not days:
        return what
    words = {"n": abs(days), "what": what}
    if days > 0:
        return ngettext("%(n)d day after %(what)s", "%(n)d days after %(what)s", days) % words
    return ngettext("%(n)d day before %(what)s", "%(n)d days before %(what)s", -days) % words


def _locale() -> str:
    return to_locale(get_language() or "en")

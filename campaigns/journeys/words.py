"""A journey in words, in the active language."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext, pgettext

from campaigns.journeys.definition import OWN_DAYS, Again, Journey, Known, Pattern, Step, StepKind, TriggerKind
from common.money import format_money
from members.queries import get_programme
from members.segments import words as condition_words


def trigger_words(journey: Journey, known: Known) -> str:
    """Who comes in, and when."""
    told = journey.trigger
    match journey.kind:
        case TriggerKind.JOINED:
            return gettext("As soon as somebody joins")
        case TriggerKind.OCCASION:
            return _occasion(told, known)
        case TriggerKind.PURCHASE:
            said = gettext("After the first purchase") if told.get("first") else gettext("After a purchase")
            asked = _terms(told.get("at_least_minor"), told.get("stores"), told.get("categories"))
            return f"{said} ({asked})" if asked else said
        case TriggerKind.SEGMENT:
            words = {"segment": known.segments.get(told["segment"], "?")}
            if told["change"] == "entered":
                return gettext("When somebody comes into “%(segment)s”") % words
            return gettext("When somebody leaves “%(segment)s”") % words
        case TriggerKind.LAPSED:
            words = {"factor": f"{told['factor']:g}", "days": told["days"], "hour": clock(told["hour"])}
            return (
                gettext(
                    "When somebody stays away %(factor)s times as long as usual (%(days)d days for who came only once"
                    " or twice), at %(hour)s"
                )
                % words
            )
        case TriggerKind.TIER:
            tier = known.tiers.get(told.get("tier") or 0, "")
            sentences = {
                "up": gettext("When somebody reaches %(tier)s") if tier else gettext("When somebody rises a tier"),
                "down": gettext("When somebody falls to %(tier)s") if tier else gettext("When somebody falls a tier"),
                "drop": gettext("When somebody is about to lose %(tier)s")
                if tier
                else gettext("When somebody is about to lose their tier"),
            }
            return sentences[told["change"]] % {"tier": tier}
        case TriggerKind.EXPIRING:
            days = told["days"]
            sentence = ngettext(
                "%(days)d day before points expire, at %(hour)s",
                "%(days)d days before points expire, at %(hour)s",
                days,
            )
            return sentence % {"days": days, "hour": clock(told["hour"])}
        case TriggerKind.AFFORDABLE:
            if reward := known.rewards.get(told.get("reward") or 0):
                return gettext("When points suffice for “%(reward)s”") % {"reward": reward}
            return gettext("When points suffice for a reward that was out of reach")
        case TriggerKind.CUSTOM:
            return gettext("When another system tells “%(event)s”") % {"event": told["event"]}
        case kind:
            return str(kind.label)


def _occasion(told: Mapping[str, Any], known: Known) -> str:
    name = told["occasion"]
    words = {"occasion": str(OWN_DAYS.get(name) or known.occasions.get(name, name)), "hour": clock(told["hour"])}
    days = told["days"]
    if days == 0:
        return gettext("%(occasion)s: on the day, at %(hour)s") % words
    if days < 0:
        sentence = ngettext(
            "%(occasion)s: %(days)d day before, at %(hour)s", "%(occasion)s: %(days)d days before, at %(hour)s", -days
        )
    else:
        sentence = ngettext(
            "%(occasion)s: %(days)d day after, at %(hour)s", "%(occasion)s: %(days)d days after, at %(hour)s", days
        )
    return sentence % {**words, "days": abs(days)}


def _terms(least: int | None, stores: list[str] | None, categories: list[str] | None) -> str:
    """What is asked of a purchase: "at least EUR 20.00, with something of drinks, at Store 1"."""
    parts = []
    if least:
        amount = format_money(least, get_programme().currency)
        parts.append(gettext("at least %(amount)s") % {"amount": amount})
    if categories:
        parts.append(gettext("with something of %(names)s") % {"names": ", ".join(categories)})
    if stores:
        parts.append(gettext("at %(names)s") % {"names": ", ".join(stores)})
    return ", ".join(parts)


def clock(hour: int) -> str:
    return f"{hour}:00"


def pattern_words(pattern: Pattern | None, known: Known) -> str:
    """What has to happen."""
    if pattern is None:
        return ""
    only = pattern.only
    if "segment" in only:
        words = {"segment": known.segments.get(only["segment"], "?")}
        if pattern.event == "segment.left":
            return gettext("leaves “%(segment)s”") % words
        return gettext("comes into “%(segment)s”") % words
    if pattern.event == "purchase.paid" and (asked := _terms(only.get("at_least_minor"), only.get("store"), None)):
        return f"{known.events.get(pattern.event, pattern.event)} ({asked})"
    if "kind" in only:
        return f"“{only['kind']}”"
    return str(known.events.get(pattern.event, pattern.event))


def length(told: Mapping[str, Any]) -> str:
    """ "3 days 2 hours"."""
    parts = []
    if days := told.get("days"):
        parts.append(ngettext("%(n)d day", "%(n)d days", days) % {"n": days})
    if hours := told.get("hours"):
        parts.append(ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours})
    if minutes := told.get("minutes"):
        parts.append(ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes})
    return " ".join(parts)


def step_words(step: Step, known: Known) -> str:
    """What a step does."""
    told = step.told
    match step.kind:
        case StepKind.WAIT:
            return gettext("Wait %(length)s") % {"length": length(told)}
        case StepKind.UNTIL_HOUR:
            return gettext("Wait until it is %(hour)s where the member lives") % {"hour": clock(told["hour"])}
        case StepKind.UNTIL_DATE:
            return _until(told, known)
        case StepKind.WAIT_FOR:
            words = {"what": pattern_words(step.pattern, known), "length": length(told)}
            return gettext("Wait up to %(length)s for: %(what)s") % words
        case StepKind.IF:
            return _condition(told["condition"])
        case StepKind.SPLIT:
            return gettext("Split at random: %(shares)s") % {"shares": " / ".join(f"{n} %" for n in told["shares"])}
        case StepKind.SEND:
            said = gettext("Send “%(template)s”") % {"template": known.templates.get(told["template"], "?")}
            ways = [str(known.channels.get(channel, channel)) for channel in told["channels"]]
            return gettext("%(send)s, by %(ways)s") % {"send": said, "ways": " → ".join(ways)} if ways else said
        case StepKind.POINTS:
            n = told["points"]
            return ngettext("Give %(n)d point", "Give %(n)d points", n) % {"n": n}
        case StepKind.COUPON:
            return gettext("Give the coupon “%(offer)s”") % {"offer": known.offers.get(told["offer"], "?")}
        case StepKind.TAG:
            return gettext("Pin the tag “%(tag)s”") % {"tag": told["tag"]}
        case StepKind.UNTAG:
            return gettext("Take the tag “%(tag)s” off") % {"tag": told["tag"]}
        case StepKind.TASK:
            return gettext("Set a task for staff: %(title)s") % {"title": told["title"]}
        case StepKind.WEBHOOK:
            return gettext("Tell another system: %(event)s") % {"event": told["event"]}
        case kind:
            return str(kind.label)


def _condition(raw: Any) -> str:
    sentence = condition_words.summary(raw)
    return gettext("Only if: %(condition)s") % {"condition": sentence}


def _until(told: Mapping[str, Any], known: Known) -> str:
    hour = clock(told["hour"])
    if told.get("date"):
        day = date_format(date.fromisoformat(told["date"]), "DATE_FORMAT", use_l10n=True)
        return gettext("Wait until %(day)s, %(hour)s") % {"day": day, "hour": hour}
    own = {
        "birthday": gettext("the birthday"),
        "expiry": gettext("the day on which points expire"),
        "coupon": gettext("the last day of the coupon"),
    }
    name = told["of"]
    words = {"day": own.get(name) or known.attributes.get(name.partition(":")[2], "?"), "hour": hour}
    days = told.get("days") or 0
    if days == 0:
        return gettext("Wait until %(day)s, %(hour)s") % words
    if days < 0:
        sentence = ngettext(
            "Wait until %(n)d day before %(day)s, %(hour)s", "Wait until %(n)d days before %(day)s, %(hour)s", -days
        )
    else:
        sentence = ngettext(
            "Wait until %(n)d day after %(day)s, %(hour)s", "Wait until %(n)d days after %(day)s, %(hour)s", days
        )
    return sentence % {**words, "n": abs(days)}


def exit_words(step: Step, name: str) -> str:
    """How a way out of a step is called; empty where there is only one."""
    match step.kind:
        case StepKind.SPLIT:
            return f"{step.told['shares'][int(name)]} %"
        case StepKind.IF:
            return pgettext("way", "yes") if name == "yes" else pgettext("way", "no")
        case StepKind.WAIT_FOR:
            return pgettext("way", "it happens") if name == "then" else pgettext("way", "time is up")
    return ""


def rules_words(journey: Journey, known: Known) -> list[str]:
    """Goal, exits, coming again, limits: a sentence each."""
    said = []
    if journey.goal:
        said.append(gettext("Goal: %(what)s. Who reaches it leaves.") % {"what": pattern_words(journey.goal, known)})
    said += [gettext("Leaves also: %(what)s.") % {"what": pattern_words(each, known)} for each in journey.exits]
    match journey.again:
        case Again.NEVER:
            said.append(gettext("Each member comes in once only."))
        case Again.ALWAYS:
            said.append(gettext("Members may come in each time, but are never inside twice at once."))
        case _:
            n = journey.again_days
            sentence = ngettext("Again after %(n)d day at the earliest.", "Again after %(n)d days at the earliest.", n)
            said.append(sentence % {"n": n})
    if journey.by_hand:
        said.append(gettext("Staff may start it for a member too, from a case."))
    n = journey.catch_up_hours
    late = ngettext("What is more than %(n)d hour late is missed.", "What is more than %(n)d hours late is missed.", n)
    said.append(late % {"n": n})
    if (n := journey.entry_limit or 0) > 0:
        said.append(ngettext("At most %(n)d member comes in.", "At most %(n)d members come in.", n) % {"n": n})
    if (n := journey.cap_points or 0) > 0:
        said.append(ngettext("Gives %(n)d point at most.", "Gives %(n)d points at most.", n) % {"n": n})
    if (n := journey.cap_coupons or 0) > 0:
        said.append(ngettext("Gives %(n)d coupon at most.", "Gives %(n)d coupons at most.", n) % {"n": n})
    if journey.cap_cost_minor:
        amount = format_money(journey.cap_cost_minor, get_programme().currency)
        said.append(gettext("Points, coupons and messages cost %(amount)s at most.") % {"amount": amount})
    return said

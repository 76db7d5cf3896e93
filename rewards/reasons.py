"""Why a member cannot have something: a code and facts for programs, a sentence for people."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from common.moments import format_moment


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stands in the way. `facts` are what JSON can hold; moments are RFC 3339."""

    code: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The reason in the active language."""
        return _sentence(self.code, self.facts)


def _when(moment: str) -> str:
    return format_moment(datetime.fromisoformat(moment))


def _sentence(code: str, facts: dict[str, Any]) -> str:
    match code:
        case "not_live":
            return gettext("This reward is not on offer.")
        case "not_yet":
            return gettext("It can be had from %(when)s.") % {"when": _when(facts["from"])}
        case "over":
            return gettext("It could be had until %(when)s.") % {"when": _when(facts["until"])}
        case "sold_out":
            return gettext("Nothing is left of it.")
        case "limit_reached":
            text = ngettext(
                "It can be had %(n)s time by each member, and that is done.",
                "It can be had %(n)s times by each member, and that is done.",
                facts["limit"],
            )
            return text % {"n": number_format(facts["limit"])}
        case "not_your_tier":
            return gettext("It is for %(tiers)s only.") % {"tiers": ", ".join(facts["tiers"])}
        case "not_in_segment":
            return gettext("It is by invitation only.")
        case "segment_not_ready":
            return gettext("It cannot be said just now whom this is for. Please try again later.")
        case "points_missing":
            text = ngettext(
                "%(missing)s more point is needed.", "%(missing)s more points are needed.", facts["missing"]
            )
            return text % {"missing": number_format(facts["missing"], use_l10n=True, force_grouping=True)}
        case "no_session":
            return gettext("There is no date to book now.")
        case "session_needed":
            return gettext("Please choose a date.")
        case "session_unknown":
            return gettext("There is no such date.")
        case "session_full":
            return gettext("All places of this date are taken.")
        case "session_closed":
            return gettext("Booking ended on %(when)s.") % {"when": _when(facts["closed"])}
        case "session_called_off":
            return gettext("This date was called off.")
        case "no_codes":
            return gettext("No code is left for it just now.")
        case "offer_over":
            return gettext("The offer behind it has ended.")
        case "session_free":
            return gettext("There is a place: no need to wait.")
        case "code_unknown":
            return gettext("There is no such code.")
        case "code_used":
            words = {"when": _when(facts["at"]), "store": facts["store"]}
            if facts["store"]:
                return gettext("This code was used on %(when)s, in %(store)s.") % words
            return gettext("This code was used on %(when)s.") % words
        case "code_expired":
            return gettext("This code could be used until %(when)s.") % {"when": _when(facts["until"])}
        case "code_ended":
            return gettext("What this code stood for was given back.")
        case "member_gone":
            return gettext("This card is no longer in use.")
        case _:
            return gettext("It cannot be had now.")

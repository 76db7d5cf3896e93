"""What sets rules off: a purchase, or what happens to a member. Rooms above register their own."""

from collections.abc import Callable
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

PURCHASE = "purchase"
SIGNED_UP = "signed_up"
PROFILE_COMPLETED = "profile_completed"
BIRTHDAY = "birthday"
JOINED_ANNIVERSARY = "joined_anniversary"
CHECK_IN = "check_in"
SEEN = frozenset({SIGNED_UP, PROFILE_COMPLETED, BIRTHDAY, JOINED_ANNIVERSARY, CHECK_IN})  # by the programme itself
CUSTOM = "custom:"  # and the kind of the event, as the other system names it
KIND_MAX = 60 - len(CUSTOM)  # characters of a kind


class Trigger(NamedTuple):
    """`label` names it in lists; `sentence` begins the words of a rule: "For signing up"."""

    name: str
    label: Promise | str
    sentence: Promise | str


_triggers: dict[str, Trigger] = {}


def register(name: str, label: Promise | str, sentence: Promise | str | None = None) -> None:
    """Declares a trigger; rules can be hung on it from then on."""
    _triggers[name] = Trigger(name, label, sentence or label)


def triggers() -> dict[str, Trigger]:
    """All declared triggers by name, in the order they were declared. Those of custom events are not among them."""
    return dict(_triggers)


def is_trigger(name: str) -> bool:
    """Whether a rule can be hung on it: a declared trigger, or a custom event's kind."""
    return name in _triggers or (name.startswith(CUSTOM) and 0 < len(name) - len(CUSTOM) <= KIND_MAX)


def label(name: str) -> str:
    """What people call the trigger, in the active language."""
    return _told(name, lambda trigger: trigger.label)


def sentence(name: str) -> str:
    """How the words of a rule begin."""
    return _told(name, lambda trigger: trigger.sentence)


def _told(name: str, part: Callable[[Trigger], Promise | str]) -> str:
    if known := _triggers.get(name):
        return str(part(known))
    return gettext("For “%(kind)s”") % {"kind": name.removeprefix(CUSTOM)}


def of_event(kind: str) -> str:
    """The trigger that an event of this kind pulls: its own where one is declared by that name."""
    return kind if kind in _triggers and kind != PURCHASE else f"{CUSTOM}{kind}"


register(PURCHASE, _("Purchase"), _("For purchases"))
register(SIGNED_UP, _("Signed up"), _("For signing up"))
register(PROFILE_COMPLETED, _("Profile completed"), _("For completing the profile"))
register(BIRTHDAY, _("Birthday"), _("For a birthday"))
register(JOINED_ANNIVERSARY, _("Anniversary of joining"), _("For each year of membership"))
register(CHECK_IN, _("Check-in"), _("For checking in"))
register("survey_answered", _("Survey answered"), _("For answering a survey"))
register("referral", _("Friend referred"), _("For referring a friend"))
register("review_approved", _("Review approved"), _("For a review"))
register("story_approved", _("Story approved"), _("For a story"))

"""The RFM map: every pair of scores has exactly one name, and every name says what to do. docs/rfm.md."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from analytics.enums import Group

SCORES = range(1, 6)
ENOUGH_BUYERS = 50  # with fewer, a fifth of them is a handful and says nothing

# Recency → the groups of value 1 to 5 (frequency and money together: analytics.models.MemberScore.value).
_G = Group
MAP: dict[int, tuple[Group, Group, Group, Group, Group]] = {
    5: (_G.NEW, _G.POTENTIAL, _G.POTENTIAL, _G.CHAMPIONS, _G.CHAMPIONS),
    4: (_G.PROMISING, _G.PROMISING, _G.POTENTIAL, _G.LOYAL, _G.CHAMPIONS),
    3: (_G.ATTENTION, _G.ATTENTION, _G.ATTENTION, _G.LOYAL, _G.LOYAL),
    2: (_G.HIBERNATING, _G.HIBERNATING, _G.AT_RISK, _G.AT_RISK, _G.CANNOT_LOSE),
    1: (_G.LOST, _G.LOST, _G.HIBERNATING, _G.CANNOT_LOSE, _G.CANNOT_LOSE),
}

# Who they are, and what is worth doing.
ADVICE: dict[Group, tuple[Promise | str, Promise | str]] = {
    _G.CHAMPIONS: (
        _("Here lately, often, and for much."),
        _("Thank them, ask for their word, show them what is new first. They need no discount."),
    ),
    _G.LOYAL: (
        _("Come often and spend well, if not just now."),
        _("Keep the habit: tier benefits, a friend to bring, something matching what they buy."),
    ),
    _G.POTENTIAL: (
        _("Here lately, on the way to a habit."),
        _("Show how near the next reward is; an offer that holds for two more visits."),
    ),
    _G.NEW: (
        _("Here lately for the first times, for little so far."),
        _("Welcome them, explain the programme, make the second visit worth while."),
    ),
    _G.PROMISING: (
        _("Here not long ago, rarely and for little."),
        _("Tell them what they have not tried; a small reason to come this month."),
    ),
    _G.ATTENTION: (
        _("Neither here lately nor long gone, and not yet attached."),
        _("Remind them of their points; an offer with a near end."),
    ),
    _G.AT_RISK: (
        _("Used to come and to spend, and have stayed away."),
        _("Write in person, ask what was wrong, offer what they used to buy."),
    ),
    _G.CANNOT_LOSE: (
        _("Were among the best, and are going or gone."),
        _("Call them. Put right what went wrong; nothing costs more than losing these."),
    ),
    _G.HIBERNATING: (
        _("Have not come for long, and never came much."),
        _("A seasonal word, seldom. Spend little here."),
    ),
    _G.LOST: (
        _("Came once or twice, long ago."),
        _("One last good offer; then leave them in peace."),
    ),
}


def group_of(recency: int, value: int) -> Group:
    """The name of a cell of the map."""
    return MAP[recency][value - 1]


def value_of(frequency: int, monetary: int) -> int:
    """Frequency and money as one score: their mean, halves upwards."""
    return (frequency + monetary + 1) // 2


def cells_of(group: Group) -> list[tuple[int, int]]:
    """The (recency, value) pairs that carry a name."""
    return [(recency, value) for recency in MAP for value in SCORES if group_of(recency, value) == group]

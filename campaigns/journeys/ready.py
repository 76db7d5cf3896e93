"""Journeys to begin from: eight that are good as they stand. A copy belongs to the shop.

What they send are ready templates, by key (campaigns.content.ready); what they give are offers in percent. Both are
made when a journey is taken, and stand in the definition as {"ready": key} and {"percent": n} until then; {"money": n}
is so much of the programme's currency.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from members.enums import Purpose


@dataclass(frozen=True, slots=True)
class Ready:
    """A ready journey: `when` says what it is for."""

    key: str
    name: Promise
    when: Promise
    icon: str
    purpose: Purpose
    definition: dict[str, Any]


def _send(name: str, ready: str) -> dict[str, Any]:
    return {"id": name, "kind": "send", "template": {"ready": ready}}


def _coupon(name: str, percent: int) -> dict[str, Any]:
    return {"id": name, "kind": "coupon", "offer": {"percent": percent}}


def _points(name: str, points: int, days: int, reason: str) -> dict[str, Any]:
    return {"id": name, "kind": "points", "points": points, "valid_days": days, "reason": reason}


def _wait(name: str, days: int) -> dict[str, Any]:
    return {"id": name, "kind": "wait", "days": days}


def _hour(name: str, hour: int) -> dict[str, Any]:
    return {"id": name, "kind": "until_hour", "hour": hour}


def _bought(name: str, days: int, then: list, otherwise: list) -> dict[str, Any]:
    what = {"event": "purchase.paid"}
    return {"id": name, "kind": "wait_for", "for": what, "days": days, "then": then, "else": otherwise}


BOUGHT = {"event": "purchase.paid"}
CONGRATULATE = gettext_noop("Congratulate on the new tier")

READY: dict[str, Ready] = {
    one.key: one
    for one in (
        Ready(
            "welcome",
            _("Welcome"),
            _("Greets who joins, and leads to the first purchase."),
            "waving_hand",
            Purpose.OFFERS,
            {
                "trigger": {"kind": "joined"},
                "steps": [
                    _send("hello", "welcome"),
                    _bought(
                        "first",
                        7,
                        [
                            _points("gift", 50, 90, gettext_noop("Welcome gift")),
                            _hour("ten", 10),
                            _send("thanks", "thanks"),
                        ],
                        [_hour("eleven", 11), _send("news", "new-arrivals")],
                    ),
                ],
                "again": {"rule": "never"},
            },
        ),
        Ready(
            "birthday",
            _("Birthday gift"),
            _("Points on the birthday, and a reminder. For a mere greeting, take the birthday greeting."),
            "cake",
            Purpose.GREETINGS,
            {
                "trigger": {"kind": "occasion", "occasion": "birthday", "days": 0, "hour": 9},
                "steps": [
                    _points("gift", 100, 30, gettext_noop("Birthday gift")),
                    _send("wish", "birthday"),
                    _bought("spent", 21, [], [_hour("ten", 10), _send("remind", "points-expire")]),
                ],
                "again": {"rule": "after", "days": 300},
                "cap_points": 1_000_000,
            },
        ),
        Ready(
            "festival",
            _("Festival"),
            _("A wish two days before Mid-Autumn, and points for who drops in. Choose any other festival instead."),
            "celebration",
            Purpose.GREETINGS,
            {
                "trigger": {"kind": "occasion", "occasion": "mid-autumn", "days": -2, "hour": 10},
                "steps": [
                    _send("wish", "mid-autumn"),
                    _bought("visit", 5, [_points("gift", 30, 60, gettext_noop("Festival gift"))], []),
                ],
                "again": {"rule": "always"},
                "cap_points": 300_000,
            },
        ),
        Ready(
            "win-back",
            _("Win back"),
            _("Three offers that rise, for who stays away longer than usual. Stops with the purchase. Has a cost cap."),
            "undo",
            Purpose.OFFERS,
            {
                "trigger": {"kind": "lapsed", "factor": 2.0, "days": 90, "hour": 10},
                "steps": [
                    _coupon("ten", 10),
                    _send("miss", "win-back-1"),
                    _wait("week", 7),
                    _coupon("fifteen", 15),
                    _send("more", "win-back-2"),
                    _wait("tendays", 10),
                    _coupon("twenty", 20),
                    _send("last", "win-back-3"),
                    _wait("fortnight", 14),
                    {"id": "mark", "kind": "tag", "tag": "Not won back"},
                ],
                "goal": BOUGHT,
                "again": {"rule": "after", "days": 180},
                "cap_coupons": 3_000,
                "cap_cost_minor": {"money": 2_000},
                "by_hand": True,
            },
        ),
        Ready(
            "thanks",
            _("Thanks after a purchase"),
            _("The morning after: thanks, once a month at most."),
            "favorite",
            Purpose.OFFERS,
            {
                "trigger": {"kind": "purchase"},
                "steps": [_wait("day", 1), _hour("ten", 10), _send("thanks", "thanks")],
                "again": {"rule": "after", "days": 30},
            },
        ),
        Ready(
            "expiring",
            _("Points about to expire"),
            _("A month before, and once more in the last week if they are still there."),
            "hourglass_bottom",
            Purpose.OFFERS,
            {
                "trigger": {"kind": "expiring", "days": 30, "points": 100, "hour": 10},
                "steps": [
                    _send("month", "points-expire"),
                    {"id": "near", "kind": "until_date", "of": "expiry", "days": -7, "hour": 10},
                    {
                        "id": "left",
                        "kind": "if",
                        "condition": {
                            "trait": "points.expiring", "op": "at_least", "value": 100, "within": {"days": 8},
                        },
                        "yes": [_send("week", "points-last-days")],
                        "no": [],
                    },
                ],
                "goal": {"event": "reward.redeemed"},
                "again": {"rule": "always"},
            },
        ),
        Ready(
            "tier",
            _("Tier reached"),
            _("Congratulates who rises, and explains what is new."),
            "military_tech",
            Purpose.OFFERS,
            {
                "trigger": {"kind": "tier", "change": "up"},
                "steps": [
                    _send("news", "tier-reached"),
                    {"id": "call", "kind": "task", "title": CONGRATULATE, "due_days": 7},
                ],
                "again": {"rule": "always"},
            },
        ),
        Ready(
            "anniversary",
            _("Anniversary of joining"),
            _("Points and thanks each year."),
            "event_available",
            Purpose.GREETINGS,
            {
                "trigger": {"kind": "occasion", "occasion": "joined", "days": 0, "hour": 10},
                "steps": [
                    _points("gift", 100, 60, gettext_noop("Anniversary gift")),
                    _send("thanks", "anniversary"),
                ],
                "again": {"rule": "always"},
                "cap_points": 1_000_000,
            },
        ),
    )
}  # fmt: skip

"""A journey, read: how members come in, the steps they take, and when they leave.

    {"trigger": {"kind": "joined"}, "audience": <tree of a segment>,
     "steps": [{"id": "s1", "kind": "wait", "days": 3}, {"id": "s2", "kind": "send", "template": 7}, …],
     "goal": {"event": "purchase.paid"}, "exits": [{"event": "consent.withdrawn"}],
     "again": {"rule": "never"}, "catch_up_hours": 48, "entry_limit": null, "cap_points": null, "cap_coupons": null,
     "cap_cost_minor": null, "by_hand": false}

Steps follow one another. `if` has the lists "yes" and "no", `split` has "ways" with a share each, `wait_for` has "then"
and "else"; what comes to the end of such a list goes on behind it. `go_to` leads to another step, `end` out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

MOST_STEPS, MOST_DEPTH, MOST_WAYS = 100, 8, 6
END = ""  # where an exit leads that leads out


class TriggerKind(TextChoices):
    JOINED = "joined", _("Joins the programme")
    OCCASION = "occasion", _("An occasion: festival, birthday, anniversary")
    PURCHASE = "purchase", _("Buys something")
    SEGMENT = "segment", _("Comes into a segment or leaves one")
    LAPSED = "lapsed", _("Stays away longer than usual")
    TIER = "tier", _("Tier changes, or is about to be lost")
    EXPIRING = "expiring", _("Points are about to expire")
    AFFORDABLE = "affordable", _("Has enough points for a reward")
    CUSTOM = "custom", _("Another system tells an event")
    REFERRAL = "referral", _("A friend they brought became a customer")
    DETRACTOR = "detractor", _("Was unhappy in a survey")
    CART = "cart", _("Left a basket behind")
    HAND = "hand", _("Nobody by themselves: staff start it")


class StepKind(TextChoices):
    WAIT = "wait", _("Wait")
    UNTIL_HOUR = "until_hour", _("Wait until an hour of the day")
    UNTIL_DATE = "until_date", _("Wait until a day")
    WAIT_FOR = "wait_for", _("Wait for something to happen")
    IF = "if", pgettext_lazy("step", "Only if…")
    SPLIT = "split", _("Split at random")
    SEND = "send", _("Send a message")
    POINTS = "points", _("Give points")
    COUPON = "coupon", _("Give a coupon")
    TAG = "tag", _("Pin a tag")
    UNTAG = "untag", _("Take a tag off")
    TASK = "task", _("Set a task for staff")
    WEBHOOK = "webhook", _("Tell another system")
    GO_TO = "go_to", _("Go to another step")
    END = "end", _("End here")


WAITS = frozenset({StepKind.WAIT, StepKind.UNTIL_HOUR, StepKind.UNTIL_DATE, StepKind.WAIT_FOR})
# Triggers that stand for one kind of event each; they are offered while that kind exists.
EVENTS: dict[str, str] = {
    TriggerKind.JOINED: "member.joined",
    TriggerKind.PURCHASE: "purchase.paid",
    TriggerKind.CUSTOM: "event.told",
    TriggerKind.REFERRAL: "referral.qualified",
    TriggerKind.DETRACTOR: "survey.detractor",
    TriggerKind.CART: "event.told",
}
BASKET_LEFT = "basket.left"  # by this name a shop tells of it
TIMED = (TriggerKind.OCCASION, TriggerKind.LAPSED, TriggerKind.EXPIRING, TriggerKind.AFFORDABLE)
# Days of each member's own, which have no row in the calendar.
OWN_DAYS = {"birthday": _("Birthday"), "joined": _("Day of joining"), "first_purchase": _("First purchase")}
# What a step may wait for, a goal or an exit be.
WAITABLE = (
    "purchase.paid", "event.told", "segment.entered", "segment.left", "tier.changed", "tier.will_drop",
    "reward.redeemed", "coupon.used", "member.profile_changed", "member.signed_in", "consent.withdrawn", "tag.added",
    "referral.joined", "referral.qualified", "referral.rewarded", "survey.answered", "survey.detractor",
)  # fmt: skip


class Again(TextChoices):
    NEVER = "never", _("Once in a lifetime")
    AFTER = "after", _("Again after some days")
    ALWAYS = "always", _("Each time")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in the active language, and where: a JSON pointer (RFC 6901)."""

    path: str
    sentence: str


class BadJourney(Exception):
    """The definition cannot be used; `problems` say why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to refer to: names by key, and the check of a segment's tree (which raises with `problems`)."""

    templates: Mapping[int, str] = field(default_factory=dict)
    segments: Mapping[int, str] = field(default_factory=dict)
    offers: Mapping[int, str] = field(default_factory=dict)
    rewards: Mapping[int, str] = field(default_factory=dict)
    tiers: Mapping[int, str] = field(default_factory=dict)
    occasions: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)  # those that are dates
    channels: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[int, Any] = field(default_factory=dict)  # of offers: minor units that one coupon costs, or None
    tree: Callable[[Any], Any] = lambda raw: raw


@dataclass(frozen=True, slots=True)
class Pattern:
    """Events that count: of a kind, and with all that `only` asks of their data."""

    event: str
    only: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, kind: str, data: Mapping[str, Any]) -> bool:
        """Whether an event is one of them. `at_least_minor` asks for an amount, a list for one of its values, anything
        else for the same value."""
        if kind != self.event:
            return False
        for name, wanted in self.only.items():
            if name == "at_least_minor":
                if data.get("amount_minor", 0) < wanted:
                    return False
            elif isinstance(wanted, list):
                if data.get(name) not in wanted:
                    return False
            elif data.get(name) != wanted:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `exits` are its ways out, by name, with the id of the step each leads to (END: out of the journey)."""

    id: str
    kind: StepKind
    path: str
    told: Mapping[str, Any]  # the step as it was written, without the lists beneath it
    exits: Mapping[str, str]
    node: Any = None  # of `if`: the tree, read
    pattern: Pattern | None = None  # of `wait_for`

    @property
    def next(self) -> str:
        return self.exits.get("next", END)


@dataclass(frozen=True, slots=True)
class Journey:
    """A definition, read and checked."""

    trigger: Mapping[str, Any]
    audience: Any  # a tree of a segment as written, or None
    steps: Mapping[str, Step]
    first: str
    goal: Pattern | None
    exits: tuple[Pattern, ...]
    again: str
    again_days: int
    catch_up_hours: int
    entry_limit: int | None
    cap_points: int | None
    cap_coupons: int | None
    cap_cost_minor: int | None
    by_hand: bool = False  # besides, staff may start it for a member

    @property
    def starts_by_hand(self) -> bool:
        return self.by_hand or self.kind is TriggerKind.HAND

    @property
    def kind(self) -> TriggerKind:
        return TriggerKind(self.trigger["kind"])

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Which events let a member in; none where time does."""
        match self.kind:
            case TriggerKind.SEGMENT:
                event = "segment.entered" if self.trigger["change"] == "entered" else "segment.left"
                return (Pattern(event, {"segment": self.trigger["segment"]}),)
            case TriggerKind.TIER:
                change, tier = self.trigger["change"], self.trigger.get("tier")
                if change == "drop":
                    return (Pattern("tier.will_drop", {"tier": tier} if tier else {}),)
                return (Pattern("tier.changed", {"up": change == "up", **({"to": tier} if tier else {})}),)
            case TriggerKind.PURCHASE:
                asked = {"at_least_minor": self.trigger.get("at_least_minor"), "store": self.trigger.get("stores")}
                return (Pattern("purchase.paid", {name: value for name, value in asked.items() if value}),)
            case TriggerKind.CUSTOM:
                return (Pattern("event.told", {"kind": self.trigger["event"]}),)
            case TriggerKind.CART:
                return (Pattern("event.told", {"kind": BASKET_LEFT}),)
            case kind if kind in EVENTS:
                return (Pattern(EVENTS[kind]),)
        return ()

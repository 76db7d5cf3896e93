"""Reading a journey's definition, with every problem found, each at its place."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.utils.translation import gettext

from campaigns.journeys.checks import costs, ways
from campaigns.journeys.definition import (
    END,
    EVENTS,
    MOST_DEPTH,
    MOST_STEPS,
    MOST_WAYS,
    OWN_DAYS,
    WAITABLE,
    Again,
    BadJourney,
    Journey,
    Known,
    Pattern,
    Problem,
    Step,
    StepKind,
    TriggerKind,
)

_ID = re.compile(r"[a-z0-9_-]{1,20}")
_LISTS = {StepKind.IF: ("yes", "no"), StepKind.WAIT_FOR: ("then", "else")}
_KEYS = ("trigger", "audience", "steps", "goal", "exits", "again", "catch_up_hours", "entry_limit", "cap_points",
         "cap_coupons", "cap_cost_minor", "by_hand")  # fmt: skip
YEAR = 366
OF_DAYS = {"birthday": "", "expiry": "", "coupon": ""}


def parse(definition: Any, known: Known) -> Journey:
    """Reads and checks a definition (what JSON can hold); BadJourney with all its problems."""
    reader = _Reader(known)
    journey = reader.read(definition)
    if reader.problems:
        raise BadJourney(sorted(reader.problems, key=lambda problem: problem.path))
    return journey


class _Reader:
    def __init__(self, known: Known) -> None:
        self.known = known
        self.problems: list[Problem] = []
        self.steps: dict[str, Step] = {}
        self.ids: dict[str, str] = {}  # of all steps as written: where each stands

    def problem(self, path: str, sentence: str) -> None:
        self.problems.append(Problem(path, sentence))

    def read(self, raw: Any) -> Journey:
        if not isinstance(raw, dict):
            raise BadJourney([Problem("", gettext("Here must be a journey."))])
        for key in sorted(set(raw) - set(_KEYS), key=str):
            self.problem("", gettext("“%(key)s” is not known here.") % {"key": str(key)[:60]})
        trigger = self.trigger(raw.get("trigger"))
        audience = raw.get("audience") or None
        if audience is not None:
            self.tree(audience, "/audience")
        steps = raw.get("steps")
        if not isinstance(steps, list) or not steps:
            self.problem("/steps", gettext("A journey needs a step."))
            steps = []
        first = END
        if self.survey(steps, "/steps", 1):
            first = self.chain(steps, "/steps", END)
        goal = self.pattern(raw["goal"], "/goal") if raw.get("goal") else None
        exits = raw.get("exits") or []
        if not isinstance(exits, list) or len(exits) > 10:
            self.problem("/exits", gettext("Here must be a list of events."))
            exits = []
        out = [self.pattern(each, f"/exits/{n}") for n, each in enumerate(exits)]
        again, days = self.again(raw.get("again") or {"rule": Again.NEVER})
        journey = Journey(
            trigger,
            audience,
            self.steps,
            first,
            goal,
            tuple(each for each in out if each is not None),
            again,
            days,
            self.number(raw, "", "catch_up_hours", 1, 24 * 14, usual=48) or 48,
            self.number(raw, "", "entry_limit", 1, 100_000_000, usual=None),
            self.number(raw, "", "cap_points", 1, 10**12, usual=None),
            self.number(raw, "", "cap_coupons", 1, 10**9, usual=None),
            self.number(raw, "", "cap_cost_minor", 1, 10**12, usual=None),
            raw.get("by_hand") is True,
        )
        if not self.problems:
            self.problems.extend(ways(journey))
            self.problems.extend(costs(journey, self.known))
        return journey

    # --- How members come in ------------------------------------------------------------------------------------
    def trigger(self, raw: Any) -> dict[str, Any]:
        kind = raw.get("kind") if isinstance(raw, dict) else None
        if kind not in TriggerKind.values:
            self.problem("/trigger", gettext("Please choose how members come in."))
            return {"kind": TriggerKind.JOINED}
        event = EVENTS.get(kind)
        if event and event not in self.known.events:
            self.problem("/trigger/kind", gettext("Nothing tells of this yet, so nobody would come in."))
        told: dict[str, Any] = {"kind": kind}
        path = "/trigger"
        match kind:
            case TriggerKind.OCCASION:
                own = isinstance(name := raw.get("occasion"), str) and name in OWN_DAYS
                there: Mapping[str, Any] = OWN_DAYS if own else self.known.occasions
                told["occasion"] = self.choice(raw, path, "occasion", there)
                told["days"] = self.number(raw, path, "days", -90, 90, usual=0)
            case TriggerKind.SEGMENT:
                told["segment"] = self.choice(raw, path, "segment", self.known.segments)
                told["change"] = self.choice(raw, path, "change", {"entered": "", "left": ""}, usual="entered")
            case TriggerKind.PURCHASE:
                told["at_least_minor"] = self.number(raw, path, "at_least_minor", 1, 10**12, usual=None)
                told["first"] = raw.get("first") is True
                for name in ("stores", "categories"):
                    told[name] = self.texts(raw, path, name)
            case TriggerKind.LAPSED:
                told["factor"] = self.decimal(raw, path, "factor", 1.0, 10.0, usual=2.0)
                told["days"] = self.number(raw, path, "days", 7, 3 * YEAR, usual=90)
            case TriggerKind.TIER:
                told["change"] = self.choice(raw, path, "change", {"up": "", "down": "", "drop": ""}, usual="up")
                told["tier"] = self.choice(raw, path, "tier", self.known.tiers) if raw.get("tier") else None
            case TriggerKind.EXPIRING:
                told["days"] = self.number(raw, path, "days", 1, YEAR, usual=14)
                told["points"] = self.number(raw, path, "points", 1, 10**9, usual=1)
            case TriggerKind.AFFORDABLE:
                told["reward"] = self.choice(raw, path, "reward", self.known.rewards) if raw.get("reward") else None
            case TriggerKind.CUSTOM:
                told["event"] = self.line(raw, path, "event", 60)
        if kind in (TriggerKind.OCCASION, TriggerKind.LAPSED, TriggerKind.EXPIRING):
            told["hour"] = self.number(raw, path, "hour", 0, 23, usual=10)
        return told

    def again(self, raw: Any) -> tuple[str, int]:
        rule = raw.get("rule") if isinstance(raw, dict) else None
        if rule not in Again.values:
            self.problem("/again", gettext("Please choose whether members may come in again."))
            return Again.NEVER, 0
        return rule, (self.number(raw, "/again", "days", 1, 10 * YEAR) or 0) if rule == Again.AFTER else 0

    def pattern(self, raw: Any, path: str) -> Pattern | None:
        event = raw.get("event") if isinstance(raw, dict) else None
        if event not in WAITABLE or event not in self.known.events:
            self.problem(path, gettext("Please choose what has to happen."))
            return None
        only: dict[str, Any] = {}
        if event in ("segment.entered", "segment.left"):
            only["segment"] = self.choice(raw, path, "segment", self.known.segments)
        if event == "event.told":
            only["kind"] = self.line(raw, path, "kind", 60)
        if event == "purchase.paid":
            if raw.get("at_least_minor"):
                only["at_least_minor"] = self.number(raw, path, "at_least_minor", 1, 10**12)
            if stores := self.texts(raw, path, "stores"):
                only["store"] = stores
        return Pattern(event, only)

    # --- Steps --------------------------------------------------------------------------------------------------
    def survey(self, steps: Sequence[Any], path: str, depth: int) -> bool:
        """Whether all steps are of a shape that can be read; gives those without an id one."""
        if depth > MOST_DEPTH:
            self.problem(path, gettext("Branches may be nested at most %(most)d deep.") % {"most": MOST_DEPTH})
            return False
        fine = True
        for n, raw in enumerate(steps):
            here = f"{path}/{n}"
            kind = raw.get("kind") if isinstance(raw, dict) else None
            if kind not in StepKind.values:
                self.problem(here, gettext("Please choose what this step does."))
                fine = False
                continue
            name = raw.get("id")
            if not isinstance(name, str) or not _ID.fullmatch(name):
                self.problem(f"{here}/id", gettext("A step needs an id: small letters and digits."))
                fine = False
            elif name in self.ids:
                self.problem(f"{here}/id", gettext("Two steps have the id “%(id)s”.") % {"id": name})
                fine = False
            else:
                self.ids[name] = here
            if len(self.ids) > MOST_STEPS:
                self.problem("/steps", gettext("A journey may have at most %(most)d steps.") % {"most": MOST_STEPS})
                return False
            for key, inner in self.lists(raw, here):
                if not isinstance(inner, list):
                    self.problem(f"{here}/{key}", gettext("Here must be a list of steps."))
                    fine = False
                else:
                    fine = self.survey(inner, f"{here}/{key}", depth + 1) and fine
        return fine

    def lists(self, raw: Mapping[str, Any], path: str) -> list[tuple[str, Any]]:
        """The lists of steps beneath a step, by where they stand in it."""
        if raw["kind"] == StepKind.SPLIT:
            ways = raw.get("ways")
            if not isinstance(ways, list) or not 2 <= len(ways) <= MOST_WAYS:
                words = {"most": MOST_WAYS}
                self.problem(f"{path}/ways", gettext("A split has two to %(most)d ways.") % words)
                return []
            return [
                (f"ways/{n}/steps", way.get("steps", []) if isinstance(way, dict) else None)
                for n, way in enumerate(ways)
            ]
        return [(key, raw.get(key) or []) for key in _LISTS.get(StepKind(raw["kind"]), ())]

    def chain(self, steps: Sequence[Any], path: str, behind: str) -> str:
        """Reads a list of steps that leads on to `behind`; the id of the first."""
        after = behind
        for n in reversed(range(len(steps))):
            raw, here = steps[n], f"{path}/{n}"
            kind = StepKind(raw["kind"])
            if kind in (StepKind.GO_TO, StepKind.END) and n < len(steps) - 1:
                self.problem(f"{path}/{n + 1}", gettext("Nobody ever comes to this step."))
            exits = {"next": after}
            node = pattern = None
            lists = dict(self.lists(raw, here))
            match kind:
                case StepKind.IF:
                    node = self.tree(raw.get("condition"), f"{here}/condition")
                case StepKind.WAIT_FOR:
                    pattern = self.pattern(raw.get("for"), f"{here}/for")
                case StepKind.END:
                    exits = {"next": END}
                case StepKind.GO_TO:
                    exits = {"next": self.target(raw, here)}
            if lists:
                exits = {
                    key.split("/")[1] if kind is StepKind.SPLIT else key: self.chain(inner, f"{here}/{key}", after)
                    for key, inner in lists.items()
                }
            told = self.told(kind, raw, here)
            self.steps[raw["id"]] = Step(raw["id"], kind, here, told, exits, node, pattern)
            after = raw["id"]
        return after

    def target(self, raw: Mapping[str, Any], path: str) -> str:
        name = raw.get("step")
        if name not in self.ids:
            self.problem(f"{path}/step", gettext("It leads nowhere: please choose the step to go to."))
            return END
        return name

    def told(self, kind: StepKind, raw: Mapping[str, Any], path: str) -> dict[str, Any]:
        """What a step says, complete and tidy."""
        match kind:
            case StepKind.WAIT:
                lengths = {
                    name: self.number(raw, path, name, 0, most, usual=0) or 0
                    for name, most in (("days", 2 * YEAR), ("hours", 999), ("minutes", 999))
                }
                if not any(lengths.values()):
                    self.problem(path, gettext("Please say how long to wait."))
                return lengths
            case StepKind.UNTIL_HOUR:
                return {"hour": self.number(raw, path, "hour", 0, 23)}
            case StepKind.UNTIL_DATE:
                return self.day(raw, path)
            case StepKind.WAIT_FOR:
                return {"for": raw.get("for"), "days": self.number(raw, path, "days", 1, 2 * YEAR)}
            case StepKind.IF:
                return {"condition": raw.get("condition")}
            case StepKind.SPLIT:
                return {"shares": self.shares(raw.get("ways"), path)}
            case StepKind.SEND:
                channels = raw.get("channels") or []
                if not isinstance(channels, list) or any(each not in self.known.channels for each in channels):
                    self.problem(f"{path}/channels", gettext("Please choose channels that there are."))
                    channels = []
                return {
                    "template": self.choice(raw, path, "template", self.known.templates),
                    "channels": channels,
                }
            case StepKind.POINTS:
                return {
                    "points": self.number(raw, path, "points", 1, 10**7),
                    "valid_days": self.number(raw, path, "valid_days", 1, 10 * YEAR, usual=None),
                    "reason": self.line(raw, path, "reason", 200, usual=""),
                }
            case StepKind.COUPON:
                return {"offer": self.choice(raw, path, "offer", self.known.offers)}
            case StepKind.TAG | StepKind.UNTAG:
                return {"tag": self.line(raw, path, "tag", 40)}
            case StepKind.TASK:
                days = self.number(raw, path, "due_days", 0, YEAR, usual=None)
                return {"title": self.line(raw, path, "title", 120), "due_days": days}
            case StepKind.WEBHOOK:
                return {"event": self.line(raw, path, "event", 60)}
        return {}

    def day(self, raw: Mapping[str, Any], path: str) -> dict[str, Any]:
        told: dict[str, Any] = {"hour": self.number(raw, path, "hour", 0, 23, usual=10)}
        if raw.get("date"):
            try:
                told["date"] = date.fromisoformat(str(raw["date"])).isoformat()
            except ValueError:
                self.problem(f"{path}/date", gettext("Please give a day, as 2026-12-24."))
        else:
            own = {f"attribute:{key}": label for key, label in self.known.attributes.items()}
            name = raw.get("of")
            if isinstance(name, str) and name.startswith("attribute:") and name[10:] in self.known.attributes:
                own[name] = name
            told["of"] = self.choice(raw, path, "of", {**OF_DAYS, **own})
            told["days"] = self.number(raw, path, "days", -365, 365, usual=0)
        return told

    def shares(self, ways: Any, path: str) -> list[int]:
        if not isinstance(ways, list):
            return []
        shares = [self.number(way, f"{path}/ways/{n}", "share", 1, 99) or 0 for n, way in enumerate(ways)]
        if sum(shares) != 100:
            words = {"sum": sum(shares)}
            self.problem(f"{path}/ways", gettext("The shares must make 100 %%; they make %(sum)d %%.") % words)
        return shares

    # --- Values -------------------------------------------------------------------------------------------------
    def tree(self, raw: Any, path: str) -> Any:
        if not isinstance(raw, dict):
            self.problem(path, gettext("Please say what to ask."))
            return None
        try:
            return self.known.tree(raw)
        except Exception as bad:
            if not hasattr(bad, "problems"):
                raise
            for problem in bad.problems:
                self.problem(path + problem.path, str(problem.sentence))
            return None

    def choice(self, raw: Mapping[str, Any], path: str, name: str, there: Mapping, usual: Any = None) -> Any:
        value = raw.get(name, usual)
        if value is None or isinstance(value, list | dict) or value not in there:
            sentences = {
                "template": gettext("Please choose a template that there is."),
                "segment": gettext("Please choose a segment that there is."),
                "offer": gettext("Please choose an offer that there is."),
                "occasion": gettext("Please choose an occasion that there is."),
            }
            self.problem(f"{path}/{name}", sentences.get(name) or gettext("Please choose one that there is."))
            return None
        return value

    def line(self, raw: Mapping[str, Any], path: str, name: str, most: int, usual: str | None = None) -> str:
        value = raw.get(name, usual)
        if not isinstance(value, str) or "\0" in value or (usual is None and not value.strip()):
            self.problem(f"{path}/{name}", gettext("Please fill this in."))
            return ""
        if len(value) > most:
            self.problem(f"{path}/{name}", gettext("At most %(n)d characters.") % {"n": most})
        return " ".join(value.split())

    def texts(self, raw: Mapping[str, Any], path: str, name: str) -> list[str]:
        value = raw.get(name) or []
        if not isinstance(value, list) or len(value) > 50 or not all(_is_text(each) for each in value):
            self.problem(f"{path}/{name}", gettext("Here must be a list of at most 50 names."))
            return []
        return [each.strip() for each in value]

    def number(
        self, raw: Any, path: str, name: str, least: int, most: int, usual: int | type | None = int
    ) -> int | None:
        value = raw.get(name) if isinstance(raw, Mapping) else None
        if value is None and not isinstance(usual, type):
            return usual
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            words = {"least": least, "most": most}
            self.problem(f"{path}/{name}", gettext("A whole number from %(least)d to %(most)d.") % words)
            return None
        return value

    def decimal(self, raw: Mapping[str, Any], path: str, name: str, least: float, most: float, usual: float) -> float:
        value = raw.get(name, usual)
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            words = {"least": least, "most": most}
            self.problem(f"{path}/{name}", gettext("A number from %(least)s to %(most)s.") % words)
            return usual
        return float(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= 200 and "\0" not in value

"""What a referral programme asks for and gives, read.

    {"qualifies": {"by": "purchase", "least": "20.00", "count": 1, "event": ""},
     "window_days": 90, "hold_days": 14, "claim_days": 14, "cookie_days": 30, "touch": "last", "invites_per_day": 10,
     "giver": <thanks>, "friend": <thanks>, "welcome": <thanks>, "second": <thanks>,
     "milestones": [{"friends": 3, "thanks": <thanks>}],
     "limits": [{"period": "month", "most": 5}],
     "review": {"from": 50, "days": 7, "then": "approve"},
     "texts": {"headline": {"en": "…", "zh-hans": "…"}, "text": {…}, "welcome": {…}, "share": {…}, "terms": {…}}}

    thanks := {"points": 200, "points_days": 365, "credit": "5.00", "offer": 3, "tier": 2, "tier_days": 30, "plan": 4}

`least` is money of the programme's currency, after discounts and without what was paid with points or credit. Every
thanks may be empty. `text` is read by members who bring friends,
`welcome` by the friend who comes. `share` may hold {name}, {gift} and {link}.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from common.money import to_minor
from referrals.enums import Period, Qualifies, Touch, Verdict

TEXTS = ("headline", "text", "welcome", "share", "terms")
LONGEST = {"headline": 120, "text": 600, "welcome": 600, "share": 400, "terms": 20_000}
CLAIM_DAYS = 14  # after joining, in which they may say who brought them
MOST_POINTS, MOST_DAYS, MOST_FRIENDS, MOST_ROWS = 10_000_000, 3_650, 100_000, 20

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in the active language, and where: a JSON pointer (RFC 6901)."""

    path: str
    sentence: str


class BadProgramme(Exception):
    """The definition cannot be used; `problems` say why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(problem.sentence for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to refer to."""

    currency: str = "EUR"
    languages: tuple[str, ...] = ("en", "zh-hans")
    offers: frozenset[int] = frozenset()
    tiers: frozenset[int] = frozenset()
    plans: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Thanks:
    """What somebody gets. Credit in minor units of the programme's currency."""

    points: int = 0
    points_days: int | None = None
    credit: int = 0
    offer: int | None = None
    tier: int | None = None
    tier_days: int | None = None
    plan: int | None = None

    def __bool__(self) -> bool:
        return bool(self.points or self.credit or self.offer or self.tier or self.plan)


@dataclass(frozen=True, slots=True)
class Milestone:
    friends: int
    thanks: Thanks


@dataclass(frozen=True, slots=True)
class Limit:
    """How many friends somebody is thanked for in a period."""

    period: str
    most: int


@dataclass(frozen=True, slots=True)
class Definition:
    """`least` in minor units; the days are whole ones of 24 hours."""

    by: str = Qualifies.PURCHASE
    least: int = 0
    count: int = 1
    event: str = ""
    window_days: int = 90
    hold_days: int = 14
    claim_days: int = CLAIM_DAYS
    cookie_days: int = 30
    invites_per_day: int = 10
    touch: str = Touch.LAST
    giver: Thanks = field(default_factory=Thanks)
    friend: Thanks = field(default_factory=Thanks)
    welcome: Thanks = field(default_factory=Thanks)
    second: Thanks = field(default_factory=Thanks)
    milestones: tuple[Milestone, ...] = ()
    limits: tuple[Limit, ...] = ()
    review_from: int = 50
    review_days: int = 7
    review_then: str = Verdict.APPROVE
    texts: Mapping[str, Texts] = field(default_factory=dict)


class _Reader:
    def __init__(self, known: Known) -> None:
        self.known = known
        self.problems: list[Problem] = []

    def wrong(self, path: str, sentence: str) -> None:
        self.problems.append(Problem(path, sentence))

    def table(self, raw: Any, path: str) -> dict[str, Any]:
        if isinstance(raw, dict):
            return raw
        if raw is not None:
            self.wrong(path, _("Here must be a table of values."))
        return {}

    def number(self, raw: Any, path: str, low: int, high: int, default: int) -> int:
        if raw is None or raw == "":
            return default
        if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
            self.wrong(path, _("Please give a whole number from %(low)d to %(high)d.") % {"low": low, "high": high})
            return default
        return raw

    def maybe(self, raw: Any, path: str, low: int, high: int) -> int | None:
        return None if raw in (None, "") else self.number(raw, path, low, high, low)

    def money(self, raw: Any, path: str) -> int:
        if raw in (None, ""):
            return 0
        try:
            minor = to_minor(Decimal(str(raw)), self.known.currency)
        except (InvalidOperation, ValueError):
            minor = -1
        if not 0 <= minor <= 10**12:
            self.wrong(path, _("Please give an amount of money, with no more decimals than the currency has."))
            return 0
        return minor

    def one_of(self, raw: Any, path: str, choices: Any, default: str) -> str:
        if raw is None:
            return default
        if raw not in choices.values:
            self.wrong(path, _("This is none of the choices."))
            return default
        return str(raw)

    def known_id(self, raw: Any, path: str, there: frozenset[int]) -> int | None:
        if raw in (None, ""):
            return None
        if not isinstance(raw, int) or raw not in there:
            self.wrong(path, _("It is no longer there. Please choose again."))
            return None
        return raw

    def rows(self, raw: Any, path: str) -> list[Any]:
        if raw is None:
            return []
        if not isinstance(raw, list) or len(raw) > MOST_ROWS:
            self.wrong(path, _("Here are at most %(n)d.") % {"n": MOST_ROWS})
            return []
        return raw

    def thanks(self, raw: Any, path: str) -> Thanks:
        table = self.table(raw, path)
        for key in table.keys() - {one.name for one in fields(Thanks)}:
            self.wrong(f"{path}/{key}", _("This is not known."))
        thanks = Thanks(
            points=self.number(table.get("points"), f"{path}/points", 0, MOST_POINTS, 0),
            points_days=self.maybe(table.get("points_days"), f"{path}/points_days", 1, MOST_DAYS),
            credit=self.money(table.get("credit"), f"{path}/credit"),
            offer=self.known_id(table.get("offer"), f"{path}/offer", self.known.offers),
            tier=self.known_id(table.get("tier"), f"{path}/tier", self.known.tiers),
            tier_days=self.maybe(table.get("tier_days"), f"{path}/tier_days", 1, MOST_DAYS),
            plan=self.known_id(table.get("plan"), f"{path}/plan", self.known.plans),
        )
        if thanks.tier and not thanks.tier_days:
            self.wrong(f"{path}/tier_days", _("Please say for how many days the tier is given."))
        return thanks

    def milestone(self, raw: Any, path: str) -> Milestone:
        table = self.table(raw, path)
        thanks = self.thanks(table.get("thanks"), f"{path}/thanks")
        if not thanks:
            self.wrong(f"{path}/thanks", _("Please say what is given."))
        return Milestone(self.number(table.get("friends"), f"{path}/friends", 1, MOST_FRIENDS, 1), thanks)

    def limit(self, raw: Any, path: str) -> Limit:
        table = self.table(raw, path)
        period = self.one_of(table.get("period"), f"{path}/period", Period, Period.MONTH)
        return Limit(period, self.number(table.get("most"), f"{path}/most", 1, MOST_FRIENDS, 1))

    def texts(self, raw: Any, path: str) -> Mapping[str, Texts]:
        table, read = self.table(raw, path), dict[str, Texts]()
        for name in TEXTS:
            by_language = self.table(table.get(name), f"{path}/{name}")
            read[name] = {
                language: self.text(by_language.get(language), f"{path}/{name}/{language}", name)
                for language in self.known.languages
            }
        return read

    def text(self, raw: Any, path: str, name: str) -> str:
        if not isinstance(raw, str) or not raw.strip() or "\0" in raw:
            self.wrong(path, _("Please write this in every language."))
            return ""
        if len(raw) > LONGEST[name]:
            self.wrong(path, _("This is too long: at most %(n)d characters.") % {"n": LONGEST[name]})
        if name == "share" and "{link}" not in raw:
            self.wrong(path, _("Without {link} nobody who gets it can come."))
        return raw.strip()


def parse(raw: Any, known: Known) -> Definition:
    """A definition, read. BadProgramme with every problem at its place."""
    reader = _Reader(known)
    table = reader.table(raw, "")
    asked = reader.table(table.get("qualifies"), "/qualifies")
    review = reader.table(table.get("review"), "/review")
    by = reader.one_of(asked.get("by"), "/qualifies/by", Qualifies, Qualifies.PURCHASE)
    event = asked.get("event") or ""
    if by == Qualifies.EVENT and (not isinstance(event, str) or not event.strip() or len(event) > 60):
        reader.wrong("/qualifies/event", _("Please say which event it is, as the other system calls it."))
    definition = Definition(
        by=by,
        least=reader.money(asked.get("least"), "/qualifies/least"),
        count=reader.number(asked.get("count"), "/qualifies/count", 1, 1_000, 1) if by == Qualifies.PURCHASES else 1,
        event=str(event).strip() if by == Qualifies.EVENT else "",
        window_days=reader.number(table.get("window_days"), "/window_days", 1, MOST_DAYS, 90),
        hold_days=reader.number(table.get("hold_days"), "/hold_days", 0, 365, 14),
        claim_days=reader.number(table.get("claim_days"), "/claim_days", 0, 365, CLAIM_DAYS),
        cookie_days=reader.number(table.get("cookie_days"), "/cookie_days", 1, 365, 30),
        invites_per_day=reader.number(table.get("invites_per_day"), "/invites_per_day", 0, 100, 10),
        touch=reader.one_of(table.get("touch"), "/touch", Touch, Touch.LAST),
        giver=reader.thanks(table.get("giver"), "/giver"),
        friend=reader.thanks(table.get("friend"), "/friend"),
        welcome=reader.thanks(table.get("welcome"), "/welcome"),
        second=reader.thanks(table.get("second"), "/second"),
        milestones=tuple(
            reader.milestone(one, f"/milestones/{n}")
            for n, one in enumerate(reader.rows(table.get("milestones"), "/milestones"))
        ),
        limits=tuple(
            reader.limit(one, f"/limits/{n}") for n, one in enumerate(reader.rows(table.get("limits"), "/limits"))
        ),
        review_from=reader.number(review.get("from"), "/review/from", 1, 1_000, 50),
        review_days=reader.number(review.get("days"), "/review/days", 1, 90, 7),
        review_then=reader.one_of(review.get("then"), "/review/then", Verdict, Verdict.APPROVE),
        texts=reader.texts(table.get("texts"), "/texts"),
    )
    counts = [milestone.friends for milestone in definition.milestones]
    if len(set(counts)) != len(counts):
        reader.wrong("/milestones", _("Each number of friends can stand here once."))
    if not (definition.giver or definition.friend or definition.welcome or definition.milestones):
        reader.wrong("/giver", _("Nobody would be thanked. Please say what is given."))
    if reader.problems:
        raise BadProgramme(reader.problems)
    return definition

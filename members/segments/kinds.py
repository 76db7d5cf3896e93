"""The kinds of value that traits have: which operators they offer, what they accept, how they are tested and said."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from psycopg.sql import SQL, Composable

from common.money import format_money, minor_digits
from members.segments.values import (
    MOST_NUMBER,
    Refused,
    and_words,
    clean_choices,
    clean_day,
    clean_days,
    clean_list,
    clean_number,
    clean_text,
    day_words,
    number_words,
    or_words,
    pair,
    quoted,
)

if TYPE_CHECKING:
    from members.segments.compile import Query


@dataclass(frozen=True, slots=True)
class Operator:
    """How a datum is compared: `takes` names the input it needs, `words` says the comparison in a sentence."""

    name: str
    label: Promise | str
    takes: str  # none, number, numbers, text, texts, choices, day, days, number_of_days
    words: Promise | str = "%(value)s"
    timed: bool = False  # whether time alone changes the answer


KNOWN = Operator("known", _("is known"), "none", _("known"))
UNKNOWN = Operator("unknown", _("is not known"), "none", _("not known"))


def _by_name(*operators: Operator) -> dict[str, Operator]:
    return {operator.name: operator for operator in operators}


class Kind:
    """What all kinds have in common. `nullable`: whether to be known or not can be asked."""

    name = ""
    own: ClassVar[dict[str, Operator]] = {}

    def __init__(self, *, nullable: bool = False) -> None:
        self.operators = {**self.own, **_by_name(KNOWN, UNKNOWN)} if nullable else self.own

    def clean(self, operator: Operator, raw: Any, known: dict[Any, str] | None) -> Any:
        """The value as it is compared; Refused."""
        raise NotImplementedError

    def test(self, datum: Composable, operator: Operator, value: Any, query: "Query") -> Composable:
        """SQL that is true where the datum passes; false or NULL where it does not."""
        raise NotImplementedError

    def words(self, operator: Operator, value: Any, known: dict[Any, str], currency: str) -> str:
        """The comparison in words: "at least 3"."""
        return str(operator.words) % {"value": self.said(value, known, currency)}

    def said(self, value: Any, known: dict[Any, str], currency: str) -> str:
        """A value of a leaf in words."""
        raise NotImplementedError

    def told(self, datum: Any, known: dict[Any, str], currency: str) -> str:
        """A datum in words."""
        return self.said(datum, known, currency)

    def whole_test(self, datum: Composable, operator: Operator, value: Any, query: "Query", missing: Any) -> Composable:
        """`test`, with what is known of every kind: (un)known, and the value that stands for no datum."""
        if operator.name == "known":
            return SQL("{} IS NOT NULL").format(datum)
        if operator.name == "unknown":
            return SQL("{} IS NULL").format(datum)
        if missing is not None and self.passes(missing, operator, value):
            datum = SQL("coalesce({}, {})").format(datum, query.param(missing))
        return self.test(datum, operator, value, query)

    def passes(self, missing: Any, operator: Operator, value: Any) -> bool:
        """Whether the value that stands for no datum may pass. Where not, a NULL can stay one: a faster join."""
        return True


_COMPARED = {
    "at_least": ("{} >= {}", lambda a, b: a >= b),
    "at_most": ("{} <= {}", lambda a, b: a <= b),
    "more_than": ("{} > {}", lambda a, b: a > b),
    "less_than": ("{} < {}", lambda a, b: a < b),
    "equals": ("{} = {}", lambda a, b: a == b),
    "differs": ("{} <> {}", lambda a, b: a != b),
}


class Number(Kind):
    """A count or a measure. `unit` puts a number into words ("%(n)s points")."""

    name = "number"
    own = _by_name(
        Operator("at_least", _("at least"), "number", _("at least %(value)s")),
        Operator("at_most", _("at most"), "number", _("at most %(value)s")),
        Operator("more_than", _("more than"), "number", _("more than %(value)s")),
        Operator("less_than", _("less than"), "number", _("less than %(value)s")),
        Operator("equals", _("exactly"), "number", _("exactly %(value)s")),
        Operator("differs", _("other than"), "number", _("other than %(value)s")),
        Operator("between", _("between"), "numbers", _("between %(value)s")),
    )

    def __init__(self, *, whole: bool = True, least: int = 0, most: int = MOST_NUMBER, nullable: bool = False) -> None:
        super().__init__(nullable=nullable)
        self.whole, self.least, self.most = whole, least, most

    def clean(self, operator: Operator, raw: Any, known: dict[Any, str] | None) -> Any:
        def one(value: Any) -> Decimal:
            return clean_number(value, whole=self.whole, least=self.least, most=self.most)

        if operator.name != "between":
            return one(raw)
        low, high = map(one, pair(raw))
        if low > high:
            raise Refused(gettext("The first number must not be greater than the second."))
        return (low, high)

    def stored(self, value: Decimal, query: "Query") -> Decimal | int:
        """A number as the database has it."""
        return int(value) if value == value.to_integral_value() else value

    def test(self, datum: Composable, operator: Operator, value: Any, query: "Query") -> Composable:
        if operator.name == "between":
            low, high = (query.param(self.stored(bound, query)) for bound in value)
            return SQL("{} BETWEEN {} AND {}").format(datum, low, high)
        return SQL(_COMPARED[operator.name][0]).format(datum, query.param(self.stored(value, query)))

    def passes(self, missing: Any, operator: Operator, value: Any) -> bool:
        if operator.name == "between":
            return value[0] <= missing <= value[1]
        return _COMPARED[operator.name][1](missing, value)

    def said(self, value: Any, known: dict[Any, str], currency: str) -> str:
        if isinstance(value, tuple):
            return gettext("%(low)s and %(high)s") % {
                "low": self.said(value[0], known, currency),
                "high": self.said(value[1], known, currency),
            }
        return number_words(value)

    def told(self, datum: Any, known: dict[Any, str], currency: str) -> str:
        return number_words(round(datum, 2))


class Money(Number):
    """An amount of the programme's currency: a definition has it in major units, the datum in minor ones."""

    name = "money"

    def __init__(self, *, nullable: bool = False) -> None:
        super().__init__(whole=False, nullable=nullable)

    def stored(self, value: Decimal, query: "Query") -> Decimal | int:
        return super().stored(value.scaleb(minor_digits(query.currency)), query)

    def said(self, value: Any, known: dict[Any, str], currency: str) -> str:
        if isinstance(value, tuple):
            return super().said(value, known, currency)
        return format_money(int(value.scaleb(minor_digits(currency))), currency)

    def told(self, datum: Any, known: dict[Any, str], currency: str) -> str:
        return format_money(round(datum), currency)


class Flag(Kind):
    """Yes or no."""

    name = "flag"
    own = _by_name(Operator("yes", _("yes"), "none"), Operator("no", _("no"), "none"))

    def clean(self, operator: Operator, raw: Any, known: dict[Any, str] | None) -> Any:
        return None

    def test(self, datum: Composable, operator: Operator, value: Any, query: "Query") -> Composable:
        return datum if operator.name == "yes" else SQL("({}) IS NOT TRUE").format(datum)

    def said(self, value: Any, known: dict[Any, str], currency: str) -> str:
        return gettext("yes") if value else gettext("no")


class Text(Kind):
    """Words. Capitals do not matter."""

    name = "text"
    own = _by_name(
        Operator("any_of", _("is any of"), "texts", "%(value)s"),
        Operator("none_of", _("is none of"), "texts", _("none of %(value)s")),
        Operator("contains", _("contains"), "text", _("one with %(value)s in it")),
        Operator("starts_with", _("starts with"), "text", _("one starting with %(value)s")),
    )

    def clean(self, operator: Operator, raw: Any, known: dict[Any, str] | None) -> Any:
        if operator.takes == "texts":
            return tuple(dict.fromkeys(clean_text(value) for value in clean_list(raw)))
        return clean_text(raw)

    def test(self, datum: Composable, operator: Operator, value: Any, query: "Query") -> Composable:
        match operator.name:
            case "any_of" | "none_of":
                lowered = query.param([text.lower() for text in value])
                test = SQL("lower({}) = ANY({}::text[])").format(datum, lowered)
                return test if operator.name == "any_of" else SQL("({}) IS NOT TRUE").format(test)
            case _:
                like = value.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
                pattern = f"%{like}%" if operator.name == "contains" else f"{like}%"
                return SQL("lower({}) LIKE {}").format(datum, query.param(pattern))

    def said(self, value: Any, known: dict[Any, str], currency: str) -> str:
        return or_words(map(quoted, value)) if isinstance(value, tuple) else quoted(value)


class Choice(Kind):
    """One of a few values, which the trait names. Values are stored as `cast` says: text or bigint."""

    name = "choice"
    own = _by_name(
        Operator("any_of", _("is any of"), "choices", "%(value)s"),
        Operator("none_of", _("is none of"), "choices", _("none of %(value)s")),
    )

    def __init__(self, *, cast: str = "text", nullable: bool = False) -> None:
        super().__init__(nullable=nullable)
        self.cast = SQL(cast + "[]")  # type: ignore[arg-type]

    def clean(self, operator: Operator, raw: Any, known: dict[Any, str] | None) -> Any:
        return clean_choices(raw, known or {})

    def test(self, datum: Composable, operator: Operator, value: Any, query: "Query") -> Composable:
        test = SQL("{} = ANY({}::{})").format(datum, query.param(list(value)), self.cast)
        return test if operator.name == "any_of" else SQL("({}) IS NOT TRUE").format(test)

    def passes(self, missing: Any, operator: Operator, value: Any) -> bool:
        return (missing in value) == (operator.name == "any_of") or operator.name == "none_of"

    def said(self, value: Any, known: dict[Any, str], currency: str) -> str:
        if isinstance(value, tuple):
            return or_words(known.get(each, each) for each in value)
        return str(known.get(value, value))


class Several(Kind):
    """Things a member has any number of: tags, segments. The datum is the one asked for that the member has, where
    one is asked for; else an array of those that the member has. NULL: none."""

    name = "several"
    own = _by_name(
        Operator("any_of", _("any of"), "choices", "%(value)s"),
        Operator("all_of", _("all of"), "choices", _("all of %(value)s")),
        Operator("none_of", _("none of"), "choices", "%(value)s"),
    )

    def clean(self, operator: Operator, raw: Any, known: dict[Any, str] | None) -> Any:
        return clean_choices(raw, known or {})

    def test(self, datum: Composable, operator: Operator, value: Any, query: "Query") -> Composable:
        match operator.name:
            case "none_of":
                return SQL("{} IS NULL").format(datum)
            case "all_of" if len(value) > 1:
                return SQL("cardinality({}) = {}").format(datum, query.param(len(value)))
            case _:
                return SQL("{} IS NOT NULL").format(datum)

    def words(self, operator: Operator, value: Any, known: dict[Any, str], currency: str) -> str:
        listed = and_words if operator.name == "all_of" else or_words
        return str(operator.words) % {"value": listed(quoted(known.get(each, each)) for each in value)}

    def said(self, value: Any, known: dict[Any, str], currency: str) -> str:
        values = value if isinstance(value, list | tuple) else [value]
        return and_words(quoted(known.get(each, each)) for each in values)


class Moment(Kind):
    """A moment in the past, asked for by days of the programme's time zone."""

    name = "moment"
    own = _by_name(
        Operator("last_days", _("in the last … days"), "number_of_days", _("in the last %(value)s"), timed=True),
        Operator("days_ago", _("more than … days ago"), "number_of_days", _("more than %(value)s ago"), timed=True),
        Operator("on_or_after", _("on or after"), "day", _("on %(value)s or later")),
        Operator("before", _("before"), "day", _("before %(value)s")),
        Operator("between", _("between"), "days", _("between %(value)s")),
    )

    def clean(self, operator: Operator, raw: Any, known: dict[Any, str] | None) -> Any:
        if operator.takes == "number_of_days":
            return clean_days(raw)
        if operator.takes == "day":
            return clean_day(raw)
        first, last = map(clean_day, pair(raw))
        if first > last:
            raise Refused(gettext("The first day must not be after the last."))
        return (first, last)

    def bound(self, day: date, query: "Query") -> Composable:
        """The beginning of a day, as the datum has it."""
        return query.param(query.midnight(day))

    def test(self, datum: Composable, operator: Operator, value: Any, query: "Query") -> Composable:
        day = timedelta(days=1)
        tomorrow = query.today + day
        match operator.name:
            case "last_days":
                low, high = query.today - value * day, tomorrow
            case "next_days":
                low, high = query.today, tomorrow + value * day
            case "days_ago":
                return SQL("{} < {}").format(datum, self.bound(query.today - value * day, query))
            case "on_or_after":
                return SQL("{} >= {}").format(datum, self.bound(value, query))
            case "before":
                return SQL("{} < {}").format(datum, self.bound(value, query))
            case _:
                low, high = value[0], value[1] + day
        return SQL("({0} >= {1} AND {0} < {2})").format(datum, self.bound(low, query), self.bound(high, query))

    def said(self, value: Any, known: dict[Any, str], currency: str) -> str:
        match value:
            case int():
                return ngettext("%(n)d day", "%(n)d days", value) % {"n": value}
            case tuple():
                return gettext("%(low)s and %(high)s") % {"low": day_words(value[0]), "high": day_words(value[1])}
            case datetime():
                return day_words(localtime(value).date())
            case str():
                try:
                    return day_words(date.fromisoformat(value))
                except ValueError:
                    return value
            case _:
                return day_words(value)


class Day(Moment):
    """A day without a time, stored as the text YYYY-MM-DD; it may lie ahead."""

    name = "day"
    own = {
        **Moment.own,
        **_by_name(
            Operator("next_days", _("in the next … days"), "number_of_days", _("in the next %(value)s"), timed=True)
        ),
    }

    def bound(self, day: date, query: "Query") -> Composable:
        return query.param(day.isoformat())

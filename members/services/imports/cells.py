"""From the cells of a row to values: dates, amounts, contacts. A cell that cannot be read says why.

Values leave as text for PostgreSQL's COPY. Cells repeat a lot in such files, so each column remembers what it read.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_possible_number, parse
from stdnum import damm

from common.money import minor_digits
from members.enums import DateOrder, DecimalMark, ImportField, SalesChannel
from members.services.imports.reading import Row
from members.validators import CARD_DIGITS, clean_card_number, currencies

WHO = (ImportField.CUSTOMER, ImportField.CARD, ImportField.EMAIL, ImportField.PHONE)
MOST_MAJOR = 10_000_000
MOST_REMEMBERED = 10_000
_LONGEST = {
    ImportField.CUSTOMER: 120,
    ImportField.NAME: 120,
    ImportField.KEY: 120,
    ImportField.STORE: 80,
    ImportField.PRODUCT: 200,
    ImportField.CATEGORY: 80,
    ImportField.BRAND: 80,
}
_CHANNELS = {
    name: channel
    for channel, names in {
        SalesChannel.STORE: ("", "store", "in store", "in-store", "shop", "pos", "till", "门店", "店内", "线下"),
        SalesChannel.ONLINE: ("online", "web", "webshop", "internet", "app", "网店", "线上", "网上"),
        SalesChannel.PHONE: ("phone", "by phone", "telephone", "电话"),
    }.items()
    for name in names
}
_SIGNS = {"€": ("EUR",), "£": ("GBP",), "¥": ("CNY", "JPY"), "元": ("CNY",), "RMB": ("CNY",), "円": ("JPY",)}
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_NEEDS_ESCAPE = re.compile(r"[\\\t\n\r]")
_TIME = r"(?:[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6}))?)?\s*([AP]M)?\s*(Z|[+-]\d{2}:?(?:\d{2})?)?)?"
_DATES = {
    DateOrder.YMD: (
        re.compile(r"(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?" + _TIME, re.I),
        re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})" + _TIME, re.I),
        re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})[T ]?(\d{2})(\d{2})(\d{2})?()()()"),
    ),
    DateOrder.DMY: (re.compile(r"(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4}|\d{2})" + _TIME, re.I),),
    DateOrder.MDY: (re.compile(r"(?P<m>\d{1,2})[-/.](?P<d>\d{1,2})[-/.](?P<y>\d{4}|\d{2})" + _TIME, re.I),),
}


class Bad(NamedTuple):
    """Why a cell cannot be read."""

    code: str
    params: dict[str, Any]


Reader = Callable[[str], "str | Bad"]


def bad(code: str, value: str, **params: Any) -> Bad:
    """A problem with a value, which is shown in part where it is long."""
    shown = value.strip().replace("\0", "")
    return Bad(code, {"value": shown if len(shown) <= 60 else f"{shown[:60]}…", **params})


class Remembered(dict[str, "str | Bad"]):
    def __init__(self, read: Reader) -> None:
        self.read = read

    def __missing__(self, cell: str) -> "str | Bad":
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        value = self[cell] = self.read(cell)
        return value


def read_date(cell: str, order: DateOrder) -> datetime | None:
    """A date or date and time, naive where the cell names no offset; None where there is no such moment."""
    text = cell.strip()
    if order == DateOrder.YMD and text[4:5] == "-" and len(text) >= 10:  # ISO 8601, by far the most usual
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass  # written in some other way, if it is a date
    for pattern in _DATES[order]:
        if found := pattern.fullmatch(text):
            break
    else:
        return None
    hour, minute, second, fraction, half, offset = found.groups()[3:]
    year = int(found["y"])
    if len(found["y"]) == 2:
        year += 1900 if year >= 69 else 2000  # as POSIX has it
    try:
        moment = datetime(  # noqa: DTZ001  the offset, where there is one, follows
            year,
            int(found["m"]),
            int(found["d"]),
            _hour(int(hour or 0), half),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")),
        )
        return datetime.fromisoformat(moment.isoformat() + offset.upper()) if offset else moment
    except ValueError:
        return None


def no_date(cell: str, order: DateOrder) -> Bad:
    """Why a cell is no date, and in which other order it would be one."""
    for other in DateOrder:
        if other != order and read_date(cell, other) is not None:
            return bad("date_other_order", cell, order=order, other=other)
    return bad("date_unreadable", cell, order=order)


def _hour(hour: int, half: str | None) -> int:
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if half.upper() == "PM" else 0)


def date_reader(order: DateOrder, time_zone: str, as_of: datetime) -> Reader:
    """Reads moments from 1970 to a day after `as_of`; naive ones are left so, to be read in `time_zone`."""
    latest = as_of + timedelta(days=1)
    latest_naive = latest.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)

    def read(cell: str) -> str | Bad:
        moment = read_date(cell, order)
        if moment is None:
            return no_date(cell, order) if cell.strip() else _missing(ImportField.PURCHASED_AT)
        if moment.year < 1970:
            return bad("date_past", cell)
        if moment > (latest if moment.tzinfo else latest_naive):
            return bad("date_future", cell)
        return moment.isoformat(" ")

    return read


def amount_reader(mark: DecimalMark, currency: str) -> Reader:
    """Reads amounts of `currency` in minor units: "1,234.50", "¥12", "12.5 EUR"."""
    point, comma = re.escape(mark), re.escape("," if mark == DecimalMark.POINT else ".")
    number = re.compile(rf"(\d+|\d{{1,3}}(?:{comma}\d{{3}})+)?(?:{point}(\d*))?")
    plain = re.compile(rf"(\d{{1,8}}){point}(\d\d)")
    digits = minor_digits(currency)

    def read(cell: str) -> str | Bad:
        if digits == 2 and (found := plain.fullmatch(cell)):
            whole, fraction = found.groups()
        else:
            text = unicodedata.normalize("NFKC", cell).strip()
            if not text:
                return _missing(ImportField.AMOUNT)
            parts = re.fullmatch(r"([^\d.,]*)([\d.,'’ ]*)([^\d]*)", text.replace("−", "-"))
            if parts is None:
                return bad("amount_unreadable", cell)
            before, middle, after = (part.strip() for part in parts.groups())
            found = number.fullmatch(re.sub("[ '’]", "", middle))
            if found is None or not any(found.groups()):
                return bad("amount_unreadable", cell)
            if "-" in before + after or (before.startswith("(") and after.endswith(")")):
                return bad("amount_negative", cell)
            sign = (before + after).removeprefix("+").strip().upper()
            if sign and not _is_sign_of(sign, currency):
                return bad("amount_currency" if _is_money_sign(sign) else "amount_unreadable", cell, currency=currency)
            whole, fraction = re.sub(r"\D", "", found[1] or "0"), (found[2] or "").rstrip("0")
        if len(whole.lstrip("0")) > 8 or int(whole) > MOST_MAJOR or (int(whole) == MOST_MAJOR and fraction.strip("0")):
            return bad("amount_absurd", cell)
        if len(fraction) > digits:
            return bad("amount_decimals", cell, currency=currency)
        return str(int(whole + fraction.ljust(digits, "0")))

    return read


def _is_sign_of(sign: str, currency: str) -> bool:
    return sign == currency or currency in _SIGNS.get(sign, ()) or (sign[-1] == "$" and currency[2] == "D")


def _is_money_sign(sign: str) -> bool:
    return sign in _SIGNS or sign[-1] == "$" or sign in currencies()


def _missing(field: ImportField) -> Bad:
    return Bad("missing", {"field": field})


def escaped(text: str) -> str:
    return text.translate(_ESCAPES) if _NEEDS_ESCAPE.search(text) else text


def _text_reader(field: ImportField) -> Reader:
    most = _LONGEST[field]

    def read(cell: str) -> str | Bad:
        text = cell.strip()
        return escaped(text) if len(text) <= most else bad("too_long", text, field=field, most=most)

    return read


def read_card(cell: str) -> str | Bad:
    if not cell.strip():
        return ""
    number = clean_card_number(cell)
    return number if len(number) == CARD_DIGITS and damm.is_valid(number) else bad("card_mistyped", cell)


def read_email(cell: str) -> str | Bad:
    email = cell.strip().lower()
    if not email:
        return ""
    try:
        validate_email(email)
    except ValidationError:
        return bad("email_unreadable", cell)
    return escaped(email) if len(email) <= 254 else bad("too_long", email, field=ImportField.EMAIL, most=254)


def phone_reader(region: str | None) -> Reader:
    def read(cell: str) -> str | Bad:
        if not cell.strip():
            return ""
        try:
            number = parse(cell, region)
        except NumberParseException:
            return bad("phone_unreadable", cell)
        if not is_possible_number(number):
            return bad("phone_unreadable", cell)
        return format_number(number, PhoneNumberFormat.E164)

    return read


def _read_currency(cell: str) -> str | Bad:
    code = cell.strip().upper()
    code = "CNY" if code == "RMB" else code
    if not code:
        return _missing(ImportField.CURRENCY)
    return code if code in currencies() else bad("currency_unknown", cell)


def _read_channel(cell: str) -> str | Bad:
    return _CHANNELS.get(cell.strip().lower()) or bad("channel_unknown", cell)


def _quantity_reader(mark: DecimalMark) -> Reader:
    def read(cell: str) -> str | Bad:
        text = cell.strip().replace(mark, ".") if mark == DecimalMark.COMMA else cell.strip()
        try:
            quantity = Decimal(text or "1")
        except InvalidOperation:
            return bad("quantity_unreadable", cell)
        # The limits of the column. NaN compares with nothing, so it is asked for first.
        if not quantity.is_finite() or not 0 < quantity < 10**9 or quantity != round(quantity, 3):
            return bad("quantity_unreadable", cell)
        return str(quantity)

    return read


class RowReader:
    """Makes of each row a line for COPY into `columns`; a bad row keeps only its numbers and its problem."""

    def __init__(
        self,
        *,
        mapping: Mapping[str, int],
        width: int,
        order: DateOrder,
        mark: DecimalMark,
        last_row_whole: bool,
        currency: str,
        time_zone: str,
        as_of: datetime,
        region: str | None,
    ) -> None:
        self._width = width
        self._last_row_whole = last_row_whole
        self._mark, self._currency = mark, currency
        self._amounts: dict[str, Remembered] = {}
        self._amount_at = mapping[ImportField.AMOUNT]
        readers: dict[str, Reader] = {field: _text_reader(field) for field in _LONGEST} | {
            ImportField.CARD: read_card,
            ImportField.EMAIL: read_email,
            ImportField.PHONE: phone_reader(region),
            ImportField.PURCHASED_AT: date_reader(order, time_zone, as_of),
            ImportField.CURRENCY: _read_currency,
            ImportField.CHANNEL: _read_channel,
            ImportField.QUANTITY: _quantity_reader(mark),
        }
        mapped = [field for field in ImportField if field in mapping and field != ImportField.AMOUNT]
        self._who = [field for field in mapped if field in WHO]  # stands first, as in ImportField
        self._read = [(Remembered(readers[field]), mapping[field]) for field in mapped]
        self._currency_at = mapped.index(ImportField.CURRENCY) if ImportField.CURRENCY in mapped else None
        self.columns = ["n", "number", "kind", "ref", *mapped, "amount", "problem", "params", "others"]
        self._nothing = "\\N\t" * (len(self.columns) - 5)

    def line(self, n: int, row: Row) -> str:
        """The n-th row for COPY (text format)."""
        cells = row.cells
        if row.problem or not row.whole or len(cells) != self._width:
            cells = padded(row, self._width)
            problem = broken(row, self._width, self._last_row_whole)
            if problem is not None:
                return self._bad_line(n, row.number, [problem])
        values = [remembered[cells[i]] for remembered, i in self._read]
        currency = self._currency if self._currency_at is None else values[self._currency_at]
        try:
            values.append(self._amount(currency, cells[self._amount_at]))
            for kind, who in enumerate(values[: len(self._who)]):
                if who:
                    numbers = (str(n), str(row.number), self._who[kind], who)
                    return "\t".join((*numbers, *values, "\\N\t\\N\t\\N\n"))  # type: ignore[arg-type]
        except TypeError:  # one of them is not text: the cell was bad
            pass
        problems = [value for value in values if isinstance(value, Bad)]
        if not any(values[: len(self._who)]):
            problems.append(Bad("no_customer", {}))
        if not row.whole:
            problems.insert(0, Bad("cut_off", {}))
        return self._bad_line(n, row.number, [p for i, p in enumerate(problems) if p not in problems[:i]])

    def _amount(self, currency: "str | Bad", cell: str) -> "str | Bad":
        if isinstance(currency, Bad):
            return currency
        remembered = self._amounts.get(currency)
        if remembered is None:
            remembered = self._amounts[currency] = Remembered(amount_reader(self._mark, currency))
        return remembered[cell]

    def _bad_line(self, n: int, number: int, problems: list[Bad]) -> str:
        first, *others = problems
        params = as_json(first.params)
        more = as_json([problem._asdict() for problem in others])
        return f"{n}\t{number}\t{self._nothing}{first.code}\t{params}\t{more}\n"


def as_json(value: Any) -> str:
    """A value as JSON for COPY."""
    return escaped(json.dumps(value, ensure_ascii=False))


def padded(row: Row, width: int) -> list[str]:
    """The cells of a row, filled up where its sheet leaves empty cells at the end out."""
    missing = width - len(row.cells)
    return row.cells + [""] * missing if row.padded and missing > 0 else row.cells


def broken(row: Row, width: int, last_row_whole: bool) -> Bad | None:
    """Why a row as such cannot be used; None where it can."""
    cells = padded(row, width)
    if not row.whole and (not last_row_whole or len(cells) < width or cells[-1].endswith("\N{REPLACEMENT CHARACTER}")):
        return Bad("cut_off", {})
    if row.problem:
        return Bad(row.problem, {})
    if len(cells) < width or any(cell.strip() for cell in cells[width:]):
        return Bad("columns", {"found": len(cells), "expected": width})
    return None

"""From the cells of a row of customers to values, as text for COPY. A cell that cannot be read says why.

Written for a million rows: what is usual is read by a pattern, and only the rest by the libraries that know all cases;
a test holds both to the same answers.
"""

import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale
from django.core.exceptions import ValidationError
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneMetadata, is_valid_number, parse

from members.attributes import clean_attribute
from members.enums import AttributeKind, Calendar, DateOrder, Language
from members.models import Attribute
from members.rules import check_birthday
from members.services.imports.cells import Bad, Reader, bad, no_date, phone_reader, read_date, read_email
from members.validators import time_zones

_EMAIL = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}", re.ASCII)
_UNWRAPPED = re.compile(r'="([^"]*)"')  # how spreadsheets are kept from reading 0123 as a number
_FORMULA = re.compile(r"'(?=[=+\-@\t\r])")  # and how our exports keep them from reading a text as a formula
_YES = frozenset(("yes", "y", "true", "1", "x", "on", "ja", "oui", "si", "是", "同意", "有", "对", "接受", "✓"))
_NO = frozenset(("no", "n", "false", "0", "off", "nein", "non", "否", "不同意", "没有", "不", "拒绝"))
_LANGUAGES = {
    **dict.fromkeys(("en", "eng", "english", "englisch", "en-us", "en-gb", "英文", "英语"), Language.ENGLISH),
    **dict.fromkeys(
        ("zh", "zh-cn", "zh-hans", "cn", "chinese", "simplified chinese", "中文", "简体中文", "汉语", "普通话"),
        Language.CHINESE,
    ),
}
_CALENDARS = {
    **dict.fromkeys(("solar", "gregorian", "solar (gregorian)", "阳历", "公历", "新历"), Calendar.SOLAR),
    **dict.fromkeys(("lunar", "chinese", "chinese lunar", "农历", "阴历", "旧历"), Calendar.LUNAR),
}
_NUMERALS = {c: i for i, c in enumerate("〇一二三四五六七八九十")} | {"零": 0, "正": 1, "冬": 11, "腊": 12}
_LUNAR = re.compile(r"(?:农历|阴历|旧历|lunar)\s*:?\s*", re.I)
_PARTS = re.compile(
    r"(?:(\d{4}|[〇零一二三四五六七八九]{4})\s*[年./-])?\s*(闰)?(\w{1,3}?)\s*[月./-]\s*初?(\w{1,3}?)\s*[日号]?"
)
_MONTH_DAY = re.compile(r"-{0,2}(\d{1,2})[-/.月](\d{1,2})[日号.]?")


def plain(cell: str) -> str | Bad:
    """A cell that begins with = or ', without what spreadsheets need to take it for text. A formula is bad."""
    if cell[0] == "=":
        found = _UNWRAPPED.fullmatch(cell)
        return found[1].strip() if found else bad("formula", cell)
    return _FORMULA.sub("", cell, count=1)


def text_reader(field: str, most: int) -> Reader:
    def read(cell: str) -> str | Bad:
        text = " ".join(cell.split()) if not cell.isascii() or "  " in cell or "\n" in cell else cell
        if "\0" in text:
            return bad("zero_bytes", cell)
        return text if len(text) <= most else bad("too_long", text, field=field, most=most)

    return read


def read_an_email(cell: str) -> str | Bad:
    """In small letters. As members.services.imports.cells.read_email, only faster."""
    email = cell.lower()
    if len(email) <= 254 and _EMAIL.fullmatch(email) and email.index("@") <= 64:
        return email
    return read_email(cell)


@cache
def _lengths(code: int) -> tuple[frozenset[int], re.Pattern | None]:
    regions = COUNTRY_CODE_TO_REGION_CODE.get(code)
    if not regions:
        return frozenset(), None
    metadata = PhoneMetadata.metadata_for_region(regions[0], None)
    if metadata is None or metadata.general_desc is None:
        return frozenset(), None
    prefix = metadata.national_prefix_for_parsing
    return frozenset(metadata.general_desc.possible_length), re.compile(prefix) if prefix else None


_PLUS = re.compile(r"\+([1-9]\d{6,14})")
_LOOSE = re.compile(r"[ ()./-]")


def _is_of(cell: str, region: str | None) -> bool:
    try:
        return is_valid_number(parse(cell, region))
    except NumberParseException:
        return False


def a_phone_reader(region: str | None) -> Reader:
    """Reads to E.164. As members.services.imports.cells.phone_reader, only faster for whole international numbers."""
    careful = phone_reader(region)

    def read(cell: str) -> str | Bad:
        if cell.startswith("00"):  # what most of the world dials for +
            cell = f"+{cell[2:]}"
        found = _PLUS.fullmatch(_LOOSE.sub("", cell))
        if found:
            digits = found[1]
            for size in (1, 2, 3):
                lengths, prefix = _lengths(int(digits[:size]))
                if lengths:
                    rest = digits[size:]
                    # A number that begins as one that is dialled within its country may lose that beginning.
                    if len(rest) in lengths and rest[0] != "0" and not (prefix and prefix.match(rest)):
                        return f"+{digits}"
                    break
        if cell[:1] != "+" and region and not _is_of(cell, region) and _is_of(f"+{cell}", None):
            cell = f"+{cell}"  # a spreadsheet took the + for a sign
        number = careful(cell)
        if isinstance(number, Bad) and not region and cell[:1] != "+":
            return bad("phone_no_country", cell)
        return number

    return read


def yes_or_no(cell: str) -> str | Bad:
    word = cell.casefold()
    if word in _YES:
        return "true"
    return "false" if word in _NO else bad("neither_yes_nor_no", cell)


def read_language(cell: str) -> str | Bad:
    found = _LANGUAGES.get(cell.casefold().replace("_", "-"))
    return str(found) if found else bad("language_unknown", cell)


def read_time_zone(cell: str) -> str | Bad:
    return cell if cell in time_zones() else bad("time_zone_unknown", cell)


@cache
def _countries() -> dict[str, str]:
    codes: dict[str, str] = {}
    for language in ("en", "zh_Hans", "de"):
        for code, name in Locale.parse(language).territories.items():
            if len(code) == 2:
                codes[name.casefold()] = codes[code.casefold()] = code
    return {**codes, "usa": "US", "uk": "GB", "england": "GB", "prc": "CN"}


def read_country(cell: str) -> str | Bad:
    return _countries().get(cell.casefold()) or bad("country_unknown", cell)


def moment_reader(order: DateOrder, as_of: datetime, time_zone: str) -> Reader:
    """Moments from 1970 to now; those without an offset are left so."""
    latest = as_of.astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)

    def read(cell: str) -> str | Bad:
        moment = read_any_date(cell, order)
        if moment is None:
            return no_date(cell, order)
        if moment.year < 1970:
            return bad("date_past", cell)
        if moment > (as_of if moment.tzinfo else latest):
            return bad("date_future", cell)
        return moment.isoformat(" ")

    return read


def read_any_date(cell: str, order: DateOrder) -> datetime | None:
    """A date in this order, or one that begins with its year."""
    return read_date(cell, DateOrder.YMD if cell[:4].isdigit() else order)


def birthday_text(calendar: str, month: int, day: int, year: int, leap: bool) -> str:
    """A birthday in one word, as members of a plan hold it; the year is 0 where nobody said it."""
    return f"{calendar}/{month}/{day}/{year}/{int(leap)}"


def birthday_reader(order: DateOrder, as_of: datetime) -> Reader:
    """Reads a whole birthday: a date, a month and day, or one of the Chinese calendar ("农历八月十五")."""

    def read(cell: str) -> str | Bad:
        lunar = _LUNAR.match(cell)
        if lunar or "闰" in cell:
            return _lunar(cell, cell[lunar.end() :] if lunar else cell, as_of)
        moment = read_any_date(cell, order)
        if moment is not None:
            year = moment.year
            if year > as_of.year and not cell[:4].isdigit() and str(year) not in cell:
                year -= 100  # nobody was born in a year to come: '41 is 1941
            return checked_birthday(cell, Calendar.SOLAR, moment.month, moment.day, year, False, as_of)
        if found := _MONTH_DAY.fullmatch(cell):
            month, day = int(found[1]), int(found[2])
            if order == DateOrder.DMY and "月" not in cell:
                month, day = day, month
            return checked_birthday(cell, Calendar.SOLAR, month, day, 0, False, as_of)
        return no_date(cell, order)

    return read


def _lunar(cell: str, text: str, as_of: datetime) -> str | Bad:
    found = _PARTS.fullmatch(text.strip())
    if not found:
        return bad("birthday_impossible", cell)
    year = "".join(str(_NUMERALS.get(c, c)) for c in found[1] or "0")
    month, day = _number(found[3]), _number(found[4])
    if month is None or day is None:
        return bad("birthday_impossible", cell)
    return checked_birthday(cell, Calendar.LUNAR, month, day, int(year), bool(found[2]), as_of)


def _number(text: str) -> int | None:
    """5, 五, 十五, 二十, 廿三 as a number."""
    if text.isdigit() and text.isascii():
        return int(text)
    text = text.replace("廿", "二十").replace("卅", "三十")
    tens, ten, ones = text.rpartition("十") if "十" in text else ("", "", text)
    if len(tens) > 1 or len(ones) > 1 or any(c not in _NUMERALS for c in tens + ones):
        return None
    return (_NUMERALS.get(tens, 1) * 10 if ten else 0) + (_NUMERALS[ones] if ones else 0)


def checked_birthday(
    cell: str, calendar: str, month: int, day: int, year: int, leap: bool, as_of: datetime
) -> str | Bad:
    """A birthday as text where there is such a day, and it is not to come."""
    try:
        check_birthday(calendar=calendar, month=month, day=day, year=year or None, leap_month=leap)
    except ValidationError:
        return bad("birthday_impossible", cell)
    if year and (year, month, day) > (as_of.year, as_of.month, as_of.day):
        return bad("date_future", cell)
    return birthday_text(calendar, month, day, year, leap)


def read_calendar(cell: str) -> str | Bad:
    found = _CALENDARS.get(cell.casefold())
    return str(found) if found else bad("calendar_unknown", cell)


def read_whole_number(cell: str) -> str | Bad:
    """Up to four digits, perhaps with the Chinese word for what they count."""
    digits = cell.rstrip("年月日号")
    good = digits.isdigit() and digits.isascii() and len(digits) <= 4
    return str(int(digits)) if good else bad("no_number", cell)


_TAGS = re.compile(r"[,;|，；、\n]")


def read_tags(cell: str) -> str | Bad:
    """The words of a cell as a JSON array."""
    words = list(dict.fromkeys(" ".join(word.split()) for word in _TAGS.split(cell) if word.strip()))
    if any(len(word) > 40 for word in words):
        return bad("tag_long", cell)
    if len(words) > 30:
        return bad("tags_many", cell)
    return json.dumps(words, ensure_ascii=False)


def attribute_reader(
    attribute: Attribute, order: DateOrder, mark: str, new_option: Callable[[Attribute, str], str] | None
) -> Reader:
    """Reads a value of an attribute, as JSON. `new_option(attribute, word)` makes an unknown choice known."""

    def read(cell: str) -> str | Bad:
        raw = cell
        if attribute.kind == AttributeKind.DATE:
            moment = read_any_date(cell, order)
            if moment is None:
                return no_date(cell, order)
            raw = moment.date().isoformat()
        elif attribute.kind == AttributeKind.NUMBER:
            raw = re.sub(r"[ '’]", "", cell)
            raw = raw.replace(".", "").replace(",", ".") if mark == "," else raw.replace(",", "")
        elif attribute.kind == AttributeKind.BOOLEAN:
            said = yes_or_no(cell)
            raw = said if isinstance(said, str) else cell
        try:
            return json.dumps(clean_attribute(attribute, raw), ensure_ascii=False)
        except ValidationError:
            if attribute.kind == AttributeKind.CHOICE and new_option is not None and len(cell) <= 80:
                return json.dumps(new_option(attribute, cell), ensure_ascii=False)
            return bad(f"attribute_{attribute.kind}", cell, attribute=attribute.key)

    return read

"""What a column of a file of customers can hold: the fields that all members have, attributes, consents, and what other
apps register. A field is named by a string: "email", "attribute.milk", "consent.email.offers", "points"."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from django.utils import translation
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext

from members.enums import MARKETING, Channel, CustomerField, CustomerKey, DateOrder, Purpose
from members.import_problems import FileRefused
from members.models import Attribute
from members.services.imports.cells import Bad, read_date
from members.services.imports.columns import (
    Layout,
    Look,
    by_name,
    detect_date_order,
    detect_decimal_mark,
    looks_like_date,
    most,
    plain_name,
    read_start,
)
from members.services.imports.reading import Row, detect_delimiter, detect_encoding

ATTRIBUTE, CONSENT = "attribute.", "consent."
CONSENTS = [
    *((channel, purpose) for purpose in MARKETING for channel in Channel),
    ("", Purpose.PROFILING),
    ("", Purpose.SHARING),
]
_NAMES: dict[str, str] = {
    CustomerField.CARD: """card, card no, card number, loyalty card, membership card, kartennummer, 卡号, 会员卡,
        会员卡号""",
    CustomerField.CUSTOMER: """customer, customer id, customer no, customer number, customer code, cust id, client id,
        user id, member id, external id, kunde, kundennummer, 客户号, 客户编号, 顾客编号, 会员编号, 会员id, 用户id""",
    CustomerField.EMAIL: """email, e mail, mail, email address, customer email, e mail adresse, 邮箱, 电子邮件,
        电子邮箱""",
    CustomerField.PHONE: """phone, phone number, mobile, mobile number, mobile phone, cell, tel, telephone,
        telefon, handy, 电话, 手机, 手机号, 手机号码, 联系电话""",
    CustomerField.NAME: """name, customer name, full name, client name, member name, 姓名, 客户姓名, 顾客姓名,
        会员姓名, 客户名称""",
    CustomerField.FIRST_NAME: "first name, firstname, given name, forename, vorname, 名, 名字",
    CustomerField.LAST_NAME: "last name, lastname, surname, family name, nachname, 姓, 姓氏",
    CustomerField.LANGUAGE: "language, lang, locale, preferred language, sprache, 语言, 语种",
    CustomerField.TIME_ZONE: "time zone, timezone, tz, zeitzone, 时区",
    CustomerField.STREET: """street, address, street address, address line 1, street and number, strasse, straße,
        地址, 街道, 详细地址""",
    CustomerField.POSTAL_CODE: "postal code, postcode, zip, zip code, plz, 邮编, 邮政编码",
    CustomerField.CITY: "city, town, ort, stadt, 城市, 所在城市",
    CustomerField.COUNTRY: "country, country code, land, 国家, 国家地区",
    CustomerField.BIRTHDAY: """birthday, birth date, birthdate, date of birth, dob, geburtstag, geburtsdatum, 生日,
        出生日期""",
    CustomerField.BIRTHDAY_YEAR: "birth year, birthday year, year of birth, geburtsjahr, 出生年, 出生年份",
    CustomerField.BIRTHDAY_MONTH: "birth month, birthday month, 出生月, 出生月份, 生日月份",
    CustomerField.BIRTHDAY_DAY: "birth day, birthday day, 出生日, 生日日期",
    CustomerField.BIRTHDAY_CALENDAR: "birthday calendar, calendar, 生日历法, 历法",
    CustomerField.BIRTHDAY_LEAP_MONTH: "leap month, birthday leap month, 闰月",
    CustomerField.JOINED_AT: """joined, joined at, member since, signup date, sign up date, registered, registered at,
        registration date, created, created at, 入会日期, 入会时间, 加入日期, 加入时间, 注册日期,
        注册时间""",
    CustomerField.TAGS: "tags, tag, labels, label, 标签",
    CustomerField.CONSENT_AT: """consent date, consent at, date of consent, date of the consent, opt in date,
        opt in at, 同意日期, 同意时间""",
    CustomerField.CONSENT_SOURCE: "consent source, source of consent, source of the consent, opt in source, 同意来源",
    CustomerField.CONSENT_EVIDENCE: "consent evidence, evidence of the consent, 同意凭证",
}
_CONSENT_NAMES = {
    f"{CONSENT}email.offers": """newsletter, newsletter consent, email opt in, email marketing, marketing email,
        accepts email marketing, email consent, e mail consent, mail consent, consent mail, consent email,
        consent e mail, email marketing consent, marketing consent, subscribed, 邮件营销, 邮件营销同意, 接收邮件,
        同意邮件, 同意接收邮件, 邮件订阅""",
    f"{CONSENT}sms.offers": """sms opt in, sms marketing, marketing sms, accepts sms marketing, sms consent,
        consent sms, text message consent, sms marketing consent, 短信营销, 短信营销同意, 接收短信, 同意短信,
        同意接收短信, 短信订阅""",
}


@dataclass(frozen=True, slots=True)
class Extra:
    """A column that a higher app brings in. `read(cell, mark)` gives text for SQL, or what is wrong.

    `post(select, params, at, actor_id, key)` gets SQL for rows of (member_id, n, value) and does all its work in the
    caller's transaction; `undo(member_ids, key, at, actor_id)` takes it back, and answers with the members for whom it
    could not. `key` is unique to the import.
    """

    name: str
    label: Promise | str
    names: str
    read: Callable[[str, str], "str | Bad"]
    post: Callable[..., None]
    undo: Callable[..., list[int]]


_extras: dict[str, Extra] = {}


def register_extra(extra: Extra) -> None:
    """Adds a column; called from an app's ready()."""
    _extras[extra.name] = extra


def extras() -> dict[str, Extra]:
    return _extras


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that stand together where a person chooses one: [(name, label)]."""

    label: str
    fields: list[tuple[str, str]]


def attributes() -> dict[str, Attribute]:
    """The attributes that a file can fill, by field."""
    return {f"{ATTRIBUTE}{a.key}": a for a in Attribute.objects.filter(archived_at=None)}


def consent_label(channel: str, purpose: str) -> str:
    """What is agreed to, in the active language."""
    label = str(Purpose(purpose).label)
    return f"{label} · {Channel(channel).label}" if channel else label


def consent_fields() -> dict[str, tuple[str, str]]:
    """(channel, purpose) by field; the channel is empty for purposes without."""
    return {f"{CONSENT}{channel or '-'}.{purpose}": (str(channel), str(purpose)) for channel, purpose in CONSENTS}


def groups() -> list[Group]:
    """All fields, as a person chooses among them."""
    consents = [(field, consent_label(*what)) for field, what in consent_fields().items()]
    said = [f for f in CustomerField if f.startswith("consent_")]
    found = [
        Group(gettext("Who it is"), _labelled(f for f in CustomerField if f in CustomerKey.values)),
        Group(
            gettext("Profile"),
            _labelled(f for f in CustomerField if f not in CustomerKey.values and f not in said),
        ),
        Group(gettext("Attributes"), [(field, str(a.label)) for field, a in attributes().items()]),
        Group(gettext("Consent"), [*consents, *_labelled(said)]),
        Group(gettext("More"), [(e.name, capfirst(str(e.label))) for e in _extras.values()]),
    ]
    return [group for group in found if group.fields]


def _labelled(fields: Any) -> list[tuple[str, str]]:
    return [(str(field.value), capfirst(str(field.label))) for field in fields]


def labels() -> dict[str, str]:
    """What each field is called, in the active language."""
    return {name: label for group in groups() for name, label in group.fields}


def _known() -> dict[str, str]:
    """Names of columns → field; attributes by key and label, everything by its own name and label, too."""
    known: dict[str, str] = {}
    for language, _name in settings.LANGUAGES:  # our exports are in the language of who asked for them
        with translation.override(language):
            known |= {plain_name(word): field for field, word in labels().items()}
    for field, a in attributes().items():
        for word in (a.key, getattr(a, "label_en", ""), getattr(a, "label_zh_hans", "")):
            known.setdefault(plain_name(word or ""), field)
    lists: dict[str, str] = {**_NAMES, **_CONSENT_NAMES, **{e.name: e.names for e in _extras.values()}}
    for field, names in lists.items():
        known |= {plain_name(name): str(field) for name in re.split(r",\s*", names)}
    known |= {plain_name(field): field for field in labels()}
    known.pop("", None)
    return known


def look_at(
    file: IO[bytes], *, encoding: str | None = None, delimiter: str | None = None, header: bool | None = None
) -> Look:
    """Proposes how to read a file of customers; what is given is taken as given. FileRefused."""
    encoding = encoding or detect_encoding(file)
    delimiter = delimiter or detect_delimiter(file, encoding, alone=True)
    layout, rows = read_start(file, encoding, delimiter, header, _looks_like_data)
    if len(layout.columns) > MOST_COLUMNS:
        raise FileRefused("too_many_columns", found=len(layout.columns), most=MOST_COLUMNS)
    mapping = by_name(layout.columns, _known()) if layout.header else _by_content(rows, len(layout.columns))
    look = Look(layout, mapping, rows)
    propose_formats(look)
    return look


MOST_COLUMNS = 500
_SHAPED = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})\b")
_PHONE = re.compile(r"\+?[\d\s()./-]{7,20}")


def _looks_like_data(cell: str) -> bool:
    return "@" in cell or looks_like_date(cell) or _PHONE.fullmatch(cell.strip()) is not None


def propose_formats(look: Look) -> None:
    """Sets the layout's order of dates and decimal mark, as far as the columns now mapped leave no doubt."""
    dates = _doubtful(look)
    order = detect_date_order(dates)
    shaped = [cell for cell in dates if _SHAPED.match(cell)]
    if order and shaped and sum(read_date(cell, order) is not None for cell in shaped) <= 0.9 * len(shaped):
        order = None  # the rows disagree: a person decides
    look.layout.date_order = order
    numbers = [cell for field in number_fields(look.mapping) for cell in _values(look, field)]
    look.layout.decimal_mark = detect_decimal_mark(numbers)


def _doubtful(look: Look) -> list[str]:
    """Dates that do not begin with their year: those that do are read so in any file."""
    cells = [cell.strip() for field in date_fields(look.mapping) for cell in _values(look, field)]
    return [cell for cell in cells if not cell[:4].isdigit()] or cells


def date_fields(mapping: Sequence[str] | dict[str, int]) -> list[str]:
    """Which of these fields hold dates."""
    known = attributes()
    fixed = (CustomerField.BIRTHDAY, CustomerField.JOINED_AT, CustomerField.CONSENT_AT)
    return [field for field in mapping if field in fixed or (field in known and known[field].kind == "date")]


def number_fields(mapping: Sequence[str] | dict[str, int]) -> list[str]:
    """Which of these fields hold numbers with decimals."""
    known = attributes()
    return [field for field in mapping if field in known and known[field].kind == "number"]


def _values(look: Look, field: str) -> list[str]:
    column = look.mapping[field]
    return [row.cells[column] for row in look.rows if column < len(row.cells) and row.cells[column].strip()]


def _by_content(rows: Sequence[Row], width: int) -> dict[str, int]:
    mapping: dict[str, int] = {}
    for i in range(width):
        column = [row.cells[i].strip() for row in rows if i < len(row.cells)]
        if most(column, lambda cell: "@" in cell):
            mapping.setdefault(CustomerField.EMAIL, i)
        elif most(column, lambda cell: _PHONE.fullmatch(cell) and not looks_like_date(cell)):
            mapping.setdefault(CustomerField.PHONE, i)
        elif most(column, looks_like_date):
            mapping.setdefault(CustomerField.BIRTHDAY, i)
    return mapping


def propose_key(mapping: dict[str, int]) -> CustomerKey:
    """By what rows would best find their members."""
    order = (CustomerKey.CARD, CustomerKey.CUSTOMER, CustomerKey.EMAIL, CustomerKey.PHONE)
    return next((key for key in order if key in mapping), CustomerKey.EMAIL)


def check(*, layout: Layout, mapping: dict[str, int], key: str, mode: str, fixed: dict[str, Any], look: Look) -> None:
    """FileRefused where something still has to be decided before the file can be read."""
    if key not in mapping:
        raise FileRefused("columns_missing", fields=[key])
    if key == CustomerKey.CARD and mode != "update":
        raise FileRefused("card_only_updates")
    if len(mapping) == 1 and mode == "update":
        raise FileRefused("nothing_to_update")
    if any(field in consent_fields() for field in mapping):
        if CustomerField.CONSENT_AT not in mapping and not fixed.get("consent_on"):
            raise FileRefused("consent_needs_date")
        if CustomerField.CONSENT_SOURCE not in mapping and not fixed.get("consent_source"):
            raise FileRefused("consent_needs_source")
    part = (CustomerField.BIRTHDAY_MONTH, CustomerField.BIRTHDAY_DAY)
    if CustomerField.BIRTHDAY in mapping and any(field in mapping for field in part):
        raise FileRefused("birthday_twice")
    if (part[0] in mapping) != (part[1] in mapping):
        raise FileRefused("birthday_half")
    look.mapping = mapping
    if layout.date_order is None:
        dates = _doubtful(look)
        unclear = [v for v in dates if sum(read_date(v, order) is not None for order in DateOrder) > 1]
        if unclear:
            raise FileRefused("dates_unclear", value=unclear[0][:60])
        shaped = [v for v in dates if _SHAPED.match(v)]
        if any(read_date(v, order) for v in shaped for order in (DateOrder.DMY, DateOrder.MDY)):
            raise FileRefused("dates_disagree", values=list(dict.fromkeys(v[:30] for v in shaped))[:3])
    numbers = [cell for field in number_fields(mapping) for cell in _values(look, field)]
    if layout.decimal_mark is None and numbers:
        raise FileRefused("decimals_unclear", value=numbers[0].strip()[:60])

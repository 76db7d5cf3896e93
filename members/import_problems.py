"""Why a row, or a whole file, did not come in: a code and its details, made into a sentence when somebody reads it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from common.money import format_money
from members.enums import CustomerField, DateOrder, ImportField

ROW_PROBLEMS = {
    "columns": _("This row has %(found)s columns; the file has %(expected)s."),
    "cut_off": _("The file ends before the end of this row. Export it again."),
    "quote": _("A quotation mark in this row is not closed, or stands in the wrong place."),
    "zero_bytes": _("This row holds zero bytes: the file is damaged here."),
    "row_too_long": _("This row is longer than any list needs: more than 100,000 characters."),
    "missing": _("The %(field)s is missing."),
    "no_customer": _("The row does not say who bought this: it has no customer number, card, e-mail or phone."),
    "too_long": _("The %(field)s is longer than %(most)s characters: “%(value)s”."),
    "date_unreadable": _("“%(value)s” is not a day that exists, read as %(order)s."),
    "date_other_order": _("“%(value)s” is no date when it is read as %(order)s. It would be one as %(other)s."),
    "date_past": _("“%(value)s” is before 1970."),
    "date_future": _("“%(value)s” is in the future."),
    "amount_unreadable": _("“%(value)s” is not an amount."),
    "amount_negative": _("The amount “%(value)s” is negative. Refunds are entered on the purchase they belong to."),
    "amount_absurd": _("The amount “%(value)s” is more than 10 million."),
    "amount_decimals": _("The amount “%(value)s” has more decimals than %(currency)s has."),
    "amount_currency": _("The amount “%(value)s” is not in %(currency)s."),
    "currency_unknown": _("“%(value)s” is not a currency code."),
    "channel_unknown": _("“%(value)s” is not a channel. Write store, online or phone."),
    "quantity_unreadable": _("“%(value)s” is not a quantity."),
    "card_mistyped": _("“%(value)s” is not a card number: a digit is wrong or two are swapped."),
    "card_unknown": _("No member has the card %(value)s."),
    "email_unreadable": _("“%(value)s” is not an e-mail address."),
    "phone_unreadable": _("“%(value)s” is not a phone number with its country code."),
    "contact_taken": _("The %(field)s %(value)s belongs to another member."),
    "phone_no_country": _(
        "“%(value)s” has no country code. Choose the country of such numbers, or write it as +49… or +86…."
    ),
    "formula": _("“%(value)s” is a formula, not a value."),
    "neither_yes_nor_no": _("“%(value)s” is neither yes nor no."),
    "no_number": _("“%(value)s” is not a whole number."),
    "no_points": _("“%(value)s” is not a whole number of points."),
    "language_unknown": _("“%(value)s” is not a language that members can choose: en or zh-hans."),
    "time_zone_unknown": _("“%(value)s” is not a time zone, such as Europe/Berlin or Asia/Shanghai."),
    "country_unknown": _("“%(value)s” is not a country."),
    "calendar_unknown": _("“%(value)s” is not a calendar. Write solar or lunar."),
    "birthday_impossible": _("“%(value)s” is not a birthday that there is."),
    "tag_long": _("A tag in “%(value)s” is longer than 40 characters."),
    "tags_many": _("A row can have at most 30 tags."),
    "attribute_text": _("“%(value)s” is too long for %(attribute)s."),
    "attribute_number": _("“%(value)s” is not a number, for %(attribute)s."),
    "attribute_date": _("“%(value)s” is not a date, for %(attribute)s."),
    "attribute_boolean": _("“%(value)s” is neither yes nor no, for %(attribute)s."),
    "attribute_choice": _("“%(value)s” is not one of the options of %(attribute)s."),
    "consent_no_date": _("“%(column)s” says yes, but not when that was said."),
    "consent_no_source": _("“%(column)s” says yes, but not where that was said."),
    "consent_no_phone": _("The row says yes to text messages, but the member has no phone number."),
    "member_unknown": _("No member has this %(field)s: %(value)s."),
    "member_erased": _("This member was erased and can no longer be changed."),
    "too_young": _(
        "This person is too young to join by a file. With a parent or guardian who agrees, add them by hand."
    ),
    "card_of_another": _("The card %(value)s belongs to another member."),
    "number_of_another": _("The customer number %(value)s belongs to another member."),
    "twice_in_file": _("Row %(first)s of this file has the same %(field)s: %(value)s."),
    "member_twice": _("Row %(first)s of this file is the same member."),
    "key_reused": _("Receipt %(key)s is already there with %(amount)s of %(day)s."),
    "key_reused_in_file": _(
        "Receipt %(key)s stands in this file before, in row %(first)s, with %(amount)s of %(day)s."
    ),
    "key_of_another": _("Receipt %(key)s is already there for another customer."),
    "key_of_another_in_file": _("Receipt %(key)s stands in this file before, in row %(first)s, for another customer."),
}
KINDS = {
    "columns": _("The row has more or fewer columns than the file."),
    "missing": _("The value by which members are found is missing."),
    "too_long": _("A value is too long."),
    "date_unreadable": _("A date is not a day that exists."),
    "date_other_order": _("A date is written in another order than was chosen."),
    "date_past": _("A date is before 1970."),
    "date_future": _("A date is in the future."),
    "card_mistyped": _("A card number is mistyped."),
    "card_unknown": _("No member has the card."),
    "email_unreadable": _("An e-mail address is none."),
    "phone_unreadable": _("A phone number is none."),
    "phone_no_country": _("A phone number has no country code. Choose the country of such numbers under the columns."),
    "contact_taken": _("An e-mail or phone belongs to another member."),
    "formula": _("A cell holds a formula, not a value."),
    "neither_yes_nor_no": _("A cell is neither yes nor no."),
    "no_number": _("A part of a birthday is not a whole number."),
    "no_points": _("The points are not a whole number."),
    "language_unknown": _("A language is none that members can choose: en or zh-hans."),
    "time_zone_unknown": _("A time zone is none, such as Europe/Berlin or Asia/Shanghai."),
    "country_unknown": _("A country is none."),
    "calendar_unknown": _("A calendar is none: write solar or lunar."),
    "birthday_impossible": _("A birthday is no day that there is."),
    "tag_long": _("A tag is longer than 40 characters."),
    "attribute_text": _("A value of an attribute is too long."),
    "attribute_number": _("A value of an attribute is not a number."),
    "attribute_date": _("A value of an attribute is not a date."),
    "attribute_boolean": _("A value of an attribute is neither yes nor no."),
    "attribute_choice": _("A value is not one of the options of its attribute."),
    "consent_no_date": _("A consent has no date."),
    "consent_no_source": _("A consent does not say where it was given."),
    "member_unknown": _("No member is found by the row."),
    "card_of_another": _("A card belongs to another member."),
    "number_of_another": _("A customer number belongs to another member."),
    "twice_in_file": _("An earlier row has the same e-mail, phone, card or number."),
    "member_twice": _("An earlier row is the same member."),
}
FILE_PROBLEMS = {
    "empty": _("The file is empty."),
    "no_rows": _("The file has column names but no rows."),
    "encoding": _("The file is neither UTF-8 nor GB18030 text. Save it as CSV in UTF-8 and try again."),
    "encoding_chosen": _("The file cannot be read as %(encoding)s. Choose another encoding, or save it in UTF-8."),
    "workbook": _("This is a workbook of an old kind of Excel. Save it as XLSX or CSV (UTF-8) and try again."),
    "workbook_damaged": _("This Excel workbook is damaged. Open it in Excel, save it anew and try again."),
    "workbook_bomb": _(
        "This Excel workbook unpacks to more than any list needs. Save the one sheet as CSV and try again."
    ),
    "not_text": _("This is not a text file. Save the purchases as CSV and try again."),
    "too_large": _("The file is larger than %(most)s MB. Split it and import the parts one after the other."),
    "one_column": _("The file has only one column. Columns are parted by comma, semicolon, tab or bar."),
    "columns_missing": _("No column is chosen for: %(fields)s."),
    "card_only_updates": _("Cards are given by the programme: by card, members can only be changed, not added."),
    "nothing_to_update": _("The file holds nothing to change: choose at least one more column."),
    "consent_needs_date": _("Consent comes in only with its date. Choose a column for it, or give one for all rows."),
    "consent_needs_source": _(
        "Consent comes in only with its source. Choose a column for it, or give one for all rows."
    ),
    "birthday_twice": _("The birthday stands in one column, or in several: not both."),
    "birthday_half": _("A birthday needs its month and its day."),
    "too_many_columns": _("The file has %(found)s columns; at most %(most)s can be read."),
    "list_gone": _("The server lost what was prepared. Ask for the export again."),
    "column_unknown": _("The file has no column “%(column)s”. Its columns are: %(columns)s."),
    "column_twice": _("More than one column is chosen for %(field)s."),
    "field_unknown": _("“%(field)s” is no field. Fields are: %(fields)s."),
    "dates_unclear": _("The dates can be read in more than one way, such as “%(value)s”. Say which comes first."),
    "dates_disagree": _("The dates are not all written in one way: %(values)s. Say which comes first."),
    "dates_unreadable": _("The column of dates holds no dates, such as “%(value)s”. Choose another column."),
    "decimals_unclear": _(
        "The amounts can be read in two ways, such as “%(value)s”. Say which sign starts the decimals."
    ),
    "file_gone": _("The file is no longer stored. Upload it again."),
    "unexpected": _("The import stopped because of an error that was not foreseen: %(detail)s"),
}


class FileRefused(Exception):
    """The file as a whole cannot come in. `code` and `params` make the sentence."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        return sentence(self.code, self.params)


def sentence(code: str, params: Mapping[str, Any]) -> str:
    """The problem as a sentence in the active language."""
    template = ROW_PROBLEMS.get(code) or FILE_PROBLEMS.get(code)
    if template is None:
        return code
    return str(template) % {name: _readable(name, value, params) for name, value in _complete(params).items()}


def kind(code: str) -> str:
    """What all problems of a kind have in common, in the active language; for files of customers."""
    return str(KINDS[code]) if code in KINDS else sentence(code, {})


def sentences(faults: Iterable[Mapping[str, Any]]) -> str:
    """All faults of a row, each {"code": …, "params": {…}}, as sentences in the active language."""
    return " ".join(sentence(fault["code"], fault["params"]) for fault in faults)


def field_label(field: str) -> str:
    """What a field of either kind of file is called, in the active language; the field itself where nobody knows."""
    for fields in (ImportField, CustomerField):
        if field in fields.values:
            return str(fields(field).label)
    return field


def _complete(params: Mapping[str, Any]) -> dict[str, Any]:
    if "amount_minor" not in params:
        return dict(params)
    return {**params, "amount": params["amount_minor"], "day": params["purchased_at"]}


def _readable(name: str, value: Any, params: Mapping[str, Any]) -> str:
    if name == "field":
        return field_label(value)
    if name == "fields":
        return ", ".join(map(field_label, value))
    if name == "values":
        return ", ".join(f"“{each}”" for each in value)
    if name in ("order", "other") and value in DateOrder.values:
        return str(DateOrder(value).label)
    if name == "amount":
        return format_money(value, params["currency"])
    if name == "day":
        # The day as the shop counts it: UTC may be a day off.
        moment = datetime.fromisoformat(value)
        zone = params.get("time_zone")
        return date_format(moment.astimezone(ZoneInfo(zone)) if zone else moment, "DATE_FORMAT")
    return str(value)

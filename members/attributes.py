"""Values of custom attributes: from what people typed to what Member.attributes holds, and back to words.

Stored by key: text as a string, a number as a JSON number, a date as "YYYY-MM-DD", yes or no as true or false, a choice
as the option's key. What was never said has no key at all.
"""

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from babel.dates import format_date
from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.translation import get_language, gettext, to_locale
from django.utils.translation import gettext_lazy as _

from members.enums import AttributeKind

if TYPE_CHECKING:
    from members.models import Attribute

Value = str | int | float | bool | None
TEXT_LENGTH = 500
_LARGEST = Decimal(10) ** 15  # beyond, a JSON number is no longer exact
_YES = frozenset(("true", "yes", "y", "1", "on", "x", "是", "有", "对"))
_NO = frozenset(("false", "no", "n", "0", "off", "否", "没有", "不"))


def clean_attribute(attribute: "Attribute", raw: Any) -> Value:
    """A value as it is stored, from what a form, a file or a call gave; None for nothing said.

    ValidationError with a sentence for the person who typed it.
    """
    if isinstance(raw, str):
        raw = raw.strip()
    if raw is None or raw == "":
        return None
    match attribute.kind:
        case AttributeKind.NUMBER:
            return _number(raw)
        case AttributeKind.DATE:
            return _date(raw)
        case AttributeKind.BOOLEAN:
            return _boolean(raw)
        case AttributeKind.CHOICE:
            return _choice(attribute, raw)
        case _:
            return _text(raw)


def _text(raw: Any) -> str:
    text = str(raw)
    if len(text) > TEXT_LENGTH:
        raise ValidationError(_("Please use at most %(n)d characters.") % {"n": TEXT_LENGTH})
    if "\0" in text:
        raise ValidationError(_("This text holds a character that cannot be kept."))
    return text


def _number(raw: Any) -> int | float:
    if isinstance(raw, bool):
        raise ValidationError(_("Please give a number."))
    try:
        number = Decimal(str(raw))
    except InvalidOperation as error:
        raise ValidationError(_("“%(value)s” is not a number.") % {"value": str(raw)[:40]}) from error
    if not number.is_finite() or abs(number) >= _LARGEST:
        raise ValidationError(_("This number is too large."))
    return int(number) if number == number.to_integral_value() else float(number)


def _date(raw: Any) -> str:
    if isinstance(raw, datetime):
        raw = raw.date()
    if isinstance(raw, date):
        return raw.isoformat()
    try:
        return datetime.strptime(str(raw), "%Y-%m-%d").date().isoformat()  # noqa: DTZ007  a day has no zone
    except ValueError as error:
        raise ValidationError(
            _("“%(value)s” is not a date. Please write it like 2026-05-12.") % {"value": str(raw)[:40]}
        ) from error


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).casefold()
    if word in _YES | _NO:
        return word in _YES
    raise ValidationError(_("“%(value)s” is neither yes nor no.") % {"value": str(raw)[:40]})


def _choice(attribute: "Attribute", raw: Any) -> str:
    """An option by its key, or as people read it in either language."""
    said = str(raw).casefold()
    for option in attribute.options:
        if said in {str(word).casefold() for word in option.values()}:
            return option["key"]
    raise ValidationError(_("“%(value)s” is not one of the options.") % {"value": str(raw)[:40]})


def option_label(option: dict[str, str]) -> str:
    """An option as the active language calls it, else as English does."""
    return option.get(get_language() or "en") or option.get("en") or option["key"]


def choices(attribute: "Attribute") -> list[tuple[str, str]]:
    """The options of a choice, (key, label in the active language); of a yes or no, "true" and "false"."""
    if attribute.kind == AttributeKind.BOOLEAN:
        return [("true", gettext("Yes")), ("false", gettext("No"))]
    return [(option["key"], option_label(option)) for option in attribute.options]


def in_words(attribute: "Attribute", value: Value) -> str:
    """A stored value as the active language reads it; "" for nothing said."""
    if value is None or value == "":
        return ""
    match attribute.kind:
        case AttributeKind.NUMBER:
            return number_format(value, use_l10n=True, force_grouping=True)  # type: ignore[arg-type]
        case AttributeKind.DATE:
            return format_date(date.fromisoformat(str(value)), "medium", locale=to_locale(get_language() or "en"))
        case AttributeKind.BOOLEAN:
            return gettext("Yes") if value else gettext("No")
        case AttributeKind.CHOICE:
            return dict(choices(attribute)).get(str(value), str(value))
        case _:
            return str(value)

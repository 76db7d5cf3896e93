"""Rules in words, with the names of what they ask for, in the active language."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import get_language, gettext, override

from common.money import format_money
from members.enums import Language
from members.models import Segment
from members.queries import get_programme
from rewards.earning import words
from rewards.earning.words import Names
from rewards.enums import Unit
from rewards.models import Offer, Tier
from rewards.queries import points_text


def names_of(definitions: Iterable[Mapping[str, Any]]) -> Names:
    """What people call the tiers, segments and offers that these definitions name. At most three queries."""
    asked: dict[tuple[str, type], set[int]] = {}
    for definition in definitions:
        conditions, effect = definition.get("conditions") or {}, definition.get("effect") or {}
        for kind, model, ids in (
            ("tier", Tier, conditions.get("tiers")),
            ("segment", Segment, [*conditions.get("segments", ()), *conditions.get("not_segments", ())]),
            ("offer", Offer, [effect["offer"]] if effect.get("offer") else ()),
        ):
            asked.setdefault((kind, model), set()).update(ids or ())
    return {
        (kind, row.pk): str(row)
        for (kind, model), ids in asked.items()
        if ids
        for row in model._default_manager.filter(pk__in=ids)  # type: ignore[attr-defined]
    }


def said(definition: Mapping[str, Any], trigger: str, unit: str, names: Names | None = None, home: str = "") -> str:
    """What a definition does, in one sentence. For a list, `names` and `home` (the currency) are looked up once."""
    names = names_of([definition]) if names is None else names
    return words.summary(definition, trigger, unit, names=names, home=home or get_programme().currency)


def both_languages(definition: Mapping[str, Any], trigger: str, unit: str) -> list[dict[str, str]]:
    """The same in every language of the programme, the reader's first."""
    found = []
    for code in Language.values:
        with override(code):
            found.append({"language": code, "text": said(definition, trigger, unit)})
    return sorted(found, key=lambda one: one["language"] != get_language())


def arithmetic(why: Mapping[str, Any], unit: str, rounding: str, home: str) -> list[str]:
    """How an award came about, step by step, from what it keeps; `home` is the currency of store credit."""
    steps = []
    if why["currency"]:
        for _line, basis, exact in why["lines"]:
            text = gettext("%(amount)s counts and brings %(exact)s.")
            steps.append(text % {"amount": format_money(basis, why["currency"]), "exact": exact_text(exact)})
    if why["factor"] != "1":
        words_ = {"factor": exact_text(why["factor"])}
        if why["effect"]["kind"] == "multiplier":
            steps.append(gettext("That is what × %(factor)s adds to the base points.") % words_)
        else:
            steps.append(gettext("The tier's × %(factor)s is in it.") % words_)
    asked = amount_text(why["asked"], unit, home)
    if Fraction(why["exact"]) != why["asked"]:
        told = {"down": gettext("rounded down"), "nearest": gettext("rounded"), "up": gettext("rounded up")}
        text = gettext("Exactly %(exact)s, %(rounding)s: %(asked)s.")
        steps.append(text % {"exact": exact_text(why["exact"]), "rounding": told[rounding], "asked": asked})
    if why["cut"]:
        text = gettext("Cut to %(granted)s: %(reason)s")
        reason = words.reason_sentence("budget" if why["cut"] == "budget" else "limit", {"period": why["cut"]})
        steps.append(text % {"granted": amount_text(why["granted"], unit, home), "reason": reason})
    return steps


def exact_text(exact: str) -> str:
    """ "12.75" or "25/3" as people of the active language write it."""
    number = Fraction(exact)
    value = round(Decimal(number.numerator) / number.denominator, 4)
    shown = number_format(f"{value:f}".rstrip("0").rstrip(".") if value % 1 else int(value), use_l10n=True)
    return shown if Fraction(value) == number else gettext("about %(n)s") % {"n": shown}


def amount_text(amount: int, unit: str, currency: str) -> str:
    """So many points, or so much credit: "1,250 points", "€5.00"."""
    return format_money(amount, currency) if unit == Unit.CREDIT else points_text(amount)

"""A definition taken apart: each thing it says with its label, so that two versions can be laid beside each other."""

from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.dates import MONTHS, WEEKDAYS
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, gettext, ngettext

from common.money import format_exact
from members.enums import SalesChannel
from members.models import Segment
from rewards.admin.rules.beginnings import LIMITS, beginning
from rewards.admin.rules.forms import RuleForm
from rewards.admin.rules.saying import amount_text
from rewards.models import Offer, Tier

Part = tuple[str, str]  # label, what it says


def parts(definition: dict[str, Any], *, trigger: str, unit: str, currency: str) -> list[Part]:
    """Everything the definition says, in the order of the form, in the active language."""
    given = beginning(definition, trigger=trigger, unit=unit, currency=currency)
    fields = RuleForm.base_fields
    said: list[Part] = [(str(fields["gives"].label), _effect(given, unit, currency))]
    plain = (
        "event_data",
        "products",
        "categories",
        "brands",
        "stores",
        "hours",
        "not_categories",
        "not_products",
        "not_brands",
    )
    named = {"tiers": Tier, "segments": Segment, "not_segments": Segment}
    for name, model in named.items():
        if ids := given[name]:
            known = {row.pk: str(row) for row in model.objects.filter(pk__in=ids)}
            said.append((str(fields[name].label), _all(known.get(pk, f"#{pk}") for pk in ids)))
    said += [(str(fields[name].label), _all(given[name].splitlines())) for name in plain if given[name]]
    if given["channels"]:
        labels = dict(SalesChannel.choices)
        said.append((str(fields["channels"].label), _all(str(labels.get(one, one)) for one in given["channels"])))
    if given["weekdays"]:
        said.append((str(fields["weekdays"].label), _all(str(WEEKDAYS[int(day)]) for day in given["weekdays"])))
    if given["minimum"]:
        paid_in = given["currency"] or currency
        said.append((str(fields["minimum"].label), format_exact(Decimal(str(given["minimum"])), paid_in)))
    if given["currency"]:
        said.append((str(fields["currency"].label), str(given["currency"])))
    if given["first_purchase"]:
        said.append((str(fields["first_purchase"].label), gettext("Yes")))
    days = [(name, given[name]) for name in ("starts", "ends") if given[name]]
    said += [(str(fields[name].label), date_format(date.fromisoformat(day))) for name, day in days]
    limits = definition.get("limits", {})
    for name in LIMITS:
        if name in limits:
            own = name in ("times_day", "times_lifetime", "cooldown_hours")
            text = number_format(limits[name]) if own else amount_text(limits[name], unit, currency)
            said.append((str(fields[f"limit_{name}"].label), text))
    said += _rest(definition, given)
    return said


def _rest(definition: dict[str, Any], given: dict[str, Any]) -> list[Part]:
    fields, said = RuleForm.base_fields, []
    kind = definition.get("effect", {}).get("kind")
    if definition.get("limits"):
        said.append((str(fields["over"].label), _label("over", given)))
    if kind == "coupon":
        return said
    if kind == "multiplier":
        said.append((str(fields["stacking"].label), _label("stacking", given)))
    pending = _label("pending_kind", given)
    if given["pending_kind"] == "days":
        text = ngettext("after %(n)d day", "after %(n)d days", given["pending_days"])
        pending = text % {"n": given["pending_days"]}
    elif given["pending_kind"] == "event":
        text = ngettext(
            "once “%(kind)s” is told; after %(n)d day without it %(then)s",
            "once “%(kind)s” is told; after %(n)d days without it %(then)s",
            given["pending_days"],
        )
        words = {"kind": given["pending_event"], "n": given["pending_days"]}
        pending = text % {**words, "then": _label("pending_otherwise", given)}
    elif given["pending_kind"] == "until":
        pending = gettext("from %(day)s") % {"day": date_format(date.fromisoformat(given["pending_until"]))}
    said.append((str(fields["pending_kind"].label), pending))
    said.append((str(fields["expiry_kind"].label), _expiry(given)))
    said.append((str(fields["rounding"].label), _label("rounding", given)))
    counts = gettext("Yes") if given["counts_for_tier"] else gettext("No")
    if kind != "cashback":
        said.append((str(fields["counts_for_tier"].label), counts))
    return said


def _effect(given: dict[str, Any], unit: str, currency: str) -> str:
    label = _label("gives", given)
    match given["gives"]:
        case "per_amount":
            text = gettext("%(points)s points for each %(per)s")
            return text % {"points": _number(given["points"]), "per": _number(given["per"] or 1)}
        case "per_item" | "fixed":
            return f"{label}: {_number(given['points'])}"
        case "multiplier":
            return f"{label}: × {_number(given['factor'])}"
        case "cashback":
            return f"{label}: {_number(given['percent'])}%"
        case "credit":
            return f"{label}: {format_exact(Decimal(str(given['credit'])), currency)}"
    offer = Offer.objects.filter(pk=given["offer"]).first()
    return f"{label}: {offer or '–'}"


def _number(value: Any) -> str:
    return number_format(Decimal(str(value)).normalize(), use_l10n=True) if value is not None else "–"


def _expiry(given: dict[str, Any]) -> str:
    match given["expiry_kind"]:
        case "rolling":
            text = ngettext("%(n)d month after", "%(n)d months after", given["expiry_months"])
            return text % {"n": given["expiry_months"]}
        case "inactivity":
            text = ngettext(
                "after %(n)d month without activity", "after %(n)d months without activity", given["expiry_months"]
            )
            return text % {"n": given["expiry_months"]}
        case "date":
            words = {
                "month": MONTHS[int(given["expiry_month"])],
                "day": given["expiry_day"],
                "n": given["expiry_years"],
            }
            return gettext("at the end of %(month)s %(day)s, %(n)s years on") % words
    return gettext("never")


def _label(name: str, given: dict[str, Any]) -> str:
    return str(dict(RuleForm.base_fields[name].choices).get(given[name], given[name]))


def _all(words: Any) -> str:
    between = "、" if (get_language() or "").startswith("zh") else ", "
    return between.join(words)


def differences(before: list[Part], after: list[Part]) -> tuple[list[Part], list[Part]]:
    """What `after` says and `before` did not, and what fell away."""
    return [part for part in after if part not in before], [part for part in before if part not in after]

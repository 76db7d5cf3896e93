"""Segments to start from. What a shop has no data for yet (a trait that is not there) is left out."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from members.enums import Language
from members.segments.tree import BadDefinition, parse


@dataclass(frozen=True, slots=True)
class Template:
    """A definition with a name and a description in all languages."""

    key: str
    name: Promise
    description: Promise
    definition: dict[str, Any]

    def beginning(self) -> dict[str, str]:
        """The fields of a new segment."""
        fields = {"definition": json.dumps(self.definition, ensure_ascii=False, indent=1)}
        for language, suffix in ((Language.ENGLISH, "en"), (Language.CHINESE, "zh_hans")):
            with override(language):
                fields |= {f"name_{suffix}": str(self.name), f"description_{suffix}": str(self.description)}
        return fields


def _leaf(trait: str, op: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"trait": trait, "op": op, **({} if value is None else {"value": value}), **more}


_TOP = _leaf("purchase.spent_percentile", "top", 20)
_SILENT = [_leaf("consent.offers_email", "not_yes"), _leaf("consent.offers_sms", "not_yes")]
_TEMPLATES = (
    Template(
        "new",
        _("New members"),
        _("Who joined in the last 30 days."),
        {"all": [_leaf("joined", "last_days", 30)]},
    ),
    Template(
        "regular",
        _("Regulars"),
        _("Who bought at least three times in the last half year."),
        {"all": [_leaf("purchase.count", "at_least", 3, within={"days": 182})]},
    ),
    Template(
        "vip",
        _("VIP: the top 20 %"),
        _("The fifth of all customers who spent most."),
        {"all": [_TOP]},
    ),
    Template(
        "lapsing",
        _("Lapsing"),
        _("Who have been away for twice as long as usual, but less than a year: a good moment to write."),
        {"all": [_leaf("purchase.overdue", "more_than", 2), _leaf("purchase.last", "last_days", 365)]},
    ),
    Template(
        "lost",
        _("Lost"),
        _("Customers who have not bought for more than a year."),
        {"all": [_leaf("purchase.last", "days_ago", 365)]},
    ),
    Template(
        "birthday",
        _("Birthday this month"),
        _("Whose birthday is this month, solar or lunar."),
        {"all": [_leaf("birthday.month", "any_of", ["this"])]},
    ),
    Template(
        "unreachable",
        _("Big spenders without consent"),
        _("The top 20 % who may not be written offers: worth asking in the shop."),
        {"all": [_TOP, *_SILENT]},
    ),
    Template(
        "expiring",
        _("Points about to expire"),
        _("Who lose points in the next 30 days unless they use them."),
        {"all": [_leaf("points.expiring", "at_least", 1, within={"days": 30})]},
    ),
)


def templates() -> Iterator[Template]:
    """The templates whose traits there are, in the order in which they are shown."""
    for template in _TEMPLATES:
        try:
            parse(template.definition)
        except BadDefinition:
            continue
        yield template


def find(key: str) -> Template | None:
    """The template of this name, where its traits are there."""
    return next((template for template in templates() if template.key == key), None)

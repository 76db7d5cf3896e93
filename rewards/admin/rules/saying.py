"""Rules in words, with the names of what they ask for, in the active language."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import get_language, override

from members.enums import Language
from members.models import Segment
from members.queries import get_programme
from rewards.earning import words
from rewards.earning.words import Names
from rewards.models import Offer, Tier


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

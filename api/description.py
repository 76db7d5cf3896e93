"""The description of the calls (OpenAPI), laid out as a page tells it."""

import json
from typing import Any, NamedTuple

from django.utils.translation import gettext

from api.schemas import AMOUNT, QUANTITY

_EXAMPLES: dict[str, Any] = {"string": "…", "integer": 1, "boolean": False, "object": {}}
_NAMED: dict[str, Any] = {
    "name": "Anna", "email": "anna@example.com", "phone": "+4915112345678", "birthday": "1990-05-12",
    "card": "280000000000", "sku": "coffee-250", "category": "coffee", "brand": "Roast & Co", "store": "Old Town",
    "currency": "EUR", "points": 100, "coupons": ["SUMMER"], "tier": "Gold", "purchase": "r-2026-000123",
    "code": "K7QW-3MPX-9RTN", "kind": "workshop", "referral_code": "", "reason": "", "rule": "A point for each euro",
    "why": "Bought for €12.50 · A point for each euro", "offer": "10% off coffee",
}  # fmt: skip


class Field(NamedTuple):
    """A name in a body or an answer: nested ones as "lines[].sku"."""

    name: str
    kind: str
    needed: bool
    about: str


class Call(NamedTuple):
    id: str
    method: str
    path: str
    scope: str
    summary: str
    about: str
    fields: list[Field]
    example: str
    answer: str
    status: str


class Group(NamedTuple):
    name: str
    calls: list[Call]


def groups(schema: dict[str, Any]) -> list[Group]:
    """The calls by what they are about, in the order in which they were declared."""
    parts = schema["components"]["schemas"]
    found: dict[str, list[Call]] = {}
    for path, calls in schema["paths"].items():
        for method, call in calls.items():
            body = _content(call.get("requestBody") or {})
            best = max(status for status in call["responses"] if int(status) < 300)
            answer = _content(call["responses"][best])
            told = Call(
                id=call["operationId"],
                method=method.upper(),
                path=path,
                scope=call["x-scope"],
                summary=str(call["summary"]),
                about=str(call.get("description", "")),
                fields=list(_fields(body, parts)),
                example=_shown(body, parts),
                answer=_shown(answer, parts),
                status=str(best),
            )
            found.setdefault(call["tags"][0], []).append(told)
    return [Group(gettext(name), calls) for name, calls in found.items()]


def _shown(schema: dict[str, Any], parts: dict[str, Any]) -> str:
    return json.dumps(_example(schema, parts), indent=2, ensure_ascii=False) if schema else ""


def _content(part: dict[str, Any]) -> dict[str, Any]:
    return part.get("content", {}).get("application/json", {}).get("schema", {})


def _resolve(schema: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    """What a schema means: a reference followed, and of a choice with null what is not null."""
    if "$ref" in schema:
        return {**parts[schema["$ref"].rpartition("/")[2]], **{k: v for k, v in schema.items() if k != "$ref"}}
    if choices := [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]:
        return {**_resolve(choices[0], parts), **{k: v for k, v in schema.items() if k != "anyOf"}}
    return schema


def _fields(schema: dict[str, Any], parts: dict[str, Any], before: str = ""):
    schema = _resolve(schema, parts)
    needed = set(schema.get("required", ()))
    for name, part in schema.get("properties", {}).items():
        means = _resolve(part, parts)
        about = gettext(means["description"]) if "description" in means and not _is_model(part) else ""
        yield Field(
            before + name, _kind(part if "anyOf" in part and "$ref" not in str(part) else means), name in needed, about
        )
        if means.get("type") == "array":
            yield from _fields(means["items"], parts, f"{before}{name}[].")
        elif "properties" in means:
            yield from _fields(means, parts, f"{before}{name}.")


def _is_model(part: dict[str, Any]) -> bool:
    return "$ref" in part and "description" not in part


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if kinds := [_kind(choice) for choice in schema.get("anyOf", ()) if choice.get("type") not in {None, "null"}]:
        return " | ".join(kinds)
    is_number = schema.get("pattern") in {AMOUNT, QUANTITY}
    return schema.get("format") or ("decimal" if is_number else schema.get("type", ""))


def _of(name: str, schema: dict[str, Any], parts: dict[str, Any]) -> Any:
    """An example that fits the name, where its type is as plain as the example's."""
    plain = _resolve(schema, parts)
    kinds = {"string": str, "integer": int, "array": list}
    known = _NAMED.get(name)
    if isinstance(known, kinds.get(plain.get("type", ""), ())) and "enum" not in plain and "$ref" not in str(schema):
        return known
    return _example(schema, parts)


def _example(schema: dict[str, Any], parts: dict[str, Any]) -> Any:
    schema = _resolve(schema, parts)
    if examples := schema.get("examples"):
        return examples[0]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [_example(schema["items"], parts)]
    if "properties" in schema:
        return {name: _of(name, part, parts) for name, part in schema["properties"].items()}
    if schema.get("format") == "date-time":
        return "2026-05-12T09:30:00Z"
    return _EXAMPLES.get(schema.get("type", ""))

"""What one version says and another does not, line by line."""

from collections.abc import Iterator, Mapping
from difflib import ndiff
from typing import Any

from django.utils.translation import gettext

from campaigns.content.blocks import KINDS, LANGUAGES, walk
from members.enums import Language


def lines(content: Mapping[str, Any]) -> Iterator[str]:
    """A content as people would read it aloud."""
    heads = (("subject", gettext("Subject")), ("preheader", gettext("Preheader")), ("sms", gettext("SMS")))
    for name, label in heads:
        yield from _texts(label, content.get(name) or {})
    for _path, block in walk(content["blocks"]):
        kind = KINDS.get(block["type"])
        label = str(kind.label) if kind else block["type"]
        if kind is None or not any(part.shape in ("line", "words") for part in kind.parts):
            yield label
        for part in kind.parts if kind else ():
            value = block.get(part.name)
            if part.shape in ("line", "words"):
                yield from _texts(label, value or {})
            elif part.shape not in ("blocks", "snippet") and value not in ("", None, []):
                chosen = dict(part.choices).get(value, value) if isinstance(value, str) else value
                yield f"{label}, {part.label}: {chosen}"


def _texts(label: Any, texts: Mapping[str, str]) -> Iterator[str]:
    names = dict(Language.choices)
    for language in LANGUAGES:
        for line in (texts.get(language) or "").splitlines():
            if line.strip():
                yield f"{label}, {names[language]}: {line}"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """(lines that are new, lines that are gone)"""
    found = list(ndiff(list(lines(old)), list(lines(new))))
    return [one[2:] for one in found if one.startswith("+ ")], [one[2:] for one in found if one.startswith("- ")]

"""What one version of a survey asks and another does not, as sentences."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from surveys.definition import said
from surveys.enums import QuestionKind

_MOST = 60  # characters of a title


def differences(old: Mapping[str, Any], new: Mapping[str, Any], language: str) -> list[str]:
    """Of two definitions that can be read; questions are the same where their ids are."""
    before, after = _questions(old), _questions(new)
    sentences = []
    for key, question in after.items():
        if key not in before:
            sentences.append(gettext("New: %(title)s") % {"title": _title(question, language)})
    for key, question in before.items():
        if key not in after:
            sentences.append(gettext("Gone: %(title)s") % {"title": _title(question, language)})
    for key in (key for key in after if key in before):
        was, now = before[key], after[key]
        title = {"title": _title(now, language)}
        if was["kind"] != now["kind"]:
            kinds = {"old": QuestionKind(was["kind"]).label, "new": QuestionKind(now["kind"]).label}
            sentences.append(gettext("%(title)s: now “%(new)s” instead of “%(old)s”") % (title | kinds))
        if was.get("title") != now.get("title") or was.get("help") != now.get("help"):
            sentences.append(gettext("%(title)s: worded differently") % title)
        if was.get("choices") != now.get("choices") or was.get("rows") != now.get("rows"):
            sentences.append(gettext("%(title)s: other choices") % title)
        if bool(was.get("required")) != bool(now.get("required")):
            words = gettext("%(title)s: must be answered now") if now.get("required") else ""
            sentences.append((words or gettext("%(title)s: may be left out now")) % title)
        if was.get("show_if") != now.get("show_if") or (was.get("jumps") or []) != (now.get("jumps") or []):
            sentences.append(gettext("%(title)s: asked of others, or leads elsewhere") % title)
    if not sentences and list(before) != list(after):
        sentences.append(gettext("The order is another."))
    if not sentences and old != new:
        sentences.append(gettext("Small things, none of which is a question."))
    return sentences


def _questions(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {
        question["id"]: question for section in definition["sections"] for question in section.get("questions") or []
    }


def _title(question: Mapping[str, Any], language: str) -> str:
    title = said(question.get("title") or {}, language)
    return title if len(title) <= _MOST else f"{title[:_MOST]}…"

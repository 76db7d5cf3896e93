"""Reading a template's content; campaigns.content.blocks has its shape. A pure check of the JSON: `parse` gives it back
complete and tidy, or raises BadContent with a sentence for each mistake."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns import merge
from campaigns.content import markup, places
from campaigns.content.blocks import (
    KINDS,
    LANGUAGES,
    MOST_BLOCKS,
    MOST_DEPTH,
    MOST_REWARDS,
    BadContent,
    Known,
    Part,
    Problem,
    complete_languages,
    where,
)
from members.enums import Language


def parse(given: Any, known: Known | None = None, *, only_blocks: bool = False) -> dict[str, Any]:
    """The content, complete and tidy: unknown keys are gone, each text has every language. BadContent."""
    reader = _Reader(known or Known())
    if not isinstance(given, Mapping):
        raise BadContent([Problem((), "", gettext("This is no content that can be read."))])
    content: dict[str, Any] = {}
    if not only_blocks:
        content["subject"] = reader.text(given, Part("subject", _("Subject"), "line"), (), "")
        content["preheader"] = reader.text(given, Part("preheader", _("Preheader"), "line", is_required=False), (), "")
        content["sms"] = reader.text(given, Part("sms", _("SMS"), "sms", is_required=False, most=1000), (), "")
    content["blocks"] = reader.blocks(given.get("blocks"), ("blocks",), 1)
    if reader.count > MOST_BLOCKS:
        text = gettext("There are %(n)d blocks; at most %(most)d can be.") % {"n": reader.count, "most": MOST_BLOCKS}
        reader.problems.append(Problem(("blocks",), "", text))
    if not reader.problems and not only_blocks and not complete_languages(content):
        text = gettext("No language is complete. Write the subject and every text in at least one of them.")
        reader.problems.append(Problem((), "", text))
    if reader.problems:
        raise BadContent(reader.problems)
    return content


class _Reader:
    def __init__(self, known: Known) -> None:
        self.known, self.problems, self.count = known, [], 0  # type: ignore[var-annotated]

    def problem(self, path: tuple, place: str, sentence: str, language: str = "") -> None:
        named = dict(Language.choices).get(language)
        head = ", ".join(str(one) for one in (place, named) if one)
        self.problems.append(Problem(path, language, f"{head}: {sentence}" if head else sentence))

    def blocks(self, given: Any, path: tuple, depth: int) -> list[dict[str, Any]]:
        if not isinstance(given, list):
            self.problem(path, "", gettext("Blocks are a list."))
            return []
        return [one for place, block in enumerate(given) if (one := self.block(block, (*path, place), depth))]

    def block(self, given: Any, path: tuple, depth: int) -> dict[str, Any] | None:
        self.count += 1
        kind = given.get("type") if isinstance(given, Mapping) else None
        if not isinstance(kind, str) or kind not in KINDS:
            self.problem(path, where(path), gettext("There is no such kind of block."))
            return None
        block: dict[str, Any] = {"type": kind}
        place = where(path, kind)
        for part in KINDS[kind].parts:
            if part.only_if and block.get(part.only_if[0]) != part.only_if[1]:
                continue
            block[part.name] = getattr(self, _SHAPES.get(part.shape, part.shape))(given, part, path, place, depth)
        if kind == "if":
            self.comparison(block, path, place)
        if kind == "snippet":
            found = self.known.snippets(block["snippet"]) if block["snippet"] else None
            if block["snippet"] and found is None:
                self.problem((*path, "snippet"), place, gettext("This snippet is not there any more."))
            elif depth > 1 and any(inner["type"] == "if" for inner in found or ()):
                self.problem(path, place, gettext("Blocks cannot be nested that deep."))
            block["blocks"] = found or []
            self.count += len(block["blocks"])
        return block

    def text(self, given: Any, part: Part, path: tuple, place: str, depth: int = 0) -> dict[str, str]:
        """Words in every language; the path of a problem ends with the part's name."""
        texts = given.get(part.name) or {}
        path = (*path, part.name)
        place = place or capfirst(str(part.label))
        if not isinstance(texts, Mapping):
            self.problem(path, place, gettext("Words are given by language."))
            return dict.fromkeys(LANGUAGES, "")
        said = {}
        for language in LANGUAGES:
            text = texts.get(language) or ""
            text = (
                text.strip().replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
                if isinstance(text, str)
                else ""
            )
            said[language] = text if part.shape in ("words", "sms") else " ".join(text.split())
            for sentence in _faults(said[language], part):
                self.problem(path, place, sentence, language)
        if part.is_required and not any(said.values()):
            self.problem(path, place, gettext("Please write something."))
        return said

    def choice(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> str:
        value = given.get(part.name) or part.choices[0][0]
        if value not in dict(part.choices):
            self.problem((*path, part.name), place, gettext("Please choose one of the list."))
            return part.choices[0][0]
        return value

    def link(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> str:
        link = given.get(part.name) or ""
        link = link.strip() if isinstance(link, str) else ""
        if not link and part.is_required:
            self.problem((*path, part.name), place, gettext("Please say where it leads."))
        elif link and not places.is_link(link):
            self.problem((*path, part.name), place, _no_link(link))
        elif sentences := merge.problems(link):
            self.problem((*path, part.name), place, sentences[0])
        return link

    def picture(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> str:
        name = given.get(part.name) or ""
        if not isinstance(name, str) or not name or not self.known.pictures(name):
            self.problem((*path, part.name), place, gettext("Please upload a picture."))
            return ""
        return name

    def rewards(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> list[int]:
        keys = given.get(part.name) or []
        keys = [key for key in keys if type(key) is int] if isinstance(keys, list) else []
        if not 1 <= len(keys) <= MOST_REWARDS:
            text = gettext("Please choose one to %(n)d rewards.") % {"n": MOST_REWARDS}
            self.problem((*path, part.name), place, text)
        elif not all(self.known.rewards(key) for key in keys):
            self.problem((*path, part.name), place, gettext("One of these rewards is not there any more."))
        return keys

    def offer(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> int | None:
        key = given.get(part.name)
        if key is None or key == "":
            return None
        if type(key) is not int or not self.known.offers(key):
            self.problem((*path, part.name), place, gettext("This offer is not there any more."))
            return None
        return key

    def survey(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> int | None:
        key = given.get(part.name)
        if key is None or key == "":
            return None
        if type(key) is not int or not self.known.surveys(key):
            self.problem((*path, part.name), place, gettext("This survey is not there any more."))
            return None
        return key

    def category(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> str:
        value = given.get(part.name) or ""
        return value.strip()[:80] if isinstance(value, str) else ""

    def snippet(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> int | None:
        key = given.get(part.name)
        if type(key) is not int:
            self.problem((*path, part.name), place, gettext("Please choose a snippet."))
            return None
        return key

    def field(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> str:
        name = given.get(part.name)
        if name not in merge.fields():
            self.problem((*path, part.name), place, gettext("Please choose a field."))
            return ""
        return name

    def value(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> str:
        value = given.get(part.name)
        value = "" if value is None else str(value).strip()[:100]
        if '"' in value and "'" in value:
            self.problem((*path, part.name), place, gettext("The value can have one kind of quotation marks only."))
        return value

    def comparison(self, block: dict[str, Any], path: tuple, place: str) -> None:
        number = block["value"].lstrip("-").replace(".", "", 1)
        if block["op"] in ("more", "less") and not (number.isascii() and number.isdigit()):
            self.problem((*path, "value"), place, gettext("Please compare with a number."))

    def nested(self, given: Any, part: Part, path: tuple, place: str, depth: int) -> list[dict[str, Any]]:
        if depth >= MOST_DEPTH:
            self.problem((*path, part.name), place, gettext("Blocks cannot be nested that deep."))
            return []
        found = self.blocks(given.get(part.name) or [], (*path, part.name), depth + 1)
        if not found:
            self.problem((*path, part.name), place, gettext("Put a block into it."))
        return found


_SHAPES = {"line": "text", "words": "text", "blocks": "nested"}


def _faults(text: str, part: Part) -> Iterator[str]:
    if len(text) > part.most:
        yield gettext("At most %(most)d characters, not %(n)d.") % {"most": part.most, "n": len(text)}
        return
    yield from merge.problems(text) if text else ()
    if part.shape != "words":
        return
    for number in markup.html_lines(text):
        yield gettext("Line %(line)d: HTML does not work here. There are **bold**, [words](address) and lists.") % {
            "line": number
        }
    for number, link in markup.links(text):
        if not places.is_link(link):
            yield gettext("Line %(line)d: %(problem)s") % {"line": number, "problem": _no_link(link)}


def _no_link(link: str) -> str:
    text = gettext("“%(link)s” leads nowhere. Write https://…, mailto:…, or one of: %(places)s.")
    return text % {"link": link, "places": ", ".join(places.places())}

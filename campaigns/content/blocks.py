"""What a template's content may be: subject, preheader and SMS by language, and blocks. A pure check of the JSON.

    {"subject": {"en": "…", "zh-hans": "…"}, "preheader": {…}, "sms": {…}, "blocks": [{"type": "text", "text": {…}}]}

`parse` gives it back complete and tidy, or raises BadContent with a sentence for each mistake. The kinds of blocks
stand in a table that the editor reads too; a higher app adds its own with `register_kind`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from campaigns import merge
from campaigns.content import markup, places
from members.enums import Language

MOST_BLOCKS, MOST_DEPTH, MOST_REWARDS = 60, 3, 3
LANGUAGES = tuple(Language.values)
Text = Promise | str


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to fill in. `shape`: words (paragraphs), line, choice, link, picture, rewards, offer, survey, category,
    snippet, field, value, blocks."""

    name: str
    label: Text
    shape: str
    choices: tuple[tuple[str, Text], ...] = ()
    is_required: bool = True
    most: int = 200
    help: Text = ""
    only_if: tuple[str, str] | None = None  # (another part, its value)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of block, with the Material symbol of its button."""

    label: Text
    icon: str
    parts: tuple[Part, ...] = ()


TONES = (("accent", _("Colour of the brand")), ("red", pgettext_lazy("colour", "Red")),
         ("gold", pgettext_lazy("colour", "Gold")), ("green", pgettext_lazy("colour", "Green")),
         ("blue", pgettext_lazy("colour", "Blue")), ("rose", pgettext_lazy("colour", "Rose")),
         ("night", pgettext_lazy("colour", "Night")))  # fmt: skip
_SIZES = (("m", _("medium")), ("s", _("small")), ("l", _("large")))
OPERATORS = (("filled", _("has something to say")), ("empty", _("is empty")), ("is", _("is")), ("is_not", _("is not")),
             ("more", _("is more than")), ("less", _("is less than")))  # fmt: skip

KINDS: dict[str, Kind] = {
    "heading": Kind(
        _("Heading"), "title", (Part("text", _("text"), "line"), Part("size", _("size"), "choice", _SIZES))
    ),
    "text": Kind(_("Text"), "notes", (Part("text", _("text"), "words", most=5000),)),
    "button": Kind(
        _("Button"), "smart_button", (Part("label", _("words"), "line", most=60), Part("to", _("leads to"), "link"))
    ),
    "banner": Kind(
        _("Banner"),
        "celebration",
        (
            Part("motif", _("sign"), "line", is_required=False, most=12, help=_("One large character or emoji.")),
            Part("text", _("text"), "line", is_required=False, most=80),
            Part("tone", _("colour"), "choice", TONES),
        ),
    ),
    "picture": Kind(
        _("Picture"),
        "image",
        (
            Part("picture", _("picture"), "picture"),
            Part("alt", _("what it shows"), "line", help=_("For who does not see the picture.")),
            Part("to", _("leads to"), "link", is_required=False),
        ),
    ),
    "points": Kind(_("Points balance"), "loyalty", (Part("label", _("words above"), "line", is_required=False),)),
    "gift": Kind(_("Gift of this message"), "redeem", (Part("label", _("words above"), "line", is_required=False),)),
    "rewards": Kind(
        _("Reward cards"),
        "featured_seasonal_and_gifts",
        (
            Part(
                "which",
                _("which"),
                "choice",
                (("affordable", _("what the member can have, up to 3")), ("chosen", _("chosen ones"))),
            ),
            Part("rewards", _("rewards"), "rewards", only_if=("which", "chosen")),
        ),
    ),
    "coupon": Kind(
        _("Coupon with QR"),
        "qr_code_2",
        (
            Part("offer", _("offer"), "offer", is_required=False, help=_("Empty: the member's newest coupon.")),
            Part("label", _("words above"), "line", is_required=False),
        ),
    ),
    "products": Kind(
        _("Most bought"),
        "trending_up",
        (
            Part("category", _("category"), "category", is_required=False, help=_("Empty: of all categories.")),
            Part("label", _("words above"), "line", is_required=False),
        ),
    ),
    "divider": Kind(_("Line"), "horizontal_rule"),
    "spacer": Kind(_("Space"), "height", (Part("size", _("size"), "choice", _SIZES),)),
    "if": Kind(
        _("Only if…"),
        "alt_route",
        (
            Part("field", _("field"), "field"),
            Part("op", _("comparison"), "choice", OPERATORS),
            Part("value", _("value"), "value", is_required=False),
            Part("blocks", _("blocks"), "blocks"),
        ),
    ),
    "snippet": Kind(_("Snippet"), "dashboard_customize", (Part("snippet", _("snippet"), "snippet"),)),
}


def register_kind(name: str, kind: Kind) -> None:
    """Adds a kind of a higher app, e.g. a survey's question. It needs a drawing too: `frame.register_drawing`."""
    KINDS[name] = kind


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake: where it is (["blocks", 2, "text"]), in which language ("" for none), and the whole sentence."""

    path: tuple[str | int, ...]
    language: str
    sentence: str


class BadContent(Exception):
    """Content that cannot be sent. `problems` says why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.sentence for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Known:
    """What blocks may refer to: keys of rewards and offers, names of pictures; the blocks of snippets by key."""

    rewards: Callable[[int], bool] = lambda key: True
    offers: Callable[[int], bool] = lambda key: True
    surveys: Callable[[int], bool] = lambda key: True
    pictures: Callable[[str], bool] = lambda name: True
    snippets: Callable[[int], list[dict[str, Any]] | None] = lambda key: None


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


def walk(blocks: list[dict[str, Any]], path: tuple = ("blocks",)) -> Iterator[tuple[tuple, dict[str, Any]]]:
    """Every block with its path, those inside others too."""
    for place, block in enumerate(blocks):
        yield (*path, place), block
        yield from walk(block.get("blocks", []), (*path, place, "blocks"))


def missing(content: Mapping[str, Any], language: str) -> list[tuple[tuple, str]]:
    """What has to be written before a language is complete: (path, label)."""
    gaps: list[tuple[tuple, str]] = []
    if "subject" in content and not content["subject"].get(language):
        gaps.append((("subject",), gettext("Subject")))
    for path, block in walk(content["blocks"]):
        for part in KINDS[block["type"]].parts:
            if part.shape not in ("line", "words"):
                continue
            texts = block.get(part.name) or {}
            needed = part.is_required or any(texts.values())
            if needed and not texts.get(language):
                gaps.append(((*path, part.name), where(path, block["type"])))
    return gaps


def complete_languages(content: Mapping[str, Any]) -> list[str]:
    """The languages in which nothing is missing."""
    return [language for language in LANGUAGES if not missing(content, language)]


def closest(languages: list[str], wanted: str, programme: str) -> str:
    """The language of a text for who reads `wanted`: "zh" and "zh-hans-cn" read "zh-hans"; else the programme's; else
    any. `languages` are those there are, at least one."""
    wanted = wanted.lower().replace("_", "-")
    while wanted:
        for language in languages:
            if language == wanted or language.startswith(wanted + "-"):
                return language
        wanted = wanted.rpartition("-")[0]
    return programme if programme in languages else languages[0]


def where(path: tuple, kind: str = "") -> str:
    """ "Block 3 (Button)" """
    numbers = ".".join(str(step + 1) for step in path if isinstance(step, int))
    return gettext("Block %(n)s (%(kind)s)") % {"n": numbers, "kind": KINDS[kind].label if kind in KINDS else "?"}


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

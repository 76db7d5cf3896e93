"""What a template's content may be: subject, preheader and SMS by language, and blocks.

    {"subject": {"en": "…", "zh-hans": "…"}, "preheader": {…}, "sms": {…}, "blocks": [{"type": "text", "text": {…}}]}

campaigns.content.reading checks it. The kinds of blocks stand in a table that the editor reads too; a higher app adds
its own with `register_kind`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

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
        _("Recommended products"),
        "trending_up",
        (
            Part(
                "which",
                _("which"),
                "choice",
                (("most", _("what members bought most")), ("own", _("what goes with each member's purchases"))),
                help=_(
                    "What goes with their purchases is what members who bought the same bought as well, and nothing"
                    " that they bought or gave back within a year."
                ),
            ),
            Part(
                "category",
                _("category"),
                "category",
                is_required=False,
                help=_("Empty: of all categories."),
                only_if=("which", "most"),
            ),
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

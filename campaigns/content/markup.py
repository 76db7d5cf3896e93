"""A marketer's text: paragraphs, **bold**, [words](address) and lists, with Liquid between. To HTML, and to plain text.

Tags of Liquid go through hidden behind words that no text has, so that nothing on the way takes them for text; what is
left is escaped. A paragraph that a condition leaves empty leaves no gap.
"""

import re
from collections.abc import Callable, Iterator
from html import escape

LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_BEGIN, _END = "qzl", "zlq"  # letters alone: MJML writes anything else otherwise in an attribute
_HIDDEN = re.compile(f"{_BEGIN}(\\d+){_END}")
_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*", re.DOTALL)
_LINK = re.compile(r"\[([^\[\]]+)\]\(([^()\s]*)\)")
_ITEM = re.compile(r"(?:[-•*]|\d{1,2}[.)])\s+")
_NUMBERED = re.compile(r"\d")
_HTML = re.compile(r"</?[a-zA-Z][^<>]*>")
_OPEN, _CLOSE = {"if", "unless", "case", "comment", "for"}, {"endif", "endunless", "endcase", "endcomment", "endfor"}
_MIDDLE = {"else", "elsif", "when"}


class Tags:
    """Liquid's tags of one message, hidden and shown again."""

    def __init__(self) -> None:
        self._kept: list[str] = []

    def hide(self, source: str) -> str:
        return LIQUID.sub(lambda found: self.keep(found[0]), source.replace(_BEGIN, "qz l"))

    def keep(self, tag: str) -> str:
        """One tag, hidden."""
        self._kept.append(tag)
        return f"{_BEGIN}{len(self._kept) - 1}{_END}"

    def show(self, text: str) -> str:
        return _HIDDEN.sub(lambda found: self._kept[int(found[1])], text)

    def word(self, hidden: str) -> str:
        """The name of a hidden tag; empty for what prints something."""
        tag = self._kept[int(hidden[3:-3])]
        return tag[2:-2].strip(" \t\n-").split(" ", 1)[0] if tag.startswith("{%") else ""

    def is_whole(self, text: str) -> bool:
        """Whether every condition that begins in it ends in it."""
        depth = 0
        for hidden in _HIDDEN.finditer(text):
            word = self.word(hidden[0])
            depth += (word in _OPEN) - (word in _CLOSE)
            if depth < 0 or (depth == 0 and word in _MIDDLE):
                return False
        return depth == 0


def html(source: str, tags: Tags, link: Callable[[str], str], style: str = "") -> str:
    """Paragraphs and lists; Liquid stays hidden. `link` gives the address of a link as it was typed; `style` is put
    into each <p>, <ul> and <ol> (a class or a style, as an attribute)."""

    def inline(text: str) -> str:
        return _inline(text, tags, link).replace("\n", "<br>")

    parts = []
    for before, kind, lines, after in _paragraphs(tags.hide(source), tags):
        if kind == "p":
            body = f"<p{style}>{inline(lines[0][1])}</p>" if lines else ""
        else:
            items = "".join(f"{first}<li>{inline(text)}</li>{last}" for first, text, last in lines)
            body = f"<{kind}{style}>{items}</{kind}>"
        parts.append(before + body + after)
    return "".join(parts)


def line(source: str, tags: Tags) -> str:
    """One line, escaped, with Liquid hidden; nothing in it is marked up."""
    return escape(" ".join(tags.hide(source).split()), quote=True)


def plain(source: str, tags: Tags, link: Callable[[str], str]) -> str:
    """The same for programs that show text alone; each paragraph ends with an empty line. Liquid stays hidden."""
    parts = []
    for before, kind, lines, after in _paragraphs(tags.hide(source), tags):
        if kind == "p":
            body = _plainly(lines[0][1], tags, link) + "\n\n" if lines else ""
        else:
            mark = (f"{n}. " for n in range(1, 1000)) if kind == "ol" else iter(lambda: "- ", "")
            body = "".join(f"{first}{next(mark)}{_plainly(text, tags, link)}\n{last}" for first, text, last in lines)
            body += "\n"
        parts.append(before + body + after)
    return "".join(parts)


def links(source: str) -> Iterator[tuple[int, str]]:
    """The links of a text as typed, each with its line."""
    tags = Tags()
    hidden = tags.hide(source)
    for found in _LINK.finditer(hidden):
        yield source.count("\n", 0, len(tags.show(hidden[: found.start()]))) + 1, tags.show(found[2])


def html_lines(source: str) -> Iterator[int]:
    """The lines that hold HTML, which would be shown as it was typed."""
    for number, text in enumerate(LIQUID.sub("", source).splitlines(), 1):
        if _HTML.search(text):
            yield number


def _inline(text: str, tags: Tags, link: Callable[[str], str]) -> str:
    text = escape(text, quote=False)

    def anchor(found: re.Match[str]) -> str:
        if not tags.is_whole(found[1]):
            return found[0]
        url = link(tags.show(found[2]).replace("&amp;", "&"))
        return f'<a href="{escape(tags.hide(url), quote=True)}">{found[1]}</a>'

    text = _LINK.sub(anchor, text)
    return _BOLD.sub(lambda found: f"<strong>{found[1]}</strong>" if tags.is_whole(found[1]) else found[0], text)


def _plainly(text: str, tags: Tags, link: Callable[[str], str]) -> str:
    text = _LINK.sub(lambda found: f"{found[1]} ({tags.hide(link(tags.show(found[2])))})", text)
    return _BOLD.sub(r"\1", text)


Item = tuple[str, str, str]


def _paragraphs(hidden: str, tags: Tags) -> Iterator[tuple[str, str, list[Item], str]]:
    """(tags before, "p" or "ul" or "ol", its lines, tags after); a line is (tags before, text, tags after)."""
    for block in re.split(r"\n\s*\n", hidden.replace("\r\n", "\n").replace("\r", "\n")):
        lines = [one.strip() for one in block.splitlines() if one.strip()]
        if not lines:
            continue
        before, inner, after = _hoist("\n".join(lines), tags)
        items = [_hoist(one, tags) for one in inner.splitlines()]
        if inner and all(_ITEM.match(text) for _before, text, _after in items):
            kind = "ol" if _NUMBERED.match(items[0][1]) else "ul"
            yield before, kind, [(first, _ITEM.sub("", text, count=1), last) for first, text, last in items], after
        else:
            yield before, "p", [("", inner, "")] if inner else [], after


def _hoist(text: str, tags: Tags) -> Item:
    """Takes conditions that hold a whole paragraph, or more than it, out of it, so that none leaves it empty."""
    parts = [part for part in re.split(f"({_BEGIN}\\d+{_END})", text) if part]
    words = [tags.word(part) if part.startswith(_BEGIN) else "" for part in parts]
    partner, forked, open_ones = {}, set(), []
    for place, word in enumerate(words):
        if word in _OPEN:
            open_ones.append(place)
        elif word in _MIDDLE and open_ones:
            forked.add(open_ones[-1])
            partner[place] = open_ones[-1]
        elif word in _CLOSE and open_ones:
            begun = open_ones.pop()
            partner[begun], partner[place] = place, begun
    first, last = 0, len(parts)
    while last > first and (words[last - 1] in _CLOSE | _MIDDLE | _OPEN or not parts[last - 1].strip()):
        last -= 1
    ends = set(range(last, len(parts)))  # what stands behind the last word
    while first < last and (_leads(first, words, partner, forked, ends) or not parts[first].strip()):
        first += 1
    while last < len(parts) and partner.get(last, -1) >= first and words[last] in _CLOSE | _MIDDLE:
        last += 1  # ends a condition that begins inside
    before, inner, after = ("".join(some).strip() for some in (parts[:first], parts[first:last], parts[last:]))
    return before, inner, after


def _leads(place: int, words: list[str], partner: dict[int, int], forked: set[int], ends: set[int]) -> bool:
    """Whether a tag at the head of a paragraph belongs before it."""
    if words[place] in _CLOSE | _MIDDLE:
        return place not in partner
    if words[place] in _OPEN and place not in forked:
        return place not in partner or partner[place] in ends
    return False

"""The words of a mail that came as HTML alone: what a person reads of it, as plain text, and nothing else."""

import re
from html.parser import HTMLParser

_UNREAD = frozenset({"head", "script", "style", "template", "title", "noscript", "object", "svg"})
_BLOCKS = frozenset(
    {"address", "article", "blockquote", "div", "dl", "dt", "dd", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
     "header", "hr", "li", "ol", "p", "pre", "section", "table", "tr", "ul"}
)  # fmt: skip
_EMPTY = frozenset({"area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_QUOTED = re.compile(r"\b(gmail_quote|yahoo_quoted|moz-cite-prefix)\b")


class _Words(HTMLParser):
    """Collects what stands between tags; skips what is not read, or is the mail that was answered."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.skipped: list[str] = []  # tags that are open, of which the first is not read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br" or tag in _BLOCKS:
            self.parts.append("\n")
        if tag in _EMPTY:
            return
        told = dict(attrs)
        quoted = (tag == "blockquote" and told.get("type") == "cite") or _QUOTED.search(told.get("class") or "")
        if self.skipped or tag in _UNREAD or quoted:
            self.skipped.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.skipped:  # what was left open inside ends with it
            while self.skipped and self.skipped.pop() != tag:
                pass
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            self.parts.append(re.sub(r"\s+", " ", data))


def words_of(html: str) -> str:
    """Lines of text; scripts, styles, comments and the mail that was answered are left out. Never fails: what is no
    HTML is taken as it stands."""
    reader = _Words()
    reader.feed(html)
    reader.close()
    lines = (line.strip() for line in "".join(reader.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

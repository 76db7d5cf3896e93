"""Liquid that writes quoted-printable (RFC 2045) straight away: what stays the same in every mail is encoded once, when
the template is read; only what a member's fields say is encoded for each.

Every piece begins a line and ends one, softly, so pieces of any length follow each other. No line is longer than 76 and
none begins with a dot.
"""

import re
from functools import lru_cache
from typing import TextIO

from liquid import BoundTemplate, Environment, RenderContext, StrictUndefined
from liquid.builtin.content import ContentNode, Literal
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import OutputStreamLimitError
from liquid.expression import Expression
from liquid.stream import TokenStream
from liquid.stringify import to_liquid_string
from liquid.token import TOKEN_CONTENT, Token
from markupsafe import escape

from campaigns.merge import FILTERS, TAGS

_WIDTH = 73  # leaves room for a dot that becomes three characters, and for the soft break
_AS = [chr(n) if 32 <= n <= 126 and n != 61 else f"={n:02X}" for n in range(256)]
_SIMPLE = re.compile(f"[ -<>-~]{{0,{_WIDTH}}}")
_SOFT = "=\n"  # Liquid writes line feeds alone; whoever makes the mail turns them into CRLF


def quoted(text: str) -> str:
    """Text as quoted-printable lines, the last one ended softly unless the text ends with a line break."""
    if not text:
        return ""
    if _SIMPLE.fullmatch(text) and text[0] != ".":
        return text + _SOFT
    return _long(text) if len(text) > 200 else _short(text)


def _long(text: str) -> str:
    out = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        encoded = "".join([_AS[byte] for byte in line.encode("utf-8", "replace")])
        if encoded.endswith(" "):  # mail servers cut blanks at the end of a line
            encoded = encoded[:-1] + "=20"
        start = 0
        while len(encoded) - start > _WIDTH:
            cut = start + _WIDTH
            cut -= 1 if encoded[cut - 1] == "=" else 2 if encoded[cut - 2] == "=" else 0
            out.append(_undotted(encoded[start:cut]) + _SOFT)
            start = cut
        out.append(_undotted(encoded[start:]) + "\n")
    last = out.pop()
    return "".join(out) + (last[:-1] + _SOFT if last != "\n" else "")


_short = lru_cache(maxsize=4096)(_long)


def _undotted(line: str) -> str:
    return "=2E" + line[1:] if line.startswith(".") else line


class _QuotedContent(ContentNode):
    """Text that is the same for everybody."""

    def __init__(self, token: Token, text: str) -> None:
        super().__init__(token, text)
        self.text = quoted(text)


class _QuotedLiteral(Literal):
    def parse(self, stream: TokenStream) -> ContentNode:
        token = stream.expect(TOKEN_CONTENT)
        return _QuotedContent(token, token.value)


class _QuotedOutputNode(OutputNode):
    """What one member's field says."""

    def __init__(self, token: Token, expression: Expression) -> None:
        super().__init__(token, expression)
        whole = isinstance(expression, FilteredExpression) and not expression.filters
        path = expression.left if whole else None  # type: ignore[attr-defined]  # told by `whole`
        named = isinstance(path, Path) and all(isinstance(name, str) for name in path.path)
        self.names: tuple[str, ...] = tuple(path.path) if named else ()  # type: ignore[union-attr,arg-type]

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        if self.names:  # most are a text by its name: Liquid's way to it takes three times as long
            said = context.scope.get(self.names[0])
            for name in self.names[1:]:
                said = said.get(name) if type(said) is dict else None
            if type(said) is str:
                return buffer.write(quoted(str(escape(said)) if context.autoescape else said))
        said = to_liquid_string(self.expression.evaluate(context), context.autoescape)
        return buffer.write(quoted(str(said)))


class _QuotedOutput(Output):
    node_class = _QuotedOutputNode


class _Pieces(list[str]):
    """What a template writes: Liquid's own buffer encodes every piece to count its bytes, and here all is ASCII."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.left = limit

    def write(self, text: str) -> int:
        self.left -= len(text)
        if self.left < 0:
            raise OutputStreamLimitError("output stream limit reached", token=None)
        self.append(text)
        return len(text)

    def getvalue(self) -> str:
        return "".join(self)


class _QuotedTemplate(BoundTemplate):
    def _get_buffer(self):
        return _Pieces(FrameEnvironment.output_stream_limit)


class FrameEnvironment(Environment):
    """Liquid of whole messages: the marketer's tags, and loops of our own frames."""

    output_stream_limit = 600_000
    local_namespace_limit = 10_000
    block_nesting_limit = 20
    context_depth_limit = 20
    loop_iteration_limit = 1000
    suppress_blank_control_flow_blocks = False

    def __init__(self, *, html: bool, is_quoted: bool) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=html)
        self.tags = {name: self.tags[name] for name in (*TAGS, "for")}
        self.filters = {name: self.filters[name] for name in FILTERS}
        if is_quoted:
            self.tags["content"], self.tags["output"] = _QuotedLiteral(self), _QuotedOutput(self)
            self.template_class = _QuotedTemplate


HTML, TEXT = FrameEnvironment(html=True, is_quoted=False), FrameEnvironment(html=False, is_quoted=False)
QUOTED_HTML, QUOTED_TEXT = FrameEnvironment(html=True, is_quoted=True), FrameEnvironment(html=False, is_quoted=True)

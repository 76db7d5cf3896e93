"""Headers of a mail, encoded and folded (RFC 5322, RFC 2047)."""

import re
from base64 import b64encode
from collections.abc import Mapping

_ADDRESS = re.compile(r'\s*"?([^"<>]*?)"?\s*<([^<>\s]+)>\s*')
_STEP = 39  # bytes of UTF-8 in an encoded word: 52 characters of base64, 12 around them, and “Subject: ” before it
_MOST = 76


def header_lines(headers: Mapping[str, str]) -> str:
    """ "Name: value" lines, each with a line feed. What is not ASCII is encoded, before an <address> too.

    ValueError where a value holds a line break.
    """
    return "".join([_header(name, value) for name, value in headers.items()])


def ascii_domain(address: str) -> str:
    """With its domain as servers without SMTPUTF8 know it (RFC 5891). ValueError where it is no domain."""
    local, at, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}{at}{domain.encode('idna').decode('ascii')}"


def _header(name: str, value: str) -> str:
    if value.isascii() and len(name) + len(value) + 2 <= _MOST and value.isprintable():
        return f"{name}: {value}\n"
    if "\r" in value or "\n" in value:
        raise ValueError(f"a line break in {name}")
    if not value.isascii() and name != "To":  # an address is no text: RFC 6532, where the server takes such
        found = _ADDRESS.fullmatch(value)
        value = f"{_encoded(found[1])} <{found[2]}>" if found else _encoded(value)
    return _folded(f"{name}: {value}")


def _encoded(text: str) -> str:
    """Encoded words, none of which breaks a character in two."""
    words, piece = [], b""
    for character in text:
        data = character.encode("utf-8", "replace")
        if len(piece) + len(data) > _STEP:
            words.append(piece)
            piece = b""
        piece += data
    words.append(piece)
    return " ".join(f"=?utf-8?b?{b64encode(word).decode('ascii')}?=" for word in words)


def _folded(line: str) -> str:
    out, rest = [], line
    while len(rest) > _MOST:
        cut = rest.rfind(" ", 1, _MOST)
        if cut <= len(rest) - len(rest.lstrip()) or rest[:cut].endswith(":"):
            cut = rest.find(" ", _MOST)  # a word longer than a line stays whole
        if cut == -1:
            break
        out.append(rest[:cut])
        rest = rest[cut:]
    return "\n".join([*out, rest]) + "\n"

"""How long a short message is, as telephones count (3GPP TS 23.038)."""

from typing import NamedTuple

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")


class Size(NamedTuple):
    """`units` of the alphabet "GSM-7" (septets) or "UCS-2" (16 bits), and in how many parts it goes."""

    alphabet: str
    units: int
    parts: int


def size(text: str) -> Size:
    """160 characters of the plain alphabet fit in one part, 153 in each of several; 70 and 67 of any other."""
    if all(character in _GSM or character in _EXTENDED for character in text):
        units = sum(2 if character in _EXTENDED else 1 for character in text)
        return Size("GSM-7", units, 1 if units <= 160 else -(-units // 153))
    units = len(text.encode("utf-16-le")) // 2
    return Size("UCS-2", units, 1 if units <= 70 else -(-units // 67))

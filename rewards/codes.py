"""Codes that people read aloud and type: of coupons, redemptions, gift cards.

13 characters of 27 drawn by the system's random source: 61 bits. The alphabet has neither vowels nor anything that is
easily taken for something else in it; what is typed wrongly all the same is put right (`candidates`).
"""

import re
import secrets

ALPHABET = "0123456789CDFGHJKMNPQRTVWXY"
LENGTH = 13
MOST = 24  # characters of a code with its prefix
PREFIX = 8
_MISREAD = str.maketrans("OILSZBU", "011528V")
# What digits would spell ("C0CK"), read as letters.
_SPELLED = str.maketrans("01345789", "OIEASTBG")
_BANNED = re.compile(
    "FCK|FKN|C[OI]?CK|D[IY]CK|TIT|FAG|N[IE]?GG|KKK|ASS|CNT|P[IY]SS|PORN|CRAP|HOE|RAP[EY]|GAY|NAZ|JEW|WTF"
)
_BETWEEN = re.compile(r"[\s\-‐-―_.·]+")


def new_codes(n: int, prefix: str = "") -> list[str]:
    """`n` codes, each another, as they are stored: upper case, without dashes."""
    codes: set[str] = set()
    while len(codes) < n:
        code = _random()
        if not _BANNED.search(code.translate(_SPELLED)):
            codes.add(prefix + code)
    return list(codes)


def new_code(prefix: str = "") -> str:
    return new_codes(1, prefix)[0]


def _random() -> str:
    number, letters = secrets.randbelow(len(ALPHABET) ** LENGTH), []
    for _n in range(LENGTH):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)


def compact(typed: str) -> str:
    """In upper case, without spaces and dashes."""
    return _BETWEEN.sub("", typed.upper())


def fold(code: str) -> str:
    """With every character that is easily misread as the one it is taken for: two codes that fold alike look alike."""
    return compact(code).translate(_MISREAD)


def candidates(typed: str) -> list[str]:
    """What somebody who typed this may mean, likeliest first: as it stands, without dashes, put right. Empty for what
    can be no code."""
    plain = "".join(typed.upper().split())
    bare = compact(typed)
    if not bare or len(plain) > 2 * MOST or "\0" in plain:
        return []
    return list(dict.fromkeys([plain, bare, bare[:-LENGTH] + fold(bare[-LENGTH:])]))


def shown(code: str) -> str:
    """A code of ours in groups, easy to read: "SUMMER-9KPM-T4XC-0RQ7D". Any other as it stands."""
    head, tail = code[:-LENGTH], code[-LENGTH:]
    if len(tail) < LENGTH or any(letter not in ALPHABET for letter in tail):
        return code
    return "-".join([*([head] if head else []), tail[:4], tail[4:8], tail[8:]])

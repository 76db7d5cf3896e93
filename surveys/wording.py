"""Texts as words: which words and phrases a text holds, and which themes of a dictionary. Pure functions.

English words are lower-cased and set in the singular, Chinese ones are cut by jieba's dictionary. Words that carry no
meaning of their own are left out; what is denied stays denied ("not clean", "不干净").
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from surveys.stop_words import CHINESE, CHINESE_NOT, ENGLISH, ENGLISH_NOT

LONGEST_WORD = 40  # characters; what is longer is no word
MOST_WORDS = 400  # of one text
MOST_TERMS, LONGEST_TERM = 200, 60

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_PIECES = re.compile(rf"([{_HAN}]+)|((?:(?![{_HAN}_])\w)+(?:'(?:(?![{_HAN}_])\w)+)?)|([^\w\s'-]|\n)")
_IS_HAN = re.compile(f"[{_HAN}]")

# Letters that say something alone; others are pieces of words.
_TELLING = frozenset("贵慢脏冷凉吵咸甜苦酸辣香硬挤乱差快好脆烫臭")
_AS_THEY_ARE = frozenset(("news", "lens", "series", "species"))
_WITH_IE = frozenset(
    ("cookies", "brownies", "smoothies", "movies", "veggies", "freebies", "calories", "selfies", "pies", "ties", "lies")
)


def fold(text: str) -> str:
    """One way to write what is written in several: width, case, apostrophes."""
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


def singular(word: str) -> str:
    """The singular of a regular English plural; anything else as it is."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")) or word in _AS_THEY_ARE:
        return word
    if word.endswith("ies") and len(word) > 4 and word not in _WITH_IE:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    return word[:-1]


# --- words and phrases ----------------------------------------------------------------------------------------------
def cutter() -> Callable[[str], list[str]]:
    """Cuts Chinese into words. Its dictionary takes 35 MB of a process: it is loaded by who needs it, when they do."""
    import rjieba

    return rjieba.cut


def words_of(text: str, cut: Callable[[str], list[str]]) -> list[str]:
    """The words and phrases (two words beside each other) of a text, each once, in the order they stand."""
    found: dict[str, None] = {}
    before, denied = "", ""
    patience = 0  # so many words without meaning may stand between "not" and what is denied
    for han, word in _tokens(fold(text), cut):
        if not word:
            before = denied = ""
        elif word in (CHINESE_NOT if han else ENGLISH_NOT) or word.endswith("n't"):
            before, denied, patience = "", word if han else "not ", 2
        elif word in (CHINESE if han else ENGLISH):
            patience -= 1
            before, denied = "", denied if patience >= 0 else ""
        else:
            told = word if han else singular(word.partition("'")[0])
            if (len(told) < 2 and told not in _TELLING) or len(told) > LONGEST_WORD or told.isnumeric():
                before = denied = ""
                continue
            told = f"{denied}{told}"
            found[told] = None
            if before and bool(_IS_HAN.match(before)) == han and not denied:
                found[f"{before}{told}" if han else f"{before} {told}"] = None
            before, denied = "" if denied else told, ""
    return list(found)[:MOST_WORDS]


def _tokens(text: str, cut: Callable[[str], list[str]]) -> Iterator[tuple[bool, str]]:
    """(Chinese?, word); nothing in the place of a word where a clause ends."""
    for han, word, end in _PIECES.findall(text):
        if han:
            yield from ((True, one) for one in cut(han))
        else:
            yield False, "" if end else word


# --- themes ---------------------------------------------------------------------------------------------------------
def terms_of(told: str) -> list[str]:
    """The words and phrases of a theme, one in each line or parted by commas, each once."""
    return list(dict.fromkeys(term for line in re.split(r"[\n,，、;；]", told) if (term := line.strip())))


def check_terms(told: str) -> None:
    """ValidationError where one could find nothing, or everything."""
    terms = terms_of(told)
    if len(terms) > MOST_TERMS:
        raise ValidationError(gettext("At most %(n)d words.") % {"n": MOST_TERMS})
    for term in terms:
        if len(term) > LONGEST_TERM:
            raise ValidationError(gettext("“%(word)s…” is too long for a word.") % {"word": term[:LONGEST_TERM]})
        needle = _needle(term)
        if len(needle.strip(" |")) < 2 and not _IS_HAN.search(needle):
            raise ValidationError(gettext("“%(word)s” would find nothing, or nearly everything.") % {"word": term})
    if not terms:
        raise ValidationError(_("At least one word."))


def _needle(term: str) -> str:
    """What stands in a text that holds the term: Chinese as it is, English between spaces as _spaced writes it."""
    folded = fold(term)
    if _IS_HAN.search(folded):
        return folded.rstrip("*")
    spaced = _spaced(folded)
    if folded.endswith("*"):  # begins so; what is not a whole word has no plural
        return " " + " ".join(word for _han, word, _end in _PIECES.findall(folded.rstrip("*")) if word)
    return spaced if spaced.strip(" |") else ""


def _spaced(folded: str) -> str:
    """The English words of a text in the singular, each between spaces, and a bar where a clause ends."""
    pieces = (singular(word.partition("'")[0]) if word else "|" for _han, word, _end in _PIECES.findall(folded))
    return f" {' '.join(pieces)} "


class Dictionary:
    """Finds the themes of a text. `terms` are those of each theme, by its key."""

    def __init__(self, terms: Mapping[int, Iterable[str]]) -> None:
        self._needles: dict[int, tuple[list[str], list[str]]] = {}
        for key, told in terms.items():
            needles = [needle for term in told if (needle := _needle(term))]
            self._needles[key] = (
                [needle for needle in needles if _IS_HAN.search(needle)],
                [needle for needle in needles if not _IS_HAN.search(needle)],
            )

    def themes_in(self, text: str) -> list[int]:
        folded = fold(text)
        spaced = _spaced(folded)
        return [
            key
            for key, (han, english) in self._needles.items()
            if any(needle in folded for needle in han) or any(needle in spaced for needle in english)
        ]

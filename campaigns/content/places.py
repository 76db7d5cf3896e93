"""Places of the members' pages that a button or a link may name, e.g. "rewards". The app that has the pages says so."""

import re
from collections.abc import Mapping

from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise

from campaigns.content.markup import LIQUID

_places: dict[str, tuple[Promise | str, str]] = {}
_OWN = re.compile(r"^\{\{\s*programme\.url\s*\}\}")
# Liquid may stand in the path, never where it would say whose address it is.
_ADDRESS = re.compile(
    r"https?://[^\s/?#{}<>\"']+(?:[/?#][^\s<>\"']*)?|(?:mailto:[^\s@{}<>\"']+@|tel:\+?[0-9])[^\s<>\"']*"
)


def register(name: str, label: Promise | str, url_name: str) -> None:
    """Adds a place. `url_name` is reversed when a message is made."""
    _places[name] = (label, url_name)


def places() -> Mapping[str, Promise | str]:
    """The places by name, with what people call them."""
    return {name: label for name, (label, _url) in _places.items()}


def is_link(link: str) -> bool:
    """Whether a link leads somewhere: a place, an address of the web, mail or telephone, or the programme's own."""
    return link in _places or bool(_ADDRESS.fullmatch(LIQUID.sub("{}", _OWN.sub("https://own", link))))


def address(link: str) -> str:
    """The whole address of a link; what is none of ours stays as it is."""
    return settings.SITE_URL + reverse(_places[link][1]) if link in _places else link

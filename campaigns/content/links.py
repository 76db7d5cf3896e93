"""Links in mails: as they were written, with parameters for web statistics, or by way of this site, which counts."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from django.conf import settings
from django.urls import reverse

from campaigns.content import places

# The address of a reward card in a loop: which card it is stands behind the link's number.
CARD = "{{ cards_affordable.all[n].url }}"
SURVEY = "{{ survey"  # how the address of a survey begins: its reader's own link is told by the space
_OWN = re.compile(r"\{\{\s*programme\.url\s*\}\}")
TRAP = 0  # no link has this number
TOKEN = "{{ links.token }}"  # noqa: S105  the place of the token that names the mail


class Measure(NamedTuple):
    """What is told of a mail: its links count clicks, a picture counts opens, its links name the campaign."""

    clicks: bool = False
    opens: bool = False
    utm: bool = False


PLAIN = Measure()


def _counted(number: int, place: str = "") -> str:
    address = reverse("tracked_link", args=["TOKEN", number])
    return settings.SITE_URL + address.replace("TOKEN", TOKEN) + place


class Linker:
    """What a mail says in the place of each link. `ids`: the stored links that clicks are counted by; `found`: all
    links of the web that were asked for."""

    def __init__(self, measure: Measure = PLAIN, ids: Mapping[str, int] | None = None) -> None:
        self.measure, self.ids = measure, ids or {}
        self.found: set[str] = set()

    def link(self, written: str) -> str:
        url = places.address(written)
        if not (url.startswith(("http://", "https://")) or _OWN.match(url)):
            return url
        self.found.add(written)
        return _counted(self.ids[written]) if self._counts(written) else self._named(url)

    def card(self) -> str:
        """In a loop over `card`."""
        self.found.add(CARD)
        if self._counts(CARD):
            return _counted(self.ids[CARD], "{{ forloop.index0 }}/")
        return self._named("{{ card.url }}")

    def survey(self, space: str, *, step: bool) -> str:
        """To the survey of a space; with `step`, in a loop over its scale as `n`, with that number chosen."""
        written = f"{{{{ {space}.url }}}}"
        direct = f"{written}?{{{{ {space}.ask }}}}={{{{ n }}}}" if step else written
        written = f"{written}?{{{{ {space}.ask }}}}={{{{ {space}.scale[n] }}}}" if step else written
        self.found.add(written)
        return _counted(self.ids[written], "{{ forloop.index0 }}/" if step else "") if self._counts(written) else direct

    def end(self) -> str:
        """What stands at the end of the HTML: the picture, and a link that only programs find."""
        parts = []
        if self.measure.opens:
            address = reverse("tracked_open", args=["TOKEN"]).replace("TOKEN", TOKEN)
            parts.append(f'<img src="{settings.SITE_URL}{address}" alt="" width="1" height="1">')
        if self.measure.clicks:
            parts.append(f'<a href="{_counted(TRAP)}" style="display:none" aria-hidden="true" tabindex="-1"></a>')
        return "".join(parts)

    def _counts(self, written: str) -> bool:
        return self.measure.clicks and written in self.ids

    def _named(self, url: str) -> str:
        if not self.measure.utm:
            return url
        return with_query(url, "{{ links.utm }}")


def with_query(url: str, query: str) -> str:
    """An address with more parameters; one that names a campaign already stays as it is."""
    if "utm_" in url:
        return url
    url, hash_, fragment = url.partition("#")
    return f"{url}{'&' if '?' in url else '?'}{query}{hash_}{fragment}"

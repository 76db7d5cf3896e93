"""How messages look and where they come from: the brand and the programme, read once for many messages."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property

from django.conf import settings
from modeltranslation.utils import build_localized_fieldname

from campaigns.content import colours
from campaigns.models import Brand
from members.enums import Language
from members.models import Programme
from members.queries import get_programme


@dataclass(frozen=True)
class Look:
    """What every message of the shop shares."""

    brand: Brand
    programme: Programme

    @cached_property
    def stamp(self) -> str:
        """Another one as soon as a message would look another way."""
        brand, shop = self.brand, self.programme
        parts = [shop.name, shop.postal_address, shop.contact_email, shop.language, settings.SITE_URL, brand.logo]
        parts += [brand.accent, brand.background, brand.text, str(brand.radius), repr(brand.social)]
        parts += [self.footer(language) for language in Language.values]
        return hashlib.md5("\x1f".join(parts).encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def light(self) -> colours.Shades:
        return colours.light(self.brand.accent, self.brand.background, self.brand.text)

    @cached_property
    def dark(self) -> colours.Shades:
        return colours.dark(self.brand.accent, self.brand.background, self.brand.text)

    @cached_property
    def hero(self) -> dict[str, str]:
        """The dark ground of the portal's first page, and what is written on it."""
        accent = self.brand.accent
        ground = colours.at_lightness(accent, 0.33)
        return {
            "hero": ground,
            "hero-deep": colours.at_lightness(accent, 0.27),
            "hero-glow": colours.at_lightness(accent, 0.44),
            "on-hero": colours.WHITE,
            "on-hero-quiet": colours.at_lightness(accent, 0.92, 0.04),
        }

    @property
    def address(self) -> list[str]:
        """The postal address, by line."""
        return [line.strip() for line in self.programme.postal_address.splitlines() if line.strip()]

    @property
    def logo_url(self) -> str:
        return picture_url(self.brand.logo) if self.brand.logo else ""

    def footer(self, language: str) -> str:
        """The words at the foot; those of the other language where one was left out."""
        own = getattr(self.brand, build_localized_fieldname("footer", language)) or ""
        return own or self.brand.footer or ""


def get_brand() -> Brand:
    """The brand; the product's own where nobody has chosen yet. One look-up by key."""
    return Brand.objects.filter(pk=1).first() or Brand()


_one: ContextVar[Look | None] = ContextVar("one_look", default=None)


def look() -> Look:
    """As it is now; within `one_look`, as it was when that began."""
    return _one.get() or Look(get_brand(), get_programme())


@contextmanager
def one_look() -> Iterator[None]:
    """For messages that are written together the brand and the programme are read once."""
    before = _one.set(look())
    try:
        yield
    finally:
        _one.reset(before)


def picture_path(name: str) -> str:
    """Where a picture of templates is on this site, for its own pages: they may be open under another name of it."""
    return f"{settings.MEDIA_URL}mail/{name}"


def picture_url(name: str) -> str:
    """The whole address of a picture of templates."""
    return settings.SITE_URL + picture_path(name)

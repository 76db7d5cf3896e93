"""The brand: checked so that it can be read, then all pages and mails follow."""

from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext

from campaigns.content import colours
from campaigns.content.places import is_link
from campaigns.models import Brand
from rewards.services.pictures import encode_for_mail

EDITABLE = ("accent", "background", "text", "radius", "footer_en", "footer_zh_hans", "social")
MOST_SOCIAL = 6


def judge(accent: str, background: str, text: str) -> list[tuple[str, str, bool]]:
    """How well the colours can be read: (field, sentence with the ratio, whether it is enough)."""
    pairs = (
        ("text", gettext("Text on the background"), text, background),
        ("text", gettext("Text on white"), text, colours.WHITE),
        ("accent", gettext("Accent on white"), accent, colours.WHITE),
        ("accent", gettext("Words on buttons"), colours.text_on(accent), accent),
    )
    found = []
    for field, what, one, other in pairs:
        ratio = colours.contrast(one, other)
        is_enough = ratio >= colours.LEAST
        if is_enough:
            sentence = gettext("%(what)s: %(ratio)s to 1, easy to read.")
        else:
            sentence = gettext("%(what)s: %(ratio)s to 1, hard to read. At least 4.5 to 1 is needed.")
        found.append((field, sentence % {"what": what, "ratio": f"{int(ratio * 10) / 10:.1f}"}, is_enough))
    return found


@transaction.atomic
def save_brand(*, values: Mapping[str, Any], logo: IO[bytes] | None, drop_logo: bool = False, at: datetime) -> Brand:
    """Saves those of EDITABLE that are given, and a new logo. ValidationError by field; PictureRefused."""
    brand = Brand.objects.select_for_update().filter(pk=1).first() or Brand()
    for name in EDITABLE:
        if name in values:
            setattr(brand, name, values[name])
    errors: dict[str, list[str]] = {}
    for name in ("accent", "background", "text"):
        if not colours.is_hex(getattr(brand, name)):
            errors.setdefault(name, []).append(gettext("A colour is written like #7c2f62."))
    if not errors:
        for field, sentence, is_enough in judge(brand.accent, brand.background, brand.text):
            if not is_enough:
                errors.setdefault(field, []).append(sentence)
    if not 0 <= brand.radius <= 28:
        errors["radius"] = [gettext("From 0 to 28 pixels.")]
    if len(brand.social) > MOST_SOCIAL or not all(one["label"] and is_link(one["url"]) for one in brand.social):
        errors["social"] = [gettext("One page a line: its name, a blank, its address with https://. At most 6.")]
    if errors:
        raise ValidationError(errors)
    if drop_logo:
        brand.logo, brand.logo_width, brand.logo_height = "", 0, 0
    if logo is not None:
        data, ending, (brand.logo_width, brand.logo_height) = encode_for_mail(logo, side=480)
        brand.logo = f"{uuid4().hex}.{ending}"
        default_storage.save(f"mail/{brand.logo}", ContentFile(data))
    brand.changed_at = at
    brand.save()
    return brand

"""What makes two members seem to be one person, and how likely that is. docs/duplicates.md.

The same sentences, weights and keys serve the scan of all members (SQL) and the warning while one is being added.
A name alone is never a reason: people share names.
"""

import re
import unicodedata
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Reason → (points out of 100, its sentence). Likelihood is 1 - Π (1 - points/100): two weak ones make no sure one.
REASONS: dict[str, tuple[int, Promise | str]] = {
    "email": (90, _("Their e-mail addresses reach the same mailbox.")),
    "phone": (90, _("They have the same phone number.")),
    "phone_like": (50, _("Their phone numbers differ only in how they begin.")),
    "birthday": (60, _("Their names are alike and they have the same birthday.")),
    "address": (70, _("Their names are alike and they live at the same address.")),
    "postcode": (35, _("Their names are alike and they live under the same postal code.")),
    "household": (50, _("Their names are alike and they are of one household.")),
    "number": (55, _("Their names are alike and two systems know them by the same number.")),
}
SHOWN_FROM = 50  # likelihood below which a pair is not worth anybody's time
ALIKE = 0.55  # similarity of names (pg_trgm) from which they are alike
# Mailboxes that take name+anything as name; those of Google leave out dots as well.
DOTS = ["gmail.com", "googlemail.com"]
PLUS = [*DOTS, "outlook.com", "hotmail.com", "live.com", "icloud.com", "me.com", "fastmail.com", "proton.me"]


def likelihood(reasons: list[str]) -> int:
    """How likely two members are one person, 0 to 99, by what speaks for it."""
    doubt = 1.0
    for reason in reasons:
        doubt *= 1 - REASONS[reason][0] / 100
    return min(99, round(100 * (1 - doubt)))


def mailbox(address: str) -> str:
    """The address without what its provider ignores: case, dots, +tags."""
    local, _at, domain = address.strip().lower().rpartition("@")
    if domain in PLUS:
        local = local.partition("+")[0]
    if domain in DOTS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def name_key(name: str) -> str:
    """A name for comparing: small letters without accents, words in order of the alphabet; Chinese by characters."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(c))
    words = re.findall(r"[^\W\d_]+", plain)
    joined = "".join(words)
    return " ".join(sorted(joined)) if is_chinese(joined) else " ".join(sorted(words))


def is_chinese(text: str) -> bool:
    return any("\u3400" <= c <= "\u9fff" for c in text)


def told(reasons: list[dict[str, Any]]) -> list[str]:
    """The reasons of a Duplicate as sentences in the active language."""
    return [str(REASONS[reason["code"]][1]) for reason in reasons if reason["code"] in REASONS]

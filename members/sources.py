"""What members came by, in words."""

from django.utils.translation import gettext, gettext_noop

# Those that the product has words for; other names are as the systems gave them.
SOURCES = tuple(map(gettext_noop, ("portal", "till", "admin", "import", "phone", "letter", "web shop")))


def source_name(source: str) -> str:
    """What somebody came by, in the active language as far as it is one of the names that the product uses."""
    return (gettext(source) if source in SOURCES else source) or gettext("unknown")

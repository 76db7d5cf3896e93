"""Why a request is taken for what it is, in words."""

from django.utils.translation import gettext_lazy as _

_BECAUSE = {
    "": _("not judged yet"),
    "trap": _("a link that people cannot see was fetched"),
    "method": _("it only asked whether the address is there"),
    "proxy": _("a mail service fetches pictures for its readers"),
    "agent": _("the program says so itself"),
    "early": _("it came within 3 seconds of the sending"),
    "all_links": _("all its links, or three of them, were asked for within seconds"),
    "unknown": _("the program is not known"),
    "untold": _("the provider does not say by what"),
    "person": _("nothing speaks against it"),
}


def because(rule: str) -> str:
    return str(_BECAUSE.get(rule, rule))

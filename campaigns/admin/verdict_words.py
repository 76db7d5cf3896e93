"""Why a request is taken for what it is, and which program asked, in words."""

import re

from django.utils.translation import gettext
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


# The first that fits. Apple's privacy proxy says no more than "Mozilla/5.0"; a mail program of Apple's says WebKit, as
# a browser does, but not Safari.
_PROGRAMS = (
    ("GoogleImageProxy", _("Gmail, by its proxy")),
    ("YahooMailProxy", _("Yahoo Mail, by its proxy")),
    (r"^Mozilla/5\.0$", _("Apple Mail, by its proxy")),
    ("Microsoft Outlook|Microsoft Office|ms-office", "Outlook"),
    ("Thunderbird/", "Thunderbird"),
    (r"\(iPhone.*AppleWebKit(?!.*(Safari|CriOS|FxiOS|EdgiOS))", "iPhone Mail"),
    (r"\(iPad.*AppleWebKit(?!.*(Safari|CriOS|FxiOS|EdgiOS))", "iPad Mail"),
    (r"\(Macintosh.*AppleWebKit(?!.*(Safari|Chrome))", "Mac Mail"),
)
_BROWSERS = (("Edg|EdgiOS", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"),
             ("Firefox|FxiOS", "Firefox"), ("Chrome|CriOS", "Chrome"), ("Safari", "Safari"))  # fmt: skip
_DEVICES = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Macintosh", "Mac"),
            ("Windows", "Windows"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))  # fmt: skip


def program(agent: str) -> str:
    """The program that asked, as people call it: "iPhone Mail", "Firefox on Windows"; what is not known, as it says."""
    for pattern, name in _PROGRAMS:
        if re.search(pattern, agent):
            return str(name)
    browser = next((name for token, name in _BROWSERS if re.search(rf"\b({token})/", agent)), "")
    device = next((name for token, name in _DEVICES if token in agent), "")
    if browser and device:
        return gettext("%(browser)s on %(device)s") % {"browser": browser, "device": device}
    return browser or device or agent[:60]

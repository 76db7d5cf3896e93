"""What is missing or odd in the data of members, and where to mend it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext

from analytics.quality import CHECKS
from analytics.services.snapshots import figures
from loyalty_crm.telling import list_of, number, percent


def context(request: HttpRequest) -> dict[str, Any]:
    kept = figures("quality", at=now())
    members, faults = kept.data["members"], kept.data["faults"]
    return {
        "title": gettext("Data quality"),
        "as_of": kept.at,
        "members": members,
        "headline": _headline(members, members - faults["no_contact"]),
        "checks": [
            {
                "label": check.label,
                "mend": check.mend,
                "n": number(faults[check.key]),
                "share": percent(faults[check.key] / members) if members else "",
                "percent": round(100 * faults[check.key] / members) if members else 0,
                "link": _link(check.key) if faults[check.key] else "",
            }
            for check in CHECKS
        ],
    }


def _headline(members: int, reachable: int) -> str:
    if not members:
        return gettext("There are no members yet.")
    words = {"n": number(reachable), "members": number(members)}
    text = ngettext(
        "%(n)s of %(members)s member can be reached.", "%(n)s of %(members)s members can be reached.", members
    )
    return text % words


def _link(key: str) -> str:
    if key == "duplicates":
        return reverse("admin:members_duplicate_changelist")
    return list_of("members_member", data=key)

"""Writing down who of the staff saw whose data."""

from datetime import datetime

from django.utils.translation import gettext_noop

from members.enums import AccessAction
from members.models import AccessLog

# What the log says, for the translators; the pages show it in the reader's language.
KNOWN = (
    gettext_noop("member page"),
    gettext_noop("till"),
    gettext_noop("search of members"),
    gettext_noop("list of members"),
    gettext_noop("all data of a member"),
    gettext_noop("members as csv"),
    gettext_noop("members as xlsx"),
    gettext_noop("staff"),
    gettext_noop("request"),
    gettext_noop("retention"),
)


def log_access(
    *,
    actor_id: int | None,
    action: AccessAction | str,
    what: str,
    at: datetime,
    member_id: int | None = None,
    members: int = 1,
) -> None:
    """Adds a line to the log: an act upon one member, or upon `members` of them.

    `what` says which page or file it was, in English ("member page", "members as XLSX"); it must hold nothing that
    somebody typed, for the log is kept longer than the persons: not even what was searched for.
    """
    AccessLog.objects.create(
        actor_id=actor_id, action=action, what=what[:120], member_id=member_id, members=members, at=at
    )

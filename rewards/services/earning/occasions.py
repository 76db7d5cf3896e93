"""What the programme itself sees happen to members: signing up, a full profile, birthdays, years of membership."""

from collections.abc import Mapping
from datetime import date, datetime

from django.db.models import Q

from common.sql import fetch_all
from members.models import PRESENT, Member
from members.queries import BIRTHDAY_JOIN, birthday_patterns
from rewards.earning.exact import local_midnight
from rewards.earning.triggers import BIRTHDAY, JOINED_ANNIVERSARY, PROFILE_COMPLETED, SIGNED_UP
from rewards.services.earning.events import happened, is_rewarded
from rewards.services.earning.live import home

CHUNK = 1_000  # members of one transaction
FULL = ~Q(name="") & (~Q(email="") | ~Q(phone="")) & Q(birthday_month__isnull=False)


def reward_sign_ups(*, joined: Mapping[int, datetime], at: datetime) -> int:
    """Gives what signing up earns, once in a member's life; to how many."""
    present = Member.objects.filter(PRESENT, pk__in=list(joined)).values_list("pk", flat=True)
    return len(happened(trigger=SIGNED_UP, to={id_: f"signed_up:{id_}" for id_ in present}, moments=joined, at=at))


def reward_profiles(*, changed: Mapping[int, datetime], at: datetime) -> int:
    """Gives what a full profile earns, once in a member's life; to how many."""
    if not is_rewarded(PROFILE_COMPLETED):
        return 0
    full = Member.objects.filter(PRESENT, FULL, pk__in=list(changed)).values_list("pk", flat=True)
    keys = {id_: f"profile_completed:{id_}" for id_ in full}
    return len(happened(trigger=PROFILE_COMPLETED, to=keys, moments=changed, at=at))


def reward_days(*, at: datetime) -> int:
    """Gives what birthdays and years of membership earn, on their day in the programme's time zone; to how many. Once a
    year each: it may run as often as one likes."""
    zone = home().zone
    today = at.astimezone(zone).date()
    given = 0
    for trigger, members in ((BIRTHDAY, _birthdays), (JOINED_ANNIVERSARY, _anniversaries)):
        if not is_rewarded(trigger):
            continue
        ids = members(today, str(zone))
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            keys = {id_: f"{trigger}:{id_}:{today.year}" for id_ in chunk}
            moments = dict.fromkeys(chunk, local_midnight(today, zone))
            given += len(happened(trigger=trigger, to=keys, moments=moments, at=at))
    return given


def _birthdays(today: date, zone: str) -> list[int]:
    select = f"SELECT DISTINCT member.id FROM {BIRTHDAY_JOIN} WHERE {_PRESENT} ORDER BY 1"
    return [row[0] for row in fetch_all(select, birthday_patterns([today])._asdict())]


_PRESENT = "member.merged_into_id IS NULL AND member.erased_at IS NULL"
# Who joined on 29 February has their day on the 28th in other years.
_YEARS = f"""
SELECT member.id FROM members_member AS member
CROSS JOIN LATERAL (SELECT (member.joined_at AT TIME ZONE %(zone)s)::date AS day) AS joined
CROSS JOIN LATERAL (SELECT extract(year FROM %(today)s::date)::int - extract(year FROM joined.day)::int AS n) AS years
WHERE years.n > 0 AND (joined.day + make_interval(years => years.n))::date = %(today)s AND {_PRESENT} ORDER BY 1
"""


def _anniversaries(today: date, zone: str) -> list[int]:
    return [row[0] for row in fetch_all(_YEARS, {"today": today, "zone": zone})]

"""Members whom staff put into a segment by hand, or keep out of it."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from common.doorbell import ring
from common.sql import execute
from members.models import Segment, SegmentPick

WAKE = "members.tasks.bring_up_to_date"
_PICK = """
INSERT INTO members_segmentpick AS pick (segment_id, member_id, include, actor_id, at)
SELECT %(segment)s, member.id, %(include)s, %(actor)s, %(at)s
FROM members_member AS member
WHERE member.id = ANY(%(ids)s) AND member.merged_into_id IS NULL AND member.erased_at IS NULL
ORDER BY member.id
ON CONFLICT (segment_id, member_id) DO UPDATE
SET (include, actor_id, at) = (excluded.include, excluded.actor_id, excluded.at)
WHERE pick.include <> excluded.include
"""


@transaction.atomic
def set_picks(
    *, segment_id: int, member_ids: Sequence[int], include: bool | None, at: datetime, actor_id: int | None = None
) -> int:
    """Puts members into a segment (True), keeps them out (False), or leaves them to its definition (None); how many
    picks that changed. The membership follows a moment later; queries_segments obeys a "never in" at once.

    Who is merged or erased is left out. Segment.DoesNotExist where it is archived.
    """
    segment = Segment.objects.get(pk=segment_id, archived_at=None)
    ids = list(member_ids)
    if include is None:
        changed, _ = SegmentPick.objects.filter(segment=segment, member_id__in=ids).delete()
    else:
        params = {"segment": segment.pk, "ids": ids, "include": include, "actor": actor_id, "at": at}
        changed = execute(_PICK, params)
    if changed:
        look_again(ids)
    return changed


def look_again(member_ids: Sequence[int]) -> None:
    """Has these members looked at again in all segments, a moment after the commit."""
    execute("INSERT INTO members_changedmember (member_id) SELECT unnest(%s::bigint[])", [list(member_ids)])
    ring(WAKE)

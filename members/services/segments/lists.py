"""Lists of members, uploaded or put together. Segments can ask whether a member is on one."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, transaction

from common.sql import fetch_all
from members.models import MemberList, Segment
from members.queries_segments import find_members
from members.segments.tree import BadDefinition, leaves, parse
from members.services.segments.picks import look_again

MOST_KEYS = 500_000


class ListNameTaken(Exception):
    """Another list has this name."""


class TooManyKeys(Exception):
    """More than MOST_KEYS keys."""


class ListInUse(Exception):
    """Segments ask for this list; `args[0]` has their names."""


class SavedList(NamedTuple):
    """A list, how many members are on it, the keys that nobody has, and those that several members have."""

    list: MemberList
    members: int
    unknown: Sequence[str]
    ambiguous: Sequence[str]


_ENTRIES = """
WITH gone AS (
    DELETE FROM members_memberlistentry WHERE list_id = %(list)s AND NOT member_id = ANY(%(ids)s) RETURNING member_id
),
come AS (
    INSERT INTO members_memberlistentry (list_id, member_id) SELECT %(list)s, unnest(%(ids)s::bigint[])
    ON CONFLICT (list_id, member_id) DO NOTHING RETURNING member_id
)
SELECT member_id FROM gone UNION ALL SELECT member_id FROM come
"""


@transaction.atomic
def save_list(
    *, list_id: int | None = None, name: str, keys: Sequence[str], at: datetime, actor_id: int | None = None
) -> SavedList:
    """Makes a list of the members whom these keys name (see find_members), or replaces one. Segments follow.

    ListNameTaken, TooManyKeys; MemberList.DoesNotExist.
    """
    if len(keys) > MOST_KEYS:
        raise TooManyKeys(len(keys))
    try:
        with transaction.atomic():
            if list_id is None:
                list_ = MemberList.objects.create(name=name.strip(), created_by_id=actor_id)
            else:
                list_ = MemberList.objects.select_for_update().get(pk=list_id)
                list_.name = name.strip()
                list_.save(update_fields=["name"])
    except IntegrityError as error:
        raise ListNameTaken(name) from error
    found = find_members(keys)
    moved = [row[0] for row in fetch_all(_ENTRIES, {"list": list_.pk, "ids": found.member_ids})]
    if moved:
        look_again(moved)
    return SavedList(list_, len(found.member_ids), found.unknown, found.ambiguous)


@transaction.atomic
def delete_list(*, list_id: int) -> None:
    """Removes a list. ListInUse where a segment asks for it."""
    list_ = MemberList.objects.select_for_update().get(pk=list_id)
    users = [str(segment) for segment in Segment.objects.filter(archived_at=None) if _asks_for(segment, list_id)]
    if users:
        raise ListInUse(users)
    list_.delete()


def _asks_for(segment: Segment, list_id: int) -> bool:
    try:
        tree = parse(segment.definition)
    except BadDefinition:
        return False  # it fails already, and says so
    return any(leaf.trait.name == "list" and list_id in leaf.value for leaf in leaves(tree))

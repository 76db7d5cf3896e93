"""Segments: made and changed, kept fresh, picked by hand, and the lists they ask for."""

from members.services.segments.definitions import (
    NameTaken,
    SegmentCycle,
    SegmentInUse,
    archive_segment,
    held_by,
    register_holder,
    save_segment,
)
from members.services.segments.lists import (
    ListInUse,
    ListNameTaken,
    SavedList,
    TooManyKeys,
    delete_list,
    save_list,
)
from members.services.segments.picks import set_picks
from members.services.segments.refreshing import (
    Refreshed,
    RefreshFailed,
    Superseded,
    refresh,
    refresh_due,
    request_refresh,
)

__all__ = [
    "ListInUse",
    "ListNameTaken",
    "NameTaken",
    "RefreshFailed",
    "Refreshed",
    "SavedList",
    "SegmentCycle",
    "SegmentInUse",
    "Superseded",
    "TooManyKeys",
    "archive_segment",
    "delete_list",
    "held_by",
    "refresh",
    "refresh_due",
    "register_holder",
    "request_refresh",
    "save_list",
    "save_segment",
    "set_picks",
]

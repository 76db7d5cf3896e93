"""On which networks, with which browsers, devices and means of payment members were seen: keyed hashes that age out."""

from collections.abc import Mapping
from datetime import datetime

from common.sql import execute
from referrals.marks import mark, network_mark

KINDS = ("network", "browser", "device", "payment")
_NOTE = """
INSERT INTO referrals_trace (member_id, kind, mark, seen_at)
SELECT %(member)s, kind, mark, %(at)s FROM unnest(%(kinds)s::text[], %(marks)s::text[]) AS seen (kind, mark)
ON CONFLICT (member_id, kind, mark) DO UPDATE SET seen_at = greatest(referrals_trace.seen_at, excluded.seen_at)
"""


def note(*, member_id: int, seen: Mapping[str, str], at: datetime) -> None:
    """Keeps what a member was seen with, by kind; empty values are left out. A network is told by an IP address."""
    if unknown := seen.keys() - set(KINDS):
        raise ValueError(unknown)
    told = {kind: value for kind, value in seen.items() if value}
    marks = {kind: network_mark(value) if kind == "network" else mark(kind, value) for kind, value in told.items()}
    marks = {kind: value for kind, value in marks.items() if value}
    if marks:
        execute(_NOTE, {"member": member_id, "kinds": list(marks), "marks": list(marks.values()), "at": at})

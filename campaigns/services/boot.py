"""Whether what was committed without waiting for the disk is still there.

Marks at hand-over are committed with synchronous_commit = off: they survive the death of any worker, but not a crash of
PostgreSQL. An unlogged table is emptied by the recovery from a crash, and by nothing else: as long as its row is the
one that was read before the marks were made, none of them is missing.
"""

from uuid import UUID

from common.sql import fetch_all


def boot_uid() -> UUID:
    """Another one after each crash of the database."""
    found = fetch_all("SELECT uid FROM campaigns_boot")
    if not found:
        fetch_all("INSERT INTO campaigns_boot VALUES (1, gen_random_uuid()) ON CONFLICT DO NOTHING")
        found = fetch_all("SELECT uid FROM campaigns_boot")
    return found[0][0]

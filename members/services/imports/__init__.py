"""Files of purchases on their way in. rewards.services.purchase_import runs them; docs/import.md tells how."""

from members.services.imports.chunks import MOST_PROBLEMS
from members.services.imports.columns import mapping_from
from members.services.imports.intake import (
    TooLate,
    create_import,
    discard,
    dismiss,
    ends_open,
    go_on,
    look_into,
    make_ready,
    read_anew,
    request_cancel,
    set_columns,
)

__all__ = [
    "MOST_PROBLEMS",
    "TooLate",
    "create_import",
    "discard",
    "dismiss",
    "ends_open",
    "go_on",
    "look_into",
    "make_ready",
    "mapping_from",
    "read_anew",
    "request_cancel",
    "set_columns",
]

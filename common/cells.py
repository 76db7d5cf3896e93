"""Cells of files that people open in spreadsheets."""

import re
from typing import Any

_FORMULA = re.compile(r"[=+\-@\t\r](?![\d .]*$)")


def plain_cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula (OWASP, CSV injection); numbers and phone numbers stay."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value

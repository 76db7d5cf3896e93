from surveys.admin import (
    cases,
    reach,
    report,
    survey,
)

__all__ = [
    "cases",
    "reach",
    "report",
    "survey",
]

from surveys.admin import (
    cases,
    reach,
    report,
    survey,
    verbatims,
)

__all__ = [
    "cases",
    "reach",
    "report",
    "survey",
    "verbatims",
]

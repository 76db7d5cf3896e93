from surveys.admin import (
    cases,
    reach,
    report,
    share,
    survey,
    verbatims,
)

__all__ = [
    "cases",
    "reach",
    "report",
    "share",
    "survey",
    "verbatims",
]

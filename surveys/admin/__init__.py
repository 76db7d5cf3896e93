from surveys.admin import (
    cases,
    reach,
    report,
    share,
    survey,
    themes,
    triggers,
    verbatims,
)

__all__ = [
    "cases",
    "reach",
    "report",
    "share",
    "survey",
    "themes",
    "triggers",
    "verbatims",
]

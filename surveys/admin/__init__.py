from surveys.admin import (
    answers,
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
    "answers",
    "cases",
    "reach",
    "report",
    "share",
    "survey",
    "themes",
    "triggers",
    "verbatims",
]

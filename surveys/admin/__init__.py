from surveys.admin import (
    cases,
    reach,
    survey,
)

__all__ = [
    "cases",
    "reach",
    "survey",
]

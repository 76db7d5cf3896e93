from surveys.admin import (
    reach,
    survey,
)

__all__ = [
    "reach",
    "survey",
]

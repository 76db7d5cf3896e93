from surveys.admin import (
    survey,
)

__all__ = [
    "survey",
]

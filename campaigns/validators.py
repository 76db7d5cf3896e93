"""Checks of what marketers write."""

from django.core.exceptions import ValidationError

from campaigns import merge


def validate_liquid(value: str) -> None:
    """Every merge field exists and every tag can be read, else ValidationError, a sentence for each mistake."""
    if sentences := merge.problems(value):
        raise ValidationError([ValidationError(sentence, code="liquid") for sentence in sentences])

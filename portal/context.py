from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from members.queries import get_programme


def programme(request: HttpRequest) -> dict:
    """The shop's name and settings for every page; asked for when a page first uses them."""
    return {"programme": SimpleLazyObject(get_programme)}

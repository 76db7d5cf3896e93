"""The site of the staff pages."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from unfold.sites import UnfoldAdminSite


class DeskSite(UnfoldAdminSite):
    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """Every model with its addresses, made when somebody reads it: our menu is another, and most pages never do."""
        return SimpleLazyObject(lambda: super(DeskSite, self).get_app_list(request, app_label))

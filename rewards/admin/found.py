"""What the lists of things that members did share: found by who the member is, and files with words in them."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field

from common.admin import PlainResource
from common.money import to_major
from members.queries import search

FOUND_AT_MOST = 1_000


class FoundByMember:
    """Such a list is searched by name, phone, card number or e-mail; where its rows have a key, by that as well."""

    search_help_text = _("A member's name, phone, card number or e-mail")
    own_key = ""  # a field that is searched word for word

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not (term := search_term.strip()):
            return queryset, False
        found = Q(member__in=list(search(term).order_by().values_list("pk", flat=True)[:FOUND_AT_MOST]))
        if self.own_key:
            found |= Q(**{self.own_key: term})
        return queryset.filter(found), False


class OfMember(PlainResource):
    """A file of such rows: whose they are stands first."""

    card = Field("member__card_number", column_name="card number")
    name = Field("member__name", column_name="member")


class Major(Field):
    """An amount in major units of the row's `currency`, its own or annotated."""

    def get_value(self, instance: Any) -> Any:
        minor = super().get_value(instance)
        return None if minor is None or not instance.currency else to_major(minor, instance.currency)

"""The lists in the portal: newest first, a page at a time."""

import django_tables2 as tables
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from members.models import Purchase
from rewards.models import Transfer
from rewards.queries import explain

NUMBER = {"th": {"class": "number"}, "td": {"class": "number"}}
WIDE = {"th": {"class": "wide"}, "td": {"class": "wide"}}


class HistoryTable(tables.Table):
    at = tables.DateColumn(short=False, verbose_name=_("Date"), attrs=WIDE)
    why = tables.Column(verbose_name=_("What for"), empty_values=())
    change = tables.TemplateColumn("{% load portal %}{% change value %}", verbose_name=_("Points"), attrs=NUMBER)

    class Meta:
        orderable = False
        attrs = {"class": "table"}

    def render_why(self, record: Transfer) -> str:
        return render_to_string("portal/table_what.html", {"what": explain(record), "at": record.at})


class PurchaseTable(tables.Table):
    purchased_at = tables.DateColumn(short=False, verbose_name=_("Date"), attrs=WIDE)
    what = tables.Column(verbose_name=_("Purchase"), empty_values=())
    amount = tables.TemplateColumn(
        template_name="portal/table_amount.html", verbose_name=_("Amount"), attrs=NUMBER, accessor="amount_minor"
    )
    points = tables.TemplateColumn("{% load portal %}{% change value %}", verbose_name=_("Points"), attrs=NUMBER)

    class Meta:
        orderable = False
        attrs = {"class": "table"}

    def render_what(self, record: Purchase) -> str:
        what = record.store or record.get_channel_display()
        return render_to_string("portal/table_what.html", {"what": what, "at": record.purchased_at, "purchase": record})

"""The lists in the portal: newest first, a page at a time."""

import django_tables2 as tables
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.moments import format_day, format_last_day
from members.models import Purchase
from members.queries import get_programme
from portal.templatetags.portal import money_change
from rewards.earning.words import waits_text
from rewards.enums import Unit
from rewards.models import Transfer
from rewards.queries import amount_text, explain

NUMBER = {"th": {"class": "number"}, "td": {"class": "number"}}
WIDE = {"th": {"class": "wide"}, "td": {"class": "wide"}}


class HistoryTable(tables.Table):
    unit = Unit.POINTS
    at = tables.DateColumn(short=False, verbose_name=_("Date"), attrs=WIDE)
    why = tables.Column(verbose_name=_("What for"), empty_values=())
    change = tables.TemplateColumn("{% load portal %}{% change value %}", verbose_name=_("Points"), attrs=NUMBER)

    class Meta:
        orderable = False
        attrs = {"class": "table"}

    def render_why(self, record: Transfer) -> str:
        context = {"what": explain(record), "at": record.at, "until": _until(record, self.unit)}
        return render_to_string("portal/table_what.html", context)


def _until(movement: Transfer, unit: Unit) -> str:
    """From when and until when what came in can be spent; nothing of what is spent."""
    lot = getattr(movement, "lot", None)
    now = timezone.now()
    if lot is None or not lot.remaining or (lot.expires_at and lot.expires_at <= now):
        return ""
    words = {"from": format_day(lot.available_from), "until": format_last_day(lot.expires_at)}
    if lot.available_from > now and (waits := movement.why.get("waits")):
        return waits_text(waits)
    if lot.available_from > now:
        return gettext("Can be spent from %(from)s") % words
    if lot.expires_at is None:
        return ""
    if lot.remaining == lot.amount:
        return gettext("Good until %(until)s") % words
    return gettext("%(left)s left, good until %(until)s") % {**words, "left": amount_text(lot.remaining, unit)}


class CreditTable(HistoryTable):
    """As money."""

    unit = Unit.CREDIT
    change = tables.Column(verbose_name=_("Amount"), attrs=NUMBER)

    class Meta(HistoryTable.Meta):
        pass

    def render_change(self, value: int) -> SafeString:
        return money_change(value, get_programme().currency)


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

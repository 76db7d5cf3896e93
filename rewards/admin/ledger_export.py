"""The ledger's lists, to be taken along and summed up: each row with what it adds to the figure that led to it."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.utils.timezone import now
from django.utils.translation import gettext
from import_export.fields import Field

from common.admin import ExportAdmin, PlainResource, QuickChangeList, ReadOnlyAdmin
from common.money import to_major
from rewards.enums import NEVER, Unit
from rewards.models import Lot, Transfer
from rewards.queries import amount_text, explain


def _told(amount: int | None, unit: str, currency: str) -> int | Decimal:
    """Points as a number, credit in major units."""
    return amount or 0 if unit == Unit.POINTS else to_major(amount or 0, currency)


class TransferResource(PlainResource):
    unit = Field("debit__unit", column_name="unit")
    source = Field("debit__kind", column_name="from account")
    target = Field("credit__kind", column_name="to account")
    card = Field(column_name="card number")
    amount = Field(column_name="amount")
    why = Field(column_name="why")
    purchase = Field("purchase__key", column_name="purchase")

    class Meta:
        model = Transfer
        fields = ("id", "at", "kind", "unit", "amount", "card", "source", "target", "purchase", "why", "key")
        export_order = fields

    def dehydrate_card(self, transfer: Transfer) -> str:
        member = transfer.credit.member or transfer.debit.member
        return member.card_number if member else ""

    def dehydrate_amount(self, transfer: Any) -> int | Decimal:
        """As the list has it: what it adds to a figure, else to what the member has."""
        return _told(signed(transfer), transfer.debit.unit, transfer.currency)

    def dehydrate_why(self, transfer: Any) -> str:
        transfer.reward_name = transfer.reward_name or transfer.redeemed_name
        return explain(transfer)


class LotResource(PlainResource):
    unit = Field("account__unit", column_name="unit")
    card = Field("account__member__card_number", column_name="card number")
    given = Field("transfer__at", column_name="given")
    amount = Field(column_name="amount")
    remaining = Field(column_name="left")
    reserved = Field(column_name="reserved")
    waits_for = Field(column_name="waits for")

    class Meta:
        model = Lot
        fields = (
            "id", "card", "unit", "given", "amount", "remaining", "reserved", "available_from", "waits_for",
            "expires_at",
        )  # fmt: skip
        export_order = fields

    def dehydrate_amount(self, lot: Any) -> int | Decimal:
        return _told(lot.amount, lot.account.unit, lot.currency)

    def dehydrate_remaining(self, lot: Any) -> int | Decimal:
        return _told(lot.remaining, lot.account.unit, lot.currency)

    def dehydrate_available_from(self, lot: Any) -> datetime | None:
        return None if lot.available_from >= NEVER else lot.available_from

    def dehydrate_waits_for(self, lot: Any) -> str:
        pending = lot.remaining and lot.available_from > now()
        return lot.transfer.why.get("waits", {}).get("for", "") if pending else ""

    def dehydrate_reserved(self, lot: Any) -> int | Decimal:
        return _told(lot.reserved, lot.account.unit, lot.currency)


def signed(transfer: Any) -> int:
    """What a movement adds to the figure that led to it; else to what its member has."""
    told = getattr(transfer, "signed", None)
    if told is not None:
        return told
    goes = transfer.debit.balance is not None and transfer.credit.balance is None  # out of a wallet or off a gift card
    return -transfer.amount if goes else transfer.amount


class SummedList(QuickChangeList):
    """Says what its rows come to, where they are of one unit and not too many to be counted."""

    total = ""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        unit, pages = request.GET.get("unit"), self.paginator
        if unit in Unit.values and self.has_active_filters and not (pages.is_whole or pages.is_capped):
            self.total = self.model_admin.total(self.queryset.order_by(), unit)


class SummedAdmin(ExportAdmin, ReadOnlyAdmin):
    """A list of the ledger: summed up, and to be taken along by those who may export members."""

    export_permission = "members.download_exportjob"
    list_before_template = "admin/ledger_total.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SummedList]:
        return SummedList

    def total(self, queryset: QuerySet, unit: str) -> str:
        """A sentence; "" where the rows are not to be added up."""
        raise NotImplementedError

    def _in_words(self, amount: int | None, unit: str) -> str:
        return gettext("In all: %(amount)s") % {"amount": amount_text(amount or 0, unit)}


def sum_signed(queryset: QuerySet) -> int | None:
    return queryset.values("signed").aggregate(n=Sum("signed"))["n"]

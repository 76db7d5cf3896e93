"""The ledger, to be read: every movement of points with its why, and what is left of what came in."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import BigIntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ReadOnlyAdmin, record_link
from common.moments import format_day, format_moment
from members.models import Member
from members.queries import search
from rewards.enums import TransferKind
from rewards.models import Account, Hold, Lot, Transfer
from rewards.queries import explain

FOUND_AT_MOST = 1_000


def wallets_found(text: str) -> QuerySet[Account]:
    """The wallets of members found by what was typed; at most FOUND_AT_MOST."""
    members = search(text).order_by().values_list("pk", flat=True)[:FOUND_AT_MOST]
    return Account.objects.filter(member__in=list(members))


def member_link(member: Member | None) -> str:
    return record_link("members_member", member.pk, member) if member else "–"


def transfer_link(transfer: Transfer) -> str:
    return record_link("rewards_transfer", transfer.pk, explain(transfer))


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    list_display = ("when", "member", "shown_kind", "change", "sentence", "shown_back", "actor")
    list_filter = ("kind", "at")
    list_select_related = ("debit__member", "credit__member", "actor", "hold")
    search_fields = ("key",)
    search_help_text = _("A member's name, phone, card number or e-mail")
    ordering = ("-at", "-id")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("sentence", ("member_page", "change"), ("at", "created_at"), ("kind", "actor"))}),
        (_("Where it belongs"), {"fields": (("debit", "credit"), ("bought", "back_of"), "backs", "shown_lot", "used")}),
        (_("Why"), {"fields": ("reason", "note", "details", "key")}),
    )
    readonly_fields = (
        "sentence", "member_page", "change", "bought", "back_of", "backs", "shown_lot", "used", "details",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transfer]:
        back = Transfer.objects.filter(reverses=OuterRef("pk"), kind=TransferKind.REVERSE).order_by().values("reverses")
        hold = Hold.objects.filter(pk=OuterRef("hold_id")).values("account__member__name")
        return (
            super()
            .get_queryset(request)
            .annotate(
                taken_back=Subquery(back.annotate(n=Sum("amount")).values("n")),
                hold_id=Cast(KT("why__hold"), BigIntegerField()),
                held_for=Subquery(hold),
            )
        )

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if not search_term.strip():
            return queryset, False
        wallets = list(wallets_found(search_term).values_list("pk", flat=True))
        return queryset.filter(Q(debit__in=wallets) | Q(credit__in=wallets)), False

    @display(description=_("when"), ordering="at")
    def when(self, transfer: Transfer) -> str:
        return format_moment(transfer.at)

    @display(description=_("member"))
    def member(self, transfer: Transfer) -> Any:
        return transfer.credit.member or transfer.debit.member or transfer.held_for

    @display(description=_("member"))
    def member_page(self, transfer: Transfer) -> str:
        member = transfer.credit.member or transfer.debit.member
        if member is None and (hold := Hold.objects.filter(pk=transfer.why.get("hold")).first()):
            member = hold.account.member
        return member_link(member)

    @display(
        description=_("kind"),
        label={kind.value: "success" for kind in (TransferKind.EARN, TransferKind.GIFT)}
        | {kind.value: "danger" for kind in (TransferKind.EXPIRE, TransferKind.REVERSE)}
        | {kind.value: "info" for kind in (TransferKind.REDEEM, TransferKind.HOLD, TransferKind.RELEASE)}
        | {TransferKind.ADJUST.value: "warning"},
    )
    def shown_kind(self, transfer: Transfer) -> tuple:
        return transfer.kind, transfer.get_kind_display()

    @display(description=_("points"))
    def change(self, transfer: Transfer) -> str:
        sign = "+" if transfer.credit.member_id else "−" if transfer.debit.member_id else ""  # as of what was reserved
        return f"{sign}{transfer.amount:,}"

    @display(description=_("why"))
    def sentence(self, transfer: Transfer) -> str:
        return explain(transfer)

    @display(description=_("taken back since"))
    def shown_back(self, transfer: Transfer) -> str:
        return f"−{transfer.taken_back:,}" if transfer.taken_back else ""

    @display(description=_("purchase"))
    def bought(self, transfer: Transfer) -> str | None:
        if transfer.purchase_id is None:
            return None
        href = reverse("admin:members_purchase_change", args=[transfer.purchase_id])
        return format_html('<a class="desk-link" href="{}">{}</a>', href, transfer.purchase)

    @display(description=_("takes back"))
    def back_of(self, transfer: Transfer) -> str | None:
        return transfer_link(transfer.reverses) if transfer.reverses else None

    @display(description=_("taken back by"))
    def backs(self, transfer: Transfer) -> str:
        return format_html_join("", "{}<br>", [(transfer_link(t),) for t in transfer.reversals.order_by("id")])

    @display(description=_("lot"))
    def shown_lot(self, transfer: Transfer) -> str | None:
        lot = Lot.objects.filter(transfer=transfer).first()
        if lot is None:
            return None
        return format_html(
            '<a class="desk-link" href="{}">{}</a>', reverse("admin:rewards_lot_change", args=[lot.pk]), lot
        )

    @display(description=_("taken from"))
    def used(self, transfer: Transfer) -> str:
        uses = transfer.lot_uses.select_related("lot__transfer").order_by("lot_id")
        return format_html_join("", "{} · {}<br>", [(f"{u.amount:,}", transfer_link(u.lot.transfer)) for u in uses])

    @display(description=_("details"))
    def details(self, transfer: Transfer) -> str:
        rows = [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in transfer.why.items()]
        cells = format_html_join("", "<tr><th scope='row'>{}</th><td>{}</td></tr>", rows)
        return format_html('<table class="desk-table">{}</table>', cells) if rows else "–"


class LotStateFilter(admin.SimpleListFilter):
    title = _("what is left")
    parameter_name = "left"

    def lookups(self, request, model_admin):
        return (("open", _("Something, not expired")), ("none", _("Nothing")))

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "open":
            return queryset.filter(Q(expires_at=None) | Q(expires_at__gt=now()), remaining__gt=0)
        return queryset.filter(remaining=0) if self.value() == "none" else queryset


@admin.register(Lot)
class LotAdmin(ReadOnlyAdmin):
    list_display = ("member", "amount", "remaining", "since", "until", "sentence")
    list_filter = (LotStateFilter, "expires_at")
    list_select_related = ("account__member", "transfer")
    search_fields = ("id",)
    search_help_text = _("A member's name, phone, card number or e-mail")
    ordering = ("-id",)
    sortable_by = ()
    fields = ("member_page", ("amount", "remaining"), ("available_from", "expires_at"), "came", "used")
    readonly_fields = ("member_page", "came", "used")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if not search_term.strip():
            return queryset, False
        wallets = list(wallets_found(search_term).values_list("pk", flat=True))
        return queryset.filter(account__in=wallets), False

    @display(description=_("available from"))
    def since(self, lot: Lot) -> str:
        return format_day(lot.available_from)

    @display(description=_("expires"))
    def until(self, lot: Lot) -> str:
        return format_day(lot.expires_at)

    @display(description=_("member"))
    def member(self, lot: Lot) -> Any:
        return lot.account.member

    @display(description=_("member"))
    def member_page(self, lot: Lot) -> str:
        return member_link(lot.account.member)

    @display(description=_("why"))
    def sentence(self, lot: Lot) -> str:
        return explain(lot.transfer)

    @display(description=_("came from"))
    def came(self, lot: Lot) -> str:
        return transfer_link(lot.transfer)

    @display(description=_("used for"))
    def used(self, lot: Lot) -> str:
        uses = lot.uses.select_related("transfer__hold").order_by("id")
        return format_html_join("", "{} · {}<br>", [(f"{u.amount:,}", transfer_link(u.transfer)) for u in uses])

"""The ledger, to be read: every movement of points with its why, and what is left of what came in."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import BigIntegerField, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.timezone import now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from common.admin import Tones, record_link
from common.moments import format_day, format_end, format_last_day, format_moment
from common.money import format_money
from members.models import Member, Programme
from members.queries import get_programme, search
from rewards.admin.found import FOUND_AT_MOST
from rewards.admin.ledger_export import LotResource, SummedAdmin, TransferResource, signed, sum_signed
from rewards.admin.ledger_filters import (
    FlowFilter,
    FromFilter,
    GivenInFilter,
    HolderFilter,
    HoldFilter,
    LotStateFilter,
    LotUnitFilter,
    RuleFilter,
    ToFilter,
    UnitFilter,
)
from rewards.admin.lot_acts import ActivateView, CancelView, ExtendView, ReinstateView
from rewards.admin.rules.why import steps
from rewards.earning.words import waits_text
from rewards.enums import NEVER, HoldState, LotAct, TransferKind, Unit
from rewards.models import Account, Hold, Lot, LotChange, LotUse, Reward, Transfer
from rewards.queries import explain, name_of, with_rewards


def wallets_found(text: str) -> QuerySet[Account]:
    """The wallets of members found by what was typed; at most FOUND_AT_MOST."""
    members = search(text).order_by().values_list("pk", flat=True)[:FOUND_AT_MOST]
    return Account.objects.filter(member__in=list(members))


def member_link(member: Member | None) -> str:
    return record_link("members_member", member.pk, member) if member else "–"


def _whose(*accounts: Account) -> Member | str | None:
    """The member that one of these is of, or which gift card: by its last four signs, for the code is money."""
    for account in accounts:
        if account.member:
            return account.member
        if account.coupon:
            return gettext("Gift card …%(end)s") % {"end": account.coupon.code[-4:]}
    return None


def _whose_page(*accounts: Account) -> str:
    card = next((account.coupon_id for account in accounts if account.coupon_id), None)
    told = _whose(*accounts)
    return record_link("rewards_coupon", card, told) if isinstance(told, str) else member_link(told)


def _moved(change: LotChange) -> tuple[str, str]:
    """From when to when: days on which a lot begins, or last days."""
    if change.act == LotAct.EXTEND:
        return format_last_day(change.was), format_last_day(change.now) or gettext("never")
    was = gettext("an event") if change.was and change.was >= NEVER else format_day(change.was)
    return was, format_day(change.now)


def transfer_link(transfer: Transfer) -> str:
    return record_link("rewards_transfer", transfer.pk, explain(transfer))


# The programme's, once for all rows of a list.
CURRENCY = Coalesce(Subquery(Programme.objects.values("currency")[:1]), Value(Programme().currency))


def shown(amount: int, unit: str, currency: str) -> str:
    """Points as a number, credit as money."""
    return f"{amount:,}" if unit == Unit.POINTS else format_money(amount, currency)


@admin.register(Transfer)
class TransferAdmin(SummedAdmin):
    resource_classes = (TransferResource,)
    list_display = ("when", "member", "shown_kind", "change", "sentence", "shown_back", "actor")
    list_filter = ("kind", UnitFilter, FlowFilter, FromFilter, ToFilter, HoldFilter, RuleFilter, "at")
    actions_detail = ("reinstate",)
    list_select_related = (
        "debit__member", "credit__member", "debit__coupon", "credit__coupon", "actor", "hold", "rule__rule", "purchase"
    )  # fmt: skip
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
        reward = Reward.objects.filter(redemptions__hold=OuterRef("hold_id"))
        return with_rewards(super().get_queryset(request)).annotate(
            taken_back=Subquery(back.annotate(n=Sum("amount")).values("n")),
            hold_id=Cast(KT("why__hold"), BigIntegerField()),
            held_for=Subquery(hold),
            redeemed_name=name_of(reward),
            currency=CURRENCY,
        )

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if not search_term.strip():
            return queryset, False
        wallets = list(wallets_found(search_term).values_list("pk", flat=True))
        return queryset.filter(Q(debit__in=wallets) | Q(credit__in=wallets)), False

    def total(self, queryset: QuerySet, unit: str) -> str:
        """Of what adds up: a flow of the figures, or reservations."""
        return self._in_words(sum_signed(queryset), unit) if "signed" in queryset.query.annotations else ""

    @action(description=_("Bring back"), url_path="reinstate", permissions=["reinstate"], icon="restore")
    def reinstate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ReinstateView.answer(self, request, object_id=object_id)

    reinstate.dialog = {"title": ""}

    def has_reinstate_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of an expiry that was not brought back yet, and not of a gift card's."""
        pk = int(obj) if request.user.has_perm("rewards.change_lot") and str(obj).isdecimal() else 0
        expired = Transfer.objects.filter(pk=pk, kind=TransferKind.EXPIRE, reversals=None)
        return expired.exclude(debit__member=None).exists()

    @display(description=_("when"), ordering="at")
    def when(self, transfer: Transfer) -> str:
        return format_moment(transfer.at)

    @display(description=_("member"))
    def member(self, transfer: Transfer) -> Any:
        return _whose(transfer.credit, transfer.debit) or transfer.held_for

    @display(description=_("member"))
    def member_page(self, transfer: Transfer) -> str:
        hold = Hold.objects.filter(pk=transfer.why.get("hold")).select_related("account__member").first()
        accounts = [transfer.credit, transfer.debit, *([hold.account] if hold else [])]
        return _whose_page(*accounts)

    @display(
        description=_("kind"),
        label=Tones(
            {kind.value: "success" for kind in (TransferKind.EARN, TransferKind.GIFT)}
            | {kind.value: "danger" for kind in (TransferKind.EXPIRE, TransferKind.REVERSE)}
            | {kind.value: "info" for kind in (TransferKind.REDEEM, TransferKind.HOLD, TransferKind.RELEASE)}
            | {TransferKind.ADJUST.value: "warning"}
        ),
    )
    def shown_kind(self, transfer: Transfer) -> tuple:
        return transfer.kind, transfer.get_kind_display()

    @display(description=pgettext_lazy("points", "amount"))
    def change(self, transfer: Transfer) -> str:
        amount, is_reserved = signed(transfer), transfer.credit.balance is None and transfer.debit.balance is None
        sign = "−" if amount < 0 else "" if is_reserved and not hasattr(transfer, "signed") else "+"
        return f"{sign}{shown(transfer.amount, transfer.debit.unit, transfer.currency)}"

    @display(description=_("why"))
    def sentence(self, transfer: Any) -> str:
        transfer.reward_name = transfer.reward_name or transfer.redeemed_name
        return explain(transfer)

    @display(description=_("taken back since"))
    def shown_back(self, transfer: Transfer) -> str:
        back = transfer.taken_back
        return f"−{shown(back, transfer.debit.unit, transfer.currency)}" if back else ""

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
        unit, currency = transfer.debit.unit, transfer.currency
        rows = [(shown(use.amount, unit, currency), transfer_link(use.lot.transfer)) for use in uses]
        return format_html_join("", "{} · {}<br>", rows)

    @display(description=_("details"))
    def details(self, transfer: Transfer) -> str:
        if "exact" in transfer.why:  # an award: its arithmetic in words, and with it what gave nothing
            told = [(step,) for step in steps(transfer, get_programme().currency)]
            kind, cause = ("purchase", transfer.purchase_id) if transfer.purchase_id else transfer.key.split(":")[1:3]
            why = reverse("admin:rewards_earningrule_why", args=[kind, cause])
            link = format_html('<a class="desk-link" href="{}">{}</a>', why, _("Why, rule by rule"))
            return format_html_join("", "{}<br>", [*told, (link,)])
        rows = [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in transfer.why.items()]
        cells = format_html_join("", "<tr><th scope='row'>{}</th><td>{}</td></tr>", rows)
        return format_html('<table class="desk-table">{}</table>', cells) if rows else "–"


@admin.register(Lot)
class LotAdmin(SummedAdmin):
    resource_classes = (LotResource,)
    list_display = ("member", "came_in", "left", "shown_reserved", "since", "until", "sentence")
    list_filter = (
        LotStateFilter,
        LotUnitFilter,
        HolderFilter,
        GivenInFilter,
        "available_from",
        "expires_at",
        "transfer__at",
    )
    actions_detail = ("activate", "cancel", "extend")
    list_select_related = ("account__member", "account__coupon", "transfer__rule__rule")
    search_fields = ("id",)
    search_help_text = _("A member's name, phone, card number or e-mail")
    ordering = ("-id",)
    sortable_by = ()
    fields = ("member_page", ("came_in", "left"), ("since", "ends"), "came", "used", "changed")
    readonly_fields = ("member_page", "came_in", "left", "ends", "came", "used", "changed")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if not search_term.strip():
            return queryset, False
        wallets = list(wallets_found(search_term).values_list("pk", flat=True))
        return queryset.filter(account__in=wallets), False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lot]:
        held = LotUse.objects.filter(lot=OuterRef("pk"), transfer__hold__state=HoldState.RESERVED).order_by()
        reserved = Coalesce(Subquery(held.values("lot").annotate(n=Sum("amount")).values("n")), Value(0))
        return super().get_queryset(request).annotate(currency=CURRENCY, reserved=reserved)

    def total(self, queryset: QuerySet, unit: str) -> str:
        """What is left; with *Outstanding* what is reserved, too."""
        if "counted" not in queryset.query.annotations:
            queryset = queryset.annotate(counted=F("remaining"))
        return self._in_words(queryset.aggregate(n=Sum("counted"))["n"], unit)

    # --- What can be done -------------------------------------------------------------------------------------------
    @action(description=_("Activate"), url_path="activate", permissions=["pending"], icon="lock_open")
    def activate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ActivateView.answer(self, request, object_id=object_id)

    @action(description=_("Take back"), url_path="cancel", permissions=["pending"], icon="undo")
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return CancelView.answer(self, request, object_id=object_id)

    @action(description=_("Let live longer"), url_path="extend", permissions=["extend"], icon="more_time")
    def extend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ExtendView.answer(self, request, object_id=object_id)

    activate.dialog = cancel.dialog = extend.dialog = {"title": ""}

    def _open(self, request: HttpRequest, object_id: Any) -> QuerySet[Lot]:
        """The member's lot, if this person may do something with it and there is something left."""
        pk = int(object_id) if request.user.has_perm("rewards.change_lot") and str(object_id).isdecimal() else 0
        lives = Q(expires_at=None) | Q(expires_at__gt=now())
        return Lot.objects.filter(lives, pk=pk, remaining__gt=0).exclude(account__member=None)

    def has_pending_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._open(request, obj).filter(available_from__gt=now()).exists()

    def has_extend_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._open(request, obj).filter(expires_at__isnull=False).exists()

    # --- What is shown ----------------------------------------------------------------------------------------------
    @display(description=_("came in"))
    def came_in(self, lot: Lot) -> str:
        return shown(lot.amount, lot.account.unit, lot.currency)

    @display(description=_("left"))
    def left(self, lot: Lot) -> str:
        return shown(lot.remaining, lot.account.unit, lot.currency)

    @display(description=_("reserved"))
    def shown_reserved(self, lot: Any) -> str:
        return shown(lot.reserved, lot.account.unit, lot.currency) if lot.reserved else ""

    @display(description=_("changed by staff"))
    def changed(self, lot: Lot) -> str:
        changes = lot.changes.select_related("actor").order_by("pk")
        rows = [(format_moment(c.at), c.get_act_display(), *_moved(c), c.reason, c.actor or "") for c in changes]
        return format_html_join("", "{} · {}: {} → {} · {} · {}<br>", rows)

    @display(description=_("available from"))
    def since(self, lot: Lot) -> str:
        waits = lot.transfer.why.get("waits") if lot.available_from > now() else None
        return waits_text(waits) if waits else lot.begins

    @display(description=_("expires"))
    def until(self, lot: Lot) -> str:
        return format_last_day(lot.expires_at)

    @display(description=_("can be spent until"))
    def ends(self, lot: Lot) -> str:
        return format_end(lot.expires_at) or gettext("they never expire")

    @display(description=_("member"))
    def member(self, lot: Lot) -> Any:
        return _whose(lot.account)

    @display(description=_("member"))
    def member_page(self, lot: Lot) -> str:
        return _whose_page(lot.account)

    @display(description=_("why"))
    def sentence(self, lot: Lot) -> str:
        return explain(lot.transfer)

    @display(description=_("came from"))
    def came(self, lot: Lot) -> str:
        return transfer_link(lot.transfer)

    @display(description=_("used for"))
    def used(self, lot: Lot) -> str:
        transfers = with_rewards(Transfer.objects.select_related("hold", "rule__rule"))
        uses = lot.uses.prefetch_related(Prefetch("transfer", transfers)).order_by("id")
        unit, currency = lot.account.unit, lot.currency
        rows = [(shown(use.amount, unit, currency), transfer_link(use.transfer)) for use in uses]
        return format_html_join("", "{} · {}<br>", rows)

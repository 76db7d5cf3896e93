"""Who took what, and the desk from which it is sent or handed over."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from import_export.fields import Field
from unfold.decorators import action, display

from common.admin import ExportAdmin, Labelled, ReadOnlyAdmin, record_link
from common.moments import format_day, format_moment
from members.queries import get_programme, search
from rewards.admin.catalogue.acts import (
    CancelRedemptionView,
    CodeView,
    CollectView,
    ConfirmRedemptionView,
    RefundRedemptionView,
    SendView,
)
from rewards.admin.found import FOUND_AT_MOST, Major, OfMember
from rewards.admin.ledger import member_link
from rewards.catalogue_words import address_words, paid_words
from rewards.codes import candidates, shown
from rewards.enums import Fulfilment, RedemptionState
from rewards.models import Redemption
from rewards.services.fulfilment import set_fulfilment

LATE = timedelta(days=3)


class TodoFilter(admin.SimpleListFilter):
    title = _("to do")
    parameter_name = "todo"

    def lookups(self, request, model_admin):
        return (
            ("all", _("Everything to do")),
            ("send", _("To be sent")),
            ("late", _("To be sent, for more than 3 days")),
            ("way", _("On its way")),
            ("collect", _("To be collected")),
            ("over", _("Not collected in time")),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        at = now()
        todo = queryset.filter(state=RedemptionState.CONFIRMED)
        match self.value():
            case "all":
                return todo.filter(fulfilment__in=["to_ship", "to_collect", "shipped"])
            case "send":
                return todo.filter(fulfilment="to_ship")
            case "late":
                return todo.filter(fulfilment="to_ship", confirmed_at__lt=at - LATE)
            case "way":
                return todo.filter(fulfilment="shipped")
            case "collect":
                open_ = Q(collect_until=None) | Q(collect_until__gt=at)
                return todo.filter(open_, fulfilment="to_collect")
            case "over":
                return todo.filter(fulfilment="to_collect", collect_until__lte=at)
            case _:
                return queryset


class RedemptionResource(OfMember):
    reward = Field("reward__name_en", column_name="reward")
    kind = Field("reward__kind", column_name="kind")
    date = Field("session__starts_at", column_name="date")
    money = Major("money_minor", column_name="money")

    class Meta:
        model = Redemption
        fields = (
            "id", "card", "name", "reward", "kind", "date", "points", "money", "state", "created_at", "confirmed_at",
            "settled_at", "fulfilment", "fulfilled_at", "store", "carrier", "tracking_number",
        )  # fmt: skip
        export_order = fields


@admin.register(Redemption)
class RedemptionAdmin(ExportAdmin, ReadOnlyAdmin):
    resource_classes = (RedemptionResource,)
    export_permission = "rewards.change_redemption"
    list_display = ("when", "who", "what", "paid", "shown_state", "way", "until", "address_line")
    list_filter = (TodoFilter, "state", "reward", "reward__kind", "created_at")
    list_select_related = ("member", "reward", "session")
    search_fields = ("code",)
    search_help_text = _("A member, a code, or a tracking number")
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions = ("mark_sent", "mark_delivered", "mark_collected", "mark_back")
    actions_list = ("code",)
    actions_detail = ("confirm", "cancel", "send", "collect", "refund")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("member_page", "reward_page"),
                    ("paid", "shown_state"),
                    ("created_at", "expires_at"),
                    ("confirmed_at", "settled_at"),
                    ("date", "note"),
                )
            },
        ),
        (
            _("Handing over"),
            {
                "fields": (
                    ("way", "fulfilled_at"),
                    ("readable_code", "collect_until"),
                    "whole_address",
                    ("carrier", "tracking_number"),
                    ("store", "actor"),
                )
            },
        ),
        (_("Where it belongs"), {"fields": (("hold", "given"), ("source", "key"))}),
    )
    readonly_fields = (
        "member_page", "reward_page", "paid", "shown_state", "date", "way", "readable_code", "whole_address", "given",
    )  # fmt: skip

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"rewards_redemption_{name}")

        return [own("todo/", self.todo, "todo"), *super().get_urls()]

    def todo(self, request: HttpRequest) -> HttpResponse:
        """What is to be sent or handed over."""
        return redirect(f"{reverse('admin:rewards_redemption_changelist')}?todo=all")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Redemption]:
        return super().get_queryset(request).annotate(currency=Value(get_programme().currency))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if not search_term.strip():
            return queryset, False
        by_code = queryset.filter(Q(code__in=candidates(search_term)) | Q(tracking_number=search_term.strip()))
        if by_code.exists():
            return by_code, False
        members = search(search_term).order_by().values_list("pk", flat=True)[:FOUND_AT_MOST]
        return queryset.filter(member__in=list(members)), False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list:
        """The acts that fit what the redemption is now."""
        row = dict(Redemption.objects.filter(pk=object_id).values("state", "fulfilment").first() or {})
        fits = {
            "confirm": row.get("state") == RedemptionState.RESERVED,
            "cancel": row.get("state") == RedemptionState.RESERVED,
            "send": row.get("fulfilment") == Fulfilment.TO_SHIP,
            "collect": row.get("fulfilment") == Fulfilment.TO_COLLECT,
            "refund": row.get("state") == RedemptionState.CONFIRMED,
        }
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if fits.get(one.method.__name__, True)]

    def has_act_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return request.user.has_perm("rewards.change_redemption")

    @action(description=_("Confirm"), url_path="confirm", permissions=["act"], icon="check")
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ConfirmRedemptionView.answer(self, request, object_id=object_id)

    @action(description=_("Cancel"), url_path="cancel", permissions=["act"], icon="close")
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return CancelRedemptionView.answer(self, request, object_id=object_id)

    @action(description=_("Mark as sent"), url_path="send", permissions=["act"], icon="local_shipping")
    def send(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return SendView.answer(self, request, object_id=object_id)

    @action(description=_("Hand over"), url_path="collect", permissions=["act"], icon="redeem")
    def collect(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return CollectView.answer(self, request, object_id=object_id)

    @action(description=_("Take back"), url_path="refund", permissions=["act"], icon="undo")
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return RefundRedemptionView.answer(self, request, object_id=object_id)

    @action(description=_("Hand over by code"), url_path="code", permissions=["act"], icon="qr_code_scanner")
    def code(self, request: HttpRequest) -> HttpResponse:
        return CodeView.answer(self, request)

    @admin.action(description=_("Mark as sent"), permissions=["act"])
    def mark_sent(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> None:
        self._move(request, queryset, Fulfilment.SHIPPED)

    @admin.action(description=_("Mark as delivered"), permissions=["act"])
    def mark_delivered(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> None:
        self._move(request, queryset, Fulfilment.DELIVERED)

    @admin.action(description=_("Mark as collected"), permissions=["act"])
    def mark_collected(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> None:
        self._move(request, queryset, Fulfilment.COLLECTED)

    @admin.action(description=_("Back to “to be sent”"), permissions=["act"])
    def mark_back(self, request: HttpRequest, queryset: QuerySet[Redemption]) -> None:
        self._move(request, queryset, Fulfilment.TO_SHIP)

    def _move(self, request: HttpRequest, queryset: QuerySet[Redemption], to: Fulfilment) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        moved = set_fulfilment(redemption_ids=ids, to=to, at=now(), actor_id=request.user.pk)
        text = ngettext("%(n)d redemption: %(state)s.", "%(n)d redemptions: %(state)s.", moved)
        self.message_user(request, text % {"n": moved, "state": to.label}, messages.SUCCESS)
        if left := len(ids) - moved:
            text = ngettext("For %(n)d it is not the next step.", "For %(n)d it is not the next step.", left)
            self.message_user(request, text % {"n": left}, messages.WARNING)

    @display(description=_("when"))
    def when(self, redemption: Redemption) -> str:
        return format_moment(redemption.created_at)

    @display(description=_("member"))
    def who(self, redemption: Redemption) -> str:
        return str(redemption.member)

    @display(description=_("member"))
    def member_page(self, redemption: Redemption) -> str:
        return member_link(redemption.member)

    @display(description=_("reward"))
    def what(self, redemption: Redemption) -> str:
        return redemption.reward.name

    @display(description=_("reward"))
    def reward_page(self, redemption: Redemption) -> str:
        return record_link("rewards_reward", redemption.reward_id, redemption.reward.name)

    @display(description=_("price"))
    def paid(self, redemption: Redemption) -> str:
        return paid_words(redemption, redemption.currency)

    @display(
        description=_("state"),
        label={"reserved": "info", "confirmed": "success", "cancelled": "", "lapsed": "", "refunded": "warning"},
    )
    def shown_state(self, redemption: Redemption) -> tuple[str, Any]:
        return Labelled((redemption.state, redemption.get_state_display()))

    @display(
        description=_("fulfilment"),
        label={
            "to_ship": "warning",
            "to_collect": "warning",
            "shipped": "info",
            "delivered": "success",
            "collected": "success",
        },
    )
    def way(self, redemption: Redemption) -> tuple[str, Any] | str:
        if redemption.fulfilment == Fulfilment.NONE:
            return "–"
        return Labelled((redemption.fulfilment, redemption.get_fulfilment_display()))

    @display(description=_("until"))
    def until(self, redemption: Redemption) -> str:
        if redemption.state == RedemptionState.RESERVED:
            return format_moment(redemption.expires_at)
        return format_day(redemption.collect_until) if redemption.fulfilment == Fulfilment.TO_COLLECT else ""

    @display(description=_("sent to"))
    def address_line(self, redemption: Redemption) -> str:
        return ", ".join(address_words(redemption))

    @display(description=_("sent to"))
    def whole_address(self, redemption: Redemption) -> str:
        return format_html_join("", "{}<br>", [(line,) for line in address_words(redemption)]) or "–"

    @display(description=_("date"))
    def date(self, redemption: Redemption) -> str:
        session = redemption.session
        return record_link("rewards_rewardsession", session.pk, format_moment(session.starts_at)) if session else "–"

    @display(description=_("code"))
    def readable_code(self, redemption: Redemption) -> str:
        return shown(redemption.code) if redemption.code else "–"

    @display(description=_("coupon"))
    def given(self, redemption: Redemption) -> str:
        return shown(redemption.coupon.code) if redemption.coupon else "–"

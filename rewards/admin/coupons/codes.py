"""Coupons and what became of them: found by code or member, taken along, withdrawn."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet, Value
from django.forms import Form
from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html_join
from django.utils.timezone import now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from common.admin import (
    ConfirmView,
    ExportAdmin,
    Labelled,
    PlainResource,
    ReadOnlyAdmin,
    found_or_404,
    guarded,
    record_link,
)
from common.moments import format_end, format_moment
from common.money import format_money, to_major
from members.models import Purchase
from members.queries import get_programme, search
from rewards.admin.found import Major, OfMember
from rewards.codes import candidates, shown
from rewards.coupons.definition import parse
from rewards.enums import CouponState, OfferKind, OfferState, Unit
from rewards.models import Coupon, CouponUse, Transfer
from rewards.queries_cards import rests
from rewards.queries_grants import waits_text
from rewards.services.coupons.issuing import OfferNotRunning, activate_card, void_coupons
from rewards.services.grants import why_it_waits

_TONES = {"stock": "", "issued": "info", "reserved": "warning", "used": "success", "void": "danger", "expired": ""}
_UUID = 36  # characters: what a till made up where no receipt number was typed


class CouponResource(PlainResource):
    code = Field("code", column_name="code")
    offer = Field("offer__name_en", column_name="offer")
    card = Field("member__card_number", column_name="card number")
    member = Field("member__name", column_name="member")

    rest = Field("account__balance", column_name="left on the gift card")

    class Meta:
        model = Coupon
        fields = ("code", "offer", "state", "rest", "card", "member", "issued_at", "expires_at", "seen_at")
        export_order = fields

    def dehydrate_rest(self, coupon: Coupon) -> str:
        card = getattr(coupon, "account", None)  # only a gift card has one
        return str(to_major(card.balance or 0, get_programme().currency)) if card else ""


class SellView(ConfirmView):
    title = _("Put the money on this gift card")
    form_class = forms.Form
    permission_required = "rewards.change_coupon"
    act_label = _("Activate")

    @cached_property
    def coupon(self) -> Coupon:
        return found_or_404(Coupon.objects.select_related("offer"), self.kwargs["object_id"])

    def get_object(self) -> Coupon:
        return self.coupon

    def get_success_url(self) -> str:
        return reverse("admin:rewards_coupon_change", args=[self.coupon.pk])

    def preview(self, form: Form) -> list[str]:
        self._may()
        words = {"code": shown(self.coupon.code), "offer": self.coupon.offer}
        return [gettext("Whoever has the code %(code)s of “%(offer)s” can pay with it from now on.") % words]

    def _may(self) -> None:
        """Who may not decide about gifts puts no more on a card than one person may give."""
        if self.request.user.has_perm("rewards.change_grantrequest"):
            return
        amount = parse(self.coupon.offer.definition, self.coupon.offer.kind).amount_minor
        if why := why_it_waits(amount=amount, unit=Unit.CREDIT, actor_id=self.request.user.pk, at=self.at):  # type: ignore[arg-type]
            raise forms.ValidationError(f"{waits_text(why)} {gettext('Please let a manager activate it.')}")

    def act(self, form: Form) -> str:
        self._may()
        try:
            done = activate_card(coupon_id=self.coupon.pk, at=self.at, actor_id=self.request.user.pk)
        except OfferNotRunning:
            raise forms.ValidationError(_("The offer is not live.")) from None
        if not done:
            raise forms.ValidationError(_("It is no gift card in stock."))
        self.model_admin.log_change(self.request, self.coupon, gettext("Activated"))
        return gettext("The gift card can be used.")


def card_uses(coupon: Coupon) -> str:
    """What came on a gift card and what went, the newest first, with the purchases."""
    moved = Transfer.objects.filter(Q(debit__coupon=coupon) | Q(credit__coupon=coupon))
    moved = moved.select_related("purchase", "credit").order_by("-at", "-pk")
    currency = get_programme().currency
    rows = [
        (
            format_moment(one.at),
            one.get_kind_display(),
            f"{'+' if one.credit.coupon_id else '−'}{format_money(one.amount, currency)}",
            record_link("members_purchase", one.purchase_id, _receipt(one.purchase)) if one.purchase else "",
        )
        for one in moved
    ]
    return format_html_join("", "{} · {} · {} {}<br>", rows) or "–"


def _receipt(purchase: Purchase) -> str:
    """The number that the receipt has, as people know a purchase by it; a till's own key stands behind the dot."""
    number = purchase.key.split(" · ")[0]
    return gettext("Receipt %(number)s") % {"number": number} if len(number) < _UUID else gettext("Purchase")


class VoidForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)


class VoidView(ConfirmView):
    title = _("Withdraw the coupon")
    form_class = VoidForm
    permission_required = "rewards.change_coupon"
    act_label = _("Withdraw")
    danger = True

    @cached_property
    def coupon(self) -> Coupon:
        return found_or_404(Coupon.objects.select_related("offer", "member"), self.kwargs["object_id"])

    def get_object(self) -> Coupon:
        return self.coupon

    def get_success_url(self) -> str:
        return reverse("admin:rewards_coupon_change", args=[self.coupon.pk])

    def preview(self, form: Form) -> list[str]:
        words = {"code": shown(self.coupon.code), "offer": self.coupon.offer, "member": self.coupon.member}
        said = gettext("The coupon %(code)s of “%(offer)s” can never be used.") % words
        return [said, gettext("%(member)s sees that it was withdrawn.") % words] if self.coupon.member_id else [said]

    def act(self, form: Form) -> str:
        reason = form.cleaned_data["reason"]
        at, actor = self.at, self.request.user.pk
        if not void_coupons(coupon_ids=[self.coupon.pk], reason=reason, at=at, actor_id=actor):
            raise forms.ValidationError(_("It was used or withdrawn meanwhile."))
        self.model_admin.log_change(self.request, self.coupon, gettext("Withdrawn: %(reason)s") % {"reason": reason})
        return gettext("The coupon is withdrawn.")


@admin.register(Coupon)
class CouponAdmin(ReadOnlyAdmin, ExportAdmin):
    resource_classes = [CouponResource]
    export_permission = "rewards.change_coupon"
    list_display = ("shown_code", "offer", "shown_state", "whose", "issued_by", "issued", "expires", "rest_listed")
    list_filter = ("state", "issued_by", "offer__kind", "offer")
    search_fields = ("code",)
    search_help_text = _("A code; or a member's name, phone, card number or e-mail")
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("shown_code", "offer", "shown_state", "whose", "issued_by", "issued", "expires", "rest", "seen",
              "withdrawn", "uses")  # fmt: skip
    readonly_fields = fields
    actions_detail = ("sell", "void")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Coupon]:
        found = super().get_queryset(request).select_related("account", "offer", "member")
        return found.annotate(currency=Value(get_programme().currency))

    def get_urls(self) -> list:
        def confirm(request: HttpRequest, object_id: int) -> Any:
            return VoidView.answer(self, request, object_id=object_id)

        def sold(request: HttpRequest, object_id: int) -> Any:
            return SellView.answer(self, request, object_id=object_id)

        view, sell = (self.admin_site.admin_view(guarded(self, one)) for one in (confirm, sold))
        return [
            path("<int:object_id>/withdraw/", view, name="rewards_coupon_withdraw"),
            path("<int:object_id>/activate/", sell, name="rewards_coupon_activate"),
            *super().get_urls(),
        ]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if not search_term.strip():
            return queryset, False
        by_code = queryset.filter(code__in=candidates(search_term))
        if by_code.exists():
            return by_code, False
        members = list(search(search_term).values_list("pk", flat=True)[:200])
        return queryset.filter(Q(member__in=members) | Q(code__startswith=search_term.strip().upper())), False

    @action(description=_("Activate: sold or handed over"), permissions=["sell"])
    def sell(self, request: HttpRequest, object_id: int) -> Any:
        from django.shortcuts import redirect

        return redirect("admin:rewards_coupon_activate", object_id)

    def has_sell_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("rewards.change_coupon"):
            return False
        stock = Coupon.objects.filter(state=CouponState.STOCK, offer__kind=OfferKind.CARD)
        return object_id is None or stock.filter(pk=object_id).exists()

    @action(description=_("Withdraw"), permissions=["void"])
    def void(self, request: HttpRequest, object_id: int) -> Any:
        from django.shortcuts import redirect

        return redirect("admin:rewards_coupon_withdraw", object_id)

    def has_void_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if not request.user.has_perm("rewards.change_coupon"):
            return False
        open_ = Coupon.objects.filter(state__in=[CouponState.STOCK, CouponState.ISSUED])
        return object_id is None or open_.filter(pk=object_id).exists()

    @display(description=_("code"))
    def shown_code(self, coupon: Coupon) -> str:
        return shown(coupon.code)

    @display(description=_("state"), label=_TONES)
    def shown_state(self, coupon: Coupon) -> tuple[str, Any]:
        ends = [moment for moment in (coupon.expires_at, coupon.offer.ends_at) if moment]
        over = coupon.offer.state == OfferState.ENDED or (ends and min(ends) <= now())
        if coupon.offer.kind == OfferKind.CARD:  # its money stays good when the offer ends
            over = coupon.expires_at is not None and coupon.expires_at <= now()
        if coupon.state == CouponState.ISSUED and over:
            return Labelled(("expired", _("Expired")))
        return Labelled((coupon.state, coupon.get_state_display()))

    @display(description=_("member"))
    def whose(self, coupon: Coupon) -> str:
        return record_link("members_member", coupon.member_id, coupon.member) if coupon.member_id else "–"

    @display(description=_("issued"))
    def issued(self, coupon: Coupon) -> str:
        return format_moment(coupon.issued_at) or "–"

    @display(description=_("expires"))
    def expires(self, coupon: Coupon) -> str:
        return format_end(coupon.expires_at) or "–"

    @display(description=_("seen by the member"))
    def seen(self, coupon: Coupon) -> str:
        return format_moment(coupon.seen_at) or "–"

    @display(description=_("left on the gift card"))
    def rest(self, coupon: Coupon) -> str:
        if coupon.offer.kind != OfferKind.CARD:
            return "–"
        return format_money(rests([coupon.pk], now()).get(coupon.pk, 0), get_programme().currency)

    @display(description=_("left on the gift card"))
    def rest_listed(self, coupon: Coupon) -> str:
        """As the wallet keeps it, which costs the list no query; of one that has expired nothing can be spent."""
        card = getattr(coupon, "account", None)
        if card is None:
            return "–"
        over = coupon.expires_at is not None and coupon.expires_at <= now()
        return format_money(0 if over else card.balance or 0, coupon.currency)  # type: ignore[attr-defined]

    @display(description=_("withdrawn"))
    def withdrawn(self, coupon: Coupon) -> str:
        return coupon.why.get("void", {}).get("reason") or "–"

    @display(description=pgettext_lazy("of a coupon", "uses"))
    def uses(self, coupon: Coupon) -> str:
        if coupon.offer.kind == OfferKind.CARD:
            return card_uses(coupon)
        found = coupon.coupon_uses.order_by("-at")
        return "; ".join(f"{format_moment(use.at)}: {use.get_state_display()}" for use in found) or "–"


class CouponUseResource(OfMember):
    offer = Field("offer__name_en", column_name="offer")
    code = Field("coupon__code", column_name="code")
    discount = Major("discount_minor", column_name="discount")
    purchase = Field("purchase__key", column_name="purchase")

    class Meta:
        model = CouponUse
        fields = ("id", "at", "offer", "code", "card", "name", "state", "discount", "currency", "store", "purchase")
        export_order = fields


@admin.register(CouponUse)
class CouponUseAdmin(ReadOnlyAdmin, ExportAdmin):
    resource_classes = (CouponUseResource,)
    export_permission = "rewards.change_coupon"
    list_display = ("when", "offer", "what", "whose", "state", "off", "store", "bought")
    list_filter = ("state", "offer", "store")
    list_select_related = ("offer", "coupon", "member", "purchase")
    search_fields = ("key",)
    search_help_text = _("A code, a receipt's key; or a member's name, phone, card number or e-mail")
    ordering = ("-at", "-pk")
    sortable_by = ()
    fields = ("when", "offer", "what", "whose", "state", "off", "store", "bought", "source", "key", "actor")
    readonly_fields = fields

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if not search_term.strip():
            return queryset, False
        members = list(search(search_term).values_list("pk", flat=True)[:200])
        own = Q(coupon__code__in=candidates(search_term)) | Q(key=search_term.strip())
        return queryset.filter(own | Q(member__in=members)), False

    @display(description=_("when"))
    def when(self, use: CouponUse) -> str:
        return format_moment(use.at)

    @display(description=_("code"))
    def what(self, use: CouponUse) -> str:
        if use.coupon is None:
            return use.offer.shared_code or "–"
        return record_link("rewards_coupon", use.coupon_id, shown(use.coupon.code))

    @display(description=_("member"))
    def whose(self, use: CouponUse) -> str:
        return record_link("members_member", use.member_id, use.member) if use.member_id else "–"

    @display(description=_("discount"))
    def off(self, use: CouponUse) -> str:
        return format_money(use.discount_minor, use.currency) if use.currency else "–"

    @display(description=_("purchase"))
    def bought(self, use: CouponUse) -> str:
        return record_link("members_purchase", use.purchase_id, _receipt(use.purchase)) if use.purchase else "–"

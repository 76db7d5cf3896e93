"""Purchases, to be read, and the one thing staff do with them: giving money back."""

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import floatformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _
from import_export.fields import Field
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import FieldTextFilter
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminTextInputWidget,
)

from common.admin import ConfirmView, ExportAdmin, ReadOnlyAdmin, found_or_404, rehearse
from common.moments import format_moment
from common.money import format_money, to_major, to_minor
from members.models import Purchase, PurchaseLine, Refund
from members.queries import search
from members.services.purchases import KeyReused
from rewards.admin.found import FOUND_AT_MOST, Major, OfMember
from rewards.admin.ledger import member_link, transfer_link
from rewards.enums import TransferKind, Unit
from rewards.models import Transfer
from rewards.queries import points_text
from rewards.queries_coupons import coupons_of_purchase
from rewards.services.refund_lines import bought_lines
from rewards.services.refunds import RefundResult, RefundTooLarge, refund_purchase


class RefundForm(forms.Form):
    lines = forms.MultipleChoiceField(
        label=_("Articles that came back"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("With some of them chosen, what they cost is given back, and not the amount below."),
    )
    amount = forms.DecimalField(
        label=_("Amount given back"),
        required=False,
        max_digits=14,
        decimal_places=4,
        min_value=Decimal("0.0001"),
        widget=UnfoldAdminDecimalFieldWidget,
    )
    reason = forms.CharField(label=_("Reason"), max_length=200, widget=UnfoldAdminTextInputWidget)
    # One key per form: sent twice, it has one effect.
    key = forms.UUIDField(initial=uuid.uuid4, widget=forms.HiddenInput)

    def __init__(self, *args: Any, purchase: Purchase, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bought = bought_lines(purchase.pk)
        # Sent twice, the articles of the first time are there to be told that it was.
        twice = self.data.get("key", "") in purchase.refunds.filter(source="admin").values_list("key", flat=True)
        self.bought = {pk: line for pk, line in bought.items() if twice or line.left_quantity > 0}
        choices = [(line.pk, self._said(line, purchase.currency)) for line in purchase.lines.filter(pk__in=self.bought)]
        self.fields["lines"].choices = choices  # type: ignore[attr-defined]
        if not choices:
            del self.fields["lines"]
        for line in purchase.lines.filter(pk__in=self.bought):
            if (left := self.bought[line.pk].left_quantity) > 1:
                self.fields[self.quantity_of(line.pk)] = forms.DecimalField(
                    label=gettext("How many of “%(article)s”") % {"article": line.name or line.sku},
                    required=False,
                    max_digits=12,
                    decimal_places=3,
                    min_value=Decimal("0.001"),
                    widget=UnfoldAdminDecimalFieldWidget,
                    help_text=gettext("Empty: all %(n)s, if it is chosen above.") % {"n": floatformat(left, -3)},
                )
        self.order_fields(["lines", *(name for name in self.fields if name.startswith("quantity_"))])

    @staticmethod
    def quantity_of(line_id: int) -> str:
        """The field that says how many pieces of a line came back."""
        return f"quantity_{line_id}"

    def _said(self, line: PurchaseLine, currency: str) -> str:
        left = self.bought[line.pk]
        times = f" × {floatformat(left.left_quantity, -3)}" if left.left_quantity != 1 else ""
        return f"{line.name or line.sku}{times} · {format_money(left.left_minor, currency)}"

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        if not self.errors and not self.pieces and told.get("amount") is None:
            self.add_error("amount", gettext("How much, or which articles?"))
        return told

    @property
    def pieces(self) -> list[tuple[int, Decimal]]:
        """The lines that came back, with how many pieces: those chosen, and those a number was typed for."""
        ticked, found = self.cleaned_data.get("lines") or (), []
        for line_id, line in self.bought.items():
            typed = self.cleaned_data.get(self.quantity_of(line_id))
            if typed is not None or str(line_id) in ticked:
                found.append((line_id, line.left_quantity if typed is None else typed))
        return found

    def what(self, currency: str) -> dict[str, Any]:
        """What the refund is of: lines with their quantities, or an amount in minor units. ValueError where the
        currency has no such fraction."""
        if self.pieces:
            return {"lines": self.pieces}
        return {"amount_minor": to_minor(self.cleaned_data["amount"], currency)}


class RefundView(ConfirmView):
    title = _("Refund")
    form_class = RefundForm
    permission_required = "members.add_refund"
    act_label = _("Record the refund")
    danger = True

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.purchase = found_or_404(Purchase.objects.select_related("member"), kwargs["object_id"])

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self._left() == 0 and request.method == "GET":
            messages.info(request, _("Nothing is left of this purchase to give back."))
            return redirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def get_object(self) -> Purchase:
        return self.purchase

    def get_success_url(self) -> str:
        return reverse("admin:members_purchase_change", args=[self.purchase.pk])

    def _left(self) -> int:
        return self.purchase.amount_minor - self.purchase.refunded_minor

    @property
    def intro(self) -> str:
        currency = self.purchase.currency
        return gettext("%(name)s paid %(paid)s; %(left)s of it can still be given back.") % {
            "name": self.purchase.member,
            "paid": format_money(self.purchase.amount_minor, currency),
            "left": format_money(self._left(), currency),
        }

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"purchase": self.purchase}

    def get_initial(self) -> dict[str, Any]:
        return {"amount": to_major(self._left(), self.purchase.currency)}

    def _refund(self, form: Any) -> RefundResult:
        currency = self.purchase.currency
        used, given = coupons_of_purchase(self.purchase.pk)
        try:
            result = refund_purchase(
                purchase_id=self.purchase.pk,
                source="admin",
                key=str(form.cleaned_data["key"]),
                **form.what(currency),
                reason=form.cleaned_data["reason"],
                at=self.at,
                actor_id=self.request.user.pk,
            )
        except ValueError as error:  # more decimals than the currency has
            raise ValidationError(
                {"amount": gettext("%(currency)s has no such fraction.") % {"currency": currency}}
            ) from error
        except RefundTooLarge as error:
            if (field := form.quantity_of(error.line_id)) in form.fields:
                left = floatformat(error.left_quantity, -3)
                raise ValidationError(
                    {field: gettext("Only %(left)s can still be given back.") % {"left": left}}
                ) from error
            left = format_money(error.left_minor, currency)
            raise ValidationError(
                {"amount": gettext("Only %(left)s can still be given back.") % {"left": left}}
            ) from error
        except KeyReused as error:
            raise ValidationError(gettext("This form was used already. Please open it anew.")) from error
        still_used, still_given = coupons_of_purchase(self.purchase.pk)
        self.coupons_back = [name for pk, name in used.items() if pk not in still_used]
        self.coupons_withdrawn = [name for pk, name in given.items() if pk not in still_given]
        return result

    def _words(self, form: Form, result: RefundResult) -> list[str]:
        currency = self.purchase.currency
        money = format_money(result.amount_minor, currency)
        sentences = [
            gettext("%(name)s gets %(amount)s back, and %(points)s are taken back.")
            % {"name": self.purchase.member, "amount": money, "points": points_text(result.points_taken)}
        ]
        if result.money_minor != result.amount_minor:
            rest = [points_text(result.points_returned)] if result.points_returned else []
            for minor, words in (
                (result.credit_returned, gettext("%(amount)s of store credit")),
                (result.cards_returned, gettext("%(amount)s on the gift card")),
            ):
                rest += [words % {"amount": format_money(minor, currency)}] if minor else []
            told = {"money": format_money(result.money_minor, currency), "rest": pgettext("list", ", ").join(rest)}
            sentences.append(gettext("Of that, %(money)s is to be paid out; the rest returns as %(rest)s.") % told)
        if result.credit_taken:
            credit = {"amount": format_money(result.credit_taken, currency)}
            sentences.append(gettext("%(amount)s of store credit is taken back.") % credit)
        if self.coupons_back:
            sentences.append(gettext("Can be used again: %(coupons)s.") % {"coupons": "; ".join(self.coupons_back)})
        if self.coupons_withdrawn:
            sentences.append(
                gettext("Withdrawn, as it came with this purchase: %(coupons)s.")
                % {"coupons": "; ".join(self.coupons_withdrawn)}
            )
        if result.points_short:
            text = ngettext(
                "%(n)d more point is spent or reserved. What is reserved is settled when the reservation ends.",
                "%(n)d more points are spent or reserved. What is reserved is settled when the reservation ends.",
                result.points_short,
            )
            sentences.append(text % {"n": result.points_short})
        if result.credit_short:
            spent = {"amount": format_money(result.credit_short, currency)}
            sentences.append(gettext("%(amount)s more of store credit is spent or reserved.") % spent)
        owed = [points_text(result.points_owed)] if result.points_owed else []
        owed += [format_money(result.credit_owed, currency)] if result.credit_owed else []
        if owed:
            text = gettext("%(amount)s of it is owed: what is earned later repays that first.")
            sentences.append(text % {"amount": pgettext("list", ", ").join(owed)})
        return sentences

    def preview(self, form: Form) -> list[str]:
        return self._words(form, rehearse(lambda: self._refund(form)))

    def act(self, form: Form) -> str:
        return " ".join(self._words(form, self._refund(form)))


class ReadOnlyInline(TabularInline):
    extra = 0
    can_delete = False
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # who sees the purchase sees what it consists of


class LineInline(ReadOnlyInline):
    model = PurchaseLine
    fields = ("name", "sku", "category", "times", "price")
    readonly_fields = ("times", "price")

    @display(description=_("quantity"))
    def times(self, line: PurchaseLine) -> str:
        return floatformat(line.quantity, -3)

    @display(description=_("amount"))
    def price(self, line: PurchaseLine) -> str:
        return format_money(line.amount_minor, line.purchase.currency)


class RefundInline(ReadOnlyInline):
    model = Refund
    fields = ("refunded_at", "money", "reason", "source", "actor")
    readonly_fields = ("money",)

    @display(description=_("amount"))
    def money(self, refund: Refund) -> str:
        return format_money(refund.amount_minor, refund.purchase.currency)


class PurchaseResource(OfMember):
    amount = Major("amount_minor", column_name="amount")
    refunded = Major("refunded_minor", column_name="refunded")
    points = Field("earned", column_name="points")

    class Meta:
        model = Purchase
        fields = (
            "card", "name", "source", "key", "purchased_at", "currency", "amount", "refunded", "points", "store",
            "channel",
        )  # fmt: skip
        export_order = fields


@admin.register(Purchase)
class PurchaseAdmin(ExportAdmin, ReadOnlyAdmin):
    resource_classes = (PurchaseResource,)
    export_permission = "members.change_member"
    list_display = ("bought", "who", "amount", "refunded", "points", "store", "channel", "source", "key")
    list_filter = ("purchased_at", "channel", ("store", FieldTextFilter), ("source", FieldTextFilter))
    list_filter_submit = True
    list_select_related = ("member",)
    search_fields = ("key",)
    search_help_text = _("A member, or the purchase's number at the till")
    ordering = ("-purchased_at",)
    sortable_by = ("bought",)
    inlines = (LineInline, RefundInline)
    actions_detail = ("refund",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "member_page",
                    ("amount", "refunded"),
                    "movements",
                    ("purchased_at", "created_at"),
                    ("store", "channel"),
                    ("source", "key"),
                )
            },
        ),
    )
    readonly_fields = ("member_page", "amount", "refunded", "movements")

    def get_inlines(self, request: HttpRequest, obj: Purchase | None) -> list:
        """No table of refunds where there are none."""
        return [one for one in self.inlines if one is not RefundInline or (obj and obj.refunds.exists())]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Purchase]:
        points = Transfer.objects.filter(purchase=OuterRef("pk"), kind=TransferKind.EARN, credit__unit=Unit.POINTS)
        earned = points.order_by().values("purchase")
        return super().get_queryset(request).annotate(earned=Subquery(earned.annotate(n=Sum("amount")).values("n")))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if not search_term.strip():
            return queryset, False
        by_key = queryset.filter(key=search_term.strip())
        if by_key.exists():
            return by_key, False
        members = search(search_term).order_by().values_list("pk", flat=True)[:FOUND_AT_MOST]
        return queryset.filter(member__in=list(members)), False

    @action(description=_("Refund"), url_path="refund", permissions=["refund"], icon="undo")
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return RefundView.answer(self, request, object_id=object_id)

    def has_refund_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("members.add_refund")

    @display(description=_("bought"), ordering="purchased_at")
    def bought(self, purchase: Purchase) -> str:
        return format_moment(purchase.purchased_at)

    @display(description=_("member"))
    def who(self, purchase: Purchase) -> str:
        return str(purchase.member)

    @display(description=_("member"))
    def member_page(self, purchase: Purchase) -> str:
        return member_link(purchase.member)

    @display(description=_("amount"))
    def amount(self, purchase: Purchase) -> str:
        return format_money(purchase.amount_minor, purchase.currency)

    @display(description=_("refunded"))
    def refunded(self, purchase: Purchase) -> str:
        return format_money(purchase.refunded_minor, purchase.currency) if purchase.refunded_minor else ""

    @display(description=_("points"))
    def points(self, purchase: Purchase) -> int:
        return purchase.earned or 0

    @display(description=_("points"))
    def movements(self, purchase: Purchase) -> str:
        moved = [(transfer_link(transfer),) for transfer in purchase.transfers.order_by("id")]
        why = reverse("admin:rewards_earningrule_why", args=["purchase", purchase.pk])
        link = format_html('<a class="desk-link" href="{}">{}</a>', why, gettext("Why, rule by rule"))
        return format_html_join("", "{}<br>", [*moved, (link,)])

"""Offers: the list with their take-up, the editor that says what it will do, the page of each."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import DeskAdmin, QuickChangeList, found_or_404, guarded
from common.moments import format_end
from common.money import format_money
from members.queries import get_programme
from rewards.admin.coupons import acts
from rewards.admin.coupons.forms import OfferForm, both_languages
from rewards.admin.rules import builder as rules_builder
from rewards.coupons.definition import BadOffer, parse
from rewards.coupons.words import effect_words
from rewards.enums import CouponState, CouponUseState, OfferState
from rewards.models import Coupon, CouponUse, Offer
from rewards.queries_coupons import take_up
from rewards.services.coupons.estimate import WEEKS, estimate
from rewards.services.coupons.issuing import has_pool
from rewards.services.coupons.offers import save_offer

_TONES = {"live": "success", "paused": "warning", "draft": "info", "ended": "", "over": "", "later": "info"}
_SHOWN = 10


def standing(offer: Offer, at: Any) -> tuple[str, Any]:
    """Its state as people see it: a live one may be over, or not have begun."""
    if offer.state == OfferState.LIVE and offer.ends_at and offer.ends_at <= at:
        return "over", _("Over")
    if offer.state == OfferState.LIVE and offer.starts_at and offer.starts_at > at:
        return "later", _("Not begun yet")
    return offer.state, offer.get_state_display()


def _number(n: int | None) -> str:
    return number_format(n or 0, use_l10n=True, force_grouping=True)


class StateFilter(admin.SimpleListFilter):
    """What has ended is out of the way until somebody asks for it."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [*OfferState.choices, ("all", _("All"))]

    def choices(self, changelist):
        first, *others = super().choices(changelist)
        yield {**first, "display": _("In use")}
        yield from others

    def queryset(self, request, queryset):
        match self.value():
            case "all":
                return queryset
            case None:
                return queryset.exclude(state=OfferState.ENDED)
        return queryset.filter(state=self.value())


class OfferChangeList(QuickChangeList):
    """Counts for the page that is shown, and for no other."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        offers: list[Any] = list(self.result_list)  # type: ignore[has-type]
        counted = take_up(Offer.objects.filter(pk__in=[offer.pk for offer in offers])).in_bulk()
        for offer in offers:
            found = counted[offer.pk]
            offer.issued, offer.used = found.issued or 0, found.used or 0
        self.result_list = offers


@admin.register(Offer)
class OfferAdmin(DeskAdmin):
    list_display = ("shown_name", "shown_state", "shown_code", "window", "taken", "share")
    list_filter = (StateFilter, "kind", "flash", "segment")
    search_fields = ("name_en", "name_zh_hans", "shared_code")
    search_help_text = _("Name or code for all")
    ordering = ("-created_at", "-id")
    sortable_by = ()

    class Media:
        css = {"all": ["desk/segments.css", "desk/rules.css"]}

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str, permission: str = "change") -> Any:
            guard = guarded(self, view, permission)
            return path(route, self.admin_site.admin_view(guard), name=f"rewards_offer_{name}")

        return [
            own("preview/", self.preview, "preview", "view"),
            own("estimate/", self.estimate, "estimate", "view"),
            own("<int:object_id>/edit/", self.edit, "edit"),
            *(own(f"<int:object_id>/{name}/", self._act(view), name) for name, view in acts.ACTS.items()),
            *super().get_urls(),
        ]

    def _act(self, view: Any) -> Any:
        return lambda request, object_id: view.answer(self, request, object_id=object_id)

    # --- The list ---------------------------------------------------------------------------------------------------
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[OfferChangeList]:
        return OfferChangeList

    @display(description=_("offer"))
    def shown_name(self, offer: Offer) -> str:
        cell = '<span class="rule-cell"><strong>{}</strong><span class="desk-muted">{}</span></span>'
        return format_html(cell, offer.name, effect_words(parse(offer.definition, offer.kind)))

    @display(description=_("state"), label=_TONES)
    def shown_state(self, offer: Offer) -> tuple[str, Any]:
        return standing(offer, now())

    @display(description=_("code"))
    def shown_code(self, offer: Offer) -> str:
        return offer.shared_code or gettext("each their own")

    @display(description=_("until"))
    def window(self, offer: Offer) -> str:
        return format_end(offer.ends_at) or "–"

    @display(description=_("used"))
    def taken(self, offer: Any) -> str:
        if offer.uses_limit:
            return gettext("%(used)s of %(limit)s") % {"used": _number(offer.used), "limit": _number(offer.uses_limit)}
        if offer.shared_code:
            return _number(offer.used)
        return gettext("%(used)s of %(limit)s") % {"used": _number(offer.used), "limit": _number(offer.issued)}

    @display(description=_("take-up"))
    def share(self, offer: Any) -> str:
        if offer.shared_code or not offer.issued:
            return "–"
        return gettext("%(n)s%%") % {"n": f"{100 * offer.used / offer.issued:.0f}"}

    # --- The editor -------------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._builder(request, None)

    def edit(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return self._builder(request, found_or_404(Offer, object_id))

    def _builder(self, request: HttpRequest, offer: Offer | None) -> HttpResponse:
        form = OfferForm(request.POST if request.method == "POST" else None, offer=offer)
        checked: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            if "check" in request.POST:
                checked = {"sentences": form.sentences(), "estimate": self._estimated(form)}
            elif saved := self._save(request, form, offer):
                return redirect("admin:rewards_offer_change", saved.pk)
        asked = f"?offer={offer.pk}" if offer else ""
        return self.show(
            request,
            "builder",
            offer,
            title=_("Edit the offer") if offer else _("New offer"),
            form=form,
            checked=checked,
            plan=_plan(offer),
            script_words=rules_builder.script_words(),
            script_settings={
                "preview_url": reverse("admin:rewards_offer_preview") + asked,
                "estimate_url": reverse("admin:rewards_offer_estimate") + asked,
                "suggest_url": reverse("admin:rewards_earningrule_suggest"),
            },
            back_url=reverse("admin:rewards_offer_change", args=[offer.pk]) if offer
            else reverse("admin:rewards_offer_changelist"),
        )  # fmt: skip

    def _save(self, request: HttpRequest, form: OfferForm, offer: Offer | None) -> Offer | None:
        try:
            saved = save_offer(offer_id=offer.pk if offer else None, **form.values())
        except BadOffer as bad:
            form.refuse(bad)
            return None
        if offer is None:
            self.log_addition(request, saved, gettext("Made as a draft."))
        else:
            self.log_change(request, saved, gettext("Changed."))
        messages.success(request, gettext("“%(name)s” is saved.") % {"name": saved})
        return saved

    def _asked(self, request: HttpRequest) -> OfferForm:
        pk = request.GET.get("offer", "")
        offer = Offer.objects.filter(pk=int(pk)).first() if pk.isdecimal() and len(pk) < 19 else None
        form = OfferForm(request.POST, offer=offer)
        form.fields["name_en"].required = False
        return form

    def preview(self, request: HttpRequest) -> HttpResponse:
        """In a blink: what the offer says, in all languages, and what is wrong with it."""
        form = self._asked(request)
        if form.is_valid():
            return JsonResponse({"problems": [], "sentences": form.sentences()})
        text = gettext("%(label)s: %(problem)s")
        problems = [
            {
                "field": name,
                "sentence": text % {"label": form.fields[name].label, "problem": error}
                if name in form.fields
                else str(error),
            }
            for name, errors in form.errors.items()
            for error in errors
        ]
        return JsonResponse({"problems": problems, "sentences": []})

    def estimate(self, request: HttpRequest) -> HttpResponse:
        form = self._asked(request)
        return JsonResponse(self._estimated(form) if form.is_valid() else {"headline": "–", "basis": ""})

    @staticmethod
    def _estimated(form: OfferForm) -> dict[str, str]:
        found = estimate(definition=form.parsed, at=now())
        if not found.purchases:
            return {
                "headline": "–",
                "basis": gettext("Not enough data: nothing was bought in the last %(n)d weeks.") % {"n": WEEKS},
            }
        if not found.fit:
            text = gettext("None of the last %(n)s purchases would have fitted.")
            return {"headline": "–", "basis": text % {"n": _number(found.purchases)}}
        money = format_money(found.average_minor, form.currency)
        text = ngettext(
            "%(fit)s of the last %(n)s purchase would have fitted.",
            "%(fit)s of the last %(n)s purchases would have fitted.",
            found.purchases,
        )
        return {
            "headline": gettext("%(money)s off on average") % {"money": money},
            "basis": text % {"fit": _number(found.fit), "n": _number(found.purchases)},
        }

    # --- An offer ---------------------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        offer: Offer = found_or_404(Offer.objects.select_related("segment"), object_id)
        definition, at = parse(offer.definition, offer.kind), now()
        uses = CouponUse.objects.filter(offer=offer).select_related("member", "coupon", "purchase")
        state, state_words = standing(offer, at)
        return self.show(
            request,
            "page",
            offer,
            title=str(offer),
            standing=state,
            standing_words=state_words,
            sentences=both_languages(offer, definition),
            facts=_facts(offer),
            may_issue=offer.state == OfferState.LIVE and state != "over" and not offer.shared_code,
            has_pool=has_pool(offer.pk),
            jobs=offer.jobs.select_related("segment", "created_by")[:_SHOWN],
            uses=uses.order_by("-at", "-pk")[:_SHOWN],
        )

    def show(self, request: HttpRequest, template: str, offer: Offer | None = None, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": offer,
            "offer": offer,
            "media": self.media,
            "may_change": self.has_change_permission(request),
            **context,
        }
        return TemplateResponse(request, f"admin/coupons/{template}.html", context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Offer]:
        return super().get_queryset(request).select_related("segment")


def _plan(offer: Offer | None) -> list[str]:
    if offer is None:
        return [gettext("It is kept as a draft: nobody can use it until you put it live.")]
    if offer.state == OfferState.DRAFT:
        return [gettext("It stays a draft.")]
    issued = Coupon.objects.filter(offer=offer, state=CouponState.ISSUED).count()
    said = [gettext("The change holds at once, also for coupons that were issued; these keep their end.")]
    if issued:
        text = ngettext("%(n)s coupon is open.", "%(n)s coupons are open.", issued)
        said.append(text % {"n": _number(issued)})
    return said


def _facts(offer: Offer) -> list[tuple[str, str, str, str]]:
    """(label, figure, what is beside it, address of the rows behind it)."""
    counts = Coupon.objects.filter(offer=offer).aggregate(
        issued=Count("pk", filter=Q(member__isnull=False)),
        open=Count("pk", filter=Q(state=CouponState.ISSUED)),
        stock=Count("pk", filter=Q(state=CouponState.STOCK)),
    )
    used = CouponUse.objects.filter(offer=offer, state=CouponUseState.USED).aggregate(
        n=Count("pk"), minor=Sum("discount_minor"), members=Count("member", distinct=True)
    )
    coupons = f"{reverse('admin:rewards_coupon_changelist')}?offer__id__exact={offer.pk}"
    uses = f"{reverse('admin:rewards_couponuse_changelist')}?offer__id__exact={offer.pk}"
    facts = []
    if not offer.shared_code:
        still = gettext("%(n)s open") % {"n": _number(counts["open"])}
        facts.append((gettext("Issued"), _number(counts["issued"]), still, coupons))
        if counts["stock"]:
            facts.append((gettext("In stock"), _number(counts["stock"]), "", f"{coupons}&state__exact=stock"))
    members = ngettext("%(n)s member", "%(n)s members", used["members"]) % {"n": _number(used["members"])}
    facts.append((gettext("Used"), _number(used["n"]), members, f"{uses}&state__exact=used"))
    currency = get_programme().currency
    taken_off, each = used["minor"] or 0, ""
    if used["n"]:
        each = gettext("%(money)s each") % {"money": format_money(round(taken_off / used["n"]), currency)}
    facts.append((gettext("Taken off"), format_money(taken_off, currency), each, uses))
    if offer.uses_limit is not None:
        left = _number(offer.uses_limit - offer.uses)
        of = gettext("of %(n)s") % {"n": _number(offer.uses_limit)}
        facts.append((gettext("Uses left"), left, of, uses))
    if offer.unit_cost_minor:
        cost = format_money(offer.unit_cost_minor * used["n"], currency)
        facts.append((gettext("Cost"), cost, "", uses))
    return facts

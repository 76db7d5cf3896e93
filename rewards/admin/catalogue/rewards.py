"""The rewards: what they are, for whom, at which price; and how members see them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Prefetch, Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext, override
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin
from unfold.admin import TabularInline
from unfold.decorators import action, display

from common.admin import DeskAdmin, found_or_404
from common.moments import format_moment
from members.models import Member
from members.queries import found_exactly, get_programme
from rewards.admin.catalogue.forms import PriceForm, RewardForm, SessionForm
from rewards.catalogue_words import price_words, summary
from rewards.enums import RewardState, WaitingState
from rewards.models import Reward, RewardPicture, RewardPrice, RewardSession, Tier
from rewards.queries_catalogue import look, price_of
from rewards.services.catalogue import PlacesTaken, StockGone, set_capacity, set_stock
from rewards.services.pictures import add_picture, remove_picture


def thumb(reward: Reward) -> str:
    """The first picture of a reward, small; nothing where it has none. The pictures are prefetched."""
    picture = next(iter(reward.pictures.all()), None)
    if picture is None:
        return format_html('<span class="desk-thumb desk-thumb-none" aria-hidden="true"></span>')
    return format_html(
        '<img class="desk-thumb" src="{}" alt="{}" width="48" height="48" loading="lazy">',
        picture.small.url,
        picture.alt,
    )


class PriceInline(TabularInline):
    model = RewardPrice
    form = PriceForm
    extra = 0
    tab = True


class SessionInline(TabularInline):
    model = RewardSession
    form = SessionForm
    extra = 0
    tab = True
    can_delete = False  # a date is called off, not deleted
    fields = ("starts_at", "place", "capacity", "closes_at", "taken", "page")
    readonly_fields = ("taken", "page")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RewardSession]:
        waits = Count("waiting", filter=Q(waiting__state=WaitingState.WAITING))
        return super().get_queryset(request).annotate(queue=waits)

    @display(description=_("taken"))
    def taken(self, session: RewardSession) -> str:
        if not session.pk:
            return ""
        if session.cancelled:
            return gettext("called off")
        queue = session.queue
        waits = ngettext("%(n)d waits", "%(n)d wait", queue) % {"n": queue} if queue else ""
        return " · ".join(filter(None, [f"{session.booked}/{session.capacity}", waits]))

    @display(description=_("bookings"))
    def page(self, session: RewardSession) -> str:
        if not session.pk:
            return ""
        href = reverse("admin:rewards_rewardsession_change", args=[session.pk])
        return format_html('<a class="desk-link" href="{}">{}</a>', href, _("Open"))


class PictureInline(TabularInline):
    model = RewardPicture
    extra = 0
    tab = True
    fields = ("shown", "alt_en", "alt_zh_hans", "position")
    readonly_fields = ("shown",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # by the form above: what comes in is checked there

    @display(description=_("picture"))
    def shown(self, picture: RewardPicture) -> str:
        return format_html(
            '<img class="desk-thumb desk-thumb-large" src="{}" alt="" width="96" height="96">', picture.small.url
        )


@admin.register(Reward)
class RewardAdmin(DeskAdmin, TranslationAdmin):
    form = RewardForm
    inlines = (PictureInline, PriceInline, SessionInline)
    list_display = ("picture", "titled", "kind", "price", "left", "taken", "shown_state", "green_mark")
    list_display_links = ("titled",)
    list_filter = ("state", "kind", "green", "tiers")
    search_fields = ("name_en", "name_zh_hans")
    search_help_text = _("The reward's name")
    ordering = ("position", "id")
    sortable_by = ("taken",)
    filter_horizontal = ("tiers",)
    actions = ("publish", "archive")
    actions_detail = ("preview",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "words",
                    ("kind", "state"),
                    ("points", "money_minor"),
                    ("unit_cost_minor", "position"),
                    "picture",
                    ("picture_alt_en", "picture_alt_zh_hans"),
                )
            },
        ),
        (_("English"), {"classes": ("tab",), "fields": ("name_en", "summary_en", "description_en", "terms_en")}),
        (
            _("Simplified Chinese"),
            {
                "classes": ("tab",),
                "fields": ("name_zh_hans", "summary_zh_hans", "description_zh_hans", "terms_zh_hans"),
            },
        ),
        (
            _("What it gives"),
            {
                "classes": ("tab",),
                "fields": (("offer", "credit_minor"), ("ships", "valid_days"), ("green", "hold_minutes")),
            },
        ),
        (
            _("For whom, when, how many"),
            {
                "classes": ("tab",),
                "fields": (
                    "stock",
                    ("limit_member", "limit_total"),
                    ("visible_from", "visible_until"),
                    ("redeemable_from", "redeemable_until"),
                    "tiers",
                    "segment",
                ),
            },
        ),
    )
    readonly_fields = ("words",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Reward]:
        prices = Prefetch("prices", RewardPrice.objects.select_related("tier"))
        currency = Value(get_programme().currency)
        found = super().get_queryset(request).annotate(currency=currency).select_related("offer", "segment")
        return found.prefetch_related("pictures", "tiers", prices)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None):
        first, *others = super().get_fieldsets(request, obj)
        fields = list(first[1]["fields"])
        if obj is None:  # nothing to say in words yet
            fields.remove("words")
        if not self.has_change_permission(request, obj):  # the picture is of the form alone, and they have none
            fields = [field for field in fields if not str(field).lstrip("('").startswith("picture")]
        return ((None, {**first[1], "fields": fields}), *others)

    def save_model(self, request: HttpRequest, obj: Reward, form: Any, change: bool) -> None:
        """Writes what was changed and nothing else: others redeem meanwhile."""
        if not change:
            obj.save()
        else:
            fields = {f.name for f in Reward._meta.concrete_fields} & set(form.changed_data) - {"stock", "redeemed"}
            if fields:
                obj.save(update_fields=fields)
            if "stock" in form.changed_data:
                try:
                    set_stock(reward_id=obj.pk, before=form.stock_before(), after=form.cleaned_data["stock"])
                except StockGone as gone:
                    text = gettext("The stock stays: %(n)d are left by now, for others redeemed meanwhile.")
                    self.message_user(request, text % {"n": gone.left}, messages.WARNING)
        if file := form.cleaned_data.get("picture"):
            alts = {"en": form.cleaned_data["picture_alt_en"], "zh-hans": form.cleaned_data["picture_alt_zh_hans"]}
            add_picture(reward_id=obj.pk, file=file, alts=alts)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        if formset.model is RewardSession:
            self._save_sessions(request, formset)
        elif formset.model is RewardPicture:
            formset.save(commit=False)
            for picture in formset.deleted_objects:
                remove_picture(picture_id=picture.pk)
            for picture, _fields in formset.changed_objects:
                picture.save()
        else:
            formset.save()

    def _save_sessions(self, request: HttpRequest, formset: Any) -> None:
        formset.save(commit=False)
        for session in formset.new_objects:
            session.save()
        for session, changed in formset.changed_objects:
            if fields := set(changed) - {"capacity"}:
                session.save(update_fields=fields)
            if "capacity" in changed:
                try:
                    set_capacity(session_id=session.pk, capacity=session.capacity, at=now())
                except PlacesTaken as taken:
                    text = gettext("The places stay: %(n)d are taken by now.") % {"n": taken.booked}
                    self.message_user(request, text, messages.WARNING)

    @admin.action(description=_("Publish"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Reward]) -> None:
        self._set(request, queryset, RewardState.LIVE)

    @admin.action(description=_("Archive"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Reward]) -> None:
        self._set(request, queryset, RewardState.ARCHIVED)

    def _set(self, request: HttpRequest, queryset: QuerySet[Reward], state: RewardState) -> None:
        n = Reward.objects.filter(pk__in=queryset.values("pk")).exclude(state=state).update(state=state)
        text = ngettext("%(n)d reward: %(state)s.", "%(n)d rewards: %(state)s.", n)
        self.message_user(request, text % {"n": n, "state": state.label}, messages.SUCCESS)

    @action(description=_("What members see"), url_path="preview", permissions=["view"], icon="visibility")
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The reward as it stands in the catalogue in both languages, its prices by tier, and whether somebody whose
        card, e-mail or phone is typed could have it."""
        reward = found_or_404(self.get_queryset(request), object_id)
        asked = request.GET.get("member", "").strip()
        found = found_exactly(asked) if asked else []
        member = Member.objects.get(pk=found[0]) if len(found) == 1 else None
        at = now()
        sides = []
        for language, label in (("en", _("English")), ("zh-hans", _("Simplified Chinese"))):
            with override(language):
                (shelf,) = look(Reward.objects.filter(pk=reward.pk), member_id=member.pk if member else None, at=at)
                picture = next(iter(shelf.reward.pictures.all()), None)
                sides.append(
                    {
                        "language": language,
                        "label": label,
                        "name": shelf.reward.name,
                        "summary": shelf.reward.summary,
                        "description": shelf.reward.description,
                        "terms": shelf.reward.terms,
                        "kind": shelf.reward.get_kind_display(),
                        "price": price_words(shelf.price_points, shelf.price_money_minor, get_programme().currency),
                        "picture": picture,
                        "alt": picture.alt if picture else "",
                        "reasons": [reason.sentence for reason in shelf.reasons],
                        "dates": [
                            {
                                "when": format_moment(offered.session.starts_at),
                                "place": offered.session.place,
                                "left": number_format(offered.left),
                                "reasons": [reason.sentence for reason in offered.reasons],
                            }
                            for offered in shelf.sessions
                        ],
                    }
                )
        currency = get_programme().currency
        prices = [
            (tier.name, price_words(*price_of(reward, tier)[:2], currency)) for tier in Tier.objects.order_by("rank")
        ]
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": reward,
            "title": gettext("What members see"),
            "reward": reward,
            "sides": sides,
            "prices": prices,
            "asked": asked,
            "member": member,
        }
        return TemplateResponse(request, "admin/catalogue/preview.html", context)

    @display(description="")
    def picture(self, reward: Reward) -> str:
        return thumb(reward)

    @display(description=_("name"), ordering="name")
    def titled(self, reward: Reward) -> str:
        return reward.name

    @display(description=_("price"))
    def price(self, reward: Reward) -> str:
        return price_words(reward.points, reward.money_minor, reward.currency)

    @display(description=_("stock"))
    def left(self, reward: Reward) -> str:
        return "∞" if reward.stock is None else number_format(reward.stock, force_grouping=True)

    @display(description=_("redeemed"), ordering="redeemed")
    def taken(self, reward: Reward) -> str:
        n = number_format(reward.redeemed, force_grouping=True)
        if reward.limit_total is None:
            return n
        return gettext("%(n)s of %(limit)s") % {"n": n, "limit": number_format(reward.limit_total, force_grouping=True)}

    @display(description=_("state"), label={"live": "success", "draft": "warning", "archived": "", "over": "danger"})
    def shown_state(self, reward: Reward) -> tuple[str, Any]:
        at = now()
        if reward.state == RewardState.LIVE and (reward.stock == 0 or reward.redeemed == reward.limit_total):
            return "over", _("Sold out")
        if reward.state == RewardState.LIVE and reward.visible_until is not None and reward.visible_until <= at:
            return "over", _("Over")
        if reward.state == RewardState.LIVE and reward.visible_from is not None and reward.visible_from > at:
            return "draft", _("Not shown yet")
        return reward.state, reward.get_state_display()

    @display(description=_("green"))
    def green_mark(self, reward: Reward) -> str:
        return str(_("green")) if reward.green else ""

    @display(description=_("in words"))
    def words(self, reward: Reward) -> str:
        if not reward.pk:
            return "–"
        return format_html_join(" ", "{}", [(sentence,) for sentence in summary(reward, reward.currency)])

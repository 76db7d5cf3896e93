"""The brand: colours, logo and words, with how well they can be read while one chooses."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.timezone import now
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns.content import colours
from campaigns.content.compiled import Compiled
from campaigns.content.look import Look, get_brand, picture_path
from campaigns.content.reading import parse
from campaigns.content.ready import READY
from campaigns.models import Brand
from campaigns.services.brand import judge, save_brand
from campaigns.services.templates import example
from campaigns.services.trying import shown
from common.admin import DeskAdmin, guarded
from members.queries import get_programme
from rewards.services.pictures import PictureRefused

_SHOWN = "birthday"


class _Colour(forms.CharField):
    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"type": "color", "class": "let-colour"})
        super().__init__(max_length=7, widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").lower()


class BrandForm(forms.Form):
    accent = _Colour(label=_("Accent"), help_text=_("Buttons, links, large figures."))
    background = _Colour(label=_("Background"), help_text=_("Behind the page."))
    text = _Colour(label=_("Text"))
    radius = forms.IntegerField(
        label=_("Round corners (pixels)"), min_value=0, max_value=28, widget=UnfoldAdminIntegerFieldWidget
    )
    logo = forms.FileField(
        label=_("Logo"),
        required=False,
        help_text=_("JPEG, PNG or WebP. Best a PNG that can be seen on light and on dark ground."),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "image/jpeg,image/png,image/webp"}),
    )
    drop_logo = forms.BooleanField(label=_("Take the logo away"), required=False, widget=UnfoldBooleanSwitchWidget)
    footer_en = forms.CharField(
        label=_("Words at the foot, in English"),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
    footer_zh_hans = forms.CharField(
        label=_("Words at the foot, in Chinese"),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
    social = forms.CharField(
        label=_("Other pages"),
        required=False,
        help_text=_("One page a line: its name, a blank, its address. They stand at the foot of mails."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": "Instagram https://instagram.com/…"}),
    )

    def clean_social(self) -> list[dict[str, str]]:
        pairs = [line.strip().rpartition(" ") for line in self.cleaned_data["social"].splitlines() if line.strip()]
        return [{"label": label.strip()[:40], "url": url} for label, _blank, url in pairs]

    @classmethod
    def of(cls, brand: Brand) -> dict[str, Any]:
        plain = ("accent", "background", "text", "radius", "footer_en", "footer_zh_hans")
        social = "\n".join(f"{one['label']} {one['url']}" for one in brand.social)
        return {name: getattr(brand, name) for name in plain} | {"social": social}


@admin.register(Brand)
class BrandAdmin(DeskAdmin):
    """One row: the list is its page."""

    class Media:
        css = {"all": ["desk/letters.css"]}

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(guarded(self, self.panel))
        return [path("panel/", view, name="campaigns_brand_panel"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return redirect("admin:campaigns_brand_changelist")

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        brand, may = get_brand(), self.has_change_permission(request)
        form = BrandForm(request.POST or None, request.FILES or None, initial=BrandForm.of(brand))
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            if form.is_valid() and self._saved(request, form):
                return redirect("admin:campaigns_brand_changelist")
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": None,
            "title": _("Brand"),
            "form": form,
            "brand": brand,
            "logo_url": picture_path(brand.logo) if brand.logo else "",
            "may": may,
            **self._shown(brand),
        }
        return TemplateResponse(request, "campaigns/admin/templates/brand.html", context)

    def _saved(self, request: HttpRequest, form: BrandForm) -> bool:
        given = form.cleaned_data
        try:
            save_brand(values=given, logo=given["logo"], drop_logo=given["drop_logo"], at=now())
        except PictureRefused as refused:
            form.add_error("logo", refused.args[0])
            return False
        except ValidationError as error:
            form.add_error(None, error)
            return False
        messages.success(request, gettext("The brand is saved. Mails and the members' pages follow."))
        return True

    def panel(self, request: HttpRequest) -> HttpResponse:
        """How colours that are not saved yet would look and read."""
        brand = get_brand()
        for name in ("accent", "background", "text"):
            value = request.GET.get(name, "").lower()
            if colours.is_hex(value):
                setattr(brand, name, value)
        radius = request.GET.get("radius", "")
        if radius.isascii() and radius.isdigit() and int(radius) <= 28:
            brand.radius = int(radius)
        return TemplateResponse(request, "campaigns/admin/templates/brand_panel.html", self._shown(brand))

    def _shown(self, brand: Brand) -> dict[str, Any]:
        language = get_language() or "en"
        made = Compiled(parse(READY[_SHOWN].content), language, "marketing", Look(brand, get_programme()), now())
        content = made.render(example())
        return {
            "verdicts": judge(brand.accent, brand.background, brand.text),
            "light": shown(content, dark=False),
            "dark": shown(content, dark=True),
        }

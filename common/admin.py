"""What the pages of the staff admin share: records that are only read, lists that stay quick at a million rows, and
acts that ask once, saying in plain words what they will do."""

from collections.abc import Callable, Mapping
from hashlib import md5
from typing import Any, TypeVar

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import ShowFacets, SimpleListFilter
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView
from django_htmx.http import HttpResponseClientRefresh
from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV, XLSX
from import_export.resources import ModelResource
from modeltranslation.fields import TranslationField
from unfold.admin import ModelAdmin
from unfold.contrib.import_export.forms import ExportForm
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminSelect2Widget

from common.cells import plain_cell
from common.moments import time_zones
from common.sql import fetch_all

T = TypeVar("T")
M = TypeVar("M", bound=Model)
ESTIMATE_FROM = 20_000
COUNT_UP_TO = 100_000
EXPORT_UP_TO = 100_000


def found_or_404(model: type[M] | QuerySet[M], pk: object) -> M:
    """The row with a key that stood in an address. Http404 also where it is no key at all."""
    try:
        return get_object_or_404(model, pk=pk)
    except (ValueError, ValidationError) as error:
        raise Http404 from error


def estimated_rows(table: str) -> int:
    """How many rows PostgreSQL believes a table has; 0 or less where it was never analysed."""
    return int(fetch_all("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])[0][0])


class EstimatingPaginator(Paginator):
    """Counts exactly what can be counted quickly: above that, the estimate for a whole table, or “more than”."""

    template_name = "admin/pagination_about.html"
    is_estimate = is_capped = False
    count_up_to: int | None = None  # COUNT_UP_TO, where it is not less

    @cached_property
    def is_whole(self) -> bool:
        """Whether nothing was filtered."""
        return not self.object_list.query.where  # type: ignore[union-attr]

    @cached_property
    def count(self) -> int:
        rows: QuerySet = self.object_list  # type: ignore[assignment]
        if self.is_whole:
            estimate = estimated_rows(rows.model._meta.db_table)
            if estimate >= ESTIMATE_FROM:
                self.is_estimate = True
                return estimate
        most = min(self.count_up_to or COUNT_UP_TO, COUNT_UP_TO)
        count = rows.order_by().values("pk")[: most + 1].count()
        self.is_capped = count > most
        return min(count, most)


class QuickChangeList(ChangeList):
    """Is called what it lists, and says “of how many” only where something was left out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_popup:
            self.title = capfirst(str(self.opts.verbose_name_plural))

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count


class DeskAdmin(ModelAdmin):
    """The base of every staff page. Nothing is deleted here: what is wrong is mended by a new record."""

    paginator: Any = EstimatingPaginator
    show_full_result_count = False
    list_per_page = 25
    list_filter_sheet = False
    actions: Any = None
    # Sorting by a computed column reads every row; allowed while that is cheap.
    sortable_up_to = ESTIMATE_FROM
    show_facets = ShowFacets.NEVER  # a count per choice would read every row for each

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return QuickChangeList

    def get_sortable_by(self, request: HttpRequest):
        if estimated_rows(self.model._meta.db_table) > self.sortable_up_to:
            return ()
        return super().get_sortable_by(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)
        except DisallowedModelAdminLookup:  # an address by hand, or one that was kept from an older list
            self.message_user(request, gettext("This list has no such filter, so here is all of it."), messages.WARNING)
            return redirect(request.path)

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        one_button = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().changeform_view(request, object_id, form_url, {**one_button, **(extra_context or {})})

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        """A text in two languages says which is which in words, and not “[zh-hans]”."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(db_field, TranslationField):
            field.label = bilingual_label(db_field)
        return field

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Says what was saved, in the words of the house."""
        if "_popup" in request.POST:
            return super().response_change(request, obj)
        self.message_user(request, gettext("%(what)s is saved.") % {"what": obj}, messages.SUCCESS)
        return self.response_post_save_change(request, obj)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        if "_popup" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(request, gettext("%(what)s is saved.") % {"what": obj}, messages.SUCCESS)
        return self.response_post_save_add(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def bilingual_label(field: TranslationField) -> str:
    """ "Name (Simplified Chinese)"."""
    words = {
        "label": field.translated_field.verbose_name,
        "language": gettext(str(dict(settings.LANGUAGES)[field.language])),
    }
    return capfirst(gettext("%(label)s (%(language)s)") % words)


class ReadOnlyAdmin(DeskAdmin):
    """Records that are written by services alone."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PlainResource(ModelResource):
    """What an export holds: text as text."""

    def export_field(self, field, instance, **kwargs):
        return plain_cell(super().export_field(field, instance, **kwargs))


class ExportAdmin(ExportMixin, DeskAdmin):
    """A list that those who may change its records can take along, as it is filtered, as CSV or XLSX."""

    export_form_class = ExportForm
    to_encoding = "utf-8-sig"  # Excel knows Chinese by the byte order mark
    export_permission = ""

    def get_export_formats(self):
        return [CSV, XLSX]

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.export_permission)

    def get_export_data(self, file_format, request, queryset, **kwargs):
        if queryset.order_by().values("pk")[: EXPORT_UP_TO + 1].count() > EXPORT_UP_TO:
            raise ValueError(
                gettext("That is more than %(n)d rows. Please filter the list first.") % {"n": EXPORT_UP_TO}
            )
        return super().get_export_data(file_format, request, queryset, **kwargs)


class TimeZoneField(forms.ChoiceField):
    """The time zones this machine knows, to be searched by typing."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", _("Time zone"))
        kwargs.setdefault("widget", UnfoldAdminSelect2Widget)
        super().__init__(choices=lambda: [(name, name.replace("_", " ")) for name in sorted(time_zones())], **kwargs)


def guarded(model_admin: Any, view: Any, permission: str = "view") -> Any:
    """A view of a model admin for those who may see (or "add", "change") its records."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not getattr(model_admin, f"has_{permission}_permission")(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return answer


class Labelled(tuple):
    """What a @display(label=…) answers: the key of its colour, and the words. A record's own page, where unfold knows
    of no labels, shows the words alone."""

    def __str__(self) -> str:
        return str(self[1])


class Tones(dict[Any, str]):
    """Colours of states for @display(label=…); others are grey, where unfold would show the key."""

    def __missing__(self, key: object) -> str:
        return ""


def record_link(page: str, pk: object, text: object) -> str:
    """A link to the page of a record, e.g. record_link("members_member", 5, "Anna")."""
    return format_html('<a class="desk-link" href="{}">{}</a>', reverse(f"admin:{page}_change", args=[pk]), text)


def changed_meanwhile(request: HttpRequest, form: Any, shown: Mapping[str, Any]) -> bool:
    """Whether somebody else has saved what a form changes since it was opened; the form says so, once.

    `shown`: what it would show now. Its template carries `form.seen` along, in a hidden field.
    """
    values = [(name, sorted(value, key=repr) if isinstance(value, list) else value) for name, value in shown.items()]
    as_it_is = md5(repr(values).encode(), usedforsecurity=False).hexdigest()
    form.seen = request.POST.get("seen", as_it_is)
    if form.seen == as_it_is:
        return False
    if form.is_valid():
        form.seen = as_it_is
        text = gettext(
            "Somebody has changed this since you opened it. Look at it in another tab; saving once more puts what"
            " stands here in its place."
        )
        form.add_error(None, text)
    return True


def rehearse(act: Callable[[], T]) -> T:
    """What a service would answer now; all that it wrote is rolled back."""
    with transaction.atomic():
        answer = act()
        transaction.set_rollback(True)
    return answer


class ConfirmView(PermissionRequiredMixin, FormView):
    """An act in two steps: what, then — with all that it changes said in words — whether.

    A subclass has `title`, `form_class`, `permission_required`, `act_label`, and answers `preview(form)` with the
    sentences of the second step and `act(form)` with the sentence of the result. Both raise ValidationError for what
    the person can mend.
    """

    template_name = "admin/confirm.html"
    model_admin: Any = None
    title: Any = ""
    intro: Any = ""
    act_label: Any = ""
    danger = False

    @classmethod
    def answer(cls, model_admin: ModelAdmin, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """The response to a request that a model admin leaves to this view."""
        return cls.as_view(model_admin=model_admin)(request, **kwargs)  # type: ignore[return-value]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.at = now()
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def get_object(self) -> Any:
        """What the act is about; None where there is no such thing yet."""
        return None

    def warnings(self, form: Form) -> list[str]:
        """What to look at twice before saying yes."""
        return []

    def preview(self, form: Form) -> list[str]:
        raise NotImplementedError

    def act(self, form: Form) -> str:
        raise NotImplementedError

    def form_valid(self, form: Form) -> HttpResponse:
        if "back" in self.request.POST:
            return self.render_to_response(self.get_context_data(form=form))
        try:
            if "confirmed" in self.request.POST:
                messages.success(self.request, self.act(form))
                if self.request.htmx:  # the act was asked for in a dialog: the page under it is read anew
                    return HttpResponseClientRefresh()
                return redirect(self.get_success_url())
            sentences = self.preview(form)
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        warned = self.warnings(form)
        return self.render_to_response(self.get_context_data(form=form, sentences=sentences, warnings=warned))

    def form_invalid(self, form: Form) -> HttpResponse:
        """The form again, with the cursor in the first field that is wrong."""
        first = next((name for name in form.fields if name in form.errors), None)
        for name, field in form.fields.items():
            field.widget.attrs["autofocus"] = name == first
        return super().form_invalid(form)  # type: ignore[return-value]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        self.request.current_app = self.model_admin.admin_site.name  # type: ignore[attr-defined]
        return super().get_context_data(
            **kwargs,
            **self.model_admin.admin_site.each_context(self.request),
            title=self.title,
            opts=self.model_admin.opts,
            original=self.get_object(),
            intro=self.intro,
            act_label=self.act_label,
            danger=self.danger,
            back_url=self.get_success_url(),
        )


class ArchivedFilter(SimpleListFilter):
    """Archived ones are out of the way until somebody asks for them."""

    title = _("archived")
    parameter_name = "archived"

    def lookups(self, request, model_admin):
        return [("yes", _("Archived")), ("all", _("All"))]

    def choices(self, changelist):
        first, *others = super().choices(changelist)
        yield {**first, "display": _("In use")}
        yield from others

    def queryset(self, request, queryset):
        if self.value() == "all":
            return queryset
        return queryset.filter(archived_at__isnull=self.value() != "yes")

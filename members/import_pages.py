"""The pages of a file that comes in, which imports of every kind share: uploaded, read as staff decide, tried out, then
brought in by a worker."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import number_format
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ReadOnlyAdmin, found_or_404
from common.moments import format_moment
from members.enums import ImportState
from members.forms import ReadForm
from members.import_problems import FileRefused
from members.services.imports.intake import TooLate, dismiss, ends_open, request_cancel

SAMPLES = 4
_NEXT = {ImportState.DRAFT: "columns", ImportState.QUEUED: "progress", ImportState.RUNNING: "progress"}


class FileImportAdmin(ReadOnlyAdmin):
    """What an import page shows depends on how far the file is.

    A subclass has `folder` (of its templates), `intake` (a module with look_into, read_anew and discard), `acts` (by
    the name of a button, what is done with the import's key), and answers `choices`, `decide`, `may_change`, `doing`,
    `_result` and `bad_rows_file`.
    """

    folder = ""
    intake: Any
    acts: dict[str, Callable[[int], Any]] = {}

    list_filter = ("state", "source")
    list_select_related = ("created_by",)
    ordering = ("-id",)
    sortable_by = ()

    def choices(self, i: Any, data: Any = None) -> Any:
        """The form of what staff decide, with `columns` and `refuse`."""
        raise NotImplementedError

    def decide(self, i: Any, form: Any) -> None:
        """Keeps what was decided and starts the dry run. FileRefused; ValidationError; TooLate."""
        raise NotImplementedError

    def may_change(self, i: Any) -> bool:
        raise NotImplementedError

    def doing(self, i: Any) -> str:
        """What a worker is at, in a sentence."""
        raise NotImplementedError

    def bad_rows_file(self, request: HttpRequest, import_id: int) -> Any:
        raise NotImplementedError

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(f"members.add_{self.opts.model_name}")

    def get_urls(self) -> list:
        return [
            self.own("<int:import_id>/progress/", self.progress, "progress"),
            self.own("<int:import_id>/bad-rows.csv", self.bad_rows_file, "bad_rows"),
            *super().get_urls(),
        ]

    def own(self, route: str, view: Any, name: str) -> Any:
        """A page of this model's own."""
        return path(route, self.admin_site.admin_view(view), name=f"members_{self.opts.model_name}_{name}")

    def url(self, page: str, *args: Any) -> str:
        return reverse(f"admin:members_{self.opts.model_name}_{page}", args=args)

    # --- The list ---------------------------------------------------------------------------------------------------
    @display(description=_("file"), ordering="-id")
    def file_name(self, i: Any) -> str:
        return str(i)

    @display(
        description=_("state"),
        label={"draft": "", "queued": "info", "running": "info", "done": "success", "failed": "danger", "undone": ""},
    )
    def stage(self, i: Any) -> tuple[str, Any]:
        if i.state == ImportState.DONE and getattr(i, "undoing", False):
            return "undone", _("Taken back")
        if i.dry_run and i.state == ImportState.DONE:
            return "draft", _("Checked")
        return i.state, i.get_state_display()

    @display(description=_("bad rows"))
    def bad_rows(self, i: Any) -> str:
        return number_format(i.problems, force_grouping=True)

    @display(description=_("uploaded"))
    def uploaded(self, i: Any) -> str:
        return format_moment(i.created_at)

    def brought(self, i: Any, n: int) -> str:
        """How many came in; nothing has before it began."""
        return "–" if i.dry_run or i.state == ImportState.DRAFT else number_format(n, force_grouping=True)

    # --- One import -------------------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        i = found_or_404(self.model, object_id)
        if request.method == "POST":
            return self._act(request, i)
        may_add = self.has_add_permission(request)
        if "columns" in request.GET and may_add and self.may_change(i):
            return self._columns(request, i)
        if asked := self.also(request, i):
            return asked
        step = _NEXT.get(ImportState(i.state), "result")
        if step == "columns" and not may_add:
            step = "result"
        return getattr(self, f"_{step}")(request, i)

    def also(self, request: HttpRequest, i: Any) -> HttpResponse | None:
        """A page of an import that only this kind has."""
        return None

    def _act(self, request: HttpRequest, i: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        back = redirect(self.url("change", i.pk))
        asked = request.POST
        try:
            if "read" in asked:
                return self._read_anew(request, i) or redirect(f"{back.url}?columns")
            if "check" in asked:
                return self._check(request, i) or back
            if act := next((act for name, act in self.acts.items() if name in asked), None):
                act(i.pk)
            elif "cancel" in asked:
                request_cancel(import_id=i.pk, at=now(), model=self.model)
            elif "dismiss" in asked:
                dismiss(import_id=i.pk, at=now(), model=self.model)
            elif "discard" in asked:
                self.intake.discard(import_id=i.pk)
                messages.success(request, gettext("The file was thrown away. Nothing had come in."))
                return redirect(self.url("changelist"))
        except TooLate:
            messages.warning(request, gettext("The import has moved on meanwhile. This is how it stands now."))
        except FileRefused as problem:
            messages.error(request, str(problem))
        return back

    def _read_anew(self, request: HttpRequest, i: Any) -> HttpResponse | None:
        form = ReadForm(request.POST)
        if form.is_valid():
            try:
                self.intake.read_anew(import_id=i.pk, **form.cleaned_data)
                return None
            except FileRefused as problem:
                form.add_error("encoding", ValidationError(str(problem)))
        return self._columns(request, i, read_form=form)

    def _check(self, request: HttpRequest, i: Any) -> HttpResponse | None:
        form = self.choices(i, request.POST)
        if form.is_valid():
            try:
                self.decide(i, form)
                return None
            except FileRefused as problem:
                form.refuse(problem)
            except ValidationError as error:
                form.add_error(None, error)
        return self._columns(request, i, form=form)

    def _columns(
        self, request: HttpRequest, i: Any, *, form: Any = None, read_form: Form | None = None
    ) -> HttpResponse:
        form = form or self.choices(i)
        try:
            rows = [row.cells for row in self.intake.look_into(i).rows[:SAMPLES]]
            last_row = ends_open(i)
        except FileRefused as problem:
            return self.page(request, "gone", i, problem=str(problem))
        samples = [[row[c].strip() for row in rows if c < len(row)] for c in range(len(form.columns))]
        return self.page(
            request,
            "columns",
            i,
            form=form,
            read_form=read_form or ReadForm.of(i),
            columns=[(form[name], cells) for name, cells in zip(form.columns, samples, strict=True)],
            last_row=last_row,
        )

    def _progress(self, request: HttpRequest, i: Any) -> HttpResponse:
        return self.page(request, "progress", i, doing=self.doing(i))

    def progress(self, request: HttpRequest, import_id: int) -> HttpResponse:
        """The bar alone, for htmx to renew; once the import has ended, the whole page is to be loaded."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        i: Any = found_or_404(self.model, import_id)
        response = TemplateResponse(request, f"{self.folder}/bar.html", {"i": i, "doing": self.doing(i)})
        if not i.is_open:
            response["HX-Refresh"] = "true"
        return response

    def page(self, request: HttpRequest, name: str, i: Any = None, **context: Any) -> HttpResponse:
        """One of the templates in `folder`; a file that is gone is told of alike everywhere."""
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(i) if i else "",
            "i": i,
            "back_url": self.url("changelist"),
            **context,
        }
        folder = "admin/import" if name == "gone" else self.folder
        return TemplateResponse(request, f"{folder}/{name}.html", context)

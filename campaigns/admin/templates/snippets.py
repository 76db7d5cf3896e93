"""Snippets: blocks that several templates share."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.admin.templates.admin import EditorPage
from campaigns.admin.templates.forms import SnippetForm, as_json
from campaigns.content.blocks import BadContent
from campaigns.enums import TemplateKind
from campaigns.models import Snippet
from campaigns.services.templates import archive_snippet, save_snippet, using
from common.admin import ArchivedFilter, changed_meanwhile, found_or_404, guarded
from common.moments import format_moment


@admin.register(Snippet)
class SnippetAdmin(EditorPage):
    list_display = ("name", "shown_blocks", "shown_changed")
    list_filter = (ArchivedFilter,)
    search_fields = ("name",)
    ordering = ("name", "id")
    sortable_by = ()

    class Media:
        css = {"all": ["desk/segments.css", "desk/letters.css"]}

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(guarded(self, self.archive, "change"))
        return [path("<int:object_id>/archive/", view, name="campaigns_snippet_archive"), *super().get_urls()]

    @display(description=_("blocks"))
    def shown_blocks(self, snippet: Snippet) -> int:
        return len(snippet.blocks)

    @display(description=_("changed"))
    def shown_changed(self, snippet: Snippet) -> str:
        return format_moment(snippet.changed_at)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self.edit(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self.edit(request, found_or_404(Snippet, object_id))

    def edit(self, request: HttpRequest, snippet: Snippet | None) -> HttpResponse:
        may = self.has_change_permission(request) if snippet else self.has_add_permission(request)
        blocks = {"blocks": snippet.blocks if snippet else []}
        initial = {"name": snippet.name if snippet else "", "content": as_json(blocks)}
        form = SnippetForm(request.POST if request.method == "POST" else None, initial=initial)
        clash = snippet is not None and changed_meanwhile(request, form, initial)
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            if form.is_valid() and not clash and "save" in request.POST and self._saved(request, snippet, form):
                return redirect("admin:campaigns_snippet_changelist")
        return self.show_editor(
            request,
            form,
            TemplateKind.MARKETING,
            title=str(snippet) if snippet else _("New snippet"),
            original=snippet,
            may=may,
            used_by=[version.template for version in using(snippet.pk)] if snippet else [],
            archived=bool(snippet and snippet.archived_at),
            back_url=reverse("admin:campaigns_snippet_changelist"),
        )

    def _saved(self, request: HttpRequest, snippet: Snippet | None, form: SnippetForm) -> bool:
        given = form.cleaned_data
        try:
            saved, made = save_snippet(
                snippet_id=snippet.pk if snippet else None,
                name=given["name"],
                content=given["content"],
                actor_id=request.user.pk,
                at=now(),
            )
        except BadContent as bad:
            form.problems = tuple(bad.problems)
            form.add_error("content", bad.problems[0].sentence)
            return False
        text = gettext("“%(name)s” is saved.") % {"name": saved}
        if made:
            text += " " + ngettext(
                "%(n)d template that shows it has a new version.",
                "%(n)d templates that show it have a new version.",
                len(made),
            ) % {"n": len(made)}
        messages.success(request, text)
        return True

    def archive(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Out of the list, or back into it; only a button's POST acts."""
        snippet = found_or_404(Snippet, object_id)
        if request.method == "POST":
            archive_snippet(snippet_id=snippet.pk, at=None if snippet.archived_at else now())
            text = gettext("“%(name)s” is back.") if snippet.archived_at else gettext("“%(name)s” is archived.")
            messages.success(request, text % {"name": snippet})
        return redirect("admin:campaigns_snippet_changelist")

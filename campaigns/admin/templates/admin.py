"""Templates: the list, what to begin from, the editor, the versions."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.timezone import now
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns import merge
from campaigns.admin.templates import acts, editor
from campaigns.admin.templates.differences import differences
from campaigns.admin.templates.forms import EMPTY, TemplateForm, as_json
from campaigns.content.blocks import BadContent, closest, complete_languages
from campaigns.content.ready import READY
from campaigns.enums import TemplateKind
from campaigns.models import Template, TemplateVersion
from campaigns.services.templates import in_short, newest_version, save_template
from common.admin import ArchivedFilter, DeskAdmin, changed_meanwhile, found_or_404, guarded
from common.moments import format_moment
from members.enums import Language


def in_words(texts: dict[str, str], values: dict[str, Any] | None = None) -> str:
    """A text in the reader's language, or in the other one, with sample values in it."""
    written = [language for language, text in texts.items() if text]
    text = texts[closest(written, get_language() or "en", "en")] if written else ""
    return in_short(text, merge.samples() if values is None else values) if "{" in text else text


class EditorPage(DeskAdmin):
    """What the pages of templates and of snippets share: the editor takes the place of the form."""

    editor_template = "campaigns/admin/templates/editor.html"

    def page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {**self.admin_site.each_context(request), "opts": self.opts, "original": None, **context}
        return TemplateResponse(request, template, context)

    def show_editor(self, request: HttpRequest, form: Any, kind: str, **context: Any) -> HttpResponse:
        """The editor with what it shows before any script has run."""
        only_blocks = form.only_blocks
        language = get_language() or "en"
        asked = {
            "content": form.data.get("content") if form.is_bound else form.initial["content"],
            "kind": kind,
            "language": language if language in Language.values else "en",
            "only_blocks": only_blocks,
        }
        try:
            asked["content"] = editor.json.loads(asked["content"] or "null")
        except (ValueError, RecursionError):
            asked["content"] = None
        return self.page(
            request,
            self.editor_template,
            form=form,
            kinds=[one for one in editor.kinds() if not (only_blocks and one["name"] == "snippet")],
            script_words=editor.script_words(),
            script_settings=editor.settings_of("snippet" if only_blocks else "template", language=asked["language"]),
            checked=editor.judged(asked, may_see_members=False),
            languages=Language.choices,
            **context,
        )


@admin.register(Template)
class TemplateAdmin(EditorPage):
    list_display = ("shown_name", "kind", "shown_languages", "shown_version", "shown_changed")
    list_filter = (ArchivedFilter, "kind")
    search_fields = ("name", "versions__subject")
    search_help_text = _("Name or subject")
    ordering = ("-changed_at", "-id")
    sortable_by = ()

    class Media:
        css = {"all": ["desk/segments.css", "desk/letters.css"]}

    def get_urls(self) -> list:
        def own(route: str, view: Any, name: str, permission: str = "view") -> Any:
            guard = guarded(self, view, permission)
            return path(route, self.admin_site.admin_view(guard), name=f"campaigns_template_{name}")

        confirms = {
            "archive": acts.ArchiveView,
            "restore": acts.BringBackView,
            "copy": acts.CopyView,
            "test": acts.TestView,
        }
        return [
            own("preview/", editor.preview, "preview"),
            own("members/", editor.members, "members"),
            own("upload/", editor.upload, "upload", "change"),
            own("ready/<str:key>/", self.ready, "ready", "add"),
            own("<int:object_id>/versions/", self.versions, "versions"),
            own("<int:object_id>/versions/<int:number>/", self.confirm(acts.RestoreView), "version", "change"),
            *(own(f"<int:object_id>/{name}/", self.confirm(view), name, "change") for name, view in confirms.items()),
            *super().get_urls(),
        ]

    def confirm(self, view: Any) -> Any:
        """An act in two steps, with what stands in its address."""

        def called(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            return view.as_view(model_admin=self)(request, **kwargs)

        return called

    # --- The list -----------------------------------------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        newest = TemplateVersion.objects.filter(template=OuterRef("pk")).order_by("-number")
        return (
            super()
            .get_queryset(request)
            .annotate(
                number=Subquery(newest.values("number")[:1]),
                newest_pk=Subquery(newest.values("pk")[:1]),
            )
        )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        rows: list[Any] = list(found.result_list)
        versions = TemplateVersion.objects.in_bulk([row.newest_pk for row in rows])
        samples = merge.samples()
        for row in rows:
            row.samples = samples
            row.content = versions[row.newest_pk].content if row.newest_pk in versions else EMPTY
        found.result_list = rows
        return found

    @display(description=_("template"), ordering="name")
    def shown_name(self, template: Any) -> str:
        banner = next((block for block in template.content["blocks"] if block["type"] == "banner"), None)
        motif = in_words(banner["motif"], template.samples) if banner else ""
        return format_html(
            '<span class="let-cell"><span class="let-thumb let-{}" aria-hidden="true">{}</span>'
            '<span class="seg-cell">{}<span class="desk-muted">{}</span></span></span>',
            banner["tone"] if banner else "plain",
            motif or "✉",
            template.name,
            in_words(template.content["subject"], template.samples),
        )

    @display(description=_("languages"))
    def shown_languages(self, template: Any) -> str:
        names = dict(Language.choices)
        return ", ".join(str(names[code]) for code in complete_languages(template.content)) or "–"

    @display(description=_("version"))
    def shown_version(self, template: Any) -> int:
        return template.number

    @display(description=_("changed"))
    def shown_changed(self, template: Template) -> str:
        return format_moment(template.changed_at)

    # --- Begin --------------------------------------------------------------------------------------------------
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """What to begin from; with `?empty`, the editor."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if "empty" in request.GET or request.method == "POST":
            return self.edit(request, None, {"name": "", "kind": TemplateKind.MARKETING, "content": as_json(EMPTY)})
        return self.page(
            request, "campaigns/admin/templates/start.html", title=_("New template"), ready=list(READY.values()),
            cards=[(one, in_words(one.content["subject"]), _banner(one.content)) for one in READY.values()],
        )  # fmt: skip

    def ready(self, request: HttpRequest, key: str) -> HttpResponse:
        """The editor with a ready template in it; nothing is kept before it is saved."""
        if key not in READY:
            raise Http404
        one = READY[key]
        initial = {"name": str(one.name), "kind": TemplateKind.MARKETING, "content": as_json(one.content)}
        return self.edit(request, None, initial)

    # --- The editor ---------------------------------------------------------------------------------------------
    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        template = found_or_404(Template, object_id)
        version = newest_version(template.pk)
        initial = {"name": template.name, "kind": template.kind, "content": as_json(version.content)}
        return self.edit(request, template, initial, version)

    def edit(
        self,
        request: HttpRequest,
        template: Template | None,
        initial: dict[str, Any],
        version: TemplateVersion | None = None,
    ) -> HttpResponse:
        may = self.has_change_permission(request) if template else self.has_add_permission(request)
        form = TemplateForm(request.POST if request.method == "POST" else None, initial=initial)
        clash = template is not None and changed_meanwhile(request, form, initial)
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            if (
                form.is_valid()
                and not clash
                and "save" in request.POST
                and (saved := self._saved(request, template, form))
            ):
                return redirect("admin:campaigns_template_change", saved.template_id)
        kind = form.data.get("kind") if form.is_bound else initial["kind"]
        return self.show_editor(
            request,
            form,
            str(kind),
            title=str(template) if template else _("New template"),
            original=template,
            version=version,
            may=may,
            archived=bool(template and template.archived_at),
            back_url=reverse("admin:campaigns_template_changelist"),
        )

    def _saved(self, request: HttpRequest, template: Template | None, form: TemplateForm) -> TemplateVersion | None:
        given = form.cleaned_data
        try:
            version = save_template(
                template_id=template.pk if template else None,
                name=given["name"],
                kind=given["kind"],
                content=given["content"],
                actor_id=request.user.pk,
                at=now(),
            )
        except BadContent as bad:
            form.problems = tuple(bad.problems)
            form.add_error("content", bad.problems[0].sentence)
            return None
        text = gettext("“%(name)s” is saved, as version %(n)d.")
        messages.success(request, text % {"name": version.template.name, "n": version.number})
        return version

    # --- Versions -----------------------------------------------------------------------------------------------
    def versions(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """What was changed, newest first."""
        template = found_or_404(Template, object_id)
        found = list(
            TemplateVersion.objects.filter(template=template).select_related("created_by").order_by("-number")[:50]
        )
        rows = []
        for place, version in enumerate(found):
            before = found[place + 1].content if place + 1 < len(found) else EMPTY
            added, dropped = differences(before, version.content)
            is_first = version.number == 1
            rows.append({"version": version, "added": [] if is_first else added, "dropped": dropped, "first": is_first})
        last = TemplateVersion.objects.filter(template=template).aggregate(n=Max("number"))["n"]
        return self.page(
            request, "campaigns/admin/templates/versions.html", title=template.name, original=template, rows=rows,
            last=last, may=self.has_change_permission(request),
        )  # fmt: skip


def _banner(content: dict[str, Any]) -> dict[str, str]:
    first = content["blocks"][0]
    if first["type"] == "banner":
        return {"tone": first["tone"], "motif": in_words(first["motif"]), "text": in_words(first["text"])}
    return {"tone": "plain", "motif": "", "text": in_words(first.get("text", {}))}

"""Lists of members, uploaded or pasted, that segments can ask for."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from common.admin import ConfirmView, DeskAdmin, found_or_404
from common.moments import format_moment
from members.admin.segments.forms import ListForm
from members.admin.segments.words import members_text, number
from members.models import PRESENT, Member, MemberList
from members.services.segments import ListInUse, ListNameTaken, SavedList, TooManyKeys, delete_list, save_list

PAGE = 50


class DeleteListView(ConfirmView):
    """A list that nothing asks for."""

    title = _("Delete this list")
    form_class = forms.Form
    permission_required = "members.change_memberlist"
    act_label = _("Delete")
    danger = True

    def get_object(self) -> MemberList:
        return found_or_404(MemberList, self.kwargs["object_id"])

    def get_success_url(self) -> str:
        return reverse("admin:members_memberlist_changelist")

    def preview(self, form: forms.Form) -> list[str]:
        text = gettext("The list “%(name)s” goes. The %(members)s on it stay members.")
        return [text % {"name": self.get_object(), "members": members_text(self.get_object().entries.count())}]

    def act(self, form: forms.Form) -> str:
        name = str(self.get_object())
        try:
            delete_list(list_id=self.kwargs["object_id"])
        except ListInUse as used:
            text = gettext("These segments ask for it: %(names)s. Change them first.")
            raise forms.ValidationError(text % {"names": ", ".join(used.args[0])}) from None
        return gettext("The list “%(name)s” is deleted.") % {"name": name}


@admin.register(MemberList)
class MemberListAdmin(DeskAdmin):
    list_display = ("name", "on_it", "made", "created_by")
    list_select_related = ("created_by",)
    search_fields = ("name",)
    search_help_text = _("Name")
    ordering = ("name",)
    sortable_by = ("name",)

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(self.remove)
        return [path("<int:object_id>/remove/", view, name="members_memberlist_remove"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MemberList]:
        return super().get_queryset(request).annotate(members_on=Count("entries"))

    @display(description=_("members"))
    def on_it(self, row: MemberList) -> str:
        return number(row.members_on)

    @display(description=_("made"))
    def made(self, row: MemberList) -> str:
        return format_moment(row.created_at)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return self._form(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Who is on it, and the form that replaces them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._form(request, found_or_404(MemberList, object_id))

    def remove(self, request: HttpRequest, object_id: int) -> HttpResponse:
        return DeleteListView.answer(self, request, object_id=object_id)

    def _form(self, request: HttpRequest, row: MemberList | None) -> HttpResponse:
        form = ListForm(request.POST or None, request.FILES or None, initial={"name": row.name if row else ""})
        done: SavedList | None = None
        if request.method == "POST" and not self.has_change_permission(request):
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            done = self._save(request, form, row)
            if done:
                row = done.list
                if not done.unknown and not done.ambiguous:
                    return redirect("admin:members_memberlist_change", row.pk)
                form = ListForm(initial={"name": row.name})
        return self._page(request, row, form, done)

    def _save(self, request: HttpRequest, form: ListForm, row: MemberList | None) -> SavedList | None:
        given = form.cleaned_data
        try:
            done = save_list(
                list_id=row.pk if row else None,
                name=given["name"],
                keys=given["wanted"],
                at=now(),
                actor_id=request.user.pk,
            )
        except ListNameTaken:
            form.add_error("name", gettext("There is a list of this name already."))
        except TooManyKeys:
            form.add_error(None, gettext("That is too many at once."))
        else:
            text = gettext("The list “%(name)s” has %(members)s now.")
            messages.success(request, text % {"name": done.list, "members": members_text(done.members)})
            return done
        return None

    def _page(self, request: HttpRequest, row: MemberList | None, form: ListForm, done: Any) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        after = request.GET.get("after", "")
        members: list[Member] = []
        if row:
            on_it = Member.objects.filter(PRESENT, list_entries__list=row).order_by("-id")
            if after.isdecimal() and len(after) < 19:
                on_it = on_it.filter(pk__lt=int(after))
            members = list(on_it[: PAGE + 1])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": row,
            "list": row,
            "title": str(row) if row else _("New list"),
            "form": form,
            "done": done,
            "unknown": done.unknown if done else [],
            "ambiguous": done.ambiguous if done else [],
            "members": members[:PAGE],
            "more": members[PAGE - 1].pk if len(members) > PAGE else "",
            "size": row.entries.count() if row else 0,
            "may_change": self.has_change_permission(request),
        }
        return TemplateResponse(request, "admin/segment_list.html", context)

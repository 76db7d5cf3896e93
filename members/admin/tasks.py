"""What staff are to do: everybody's list, each starting with their own."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localdate, now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from common.admin import ConfirmView, DeskAdmin, Labelled, found_or_404, record_link
from members.models import Task, User
from members.services.tasks import edit_task, finish_task, reopen_task


class StateFilter(admin.SimpleListFilter):
    """Open ones, unless asked for others."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request, model_admin):
        return [("overdue", _("Overdue")), ("done", _("Done")), ("all", _("All"))]

    def choices(self, changelist):
        yield {
            "selected": self.value() is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": gettext("To do"),
        }
        yield from list(super().choices(changelist))[1:]

    def queryset(self, request, queryset):
        match self.value():
            case "overdue":
                return queryset.filter(done_at=None, due_on__lt=localdate())
            case "done":
                return queryset.exclude(done_at=None)
            case "all":
                return queryset
            case _:
                return queryset.filter(done_at=None)


class WhoseFilter(admin.SimpleListFilter):
    title = _("whose")
    parameter_name = "whose"

    def lookups(self, request, model_admin):
        return [("me", _("Mine")), ("nobody", _("Nobody's yet"))]

    def queryset(self, request, queryset):
        if self.value() == "me":
            return queryset.filter(Q(assignee=request.user.pk))
        return queryset.filter(assignee=None) if self.value() == "nobody" else queryset


class TaskForm(forms.ModelForm):
    """A task. The service checks and saves in one go."""

    class Meta:
        model = Task
        fields = ("title", "due_on", "assignee", "details")
        widgets = {"details": UnfoldAdminTextareaWidget(attrs={"rows": 4})}

    def _post_clean(self) -> None:
        if self.errors:
            return
        data = self.cleaned_data
        try:
            self.instance = edit_task(
                task_id=self.instance.pk,
                title=data["title"],
                details=data["details"],
                due_on=data["due_on"],
                assignee_id=data["assignee"].pk if data["assignee"] else None,
            )
        except ValidationError as error:
            self.add_error(None, error)


class OutcomeForm(forms.Form):
    outcome = forms.CharField(
        label=_("What came of it?"),
        required=False,
        max_length=4000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "autofocus": True}),
    )


class FinishView(ConfirmView):
    title = _("Mark as done")
    form_class = OutcomeForm
    permission_required = "members.change_task"
    act_label = _("Mark as done")

    def get_object(self) -> Task:
        return found_or_404(Task, self.kwargs["object_id"])

    @property
    def intro(self) -> str:
        task = self.get_object()
        return gettext("%(task)s, for %(member)s") % {"task": task.title, "member": task.member}

    def get_success_url(self) -> str:
        return reverse("admin:members_task_changelist")

    def preview(self, form: forms.Form) -> list[str]:
        outcome = form.cleaned_data["outcome"]
        words = {"task": self.get_object().title, "outcome": outcome}
        if outcome:
            return [gettext("“%(task)s” is done: %(outcome)s") % words]
        return [gettext("“%(task)s” is done.") % words]

    def act(self, form: forms.Form) -> str:
        outcome = form.cleaned_data["outcome"]
        actor_id = int(self.request.user.pk or 0)
        task = finish_task(task_id=self.get_object().pk, outcome=outcome, at=self.at, actor_id=actor_id)
        return gettext("“%(task)s” is done.") % {"task": task.title}


class ReopenView(FinishView):
    title = act_label = _("Not done after all")
    form_class = forms.Form  # type: ignore[assignment]

    def preview(self, form: forms.Form) -> list[str]:
        return [gettext("“%(task)s” is to be done again.") % {"task": self.get_object().title}]

    def act(self, form: forms.Form) -> str:
        task = reopen_task(task_id=self.get_object().pk)
        return gettext("“%(task)s” is to be done again.") % {"task": task.title}


@admin.register(Task)
class TaskAdmin(DeskAdmin):
    """Tasks are set on the member's page, where it is seen for whom."""

    form = TaskForm
    list_display = ("title", "for_member", "due", "whose", "state", "outcome")
    list_filter = (StateFilter, WhoseFilter, "due_on", ("assignee", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("member", "assignee", "done_by")
    search_fields = ("title",)
    search_help_text = _("What is to be done")
    actions_detail = ("finish", "reopen")
    readonly_fields = ("for_member", "state", "outcome", "created_by", "created_at")
    fields = ("for_member", "title", "due_on", "assignee", "details", "state", "outcome", ("created_by", "created_at"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        return super().get_queryset(request).order_by(F("due_on").asc(nulls_last=True), "id")

    def get_ordering(self, request: HttpRequest) -> tuple:
        return (F("due_on").asc(nulls_last=True), "id")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        if db_field.name == "assignee":
            kwargs["queryset"] = User.objects.filter(is_staff=True, is_active=True).order_by("first_name", "email")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Task, form: forms.ModelForm, change: bool) -> None:
        """The form's service has saved already."""

    @action(description=_("Mark as done"), url_path="done", permissions=["change"], icon="task_alt")
    def finish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return FinishView.answer(self, request, object_id=object_id)

    finish.dialog = {"title": ""}

    @action(description=_("Not done after all"), url_path="open", permissions=["change"], icon="undo")
    def reopen(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ReopenView.answer(self, request, object_id=object_id)

    reopen.dialog = {"title": ""}

    def get_actions_detail(self, request: HttpRequest, object_id: int):
        """Only what makes sense: done while it is open, open again when it is done."""
        done = Task.objects.filter(pk=object_id).exclude(done_at=None).exists()
        wanted = "reopen" if done else "finish"
        return [one for one in super().get_actions_detail(request, object_id) if one.action_name.endswith(wanted)]

    @admin.display(description=_("member"), ordering="member__name")
    def for_member(self, task: Task) -> str:
        return record_link("members_member", task.member_id, task.member)

    @display(description=_("due"), ordering="due_on", label={"late": "danger", "soon": "info"})
    def due(self, task: Task) -> tuple | str:
        if task.due_on is None:
            return "–"
        shown = date_format(task.due_on)
        return Labelled(("late" if task.done_at is None and task.due_on < localdate(now()) else "soon", shown))

    @admin.display(description=_("for"), ordering="assignee")
    def whose(self, task: Task) -> str:
        return (task.assignee.get_full_name() or str(task.assignee)) if task.assignee else gettext("Anybody")

    @display(description=_("state"), label={"done": "success", "open": "warning"})
    def state(self, task: Task) -> tuple:
        return Labelled(("done", gettext("Done")) if task.done_at else ("open", gettext("To do")))

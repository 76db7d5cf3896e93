"""Merges: two members side by side, what a merge would do, and undoing one that was wrong."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from common.admin import ConfirmView, ReadOnlyAdmin, found_or_404, record_link, rehearse
from common.moments import format_moment
from members.admin.merge_values import Row, facts_of, rows_of, suggested_survivor
from members.merging import facts, relations
from members.models import PRESENT, Duplicate, Member, MemberMerge
from members.queries import find_member, search
from members.services.duplicates import NotOpen, dismiss
from members.services.merging import CannotMerge, CannotUndo, MembersBusy, Merged, merge_members, undo_merge
from members.similarity import told

_CANNOT_MERGE = {
    "same": _("These are not two members: please choose another one."),
    "unknown": _("One of the two is not there any more."),
    "merged": _("One of the two has been merged already."),
    "erased": _("One of the two has been erased: there is nothing left to merge."),
}
_CANNOT_UNDO = {
    "unknown": _("This merge is not there any more."),
    "undone": _("This merge has been undone already."),
    "survivor_merged": _("The member who stayed has been merged into another one since. Please undo that merge first."),
    "erased": _("The member has been erased since: there is nothing left to give back."),
}
_BUSY = _("Something else is working on these members just now. Please try again in a moment.")


def names_of(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Rows by what they are called, the most first."""
    names = {relation.label: str(relation.name) for relation in relations()}
    return sorted(((names[label], n) for label, n in counts.items()), key=lambda row: (-row[1], row[0]))


class CompareForm(forms.Form):
    """Who stays, and whose value stands where the two differ."""

    def __init__(self, *args: Any, members: tuple[Member, Member], rows: list[Row], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [(str(member.pk), str(member)) for member in members]
        self.fields["survivor"] = forms.ChoiceField(label=_("Stays"), choices=people, widget=forms.RadioSelect)
        for row in rows:
            if row.differs:
                self.fields[row.field] = forms.ChoiceField(label=row.label, choices=people, widget=forms.RadioSelect)


class PickForm(forms.Form):
    """Two members by anything that they are found by."""

    first = forms.CharField(label=_("One member"), widget=UnfoldAdminTextInputWidget, required=False)
    second = forms.CharField(
        label=_("And who may be the same person"),
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Card number, e-mail or phone."),
        required=False,
    )

    def _found(self, field: str) -> Member | None:
        typed = self.cleaned_data.get(field, "")
        if not typed:
            return None
        found = find_member(card=typed) or find_member(email=typed) or find_member(phone=typed)
        if found is None:
            raise ValidationError(gettext("Nobody has this card, e-mail or phone. Please type it whole."))
        return found

    def clean_first(self) -> Member | None:
        return self._found("first")

    def clean_second(self) -> Member | None:
        return self._found("second")


class CompareView(ConfirmView):
    """Two members side by side; then, with all that it will do, the merge. Or: they are two people."""

    template_name = "admin/duplicate.html"
    permission_required = "members.add_membermerge"
    form_class = CompareForm
    title = _("Are these two one person?")
    act_label = _("Merge")
    pair: Duplicate | None = None
    members: Any = ()  # two of them
    outcome: dict[str, Any] | None = None
    done: Merged | None = None

    @cached_property
    def rows(self) -> list[Row]:
        return rows_of(self.members)

    def get_object(self) -> Duplicate | None:
        return self.pair

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "members": self.members, "rows": self.rows}

    def get_initial(self) -> dict[str, Any]:
        survivor = str(suggested_survivor(self.members, self.at).pk)
        return {"survivor": survivor, **{row.field: survivor for row in self.rows}}

    def get_success_url(self) -> str:
        if self.done:
            return reverse("admin:members_membermerge_change", args=[self.done.merge_id])
        return reverse("admin:members_duplicate_changelist")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "dismiss" not in request.POST or self.pair is None:
            return super().post(request, *args, **kwargs)
        try:
            dismiss(duplicate_id=self.pair.pk, at=self.at, actor_id=request.user.pk)
        except NotOpen:
            self.model_admin.message_user(request, gettext("They have been merged already."), "warning")
        else:
            text = gettext("%(one)s and %(two)s are two people. They will not come up again.")
            self.model_admin.message_user(request, text % {"one": self.members[0], "two": self.members[1]}, "success")
        return redirect("admin:members_duplicate_changelist")

    def _merge(self, form: forms.Form) -> Merged:
        chosen = dict(form.cleaned_data)
        survivor = chosen.pop("survivor")
        merged = next(str(member.pk) for member in self.members if str(member.pk) != survivor)
        take = {row.name for row in self.rows if row.differs and chosen.get(row.field) == merged}
        try:
            return merge_members(
                survivor_id=int(survivor), merged_id=int(merged), take=take, at=self.at, actor_id=self.request.user.pk
            )
        except CannotMerge as error:
            raise ValidationError(_CANNOT_MERGE[error.code]) from error
        except MembersBusy as error:
            raise ValidationError(_BUSY) from error

    def preview(self, form: forms.Form) -> list[str]:
        """Done for once and rolled back: what is shown is what will be."""
        survivor, merged = self.members
        if form.cleaned_data["survivor"] == str(merged.pk):
            survivor, merged = merged, survivor
        before = [facts(member.pk, self.at) for member in (survivor, merged)]
        done, after = rehearse(lambda: (self._merge(form), facts(survivor.pk, self.at)))
        self.outcome = {
            "survivor": survivor,
            "merged": merged,
            "facts": [
                (label, mine, theirs, then)
                for (label, mine), (_l, theirs), (_m, then) in zip(*before, after, strict=True)
            ],
            "moved": names_of(done.moved),
            "remarks": done.remarks,
        }
        return [
            gettext("%(stays)s stays. %(goes)s is merged into them and is no longer a member of their own.")
            % {"stays": survivor, "goes": merged},
            gettext("Both cards keep working, and every address and phone is kept."),
            gettext("It can be undone."),
        ]

    def act(self, form: forms.Form) -> str:
        self.done = self._merge(form)
        return gettext("The two are one member now.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.get("form")
        context = super().get_context_data(**kwargs)
        shown = context["form"] if form is None else form
        chosen = [(row, shown[row.field] if row.differs else None) for row in self.rows]
        return {
            **context,
            "members": [(member, facts_of(member, self.at)) for member in self.members],
            "chosen": chosen,
            "reasons": told(self.pair.reasons) if self.pair else [],
            "pair": self.pair,
            "outcome": self.outcome,
        }


class PickView(ConfirmView):
    """Which two are to be put side by side."""

    permission_required = "members.add_membermerge"
    form_class = PickForm
    title = _("Merge two members")
    intro = _("Say who seems to be there twice. Nothing is merged before you have seen both.")

    def get_initial(self) -> dict[str, Any]:
        return {"first": self.request.GET.get("first", "")}

    def get_success_url(self) -> str:
        return reverse("admin:members_duplicate_changelist")

    def form_valid(self, form: forms.Form) -> HttpResponse:
        one, two = form.cleaned_data["first"], form.cleaned_data["second"]
        for field, member in (("first", one), ("second", two)):
            if member is None:
                form.add_error(field, gettext("Please say who."))
        if one and one == two:
            form.add_error("second", gettext("This is the same member."))
        if form.errors:
            return self.form_invalid(form)
        return redirect(f"{reverse('admin:members_membermerge_add')}?one={one.pk}&two={two.pk}")


class UndoView(ConfirmView):
    title = _("Undo the merge")
    permission_required = "members.change_membermerge"
    form_class = forms.Form
    act_label = _("Undo the merge")
    danger = True

    @cached_property
    def merge(self) -> MemberMerge:
        return found_or_404(MemberMerge.objects.select_related("survivor", "merged"), self.kwargs["object_id"])

    @property
    def intro(self) -> str:
        words = {"card": self.merge.merged.card_number_grouped, "name": self.merge.survivor}
        return gettext("Card %(card)s was merged into %(name)s.") % words

    def get_object(self) -> MemberMerge:
        return self.merge

    def get_success_url(self) -> str:
        return reverse("admin:members_membermerge_change", args=[self.merge.pk])

    def _undo(self) -> Merged:
        try:
            return undo_merge(merge_id=self.merge.pk, at=self.at, actor_id=self.request.user.pk)
        except CannotUndo as error:
            raise ValidationError(_CANNOT_UNDO[error.code]) from error
        except MembersBusy as error:
            raise ValidationError(_BUSY) from error

    def preview(self, form: forms.Form) -> list[str]:
        both = (self.merge.survivor, self.merge.merged)
        done, told_then = rehearse(lambda: (self._undo(), [facts(member.pk, self.at)[0] for member in both]))
        rows = sum(done.moved.values())
        sentences = [
            gettext("They will be two members again; what has happened since the merge stays with %(name)s.")
            % {"name": both[0]},
            ngettext("%(n)d record goes back.", "%(n)d records go back.", rows) % {"n": rows},
        ]
        for member, (_label, value) in zip(both, told_then, strict=True):
            words = {"card": member.card_number_grouped, "points": value}
            sentences.append(gettext("Card %(card)s will then have %(points)s.") % words)
        return sentences + done.remarks

    def act(self, form: forms.Form) -> str:
        return " ".join([gettext("They are two members again."), *self._undo().remarks])


class UndoneFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "undone"

    def lookups(self, request, model_admin):
        return [("no", _("Merged")), ("yes", _("Undone"))]

    def queryset(self, request, queryset):
        if self.value() in ("yes", "no"):
            return queryset.filter(undone_at__isnull=self.value() == "no")
        return queryset


@admin.register(MemberMerge)
class MemberMergeAdmin(ReadOnlyAdmin):
    list_display = ("when", "merged_card", "stays", "actor", "state")
    list_filter = (UndoneFilter, "at")
    list_select_related = ("survivor", "merged", "actor")
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = _("Name, phone, card number or e-mail of who stayed")
    actions_detail = ("undo",)
    fields = ("merged_card", "stays", "when", "actor", "moved", "undone_at", "undone_by")
    readonly_fields = ("merged_card", "stays", "when", "moved")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("members.add_membermerge")

    def has_undo_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("members.change_membermerge")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str):
        if search_term.strip():
            queryset = queryset.filter(survivor__in=search(search_term).values("pk"))
        return queryset, False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Any two members side by side; first the question who, where the address does not say."""
        ids = [request.GET.get(name, "") for name in ("one", "two")]
        if not all(ids):
            return PickView.answer(self, request)
        members = tuple(found_or_404(Member.objects.filter(PRESENT), pk) for pk in ids)
        if members[0] == members[1]:
            raise Http404
        first, second = sorted(member.pk for member in members)
        pair = Duplicate.objects.filter(first=first, second=second).first()
        return CompareView.as_view(model_admin=self, members=members, pair=pair)(request)  # type: ignore[return-value]

    @action(description=_("Undo the merge"), url_path="undo", permissions=["undo"], icon="undo")
    def undo(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return UndoView.answer(self, request, object_id=object_id)

    @display(description=_("when"), ordering="at")
    def when(self, merge: MemberMerge) -> str:
        return format_moment(merge.at)

    @display(description=_("merged card"))
    def merged_card(self, merge: MemberMerge) -> str:
        return f"{merge.merged.card_number_grouped} {merge.merged.name}"

    @display(description=_("stays"))
    def stays(self, merge: MemberMerge) -> str:
        return record_link("members_member", merge.survivor_id, merge.survivor)

    @display(description=_("state"), label={"merged": "success", "undone": "warning"})
    def state(self, merge: MemberMerge) -> tuple:
        return ("undone", _("Undone")) if merge.undone_at else ("merged", _("Merged"))

    @display(description=_("moved"))
    def moved(self, merge: MemberMerge) -> str:
        counts = {label: len(ids) for label, ids in merge.journal.get("moved", {}).items() if ids}
        return ", ".join(f"{name}: {n}" for name, n in names_of(counts)) or "–"

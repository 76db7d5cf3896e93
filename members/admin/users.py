"""Who may sign in, and what staff may do. Only a superuser makes another one or grants single permissions."""

from typing import Any

import structlog
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from common.admin import ConfirmView, DeskAdmin, found_or_404
from members.models import User

log = structlog.get_logger(__name__)


class GroupsField(forms.ModelMultipleChoiceField):
    """The roles by their names in the reader's language."""

    widget = UnfoldAdminCheckboxSelectMultipleWidget

    def label_from_instance(self, obj: Group) -> str:  # type: ignore[override]
        return gettext(obj.name)


class RoleFilter(admin.RelatedFieldListFilter):
    def field_choices(self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple]:
        return [(pk, gettext(str(name))) for pk, name in super().field_choices(field, request, model_admin)]


class UserForm(UserChangeForm):
    groups = GroupsField(queryset=Group.objects.order_by("name"), required=False, label=_("Roles"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if password := self.fields.get("password"):
            link = '<a class="desk-link" href="../password/">{}</a>'
            password.help_text = format_html(link, gettext("Set another password"))


class NewUserForm(UserCreationForm):
    class Meta:
        model = User
        fields = ("email",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["usable_password"].help_text = _("Without one they sign in with a code by e-mail.")

    def clean_email(self) -> str:
        return self.cleaned_data["email"].strip().lower()


class ResetSecondFactorView(ConfirmView):
    """For who has lost their phone and their recovery codes: they set up another at the next sign-in."""

    title = _("Reset second factor")
    form_class = forms.Form
    permission_required = "members.change_user"
    act_label = _("Reset")
    danger = True

    def get_object(self) -> User:
        user = found_or_404(User, self.kwargs["object_id"])
        if user.is_superuser and not self.request.user.is_superuser:
            raise PermissionDenied
        return user

    def get_success_url(self) -> str:
        return reverse("admin:members_user_change", args=[self.kwargs["object_id"]])

    @property
    def intro(self) -> str:
        return gettext("Be sure who asks: %(user)s will sign in with the password alone, once.") % {
            "user": self.get_object()
        }

    def preview(self, form: forms.Form) -> list[str]:
        return [gettext("The second factors and recovery codes of %(user)s end now.") % {"user": self.get_object()}]

    def act(self, form: forms.Form) -> str:
        user = self.get_object()
        Authenticator.objects.filter(user=user).delete()
        log.warning("second factor reset", user=user.pk, by=self.request.user.pk)
        return gettext("%(user)s can set up a second factor anew.") % {"user": user}


@admin.register(User)
class UserAdmin(DeskAdmin, DjangoUserAdmin):
    form = UserForm
    add_form = NewUserForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "roles", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", ("groups", RoleFilter))
    search_fields = ("email__icontains", "first_name__icontains", "last_name__icontains")
    search_help_text = _("E-mail or name")
    actions_detail = ("reset_second_factor",)
    ordering = ("email",)
    filter_horizontal = ("user_permissions",)
    fieldsets = (
        (None, {"fields": ("email", "password", ("first_name", "last_name"))}),
        (_("Access"), {"fields": ("is_active", "is_staff", "groups")}),
        (_("Beyond the roles"), {"fields": ("is_superuser", "user_permissions"), "classes": ("collapse",)}),
        (_("Dates"), {"fields": (("last_login", "date_joined"),)}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest):
        return super().get_queryset(request).prefetch_related("groups")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple:
        always = ("last_login", "date_joined")
        return always if request.user.is_superuser else (*always, "is_superuser", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Another address ends the old one: nobody signs in with it again, and the new one is proved at the door."""
        super().save_model(request, obj, form, change)
        if change and "email" in form.changed_data:
            EmailAddress.objects.filter(user=obj).delete()
            EmailAddress.objects.create(user=obj, email=obj.email, primary=True, verified=False)
            log.warning("sign-in address changed", user=obj.pk, by=request.user.pk)

    @action(description=_("Reset second factor"), url_path="reset-mfa", permissions=["reset"], icon="phonelink_erase")
    def reset_second_factor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ResetSecondFactorView.answer(self, request, object_id=object_id)

    def has_reset_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("members.change_user")

    @admin.display(description=_("roles"))
    def roles(self, user: User) -> str:
        return ", ".join(gettext(group.name) for group in user.groups.all())


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DeskAdmin, DjangoGroupAdmin):
    """Roles. A manager sees them; only a superuser changes them, for a role can hold any permission."""

    list_display = ("role",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple:
        return ("name", "permissions") if request.user.is_superuser else ("role", "may")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple:
        return ("role", "may")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    @admin.display(description=_("role"), ordering="name")
    def role(self, group: Group) -> str:
        return gettext(group.name)

    @admin.display(description=_("may do"))
    def may(self, group: Group) -> str:
        """What a role may do, model by model, in the reader's language."""
        verbs = {"view": _("view"), "add": _("add"), "change": _("change"), "delete": _("delete")}
        lines: dict[str, list[str]] = {}
        for permission in group.permissions.select_related("content_type"):
            model = permission.content_type.model_class()
            name = str(model._meta.verbose_name_plural) if model else permission.content_type.name
            verb = verbs.get(permission.codename.partition("_")[0])
            lines.setdefault(name, []).append(str(verb or gettext(permission.name)))
        return format_html_join("", "{}: {}<br>", ((name, ", ".join(does)) for name, does in lines.items()))

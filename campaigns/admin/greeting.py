"""The birthday greeting: its settings in words, who is due, and the mail as it will look."""

from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import escape
from django.utils.timezone import localtime, now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from liquid.exceptions import LiquidError
from unfold.decorators import action

from campaigns.admin.words import describe, health, outlook
from campaigns.enums import MessageState
from campaigns.models import BirthdayGreeting
from campaigns.queries import Upcoming, upcoming, upcoming_counts, zone_of
from campaigns.services.greeting import get_greeting, preview, save_greeting, version_of
from campaigns.services.trying import send_test
from common.admin import DeskAdmin, found_or_404
from members.enums import Calendar, Language
from members.models import Member

DAYS = 30
PAGE = 50


@admin.register(BirthdayGreeting)
class BirthdayGreetingAdmin(DeskAdmin):
    """One row: the list leads straight to it."""

    class Media:
        css = {"all": ["campaigns/desk.css"]}

    change_form_after_template = "campaigns/admin/greeting_panel_slot.html"
    actions_detail = ("who_is_due", "send_test_mail")
    fieldsets = (
        (None, {"fields": ("active", "template", ("send_hour", "days_ahead"), "catch_up_hours")}),
        (_("Gift"), {"fields": (("gift_points", "gift_valid_days"),)}),
    )

    def get_urls(self) -> list:
        own = [
            path("panel/", self.admin_site.admin_view(self.panel), name="campaigns_birthdaygreeting_panel"),
            path("outlook/", self.admin_site.admin_view(self.outlook), name="campaigns_birthdaygreeting_outlook"),
            path("upcoming/", self.admin_site.admin_view(self.upcoming), name="campaigns_birthdaygreeting_upcoming"),
            path(
                "upcoming/<int:member_id>/<str:day>/",
                self.admin_site.admin_view(self.mail),
                name="campaigns_birthdaygreeting_mail",
            ),
        ]
        return own + super().get_urls()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        get_greeting()
        return redirect("admin:campaigns_birthdaygreeting_change", 1)

    def save_model(self, request: HttpRequest, obj: BirthdayGreeting, form: ModelForm, change: bool) -> None:
        save_greeting(greeting=obj, at=now())

    # --- Below the form -----------------------------------------------------------------------------------------
    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context=None) -> HttpResponse:
        greeting = self._greeting(request)
        context = self._panel(greeting, [])
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def outlook(self, request: HttpRequest) -> HttpResponse:
        """How many are due soon. Asked by the page once it stands: among a million members it takes a second."""
        counts = upcoming_counts(self._greeting(request), at=now(), days=DAYS)
        return HttpResponse(escape(outlook(counts, DAYS)))

    def panel(self, request: HttpRequest) -> HttpResponse:
        """What the settings would do as they stand in the form, saved or not, and the mail in both languages."""
        greeting = self._greeting(request)
        form = self.get_form(request, greeting, change=True)(request.POST, instance=greeting)
        problems = (
            [] if form.is_valid() else [(form[n].label, text) for n, texts in form.errors.items() for text in texts]
        )
        context = self._panel(greeting, problems) | {"has_change_permission": self.has_change_permission(request)}
        return TemplateResponse(request, "campaigns/admin/greeting_panel.html", context)

    def _panel(self, greeting: BirthdayGreeting, problems: list) -> dict[str, Any]:
        context = {"problems": problems, "warning": health(greeting, now())}
        if problems:
            return context
        return context | {
            "sentences": describe(greeting),
            "off": not greeting.active,
            "mails": [(label, code, preview(greeting, language=code, at=now())) for code, label in Language.choices],
        }

    # --- Who is due ---------------------------------------------------------------------------------------------
    @action(description=_("Who is due"), url_path="who", icon="cake")
    def who_is_due(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("admin:campaigns_birthdaygreeting_upcoming")

    def upcoming(self, request: HttpRequest) -> HttpResponse:
        """The birthdays of the next 30 days, a page at a time."""
        greeting = self._greeting(request)
        after = _after(request.GET.get("after", ""))
        at = now()
        found = upcoming(greeting, at=at, days=DAYS, after=after, limit=PAGE + 1)
        page = found[:PAGE]
        return self._page(
            request,
            "campaigns/admin/upcoming.html",
            title=_("Who is due"),
            outlook=outlook(upcoming_counts(greeting, at=at, days=DAYS), DAYS),
            active=greeting.active,
            rows=[_row(row) for row in page],
            following=f"{page[-1].day}.{page[-1].member.pk}" if len(found) > PAGE else "",
            later=after is not None,
        )

    def mail(self, request: HttpRequest, member_id: int, day: str) -> HttpResponse:
        """The greeting as one member will get it, in the member's language or the other one."""
        greeting = self._greeting(request)
        member = found_or_404(Member, member_id)
        try:
            birthday = date.fromisoformat(day)
        except ValueError:
            raise Http404 from None
        member.language = request.GET.get("language") or member.language
        if member.language not in Language.values:
            raise Http404
        content, error = None, ""
        try:
            content = preview(greeting, language=member.language, at=now(), member=member, birthday=birthday)
        except LiquidError as wrong:
            error = str(wrong)
        return self._page(
            request,
            "campaigns/admin/mail.html",
            title=str(member),
            content=content,
            error=error,
            member=member,
            languages=Language.choices,
            note=gettext("The gift is shown, but not given; the balance is that of now, without it."),
        )

    # --- A mail to try ------------------------------------------------------------------------------------------
    def has_test_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request)

    @action(description=_("Send a test to me"), url_path="test", permissions=["test"], icon="send")
    def send_test_mail(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if request.method == "GET":  # a link that is only looked at sends nothing
            return self._page(
                request,
                "campaigns/admin/test.html",
                title=_("Send a test to me"),
                languages=[label for _code, label in Language.choices],
                to=request.user.get_username(),
                back=reverse("admin:campaigns_birthdaygreeting_change", args=[1]),
            )
        try:
            version, to = version_of(self._greeting(request)), request.user.get_username()
            send_test(
                content=version.content,
                kind=version.template.kind,
                languages=Language.values,
                member=None,
                to=to,
                at=now(),
            )
        except (OSError, LiquidError) as error:
            text = gettext("It could not be sent: %(error)s")
            messages.error(request, text % {"error": error})
        else:
            text = gettext("Two test mails, one in each language, are on their way to %(address)s.")
            messages.success(request, text % {"address": request.user.get_username()})
        return redirect("admin:campaigns_birthdaygreeting_change", 1)

    def _greeting(self, request: HttpRequest) -> BirthdayGreeting:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_greeting()

    def _page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        context = {**self.admin_site.each_context(request), "opts": self.opts, "original": None, **context}
        return TemplateResponse(request, template, context)


def _after(text: str) -> tuple[date, int] | None:
    day, _dot, member_id = text.partition(".")
    try:
        return date.fromisoformat(day), int(member_id)
    except ValueError:
        return None


def _row(row: Upcoming) -> dict[str, Any]:
    state = MessageState(row.state) if row.state and row.state != MessageState.SKIPPED else None
    return {
        "day": row.day,
        "member": row.member,
        "lunar": row.member.birthday_calendar == Calendar.LUNAR,
        "due": localtime(row.due_at, zone_of(row.member)),
        "reason": row.reason_label,
        "state": state.label if state else "",
    }

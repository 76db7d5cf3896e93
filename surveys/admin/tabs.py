"""What hangs on a survey: its pages, and the tabs that lead to them. A module of the staff pages adds its own:

    register_page("report/", report, "report", tab=_("Report"), order=30)

`report(model_admin, request, survey, **rest_of_the_address)` answers with `draw(model_admin, request, survey, …)`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _

from common.admin import found_or_404, guarded
from surveys.models import Survey

View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class SurveyPage:
    """A page below a survey's address, named `admin:surveys_survey_<name>`. `permission` is what one must be allowed
    with surveys ("view", "change"); `codename` a further permission, if not empty. Without `tab` no tab leads there."""

    route: str
    view: View | None
    name: str
    permission: str = "view"
    codename: str = ""
    tab: Any = ""
    order: int = 100


# The page of the record itself is the admin's own.
_PAGES: dict[str, SurveyPage] = {"change": SurveyPage("", None, "change", tab=_("Build"), order=10)}


def register_page(route: str, view: View, name: str, **more: Any) -> None:
    """`route` is what follows the survey's key in the address."""
    _PAGES[name] = SurveyPage(route, view, name, **more)


def urls(model_admin: Any) -> list[Any]:
    """The addresses of all pages registered."""
    return [
        path(
            f"<int:object_id>/{page.route}",
            model_admin.admin_site.admin_view(guarded(model_admin, _called(model_admin, page), page.permission)),
            name=f"surveys_survey_{page.name}",
        )
        for page in _PAGES.values()
        if page.view
    ]


def _called(model_admin: Any, page: SurveyPage) -> View:
    def answer(request: HttpRequest, object_id: int, **rest: Any) -> HttpResponse:
        if page.codename and not request.user.has_perm(page.codename):
            raise PermissionDenied
        assert page.view
        return page.view(model_admin, request, found_or_404(Survey, object_id), **rest)

    return answer


def tabs(request: HttpRequest, survey: Survey, current: str) -> list[dict[str, Any]]:
    """What leads from one page of a survey to the next, as far as this person may go."""
    shown = [
        page
        for page in sorted(_PAGES.values(), key=lambda page: page.order)
        if page.tab
        and request.user.has_perm(f"surveys.{page.permission}_survey")
        and (not page.codename or request.user.has_perm(page.codename))
    ]
    return [
        {
            "title": page.tab,
            "link": reverse(f"admin:surveys_survey_{page.name}", args=[survey.pk]),
            "current": page.name == current,
        }
        for page in shown
    ]


def draw(
    model_admin: Any, request: HttpRequest, survey: Survey | None, template: str, *, tab: str = "", **context: Any
) -> HttpResponse:
    """A page of a survey, under its tabs; its template extends surveys/admin/base.html."""
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    return TemplateResponse(
        request,
        template,
        {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.opts,
            "original": survey,
            "survey": survey,
            "title": str(survey or ""),
            "tabs": tabs(request, survey, tab) if survey else [],
            **context,
        },
    )

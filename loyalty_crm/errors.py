"""What is answered where a page may not be seen: staff stay in the admin, members in the portal."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.defaults import permission_denied


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, in the look of where it happened."""
    if not request.path.startswith(reverse("admin:index")) or not admin.site.has_permission(request):
        return permission_denied(request, exception)
    context = {**admin.site.each_context(request), "title": gettext("You may not see this page")}
    return render(request, "admin/403.html", context, status=403)

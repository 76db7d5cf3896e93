"""Where everything is. Apps keep their own urls.py."""

from django.contrib import admin
from django.urls import include, path

from loyalty_crm.health import health

urlpatterns = [
    path("admin/", admin.site.urls),
    path("health", health, name="health"),
    path("u/", include("campaigns.urls")),
    path("accounts/", include("allauth.urls")),
    path("", include("portal.urls")),
]

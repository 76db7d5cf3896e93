"""Where everything is. Apps keep their own urls.py."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import include, path

from campaigns.views_brand import brand_styles, mail_picture
from campaigns.views_tracking import follow
from campaigns.views_tracking import picture as tracking_picture
from loyalty_crm.health import health
from rewards.views import picture

handler403 = "loyalty_crm.errors.forbidden"


def favicon(request: HttpRequest) -> HttpResponseRedirect:
    """For browsers that ask without looking at the page's own icon."""
    return HttpResponseRedirect(static("portal/icon.svg"))


urlpatterns = [
    path("admin/", admin.site.urls),
    path("health", health, name="health"),
    path("media/mail/<str:name>", mail_picture, name="mail_picture"),
    path("media/rewards/<str:name>", picture, name="reward_picture"),
    path("favicon.ico", favicon, name="favicon"),
    path("", include("api.urls")),
    path("till/", include("till.urls")),
    path("brand.css", brand_styles, name="brand_styles"),
    path("u/", include("campaigns.urls")),
    path("l/<str:token>/<int:number>/", follow, name="tracked_link"),
    path("l/<str:token>/<int:number>/<int:place>/", follow),
    path("o/<str:token>.gif", tracking_picture, name="tracked_open"),
    path("mail-events/", include("anymail.urls")),
    path("accounts/", include("allauth.urls")),
    path("", include("portal.urls")),
]

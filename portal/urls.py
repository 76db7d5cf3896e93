from django.urls import path

from portal.views import history, home, joining, me, privacy

app_name = "portal"
urlpatterns = [
    path("", home.home, name="home"),
    path("card/", home.card, name="card"),
    path("history/", history.history, name="history"),
    path("history/purchases/", history.purchases, name="purchases"),
    path("me/", me.me, name="me"),
    path("me/profile/", me.profile, name="profile"),
    path("me/birthday/", me.birthday, name="birthday"),
    path("me/consents/", privacy.consents, name="consents"),
    path("me/data/", privacy.data, name="data"),
    path("me/data/<int:pk>/", privacy.export, name="export"),
    path("me/leave/", privacy.leave, name="leave"),
    path("me/stay/", privacy.stay, name="stay"),
    path("join/", joining.join, name="join"),
    path("join/card/", joining.claim, name="claim"),
    path("join/card/code/", joining.claim_code, name="claim_code"),
    path("language/", home.language, name="language"),
    path("manifest.webmanifest", home.manifest, name="manifest"),
    path("robots.txt", home.robots, name="robots"),
]

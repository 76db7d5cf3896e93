from django.urls import path

from campaigns import views

app_name = "campaigns"
urlpatterns = [
    path("confirm/<str:token>/", views.confirm, name="confirm"),
    path("<str:token>/", views.unsubscribe, name="unsubscribe"),
    path("<str:token>/choices/", views.choices, name="choices"),
]

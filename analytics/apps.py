from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AnalyticsConfig(AppConfig):
    name = "analytics"
    verbose_name = _("Analytics")

    def ready(self) -> None:
        from analytics import merging, panels, privacy, traits  # noqa: F401  what other apps ask this one

        panels.register_all()
        privacy.register_all()
        traits.register_all()

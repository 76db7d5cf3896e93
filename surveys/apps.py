from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SurveysConfig(AppConfig):
    name = "surveys"
    verbose_name = _("Surveys")

    def ready(self) -> None:
        from members.privacy import register_eraser
        from surveys import events, merging, privacy, reactions, reactions_cases  # noqa: F401  these register
        from surveys.services import keeping
        from surveys.services.cases.erasing import erase_cases
        from surveys.services.erasure import erase_answers

        merging.register_all()
        privacy.register_all()
        keeping.register_all()
        register_eraser("surveys", erase_answers)
        register_eraser("cases", erase_cases)

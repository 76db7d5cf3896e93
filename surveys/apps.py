from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SurveysConfig(AppConfig):
    name = "surveys"
    verbose_name = _("Surveys")

    def ready(self) -> None:
        from members.privacy import register_eraser
        from surveys import (  # noqa: F401  these register
            events,
            merging,
            panels_answers,
            panels_cases,
            privacy,
            reactions,
            reactions_cases,
            traits_cases,
            traits_scores,
            webhooks,
        )
        from surveys.services import keeping
        from surveys.services.cases import verifying
        from surveys.services.cases.erasing import erase_cases
        from surveys.services.erasure import erase_answers

        merging.register_all()
        privacy.register_all()
        keeping.register_all()
        register_eraser("surveys", erase_answers)
        register_eraser("cases", erase_cases)
        panels_answers.register_all()
        panels_cases.register_all()
        verifying.register_all()

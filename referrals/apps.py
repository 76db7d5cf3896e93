from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReferralsConfig(AppConfig):
    name = "referrals"
    verbose_name = _("Referrals")

    def ready(self) -> None:
        from members.privacy import register_eraser
        from referrals import events, merging, privacy, reactions  # noqa: F401  events, reactions register
        from referrals.services import ageing, verify

        merging.register_all()
        privacy.register_all()
        register_eraser("referrals", ageing.erase_referrals)
        ageing.register_all()
        verify.register_all()

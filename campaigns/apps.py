from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns import events, merging, privacy, reactions, traits  # noqa: F401  registers what this app answers
        from campaigns.content import sources
        from campaigns.merge_fields import register_all
        from campaigns.services import keeping
        from campaigns.services.erasure import erase_messages
        from members.privacy import register_eraser

        register_all()
        sources.register_all()
        merging.register_all()
        privacy.register_all()
        register_eraser("campaigns", erase_messages)
        keeping.register_all()

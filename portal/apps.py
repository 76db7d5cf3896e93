from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = _("Portal")

    def ready(self) -> None:
        from allauth.account.signals import email_confirmed, user_logged_in

        from portal import places, privacy
        from portal.adapter import address_confirmed, signed_in

        email_confirmed.connect(address_confirmed, dispatch_uid="portal.address_confirmed")
        user_logged_in.connect(signed_in, dispatch_uid="portal.signed_in")
        privacy.register_all()
        places.register_all()

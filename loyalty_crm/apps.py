from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ShellConfig(AppConfig):
    name = "loyalty_crm"
    verbose_name = "Loyalty CRM"

    def ready(self) -> None:
        from loyalty_crm import checks  # noqa: F401  registers the system checks
        from loyalty_crm.roles import grant_roles

        post_migrate.connect(grant_roles, dispatch_uid="loyalty_crm.roles")

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate


class DeskConfig(AdminConfig):
    default_site = "loyalty_crm.site.DeskSite"


class ShellConfig(AppConfig):
    name = "loyalty_crm"
    verbose_name = "Loyalty CRM"

    def ready(self) -> None:
        from loyalty_crm import checks  # noqa: F401  registers the system checks
        from loyalty_crm.roles import grant_roles

        post_migrate.connect(grant_roles, dispatch_uid="loyalty_crm.roles")

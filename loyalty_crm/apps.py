from django.apps import AppConfig


class ShellConfig(AppConfig):
    name = "loyalty_crm"
    verbose_name = "Loyalty CRM"

    def ready(self) -> None:
        from loyalty_crm import checks  # noqa: F401  registers the system checks

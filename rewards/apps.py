from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class RewardsConfig(AppConfig):
    name = "rewards"
    verbose_name = _("Rewards")

    def ready(self) -> None:
        import rewards.services.merging  # noqa: F401  registers what a merge does here
        from members.privacy import register_eraser
        from rewards import events, panels, privacy, reactions, traits  # noqa: F401  registers what the app answers
        from rewards import export_columns as columns
        from rewards.services import opening
        from rewards.services.erasure import erase_points

        columns.register_all()
        opening.register_all()
        privacy.register_all()
        panels.register_all()
        register_eraser("rewards", erase_points)
        post_migrate.connect(open_system_accounts, sender=self)


def open_system_accounts(using: str, **kwargs) -> None:
    """The programme's own accounts exist wherever the tables do."""
    from rewards.enums import AccountKind
    from rewards.models import Account

    system = [kind for kind in AccountKind if kind != AccountKind.WALLET]
    Account.objects.using(using).bulk_create([Account(kind=kind) for kind in system], ignore_conflicts=True)

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class RewardsConfig(AppConfig):
    name = "rewards"
    verbose_name = _("Rewards")

    def ready(self) -> None:
        import rewards.services.merging  # noqa: F401  registers what a merge does here
        from members.privacy import register_eraser
        from rewards import (  # noqa: F401  register themselves
            events,
            panels,
            panels_coupons,
            privacy,
            reactions,
            traits,
            traits_benefits,
            traits_catalogue,
            traits_coupons,
            traits_earning,
            traits_tiers,
        )
        from rewards import export_columns as columns
        from rewards.services import opening
        from rewards.services.benefits import erase_uses
        from rewards.services.coupons.erasure import erase_coupons
        from rewards.services.erasure import erase_points

        columns.register_all()
        opening.register_all()
        privacy.register_all()
        panels.register_all()
        panels_coupons.register_all()
        register_eraser("rewards", erase_points)
        register_eraser("rewards.coupons", erase_coupons)
        register_eraser("rewards.benefits", erase_uses)
        post_migrate.connect(open_system_accounts, sender=self)


def open_system_accounts(using: str, **kwargs) -> None:
    """The programme's own accounts, and the row of settings, exist wherever the tables do."""
    from rewards.enums import OWNED, AccountKind, Unit
    from rewards.models import Account, RewardSettings

    kinds = [kind for kind in AccountKind if kind not in OWNED]
    system = [Account(kind=kind, unit=unit) for unit in Unit for kind in kinds]
    Account.objects.using(using).bulk_create(system, ignore_conflicts=True)
    RewardSettings.objects.using(using).bulk_create([RewardSettings()], ignore_conflicts=True)

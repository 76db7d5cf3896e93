from celery import shared_task


@shared_task
def expire_points() -> None:
    from django.utils import timezone

    from rewards.services.expiry import expire_due

    expire_due(at=timezone.now())


@shared_task
def lapse_holds() -> None:
    from django.utils import timezone

    from rewards.services.holds import lapse_due

    lapse_due(at=timezone.now())


@shared_task
def reassess_tiers() -> None:
    from django.utils import timezone

    from rewards.services.tiers import reassess

    reassess(at=timezone.now())

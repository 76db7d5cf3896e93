from celery import shared_task
from django.utils import timezone


@shared_task
def settle_referrals() -> int:
    """Thanks who waited long enough, decides what nobody looked at, lets run out what came to nothing."""
    from referrals.services.qualifying import settle_due

    return settle_due(at=timezone.now())

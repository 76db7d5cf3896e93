from celery import shared_task
from django.utils import timezone


@shared_task
def settle_referrals() -> int:
    """Thanks who waited long enough, decides what nobody looked at, lets run out what came to nothing."""
    from referrals.services.qualifying import settle_due

    return settle_due(at=timezone.now())


@shared_task
def forget_guesses() -> int:
    """Who tried wrong codes is forgotten after an hour."""
    from referrals.services.ageing import age_guesses

    return age_guesses(at=timezone.now())


@shared_task
def send_invites() -> int:
    """Mails that members asked us to send to friends."""
    from referrals.services.inviting import send_waiting

    return send_waiting(at=timezone.now())

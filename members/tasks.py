from celery import shared_task


@shared_task
def run_reactions() -> None:
    from django.utils import timezone

    from members.services.reactions import run_due

    while run_due(at=timezone.now()):
        pass


@shared_task
def send_claim_codes() -> None:
    from django.utils import timezone

    from members.services.claims import send_due_codes

    send_due_codes(at=timezone.now())

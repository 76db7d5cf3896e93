from celery import shared_task


@shared_task
def run_reactions() -> None:
    from django.utils import timezone

    from members.services.reactions import run_due

    while run_due(at=timezone.now()):
        pass

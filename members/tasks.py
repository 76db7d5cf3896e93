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


@shared_task
def bring_up_to_date() -> None:
    from django.utils import timezone

    from members.services.derived import bring_up_to_date

    while bring_up_to_date(at=timezone.now()):
        pass


@shared_task
def refresh_segments() -> None:
    from django.utils import timezone

    from members.services.segments import refresh_due

    refresh_due(at=timezone.now())


@shared_task
def check_summaries() -> None:
    from members.services.derived import check_summaries

    check_summaries()

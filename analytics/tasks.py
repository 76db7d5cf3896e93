from celery import shared_task


@shared_task
def score_members() -> None:
    from django.utils import timezone

    from analytics.services.scores import score_all

    score_all(at=timezone.now())


@shared_task
def refresh_figures(name: str = "") -> None:
    from django.utils import timezone

    from analytics.services.snapshots import refresh, refresh_all

    if name:
        refresh(name, at=timezone.now())
    else:
        refresh_all(at=timezone.now())

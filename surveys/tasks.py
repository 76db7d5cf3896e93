from celery import shared_task


@shared_task
def invite_to_surveys() -> None:
    from django.utils import timezone

    from surveys.services.inviting import run_due
    from surveys.services.triggering import invite_due, plan_scheduled

    at = timezone.now()
    plan_scheduled(at=at)
    run_due(at=at)
    invite_due(at=at)


@shared_task
def mix_anonymous_answers() -> None:
    from django.utils import timezone

    from surveys.services.mixing import mix_due

    mix_due(at=timezone.now())

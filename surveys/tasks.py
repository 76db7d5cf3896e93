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


@shared_task
def read_texts() -> None:
    from surveys.services.themes import read_due

    read_due()


@shared_task
def send_case_mail() -> None:
    from django.utils import timezone

    from surveys.services.cases.sending import send_due

    send_due(at=timezone.now())


@shared_task
def look_after_cases() -> None:
    from django.utils import timezone

    from surveys.services.cases.acting import close_settled
    from surveys.services.cases.improving import check_due
    from surveys.services.cases.sending import tell_owners, watch

    at = timezone.now()
    tell_owners()
    watch(at=at)
    close_settled(at=at)
    check_due(at=at)

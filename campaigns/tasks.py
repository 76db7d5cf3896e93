from celery import shared_task


@shared_task
def plan_birthday_greetings() -> None:
    from campaigns.services.birthdays import plan
    from common.sql import server_clock

    plan(at=server_clock()())


@shared_task
def deliver_messages() -> None:
    from campaigns.services.delivery import deliver
    from common.sql import server_clock

    deliver(clock=server_clock())


@shared_task
def keep_calendar() -> None:
    from django.utils import timezone

    from campaigns.services.occasions import keep_calendar

    keep_calendar(at=timezone.now())


@shared_task
def run_broadcasts() -> None:
    from campaigns.services.broadcasts.running import run_broadcasts
    from common.sql import server_clock

    run_broadcasts(clock=server_clock())


@shared_task
def run_journeys() -> None:
    from campaigns.services.journeys.running import run
    from common.sql import server_clock

    run(at=server_clock()())


@shared_task
def send_confirmations() -> None:
    from django.utils import timezone

    from campaigns.services.opt_in import send_due

    send_due(at=timezone.now())


@shared_task
def judge_requests() -> None:
    from django.utils import timezone

    from campaigns.services.verdicts import judge

    judge(at=timezone.now())


@shared_task
def remove_unused_pictures() -> None:
    from django.utils import timezone

    from campaigns.services.templates import remove_unused_pictures as remove

    remove(at=timezone.now())

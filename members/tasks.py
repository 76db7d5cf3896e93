from celery import shared_task


@shared_task
def run_reactions() -> None:
    from common.sql import server_clock
    from members.services.reactions import run_due

    clock = server_clock()
    while run_due(at=clock()):
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


@shared_task
def gather_latecomers() -> None:
    from django.utils import timezone

    from members.services.merging import gather_latecomers

    gather_latecomers(at=timezone.now())


@shared_task
def find_duplicates(hours: int | None = None) -> None:
    """Among all members; or, for those who changed in the last `hours`, who they may be."""
    from datetime import timedelta

    from django.utils import timezone

    from members.services.duplicates import scan

    at = timezone.now()
    scan(at=at, since=at - timedelta(hours=hours) if hours else None)


@shared_task
def write_data_exports() -> None:
    from members.services.data_exports import write_due

    write_due()


@shared_task
def keep_promises() -> None:
    """Once an hour: wishes to be forgotten, what came in late of who was, files whose time is over."""
    from django.utils import timezone

    from members.services.consent import apply_profiling_default
    from members.services.data_exports import delete_expired
    from members.services.erasure import erase_due, sweep_again

    apply_profiling_default()  # who came in by a file was not asked either
    erase_due(at=timezone.now())
    sweep_again(at=timezone.now())
    delete_expired(at=timezone.now())


@shared_task
def run_retention() -> None:
    from time import monotonic

    from django.utils import timezone

    from members.services.retention import run_rules

    # What is not done within the task's time is done the next night.
    until = monotonic() + 480
    run_rules(at=timezone.now(), going_on=lambda: monotonic() < until)


@shared_task
def run_customer_import(import_id: int) -> None:
    from members.services.imports.customers.running import run_customer_import

    # A long import goes on in another task: this one ends before its time limit.
    run_customer_import(import_id=import_id, seconds=240)


@shared_task
def resume_jobs() -> None:
    from django.utils import timezone

    from members.services.exports import delete_expired, resume_exports
    from members.services.imports.customers.running import resume_customer_imports

    resume_customer_imports()
    resume_exports()
    delete_expired(at=timezone.now())


@shared_task
def run_export(export_id: int) -> None:
    from members.services.exports import run_export

    run_export(export_id=export_id)

from celery import shared_task


@shared_task
def expire_points() -> None:
    from django.utils import timezone

    from rewards.services.expiry import expire_due

    expire_due(at=timezone.now())


@shared_task
def cancel_untold() -> None:
    from django.utils import timezone

    from rewards.services.waiting import cancel_untold

    cancel_untold(at=timezone.now())


@shared_task
def reward_days() -> None:
    from django.utils import timezone

    from rewards.services.earning.occasions import reward_days

    reward_days(at=timezone.now())


@shared_task
def lapse_holds() -> None:
    from django.utils import timezone

    from rewards.services.holds import lapse_due

    lapse_due(at=timezone.now())


@shared_task
def lapse_redemptions() -> None:
    from django.utils import timezone

    from rewards.services.places import keep_places
    from rewards.services.redemptions import lapse_due
    from rewards.services.sessions import settle_called_off

    at = timezone.now()
    lapse_due(at=at)
    settle_called_off(at=at)
    keep_places(at=at)


@shared_task
def reassess_tiers() -> None:
    from django.utils import timezone

    from rewards.services.tier_nights import reassess_all

    reassess_all(at=timezone.now())


@shared_task
def run_import(import_id: int) -> None:
    from rewards.services.purchase_import import run_import

    # A long import goes on in another task: this one ends before its time limit.
    run_import(import_id=import_id, seconds=240)


@shared_task
def resume_imports() -> None:
    from rewards.services.purchase_import import resume_imports

    resume_imports()


@shared_task
def run_replay(replay_id: int) -> None:
    from rewards.services.earning.replay import run_replay

    # A long replay goes on in another task: this one ends before its time limit.
    run_replay(replay_id=replay_id, seconds=240)


@shared_task
def resume_replays() -> None:
    from rewards.services.earning.replay import resume_replays

    resume_replays()


@shared_task
def give_grants() -> None:
    from django.utils import timezone

    from rewards.services.grant_runs import give_due

    give_due(at=timezone.now())  # ends before the task's time limit; the beat calls it again


@shared_task
def run_coupon_job(job_id: int) -> None:
    from rewards.services.coupons.jobs import run_job

    # A long job goes on in another task: this one ends before its time limit.
    run_job(job_id=job_id, seconds=240)


@shared_task
def look_after_coupons() -> None:
    """Once a minute: jobs that wait, reservations that run out."""
    from django.utils import timezone

    from rewards.services.coupons.jobs import resume_jobs
    from rewards.services.coupons.releasing import release_due

    resume_jobs()
    while release_due(at=timezone.now()):
        pass


@shared_task
def run_reassessment(job_id: int) -> None:
    from rewards.services.tier_steps import run_reassessment

    run_reassessment(job_id=job_id)


@shared_task
def resume_reassessments() -> None:
    from rewards.services.tier_steps import resume_reassessments

    resume_reassessments()

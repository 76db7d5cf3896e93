"""Imports as they run: killed and gone on with, two at once, cancelled, taken over, given up."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from members.enums import ImportState
from members.models import Identity, Member, Purchase, PurchaseImport, TimelineEvent
from members.services.imports import TooLate, chunks, discard, leases, request_cancel, set_columns
from members.services.imports.tables import tables
from members.tests.factories import make_member
from rewards.models import Lot, MemberTier, Transfer
from rewards.services import purchase_import
from rewards.services.purchase_import import resume_import, resume_imports, run_import, start_import
from rewards.tests.factories import make_rule, make_tiers
from tests.import_files import AT, bring_in, child_env, counts, differences, prepare, sentences, staged_tables

pytestmark = pytest.mark.django_db(transaction=True)
RUN = """
import sys, django
django.setup()
from members.services.imports import staging
from rewards.services import purchase_import
staging.BATCH, purchase_import.CHUNK = int(sys.argv[2]), int(sys.argv[3])
purchase_import.run_import(import_id=int(sys.argv[1]))
"""


def a_file(rows: int = 3000, members: int = 400) -> str:
    """With bad rows, equal rows and no receipt numbers."""
    lines = ["customer,date,amount"]
    for i in range(rows):
        day = "2026-02-30" if i % 500 == 499 else f"2026-0{i % 4 + 1}-{i % 27 + 1:02}"
        lines.append(f"C{i * 7 % members},{day},{i % 90}.50")
    return "\n".join(lines) + "\n"


def everything() -> list[int]:
    """Whatever is written twice or not at all shows in one of these."""
    points = sum(Transfer.objects.values_list("amount", flat=True))
    models = (Member, Identity, Purchase, TimelineEvent, Transfer, Lot, MemberTier)
    return [*(model.objects.count() for model in models), points]


@pytest.fixture
def programme():
    make_rule()
    make_tiers(silver="1.25")


def lapse(import_id: int) -> None:
    """Puts the clock of the lease back, as if its minutes had passed."""
    past = timezone.now() - timedelta(seconds=1)
    PurchaseImport.objects.filter(pk=import_id).update(lease_until=past)


@pytest.mark.parametrize("when", ["while reading", "while posting"])
def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(programme, when):
    waiting = prepare(a_file())

    def far_enough() -> bool:
        waiting.refresh_from_db()
        if waiting.lease_until is None or waiting.lease_until < timezone.now():
            return False
        return waiting.rows >= 600 if when == "while reading" else waiting.posted_rows >= 600

    kills = 0
    for _ in range(3):
        argv = [sys.executable, "-W", "ignore", "-c", RUN, str(waiting.pk), "200", "200"]
        worker = subprocess.Popen(argv, env=child_env())
        deadline = time.monotonic() + 60
        while not far_enough() and worker.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if worker.poll() is None:
            os.kill(worker.pid, signal.SIGKILL)
            kills += 1
        worker.wait()
        waiting.refresh_from_db()
        assert waiting.state == ImportState.RUNNING
        assert run_import(import_id=waiting.pk).state == ImportState.RUNNING  # the lease still holds
        lapse(waiting.pk)
        if when == "while posting":
            break
    assert kills
    killed = PurchaseImport.objects.get(pk=waiting.pk)
    assert (killed.posted_rows > 0) == (when == "while posting")
    done = run_import(import_id=waiting.pk)
    assert done.state == ImportState.DONE
    assert counts(done) | {"points": 0} == {
        "rows": 3000,
        "purchases": 2994,
        "members": 400,
        "points": 0,
        "repeats": 0,
        "problems": 6,
    }
    assert len(sentences(done)) == 6
    assert (Purchase.objects.count(), Member.objects.count(), Identity.objects.count()) == (2994, 400, 400)
    assert sum(Transfer.objects.values_list("amount", flat=True)) == done.points
    assert differences() == []
    assert staged_tables() == []
    before = everything()
    assert counts(bring_in(a_file()))["repeats"] == 2994
    assert everything() == before


def at_once(acts) -> list:
    """What each act gave or raised, all started together on connections of their own."""
    results: list = [None] * len(acts)
    start = threading.Barrier(len(acts))

    def run(i):
        try:
            connection.ensure_connection()
            start.wait()
            results[i] = acts[i]()
        except Exception as error:
            results[i] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[i]) for i in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_the_same_file_twice_at_once_comes_in_once(programme, monkeypatch):
    monkeypatch.setattr(purchase_import, "CHUNK", 250)
    content = a_file(2000, 300)
    pair = [prepare(content), prepare(content)]
    one, two = at_once([lambda i=i: run_import(import_id=i.pk) for i in pair])
    assert (one.state, two.state) == (ImportState.DONE, ImportState.DONE)
    assert one.purchases + two.purchases == 1996
    assert one.repeats + two.repeats == 1996
    assert one.members + two.members == 300 == Member.objects.count()
    assert one.points + two.points == sum(Transfer.objects.values_list("amount", flat=True))
    assert differences() == []


def test_two_files_in_opposite_order_do_not_lock_each_other_up(programme, monkeypatch):
    monkeypatch.setattr(purchase_import, "CHUNK", 100)
    lines = [f"C{i % 50},2026-05-01,{i}.00,R{i}" for i in range(1000)]
    head = "customer,date,amount,receipt\n"
    pair = [prepare(head + "\n".join(order) + "\n") for order in (lines, lines[::-1])]
    one, two = at_once([lambda i=i: run_import(import_id=i.pk) for i in pair])
    assert (one.purchases + two.purchases, one.repeats + two.repeats) == (1000, 1000)
    assert Member.objects.count() == 50
    assert differences() == []


def test_an_import_in_one_hand_is_not_taken_by_another(programme):
    waiting = prepare(a_file(500))
    results = at_once([lambda: run_import(import_id=waiting.pk)] * 4)
    assert {type(result) for result in results} == {PurchaseImport}
    waiting.refresh_from_db()
    assert (waiting.state, waiting.purchases, Purchase.objects.count()) == (ImportState.DONE, 499, 499)


def test_a_worker_that_lost_its_lease_stops_before_its_next_chunk(programme, monkeypatch):
    monkeypatch.setattr(purchase_import, "CHUNK", 100)
    waiting = prepare(a_file(500))

    def somebody_else_takes_over(now: PurchaseImport) -> None:
        if now.posted_rows == 200 and now.lease == mine[0]:
            lapse(now.pk)
            assert leases.claim(PurchaseImport, now.pk) is not None
            PurchaseImport.objects.filter(pk=now.pk).update(lease_until=None)

    mine: list = []
    real_claim = leases.claim

    def claim(model: type[PurchaseImport], pk: int) -> PurchaseImport | None:
        found = real_claim(model, pk)
        mine.append(found and found.lease)
        return found

    monkeypatch.setattr(leases, "claim", claim)
    stopped = run_import(import_id=waiting.pk, on_progress=somebody_else_takes_over)
    assert (stopped.state, stopped.posted_rows, Purchase.objects.count()) == (ImportState.RUNNING, 200, 200)
    done = run_import(import_id=waiting.pk)
    assert (done.state, done.purchases, Purchase.objects.count()) == (ImportState.DONE, 499, 499)
    assert differences() == []


def test_cancelled_in_the_middle_it_keeps_what_is_in_and_can_go_on(programme, monkeypatch):
    monkeypatch.setattr(purchase_import, "CHUNK", 100)
    waiting = prepare(a_file(1000))

    def cancel_at_300(now: PurchaseImport) -> None:
        if now.posted_rows == 300 and now.state == ImportState.RUNNING:
            request_cancel(import_id=now.pk, at=AT)

    stopped = run_import(import_id=waiting.pk, on_progress=cancel_at_300)
    assert (stopped.state, stopped.purchases, Purchase.objects.count()) == (ImportState.CANCELLED, 300, 300)
    assert MemberTier.objects.count() == Member.objects.count()  # tiers follow the points that came in
    assert staged_tables() == []
    with pytest.raises(TooLate):
        request_cancel(import_id=waiting.pk, at=AT)
    with pytest.raises(TooLate):
        start_import(import_id=waiting.pk, dry_run=False, at=AT)
    resume_import(import_id=waiting.pk)
    done = run_import(import_id=waiting.pk)
    assert (done.state, done.purchases, done.repeats, done.problems) == (ImportState.DONE, 998, 0, 2)
    assert done.points == sum(Transfer.objects.values_list("amount", flat=True))
    assert differences() == []


def test_cancelled_while_it_waits_it_never_begins(programme):
    waiting = prepare(a_file(10))
    request_cancel(import_id=waiting.pk, at=AT)
    assert run_import(import_id=waiting.pk).state == ImportState.CANCELLED
    assert Purchase.objects.count() == 0
    discard(import_id=waiting.pk)
    assert not PurchaseImport.objects.exists()
    assert not waiting.file.storage.exists(waiting.file.name)


def test_a_long_import_lets_the_next_worker_go_on(programme, monkeypatch):
    monkeypatch.setattr(purchase_import, "CHUNK", 100)
    rung = []
    monkeypatch.setattr(purchase_import, "ring", lambda task, *args: rung.append((task, *args)))
    waiting = prepare(a_file(400))
    posted = [run_import(import_id=waiting.pk, seconds=0).posted_rows for _ in range(5)]
    waiting.refresh_from_db()
    assert posted == [100, 200, 300, 400, 400]
    assert rung == [("rewards.tasks.run_import", waiting.pk)] * 4
    assert (waiting.state, waiting.purchases) == (ImportState.DONE, 400)


def test_tables_lost_with_the_server_are_made_again(programme, monkeypatch):
    monkeypatch.setattr(purchase_import, "CHUNK", 100)
    for dry_run in (True, False):
        waiting = prepare(a_file(700), dry_run=dry_run)

        def stop_at_300(now: PurchaseImport) -> None:
            if now.posted_rows == 300:
                raise OSError("the server went away")

        with pytest.raises(OSError, match="went away"):
            run_import(import_id=waiting.pk, on_progress=stop_at_300)
        with connection.cursor() as cursor:  # what a crash does to unlogged tables
            cursor.execute(f"TRUNCATE {tables(waiting)['plan']}, {tables(waiting)['who']}")
        lapse(waiting.pk)
        done = run_import(import_id=waiting.pk)
        assert (done.state, done.purchases, done.members, done.problems) == (ImportState.DONE, 699, 400, 1)
    assert Purchase.objects.count() == 699
    assert differences() == []


def test_what_fails_again_and_again_is_given_up_with_its_reason(programme, monkeypatch):
    def broken(*args, **kwargs):
        raise ValueError("no such luck")

    waiting = prepare(a_file(10))
    with monkeypatch.context() as only_here:
        only_here.setattr(purchase_import, "award_purchases", broken)
        for _ in range(leases.MAX_ATTEMPTS + 1):  # the first had read the file, which was some progress
            with pytest.raises(ValueError, match="luck"):
                run_import(import_id=waiting.pk)
            lapse(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == ImportState.FAILED
    assert waiting.error_sentence == "The import stopped because of an error that was not foreseen: no such luck"
    assert Purchase.objects.count() == 0
    resume_import(import_id=waiting.pk)
    assert run_import(import_id=waiting.pk).purchases == 10


def test_somebody_who_signs_up_meanwhile_is_found_not_doubled(programme, monkeypatch):
    waiting = prepare("customer,email,date,amount\nC1,ada@example.com,2026-05-03,12.00\n")
    joined = []

    def sign_up(now: PurchaseImport) -> None:
        if now.staged and not joined:
            joined.append(make_member(email="ada@example.com"))

    done = run_import(import_id=waiting.pk, on_progress=sign_up)
    assert (done.members, done.purchases, Member.objects.count()) == (0, 1, 1)
    assert Purchase.objects.get().member == joined[0]
    assert joined[0].identities.get().value == "C1"


def test_a_till_that_reports_the_same_purchase_meanwhile_is_not_doubled(programme, monkeypatch):
    bring_in("customer,date,amount,receipt\nC1,2026-05-01,1.00,R0\n")
    member = Member.objects.get()
    waiting = prepare("customer,date,amount,receipt\nC1,2026-05-03,12.00,R1\nC1,2026-05-04,12.00,R2\n")
    real = chunks.welcome

    def a_till_is_quicker(chunk) -> int:
        def post():
            from members.tests.factories import new_purchase
            from rewards.services.purchases import post_purchases

            same = new_purchase(member, key="R1", amount_minor=1200, purchased_at=AT.replace(month=5, day=3, hour=0))
            post_purchases(purchases=[same], at=AT)

        assert at_once([post]) == [None]
        return real(chunk)

    monkeypatch.setattr(chunks, "welcome", a_till_is_quicker)
    done = run_import(import_id=waiting.pk)
    assert (done.purchases, done.repeats, done.problems) == (1, 1, 0)
    assert (Purchase.objects.count(), differences()) == (3, [])


def test_what_waits_or_was_left_is_found_by_the_tick(programme, monkeypatch):
    rung = []
    monkeypatch.setattr(purchase_import, "ring", lambda task, *args: rung.append((task, *args)))
    queued, dead, alive, ended = (prepare(a_file(10)) for _ in range(4))
    now = timezone.now()
    for i, until in ((dead, now - timedelta(seconds=1)), (alive, now + timedelta(minutes=1))):
        PurchaseImport.objects.filter(pk=i.pk).update(state=ImportState.RUNNING, lease_until=until)
    run_import(import_id=ended.pk)
    resume_imports()
    assert rung == [("rewards.tasks.run_import", queued.pk), ("rewards.tasks.run_import", dead.pk)]


def test_a_running_import_cannot_be_changed(programme):
    waiting = prepare(a_file(10))
    with pytest.raises(TooLate):
        set_columns(import_id=waiting.pk, mapping={}, source="x", currency="EUR", time_zone="UTC", with_points=True)
    with pytest.raises(TooLate):
        discard(import_id=waiting.pk)

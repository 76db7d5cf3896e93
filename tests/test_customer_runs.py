"""Imports of customers as they run: killed and gone on with, stopped, two at once."""

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
from members.models import CustomerImport, Identity, ImportedMember, Member, TimelineEvent
from members.services.imports.customers import running
from members.services.imports.customers.running import resume_customer_import, run_customer_import
from members.services.imports.intake import request_cancel
from members.tests.factories import make_member
from tests.customer_files import AT, bring_in, counts, prepare, sentences
from tests.import_files import child_env

pytestmark = pytest.mark.django_db(transaction=True)
RUN = """
import sys, django
django.setup()
from members.services.imports import staging
from members.services.imports.customers import running
staging.BATCH, running.CHUNK = 200, 200
running.run_customer_import(import_id=int(sys.argv[1]))
"""
ROWS = 3000


def a_file() -> str:
    """Every hundredth row repeats an address of long before, every fiftieth an old address of a member."""
    lines = ["customer,email,phone,name"]
    for i in range(ROWS):
        email = f"a{i}@example.com" if i % 100 != 99 else f"a{i // 200}@example.com"
        if i % 50 == 48:
            email = f"old{i % 7}@example.com"
        lines.append(f"C{i},{email},+8613{i:09},Name {i}")
    return "\n".join(lines) + "\n"


def known() -> None:
    """Seven members whom the first rows give another address."""
    for i in range(7):
        member = make_member(email=f"old{i}@example.com")
        Identity.objects.create(member=member, system="shop", value=f"C{i}")


def people() -> list[tuple]:
    return list(Member.objects.order_by("email").values_list("email", "phone", "name"))


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing():
    known()
    tried = bring_in(a_file(), key="customer", dry_run=True)
    waiting = prepare(a_file(), key="customer")
    worker = subprocess.Popen([sys.executable, "-W", "ignore", "-c", RUN, str(waiting.pk)], env=child_env())
    deadline = time.monotonic() + 60
    while waiting.posted_rows < 600 and worker.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
        waiting.refresh_from_db()
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    waiting.refresh_from_db()
    assert waiting.state == ImportState.RUNNING
    assert 0 < waiting.posted_rows < ROWS
    assert run_customer_import(import_id=waiting.pk).state == ImportState.RUNNING  # the lease still holds
    CustomerImport.objects.filter(pk=waiting.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    done = run_customer_import(import_id=waiting.pk)
    assert done.state == ImportState.DONE
    assert counts(done) == counts(tried)
    assert sentences(done) == sentences(tried)
    assert Member.objects.count() == done.created + 7
    assert TimelineEvent.objects.filter(kind="member.joined", data__customer_import=done.pk).count() == done.created
    assert ImportedMember.objects.count() == done.created + done.updated


def test_stopped_and_let_go_on_the_reasons_are_those_of_the_dry_run(monkeypatch):
    known()
    monkeypatch.setattr(running, "CHUNK", 500)
    tried = bring_in(a_file(), key="customer", dry_run=True)
    assert tried.problem_counts.keys() == {"twice_in_file", "contact_taken"}
    waiting = prepare(a_file(), key="customer")

    def stop(i: CustomerImport) -> None:
        if i.posted_rows in (500, 1500) and not i.cancel_requested:
            request_cancel(import_id=i.pk, at=AT, model=CustomerImport)

    for _ in range(2):
        assert run_customer_import(import_id=waiting.pk, on_progress=stop).state == ImportState.CANCELLED
        resume_customer_import(import_id=waiting.pk)
        CustomerImport.objects.filter(pk=waiting.pk).update(cancel_requested=False)
    done = run_customer_import(import_id=waiting.pk)
    assert (counts(done), done.problem_counts) == (counts(tried), tried.problem_counts)
    assert sentences(done) == sentences(tried)


def test_the_same_customers_twice_at_once_come_in_once(monkeypatch):
    monkeypatch.setattr(running, "CHUNK", 250)
    pair = [prepare(a_file(), key="customer") for _ in range(2)]
    start, ended = threading.Barrier(2), []

    def run(import_id: int) -> None:
        try:
            connection.ensure_connection()
            start.wait()
            ended.append(run_customer_import(import_id=import_id))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[i.pk]) for i in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [i.state for i in ended] == [ImportState.DONE] * 2
    assert all(sum(counts(i)[1:]) == ROWS for i in ended)
    once = people()
    assert sum(i.created for i in ended) == len(once)
    assert Identity.objects.count() == len(once)
    again = bring_in(a_file(), key="customer")
    assert (again.created, again.updated, people()) == (0, 0, once)

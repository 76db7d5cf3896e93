"""Refreshes that are killed, that meet each other, and that meet a change: whole and right in every case."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection

from members.models import (
    ChangedMember,
    Member,
    PurchaseSummary,
    Segment,
    SegmentChange,
    SegmentMember,
    SegmentSize,
    TimelineEvent,
)
from members.queries_segments import State, freshness
from members.services.derived import bring_up_to_date
from members.services.profile import update_profile
from members.services.purchases import record_purchases
from members.services.segments import Superseded, refresh, refresh_due, refreshing, save_segment
from members.tests.factories import make_member, new_purchase
from tests.import_files import child_env

pytestmark = pytest.mark.django_db(transaction=True)
BERLIN = {"trait": "city", "op": "any_of", "value": ["Berlin"]}
# Does its work until just before the commit, says so, and waits to be killed.
CHILD = """
import sys, time, django
django.setup()
from django.utils import timezone
from members.services import derived
from members.services.segments import membership, refreshing
def stop(*args):
    print("nearly done", flush=True)
    time.sleep(60)
if sys.argv[1] == "refresh":
    refreshing.note_sizes = stop
    refreshing.refresh(segment_id=int(sys.argv[2]), at=timezone.now())
else:
    ripple = membership.ripple
    derived.ripple = lambda **given: (ripple(**given), stop())
    derived.bring_up_to_date(at=timezone.now())
"""


def everything() -> list:
    """Whatever a refresh or a ripple writes."""
    segments = Segment.objects.order_by("id").values_list("pk", "size", "built_version", "built_at", "next_refresh_at")
    held = SegmentMember.objects.order_by("segment", "member").values_list("segment", "member", "entered_at")
    counted = (SegmentChange, SegmentSize, TimelineEvent, ChangedMember, PurchaseSummary)
    return [*segments, *held, *(model.objects.count() for model in counted)]


def held(segment: Segment) -> set[int]:
    return set(SegmentMember.objects.filter(segment=segment).values_list("member", flat=True))


def make_segment(at, definition=BERLIN, name="Berliners") -> Segment:
    segment = save_segment(names={"en": name}, definition=definition, at=at)
    refresh(segment_id=segment.pk, at=at)
    return segment


def killed_just_before_its_commit(*argv) -> None:
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CHILD, *map(str, argv)], env=child_env(), stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"nearly done\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()


def test_a_refresh_killed_in_the_middle_leaves_the_old_membership_whole(at):
    stays, goes, comes = (make_member(city=city) for city in ("Berlin", "Berlin", "Paris"))
    segment = make_segment(at)
    Member.objects.filter(pk=goes.pk).update(city="Rome")
    Member.objects.filter(pk=comes.pk).update(city="Berlin")
    before = everything()
    killed_just_before_its_commit("refresh", segment.pk)
    assert everything() == before
    assert held(segment) == {stays.pk, goes.pk}
    assert refresh(segment_id=segment.pk, at=at) == (1, 1, 2)  # the lock went with the dead
    assert held(segment) == {stays.pk, comes.pk}


def test_a_ripple_killed_in_the_middle_leaves_its_members_to_the_next(at):
    member = make_member(city="Paris")
    segment = make_segment(at, {"all": [BERLIN, {"trait": "purchase.count", "op": "at_least", "value": 1}]})
    while bring_up_to_date(at=at):
        pass
    update_profile(member_id=member.pk, changes={"city": "Berlin"}, at=at)
    record_purchases(purchases=[new_purchase(member)])
    before = everything()
    killed_just_before_its_commit("ripple")
    assert everything() == before
    assert bring_up_to_date(at=at) == 1
    assert held(segment) == {member.pk}
    assert TimelineEvent.objects.filter(kind="segment.entered").count() == 1


class Held:
    """Stops the next refresh of this process just before its commit, until it is let go."""

    def __init__(self, monkeypatch) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        note_sizes = refreshing.note_sizes

        def hold(*args) -> None:
            note_sizes(*args)
            monkeypatch.setattr(refreshing, "note_sizes", note_sizes)
            self.reached.set()
            assert self.go.wait(30)

        monkeypatch.setattr(refreshing, "note_sizes", hold)


def in_thread(act) -> tuple[threading.Thread, list]:
    """Runs `act` on a connection of its own; the thread, and where its result or its exception will stand."""
    results: list = []

    def run() -> None:
        try:
            results.append(act())
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def someone_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        here = "SELECT oid FROM pg_database WHERE datname = current_database()"  # others test on the same server
        cursor.execute(
            f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = ({here})"
        )
        return cursor.fetchone()[0] > 0


def wait_until(true) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_of_two_refreshes_at_once_one_waits_and_finds_nothing_to_do(at, monkeypatch):
    members = [make_member(city="Berlin") for _ in range(3)]
    segment = save_segment(names={"en": "Berliners"}, definition=BERLIN, at=at)
    held_up = Held(monkeypatch)
    first, one = in_thread(lambda: refresh(segment_id=segment.pk, at=at))
    assert held_up.reached.wait(30)
    second, two = in_thread(lambda: refresh(segment_id=segment.pk, at=at + timedelta(minutes=1)))
    wait_until(someone_waits_for_a_lock)
    assert not two
    held_up.go.set()
    first.join()
    second.join()
    assert (one, two) == ([(3, 0, 3)], [(0, 0, 3)])
    assert held(segment) == {member.pk for member in members}
    assert SegmentChange.objects.count() == 3


def test_a_second_worker_leaves_what_is_due_to_the_first(at, monkeypatch):
    make_member(city="Berlin")
    save_segment(names={"en": "Berliners"}, definition=BERLIN, at=at)
    save_segment(names={"en": "All"}, definition={"all": []}, at=at)
    held_up = Held(monkeypatch)
    first, one = in_thread(lambda: refresh_due(at=at))
    assert held_up.reached.wait(30)
    assert refresh_due(at=at) == 0
    held_up.go.set()
    first.join()
    assert one == [2]
    assert SegmentChange.objects.count() == 2


def test_a_definition_that_changes_during_its_refresh_is_built_anew_and_never_mixed(at, monkeypatch):
    berlin, paris = make_member(city="Berlin"), make_member(city="Paris")
    segment = make_segment(at)
    newcomer = make_member(city="Berlin")
    held_up = Held(monkeypatch)
    monkeypatch.setattr(refreshing, "note_sizes", refreshing.note_sizes)
    make_equal = refreshing.make_equal

    def slow(*args, **given):
        difference = make_equal(*args, **given)
        monkeypatch.setattr(refreshing, "make_equal", make_equal)
        held_up.reached.set()
        assert held_up.go.wait(30)
        return difference

    monkeypatch.setattr(refreshing, "make_equal", slow)
    thread, results = in_thread(lambda: refresh(segment_id=segment.pk, at=at))
    assert held_up.reached.wait(30)
    paris_only = {"trait": "city", "op": "any_of", "value": ["Paris"]}
    save_segment(segment_id=segment.pk, names={"en": "Parisians"}, definition=paris_only, at=at)
    held_up.go.set()
    thread.join()
    assert isinstance(results[0], Superseded)
    assert held(segment) == {berlin.pk}
    segment.refresh_from_db()
    assert (segment.version, segment.built_version, segment.error) == (2, 1, "")
    assert freshness(segment, at=at).state is State.STALE
    assert refresh_due(at=at) == 1
    assert held(segment) == {paris.pk}
    assert newcomer.pk not in held(segment)


def test_what_happens_during_a_refresh_is_not_lost(at, monkeypatch):
    member = make_member(city="Berlin")
    segment = make_segment(at)
    while bring_up_to_date(at=at):
        pass
    held_up = Held(monkeypatch)
    refreshing_thread, _ = in_thread(lambda: refresh(segment_id=segment.pk, at=at))
    assert held_up.reached.wait(30)
    update_profile(member_id=member.pk, changes={"city": "Paris"}, at=at)  # the till waits for no refresh
    rippling, rippled = in_thread(lambda: bring_up_to_date(at=at))
    wait_until(someone_waits_for_a_lock)
    assert bring_up_to_date(at=at) == 0  # one waits for the refresh; the others do not queue up behind it
    held_up.go.set()
    refreshing_thread.join()
    rippling.join()
    assert rippled == [1]
    assert held(segment) == set()
    assert not ChangedMember.objects.exists()


def test_two_who_save_at_once_cannot_make_a_circle(at):
    one, two = make_segment(at, name="One"), make_segment(at, name="Two")
    start = threading.Barrier(2)

    def point(segment, other):
        start.wait()
        definition = {"trait": "segment", "op": "any_of", "value": [other.pk]}
        return save_segment(segment_id=segment.pk, names={"en": segment.name_en}, definition=definition, at=at)

    threads = [in_thread(lambda: point(one, two)), in_thread(lambda: point(two, one))]
    for thread, _ in threads:
        thread.join()
    failures = [results[0] for _, results in threads if isinstance(results[0], Exception)]
    assert len(failures) == 1
    assert type(failures[0]).__name__ == "SegmentCycle"

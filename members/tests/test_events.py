"""Events and their reactions: each exactly once, whatever fails."""

import os
import signal
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from members import events
from members.models import PendingReaction, Tag, TimelineEvent
from members.services.reactions import DIED, MAX_ATTEMPTS, pause, retry, run_due
from members.tests.factories import make_member
from members.tests.killed import killed_in

KIND = events.kind("test.happened", "Happened", lambda data: f"Happened {data['n']}")
seen: list[list[int]] = []
behaviour = {"do": None}


@events.reacts_to(KIND)
def note(happened, at):
    if behaviour["do"]:
        behaviour["do"](happened)
    seen.append([event.data["n"] for event in happened])


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(events, "_subscribed", {KIND: events._subscribed[KIND]})  # rooms above react to joining
    seen.clear()
    behaviour["do"] = None


def later(days: int = 1) -> datetime:
    """When what was recorded just now is due."""
    return datetime.now(UTC) + timedelta(days=days)


def happen(member, at, *numbers):
    events.record_many(kind=KIND, events=[(member.pk, at, {"n": n}) for n in numbers])


@pytest.mark.django_db
def test_events_reach_the_timeline_and_the_reaction_together(at):
    member = make_member()
    happen(member, at, 1, 2, 3)
    assert [events.describe(e) for e in TimelineEvent.objects.filter(kind=KIND).order_by("id")] == [
        "Happened 1",
        "Happened 2",
        "Happened 3",
    ]
    assert run_due(at=later()) == 3
    assert seen == [[1, 2, 3]]
    assert run_due(at=later()) == 0


@pytest.mark.django_db
def test_an_undeclared_kind_is_refused(at):
    with pytest.raises(ValueError, match="not declared"):
        events.record(member_id=make_member().pk, kind="test.nonsense", at=at)


@pytest.mark.django_db
def test_one_bad_event_does_not_hold_up_the_others_and_is_parked_with_its_error(at):
    def refuse_two(happened):
        if any(event.data["n"] == 2 for event in happened):
            raise RuntimeError("two is bad")

    behaviour["do"] = refuse_two
    happen(make_member(), at, 1, 2, 3)
    now = later()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert run_due(at=now) == (3 if attempt == 1 else 1)
        now += pause(attempt)
    assert sorted(n for batch in seen for n in batch) == [1, 3]
    parked = PendingReaction.objects.get()
    assert parked.parked_at is not None
    assert parked.error == "RuntimeError: two is bad"
    assert run_due(at=now + timedelta(days=1)) == 0

    behaviour["do"] = None
    retry(reaction_id=parked.pk, at=now)
    assert run_due(at=now) == 1
    assert seen[-1] == [2]
    assert not PendingReaction.objects.exists()


@pytest.mark.django_db
def test_what_a_failing_reaction_wrote_is_undone(at):
    def write_then_fail(happened):
        make_member(name="Half done")
        raise RuntimeError("after writing")

    behaviour["do"] = write_then_fail
    happen(make_member(), at, 1)
    run_due(at=later())
    assert not TimelineEvent.objects.filter(member__name="Half done").exists()
    assert PendingReaction.objects.get().attempts == 1


def react_and_die(now):
    behaviour["do"] = lambda happened: os.kill(os.getpid(), signal.SIGKILL)
    run_due(at=now)


@pytest.mark.django_db(transaction=True)
def test_a_reaction_that_kills_its_worker_is_parked_in_the_end(at):
    happen(make_member(), at, 1)
    now = later()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        killed_in(react_and_die, now)
        assert PendingReaction.objects.get().attempts == attempt
        now += pause(attempt)
    assert run_due(at=now) == 1
    assert PendingReaction.objects.get().error == DIED
    assert seen == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_share_the_work_without_doubling_it(at):
    member = make_member()
    for n in range(40):
        happen(member, at, n)
    results: list[int] = []

    def work():
        try:
            results.append(run_due(at=later()))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    while run_due(at=later(days=2)):
        pass
    assert sorted(n for batch in seen for n in batch) == list(range(40))


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_rolled_back_leaves_no_reaction(at):
    member = make_member()
    with transaction.atomic():
        happen(member, at, 1)
        transaction.set_rollback(True)
    assert not PendingReaction.objects.exists()


@pytest.mark.django_db
def test_only_what_somebody_listens_to_waits_for_an_answer(at, monkeypatch):
    key = f"{note.__module__}.{note.__name__}"
    monkeypatch.setattr(events, "_conditions", {key: "EXISTS (SELECT FROM members_tag WHERE name = 'heard')"})
    events.complete.cache_clear()
    try:
        member = make_member()
        happen(member, at, 1)
        assert not PendingReaction.objects.exists()
        Tag.objects.create(name="heard")
        happen(member, at, 2)
        assert run_due(at=later()) == 1
        assert seen == [[2]]
    finally:
        events.complete.cache_clear()

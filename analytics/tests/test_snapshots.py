from datetime import UTC, datetime, timedelta

import pytest

from analytics.models import Snapshot
from analytics.services import snapshots
from members.models import Programme
from members.tests.factories import make_member

AT = datetime(2026, 5, 12, 10, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def slow(monkeypatch) -> list[str]:
    """Counting takes long; the tasks that were rung."""
    rung: list[str] = []
    monkeypatch.setattr(snapshots, "QUICK", -1)
    monkeypatch.setattr(snapshots, "ring", lambda task, *args: rung.append(" ".join((task, *args))))
    Programme.objects.create(pk=1)
    return rung


def test_what_is_quick_is_counted_on_the_spot_and_not_kept(monkeypatch):
    monkeypatch.setattr(snapshots, "QUICK", 60)
    make_member()
    assert snapshots.figures("quality", at=AT).data["members"] == 1
    make_member()
    assert snapshots.figures("quality", at=AT).data["members"] == 2
    assert not Snapshot.objects.exists()


def test_what_is_slow_is_kept_and_counted_again_behind_the_readers_back(slow):
    make_member()
    first = snapshots.figures("quality", at=AT)
    took = Snapshot.objects.get(name="quality").took
    make_member()
    again = snapshots.figures("quality", at=AT)
    assert (again.data["members"], again.at, slow) == (1, first.at, [])
    later = AT + timedelta(seconds=snapshots.KEEP * took + 1)
    assert snapshots.figures("quality", at=later).data["members"] == 1
    assert slow == ["analytics.tasks.refresh_figures quality"]
    assert snapshots.refresh("quality", at=later) is True
    assert snapshots.refresh("quality", at=later) is False
    assert snapshots.figures("quality", at=later).data["members"] == 2


def test_what_has_become_quick_is_kept_no_longer(slow, monkeypatch):
    snapshots.figures("quality", at=AT)
    monkeypatch.setattr(snapshots, "QUICK", 60)
    assert snapshots.refresh("quality", at=AT + timedelta(days=1))
    assert not Snapshot.objects.exists()


def test_another_time_zone_is_another_question(slow):
    kept = snapshots.figures("paper.30", at=AT)
    Programme.objects.update(time_zone="Asia/Shanghai")
    assert snapshots.figures("paper.30", at=AT).data["zone"] == "Asia/Shanghai" != kept.data["zone"]


@pytest.mark.parametrize("name", snapshots.COUNTERS)
def test_every_figure_survives_being_kept(name, slow):
    """Read back from JSON, the same as counted."""
    from analytics.counting import Customers, PaperFigures

    make_member()
    snapshots.figures(name, at=AT)
    kept = Snapshot.objects.get(name=name).data
    read = {"paper": PaperFigures.read, "customers": Customers.read}.get(name.partition(".")[0], dict)
    counted = snapshots.COUNTERS[name](AT, snapshots.ZoneInfo(kept["zone"]))
    assert read(kept) == read(counted | {"zone": kept["zone"]})


def test_all_are_brought_up_to_date(slow):
    assert snapshots.refresh_all(at=AT) == list(snapshots.COUNTERS)
    assert Snapshot.objects.count() == len(snapshots.COUNTERS)
    assert snapshots.refresh_all(at=AT) == []

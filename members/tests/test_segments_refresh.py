"""Segments as they are made, refreshed and kept fresh: what is written, what is not, and what stops sending."""

from datetime import timedelta

import pytest
from django.db import connection
from psycopg import sql

from members.models import (
    ChangedMember,
    Member,
    Persona,
    Segment,
    SegmentChange,
    SegmentMember,
    TimelineEvent,
)
from members.queries_segments import (
    SegmentNotReady,
    State,
    freshness,
    segment_audience,
)
from members.segments.tree import BadDefinition
from members.services import derived
from members.services.derived import bring_up_to_date
from members.services.profile import update_profile
from members.services.purchases import record_purchases
from members.services.segments import (
    NameTaken,
    RefreshFailed,
    SegmentCycle,
    SegmentInUse,
    archive_segment,
    membership,
    refresh,
    refresh_due,
    save_segment,
)
from members.services.segments.refreshing import RIPPLE_MOST
from members.tests.factories import make_member, new_purchase

pytestmark = pytest.mark.django_db
EVERYBODY = {"all": []}


def city(*names: str) -> dict:
    return {"trait": "city", "op": "any_of", "value": list(names)}


def bought(times: int, **more) -> dict:
    return {"trait": "purchase.count", "op": "at_least", "value": times, **more}


def in_segment(*segments: Segment) -> dict:
    return {"trait": "segment", "op": "any_of", "value": [segment.pk for segment in segments]}


def make_segment(definition, at, name="Group", **more) -> Segment:
    return save_segment(names={"en": name, "zh-hans": "群组"}, definition=definition, at=at, **more)


def built(definition, at, name="Group", **more) -> Segment:
    segment = make_segment(definition, at, name, **more)
    refresh(segment_id=segment.pk, at=at)
    segment.refresh_from_db()
    return segment


def held(segment: Segment) -> set[int]:
    return set(SegmentMember.objects.filter(segment=segment).values_list("member", flat=True))


def told(kind: str) -> list[tuple[int, dict]]:
    return list(TimelineEvent.objects.filter(kind=kind).order_by("id").values_list("member", "data"))


def test_a_new_segment_is_built_and_the_timelines_of_its_members_stay_quiet(at):
    berlin, paris = make_member(city="Berlin"), make_member(city="Paris")
    segment = make_segment(city("Berlin"), at)
    assert freshness(segment, at=at).state is State.BUILDING
    with pytest.raises(SegmentNotReady, match="being built for the first time"):
        segment_audience(segment.pk, at=at)
    assert refresh(segment_id=segment.pk, at=at) == (1, 0, 1)
    assert list(segment_audience(segment.pk, at=at)) == [berlin]
    segment.refresh_from_db()
    assert (segment.built_version, segment.built_at, segment.size) == (1, at, 1)
    change = SegmentChange.objects.get()
    assert (change.member_id, change.entered, change.version, change.at) == (berlin.pk, True, 1, at)
    assert not told("segment.entered")
    assert paris.pk not in held(segment)


def test_who_comes_and_goes_is_written_down_and_told_and_wakes_nobody(at):
    one, two = make_member(city="Berlin"), make_member(city="Paris")
    segment = built(city("Berlin"), at)
    ChangedMember.objects.all().delete()
    Member.objects.filter(pk=one.pk).update(city="Rome")
    Member.objects.filter(pk=two.pk).update(city="Berlin")
    later = at + timedelta(hours=1)
    assert refresh(segment_id=segment.pk, at=later) == (1, 1, 1)
    data = {"segment": segment.pk, "version": 1, "name": {"en": "Group", "zh-hans": "群组"}}
    assert told("segment.entered") == [(two.pk, data)]
    assert told("segment.left") == [(one.pk, data)]
    assert not ChangedMember.objects.exists()
    assert SegmentMember.objects.get(segment=segment).entered_at == later


def rows_written() -> dict[str, tuple]:
    """Rows inserted, updated and deleted in this transaction, by table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_user_tables"
            " WHERE n_tup_ins + n_tup_upd + n_tup_del > 0"
        )
        return {row[0]: row[1:] for row in cursor.fetchall()}


def test_a_refresh_that_changes_nothing_writes_its_moment_and_nothing_else(at):
    make_member(city="Berlin")
    segment = built({"any": [city("Berlin"), bought(3)]}, at)
    before = rows_written()
    assert refresh(segment_id=segment.pk, at=at + timedelta(minutes=1)) == (0, 0, 1)
    after = rows_written()
    changed = {table: counts for table, counts in after.items() if counts != before.get(table)}
    assert list(changed) == ["members_segment"]
    assert changed["members_segment"][1] - before["members_segment"][1] == 1


def test_what_happens_to_a_member_reaches_all_segments_in_their_order(at):
    member = make_member(city="Berlin")
    regulars = built(bought(2), at, "Regulars")
    local = built({"all": [in_segment(regulars), city("Berlin")]}, at, "Local regulars")
    others = built({"all": [city("Berlin"), {"not": in_segment(regulars)}]}, at, "Others")
    assert (held(regulars), held(local), held(others)) == (set(), set(), {member.pk})
    record_purchases(purchases=[new_purchase(member), new_purchase(member)])
    assert ChangedMember.objects.exists()
    assert bring_up_to_date(at=at) == 1
    assert not ChangedMember.objects.exists()
    assert (held(regulars), held(local), held(others)) == ({member.pk}, {member.pk}, set())
    assert [data["segment"] for _, data in told("segment.entered")] == [regulars.pk, local.pk]
    regulars.refresh_from_db()
    assert regulars.size == 1
    update_profile(member_id=member.pk, changes={"city": "Paris"}, at=at)
    assert bring_up_to_date(at=at) == 1
    assert (held(regulars), held(local), held(others)) == ({member.pk}, set(), set())


def test_a_backlog_is_taken_at_once_and_blocks_sending_until_all_is_refreshed(at, monkeypatch):
    monkeypatch.setattr(derived, "BACKLOG", 3)
    members = [make_member(city="Berlin") for _ in range(5)]
    segment = built(bought(1), at)
    record_purchases(purchases=[new_purchase(member) for member in members])
    assert bring_up_to_date(at=at) == 5
    segment.refresh_from_db()
    assert freshness(segment, at=at).state is State.STALE
    with pytest.raises(SegmentNotReady, match="Many members changed at once"):
        segment_audience(segment.pk, at=at)
    assert refresh_due(at=at) == 1
    assert held(segment) == {member.pk for member in members}
    assert segment_audience(segment.pk, at=at).count() == 5


def test_a_backlog_that_nobody_looks_at_blocks_sending(at):
    segment = built(EVERYBODY, at)
    ChangedMember.objects.all().delete()
    make_member()
    seen = ChangedMember.objects.get().at
    Segment.objects.update(next_refresh_at=seen + timedelta(days=1))
    segment.refresh_from_db()
    assert freshness(segment, at=seen + timedelta(minutes=14)).state is State.FRESH
    state, reason = freshness(segment, at=seen + timedelta(minutes=20))
    assert state is State.STALE
    assert "20 minutes ago" in reason


def test_another_definition_is_another_version_and_sending_waits_for_it(at):
    berlin, paris = make_member(city="Berlin"), make_member(city="Paris")
    segment = built(city("Berlin"), at)
    save_segment(segment_id=segment.pk, names={"en": "Paris"}, definition=city("Paris"), at=at)
    segment.refresh_from_db()
    assert (segment.version, segment.built_version, segment.name_en) == (2, 1, "Paris")
    assert held(segment) == {berlin.pk}  # the old one can still be looked at
    with pytest.raises(SegmentNotReady, match="definition was changed"):
        segment_audience(segment.pk, at=at)
    assert refresh_due(at=at) == 1
    assert held(segment) == {paris.pk}
    assert [v.definition for v in segment.versions.order_by("version")] == [city("Berlin"), city("Paris")]
    assert set(SegmentChange.objects.values_list("member", "entered", "version")) == {
        (berlin.pk, True, 1),
        (paris.pk, True, 2),
        (berlin.pk, False, 2),
    }
    assert [member for member, _ in told("segment.entered")] == [paris.pk]


def test_another_name_is_no_new_version(at):
    segment = built(city("Berlin"), at)
    save_segment(segment_id=segment.pk, names={"en": "Berliners"}, definition=city("Berlin"), at=at)
    segment.refresh_from_db()
    assert (segment.version, str(segment)) == (1, "Berliners")
    assert freshness(segment, at=at).state is State.FRESH


def test_names_are_taken_once_and_free_again_when_archived(at):
    first = make_segment(EVERYBODY, at, "All")
    with pytest.raises(NameTaken):
        make_segment(EVERYBODY, at, "All")
    archive_segment(segment_id=first.pk, at=at)
    assert make_segment(EVERYBODY, at, "All").pk != first.pk


def test_what_cannot_be_asked_is_not_saved(at):
    with pytest.raises(BadDefinition):
        make_segment({"trait": "no.such", "op": "yes"}, at)
    assert not Segment.objects.exists()


def test_segments_may_not_go_round_in_circles(at):
    one = make_segment(EVERYBODY, at, "One")
    two = make_segment(in_segment(one), at, "Two")
    three = make_segment(in_segment(two), at, "Three")
    for definition in (in_segment(three), in_segment(one), {"all": [city("Berlin"), {"not": in_segment(two)}]}):
        with pytest.raises(SegmentCycle):
            save_segment(segment_id=one.pk, names={"en": "One"}, definition=definition, at=at)
    assert set(three.uses.all()) == {two}


def test_a_segment_that_others_stand_on_stays(at):
    one = built(EVERYBODY, at, "One")
    two = built(in_segment(one), at, "Two")
    with pytest.raises(SegmentInUse) as refused:
        archive_segment(segment_id=one.pk, at=at)
    assert refused.value.segments == ["Two"]
    persona = Persona.objects.create(segment=two, who_en="People")
    with pytest.raises(SegmentInUse):
        archive_segment(segment_id=two.pk, at=at)
    persona.delete()
    make_member()
    archive_segment(segment_id=two.pk, at=at)
    archive_segment(segment_id=one.pk, at=at)
    assert not SegmentMember.objects.exists()
    with pytest.raises(SegmentNotReady, match="archived"):
        segment_audience(one.pk, at=at)


def break_it(segment: Segment) -> None:
    """As if the trait of a condition had gone with the part of the product that knew it."""
    Segment.objects.filter(pk=segment.pk).update(definition={"trait": "no.such", "op": "yes"})


def test_a_failing_segment_says_so_blocks_what_uses_it_and_is_tried_again_later_and_later(at):
    member = make_member(city="Berlin")
    segment = built(city("Berlin"), at, "Berliners")
    user = built({"all": [in_segment(segment)]}, at, "User")
    innocent = built(EVERYBODY, at, "Everybody")
    break_it(segment)
    moments = []
    for _ in range(3):
        with pytest.raises(RefreshFailed):
            refresh(segment_id=segment.pk, at=at)
        segment.refresh_from_db()
        moments.append(segment.next_refresh_at - at)
    assert moments == [timedelta(minutes=n) for n in (1, 2, 4)]
    assert (segment.failures, segment.failed_at) == (3, at)
    assert "no.such" in segment.error
    assert held(segment) == {member.pk}  # what was known can still be looked at
    for blocked, state in ((segment, State.FAILING), (user, State.STALE)):
        found, reason = freshness(blocked, at=at)
        assert found is state
        assert "no.such" in reason
        with pytest.raises(SegmentNotReady):
            segment_audience(blocked.pk, at=at)
    assert segment_audience(innocent.pk, at=at).count() == 1
    assert refresh_due(at=at) == 0  # it waits
    Segment.objects.filter(pk=segment.pk).update(definition=city("Berlin"))
    assert refresh_due(at=at + timedelta(minutes=5)) == 1
    segment.refresh_from_db()
    assert (segment.error, segment.failed_at, segment.failures) == ("", None, 0)
    assert freshness(user, at=at).state is State.FRESH


def test_one_failing_segment_does_not_hold_up_the_ripple_of_the_others(at):
    segment, other = built(city("Berlin"), at, "One"), built(city("Berlin"), at, "Two")
    break_it(segment)
    member = make_member(city="Berlin")
    assert bring_up_to_date(at=at) == 1
    segment.refresh_from_db()
    assert segment.failures == 1
    assert held(other) == {member.pk}


def test_a_statement_that_takes_too_long_is_a_failure_with_its_reason(at, monkeypatch):
    segment = make_segment(EVERYBODY, at)
    make_member()
    monkeypatch.setattr("members.services.segments.refreshing.LONGEST", 0.05)
    slow = sql.SQL("SELECT m.id FROM members_member AS m, pg_sleep(1)")
    monkeypatch.setattr(membership, "selecting", lambda *args, **more: (slow, {}))
    with pytest.raises(RefreshFailed):
        refresh(segment_id=segment.pk, at=at)
    segment.refresh_from_db()
    assert "statement timeout" in segment.error
    assert freshness(segment, at=at).state is State.FAILING


def test_time_alone_moves_members_at_each_refresh_and_the_next_is_planned(at):
    member = make_member()
    record_purchases(purchases=[new_purchase(member, purchased_at=at - timedelta(days=29, hours=12))])
    bring_up_to_date(at=at)
    segment = built(bought(1, within={"days": 30}), at, refresh_minutes=120)
    assert segment.timed
    assert segment.next_refresh_at == at + timedelta(hours=2)
    assert held(segment) == {member.pk}
    assert refresh_due(at=at + timedelta(minutes=119)) == 0
    assert refresh_due(at=at + timedelta(days=2)) == 1
    assert held(segment) == set()
    assert freshness(Segment.objects.get(), at=at + timedelta(days=3)).state is State.STALE  # nobody refreshed it


def test_what_only_events_change_is_checked_at_night_and_drift_is_said(at, caplog):
    segment = built(city("Berlin"), at)
    assert not segment.timed
    assert segment.next_refresh_at == at.replace(hour=3, minute=40) + timedelta(days=1)
    member = make_member()
    ChangedMember.objects.all().delete()
    Member.objects.filter(pk=member.pk).update(city="Berlin")  # by a way that tells nobody
    assert refresh_due(at=at + timedelta(days=1)) == 1
    assert held(segment) == {member.pk}
    assert "segment had drifted" in caplog.text


def test_used_segments_are_refreshed_first_and_pass_on_who_moved(at):
    member = make_member(city="Berlin")
    top = make_segment(city("Berlin"), at, "Top")
    middle = make_segment(in_segment(top), at, "Middle")
    bottom = make_segment({"all": [{"not": in_segment(middle)}]}, at, "Bottom")
    save_segment(segment_id=top.pk, names={"en": "Top"}, definition=city("Paris"), at=at)
    assert refresh(segment_id=bottom.pk, at=at).size == 1
    save_segment(segment_id=top.pk, names={"en": "Top"}, definition=city("Berlin"), at=at)
    assert freshness(bottom, at=at).state is State.STALE
    refresh(segment_id=top.pk, at=at)
    assert (held(middle), held(bottom)) == ({member.pk}, set())
    assert freshness(Segment.objects.get(pk=bottom.pk), at=at).state is State.FRESH


def test_many_who_moved_make_those_that_use_it_be_refreshed_as_a_whole(at, monkeypatch):
    monkeypatch.setattr("members.services.segments.refreshing.RIPPLE_MOST", 1)
    assert RIPPLE_MOST > 1
    used = built(city("Berlin"), at, "Used")
    user = built(in_segment(used), at, "User")
    members = [make_member(city="Berlin") for _ in range(2)]
    refresh(segment_id=used.pk, at=at)
    user.refresh_from_db()
    assert freshness(user, at=at).state is State.STALE
    assert refresh_due(at=at) == 1
    assert held(user) == {member.pk for member in members}

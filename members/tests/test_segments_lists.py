"""Members picked by hand, lists of members, keys that name them, sizes and overlap."""

from datetime import timedelta

import pytest

from members.models import Member, MemberListEntry, SegmentSize
from members.queries_segments import DaySize, find_members, overlap, segment_audience, sizes
from members.services.derived import bring_up_to_date
from members.services.segments import (
    ListInUse,
    ListNameTaken,
    TooManyKeys,
    delete_list,
    lists,
    refresh,
    save_list,
    save_segment,
    set_picks,
)
from members.tests.factories import make_member
from members.tests.test_segments_refresh import EVERYBODY, built, city, held

pytestmark = pytest.mark.django_db


def test_picks_are_obeyed_and_a_never_in_at_once(at):
    one, two, three = (make_member(city="Berlin") for _ in range(3))
    outsider = make_member(city="Paris")
    segment = built(city("Berlin"), at)
    bring_up_to_date(at=at)
    assert set_picks(segment_id=segment.pk, member_ids=[one.pk], include=False, at=at) == 1
    assert one not in segment_audience(segment.pk, at=at)
    assert one.pk in held(segment)
    assert set_picks(segment_id=segment.pk, member_ids=[outsider.pk, two.pk], include=True, at=at) == 2
    assert set_picks(segment_id=segment.pk, member_ids=[outsider.pk], include=True, at=at) == 0
    bring_up_to_date(at=at)
    assert held(segment) == {outsider.pk, two.pk, three.pk}
    refresh(segment_id=segment.pk, at=at)
    assert held(segment) == {outsider.pk, two.pk, three.pk}
    assert set_picks(segment_id=segment.pk, member_ids=[one.pk, outsider.pk], include=None, at=at) == 2
    bring_up_to_date(at=at)
    assert held(segment) == {one.pk, two.pk, three.pk}


def test_who_is_gone_is_out_and_nothing_fails(at):
    stays, goes = make_member(city="Berlin"), make_member(city="Berlin")
    segment = built(city("Berlin"), at)
    set_picks(segment_id=segment.pk, member_ids=[goes.pk], include=True, at=at)
    Member.objects.filter(pk=goes.pk).update(erased_at=at, email="", phone="")
    assert list(segment_audience(segment.pk, at=at)) == [stays]
    bring_up_to_date(at=at)
    assert held(segment) == {stays.pk}
    assert set_picks(segment_id=segment.pk, member_ids=[goes.pk], include=True, at=at) == 0


def test_sizes_over_time_and_overlap(at):
    one, two = make_member(city="Berlin"), make_member(city="Berlin")
    make_member(city="Paris")
    segment = built(city("Berlin"), at)
    all_of_them = built(EVERYBODY, at, "All")
    Member.objects.filter(pk=one.pk).update(city="Rome")
    day = at.date()
    refresh(segment_id=segment.pk, at=at + timedelta(days=2))
    assert sizes(segment.pk, days=30, at=at + timedelta(days=3)) == [
        DaySize(day, 2, 2, 0),
        DaySize(day + timedelta(days=1), 2, 0, 0),
        DaySize(day + timedelta(days=2), 1, 0, 1),
        DaySize(day + timedelta(days=3), 1, 0, 0),
    ]
    assert sizes(segment.pk, days=1, at=at + timedelta(days=9)) == [DaySize(day + timedelta(days=9), 1, 0, 0)]
    assert SegmentSize.objects.filter(segment=segment).count() == 2
    assert overlap(segment.pk, all_of_them.pk) == (0, 1, 2)
    assert overlap(all_of_them.pk, segment.pk) == (2, 1, 0)
    assert two.pk in held(segment)


def test_members_are_found_by_whatever_key_is_given(at, settings):
    one = make_member(email="Ann@Example.com", phone="+4917612345678")
    two = make_member()
    two.identities.create(system="shop", value="K-77")
    one.identities.create(system="shop", value="twice")
    two.identities.create(system="till", value="twice")
    gone = make_member()
    old_card = gone.card_number
    Member.objects.filter(pk=gone.pk).update(merged_into=two, email="", phone="")
    settings.PHONENUMBER_DEFAULT_REGION = "DE"
    keys = [
        " ann@example.COM ",
        one.card_number_grouped,
        "0176 12345678",
        "K-77",
        old_card,
        "nobody",
        "twice",
        "",
        "\0",
    ]
    assert find_members(keys) == ([one.pk, two.pk], ["nobody"], ["twice"])
    assert find_members([]) == ([], [], [])


def on(saved) -> set[int]:
    return set(MemberListEntry.objects.filter(list=saved.list).values_list("member", flat=True))


def test_a_list_says_whom_it_found_and_segments_follow_it(at):
    one, two, three = (make_member() for _ in range(3))
    saved = save_list(name="Guests", keys=[one.card_number, two.email, "nobody", one.email], at=at)
    assert (saved.members, saved.unknown, saved.ambiguous) == (2, ["nobody"], [])
    segment = built({"trait": "list", "op": "any_of", "value": [saved.list.pk]}, at)
    assert held(segment) == {one.pk, two.pk}
    bring_up_to_date(at=at)
    again = save_list(list_id=saved.list.pk, name="Guests of May", keys=[two.email, three.email], at=at)
    assert (again.list.pk, again.list.name, on(again)) == (saved.list.pk, "Guests of May", {two.pk, three.pk})
    assert bring_up_to_date(at=at) == 2  # who came and who went; not who stayed
    assert held(segment) == {two.pk, three.pk}


def test_a_list_that_a_segment_asks_for_stays(at):
    saved = save_list(name="Guests", keys=[], at=at)
    definition = {"all": [{"not": {"trait": "list", "op": "any_of", "value": [saved.list.pk]}}]}
    segment = built(definition, at, "No guests")
    with pytest.raises(ListInUse) as refused:
        delete_list(list_id=saved.list.pk)
    assert refused.value.args[0] == ["No guests"]
    save_segment(segment_id=segment.pk, names={"en": "All"}, definition=EVERYBODY, at=at)
    delete_list(list_id=saved.list.pk)
    assert not MemberListEntry.objects.exists()


def test_lists_have_names_of_their_own_and_an_end(at, monkeypatch):
    save_list(name="Guests", keys=[], at=at)
    other = save_list(name="Others", keys=[], at=at)
    for list_id in (None, other.list.pk):
        with pytest.raises(ListNameTaken):
            save_list(list_id=list_id, name=" Guests ", keys=[], at=at)
    monkeypatch.setattr(lists, "MOST_KEYS", 2)
    with pytest.raises(TooManyKeys):
        save_list(name="Long", keys=["1", "2", "3"], at=at)

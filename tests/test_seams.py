"""Where the parts of the product meet: what one of them does while another is in its middle, or right after it."""

from datetime import timedelta
from threading import Thread

import pytest
from django.db import connection, transaction

from common.sql import lock
from members.events import describe
from members.models import ChangedMember, Guardian, Member, Segment, SegmentMember, TimelineEvent
from members.privacy import erasers
from members.services.derived import bring_up_to_date
from members.services.erasure import erase_member, sweep_again
from members.services.merging import merge_members, undo_merge
from members.services.segments import refresh, save_segment
from members.services.segments.membership import make_equal
from members.services.summaries import DERIVED
from members.tests.factories import make_member
from tests.customer_files import bring_in, take_back

pytestmark = pytest.mark.django_db


def everybody(at) -> Segment:
    segment = save_segment(names={"en": "Everybody"}, definition={"all": []}, at=at)
    refresh(segment_id=segment.pk, at=at)
    return segment


def held(segment: Segment) -> tuple[set[int], int]:
    """Who is in, and how many it says there are."""
    segment.refresh_from_db()
    return set(SegmentMember.objects.filter(segment=segment).values_list("member", flat=True)), segment.size


def settle(at) -> None:
    while bring_up_to_date(at=at):
        pass


def test_a_timeline_tells_what_a_file_changed(at):
    make_member(email="a@example.com")
    bring_in("email,name,birthday,tags,customer number\na@example.com,Ada,1985-12-10,vip,C-1\n", key="email")
    event = TimelineEvent.objects.get(kind="member.profile_changed")
    assert describe(event) == "Profile changed: birthday, customer number, name, tags"
    event.data = {"fields": ["milk", "attributes.milk", "email"]}
    assert describe(event) == "Profile changed: milk, milk, e-mail"


def test_a_segment_says_how_many_are_left_when_two_became_one(at):
    anna, double = make_member(), make_member()
    segment = everybody(at)
    done = merge_members(survivor_id=anna.pk, merged_id=double.pk, at=at)
    assert held(segment) == ({anna.pk}, 1)
    settle(at)
    assert held(segment) == ({anna.pk}, 1)
    undo_merge(merge_id=done.merge_id, at=at)
    settle(at)
    assert held(segment) == ({anna.pk, double.pk}, 2)


def test_a_segment_says_how_many_are_left_when_an_import_was_taken_back(at):
    anna = make_member()
    done = bring_in("email,name\nnew@example.com,New\n", key="email")
    segment = everybody(at)
    assert held(segment)[1] == 2
    take_back(done)
    assert held(segment) == ({anna.pk}, 1)
    settle(at)
    assert held(segment) == ({anna.pk}, 1)


def test_a_guardian_goes_along_with_a_merged_child_and_back(at):
    anna, double = make_member(), make_member()
    Guardian.objects.create(member=double, name="Berta", evidence="form 7", at=at)
    done = merge_members(survivor_id=anna.pk, merged_id=double.pk, at=at)
    assert Guardian.objects.get().member == anna
    undo_merge(merge_id=done.merge_id, at=at)
    assert Guardian.objects.get().member == double


@pytest.mark.django_db(transaction=True)
def test_a_refresh_in_its_middle_does_not_keep_who_is_erased_meanwhile(at):
    anna, berta = make_member(), make_member()
    segment = save_segment(names={"en": "Everybody"}, definition={"all": []}, at=at)
    refresh(segment_id=segment.pk, at=at)
    settle(at)
    SegmentMember.objects.all().delete()
    Segment.objects.update(size=0)

    def erase() -> None:
        erase_member(member_id=anna.pk, at=at)
        connection.close()

    with transaction.atomic():
        lock(DERIVED)
        segment.refresh_from_db()
        difference = make_equal(segment, at=at)  # both come in, and nobody else sees it yet
        assert difference.entered == 2
        erasing = Thread(target=erase)
        erasing.start()
        erasing.join()
        Segment.objects.filter(pk=segment.pk).update(size=difference.selected)
    assert Member.objects.get(pk=anna.pk).erased_at == at
    assert anna.pk in held(segment)[0]
    settle(at)
    assert held(segment) == ({berta.pk}, 1)


@pytest.mark.django_db(transaction=True)
def test_sweeping_looks_at_nobody_s_new_card_number_and_wakes_nothing(at, monkeypatch):
    for _ in range(3):
        erase_member(member_id=make_member().pk, at=at)
    settle(at)
    searched = []
    monkeypatch.setattr("members.services.erasure.remove_files", searched.append)
    monkeypatch.setattr("members.services.erasure.SWEPT_AT_ONCE", 2)
    assert sweep_again(at=at + timedelta(hours=1)) == 3
    assert (searched, ChangedMember.objects.count()) == ([], 0)
    assert erasers()

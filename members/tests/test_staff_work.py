"""Tags, notes, tasks and households: what staff do with members."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError

from members.models import Household, Member, MemberTag, Note, Tag, Task, TimelineEvent, User
from members.services.households import OtherHousehold, leave_household, rename_household, share_household
from members.services.notes import NotYours, add_note, edit_note, pin_note, remove_note
from members.services.tags import add_tag, remove_tag, save_tag
from members.services.tasks import add_task, edit_task, finish_task, reopen_task
from members.tests.factories import make_member


@pytest.fixture
def clerk(db) -> User:
    return User.objects.create_user("clerk@example.com", is_staff=True)


def told(kind: str) -> list[tuple[int, dict]]:
    return list(TimelineEvent.objects.filter(kind=kind).order_by("id").values_list("member_id", "data"))


# --- Tags -----------------------------------------------------------------------------------------------------------
def test_a_tag_is_pinned_once_whatever_its_case(clerk, at):
    anna, mei, gone = make_member(), make_member(), make_member()
    Member.objects.filter(pk=gone.pk).update(email="", merged_into=anna)
    tag, new = add_tag(member_ids=[anna.pk, mei.pk, gone.pk], name=" VIP  guest ", at=at, actor_id=clerk.pk)
    assert (tag.name, new) == ("VIP guest", 2)
    again, new = add_tag(member_ids=[anna.pk], name="vip GUEST", at=at)
    assert (again, new, Tag.objects.count()) == (tag, 0, 1)
    assert told("tag.added") == [(pk, {"tag": tag.pk, "name": "VIP guest"}) for pk in (anna.pk, mei.pk)]
    assert remove_tag(member_ids=[anna.pk, gone.pk], tag_id=tag.pk, at=at) == 1
    assert list(MemberTag.objects.values_list("member", "actor")) == [(mei.pk, clerk.pk)]
    assert [pk for pk, _data in told("tag.removed")] == [anna.pk]


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\0b"])
def test_a_tag_that_cannot_be(db, at, name):
    with pytest.raises(ValidationError):
        add_tag(member_ids=[make_member().pk], name=name, at=at)
    assert not Tag.objects.exists()


def test_a_tag_is_renamed_but_not_into_another(db):
    vip, press = save_tag(name="VIP"), save_tag(name="Press")
    assert save_tag(tag_id=vip.pk, name="Guest of honour").pk == vip.pk
    with pytest.raises(ValidationError) as refused:
        save_tag(tag_id=vip.pk, name="PRESS")
    assert list(refused.value.message_dict) == ["name"]
    assert set(Tag.objects.values_list("name", flat=True)) == {"Guest of honour", press.name}


# --- Notes ----------------------------------------------------------------------------------------------------------
def test_only_its_author_changes_a_note_and_its_words_are_not_in_the_timeline(clerk, at):
    member, other = make_member(), User.objects.create_user("other@example.com", is_staff=True)
    note = add_note(member_id=member.pk, text=" Likes the window seat ", at=at, actor_id=clerk.pk)
    assert note.text == "Likes the window seat"
    for act in (
        lambda: edit_note(note_id=note.pk, text="x", at=at, actor_id=other.pk),
        lambda: remove_note(note_id=note.pk, at=at, actor_id=other.pk),
    ):
        with pytest.raises(NotYours):
            act()
    edit_note(note_id=note.pk, text="Likes the corner seat", at=at, actor_id=clerk.pk)
    pin_note(note_id=note.pk, pinned=True)
    note.refresh_from_db()
    assert (note.text, note.pinned, note.edited_at) == ("Likes the corner seat", True, at)
    remove_note(note_id=note.pk, at=at, actor_id=clerk.pk)
    assert Note.objects.get().removed_at == at
    with pytest.raises(Note.DoesNotExist):
        edit_note(note_id=note.pk, text="x", at=at, actor_id=clerk.pk)
    assert told("note.added") == told("note.removed") == [(member.pk, {"note": note.pk})]


@pytest.mark.parametrize("text", ["", " \n", "x" * 4001, "\0"])
def test_a_note_that_cannot_be(clerk, at, text):
    with pytest.raises(ValidationError):
        add_note(member_id=make_member().pk, text=text, at=at, actor_id=clerk.pk)
    assert not Note.objects.exists()


# --- Tasks ----------------------------------------------------------------------------------------------------------
def test_a_task_is_done_once_with_its_outcome_and_can_be_opened_again(clerk, at):
    member = make_member()
    task = add_task(
        member_id=member.pk, title=" Call  back ", due_on=date(2026, 5, 14), assignee_id=clerk.pk, at=at, actor_id=None
    )
    assert task.title == "Call back"
    edit_task(task_id=task.pk, title="Call at noon", details="", due_on=None, assignee_id=None)
    finish_task(task_id=task.pk, outcome="Will come on Friday", at=at, actor_id=clerk.pk)
    again = finish_task(task_id=task.pk, outcome="Never mind", at=at + timedelta(hours=1), actor_id=clerk.pk)
    assert (again.outcome, again.done_at, again.done_by, again.title) == (
        "Will come on Friday", at, clerk, "Call at noon",
    )  # fmt: skip
    assert told("task.done") == [(member.pk, {"task": task.pk})]
    assert reopen_task(task_id=task.pk).done_at is None


def test_a_task_is_for_staff_only(clerk, at):
    stranger = User.objects.create_user("member@example.com")
    for wrong, field in (({"assignee_id": stranger.pk}, "assignee"), ({"title": " "}, "title")):
        with pytest.raises(ValidationError) as refused:
            add_task(**{"member_id": make_member().pk, "title": "Call", "at": at, "actor_id": clerk.pk, **wrong})
        assert list(refused.value.message_dict) == [field]
    assert not Task.objects.exists()


# --- Households -----------------------------------------------------------------------------------------------------
def test_a_household_grows_and_ends_with_its_second_last_member(clerk, at):
    anna, paul, lea = make_member(name="Anna Becker"), make_member(), make_member()
    home = share_household(member_id=anna.pk, with_member_id=paul.pk, at=at, actor_id=clerk.pk)
    assert home.name == "Anna Becker"
    assert share_household(member_id=lea.pk, with_member_id=paul.pk, at=at) == home
    share_household(member_id=lea.pk, with_member_id=anna.pk, at=at)  # they do already
    assert [pk for pk, _data in told("household.joined")] == [anna.pk, paul.pk, lea.pk]
    assert rename_household(household_id=home.pk, name="The Beckers").name == "The Beckers"
    leave_household(member_id=anna.pk, at=at)
    assert set(home.members.all()) == {paul, lea}
    leave_household(member_id=lea.pk, at=at)
    leave_household(member_id=lea.pk, at=at)
    assert not Household.objects.exists()
    assert not Member.objects.exclude(household=None).exists()
    assert sorted(pk for pk, _data in told("household.left")) == sorted([anna.pk, lea.pk, paul.pk])


def test_nobody_is_moved_out_of_a_household_unasked(db, at):
    anna, paul, mei, li = (make_member() for _n in range(4))
    share_household(member_id=anna.pk, with_member_id=paul.pk, at=at)
    theirs = share_household(member_id=mei.pk, with_member_id=li.pk, at=at, name="Li")
    with pytest.raises(OtherHousehold) as refused:
        share_household(member_id=anna.pk, with_member_id=mei.pk, at=at)
    assert refused.value.household == theirs
    for pair in ((anna.pk, anna.pk), (anna.pk, 0)):
        with pytest.raises(ValidationError):
            share_household(member_id=pair[0], with_member_id=pair[1], at=at)

"""Two members become one, and two again: what moves, what stays, and points that are never lost or made."""

from datetime import timedelta

import pytest

from members.enums import Channel, Purpose
from members.models import (
    Duplicate,
    Household,
    Member,
    MemberMerge,
    MemberTag,
    Note,
    Purchase,
    Segment,
    SegmentPick,
    Tag,
    TimelineEvent,
    User,
)
from members.queries import find_member, has_consented, search
from members.services.consent import state_consent
from members.services.identities import add_identity, make_primary
from members.services.merging import CannotMerge, CannotUndo, gather_latecomers, merge_members, undo_merge
from members.services.profile import link_account, update_profile
from members.services.purchases import KeyReused, record_purchases
from members.tests.factories import make_member, new_purchase
from rewards import queries
from rewards.models import Hold, Lot, MemberTier, Transfer
from rewards.services.gifts import Gift, give_points
from rewards.services.holds import cancel, confirm, lapse_due, reserve
from rewards.services.purchases import post_purchases, refund_purchase
from rewards.services.verify import verify
from rewards.tests.factories import adjust, event_data, make_rule, make_tiers, post

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _programme():
    make_rule()
    make_tiers()


def merge(survivor, merged, at, **values):
    return merge_members(survivor_id=survivor.pk, merged_id=merged.pk, at=at, **values)


def undo(done, at):
    return undo_merge(merge_id=done.merge_id, at=at)


def sound():
    assert [(str(r.check), r.difference) for r in verify() if r.difference] == []


def points(member, at):
    return queries.balance(member.pk, at)


def reserve_for(member, amount, at, key):
    return reserve(member_id=member.pk, amount=amount, key=key, at=at, lapses_at=at + HOUR)


def test_points_follow_lot_by_lot_with_their_times_and_the_tier_is_that_of_both(at):
    anna, double = make_member(), make_member()
    post(anna, at, amount_minor=30_000, purchased_at=at)
    post(double, at, amount_minor=25_000, purchased_at=at - DAY)
    give_points(gifts=[Gift(double.pk, 40, "g", expires_at=at + DAY)], at=at)
    old = set(Lot.objects.filter(account__member=double).values_list("remaining", "available_from", "expires_at"))
    done = merge(anna, double, at)
    assert points(anna, at) == 590
    assert points(double, at) == 0
    new = Lot.objects.filter(account__member=anna, transfer__kind="merge")
    assert set(new.values_list("remaining", "available_from", "expires_at")) == old
    assert MemberTier.objects.get(member=anna).tier.rank == 1  # neither had come so far alone
    assert MemberTier.objects.get(member=anna).qualifying_points == 550
    assert not MemberTier.objects.filter(member=double).exists()
    assert sorted(t.change for t in queries.history(anna.pk)) == [40, 250, 300]  # not the way between the wallets
    assert event_data(anna, "member.merged") == [{"merge": done.merge_id, "card": double.card_number}]
    sound()
    undo(done, at + HOUR)
    assert (points(anna, at), points(double, at)) == (300, 290)
    assert (
        set(Lot.objects.filter(account__member=double).values_list("remaining", "available_from", "expires_at")) == old
    )
    assert [MemberTier.objects.get(member=m).tier.rank for m in (anna, double)] == [0, 0]
    assert sum(t.change for t in queries.history(double.pk)) == 290
    sound()


def test_whatever_hung_on_the_merged_one_follows_and_comes_back(at):
    anna, double = make_member(phone="+4930901820"), make_member(phone="+4930901821", city="Berlin")
    tags = [Tag.objects.create(name=name) for name in ("both", "theirs")]
    for member, tag in ((anna, tags[0]), (double, tags[0]), (double, tags[1])):
        MemberTag.objects.create(member=member, tag=tag, at=at)
    segment = Segment.objects.create(name_en="S", definition={"all": []})
    for member, include in ((anna, True), (double, False)):
        SegmentPick.objects.create(segment=segment, member=member, include=include, at=at)
    note = Note.objects.create(member=double, text="likes oat milk", at=at)
    bought = post(double, at)
    add_identity(member_id=double.pk, system="shop", value="K-9", at=at)
    offers = {"channel": Channel.EMAIL, "purpose": Purpose.OFFERS, "source": "till"}
    state_consent(member_id=anna.pk, granted=True, at=at - DAY, **offers)
    state_consent(member_id=double.pk, granted=True, at=at - 2 * DAY, **offers)
    state_consent(member_id=double.pk, granted=False, at=at, **offers)
    Duplicate.objects.create(first=anna, second=double, score=80, found_at=at)
    before = set(TimelineEvent.objects.filter(member=double).values_list("id", flat=True))

    done = merge(anna, double, at)
    assert done.moved["members.TimelineEvent.member"] == len(before)
    assert done.dropped == {"members.MemberTag.member": 1, "members.SegmentPick.member": 1}
    assert set(anna.tags.values_list("tag__name", flat=True)) == {"both", "theirs"}
    assert SegmentPick.objects.get(segment=segment).include is True
    assert Purchase.objects.get(pk=bought.id).member == Note.objects.get(pk=note.pk).member == anna
    assert not has_consented(member_id=anna.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS)  # the later word
    assert Duplicate.objects.get().state == "merged"
    for way in (
        {"card": double.card_number},
        {"email": double.email},
        {"phone": "+4930901821"},
        {"identity": ("shop", "K-9")},
    ):
        assert find_member(**way) == anna, way
    for text in (double.card_number, double.email, "+4930901821"):
        assert list(search(text)) == [anna]
    gone = Member.objects.get(pk=double.pk)
    assert (gone.email, gone.phone, gone.merged_into) == ("", "", anna)
    sound()

    post(anna, at, key="since")
    undo(done, at + HOUR)
    back = Member.objects.get(pk=double.pk)
    assert (back.email, back.phone, back.city, back.merged_into) == (double.email, double.phone, "Berlin", None)
    assert set(back.tags.values_list("tag__name", flat=True)) == {"both", "theirs"}
    assert set(anna.tags.values_list("tag__name", flat=True)) == {"both"}
    assert dict(SegmentPick.objects.values_list("member", "include")) == {anna.pk: True, double.pk: False}
    assert Purchase.objects.get(pk=bought.id).member == Note.objects.get(pk=note.pk).member == double
    assert Purchase.objects.get(key="since").member == anna
    assert has_consented(member_id=anna.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS)
    assert not has_consented(member_id=double.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS)
    assert before <= set(TimelineEvent.objects.filter(member=double).values_list("id", flat=True))
    assert not anna.identities.exists()
    assert [find_member(card=m.card_number) for m in (anna, double)] == [anna, double]
    assert Duplicate.objects.get().state == "dismissed"
    sound()


def test_values_are_taken_field_by_field_and_given_back_unless_changed_since(at):
    anna = make_member(name="Anna", email="anna@example.com", birthday_month=5, birthday_day=1)
    double = make_member(name="A. Becker", email="becker@example.com", city="Berlin", phone="+4930901821")
    Member.objects.filter(pk=anna.pk).update(attributes={"milk": "oat"}, joined_at=at)
    Member.objects.filter(pk=double.pk).update(attributes={"milk": "soy", "size": "L"}, personalised=False)
    household = Household.objects.create(name="Becker")
    Member.objects.filter(pk=double.pk).update(household=household)
    done = merge(anna, double, at, take={"email", "attributes.milk"})
    one = Member.objects.get(pk=anna.pk)
    assert (one.name, one.email, str(one.phone), one.city) == ("Anna", "becker@example.com", "+4930901821", "Berlin")
    assert (one.attributes, one.household, one.personalised) == ({"milk": "soy", "size": "L"}, household, False)
    assert (one.birthday_month, one.joined_at) == (5, double.joined_at)
    assert find_member(email="anna@example.com") == one
    update_profile(member_id=anna.pk, changes={"city": "Wien"}, at=at)
    undo(done, at)
    one, two = Member.objects.get(pk=anna.pk), Member.objects.get(pk=double.pk)
    assert (one.email, str(one.phone), one.city, one.attributes) == ("anna@example.com", "", "Wien", {"milk": "oat"})
    assert (two.name, two.email, str(two.phone), two.city) == (
        "A. Becker",
        "becker@example.com",
        "+4930901821",
        "Berlin",
    )
    assert (one.household, two.household, one.personalised, two.personalised) == (None, household, True, False)
    assert one.joined_at == at
    with pytest.raises(ValueError, match="shoe"):
        merge(anna, double, at, take={"shoe"})


def test_an_address_made_the_first_one_since_goes_back_and_one_taken_since_does_not(at):
    anna, double = make_member(email="anna@example.com"), make_member(email="double@example.com", phone="+4930901821")
    done = merge(anna, double, at)
    make_primary(identity_id=anna.identities.get(value="double@example.com").pk, at=at)
    anna.identities.filter(system="phone").delete()
    update_profile(member_id=anna.pk, changes={"phone": ""}, at=at)
    update_profile(member_id=(other := make_member()).pk, changes={"phone": "+4930901821"}, at=at)
    undone = undo(done, at)
    one, two = Member.objects.get(pk=anna.pk), Member.objects.get(pk=double.pk)
    assert (one.email, two.email, two.phone) == ("anna@example.com", "double@example.com", "")
    assert not one.identities.exists()
    assert Member.objects.get(pk=other.pk).phone == "+4930901821"
    assert undone.remarks == ["An address or phone could not go back: another member has it now."]


@pytest.mark.parametrize("take", [set(), {"account"}])
def test_of_two_portal_accounts_one_stays_and_both_come_back(at, take):
    anna, double = make_member(), make_member()
    users = [User.objects.create_user(f"{n}@portal.example") for n in range(2)]
    for member, user in zip((anna, double), users, strict=True):
        link_account(member_id=member.pk, user=user, at=at)
    done = merge(anna, double, at, take=take)
    assert Member.objects.get(pk=anna.pk).user == users[1 if take else 0]
    assert Member.objects.filter(user__isnull=False).count() == 1
    assert "Both had a portal account" in done.remarks[0]
    undo(done, at)
    assert [Member.objects.get(pk=m.pk).user for m in (anna, double)] == users
    merge(double, anna, at)


def test_a_hold_of_the_merged_one_is_settled_for_who_they_are_now(at):
    anna, double = make_member(), make_member()
    adjust(double, 100, at)
    for key, amount in (("spend", 10), ("back", 20), ("lapse", 30)):
        reserve_for(double, amount, at, key)
    done = merge(anna, double, at)
    assert points(anna, at) == 40
    assert reserve_for(anna, 10, at, "spend").key == "spend"  # told again with the card of old
    confirm(key="spend", at=at)
    assert event_data(anna, "points.redeemed") == [{"points": 10, "reason": ""}]
    cancel(key="back", at=at)
    assert lapse_due(at=at + HOUR) == 1
    assert (points(anna, at), points(double, at)) == (90, 0)
    sound()
    undo(done, at + HOUR)
    assert (points(anna, at), points(double, at)) == (0, 90)
    sound()


def test_a_refund_of_a_moved_purchase_takes_back_from_the_survivor(at):
    anna, double = make_member(), make_member()
    post(anna, at, amount_minor=10_000, purchased_at=at - DAY)
    bought = post(double, at, amount_minor=5_000, purchased_at=at)
    done = merge(anna, double, at)
    refund = {"purchase_id": bought.id, "source": "till", "at": at}
    assert refund_purchase(key="r", amount_minor=2_000, **refund).points_taken == 20
    assert points(anna, at) == 130
    assert Lot.objects.get(transfer__kind="merge").remaining == 30  # its own points, though others expire sooner
    assert MemberTier.objects.get(member=anna).qualifying_points == 130
    sound()
    undo(done, at)
    assert (points(anna, at), points(double, at)) == (100, 30)
    assert MemberTier.objects.get(member=double).qualifying_points == 30
    again = refund_purchase(key="r", amount_minor=2_000, **refund)  # its event stayed with the survivor
    assert (again.is_new, again.points_taken) == (False, 20)
    assert refund_purchase(key="rest", amount_minor=3_000, **refund).points_taken == 30
    assert points(double, at) == 0
    sound()


def test_a_refund_waits_for_the_hold_that_a_merged_member_made(at):
    anna, double = make_member(), make_member()
    bought = post(double, at, amount_minor=5_000, purchased_at=at)
    done = merge(anna, double, at)
    reserve_for(anna, 50, at, "h")
    result = refund_purchase(purchase_id=bought.id, source="till", key="r", amount_minor=5_000, at=at)
    assert (result.points_taken, result.points_short) == (0, 50)
    cancel(key="h", at=at)
    assert points(anna, at) == 0
    sound()
    undo(done, at)
    assert (points(anna, at), points(double, at)) == (0, 0)
    sound()


def test_what_was_spent_comes_out_of_what_is_left_and_the_rest_is_said(at):
    anna, double = make_member(), make_member()
    adjust(anna, 30, at, key="a")
    adjust(double, 50, at, key="d", expires_at=at + DAY)
    done = merge(anna, double, at)
    adjust(anna, -60, at, key="spent")  # the 50 that expire, and 10 of her own
    undone = undo(done, at)
    assert (points(anna, at), points(double, at)) == (0, 20)
    assert undone.remarks == ["30 points could not go back: they have been spent."]
    assert Lot.objects.get(account__member=double).expires_at == at + DAY
    sound()


def test_what_has_expired_since_is_nobodys_and_not_asked_for(at):
    anna, double = make_member(), make_member()
    adjust(double, 50, at, key="d", expires_at=at + DAY)
    adjust(double, 5, at, key="stay")
    done = merge(anna, double, at)
    undone = undo(done, at + 2 * DAY)
    assert undone.remarks == []
    assert (points(anna, at + 2 * DAY), points(double, at + 2 * DAY)) == (0, 5)
    sound()


def test_a_chain_is_undone_from_its_end(at):
    a, b, c = make_member(), make_member(), make_member()
    for n, member in enumerate((a, b, c), 1):
        adjust(member, 10 * n, at, key=f"k{n}")
        post(member, at, amount_minor=1000 * n, purchased_at=at)
    reserve_for(c, 5, at, "h")
    first = merge(b, c, at)
    second = merge(a, b, at)
    assert Member.objects.get(pk=c.pk).merged_into == a
    assert find_member(card=c.card_number) == a
    assert points(a, at) == 120 - 5
    assert sum(t.change for t in queries.history(a.pk)) == 115
    assert MemberTier.objects.get().qualifying_points == 60
    with pytest.raises(CannotUndo) as refused:
        undo(first, at)
    assert refused.value.code == "survivor_merged"
    cancel(key="h", at=at)
    assert points(a, at) == 120
    sound()
    undo(second, at)
    assert Member.objects.get(pk=c.pk).merged_into == b
    assert [points(m, at) for m in (a, b, c)] == [20, 100, 0]
    sound()
    undo(first, at)
    assert [points(m, at) for m in (a, b, c)] == [20, 40, 60]
    sound()
    for _ in range(2):  # and all over again
        undo(merge(a, c, at), at)
        assert [points(m, at) for m in (a, b, c)] == [20, 40, 60]
    sound()


def test_two_merged_into_one_are_undone_in_any_order(at):
    a, b, c = make_member(), make_member(), make_member()
    for n, member in enumerate((a, b, c), 1):
        adjust(member, 10 * n, at, key=f"k{n}")
    first, second = merge(a, b, at), merge(a, c, at)
    undo(first, at)
    assert [points(m, at) for m in (a, b, c)] == [40, 20, 0]
    undo(second, at)
    assert [points(m, at) for m in (a, b, c)] == [10, 20, 30]
    sound()


def test_who_cannot_be_merged_is_told(at):
    a, b, c = make_member(), make_member(), make_member()
    for survivor, merged, code in ((a.pk, a.pk, "same"), (a.pk, 0, "unknown")):
        with pytest.raises(CannotMerge) as refused:
            merge_members(survivor_id=survivor, merged_id=merged, at=at)
        assert refused.value.code == code
    done = merge(a, b, at)
    assert merge(a, b, at).merge_id == done.merge_id  # a double click
    for survivor, merged in ((b, c), (c, b), (b, a)):
        with pytest.raises(CannotMerge) as refused:
            merge(survivor, merged, at)
        assert refused.value.code == "merged"
    undo(done, at)
    with pytest.raises(CannotUndo) as again:
        undo(done, at)
    assert again.value.code == "undone"
    Member.objects.filter(pk=b.pk).update(erased_at=at, email="", phone="")
    with pytest.raises(CannotMerge) as refused:
        merge(a, b, at)
    assert refused.value.code == "erased"
    assert MemberMerge.objects.count() == 1
    sound()


def test_a_purchase_told_again_by_the_card_of_old_is_known(at):
    anna, double = make_member(), make_member()
    told = new_purchase(double, key="receipt", purchased_at=at)
    posted = post_purchases(purchases=[told], at=at)[0]
    done = merge(anna, double, at)
    now = find_member(card=double.card_number)
    again = new_purchase(now, key="receipt", purchased_at=at)
    assert post_purchases(purchases=[again], at=at)[0].id == posted.id
    since = post_purchases(purchases=[new_purchase(now, key="since", purchased_at=at)], at=at)[0]
    undo(done, at)
    assert post_purchases(purchases=[told], at=at)[0].id == posted.id
    assert post_purchases(purchases=[new_purchase(double, key="since", purchased_at=at)], at=at)[0].id == since.id
    with pytest.raises(KeyReused):
        post_purchases(purchases=[new_purchase(make_member(), key="receipt", purchased_at=at)], at=at)


def test_who_still_knew_the_old_member_reaches_the_new_one(at):
    """A till that looked the member up before the merge and posts after it; a worker that only records."""
    anna, double = make_member(), make_member()
    done = merge(anna, double, at)
    assert post(double, at).points == 10
    assert Purchase.objects.get().member == anna
    assert points(anna, at) == 10
    late = record_purchases(purchases=[new_purchase(double, key="late")])[0]
    adjust(double, 7, at)
    assert gather_latecomers(at=at) == 3  # the purchase, its event, and that of the adjustment
    assert gather_latecomers(at=at) == 0
    assert Purchase.objects.get(pk=late.id).member == anna
    assert (points(anna, at), points(double, at)) == (17, 0)
    sound()
    undo(done, at)
    assert Purchase.objects.get(pk=late.id).member == double
    assert (points(anna, at), points(double, at)) == (10, 7)
    assert Hold.objects.count() == 0
    assert Transfer.objects.filter(kind="merge").count() == 2
    sound()

"""From a friend who comes to both thanked, and back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from members.models import Member, TimelineEvent
from members.services.erasure import erase_members
from members.services.merging import merge_members
from members.tests.factories import make_member
from referrals.definition import BadProgramme, parse
from referrals.enums import ReferralState, Refusal, Source, Verdict
from referrals.models import Programme, Referral, ThanksGiven
from referrals.queries import known, tree
from referrals.services.attribution import Came, NotReferred, attribute
from referrals.services.qualifying import NotOpen, ObjectedBefore, decide, object_to, refunded, settle_due
from referrals.tests.factories import AT, bring, buys, code_of, definition, live_programme, newcomer
from rewards.models import Transfer
from rewards.queries import balance
from rewards.services.refunds import refund_purchase
from rewards.tests.factories import adjust

pytestmark = pytest.mark.django_db
LATER = AT + timedelta(days=14)


@pytest.fixture
def giver():
    return make_member()


def gift_points(member: Member) -> int:
    """What the member has of gifts that stand."""
    given = Transfer.objects.filter(credit__member=member, kind="gift")
    return sum(one.amount for one in given) - sum(
        one.amount for one in Transfer.objects.filter(debit__member=member, kind="reverse", reverses__kind="gift")
    )


def give_back(purchase: int, minor: int, at=AT) -> None:
    refund_purchase(
        purchase_id=purchase, source="till", key=f"r{purchase}-{minor}", amount_minor=minor, at=at, reason="Broken"
    )
    friend = Member.objects.get(purchases=purchase)
    refunded(friend_ids=[friend.pk], at=at)


def test_both_are_thanked_once_the_friend_is_a_customer_and_the_hold_is_over(giver):
    live_programme()
    friend = newcomer()
    referral = bring(giver, friend)
    assert (referral.state, referral.channel) == (ReferralState.JOINED, "whatsapp")
    buys(friend, 1_999)
    referral.refresh_from_db()
    assert referral.state == ReferralState.JOINED
    buys(friend, 2_000)
    referral.refresh_from_db()
    assert referral.state == ReferralState.HELD
    assert referral.why["qualified"]["minor"] == 2_000
    assert settle_due(at=LATER - timedelta(minutes=1)) == 0
    assert (gift_points(giver), gift_points(friend)) == (0, 0)
    assert settle_due(at=LATER) == 1
    assert (gift_points(giver), gift_points(friend)) == (200, 100)
    assert settle_due(at=LATER + timedelta(days=99)) == 0
    told = TimelineEvent.objects.filter(kind__startswith="referral.")
    assert set(told.filter(member=giver).values_list("kind", flat=True)) == {
        "referral.joined", "referral.qualified", "referral.rewarded",
    }  # fmt: skip
    assert list(referral.steps.order_by("pk").values_list("state", flat=True)) == ["joined", "held", "rewarded"]


def test_what_points_and_discounts_paid_does_not_count_towards_the_least(giver):
    live_programme()
    friend = newcomer()
    referral = bring(giver, friend)
    buys(friend, 2_500, at=AT - timedelta(days=2))  # before they came
    referral.refresh_from_db()
    assert referral.state == ReferralState.JOINED


@pytest.mark.parametrize("when", ["held", "rewarded"])
def test_a_refund_takes_it_back_whenever_it_comes(giver, when):
    programme = live_programme(budget_minor=1_000)
    friend = newcomer()
    referral = bring(giver, friend)
    purchase = buys(friend, 2_500)
    if when == "rewarded":
        settle_due(at=LATER)
    programme.refresh_from_db()
    assert programme.spent_minor == 300
    give_back(purchase, 500)
    referral.refresh_from_db()
    assert referral.state == when  # 20.00 are still there
    give_back(purchase, 1)
    referral.refresh_from_db()
    assert referral.state == (ReferralState.REVERSED if when == "rewarded" else ReferralState.JOINED)
    assert (gift_points(giver), gift_points(friend)) == (0, 0)
    programme.refresh_from_db()
    assert programme.spent_minor == 0
    if when == "held":  # there is time for another
        buys(friend, 2_000)
        referral.refresh_from_db()
        assert referral.state == ReferralState.HELD


def test_what_was_spent_meanwhile_is_taken_as_far_as_it_goes(giver):
    live_programme(hold_days=0)
    friend = newcomer()
    bring(giver, friend)
    purchase = buys(friend, 2_500)
    settle_due(at=AT)
    before = balance(giver.pk, AT)
    adjust(giver, -150, AT)
    give_back(purchase, 2_500)
    assert before == 200
    assert balance(giver.pk, AT) == 0


def test_bringing_oneself_a_customer_or_somebody_of_others_is_refused(giver):
    live_programme()
    for friend, reason in (
        (giver, Refusal.SELF),
        (make_member(), Refusal.CUSTOMER),
        (newcomer(email="", phone=""), None),
    ):
        if reason is None:
            assert bring(giver, friend).friend_id == friend.pk
            with pytest.raises(NotReferred) as refused:
                bring(make_member(), friend)
            assert refused.value.reason == Refusal.TAKEN
            assert bring(giver, friend).pk == Referral.objects.get().pk  # told twice, noted once
            continue
        with pytest.raises(NotReferred) as refused:
            bring(giver, friend)
        assert refused.value.reason == reason


def test_a_mailbox_with_a_tag_is_the_same_person_and_a_like_name_is_not():
    live_programme()
    giver = make_member(name="Ann Lee", email="ann.lee@gmail.com")
    with pytest.raises(NotReferred) as refused:
        bring(giver, newcomer(email="annlee+2@gmail.com"))
    assert refused.value.reason == Refusal.SELF
    honest = newcomer(name="Ann Lees", email="ann.lees@web.example")
    bring(giver, honest)
    buys(honest)
    assert Referral.objects.get(friend=honest).state == ReferralState.HELD


def test_of_five_links_the_last_counts_and_a_code_that_is_said_goes_before(giver):
    live_programme()
    givers = [make_member() for _n in range(5)]
    links = [Came(code_of(one), Source.LINK, AT - timedelta(days=5 - n), "x") for n, one in enumerate(givers)]
    friend = newcomer()
    assert attribute(friend_id=friend.pk, came=links, at=AT).giver == givers[4]
    said = [*links, Came(code_of(givers[1]).lower(), Source.CODE, AT)]
    other = newcomer()
    assert attribute(friend_id=other.pk, came=said, at=AT).giver == givers[1]


def test_the_first_link_counts_where_the_programme_says_so():
    live_programme(touch="first")
    givers = [make_member(), make_member()]
    links = [Came(code_of(one), Source.LINK, AT - timedelta(days=2 - n)) for n, one in enumerate(givers)]
    assert attribute(friend_id=newcomer().pk, came=links, at=AT).giver == givers[0]


def test_who_joined_may_say_it_later_but_not_for_ever(giver):
    live_programme(claim_days=3)
    friend = newcomer(at=AT - timedelta(days=2))
    assert bring(giver, friend, source=Source.CLAIM).state == ReferralState.JOINED
    with pytest.raises(NotReferred) as refused:
        bring(giver, newcomer(at=AT - timedelta(days=4)), source=Source.CLAIM)
    assert refused.value.reason == Refusal.TOO_LATE


def test_two_cannot_have_brought_each_other_nor_a_chain_its_head(giver):
    live_programme(claim_days=30)
    second, third = newcomer(), newcomer()
    first = newcomer()
    bring(first, second)
    bring(second, third)
    for one in (second, third):
        with pytest.raises(NotReferred) as refused:
            bring(one, first, source=Source.CLAIM)
        assert refused.value.reason == Refusal.CIRCLE
    assert [(row[0], row[2], row[3]) for row in tree(first.pk)] == [(second.pk, 1, 1), (third.pk, 2, 0)]


def test_the_second_level_and_milestones_are_thanked_once(giver):
    live_programme(
        hold_days=0, second={"points": 10}, milestones=[{"friends": 2, "thanks": {"points": 1_000}}], claim_days=30
    )
    friends = [newcomer() for _n in range(3)]
    top = make_member()
    head = newcomer()
    bring(top, head)
    for friend in friends:
        bring(head, friend)
        buys(friend)
    settle_due(at=AT)
    assert gift_points(head) == 3 * 200 + 1_000
    assert gift_points(top) == 3 * 10


def test_above_the_limit_the_friend_is_thanked_all_the_same(giver):
    live_programme(hold_days=0, limits=[{"period": "month", "most": 1}])
    friends = [newcomer(), newcomer()]
    for friend in friends:
        bring(giver, friend)
        buys(friend)
    settle_due(at=AT)
    assert gift_points(giver) == 200
    assert [gift_points(friend) for friend in friends] == [100, 100]


def test_doubt_waits_for_a_person_whose_deadline_decides(giver):
    live_programme(review={"from": 50, "days": 7, "then": "refuse"})
    friend = newcomer(email="somebody@mailinator.com")
    referral = bring(giver, friend)
    buys(friend)
    referral.refresh_from_db()
    assert (referral.state, referral.score, referral.why["signals"]) == (ReferralState.REVIEW, 50, {"disposable": True})
    assert settle_due(at=AT + timedelta(days=6)) == 0
    assert settle_due(at=AT + timedelta(days=7)) == 1
    referral.refresh_from_db()
    assert referral.state == ReferralState.REFUSED
    assert Programme.objects.get().spent_minor == 0


def test_a_refusal_gives_its_reason_and_is_objected_to_once(giver, django_user_model):
    staff = django_user_model.objects.create_user(email="staff@example.com", password="x")
    live_programme()
    friend = newcomer(email="somebody@mailinator.com")
    referral = bring(giver, friend)
    buys(friend)
    with pytest.raises(ValueError, match="reason"):
        decide(referral_id=referral.pk, verdict=Verdict.REFUSE, reason=" ", at=AT, actor_id=staff.pk)
    decide(referral_id=referral.pk, verdict=Verdict.REFUSE, reason="No such person", at=AT, actor_id=staff.pk)
    with pytest.raises(Referral.DoesNotExist):
        object_to(referral_id=referral.pk, giver_id=friend.pk, text="Mine", at=AT)
    object_to(referral_id=referral.pk, giver_id=giver.pk, text="She is my aunt", at=AT)
    decide(referral_id=referral.pk, verdict=Verdict.APPROVE, reason="", at=AT, actor_id=staff.pk)
    with pytest.raises(NotOpen):
        decide(referral_id=referral.pk, verdict=Verdict.APPROVE, reason="", at=AT, actor_id=staff.pk)
    with pytest.raises(ObjectedBefore):
        object_to(referral_id=referral.pk, giver_id=giver.pk, text="Again", at=AT)
    settle_due(at=LATER)
    assert gift_points(giver) == 200


def test_a_giver_who_is_forgotten_gets_nothing_and_the_friend_does(giver):
    live_programme()
    friend = newcomer()
    bring(giver, friend)
    buys(friend)
    erase_members(member_ids=[giver.pk], at=AT, why="staff")
    settle_due(at=LATER)
    assert (gift_points(giver), gift_points(friend)) == (0, 100)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"giver": {}, "friend": {}}, "/giver"),
        ({"giver": {"points": -1}}, "/giver/points"),
        ({"giver": {"tier": 77}}, "/giver/tier"),
        ({"hold_days": "soon"}, "/hold_days"),
        ({"qualifies": {"by": "purchase", "least": "0.005"}}, "/qualifies/least"),
        ({"qualifies": {"by": "wish"}}, "/qualifies/by"),
        ({"qualifies": {"by": "event"}}, "/qualifies/event"),
        ({"milestones": [{"friends": 3, "thanks": {"points": 1}}] * 2}, "/milestones"),
        ({"texts": {}}, "/texts/headline/en"),
        ({"giver": {"points": 1, "gold": 1}}, "/giver/gold"),
    ],
)
def test_a_definition_names_the_place_of_each_problem(changes, path):
    with pytest.raises(BadProgramme) as bad:
        parse(definition(**changes), known())
    assert path in [problem.path for problem in bad.value.problems]


@pytest.mark.django_db(transaction=True)
def test_the_last_of_the_budget_is_not_raced_past(giver):
    programme = live_programme(budget_minor=1_000, hold_days=0)  # three of 3.00 each
    friends = [newcomer() for _n in range(12)]
    for friend in friends:
        bring(giver, friend)

    def shop(friend: Member) -> None:
        try:
            buys(friend)
            settle_due(at=AT)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(shop, friends))
    settle_due(at=AT + timedelta(hours=1))
    programme.refresh_from_db()
    assert programme.spent_minor == 900
    states = list(Referral.objects.values_list("state", flat=True))
    assert sorted(states) == ["lapsed"] * 9 + ["rewarded"] * 3
    assert gift_points(giver) == 600
    assert ThanksGiven.objects.count() == 6


def test_a_merged_giver_is_thanked_as_who_they_are_now(giver):
    live_programme()
    friend, other = newcomer(), make_member()
    bring(giver, friend)
    buys(friend)
    merge_members(survivor_id=other.pk, merged_id=giver.pk, at=AT)
    settle_due(at=LATER)
    assert gift_points(other) == 200

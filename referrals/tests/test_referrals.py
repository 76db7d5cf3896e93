"""From a friend who comes to both thanked, and back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from common.sql import execute
from members.models import Household, Member, TimelineEvent
from members.services.erasure import erase_members
from members.services.merging import merge_members
from members.services.reactions import run_due
from members.tests.factories import make_member
from members.tests.killed import kill_at_call, killed_in
from referrals.definition import BadProgramme, parse
from referrals.enums import BlockKind, ProgrammeState, ReferralState, Refusal, Source, Verdict
from referrals.fairness import MANY_A_DAY
from referrals.models import Programme, Referral, ThanksGiven
from referrals.queries import is_above, known, tree
from referrals.services.attribution import Came, NotReferred, attribute
from referrals.services.blocks import block
from referrals.services.programmes import move
from referrals.services.qualifying import NotOpen, ObjectedBefore, consider, decide, object_to, refunded, settle_due
from referrals.services.traces import note
from referrals.tests.factories import AT, bring, buys, code_of, definition, live_programme, newcomer
from rewards.enums import CouponState
from rewards.models import Coupon, Transfer
from rewards.queries import balance
from rewards.services.refunds import refund_purchase
from rewards.services.verify import verify
from rewards.tests.coupons import make_offer
from rewards.tests.factories import adjust, make_rule_of, post

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


def test_rules_may_give_the_giver_something_once_the_friend_counts(giver):
    rule = make_rule_of("Friend", {"effect": {"kind": "fixed", "points": 30}}, trigger="referral")
    live_programme()
    friend = newcomer()
    bring(giver, friend)
    buys(friend)
    run_due(at=timezone.now() + timedelta(hours=1))
    assert not Transfer.objects.filter(rule__rule=rule).exists()
    settle_due(at=LATER)
    for _again in range(2):
        run_due(at=timezone.now() + timedelta(hours=1))
    (earned,) = Transfer.objects.filter(rule__rule=rule)
    assert (earned.credit.member, earned.amount) == (giver, 30)


@pytest.mark.parametrize("told", ["before", "after"])
def test_what_rules_gave_for_a_friend_is_taken_back_with_the_thanks(giver, told):
    """Whether the rules were asked before the refund or after it."""
    rule = make_rule_of("Friend", {"effect": {"kind": "fixed", "points": 30}}, trigger="referral", budget=100)
    offer = make_offer()
    make_rule_of("Coupon", {"effect": {"kind": "coupon", "offer": offer.pk}}, trigger="referral")
    live_programme(hold_days=0)
    friend, other = newcomer(), newcomer()
    bring(giver, friend)
    purchase = buys(friend)
    settle_due(at=AT)
    if told == "before":
        run_due(at=timezone.now() + timedelta(hours=1))
        assert (balance(giver.pk, AT), Coupon.objects.get().state) == (230, CouponState.ISSUED)
    give_back(purchase, 2_500)
    run_due(at=timezone.now() + timedelta(hours=1))
    rule.refresh_from_db()
    assert (balance(giver.pk), rule.budget_spent) == (0, 0)
    assert not Coupon.objects.filter(state=CouponState.ISSUED).exists()
    bring(giver, other)  # an honest one beside it
    buys(other)
    settle_due(at=AT)
    run_due(at=timezone.now() + timedelta(hours=1))
    rule.refresh_from_db()
    assert (balance(giver.pk), rule.budget_spent) == (230, 30)
    assert not [one for one in verify() if one.difference]


@pytest.mark.parametrize("first", [True, False])
def test_a_milestone_is_taken_back_once_it_is_no_longer_reached_whichever_friend_leaves(giver, first):
    live_programme(hold_days=0, milestones=[{"friends": 2, "thanks": {"points": 1_000}}], budget_minor=100_000)
    friends = [newcomer() for _n in range(3)]
    bought = []
    for friend in friends:
        bring(giver, friend)
        bought.append(buys(friend))
        settle_due(at=AT)
    give_back(bought[0 if first else 1], 2_500)
    assert gift_points(giver) == 2 * 200 + 1_000  # two are left
    give_back(bought[2], 2_500)
    assert gift_points(giver) == 200
    again = newcomer()
    bring(giver, again)
    buys(again)
    settle_due(at=AT)
    assert gift_points(giver) == 2 * 200 + 1_000
    assert not [one for one in verify() if one.difference]


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


def test_what_is_given_back_before_it_counted_promises_nothing(giver):
    programme, friend = live_programme(budget_minor=1_000), newcomer()
    referral = bring(giver, friend)
    bought = post(friend, AT, amount_minor=2_500, purchased_at=AT)
    give_back(bought.id, 600)  # before anything looked at the purchase
    consider(friend_ids=[friend.pk], at=AT)
    referral.refresh_from_db()
    programme.refresh_from_db()
    assert (referral.state, programme.spent_minor) == (ReferralState.JOINED, 0)
    settle_due(at=LATER)
    assert (gift_points(giver), gift_points(friend)) == (0, 0)


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


@pytest.mark.parametrize("when", ["joined", "held", "rewarded", "unseen"])
@pytest.mark.parametrize("survives", ["giver", "friend"])
def test_who_turns_out_to_have_brought_themselves_keeps_nothing(giver, when, survives):
    """Whenever the two are merged; "unseen": the thanks come due before anybody looked at the merge."""
    programme = live_programme(budget_minor=10_000)
    friend, honest = newcomer(), newcomer()
    bring(giver, honest)
    buys(honest)
    referral = bring(giver, friend)
    if when != "joined":
        buys(friend)
    if when == "rewarded":
        settle_due(at=LATER)
    here, gone = (giver, friend) if survives == "giver" else (friend, giver)
    merge_members(survivor_id=here.pk, merged_id=gone.pk, at=AT)
    if when != "unseen":
        run_due(at=timezone.now() + timedelta(hours=1))
    settle_due(at=LATER)
    referral.refresh_from_db()
    assert referral.state == (ReferralState.REVERSED if when == "rewarded" else ReferralState.REFUSED)
    assert (balance(here.pk, LATER), gift_points(honest)) == (200, 100)  # of the honest one
    programme.refresh_from_db()
    assert programme.spent_minor == 300
    assert not [one for one in verify() if one.difference]


STREET = {"street": "Old Street 5", "postal_code": "20095", "city": "Hamburg"}


def _signs(giver: Member, friend: Member) -> set[str]:
    """What there is to doubt once the friend has bought."""
    referral = bring(giver, friend)
    buys(friend)
    referral.refresh_from_db()
    return set(referral.why["signals"])


@pytest.mark.parametrize(
    ("signal", "cheat", "honest"),
    [
        ("name", {"name": "Anna Schmidt"}, {"name": "Hanna Schmitz"}),
        ("address", {"email": "anna.schmidt2@web.example"}, {"email": "anna.s@web.example"}),
        ("street", STREET, STREET | {"street": "Old Street 7"}),
        ("disposable", {"email": "any@mailinator.com"}, {"email": "any@mailinator.example"}),
    ],
)
def test_what_a_profile_gives_away_and_what_it_does_not(signal, cheat, honest):
    live_programme()
    giver = make_member(name="Anna Schmidt", email="anna.schmidt1@web.example", **STREET)
    assert _signs(giver, newcomer(**cheat)) == {signal}
    assert _signs(giver, newcomer(**honest)) == set()


@pytest.mark.parametrize(
    ("signal", "seen", "other"),
    [
        ("network", {"network": "203.0.113.7"}, {"network": "203.0.114.7"}),
        ("device", {"browser": "b"}, {"browser": "c"}),
    ],
)
def test_the_same_network_or_browser_is_told_and_another_is_not(giver, signal, seen, other):
    live_programme()
    note(member_id=giver.pk, seen=seen, at=AT)
    for friend, with_what, found in ((newcomer(), seen, {signal}), (newcomer(), other, set())):
        note(member_id=friend.pk, seen=with_what, at=AT)
        assert _signs(giver, friend) == found


def test_many_friends_in_a_day_are_told_and_as_many_in_a_week_are_not(giver):
    live_programme()
    for n in range(MANY_A_DAY):
        bring(giver, newcomer(at=AT - timedelta(hours=n)), at=AT - timedelta(hours=n))
    assert _signs(giver, newcomer()) == {"velocity"}
    calm = make_member()
    for n in range(MANY_A_DAY):
        bring(calm, newcomer(at=AT - timedelta(days=n + 1)), at=AT - timedelta(days=n + 1))
    assert _signs(calm, newcomer()) == set()


def test_a_part_given_back_before_it_counted_is_told_and_a_purchase_kept_is_not(giver):
    live_programme(review={"from": 30, "days": 7, "then": "approve"})
    friend = newcomer()
    purchase = post(friend, AT, amount_minor=2_500, purchased_at=AT).id
    give_back(purchase, 300)
    referral = bring(giver, friend, source=Source.CLAIM)
    assert (referral.state, set(referral.why["signals"])) == (ReferralState.REVIEW, {"refunded"})
    assert _signs(giver, newcomer()) == set()


@pytest.mark.parametrize(
    ("kind", "value", "seen", "address"),
    [
        ("network", "203.0.113.0/24", {}, "203.0.113.9"),
        ("device", "till-app-77", {"device": "till-app-77"}, ""),
        ("mail", "@bad.example", {}, ""),
    ],
)
def test_the_list_keeps_out_whom_it_names_and_nobody_else(giver, kind, value, seen, address):
    live_programme()
    block(kind=BlockKind(kind), value=value, reason="Cheated", at=AT)
    bad = newcomer(email="some.body@bad.example" if kind == "mail" else "some.body@good.example")
    note(member_id=bad.pk, seen=seen, at=AT)
    with pytest.raises(NotReferred) as refused:
        bring(giver, bad, address=address)
    assert refused.value.reason == Refusal.BLOCKED
    honest = newcomer()
    note(member_id=honest.pk, seen={one: f"{told}-other" for one, told in seen.items()}, at=AT)
    assert bring(giver, honest, address="203.0.114.9").friend_id == honest.pk


@pytest.mark.parametrize("kind", ["device", "payment"])
def test_one_device_or_means_of_payment_is_one_person(giver, kind):
    live_programme()
    note(member_id=giver.pk, seen={kind: "x"}, at=AT)
    same, other = newcomer(), newcomer()
    note(member_id=same.pk, seen={kind: "x"}, at=AT)
    note(member_id=other.pk, seen={kind: "y"}, at=AT)
    with pytest.raises(NotReferred) as refused:
        bring(giver, same)
    assert refused.value.reason == Refusal.SELF
    assert bring(giver, other).state == ReferralState.JOINED


def test_answering_a_survey_is_enough_where_the_programme_says_so(giver):
    live_programme(qualifies={"by": "survey"})
    friend = newcomer()
    referral = bring(giver, friend)
    buys(friend)
    referral.refresh_from_db()
    assert referral.state == ReferralState.JOINED
    with transaction.atomic():
        consider(friend_ids=[friend.pk], at=AT, happened="survey.answered", data={"survey": 3})
    referral.refresh_from_db()
    assert referral.state == ReferralState.HELD


def test_joining_a_number_of_purchases_or_a_told_event_is_enough_where_the_programme_says_so(giver):
    programme = live_programme(qualifies={"by": "sign_up"})
    assert bring(giver, newcomer()).state == ReferralState.HELD
    move(programme_id=programme.pk, to=ProgrammeState.ENDED, at=AT)
    programme = live_programme(qualifies={"by": "purchases", "count": 2, "least": "20.00"})
    twice = bring(giver, newcomer())
    for minor, state in ((2_000, "joined"), (1_999, "joined"), (2_000, "held")):
        buys(twice.friend, minor)
        twice.refresh_from_db()
        assert twice.state == state
    move(programme_id=programme.pk, to=ProgrammeState.ENDED, at=AT)
    live_programme(qualifies={"by": "event", "event": "workshop"})
    guest = bring(giver, newcomer())
    for kind, state in (("visit", "joined"), ("workshop", "held")):
        with transaction.atomic():
            consider(friend_ids=[guest.friend_id], at=AT, happened="event.told", data={"kind": kind})
        guest.refresh_from_db()
        assert guest.state == state


def test_a_household_brings_nobody_of_its_own_and_neighbours_may(giver):
    live_programme()
    home = Household.objects.create(name="Lee")
    Member.objects.filter(pk=giver.pk).update(household=home)
    giver.refresh_from_db()
    same = newcomer()
    Member.objects.filter(pk=same.pk).update(household=home)
    with pytest.raises(NotReferred) as refused:
        bring(giver, same)
    assert refused.value.reason == Refusal.HOUSEHOLD
    assert bring(giver, newcomer()).state == ReferralState.JOINED


def test_who_had_an_account_before_is_no_new_customer(giver):
    live_programme()
    before = newcomer(email="was.here@web.example")
    erase_members(member_ids=[before.pk], at=AT, why="staff")
    with pytest.raises(NotReferred) as refused:
        bring(giver, newcomer(email="was.here@web.example"))
    assert refused.value.reason == Refusal.FORMER
    assert bring(giver, newcomer(email="was.there@web.example")).state == ReferralState.JOINED


def test_a_chain_of_ten_thousand_is_no_circle_and_is_drawn_by_its_first_levels(giver):
    live_programme(claim_days=30)
    last = newcomer()
    bring(giver, last)
    like = Referral.objects.values("version", "programme").get()
    execute(
        """
        WITH member AS (
            INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar,
                                        birthday_leap_month, leap_day_rule, joined_at)
            SELECT 'Link ' || n, '', '', 'en', 'UTC', '', 'solar', false, 'feb28', %(at)s
            FROM generate_series(1, 10000) AS n RETURNING id
        ), link AS (SELECT id, coalesce(lag(id) OVER (ORDER BY id), %(last)s) AS giver FROM member)
        INSERT INTO referrals_referral (version_id, programme_id, giver_id, friend_id, source, state, touched_at,
                                        joined_at, due_at, why, is_capped, friend_shows_name)
        SELECT %(version)s, %(programme)s, giver, id, 'code', 'joined', %(at)s, %(at)s, %(at)s + interval '90 days',
               '{}', false, false FROM link
        """,
        {"at": AT, "last": last.pk, **like},
    )
    end = Member.objects.latest("pk")
    with pytest.raises(NotReferred) as refused:
        bring(end, giver, source=Source.CLAIM)
    assert refused.value.reason == Refusal.CIRCLE
    assert is_above(giver.pk, end.pk)
    assert not is_above(end.pk, giver.pk)
    with CaptureQueriesContext(connection) as asked:
        assert [(row[2], row[3]) for row in tree(giver.pk)] == [(1, 1), (2, 1), (3, 1)]
    assert len(asked) == 1
    assert bring(end, newcomer()).state == ReferralState.JOINED


def _thank_and_die() -> None:
    """As a worker does that is killed when the points are written and what they are for is not."""
    from referrals.services import thanking

    kill_at_call(thanking, "give_points", 1)
    settle_due(at=LATER)


@pytest.mark.django_db(transaction=True)
def test_who_is_killed_amid_the_thanks_has_given_neither_side_theirs(giver):
    live_programme()
    friend = newcomer()
    bring(giver, friend)
    buys(friend)
    killed_in(_thank_and_die)
    assert (gift_points(giver), gift_points(friend), ThanksGiven.objects.count()) == (0, 0, 0)
    assert settle_due(at=LATER) == 1
    assert (gift_points(giver), gift_points(friend), ThanksGiven.objects.count()) == (200, 100, 2)


def test_both_sides_qualify_in_the_same_second_and_each_is_thanked_for_their_own(giver):
    """The giver was brought themselves, and buys in the same moment as the friend whom they brought."""
    live_programme(hold_days=0, claim_days=30)
    middle, friend = newcomer(), newcomer()
    bring(giver, middle)
    bring(middle, friend)
    buys(middle)
    buys(friend)
    assert settle_due(at=AT) == 2
    assert (gift_points(giver), gift_points(middle), gift_points(friend)) == (200, 300, 100)

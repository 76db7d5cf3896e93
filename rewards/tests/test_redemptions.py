"""A reward reserved, confirmed, cancelled, lapsed, given back: points, stock and places move together."""

from datetime import timedelta

import pytest
from django.utils.translation import override

from members.models import Member
from members.services.erasure import erase_member
from members.services.merging import merge_members
from members.services.purchases import KeyReused
from members.services.segments.definitions import save_segment
from members.services.segments.refreshing import refresh
from members.tests.factories import make_member
from rewards import queries
from rewards.enums import ExpiredReturn, Unit
from rewards.models import Account, MemberTier, Redemption, RewardPrice, Tier, Transfer
from rewards.queries_catalogue import catalogue, why_not
from rewards.services.expiry import expire_due
from rewards.services.handing_over import CannotTakeBack
from rewards.services.holds import lapse_due as lapse_holds
from rewards.services.holds import reserve as hold
from rewards.services.redemptions import (
    RedemptionRefused,
    RedemptionSettled,
    cancel_redemption,
    confirm_redemption,
    lapse_due,
    redeem_reward,
    refund_redemption,
    reserve_reward,
)
from rewards.services.settings import save_reward_settings
from rewards.services.verify import verify
from rewards.tests.factories import adjust, event_data, make_reward, make_tiers

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(at) -> Member:
    member = make_member()
    adjust(member, 500, at)
    return member


def reserve(member, reward, at, key="k1", **values) -> Redemption:
    return reserve_reward(member_id=member.pk, reward_id=reward.pk, source="test", key=key, at=at, **values)


def codes(error) -> list[str]:
    return [reason.code for reason in error.value.reasons]


def shelf(reward) -> tuple[int | None, int]:
    reward.refresh_from_db()
    return reward.stock, reward.redeemed


def differences() -> list[str]:
    return [str(result.check) for result in verify() if result.difference]


def test_a_reservation_takes_points_and_a_piece_and_a_confirmation_gives_a_code(at, anna):
    reward = make_reward(stock=3, valid_days=10)
    taken = reserve(anna, reward, at)
    assert (taken.state, taken.points, taken.expires_at) == ("reserved", 100, at + timedelta(minutes=30))
    assert queries.balance(anna.pk, at) == 400
    assert shelf(reward) == (2, 1)
    done = confirm_redemption(redemption_id=taken.pk, at=at)
    assert (done.state, done.fulfilment, done.collect_until) == ("confirmed", "to_collect", at + timedelta(days=10))
    assert len(done.code) == 13
    assert confirm_redemption(redemption_id=taken.pk, at=at).code == done.code  # twice is once
    assert (queries.balance(anna.pk, at), shelf(reward)) == (400, (2, 1))
    (told,) = event_data(anna, "reward.redeemed")
    assert (told["redemption"], told["points"], told["name"]["en"]) == (taken.pk, 100, "Free coffee")
    assert event_data(anna, "points.redeemed") == []  # one act, one line
    assert differences() == []


@pytest.mark.parametrize("how", ["cancelled", "lapsed"])
def test_what_is_not_confirmed_goes_back_whole(at, anna, how):
    reward = make_reward(stock=1)
    taken = reserve(anna, reward, at)
    later = taken.expires_at
    if how == "cancelled":
        cancel_redemption(redemption_id=taken.pk, at=at)
        cancel_redemption(redemption_id=taken.pk, at=at)
    else:
        assert lapse_holds(at=later) == 0  # the points wait for the reward
        with pytest.raises(RedemptionSettled):  # though no tick came by yet
            confirm_redemption(redemption_id=taken.pk, at=later)
        assert lapse_due(at=later - timedelta(seconds=1)) == 0
        assert (lapse_due(at=later), lapse_due(at=later)) == (1, 0)
    taken.refresh_from_db()
    assert (taken.state, taken.hold.state) == (how, how)
    assert queries.balance(anna.pk, at) == 500
    assert shelf(reward) == (1, 0)
    with pytest.raises(RedemptionSettled) as told:
        confirm_redemption(redemption_id=taken.pk, at=at)
    assert told.value.state == how
    assert reserve(anna, reward, at) == taken  # the key stays what it was for
    assert differences() == []


def test_movements_call_the_reward_as_the_reader_does(at, anna, django_assert_num_queries):
    reward = make_reward(points=60, name_en="Free coffee", name_zh_hans="免费咖啡")
    reserve(anna, reward, at)
    redemption = reserve(anna, reward, at, "k2")
    cancel_redemption(redemption_id=redemption.pk, at=at)

    def told() -> list[str]:
        with django_assert_num_queries(2):
            return [queries.explain(row) for row in queries.history(anna.pk)][:3]

    assert told() == ["Given back: Free coffee", "Reserved: Free coffee", "Reserved: Free coffee"]
    with override("zh-hans"):
        assert all(said.endswith("免费咖啡") for said in told())


def test_a_refund_gives_points_to_the_lots_they_came_from_and_the_piece_to_the_shelf(at):
    member = make_member()
    soon, late = at + timedelta(days=2), at + timedelta(days=90)
    adjust(member, 60, at, key="soon", expires_at=soon)
    adjust(member, 60, at, key="late", expires_at=late)
    reward = make_reward(stock=1)
    done = redeem_reward(member_id=member.pk, reward_id=reward.pk, source="test", key="k", at=at)
    assert queries.balance(member.pk, at) == 20
    back = refund_redemption(redemption_id=done.pk, at=at, reason="broken")
    assert refund_redemption(redemption_id=done.pk, at=at) == back  # twice is once
    assert (back.state, back.note, queries.balance(member.pk, at), shelf(reward)) == ("refunded", "broken", 120, (1, 0))
    assert queries.balance(member.pk, soon) == 60  # the first lot kept its end
    expire_due(at=soon)
    assert queries.balance(member.pk, soon) == 60
    assert [e["points"] for e in event_data(member, "reward.returned")] == [100]
    assert differences() == []


def test_what_has_expired_since_comes_back_for_some_days_where_the_settings_say_so(at):
    save_reward_settings(values={"expired_return": ExpiredReturn.GRACE, "expired_return_days": 7}, at=at)
    member, soon, reward = make_member(), at + timedelta(days=2), make_reward()
    adjust(member, 60, at, key="soon", expires_at=soon)
    adjust(member, 60, at, key="ever")
    done = redeem_reward(member_id=member.pk, reward_id=reward.pk, source="test", key="k", at=at)
    expire_due(at=soon)
    refund_redemption(redemption_id=done.pk, at=soon)
    expire_due(at=soon)
    week = soon + timedelta(days=7)
    assert [queries.balance(member.pk, day) for day in (soon, week - timedelta(days=1), week)] == [120, 120, 60]
    assert differences() == []


def test_what_was_not_confirmed_cannot_be_given_back_nor_what_was_cancelled(at, anna):
    taken = reserve(anna, make_reward(), at)
    with pytest.raises(RedemptionSettled):
        refund_redemption(redemption_id=taken.pk, at=at)
    confirm_redemption(redemption_id=taken.pk, at=at)
    with pytest.raises(RedemptionSettled):
        cancel_redemption(redemption_id=taken.pk, at=at)


def test_the_same_key_is_the_same_redemption_and_no_other(at, anna):
    coffee, cake = make_reward(), make_reward(name="Cake")
    first = reserve(anna, coffee, at)
    assert reserve(anna, coffee, at) == first
    assert queries.balance(anna.pk, at) == 400
    with pytest.raises(KeyReused):
        reserve(anna, cake, at)
    other = make_member()
    adjust(other, 500, at, key="other")
    with pytest.raises(KeyReused):
        reserve(other, coffee, at)
    assert Redemption.objects.count() == 1


def test_why_not_says_all_at_once_what_is_missing_and_how_much(at, anna):
    tiers = make_tiers()
    reward = make_reward(points=740, stock=0, redeemable_from=at + timedelta(days=1), limit_member=1, visible_from=at)
    reward.tiers.add(tiers["gold"])
    with pytest.raises(RedemptionRefused) as refused:
        reserve(anna, reward, at)
    assert codes(refused) == ["not_yet", "not_your_tier", "sold_out", "points_missing"]
    assert refused.value.reasons == why_not(reward_id=reward.pk, member_id=anna.pk, at=at)
    missing = refused.value.reasons[-1]
    assert missing.facts == {"price": 740, "balance": 500, "missing": 240}
    assert missing.sentence == "240 more points are needed."
    assert refused.value.reasons[1].sentence == "It is for Gold only."
    assert Redemption.objects.count() == Transfer.objects.exclude(kind="adjust").count() == 0


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"state": "draft"}, "not_live"),
        ({"state": "archived"}, "not_live"),
        ({"stock": 0}, "sold_out"),
        ({"limit_total": 0}, "sold_out"),
        ({"points": 501}, "points_missing"),
    ],
)
def test_each_reason_alone_stands_in_the_way(at, anna, values, code):
    with pytest.raises(RedemptionRefused) as refused:
        reserve(anna, make_reward(**values), at)
    assert codes(refused) == [code]


def test_the_window_to_be_seen_is_not_the_window_to_be_had(at, anna):
    hour = timedelta(hours=1)
    reward = make_reward(
        visible_from=at, visible_until=at + 3 * hour, redeemable_from=at + hour, redeemable_until=at + 2 * hour
    )
    seen = {
        n: [[reason.code for reason in shelf.reasons] for shelf in catalogue(member_id=anna.pk, at=at + n * hour)]
        for n in (-1, 0, 1, 2, 3)
    }
    assert seen == {-1: [], 0: [["not_yet"]], 1: [[]], 2: [["over"]], 3: []}
    assert reserve(anna, reward, at + hour).state == "reserved"


def test_a_limit_counts_what_stands_not_what_went_back(at, anna):
    reward = make_reward(points=10, limit_member=2, limit_total=3)
    first = reserve(anna, reward, at, key="1")
    reserve(anna, reward, at, key="2")
    with pytest.raises(RedemptionRefused) as refused:
        reserve(anna, reward, at, key="3")
    assert codes(refused) == ["limit_reached"]
    cancel_redemption(redemption_id=first.pk, at=at)
    reserve(anna, reward, at, key="3")
    other = make_member()
    adjust(other, 50, at, key="o")
    reserve(other, reward, at, key="4")
    with pytest.raises(RedemptionRefused) as refused:
        reserve(other, reward, at, key="5")
    assert codes(refused) == ["sold_out"]


def test_the_best_price_of_the_tiers_up_to_the_members_own(at, anna):
    tiers = make_tiers()
    reward = make_reward(points=100, money_minor=500)
    RewardPrice.objects.create(reward=reward, tier=tiers["silver"], points=80)
    RewardPrice.objects.create(reward=reward, tier=tiers["gold"], points=90)
    assert [(s.price_points, s.price_money_minor) for s in catalogue(member_id=anna.pk, at=at)] == [(100, 500)]
    MemberTier.objects.create(member=anna, tier=tiers["gold"], qualifying_points=1000, since=at, assessed_at=at)
    taken = reserve(anna, reward, at)
    assert (taken.points, taken.money_minor, taken.why["price_of_tier"]) == (80, 0, tiers["silver"].pk)


def test_store_credit_is_given_at_once_and_taken_back_while_it_is_there(at, anna):
    reward = make_reward(kind="credit", credit_minor=500, name="5 off")
    done = redeem_reward(member_id=anna.pk, reward_id=reward.pk, source="test", key="k", at=at)
    wallet = Account.objects.get(member=anna, unit=Unit.CREDIT)
    assert (done.state, done.fulfilment, done.code, wallet.balance) == ("confirmed", "none", None, 500)
    refund_redemption(redemption_id=done.pk, at=at)
    wallet.refresh_from_db()
    assert (wallet.balance, queries.balance(anna.pk, at)) == (0, 500)
    assert differences() == []
    again = redeem_reward(member_id=anna.pk, reward_id=reward.pk, source="test", key="k2", at=at)
    hold(member_id=anna.pk, amount=1, key="spent", at=at, lapses_at=at + timedelta(hours=1), unit=Unit.CREDIT)
    with pytest.raises(CannotTakeBack):
        refund_redemption(redemption_id=again.pk, at=at)
    again.refresh_from_db()
    assert (again.state, queries.balance(anna.pk, at)) == ("confirmed", 400)


def test_a_reward_that_costs_nothing_needs_no_hold(at):
    member = make_member()
    done = redeem_reward(member_id=member.pk, reward_id=make_reward(points=0).pk, source="test", key="k", at=at)
    assert (done.state, done.hold) == ("confirmed", None)
    refund_redemption(redemption_id=done.pk, at=at)
    assert differences() == []


def test_a_reward_that_is_sent_goes_to_the_address_told_or_the_members_own(at):
    member = make_member(name="Mei Lin", street="Long Road 1", city="Hangzhou")
    reward = make_reward(points=0, ships=True)
    own = redeem_reward(member_id=member.pk, reward_id=reward.pk, source="test", key="own", at=at)
    assert (own.fulfilment, own.code) == ("to_ship", None)
    assert own.address == {"name": "Mei Lin", "street": "Long Road 1", "city": "Hangzhou"}
    told = reserve(member, reward, at, key="told")
    assert confirm_redemption(redemption_id=told.pk, at=at, address={"city": "Jena"}).address == {"city": "Jena"}


def test_the_list_asks_so_many_queries_for_one_reward_as_for_twenty(at, anna, django_assert_max_num_queries):
    make_tiers()
    make_reward()
    with django_assert_max_num_queries(20) as few:
        catalogue(member_id=anna.pk, at=at)
    bronze = Tier.objects.get(rank=0)
    for n in range(19):
        reward = make_reward(name=f"R{n}", kind="experience" if n % 3 == 0 else "goods")
        RewardPrice.objects.create(reward=reward, tier=bronze, points=5)
        reward.tiers.add(bronze)
    with django_assert_max_num_queries(len(few) + 2) as many:  # dates and their waits are asked where there are any
        assert len(catalogue(member_id=anna.pk, at=at)) == 20
    assert len(many) <= len(few) + 2


def test_a_reward_for_a_segment_is_seen_and_had_by_who_is_in_it_alone(at):
    inside, outside = make_member(city="Berlin"), make_member(city="Paris")
    berlin = {"trait": "city", "op": "any_of", "value": ["Berlin"]}
    segment = save_segment(names={"en": "Berlin"}, definition=berlin, at=at)
    reward = make_reward(points=0, segment=segment)
    assert [r.code for r in why_not(reward_id=reward.pk, member_id=inside.pk, at=at)] == ["segment_not_ready"]
    assert catalogue(member_id=inside.pk, at=at) == []
    refresh(segment_id=segment.pk, at=at)
    assert [len(catalogue(member_id=m.pk, at=at)) for m in (inside, outside)] == [1, 0]
    assert catalogue(member_id=None, at=at) == []
    with pytest.raises(RedemptionRefused) as refused:
        reserve(outside, reward, at)
    assert codes(refused) == ["not_in_segment"]
    assert reserve(inside, reward, at, key="in").state == "reserved"


def test_a_merged_member_redeems_as_who_they_are_now_and_one_who_was_erased_not_at_all(at, anna):
    other = make_member()
    reward = make_reward()
    merge_members(survivor_id=anna.pk, merged_id=other.pk, at=at)
    assert reserve(other, reward, at).member == anna
    gone = make_member()
    erase_member(member_id=gone.pk, at=at)
    with pytest.raises(RedemptionRefused) as refused:
        reserve(gone, reward, at, key="gone")
    assert codes(refused) == ["member_gone", "points_missing"]

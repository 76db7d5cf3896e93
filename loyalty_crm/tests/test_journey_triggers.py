"""Members come into journeys by what really happens to them: at the till, in a survey, over the API, in the night."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from api.tests.factories import Caller
from campaigns.models import JourneyRun
from campaigns.services.journeys.running import run
from campaigns.tests.test_journeys import journey, points, react
from members.models import Member
from members.services.segments import refresh, save_segment
from members.tests.factories import make_member
from referrals.tests.factories import AT as FRIENDS_AT
from referrals.tests.factories import bring, buys, live_programme, newcomer
from rewards.models import RewardSettings
from rewards.services.tier_nights import reassess_all
from rewards.tests.factories import make_rule, make_tiers, post
from surveys.tests.factories import AT, open_survey
from surveys.tests.test_answering import answered

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def came() -> list[int]:
    """Who is, or was, on the journey, and has been given what it gives."""
    return list(JourneyRun.objects.filter(state="done").order_by("id").values_list("member", flat=True))


@pytest.mark.parametrize("change", ["entered", "left"])
def test_a_segment_that_somebody_comes_into_or_leaves(change):
    inside, outside = make_member(city="Berlin"), make_member(city="Paris")
    tree = {"trait": "city", "op": "any_of", "value": ["Berlin"]}
    segment = save_segment(names={"en": "Berlin", "zh-hans": "柏林"}, definition=tree, at=AT)
    refresh(segment_id=segment.pk, at=AT)
    journey(points(), trigger={"kind": "segment", "segment": segment.pk, "change": change})
    Member.objects.filter(pk=inside.pk).update(city="Rome")
    Member.objects.filter(pk=outside.pk).update(city="Berlin")
    refresh(segment_id=segment.pk, at=AT)
    react(AT)
    run(at=AT)
    assert came() == [outside.pk if change == "entered" else inside.pk]


@pytest.mark.parametrize(
    ("trigger", "kind"), [({"kind": "custom", "event": "workshop"}, "workshop"), ({"kind": "cart"}, "basket.left")]
)
def test_an_event_and_a_basket_left_behind_that_a_shop_tells_of(trigger, kind):
    at, shop, member, other = now(), Caller(), make_member(), make_member()
    journey(points(), trigger=trigger, at=at - DAY)
    for who, what in ((member, kind), (other, "another")):
        told = {"key": f"e{who.pk}", "member": who.card_number, "kind": what, "data": {"items": 2}}
        assert shop.post("/events", told).status_code == 201
    at = now()
    react(at)
    run(at=at)
    assert came() == [member.pk]


def test_who_was_unhappy_in_a_survey():
    survey = open_survey()
    sad, glad = make_member(), make_member()
    journey(points(), trigger={"kind": "detractor"})
    for member, score in ((sad, 3), (glad, 9)):
        answered(survey, score, member_id=member.pk)
    react(AT)
    run(at=AT)
    assert came() == [sad.pk]


def test_who_brought_a_friend_that_became_a_customer():
    live_programme()
    giver, idle = make_member(), make_member()
    journey(points(), trigger={"kind": "referral"}, at=FRIENDS_AT - DAY)
    friend, window_shopper = newcomer(), newcomer()
    bring(giver, friend)
    bring(idle, window_shopper)
    buys(friend)
    react(FRIENDS_AT)
    run(at=FRIENDS_AT)
    assert came() == [giver.pk]


@pytest.mark.parametrize("change", ["up", "drop", "down"])
def test_a_tier_that_is_reached_about_to_be_lost_and_lost(change):
    RewardSettings.objects.update_or_create(pk=1, defaults={"notice_days": 30, "grace_days": 0})
    make_rule()
    make_tiers()
    member = make_member()
    journey(points(), trigger={"kind": "tier", "change": change})
    post(member, AT, amount_minor=60_000, purchased_at=AT)
    react(AT)
    run(at=AT)
    assert came() == ([member.pk] if change == "up" else [])
    for moment in (AT + 340 * DAY, AT + 366 * DAY):
        reassess_all(at=moment)
        react(moment)
        run(at=moment)
        lost = change == "down" and moment > AT + 350 * DAY
        assert came() == ([member.pk] if change in ("up", "drop") or lost else []), moment

"""Referral programmes and doubt in the staff pages."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from members.models import User
from members.tests.factories import make_member
from referrals.definition import TEXTS
from referrals.enums import ProgrammeState, ReferralState
from referrals.models import Programme, Referral
from referrals.queries_figures import Way, Worth, fairness, funnel, referral_rate, top_givers, ways, worth
from referrals.services.advocates import count
from referrals.services.qualifying import settle_due
from referrals.tests.factories import AT, bring, buys, code_of, live_programme, newcomer
from rewards.services.gifts import Gift, give_points

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client, settings):
    settings.REQUIRE_STAFF_MFA = False
    client.force_login(User.objects.create_superuser("boss@example.com", "a-Good-password-7"))
    return client


def filled(**changes) -> dict:
    """The form as a browser sends it."""
    form = {
        "name": "Friends", "position": "0", "starts_at_0": "", "starts_at_1": "", "ends_at_0": "", "ends_at_1": "",
        "budget": "500", "qualifies_by": "purchase", "least": "20", "count": "1", "event": "", "window_days": "60",
        "hold_days": "14", "claim_days": "7", "cookie_days": "30", "touch": "last", "invites_per_day": "5",
        "review_from": "50", "review_days": "7", "review_then": "approve", "giver_points": "200",
        "friend_credit": "5", "step0_friends": "3", "step0_points": "500", "limit_month": "10",
    }  # fmt: skip
    form |= {f"text_{name}_{language}": "Come {link}" for name in TEXTS for language in ("en", "zh-hans")}
    return {**form, **changes}


def test_a_programme_is_filled_in_shown_again_and_let_run(desk):
    answer = desk.post(reverse("admin:referrals_programme_add"), filled())
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    programme = Programme.objects.get()
    assert programme.budget_minor == 50_000
    assert programme.draft["giver"] == {"points": 200}
    assert programme.draft["friend"] == {"credit": "5"}
    assert programme.draft["milestones"] == [{"friends": 3, "thanks": {"points": 500}}]
    assert programme.draft["limits"] == [{"period": "month", "most": 10}]
    page = reverse("admin:referrals_programme_change", args=[programme.pk])
    shown = desk.get(page).context["adminform"].form
    assert (shown["giver_points"].value(), shown["limit_month"].value()) == (200, 10)
    live = reverse("admin:referrals_programme_live", args=[programme.pk])
    asked = desk.post(live, {}).content.decode()
    assert "A friend costs at most €7.00, milestones left out." in asked
    assert "The budget lasts for about 71 friends." in asked
    desk.post(live, {"confirmed": "1"})
    programme.refresh_from_db()
    assert (programme.state, programme.number) == (ProgrammeState.LIVE, 1)
    desk.post(page, filled(giver_points="300"))
    assert programme.versions.get().definition["giver"] == {"points": 200}  # until it is published
    desk.post(reverse("admin:referrals_programme_publish", args=[programme.pk]), {"confirmed": "1"})
    assert programme.versions.get(number=2).definition["giver"] == {"points": 300}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"giver_points": "", "friend_credit": "", "step0_friends": ""}, "giver_points"),
        ({"step0_points": ""}, "step0_points"),
        ({"text_share_zh-hans": "来吧"}, "text_share_zh-hans"),
        ({"qualifies_by": "event"}, "event"),
        ({"least": "20.005"}, "least"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(desk, changes, field):
    answer = desk.post(reverse("admin:referrals_programme_add"), filled(**changes))
    assert field in answer.context["adminform"].form.errors
    assert not Programme.objects.exists()


def test_a_budget_is_not_set_below_what_is_promised(desk):
    programme, friend = live_programme(budget_minor=1_000), newcomer()
    bring(make_member(), friend)
    buys(friend)
    answer = desk.post(reverse("admin:referrals_programme_change", args=[programme.pk]), filled(budget="2.99"))
    assert "€3.00 of it are promised and given already." in answer.context["adminform"].form.errors["budget"]


def test_the_queue_shows_its_evidence_and_is_decided_once(desk):
    live_programme()
    friend = newcomer(email="somebody@mailinator.com")
    one = bring(make_member(), friend)
    buys(friend)
    page = desk.get(reverse("admin:referrals_referral_change", args=[one.pk])).content.decode()
    assert "The mail address is a throw-away one" in page
    refuse = reverse("admin:referrals_referral_refuse", args=[one.pk])
    desk.post(refuse, {"confirmed": "1"})
    assert Referral.objects.get().state == ReferralState.REVIEW  # for no reason nobody is refused
    desk.post(refuse, {"confirmed": "1", "reason": "Not a customer"})
    one.refresh_from_db()
    assert (one.state, one.reason) == (ReferralState.REFUSED, "Not a customer")
    assert desk.post(refuse, {"confirmed": "1", "reason": "Again"}).status_code == 403


def test_figures_are_those_counted_by_hand(desk):
    live_programme(hold_days=0)
    giver, friends = make_member(), [newcomer() for _n in range(4)]
    for friend in friends:
        bring(giver, friend)
    for friend in friends[:3]:
        buys(friend, 2_500)
    buys(friends[0], 1_500)
    buys(giver, 1_000)
    settle_due(at=AT)
    for _visit in range(7):
        count(what="visits", advocate_ids=[giver.advocate.pk], channel="whatsapp", day=AT.date())
    span = {"start": AT - timedelta(days=1), "end": AT + timedelta(days=1)}
    (line,) = funnel(**span)
    assert (line.visits, line.joined, line.qualified, line.rewarded, line.cost_minor) == (7, 4, 3, 3, 900)
    assert (line.conversion, line.cost_each) == (75, 300)
    assert funnel(**span, by="programme_id")[0].joined == 4
    assert [(one.name, one.joined) for one in funnel(**span, by="tier_id")] == [
        (0, sum(one.joined for one in funnel(**span, by="programme_id")))
    ]
    assert referral_rate(**span) == (4, 1)
    both = worth(**span, currency="EUR")
    assert both[True] == Worth(4, 3, 1, 9_000, 4_000**2 + 2 * 2_500**2)
    middle, low, high = both[True].repeat
    assert (round(middle, 1), round(low, 1), round(high, 1)) == (33.3, 6.1, 79.2)
    mean, low, high = both[True].spend
    assert (mean, round(low), round(high)) == (3_000, 2_020, 3_980)
    (top,) = top_givers(**span, currency="EUR")
    assert (top.member_id, top.friends, top.spent_minor) == (giver.pk, 3, 9_000)
    assert fairness(**span).reviewed == 0
    alone = newcomer(at=AT + timedelta(hours=1))  # whom nobody brought, with points for nothing twice
    for days, points in ((2, 40), (40, 9_000)):
        gift = Gift(alone.pk, points, f"hello{days}", "x", None)
        give_points(gifts=[gift], at=alone.joined_at + timedelta(days=days))
    came = {way.source: way for way in ways(**span, point_minor=Decimal("0.5"))}
    assert came[None] == Way(None, 4, 3, 900)
    assert (came[None].cost_each, came["test"].cost_each) == (300, None)
    assert came["test"] == Way("test", 1, 0, 20)
    assert code_of(giver)
    shown = desk.get(reverse("admin:referrals_programme_figures")).content.decode()
    assert "not enough data" in shown  # of a period in which nobody came


def test_the_tree_of_a_thousand_is_drawn_in_a_few_queries(desk, django_assert_max_num_queries):
    programme = live_programme()
    version, giver = programme.versions.get(), make_member()
    people = [newcomer() for _n in range(12)]
    for n, friend in enumerate(people):
        Referral.objects.create(
            version=version, programme=programme, giver=giver if n < 4 else people[n % 4], friend=friend,
            source="link", touched_at=AT, joined_at=AT, due_at=AT,
        )  # fmt: skip
    page = reverse("admin:referrals_referral_tree", args=[giver.pk])
    desk.get(page)
    with django_assert_max_num_queries(25):
        assert people[11].name in desk.get(page).content.decode()

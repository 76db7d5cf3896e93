"""A journey that staff start for a member from a case: once, with what stands in the way said, and what came of it."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from campaigns.enums import Obstacle
from campaigns.models import JourneyRun, Message, Suppression
from campaigns.queries import address_key
from campaigns.queries_by_hand import after
from campaigns.queries_measure import lifts
from campaigns.services.delivery import deliver
from campaigns.services.journeys.by_hand import CannotStart, choices, start_by_hand
from campaigns.services.journeys.definitions import pause_journey, resume_journey
from campaigns.services.journeys.running import run
from campaigns.tests.test_journeys import AT, DAY, HOUR, agree, buy, journey, points, template, wait
from members.models import TimelineEvent, User
from members.services.consent import state_consent
from members.services.purchases import KeyReused
from members.tests.factories import make_member
from rewards.tests.coupons import make_offer
from surveys.services.cases.opening import open_case

pytestmark = pytest.mark.django_db
BOUGHT = {"event": "purchase.paid"}


def win_back(**more):
    """Held out would be everybody, were there a lot for who is chosen."""
    steps = ({"id": "s", "kind": "send", "template": template().pk}, points(), wait("w", days=3), points("late"))
    return journey(*steps, trigger={"kind": "lapsed"}, by_hand=True, holdout=50, goal=BOUGHT, **more)


def unhappy(member):
    return open_case(kind="complaint", text="Cold", source="staff", member_id=member.pk, at=AT)


def start(made, member, *, key=None, at=AT, **more):
    return start_by_hand(journey_id=made.pk, member_id=member.pk, key=key or uuid4(), at=at, actor_id=None, **more)


def refused(made, member, at=AT) -> Obstacle:
    with pytest.raises(CannotStart) as no:
        start(made, member, at=at)
    shown = next((one.obstacle for one in choices(member=member, at=at) if one.journey.pk == made.pk), None)
    assert shown in (None, no.value.obstacle)  # the page says the same
    return no.value.obstacle


def test_one_form_starts_it_once_and_the_case_shows_what_came_of_it(mailoutbox):
    made, member = win_back(), make_member(email="anna@example.com")
    agree(member)
    case, key = unhappy(member), uuid4()
    first = start(made, member, key=key, case_id=case.pk)
    assert start(made, member, key=key, case_id=case.pk) == first
    other = journey(points(), trigger={"kind": "hand"})
    with pytest.raises(KeyReused):
        start(other, member, key=key)
    run(at=AT + HOUR)
    deliver(clock=lambda: AT + HOUR)
    assert [mail.to for mail in mailoutbox] == [["anna@example.com"]]
    Message.objects.update(opened_at=AT + 2 * HOUR)
    buy(member, AT + DAY, amount=1_200)
    run(at=AT + DAY)
    (came,) = after(case_id=case.pk, member_id=member.pk)
    assert (came.run.state, came.purchases, list(came.spent.values())) == ("converted", 1, [1_200])
    assert ([one.state for one in came.messages], [n for _at, n in came.points]) == (["sent"], [10])
    told = case.changes.filter(what="offered").values_list("data", flat=True)
    assert list(told) == [{"name": "Test"}]
    assert TimelineEvent.objects.filter(member=member, kind="journey.started").count() == 1
    assert lifts([made.pk], at=AT + 9 * DAY)[made.pk].got.members == 0  # nobody drew for them


def test_what_stands_in_the_way_is_said_and_kept():
    made, member = win_back(again={"rule": "after", "days": 10}), make_member(email="bo@example.com")
    assert refused(made, member) == Obstacle.NO_CONSENT
    agree(member)
    listed = Suppression.objects.create(
        channel="email", address=address_key("bo@example.com"), reason="bounced", created_at=AT
    )
    assert refused(made, member) == Obstacle.SUPPRESSED
    listed.delete()
    assert refused(journey(points()), member) == Obstacle.NOT_BY_HAND
    pause_journey(journey_id=made.pk)
    assert refused(made, member) == Obstacle.NOT_RUNNING
    resume_journey(journey_id=made.pk)
    start(made, member)
    assert refused(made, member) == Obstacle.INSIDE
    JourneyRun.objects.update(state="done", due_at=None, ended_at=AT)
    assert refused(made, member, AT + 9 * DAY) == Obstacle.TOO_SOON
    assert start(made, member, at=AT + 11 * DAY).state == "active"
    nobody = {"trait": "purchase.count", "op": "at_least", "value": 5}
    closed = journey(points(), trigger={"kind": "hand"}, audience=nobody)
    assert refused(closed, member) == Obstacle.AUDIENCE
    full = journey(points(), trigger={"kind": "hand"}, entry_limit=1)
    start(full, make_member())
    assert refused(full, member) == Obstacle.FULL


def test_consent_withdrawn_after_the_start_still_keeps_the_message_back():
    made, member = win_back(), make_member(email="cy@example.com")
    agree(member)
    start(made, member)
    run(at=AT + HOUR)
    state_consent(member_id=member.pk, channel="email", purpose="offers", granted=False, source="t", at=AT + HOUR)
    deliver(clock=lambda: AT + 2 * HOUR)
    assert Message.objects.values_list("state", "reason").get() == ("skipped", "no_consent")


def test_the_page_of_a_case_starts_it(client, settings):
    settings.REQUIRE_STAFF_MFA = False
    made, member = win_back(), make_member(email="di@example.com")
    agree(member)
    case = unhappy(member)
    user = User.objects.create_user("m@example.com", is_staff=True)
    client.force_login(user)
    user.groups.add(Group.objects.get_or_create(name="Marketer")[0])
    page, act = reverse("admin:surveys_case_change", args=[case.pk]), reverse("admin:surveys_case_act", args=[case.pk])
    offer, shown = make_offer(name_en="Half off"), client.get(page).content.decode()
    assert f'<option value="{offer.pk}">Half off' in shown  # offers of the shop stand among the remedies
    assert f'name="journey" value="{made.pk}"' in shown
    form = {"act": "start_journey", "journey": made.pk, "key": str(uuid4())}
    said = client.post(act, form, follow=True).content.decode()
    assert "has begun for" in said
    assert "Started by staff" in said
    assert JourneyRun.objects.get().why["actor"] == user.pk
    for wrong in ({"journey": "9" * 17}, {"journey": "x"}, {"key": "x"}, {"key": str(uuid4())}):
        assert 'role="alert"' in client.post(act, form | wrong).content.decode()
    assert JourneyRun.objects.count() == 1
    user.groups.clear()
    assert client.post(act, form).status_code in (302, 403)
    assert JourneyRun.objects.count() == 1

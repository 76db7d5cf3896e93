"""Topics, how often, by the link and in the portal."""

import pytest
from django.urls import reverse

from campaigns.enums import Medium, Pace
from campaigns.models import ContactPace, Topic, TopicChoice
from campaigns.queries_pressure import room_for
from campaigns.services.preferences import UnknownTopic, choose_topic, set_first_channel, set_pace
from campaigns.services.unsubscribe import unsubscribe_url
from campaigns.tests.factories import AT, agree
from campaigns.tests.test_pressure import sent
from members.enums import Channel
from members.models import Member, TimelineEvent, User
from members.services.merging import merge_members
from members.tests.factories import JOINED, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Member:
    member = make_member()
    agree(member, at=JOINED)
    return member


@pytest.fixture
def topic() -> Topic:
    return Topic.objects.create(name_en="Name days", name_zh_hans="命名日", purpose="greetings")


def centre(member: Member) -> str:
    url = unsubscribe_url(member_id=member.pk, channel="email", purpose="greetings")
    return url.removeprefix("http://localhost:8000") + "choices/"


def choose(member: Member, topic: Topic, *, wanted: bool, source: str = "portal") -> bool:
    return choose_topic(
        member_id=member.pk, topic_id=topic.pk, channel=Channel.EMAIL, wanted=wanted, source=source, at=AT
    )


def wanted(member: Member) -> list[bool]:
    return list(TopicChoice.objects.filter(member=member).values_list("wanted", flat=True))


def test_a_word_on_a_topic_is_kept_once_and_told(member, topic):
    assert not choose(member, topic, wanted=True)  # as the consent says already
    assert choose(member, topic, wanted=False)
    assert not choose(member, topic, wanted=False)
    assert wanted(member) == [False]
    assert TimelineEvent.objects.filter(member=member, kind="consent.topic").count() == 1
    Topic.objects.update(archived=True)
    with pytest.raises(UnknownTopic):
        choose(member, topic, wanted=True)


def test_the_link_stops_a_topic_and_undoes_only_what_it_stopped(client, member, topic):
    page = client.get(centre(member)).content.decode()
    assert "Name days" in page
    assert wanted(member) == []  # looking changes nothing
    key = f"topic.{topic.pk}.email"
    assert "Undo" in client.post(centre(member), {"stop": key}).content.decode()
    assert wanted(member) == [False]
    client.post(centre(member), {"undo": key})
    assert wanted(member) == [True]
    choose(member, topic, wanted=False)  # at home
    client.post(centre(member), {"undo": key})
    assert wanted(member) == [False]
    client.post(centre(member), {"stop": "topic.999.email"})
    client.post(centre(member), {"stop": "topic.x.email"})


def test_the_link_makes_it_less_and_takes_back_only_that(client, member):
    client.post(centre(member), {"pace": "monthly"})
    assert ContactPace.objects.get(member=member).pace == Pace.MONTHLY
    sent(member, AT)
    assert room_for([member.pk], "email", AT)[member.pk].left == 0
    client.post(centre(member), {"pace": "normal"})
    assert room_for([member.pk], "email", AT)[member.pk].left is None
    set_pace(member_id=member.pk, pace=Pace.MONTHLY, source="portal", at=AT)
    client.post(centre(member), {"pace": "weekly"})
    assert ContactPace.objects.get(member=member).pace == Pace.MONTHLY


def test_the_centre_speaks_chinese(client, topic):
    member = make_member(language="zh-hans")
    agree(member, at=JOINED)
    assert "命名日" in client.get(centre(member)).content.decode()


def test_a_wish_follows_a_merge_until_another_is_said(member):
    other = make_member()
    set_pace(member_id=other.pk, pace=Pace.WEEKLY, source="portal", at=AT)
    merge_members(survivor_id=member.pk, merged_id=other.pk, at=AT, actor_id=None)
    sent(member, AT)
    set_first_channel(member_id=member.pk, channel=Medium.SMS, source="portal", at=AT)  # says nothing of how often
    assert room_for([member.pk], "email", AT)[member.pk].left == 0
    set_pace(member_id=member.pk, pace=Pace.WEEKLY, source="portal", at=AT)
    set_pace(member_id=member.pk, pace=Pace.NORMAL, source="portal", at=AT)
    assert room_for([member.pk], "email", AT)[member.pk].left is None


def test_the_portal_shows_topics_of_what_is_on_and_keeps_what_is_pressed(client, member, topic):
    user = User.objects.create_user(email=member.email, password="correct-horse-battery")
    Member.objects.filter(pk=member.pk).update(user=user)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    url = reverse("portal:consents")
    page = client.get(url).content.decode()
    assert page.count("Name days") == 1  # by e-mail; text messages were not agreed to
    client.post(url, {"say": f"topic.{topic.pk}.email:no"})
    assert wanted(member) == [False]
    client.post(url, {"say": f"topic.{topic.pk}.email:yes"})
    assert wanted(member) == [True]
    client.post(url, {"say": "pace:weekly"})
    client.post(url, {"say": "first:app"})
    wish = ContactPace.objects.get(member=member)
    assert (wish.pace, wish.first_channel) == ("weekly", "app")
    client.post(url, {"say": "first:pigeon"})
    client.post(url, {"say": "first:"})
    assert ContactPace.objects.get(member=member).first_channel == ""

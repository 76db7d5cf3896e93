"""Broadcasts from the audience to the row of each member, asked for as staff do."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.core import mail

from campaigns.content.ready import READY
from campaigns.enums import CampaignState, Medium, SuppressionReason
from campaigns.models import Broadcast, Campaign, Message, Suppression, Topic
from campaigns.queries import address_key
from campaigns.queries_broadcast_results import progress
from campaigns.queries_broadcasts import answer_for
from campaigns.services.broadcasts import control, planning
from campaigns.services.broadcasts.audience import estimate, plan_of, timing_of
from campaigns.services.broadcasts.running import run_broadcasts
from campaigns.services.delivery import deliver
from campaigns.services.preferences import choose_topic, set_first_channel
from campaigns.services.templates import save_template
from common.sql import execute
from members.enums import Channel
from members.models import Member, MemberList, MemberListEntry
from members.queries_segments import SegmentNotReady
from members.services.consent import state_consent
from members.services.segments.definitions import SegmentInUse, archive_segment, save_segment
from members.services.segments.refreshing import refresh
from members.tests.factories import JOINED, make_member
from rewards.enums import IssuedBy
from rewards.queries import balances
from rewards.services.coupons.issuing import issue_coupons
from rewards.tests.coupons import issue, make_offer

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 12, 9, tzinfo=UTC)


def version(subject="News"):
    said = {"en": "Dear {{ member.name }}", "zh-hans": "{{ member.name }}，您好"}
    content = {
        "subject": {"en": subject, "zh-hans": "新消息"},
        "sms": said,
        "blocks": [{"type": "text", "body": said, "text": said}],
    }
    return save_template(template_id=None, name="News", kind="marketing", content=content, actor_id=None, at=JOINED)


def reader(**profile) -> Member:
    member = make_member(**profile)
    state_consent(member_id=member.pk, channel="email", purpose="offers", granted=True, source="test", at=JOINED)
    return member


def many(n: int) -> None:
    """Members who want offers, by two statements."""
    Member.objects.bulk_create(Member(email=f"m{k}@example.com") for k in range(n))
    execute(
        "INSERT INTO members_consent (member_id, channel, purpose, granted, source, at)"
        " SELECT id, 'email', 'offers', true, 'test', joined_at FROM members_member"
    )


def draft(*, versions=1, campaign=None, groups=None, **values) -> Broadcast:
    made = control.create(name="Spring", actor_id=None)
    return control.edit(
        campaign_id=made.pk,
        campaign={"holdout_percent": 0, **(campaign or {})},
        broadcast={"everybody": not groups, **values},
        groups=groups,
        versions=[control.Version(version(f"News {n}").pk) for n in range(versions)],
    )


def scheduled(**values) -> Broadcast:
    return control.ask(campaign_id=draft(**values).pk, at=AT, actor_id=None)


def beat(at=AT) -> None:
    run_broadcasts(clock=lambda: at)


def rows(broadcast: Broadcast) -> dict[int, tuple[str, str]]:
    found = Message.objects.filter(campaign=broadcast.pk)
    return {member: (state, reason) for member, state, reason in found.values_list("member", "state", "reason")}


def state(broadcast: Broadcast) -> str:
    return Campaign.objects.get(pk=broadcast.pk).state


def test_each_member_gets_a_row_and_the_first_reason_that_holds():
    good = reader(email="good@example.com")
    silent = make_member(email="silent@example.com")
    nowhere, bad, gone = reader(), reader(email="bad@example.com"), reader(email="gone@example.com")
    Member.objects.filter(pk=nowhere.pk).update(email="")
    Member.objects.filter(pk=bad.pk).update(email="bad@@example")
    Suppression.objects.create(
        channel="email", address=address_key("Gone@example.com"), reason=SuppressionReason.COMPLAINT, created_at=AT
    )
    out = reader(email="out@example.com")
    listed = MemberList.objects.create(name="Staff")
    MemberListEntry.objects.create(list=listed, member=out)
    made = draft(everybody=True, groups={"lists_out": [listed]})
    told = estimate(made, at=AT)
    expected = {"excluded": 1, "no_consent": 1, "no_address": 1, "bad_address": 1, "suppressed": 1}
    assert {why.reason: why.count for why in told.whys} == expected
    assert (told.audience, told.reached, told.languages, told.channels) == (6, 1, {"en": 1}, {"email": 1})
    assert next(why.some for why in told.whys if why.reason == "suppressed") == [gone.pk]
    control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    beat()
    assert rows(made) == {
        good.pk: ("queued", ""),
        silent.pk: ("skipped", "no_consent"),
        nowhere.pk: ("skipped", "no_address"),
        bad.pk: ("skipped", "bad_address"),
        gone.pk: ("skipped", "suppressed"),
        out.pk: ("skipped", "excluded"),
    }
    assert Message.objects.get(member=good).address == address_key("good@example.com")


def test_a_segment_that_is_not_fresh_is_not_sent_to():
    berlin = reader(city="Berlin", email="b@example.com")
    reader(city="Rome", email="r@example.com")
    tree = {"trait": "city", "op": "any_of", "value": ["Berlin"]}
    segment = save_segment(names={"en": "Berlin"}, definition=tree, at=AT)
    made = draft(everybody=False, groups={"segments": [segment]})
    with pytest.raises(SegmentNotReady):
        estimate(made, at=AT)
    with pytest.raises(control.NotReady):
        control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    refresh(segment_id=segment.pk, at=AT)
    control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    with pytest.raises(SegmentInUse) as held:
        archive_segment(segment_id=segment.pk, at=AT)
    assert held.value.others == [made.campaign.name]
    beat()
    assert rows(made) == {berlin.pk: ("queued", "")}
    assert archive_segment(segment_id=segment.pk, at=AT).archived_at


def test_a_draft_that_means_nobody_or_says_nothing_is_refused():
    made = control.create(name="Empty", actor_id=None)
    with pytest.raises(control.NotReady) as refused:
        control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    assert len(refused.value.problems) == 2


def test_chunks_can_be_cut_off_anywhere_and_repeated():
    members = [reader(email=f"m{n}@example.com") for n in range(9)]
    made = scheduled(campaign={"holdout_percent": 30})
    control.begin(campaign_id=made.pk, at=AT)
    timing = timing_of(Broadcast.objects.get(pk=made.pk), at=AT)
    assert planning.take_down(campaign_id=made.pk, timing=timing, now=AT, chunk=4)
    before = rows(made)
    assert len(before) == 4
    Broadcast.objects.filter(pk=made.pk).update(cursor=0)  # as if the place had been lost
    while planning.take_down(campaign_id=made.pk, timing=timing, now=AT, chunk=4):
        pass
    after = rows(made)
    assert set(after) == {member.pk for member in members}
    assert before.items() <= after.items()
    assert Broadcast.objects.get(pk=made.pk).planned_at == AT


def test_two_members_with_one_inbox_get_one_message():
    first, second = reader(email="a@example.com"), reader(email="b@example.com")
    made = scheduled()
    control.begin(campaign_id=made.pk, at=AT)
    timing = timing_of(made, at=AT)
    planning.take_down(campaign_id=made.pk, timing=timing, now=AT, chunk=1)
    Member.objects.filter(pk=first.pk).update(email="new@example.com")  # and the other takes the inbox over
    Member.objects.filter(pk=second.pk).update(email="a@example.com")
    planning.take_down(campaign_id=made.pk, timing=timing, now=AT, chunk=9)
    assert rows(made) == {first.pk: ("queued", ""), second.pk: ("skipped", "duplicate_address")}
    assert Message.objects.get(member=second).variant == 1  # drawn, and so counted where its worth is measured


def test_hold_out_and_versions_are_drawn_once_and_for_ever():
    members = [reader(email=f"m{n}@example.com") for n in range(60)]
    made = scheduled(versions=2, campaign={"holdout_percent": 20})
    beat()
    found = rows(made)
    held = [pk for pk, row in found.items() if row == ("held", "holdout")]
    assert 3 <= len(held) <= 24
    assert len(found) == len(members)
    variants = dict(Message.objects.filter(campaign=made.pk, state="queued").values_list("member", "variant"))
    assert set(variants.values()) == {1, 2}
    plan = plan_of(Broadcast.objects.get(pk=made.pk), at=AT + timedelta(days=3))
    for pk, variant in variants.items():
        again = answer_for(plan, pk)
        assert again is not None
        assert (again.reason, again.variant) == ("", variant)
    # the same draw as the trait “draw” makes, so a segment can be made of either side
    lot = f"('x' || left(md5('{made.uid}holdout:' || id), 8))::bit(32)::bigint %% 10000 < 2000"
    drawn = Member.objects.extra(where=[lot]).values_list("pk", flat=True)
    assert sorted(drawn) == sorted(held)


def test_each_members_own_time_of_day_across_zones_and_the_change_of_clocks():
    shanghai = reader(time_zone="Asia/Shanghai", email="s@example.com")
    berlin = reader(time_zone="Europe/Berlin", email="b@example.com")
    nowhere = reader(email="x@example.com")
    Member.objects.filter(pk=nowhere.pk).update(time_zone="Mars/Base")  # known when it was saved, and not here
    # 25 October 2026: clocks go back in Berlin; 9 o'clock is 8:00 UTC, the day before it was 7:00
    made = scheduled(when="local", day=date(2026, 10, 25), hour=time(9))
    assert made.starts_at == datetime(2026, 10, 24, 19, tzinfo=UTC)
    beat(made.starts_at - timedelta(minutes=1))
    assert state(made) == CampaignState.SCHEDULED
    beat(made.starts_at)
    due = dict(Message.objects.filter(campaign=made.pk).values_list("member", "due_at"))
    assert due[shanghai.pk] == datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert due[berlin.pk] == datetime(2026, 10, 25, 8, tzinfo=UTC)
    assert due[nowhere.pk].hour in (7, 8, 9)  # the programme's zone


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("now", ("queued", AT)),
        ("next_day", ("queued", datetime(2026, 5, 13, 0, tzinfo=UTC))),
        ("skip", ("skipped", datetime(2026, 5, 12, 0, tzinfo=UTC))),
    ],
)
def test_an_hour_that_is_over(rule, expected):
    member = reader(time_zone="Asia/Shanghai", email="s@example.com")
    made = scheduled(when="local", day=date(2026, 5, 12), hour=time(8), hour_passed=rule)
    beat()
    message = Message.objects.get(member=member, campaign=made.pk)
    assert message.state == expected[0]
    assert message.due_at == max(expected[1], AT)


def test_quiet_hours_put_off():
    early = reader(time_zone="America/Los_Angeles", email="la@example.com")  # 2 in the morning
    noon = reader(time_zone="UTC", email="utc@example.com")
    made = scheduled(campaign={"quiet_from": time(21), "quiet_until": time(8)})
    beat()
    due = dict(Message.objects.filter(campaign=made.pk).values_list("member", "due_at"))
    assert due == {early.pk: datetime(2026, 5, 12, 15, tzinfo=UTC), noon.pk: AT}


def test_what_comes_too_late_is_missed_and_goes_to_just_them():
    reader(email="a@example.com")
    made = scheduled(when="moment", send_at=AT + timedelta(hours=1), late_hours=2)
    beat(AT + timedelta(hours=3))
    assert {row[0] for row in rows(made).values()} == {"missed"}
    reader(email="later@example.com")
    again = control.follow_up(campaign_id=made.pk, at=AT, actor_id=None)
    told = control.ask(campaign_id=again.pk, at=AT + timedelta(hours=4), actor_id=None)
    assert told.estimate["reached"] == 1
    beat(AT + timedelta(hours=4))
    assert list(rows(again)) == list(rows(made))


def test_pause_resume_and_cancel():
    for n in range(3):
        reader(email=f"m{n}@example.com")
    made = scheduled()
    control.begin(campaign_id=made.pk, at=AT)
    control.pause(campaign_id=made.pk, why="looking")
    beat()
    assert rows(made) == {}
    control.resume(campaign_id=made.pk, at=AT)
    beat()
    assert len(rows(made)) == 3
    # What a pause takes from a worker's hands waits a minute, as if the server were in trouble; not when it goes on.
    Message.objects.update(next_try_at=AT + timedelta(minutes=1))
    put_off = Message.objects.order_by("pk").last()
    Message.objects.filter(pk=put_off.pk).update(attempts=1)
    control.pause(campaign_id=made.pk, why="")
    control.resume(campaign_id=made.pk, at=AT)
    assert list(Message.objects.order_by("pk").values_list("next_try_at", flat=True)) == [AT, AT, put_off.next_try_at]
    execute(
        "UPDATE campaigns_message SET state = 'claimed', lease_until = now(), token = gen_random_uuid()"
        " WHERE id = (SELECT min(id) FROM campaigns_message)"
    )
    control.cancel(campaign_id=made.pk, at=AT)
    beat()
    assert set(rows(made).values()) == {("cancelled", "campaign_cancelled")}
    assert (progress(made.pk, at=AT).over, progress(made.pk, at=AT).meant) == (0, 3)  # nobody got it
    with pytest.raises(control.WrongState):
        control.resume(campaign_id=made.pk, at=AT)


def test_many_need_a_second_person(django_user_model):
    asks, says = (django_user_model.objects.create(email=f"{name}@example.com") for name in ("asks", "says"))
    reader(email="a@example.com")
    settings = control.get_settings()
    settings.approval_above = 0
    settings.save()
    made = control.ask(campaign_id=draft().pk, at=AT, actor_id=asks.pk)
    assert state(made) == CampaignState.WAITING
    with pytest.raises(control.SamePerson):
        control.approve(campaign_id=made.pk, at=AT, actor_id=asks.pk)
    control.take_back(campaign_id=made.pk, why="Wrong day")  # the second person said no
    made.campaign.refresh_from_db()
    assert (made.campaign.state, made.campaign.paused_why) == (CampaignState.DRAFT, "Wrong day")
    control.ask(campaign_id=made.pk, at=AT, actor_id=asks.pk)
    made.campaign.refresh_from_db()
    assert (made.campaign.state, made.campaign.paused_why) == (CampaignState.WAITING, "")
    control.approve(campaign_id=made.pk, at=AT, actor_id=says.pk)
    beat()
    assert len(rows(made)) == 1


def test_a_segment_changed_in_between_stops_it():
    reader(city="Berlin", email="b@example.com")
    tree = {"trait": "city", "op": "any_of", "value": ["Berlin"]}
    segment = save_segment(names={"en": "Berlin"}, definition=tree, at=AT)
    refresh(segment_id=segment.pk, at=AT)
    made = scheduled(everybody=False, groups={"segments": [segment]})
    control.begin(campaign_id=made.pk, at=AT)
    segment.version += 1
    segment.save()
    beat()
    assert state(made) == CampaignState.PAUSED


def test_the_rest_waits_for_the_better_version():
    many(400)
    made = scheduled(versions=2, test_percent=50, test_hours=4, minimum=30, late_hours=48)
    beat()
    waiting = Message.objects.filter(campaign=made.pk, due_at__gte=AT + timedelta(hours=4))
    tested = Message.objects.filter(campaign=made.pk, due_at=AT)
    assert 150 <= tested.count() <= 250
    assert waiting.count() + tested.count() == 400
    assert not waiting.filter(next_try_at__lt=AT + timedelta(days=3650)).exists()
    tested.update(state="sent", sent_at=AT, frozen_at=AT)
    tested.filter(variant=2).update(clicked_at=AT)
    beat(AT + timedelta(hours=4))
    made.refresh_from_db()
    assert made.verdict["winner"] == 2
    left = Message.objects.filter(campaign=made.pk, state="queued")
    assert set(left.values_list("variant", flat=True)) == {2}
    assert not left.exclude(next_try_at__lte=AT + timedelta(days=2)).exists()
    left.update(state="sent", sent_at=AT, frozen_at=AT)
    beat(AT + timedelta(hours=5))
    assert state(made) == CampaignState.DONE


def test_the_first_channel_that_reaches_a_member(django_user_model):
    both = reader(email="both@example.com", phone="+4915112345678")
    phone, pages = make_member(phone="+4915112345679"), make_member(email="pages@example.com")
    writer, wishes = reader(phone="+4915112345680"), reader(phone="+4915112345681")
    for member in (writer, wishes):  # the second has not agreed to what they like best
        set_first_channel(member_id=member.pk, channel=Medium.SMS, source="portal", at=AT)
    for member, channel in ((both, "sms"), (phone, "sms"), (pages, "sms"), (writer, "sms")):
        execute(
            "INSERT INTO members_consent (member_id, channel, purpose, granted, source, at)"
            " VALUES (%s, %s, 'offers', true, 'test', now())",
            [member.pk, channel],
        )
    account = django_user_model.objects.create(email="pages@example.com")
    Member.objects.filter(pk=pages.pk).update(user=account)
    made = scheduled(campaign={"channels": ["email", "sms", "app"]})
    beat()
    ways = dict(Message.objects.filter(campaign=made.pk, state="queued").values_list("member", "channel"))
    told = {both.pk: "email", phone.pk: "sms", pages.pk: "app", writer.pk: "sms", wishes.pk: "email"}
    assert ways == told


def test_who_let_go_of_the_topic_gets_nothing_of_it():
    topic = Topic.objects.create(name="Concerts", purpose="offers")
    member, other = reader(email="a@example.com"), reader(email="b@example.com")
    choose_topic(member_id=member.pk, topic_id=topic.pk, channel=Channel.EMAIL, wanted=False, source="test", at=JOINED)
    made = scheduled(campaign={"topic": topic})
    beat()
    assert rows(made) == {member.pk: ("skipped", "topic_off"), other.pk: ("queued", "")}
    choose_topic(member_id=other.pk, topic_id=topic.pk, channel=Channel.EMAIL, wanted=False, source="test", at=AT)
    assert deliver(clock=lambda: AT) == 0
    assert rows(made)[other.pk] == ("skipped", "topic_off")


def test_gift_and_words_go_out_once():
    member = reader(name="Mei", email="mei@example.com", language="zh-hans")
    made = draft(gift_points=50, gift_valid_days=None)
    said = [control.Version(made.variants.get().version_id, {"zh-hans": "{{ member.name }}的{{ gift.points }}积分"})]
    control.edit(campaign_id=made.pk, versions=said)
    control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    beat()
    assert deliver(clock=lambda: AT) == 1
    message = Message.objects.get(campaign=made.pk)
    assert (message.state, message.subject) == ("sent", "Mei的50积分")
    assert "Mei，您好" in mail.outbox[0].body
    assert message.gift.amount == 50
    assert balances([member.pk])[member.pk] == 50
    beat(AT + timedelta(minutes=1))
    assert state(made) == CampaignState.DONE


def test_the_coupon_that_is_shown_is_the_one_that_came_with_it():
    member, offer = reader(email="a@example.com"), make_offer()
    blocks = [{"type": "coupon", "offer": None}, {"type": "coupon", "offer": offer.pk}]
    content = {**READY["welcome"].content, "blocks": blocks}
    said = save_template(template_id=None, name="C", kind="marketing", content=content, actor_id=None, at=AT)
    made = draft(offer=offer)
    control.edit(campaign_id=made.pk, versions=[control.Version(said.pk)])
    control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    beat()
    message = Message.objects.get(campaign=made.pk)
    keys, by = [f"message:{message.uid}"], {"member_ids": [member.pk], "issued_by": IssuedBy.MESSAGE}
    (given,) = issue_coupons(offer_id=offer.pk, keys=keys, at=AT, **by)  # by a hand-over before this one
    newer = issue(offer, member, at=AT + timedelta(minutes=1))
    assert deliver(clock=lambda: AT + timedelta(minutes=2)) == 1
    body = mail.outbox[0].body.replace("-", "")
    assert body.count(given.code.replace("-", "")) == 2
    assert newer.code.replace("-", "") not in body


def test_text_messages_without_a_short_text_do_not_go_out():
    bare = {"subject": {"en": "News"}, "blocks": [{"type": "text", "text": {"en": "Dear you"}}]}
    made = draft(campaign={"channels": ["email", "sms"]})
    version_id = save_template(
        template_id=None, name="Bare", kind="marketing", content=bare, actor_id=None, at=JOINED
    ).pk
    control.edit(campaign_id=made.pk, versions=[control.Version(version_id)])
    with pytest.raises(control.NotReady, match="“Bare” has no short text"):
        control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    member = make_member(phone="+4915112345670")
    state_consent(member_id=member.pk, channel="sms", purpose="offers", granted=True, source="test", at=JOINED)
    control.edit(campaign_id=made.pk, campaign={"channels": ["app", "sms"]}, versions=[control.Version(version().pk)])
    control.ask(campaign_id=made.pk, at=AT, actor_id=None)
    execute("UPDATE campaigns_broadcastvariant SET version_id = %s", [version_id])  # as a journey may have it
    beat()
    deliver(clock=lambda: AT)
    message = Message.objects.get(member=member)
    assert (message.state, message.error) == ("failed", "The template has no short text.")


def test_a_slow_broadcast_gives_its_gifts_as_its_messages_leave():
    for n in range(8):
        reader(email=f"slow{n}@example.com")
    made = scheduled(gift_points=5, gift_valid_days=None, campaign={"rate_per_minute": 20})
    beat()
    assert deliver(clock=lambda: AT) == 2
    assert Message.objects.exclude(gift=None).count() == 2
    control.cancel(campaign_id=made.pk, at=AT)
    beat()
    assert Counter(state for state, _why in rows(made).values()) == {"sent": 2, "cancelled": 6}
    assert Message.objects.exclude(gift=None).count() == 2

"""A broadcast as two people of the shop make it, page by page, and as it leaves by a real mail server."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from campaigns.enums import SuppressionReason
from campaigns.models import Broadcast, CampaignSettings, Message, Suppression
from campaigns.queries import address_key
from campaigns.queries_broadcast_results import progress
from campaigns.services.broadcasts.running import run_broadcasts
from campaigns.services.delivery import deliver
from campaigns.tests.conftest import sink  # noqa: F401 (a fixture)
from campaigns.tests.test_broadcasts import reader, version
from common.sql import execute
from members.models import MemberList, MemberListEntry
from members.services.segments import refresh, save_segment
from members.tests.factories import make_member

pytestmark = pytest.mark.django_db


def page(name: str, *args) -> str:
    return reverse(f"admin:campaigns_broadcast_{name}", args=args)


def group_of(city: str) -> int:
    tree = {"trait": "city", "op": "any_of", "value": [city]}
    made = save_segment(names={"en": city, "zh-hans": city}, definition=tree, at=now())
    refresh(segment_id=made.pk, at=now())
    return made.pk


def lets_go(after: timedelta = timedelta()) -> None:
    """What the beat does, by the clock of a moment later. Its pace goes by the database's clock."""
    execute("UPDATE campaigns_bucket SET at = at - %s", [after])
    run_broadcasts(clock=lambda: now() + after)
    deliver(clock=lambda: now() + after)


def test_two_people_make_one_and_it_stops_when_they_say_so(desk, sink):  # noqa: F811
    marketer, manager = desk("Marketer"), desk("Manager")
    CampaignSettings.objects.update_or_create(pk=1, defaults={"approval_above": 2})
    good = [reader(email=f"b{n}@example.com", name=f"Ann {n}", city="Berlin") for n in range(3)]
    listed = reader(email="listed@example.com", city="Rome")
    reader(email="nobody@example.com", city="Rome")  # in no group
    make_member(email="silent@example.com", city="Berlin")
    complained = reader(email="complained@example.com", city="Berlin")
    out = reader(email="out@example.com", city="Berlin")
    Suppression.objects.create(
        channel="email", address=address_key(complained.email), reason=SuppressionReason.COMPLAINT, created_at=now()
    )
    friends, staff = MemberList.objects.create(name="Friends"), MemberList.objects.create(name="Staff")
    MemberListEntry.objects.create(list=friends, member=listed)
    MemberListEntry.objects.create(list=staff, member=out)

    who = {"name": "Spring", "purpose": "offers", "channel": "email", "segments": [group_of("Berlin")]}
    who |= {"lists": [friends.pk], "segments_out": [group_of("Paris")], "lists_out": [staff.pk]}
    assert marketer.post(page("add"), {**who, "name": ""}).status_code == 200
    answer = marketer.post(page("add"), who)
    made = Broadcast.objects.get()
    assert answer.url == page("content", made.pk)
    said = {"template_1": version("Spring is here").template.pk, "share_1": 1, "minutes_1": 0, "gift_points": 0}
    said |= {"metric": "clicks", "minimum": 100, "test_percent": 100, "test_hours": 24}
    assert marketer.post(page("content", made.pk), said).url == page("when", made.pk)
    when = {"when": "now", "hour_passed": "skip", "late_hours": 24, "priority": 50, "holdout_percent": 0}
    when |= {"goal_days": 14, "rate_per_minute": 1}
    assert marketer.post(page("when", made.pk), when).url == page("check", made.pk)

    counted = marketer.get(page("estimate", made.pk)).context
    assert (counted["estimate"].audience, counted["estimate"].reached) == (7, 4)
    reasons = {why.reason: why.count for why in counted["estimate"].whys}
    assert reasons == {"excluded": 1, "no_consent": 1, "suppressed": 1}
    assert "It waits until somebody else has approved it." in marketer.get(page("ask", made.pk)).content.decode()
    lets_go()
    assert not Message.objects.exists()  # nothing leaves that nobody asked for
    marketer.post(page("ask", made.pk), {"confirmed": "1"})
    assert marketer.post(page("approve", made.pk), {"confirmed": "1"}).status_code == 403
    lets_go()
    assert sink.kept == []
    assert "asked to send it to 4 members" in manager.get(page("approve", made.pk)).content.decode()
    manager.post(page("approve", made.pk), {"confirmed": "1"})

    lets_go()
    assert [mail["Subject"] for mail in sink.kept] == ["Spring is here"]  # one a minute
    marketer.post(page("pause", made.pk), {"confirmed": "1"})
    lets_go(timedelta(minutes=3))
    assert len(sink.kept) == 1
    marketer.post(page("resume", made.pk), {"confirmed": "1"})
    lets_go(timedelta(minutes=5))
    assert len(sink.kept) == 2
    assert "2 members have got it already: that stays so." in marketer.get(page("cancel", made.pk)).content.decode()
    marketer.post(page("cancel", made.pk), {"confirmed": "1"})
    lets_go(timedelta(minutes=30))
    assert len({mail["To"] for mail in sink.kept}) == len(sink.kept) == 2
    assert {mail["To"] for mail in sink.kept} <= {member.email for member in (*good, listed)}
    shown = progress(made.pk, at=now())
    assert (shown.states["sent"], shown.states["cancelled"], shown.waiting) == (2, 2, 0)
    assert "Cancelled" in marketer.get(page("change", made.pk)).content.decode()

    marketer.post(page("follow", made.pk), {"confirmed": "1"})
    again = Broadcast.objects.exclude(pk=made.pk).get()
    marketer.post(page("ask", again.pk), {"confirmed": "1"})
    lets_go(timedelta(minutes=60))
    lets_go(timedelta(minutes=90))
    assert sorted(mail["To"] for mail in sink.kept) == sorted(member.email for member in (*good, listed))

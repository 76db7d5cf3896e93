"""A birthday greeting that is switched on, and members who want it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from campaigns.models import BirthdayGreeting, Message
from campaigns.services.birthdays import plan
from campaigns.services.greeting import get_greeting
from members.models import Member
from members.services.consent import state_consent
from members.tests.factories import JOINED, make_member

SHANGHAI, LOS_ANGELES = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/Los_Angeles")


def switch_on(*, at: datetime = JOINED, **settings) -> BirthdayGreeting:
    """The birthday greeting, on since `at` and looked at last then: by default long ago, at nine, without a gift."""
    get_greeting()
    values = {"active": True, "active_since": at, "last_checked_at": at, **settings}
    BirthdayGreeting.objects.filter(pk=1).update(**values)
    return BirthdayGreeting.objects.get(pk=1)


def celebrant(month: int, day: int, *, consent: bool = True, **profile) -> Member:
    """A member with this birthday, who agreed to greetings by e-mail unless told otherwise."""
    member = make_member(birthday_month=month, birthday_day=day, **profile)
    if consent:
        agree(member, at=JOINED)
    return member


def agree(member: Member, *, at: datetime, granted: bool = True) -> None:
    state_consent(member_id=member.pk, channel="email", purpose="greetings", granted=granted, source="test", at=at)


def planned(member: Member, day: datetime) -> Message:
    """The member's message after a look at `day`, noon UTC of a day that was looked at in the morning."""
    plan(at=day)
    return Message.objects.get(member=member)


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)

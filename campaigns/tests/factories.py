"""A birthday greeting that is switched on, and members who want it."""

from datetime import UTC, datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from campaigns.channels import Outgoing
from campaigns.enums import CampaignState
from campaigns.models import BirthdayGreeting, Campaign, Message, TemplateVersion
from campaigns.services.birthdays import plan
from campaigns.services.claims import LEASE, claim
from campaigns.services.content import freeze
from campaigns.services.delivery import deliver
from campaigns.services.greeting import birthday_campaign, get_greeting, version_of
from campaigns.services.senders import default_sender
from members import queries as member_queries
from members.models import Member
from members.services.consent import state_consent
from members.tests.factories import JOINED, make_member

SHANGHAI, LOS_ANGELES = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/Los_Angeles")


def say(text: str, subject: str = "Happy birthday") -> None:
    """Gives the greeting's template a version that says this; unchecked, for texts that break."""
    newest = version_of(get_greeting())
    TemplateVersion.objects.create(
        template=newest.template, number=newest.number + 1, subject={"en": subject, "zh-hans": subject},
        blocks=[{"type": "text", "text": {"en": text, "zh-hans": text}}], created_at=JOINED,
    )  # fmt: skip


def switch_on(*, at: datetime = JOINED, **settings) -> BirthdayGreeting:
    """The birthday greeting, on since `at` and looked at last then: by default long ago, at nine, without a gift."""
    get_greeting()
    values = {"active": True, "active_since": at, "last_checked_at": at, **settings}
    BirthdayGreeting.objects.filter(pk=1).update(**values)
    Campaign.objects.filter(pk=birthday_campaign().pk).update(state=CampaignState.RUNNING)
    return BirthdayGreeting.objects.get(pk=1)


def celebrant(month: int, day: int, *, consent: bool = True, **profile) -> Member:
    """A member with this birthday, who agreed to greetings by e-mail unless told otherwise."""
    member = make_member(birthday_month=month, birthday_day=day, **profile)
    if consent:
        agree(member, at=JOINED)
    return member


def agree(member: Member, *, at: datetime, granted: bool = True) -> None:
    state_consent(member_id=member.pk, channel="email", purpose="greetings", granted=granted, source="test", at=at)


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)


AT = utc(2026, 5, 12, 9)


def due(count: int = 1, **settings) -> list[Message]:
    """Members whose greeting is due at AT, and their messages."""
    switch_on(at=utc(2026, 5, 11), **settings)
    for _ in range(count):
        celebrant(5, 12)
    plan(at=AT)
    return list(Message.objects.order_by("pk"))


def run(at=AT) -> int:
    return deliver(clock=lambda: at)


def taken(at=AT, limit: int = 100) -> tuple[UUID, list[int]]:
    """What a worker claimed that then died: the token, and which messages."""
    token = uuid4()
    return token, claim(sender_id=default_sender("email").pk, token=token, at=at, limit=limit)


def written(at=AT) -> tuple[UUID, list[Outgoing]]:
    """What a worker made ready to leave."""
    token, ids = taken(at)
    return token, freeze(ids=ids, token=token, at=at, lease=at + LEASE, sender=default_sender("email"))


def states() -> list[str]:
    return list(Message.objects.order_by("pk").values_list("state", flat=True))


def told(message: Message) -> list[str]:
    events = member_queries.timeline(message.member_id)
    return [event.kind for event in events if event.kind.startswith("message.")]

"""The birthday greeting: its settings, and what its messages say and bring."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.utils.translation import gettext_noop, override

from campaigns import merge
from campaigns.content.compiled import Compiled, Content, compiled
from campaigns.content.ready import READY
from campaigns.enums import CampaignKind, CampaignPurpose, CampaignState, TemplateKind
from campaigns.merge import Number, Recipient
from campaigns.models import BirthdayGreeting, Campaign, Message, TemplateVersion
from campaigns.queries import zone_of
from campaigns.services.templates import example, newest_version, save_template
from campaigns.services.trying import shown
from campaigns.services.writers import Written, register_writer
from members.models import Member
from rewards.services.gifts import Gift, give_points

EDITABLE = (
    "active",
    "template",
    "send_hour",
    "days_ahead",
    "gift_points",
    "gift_valid_days",
    "catch_up_hours",
)


@transaction.atomic
def get_greeting() -> BirthdayGreeting:
    """The settings; made with the ready template, and switched off, where there are none yet."""
    greeting = BirthdayGreeting.objects.select_related("template").get_or_create(pk=1)[0]
    if greeting.template_id is None:
        greeting.template = _ready()
        greeting.save(update_fields=["template"])
    return greeting


def _ready():
    from django.utils.timezone import now

    ready = READY["birthday"]
    with override("en"):
        name = str(ready.name)
    kind = TemplateKind.MARKETING
    return save_template(
        template_id=None, name=name, kind=kind, content=ready.content, actor_id=None, at=now()
    ).template


def birthday_campaign() -> Campaign:
    """What the greetings hang on. It runs as long as the greeting is switched on."""
    values = {"purpose": CampaignPurpose.GREETINGS, "state": CampaignState.PAUSED, "holdout_percent": 0}
    return Campaign.objects.get_or_create(kind=CampaignKind.BIRTHDAY, defaults=values)[0]


@transaction.atomic
def save_greeting(*, greeting: BirthdayGreeting, at: datetime) -> BirthdayGreeting:
    """Saves what people may edit. Switching it on starts with today's birthdays: none before count as missed.

    ValidationError, by field, where a value cannot be.
    """
    greeting.pk = 1
    greeting.full_clean(validate_unique=False, validate_constraints=False)
    get_greeting()
    was_active = BirthdayGreeting.objects.select_for_update().values_list("active", flat=True).get(pk=1)
    changed = list(EDITABLE)
    if greeting.active and not was_active:
        greeting.active_since = greeting.last_checked_at = at
        changed += ["active_since", "last_checked_at"]
    greeting.save(force_update=True, update_fields=changed)  # a beat may have moved last_checked_at meanwhile
    state = CampaignState.RUNNING if greeting.active else CampaignState.PAUSED
    Campaign.objects.filter(pk=birthday_campaign().pk).update(state=state)
    return greeting


# --- what it says --------------------------------------------------------------------------------------------------
def version_of(greeting: BirthdayGreeting) -> TemplateVersion:
    """What the greeting says now."""
    return newest_version(greeting.template_id or 0)


def recipient_of(member: Member, birthday: date, greeting: BirthdayGreeting, at: datetime) -> Recipient:
    """A member as the reader of the greeting for one birthday."""
    expires_on = None
    if greeting.gift_points and greeting.gift_valid_days:
        expires_on = at.astimezone(zone_of(member)).date() + timedelta(days=greeting.gift_valid_days)
    return Recipient(member, member.language, at, birthday, greeting.gift_points, expires_on)


def write(messages: Sequence[Message], at: datetime) -> list[Written]:
    """The gift is given once a year, whatever becomes of the attempt: its key holds the year."""
    greeting = get_greeting()
    version = version_of(greeting)
    readers = [recipient_of(one.member, one.occurrence_day or at.date(), greeting, at) for one in messages]
    given: dict[str, int] = {}
    keys = [f"birthday:{one.member_id}:{one.occurrence_year}" for one in messages]
    if greeting.gift_points:
        gifts = [_gift(one, reader, key) for one, reader, key in zip(messages, readers, keys, strict=True)]
        given = give_points(gifts=gifts, at=at)
    spaces = set().union(*(compiled(version.pk, language).spaces for language in {one.language for one in readers}))
    return [
        Written(version_id=version.pk, language=reader.language, values=dict(values), gift_id=given.get(key))
        for reader, values, key in zip(readers, merge.values(readers, spaces), keys, strict=True)
    ]


def _gift(message: Message, reader: Recipient, key: str) -> Gift:
    last_day = reader.gift_expires_on
    day = message.occurrence_day.isoformat() if message.occurrence_day else ""
    return Gift(
        member_id=message.member_id,
        amount=reader.gift_points,
        key=key,
        reason=gettext_noop("Birthday gift"),
        expires_at=datetime.combine(last_day + timedelta(days=1), time(), zone_of(reader.member)) if last_day else None,
        why={"campaign": CampaignKind.BIRTHDAY.value, "message": message.pk, "day": day},
    )


def preview(
    greeting: BirthdayGreeting,
    *,
    language: str,
    at: datetime,
    member: Member | None = None,
    birthday: date | None = None,
) -> Content:
    """The greeting as a member would get it, or a made-up one; the gift is shown and not given. LiquidError."""
    made = compiled(version_of(greeting).pk, language)
    with override(made.language):
        values = example()
        reader = recipient_of(member or Member(time_zone="UTC"), birthday or at.date(), greeting, at)
        if member is not None:
            said = Recipient(member, made.language, at, reader.birthday, reader.gift_points, reader.gift_expires_on)
            values |= merge.values([said], made.spaces)[0]
        else:
            points, until = Number(greeting.gift_points), merge.day(reader.gift_expires_on)
            values |= {"gift": {"points": points, "expires_on": until}}
    return _framed(made, values)


def _framed(made: Compiled, values: dict) -> Content:
    content = made.render(values)
    return Content(content.subject, content.preheader, content.text, shown(content, dark=False), {})


def register() -> None:
    register_writer(CampaignKind.BIRTHDAY, write)

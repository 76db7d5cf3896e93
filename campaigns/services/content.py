"""Writing messages: the last look at who may be written to, the gift, and the words, in one transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from uuid import UUID

import structlog
from django.db import DEFAULT_DB_ALIAS, transaction
from django.utils.translation import gettext, override
from liquid.exceptions import LiquidError

from campaigns import events, merge
from campaigns.channels import Outgoing
from campaigns.content.compiled import Compiled, compiled
from campaigns.content.look import one_look
from campaigns.enums import CampaignKind, Medium, MessageState, SkipReason
from campaigns.merge import Recipient
from campaigns.models import Campaign, Message, Sender
from campaigns.queries import ADDRESS, ADDRESS_KEY, UNSENT_SQL, known_in_app
from campaigns.services.birthdays import record_missed
from campaigns.services.boot import boot_uid
from campaigns.services.claims import AGREED, SUPPRESSED
from campaigns.services.envelopes import Envelope, links_of
from campaigns.services.objections import Held, Objection, objections
from campaigns.services.writers import Writer, writer_of
from common.sql import execute, fetch_prepared
from members.models import Member

log = structlog.get_logger(__name__)

# Where a message would go now, and what that address is known by.
_TO = f"""CASE message.channel WHEN 'email' THEN {ADDRESS[Medium.EMAIL]} WHEN 'sms' THEN {ADDRESS[Medium.SMS]}
         WHEN 'app' THEN {ADDRESS[Medium.APP]} ELSE {ADDRESS[Medium.WEBHOOK]} END"""
_KEY = f"CASE WHEN {_TO} <> '' THEN {ADDRESS_KEY.format(_TO)} END"
_HELD = f"""
SELECT message.id, message.uid, message.member_id, message.channel, message.campaign_id, campaign.kind,
       campaign.purpose, campaign.priority, campaign.counts_for_cap, campaign.rate_per_minute,
       campaign.quiet_from, campaign.quiet_until,
       member.time_zone, message.occurrence_day, message.occurrence_year, message.version_id, message.frozen_at,
       message.language, message.subject, message."values", message.text, message.attempts,
       message.next_try_at, message.expires_at, {_TO}, member.card_number,
       {SUPPRESSED.format(address=_KEY)},
       message.address IS DISTINCT FROM {_KEY} AND EXISTS (
           SELECT FROM campaigns_message AS other
           WHERE other.campaign_id = message.campaign_id AND other.occurrence = message.occurrence
             AND other.channel = message.channel AND other.address = {_KEY} AND other.id <> message.id
             AND other.state NOT IN ({UNSENT_SQL})),
       {AGREED}, message.gift_id, message.occurrence, message.variant, message.why, message.due_at
FROM campaigns_message AS message JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id
JOIN members_member AS member ON member.id = message.member_id
{known_in_app("message.channel = 'webhook'")}
WHERE message.id = ANY(%(ids)s) AND message.token = %(token)s AND message.state = 'claimed'
ORDER BY message.id FOR NO KEY UPDATE OF message
"""
_FREEZE = f"""
UPDATE campaigns_message AS message
SET state = 'handing_over', boot = %(boot)s, lease_until = %(lease)s, frozen_at = coalesce(frozen_at, %(at)s),
    language = new.language, "to" = new.destination, subject = new.subject, "values" = new.said,
    text = new.text, version_id = new.version_id, gift_id = coalesce(new.gift_id, message.gift_id),
    address = CASE WHEN new.destination <> '' THEN {ADDRESS_KEY.format("new.destination")} END
FROM unnest(%(ids)s::bigint[], %(languages)s::text[], %(tos)s::text[], %(subjects)s::text[], %(saids)s::jsonb[],
            %(texts)s::text[], %(gifts)s::bigint[], %(versions)s::bigint[])
     AS new (id, language, destination, subject, said, text, gift_id, version_id)
WHERE message.id = new.id
"""


@one_look()
@transaction.atomic
def freeze(*, ids: Sequence[int], token: UUID, at: datetime, lease: datetime, sender: Sender) -> list[Outgoing]:
    """Makes claimed messages ready to leave, and says so in their rows; the others are settled: skipped, put off or
    missed with the reason, or failed because the text cannot be made. Content and gift of an earlier attempt stay as
    they are; the address is the member's present one."""
    held = [Held(*row) for row in fetch_prepared(_HELD, {"ids": list(ids), "token": token, "at": at})]
    members = Member.objects.in_bulk([message.member_id for message in held])
    against = {message.id: Objection(reason) for message in held if (reason := _reason(message, members))}
    free = [one for one in held if one.id not in against and one.purpose != "service"]
    against |= objections(free, at)
    _object(held, against, at)
    left = [message for message in held if message.id not in against]
    failed = _write(left, members, at)
    ready = [message for message in left if message.id not in failed]
    _fail(failed, at)
    fetch_prepared(
        _FREEZE,
        {
            "boot": boot_uid(),
            "lease": lease,
            "at": at,
            "ids": [one.id for one in ready],
            "languages": [one.language for one in ready],
            "tos": [one.to for one in ready],
            "subjects": [one.subject[:500] for one in ready],
            "saids": [json.dumps(one.values) for one in ready],
            "texts": [one.text for one in ready],
            "gifts": [one.gift_id for one in ready],
            "versions": [one.version_id for one in ready],
        },
    )
    # As they were claimed: what comes last in a chunk waits for the others, and goes back if the server hangs.
    ready.sort(key=lambda one: (one.purpose != "service", -one.priority, one.next_try_at, one.id))
    envelope = Envelope(sender)
    return [envelope.outgoing(message, at) for message in ready]


def _reason(message: Held, members: Mapping[int, Member]) -> SkipReason | None:
    if message.purpose != "service" and not message.agreed:
        return SkipReason.NO_CONSENT
    if not message.to:
        return SkipReason.NO_ADDRESS
    if message.is_suppressed:
        return SkipReason.SUPPRESSED
    if message.is_double:
        return SkipReason.DUPLICATE_ADDRESS
    if message.frozen_at is None and message.kind == CampaignKind.BIRTHDAY:
        birthday = members[message.member_id].birthday
        if birthday is None or birthday.falls_on(message.occurrence_year) != message.occurrence_day:
            return SkipReason.BIRTHDAY_CHANGED
    return None


def _object(held: Sequence[Held], against: Mapping[int, Objection], at: datetime) -> None:
    """Skips, puts off or gives up."""
    if not against:
        return
    ends = {message.id: message.expires_at for message in held}
    off = {pk: one for pk, one in against.items() if one.until is not None and one.until < ends[pk]}
    execute(
        """
        UPDATE campaigns_message AS message
        SET state = new.state, reason = new.reason, lease_until = NULL, token = NULL, changed_at = %(at)s,
            next_try_at = coalesce(new.next_try_at, message.next_try_at),
            attempts = message.attempts - CASE WHEN new.state = 'queued' THEN 1 ELSE 0 END
        FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(reasons)s::text[], %(nexts)s::timestamptz[])
             AS new (id, state, reason, next_try_at) WHERE message.id = new.id
        """,
        {
            "at": at,
            "ids": list(against),
            "states": ["queued" if pk in off else "missed" if one.until else "skipped" for pk, one in against.items()],
            "reasons": ["" if pk in off else one.reason.value for pk, one in against.items()],
            "nexts": [one.until if pk in off else None for pk, one in against.items()],
        },
    )
    if any(one.until and pk not in off for pk, one in against.items()):
        record_missed(at=at)


def _fail(failed: Mapping[int, str], at: datetime) -> None:
    if failed:
        execute(
            "UPDATE campaigns_message AS message SET state = 'failed', error = new.error, lease_until = NULL,"
            " token = NULL, changed_at = %(at)s FROM unnest(%(ids)s::bigint[], %(errors)s::text[]) AS new (id, error)"
            " WHERE message.id = new.id",
            {"at": at, "ids": list(failed), "errors": list(failed.values())},
        )
        events.record_messages(events.MESSAGE_FAILED, list(failed), at)


# --- the words ---------------------------------------------------------------------------------------------------
def _write(messages: Sequence[Held], members: Mapping[int, Member], at: datetime) -> dict[int, str]:
    """Fills in language, subject and what the fields say, where that was not done before; the errors by id."""
    new = [message for message in messages if message.frozen_at is None]
    for message in new:
        message.language = members[message.member_id].language
    errors: dict[int, str] = {}
    for kind in sorted({message.kind for message in new}):
        of_kind = [message for message in new if message.kind == kind]
        writer = writer_of(kind)
        if writer is not None:
            errors |= _write_by(writer, of_kind, members, at)
        else:
            errors |= _write_versions(of_kind, members, at)
    return errors


def _write_by(writer: Writer, messages: Sequence[Held], members: Mapping[int, Member], at: datetime) -> dict[int, str]:
    """What the campaign's own kind says."""
    campaigns = Campaign.objects.in_bulk({message.campaign_id for message in messages})
    rows = [_row(one, campaigns[one.campaign_id], members[one.member_id]) for one in messages]
    errors: dict[int, str] = {}
    found = lru_cache(compiled)  # asks the database each time whether the brand has changed: once a chunk will do
    for message, said in zip(messages, writer(rows, at), strict=True):
        message.version_id, message.language, message.values = said.version_id, said.language, said.values
        message.gift_id = said.gift_id if said.gift_id is not None else message.gift_id
        template = found(said.version_id, said.language)
        try:
            with override(template.language):
                _say(template, message, said.subject, said.text)
        except LiquidError as error:
            errors[message.id] = str(error)
    if errors:  # the gift stays the member's, and its message knows of it
        execute(
            "UPDATE campaigns_message AS message SET gift_id = new.gift FROM unnest(%s::bigint[], %s::bigint[])"
            " AS new (id, gift) WHERE message.id = new.id",
            [list(errors), [one.gift_id for one in messages if one.id in errors]],
        )
    return errors


_TOLD = [field.attname for field in Message._meta.concrete_fields if field.attname in Held.__slots__]
_told, _TOLD_SET = attrgetter(*_TOLD), frozenset(_TOLD)


def _row(message: Held, campaign: Campaign, member: Member) -> Message:
    """As if it had just been read: making one anew would work out every default first, which costs more than a mail."""
    row = Message.from_db(DEFAULT_DB_ALIAS, _TOLD_SET, _told(message))
    row.campaign, row.member, row.state = campaign, member, MessageState.CLAIMED
    return row


def _write_versions(messages: Sequence[Held], members: Mapping[int, Member], at: datetime) -> dict[int, str]:
    errors: dict[int, str] = {}
    groups: dict[tuple[int, str], list[Held]] = {}
    for message in messages:
        groups.setdefault((message.version_id or 0, message.language), []).append(message)
    for (version_id, language), group in groups.items():
        errors |= _write_version(compiled(version_id, language), group, members, at)
    return errors


def _write_version(
    template: Compiled, messages: Sequence[Held], members: Mapping[int, Member], at: datetime
) -> dict[int, str]:
    errors = {}
    recipients = [
        Recipient(members[one.member_id], template.language, at, one.occurrence_day or at.date()) for one in messages
    ]
    all_said = merge.values(recipients, template.spaces)
    with override(template.language):
        for message, said in zip(messages, all_said, strict=True):
            message.values = said
            try:
                _say(template, message)
            except LiquidError as error:
                errors[message.id] = str(error)
    return errors


def _say(template: Compiled, message: Held, subject: str = "", short: str = "") -> None:
    """The parts that are kept beside the values: the subject, and the text of what is not a mail, `short` where the
    template has none of its own. The template's language is active. LiquidError."""
    message.values = merge.revived(message.values)
    if subject:
        with override(message.language):
            line = merge.environment.from_string(subject).render(**merge.revived(message.values | links_of(message)))
        message.subject = " ".join(line.split())
    else:
        message.subject = template.subject(message.values)
    if message.channel == Medium.SMS:
        message.text = template.sms(message.values) or short
        if not message.text:
            raise LiquidError(gettext("The template has no short text."), token=None)
    elif message.channel == Medium.WEBHOOK:
        own = template.sms(message.values) or short
        message.text = own or template.render(message.values | links_of(message)).text

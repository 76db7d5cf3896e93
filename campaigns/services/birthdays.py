"""Planning: from birthdays to rows. A tick asks the tables who is due; nothing is scheduled anywhere else."""

from datetime import datetime

from django.db import transaction

from campaigns import events
from campaigns.enums import Medium
from campaigns.models import BirthdayGreeting, Message
from campaigns.queries import ADDRESS_KEY, BIRTHDAY, CONSENT, DUE, GREETED, REASON, due_params
from campaigns.services.greeting import birthday_campaign
from campaigns.services.senders import default_sender
from common.doorbell import ring
from common.sql import execute
from members.events import record_selected

# The unique day and the exclusion constraint are behind ON CONFLICT: whatever the query overlooks in a race, the
# database does not.
_PLAN = f"""
INSERT INTO campaigns_message (uid, campaign_id, occurrence, channel, member_id, address, sender_id, occurrence_year,
                               occurrence_day, due_at, expires_at, next_try_at, state, reason, why, changed_at)
SELECT gen_random_uuid(), %(campaign)s, due.day::text, 'email', due.member_id,
       CASE WHEN member.email <> '' THEN {ADDRESS_KEY.format("member.email")} END, %(sender)s, due.year, due.day,
       due.due_at, due.expires_at, %(at)s,
       CASE WHEN against.reason <> '' THEN 'skipped' WHEN due.expires_at <= %(at)s THEN 'missed' ELSE 'queued' END,
       against.reason,
       jsonb_build_object('calendar', member.birthday_calendar, 'month', member.birthday_month,
                          'day', member.birthday_day, 'leap_month', member.birthday_leap_month,
                          'leap_day_rule', member.leap_day_rule, 'time_zone', due.zone,
                          'days_ahead', %(days_ahead)s::int, 'hour', %(send_time)s::text),
       %(at)s
FROM ({DUE}) AS due JOIN members_member AS member ON member.id = due.member_id {CONSENT}
CROSS JOIN LATERAL (SELECT {REASON} AS reason) AS against
ON CONFLICT DO NOTHING
"""

# Who gives consent or an address in time, or takes back a change of the birthday, is greeted after all; for the
# birthday stated last, if it was changed.
_REVIVE = f"""
UPDATE campaigns_message AS message
SET state = 'queued', reason = '', next_try_at = %(at)s, changed_at = %(at)s, sender_id = %(sender)s,
    address = {ADDRESS_KEY.format("due.email")}
FROM (
    SELECT DISTINCT ON (skipped.member_id) skipped.id AS message_id, skipped.member_id,
           skipped.occurrence_year AS year, skipped.occurrence_day AS day, member.email
    FROM campaigns_message AS skipped JOIN members_member AS member ON member.id = skipped.member_id
    WHERE skipped.state = 'skipped' AND skipped.reason IN ('no_consent', 'no_address', 'birthday_changed')
      AND skipped.why @> jsonb_build_object(
          'calendar', member.birthday_calendar, 'month', member.birthday_month, 'day', member.birthday_day,
          'leap_month', member.birthday_leap_month, 'leap_day_rule', member.leap_day_rule)
      AND skipped.campaign_id = {BIRTHDAY} AND skipped.expires_at > %(at)s
    ORDER BY skipped.member_id, skipped.id DESC
) AS due {CONSENT}
WHERE message.id = due.message_id AND due.email <> '' AND consent.granted AND NOT {GREETED}
"""


@transaction.atomic
def plan(*, at: datetime) -> int:
    """Writes a row for everyone who has come due since the last look; how many rows were written or woken.

    Two at once have one effect: they queue up at the row of settings. What the last look is too old for says missed.
    """
    greeting = BirthdayGreeting.objects.select_for_update().filter(pk=1, active=True).first()
    if greeting is None:
        return 0
    by = {"campaign": birthday_campaign().pk, "sender": default_sender(Medium.EMAIL).pk}
    planned = execute(_PLAN, due_params(greeting, at) | by)
    woken = execute(_REVIVE, {"at": at} | by)
    record_missed(at=at)
    BirthdayGreeting.objects.filter(pk=1).update(last_checked_at=at)
    if planned or woken:
        ring("campaigns.tasks.deliver_messages")
    return planned + woken


def record_missed(*, at: datetime) -> None:
    """Tells the timelines of members whose message became `missed` at this moment."""
    state, changed_at = "missed", at
    if Message.objects.filter(state=state, changed_at=changed_at).exists():
        record_selected(
            kind=events.MESSAGE_MISSED,
            select=f"SELECT message.member_id, %(at)s::timestamptz, {events.DATA} FROM campaigns_message AS message"
            " JOIN campaigns_campaign AS campaign ON campaign.id = message.campaign_id"
            " WHERE message.state = 'missed' AND message.changed_at = %(at)s",
            params={"at": at},
        )

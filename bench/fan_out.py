"""Taking down the audience of a broadcast to 1,000,000 of 1,000,000 members, beside one hand-written INSERT … SELECT of
the same rows.

By hand: one statement that joins consents and suppressed addresses and draws the hold-out. Ours does so in chunks, each
a transaction with the place reached, after it has looked whether its segment may be sent to. A tenth have not agreed.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg

from bench.base import Row, contents, migrated, most_memory, product_on, seconds, side_by_side

MEMBERS = int(os.environ.get("BENCH_MEMBERS", 1_000_000))
TIMES = 2
AT = datetime(2026, 5, 12, 9, tzinfo=UTC)
FILL = f"""
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule, joined_at)
    SELECT 'Member ' || n, 'm' || n || '@example.com', '', CASE WHEN n % 3 = 0 THEN 'zh-hans' ELSE 'en' END, 'UTC', '',
           'solar', false, 'feb28', '2024-01-01'
    FROM generate_series(1, {MEMBERS}) AS n;
INSERT INTO members_consent (member_id, channel, purpose, granted, source, at)
    SELECT id, 'email', 'offers', id % 10 > 0, 'bench', '2024-01-01' FROM members_member;
INSERT INTO campaigns_suppression (channel, address, value, reason, note, created_at, lift_note)
    SELECT 'email', md5(email)::uuid, email, 'hard_bounce', '', '2024-01-01', '' FROM members_member WHERE id % 100 = 1;
"""
BY_HAND = """
INSERT INTO campaigns_message (uid, campaign_id, channel, member_id, address, sender_id, variant, due_at, expires_at,
                               next_try_at, state, reason, changed_at)
SELECT gen_random_uuid(), %(campaign)s, 'email', id, address, %(sender)s, CASE WHEN reason = '' THEN 1 ELSE 0 END,
       %(at)s, %(at)s + interval '24 hours', %(at)s,
       CASE WHEN reason = 'holdout' THEN 'held' WHEN reason <> '' THEN 'skipped' ELSE 'queued' END, reason, %(at)s
FROM (
    SELECT member.id, md5(lower(member.email))::uuid AS address,
           CASE WHEN said.granted IS NOT TRUE THEN 'no_consent' WHEN gone.id IS NOT NULL THEN 'suppressed'
                WHEN ('x' || left(md5(%(uid)s || 'holdout:' || member.id), 8))::bit(32)::bigint %% 10000 < 500
                THEN 'holdout' ELSE '' END AS reason
    FROM members_member AS member
    LEFT JOIN members_consentstate AS said ON said.member_id = member.id AND said.channel = 'email'
     AND said.purpose = 'offers'
    LEFT JOIN campaigns_suppression AS gone ON gone.channel = 'email' AND gone.lifted_at IS NULL
     AND gone.address = md5(lower(member.email))::uuid
    WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL
) AS row
"""
ROWS = {
    "rows": "SELECT state, reason, variant, count(*), min(due_at), max(expires_at), count(address)"
    " FROM campaigns_message GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
}


def run(server: str) -> Iterator[Row]:
    from campaigns.models import Broadcast, Campaign
    from campaigns.services.broadcasts import control
    from campaigns.services.broadcasts.audience import Timing
    from campaigns.services.broadcasts.planning import take_down
    from campaigns.services.senders import default_sender
    from campaigns.services.templates import save_template
    from common.sql import execute

    with migrated(server, "bench_fan_out") as url:
        with psycopg.connect(url) as connection:
            connection.execute(FILL)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        with product_on(url):
            said = {"en": "Hello", "zh-hans": "您好"}
            content = {"subject": said, "blocks": [{"type": "text", "body": said, "text": said}]}
            version = save_template(
                template_id=None, name="Bench", kind="marketing", content=content, actor_id=None, at=AT
            )
            made = control.create(name="Bench", actor_id=None)
            control.edit(campaign_id=made.pk, broadcast={"everybody": True}, versions=[control.Version(version.pk)])
            sender = default_sender("email").pk
            found = {}

            def empty() -> None:
                execute("TRUNCATE campaigns_message CASCADE")
                Campaign.objects.filter(pk=made.pk).update(state="running")
                Broadcast.objects.filter(pk=made.pk).update(cursor=0, planned_at=None, starts_at=AT, asked_at=AT)

            def ours() -> float:
                empty()

                def act() -> None:
                    while take_down(campaign_id=made.pk, timing=Timing(AT), now=AT):
                        pass

                took = seconds(act)
                found["ours"] = contents(url, ROWS)
                return took

            def by_hand() -> float:
                empty()
                params = {"campaign": made.pk, "sender": sender, "at": AT, "uid": str(made.uid)}
                took = seconds(lambda: execute(BY_HAND, params))
                found["by hand"] = contents(url, ROWS)
                return took

            mine, theirs = side_by_side(ours, by_hand, TIMES)
            if found["ours"] != found["by hand"]:
                raise SystemExit(f"fan_out: other rows: {found}")
            yield Row("broadcast: an audience taken down", MEMBERS, mine, theirs, at_least=0.5, megabytes=most_memory())
            yield _estimated(made.pk)


def _estimated(campaign_id: int) -> Row:
    """Counting all of it by reason, channel, language and version, beside the bare join of the same tables."""
    from campaigns.models import Broadcast
    from campaigns.services.broadcasts.audience import estimate
    from common.sql import fetch_all

    broadcast = Broadcast.objects.select_related("campaign").get(pk=campaign_id)
    bare = (
        "SELECT said.granted, gone.id IS NULL, member.language, count(*) FROM members_member AS member"
        " LEFT JOIN members_consentstate AS said ON said.member_id = member.id AND said.channel = 'email'"
        " AND said.purpose = 'offers' LEFT JOIN campaigns_suppression AS gone ON gone.channel = 'email'"
        " AND gone.lifted_at IS NULL AND gone.address = md5(lower(member.email))::uuid GROUP BY 1, 2, 3"
    )
    later = AT + timedelta(minutes=1)
    mine, theirs = side_by_side(
        lambda: seconds(lambda: estimate(broadcast, at=later, seconds=300)), lambda: seconds(lambda: fetch_all(bare)), 3
    )
    return Row("broadcast: its estimate", MEMBERS, mine, theirs, at_least=0.3, megabytes=most_memory())

"""A wave of invitations to 100,000 members with their events, beside one INSERT…SELECT by hand of the same rows.

Half of the members were asked a year ago; a tenth a week ago, who rest. All is taken back each time.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg

from bench.base import Row, migrated, most_memory, product_on, seconds, side_by_side

AT = datetime(2026, 5, 12, 9, tzinfo=UTC)
MEMBERS = 111_111  # of whom 100,000 are asked
FILL = f"""
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_month,
                            birthday_day, birthday_leap_month, leap_day_rule, joined_at)
    SELECT 'Member ' || n, 'm' || n || '@example.com', '', 'en', 'UTC', '', 'solar', 1 + n % 12, 1 + n % 28, false,
           'feb28', timestamptz '2024-01-01' FROM generate_series(1, {MEMBERS}) AS n
"""
BEFORE = """
INSERT INTO surveys_invitation (uid, survey_id, member_id, key, state, created_at)
    SELECT gen_random_uuid(), %(survey)s, id, 'wave:0', 'open',
           %(at)s::timestamptz - CASE WHEN id %% 10 = 0 THEN interval '7 days' ELSE interval '1 year' END
    FROM members_member WHERE id %% 10 = 0 OR id %% 2 = 1
"""
BY_HAND = """
WITH made AS (
    INSERT INTO surveys_invitation (uid, survey_id, member_id, key, state, created_at, expires_at)
    SELECT gen_random_uuid(), %(survey)s, member.id, 'wave:1', 'open', %(at)s, %(at)s + interval '30 days'
    FROM members_member AS member
    WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL AND NOT EXISTS (
        SELECT FROM surveys_invitation AS before
        WHERE before.member_id = member.id AND before.created_at > %(at)s - interval '90 days')
    RETURNING id, member_id
), event AS (
    INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT member_id, 'survey.invited', %(at)s,
           jsonb_build_object('survey', %(survey)s::bigint, 'name', 'Bench', 'invitation', id) FROM made RETURNING id
)
INSERT INTO members_pendingreaction (event_id, reaction)
SELECT id, 'campaigns.reactions.send_invitations' FROM event
"""


def run(server: str) -> Iterator[Row]:
    from django.db import transaction

    from common.sql import execute
    from surveys.models import Invitation
    from surveys.services.inviting import plan_wave, run_wave
    from surveys.services.publishing import make_survey, move

    with migrated(server, "bench_survey_wave") as url, product_on(url):
        question = {"id": "q1", "kind": "nps", "title": {"en": "Would you?", "zh-hans": "会吗？"}}
        survey = make_survey(name="Bench", definition={"sections": [{"id": "s1", "questions": [question]}]}, at=AT)
        move(survey_id=survey.pk, to="open", at=AT)
        with psycopg.connect(url) as filling:
            filling.execute(FILL)
        execute(BEFORE, {"survey": survey.pk, "at": AT})
        with psycopg.connect(url, autocommit=True) as resting:
            resting.execute("VACUUM ANALYZE")
        counted = {}

        def ours() -> float:
            return _taken_back("ours", lambda: run_wave(wave_id=plan_wave(survey_id=survey.pk, due_at=AT).pk, at=AT))

        def by_hand() -> float:
            return _taken_back("by hand", lambda: execute(BY_HAND, {"survey": survey.pk, "at": AT}))

        def _taken_back(name: str, act) -> float:
            with transaction.atomic():
                took = seconds(act)
                counted[name] = Invitation.objects.filter(created_at=AT).count()
                transaction.set_rollback(True)
            return took

        mine, theirs = side_by_side(ours, by_hand, 3)
    if counted["ours"] != counted["by hand"]:
        raise SystemExit(f"bench: {counted}")
    note = f"{counted['ours']:,} invited of {MEMBERS:,}; {timedelta(seconds=round(mine))}"
    yield Row("wave of invitations", counted["ours"], mine, theirs, 1 / 1.3, most_memory(), note)

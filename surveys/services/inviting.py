"""Who is asked to answer a survey, and how seldom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from common.sql import fetch_all
from members.events import record_selected
from surveys.enums import SurveyState
from surveys.events import SURVEY_INVITED
from surveys.models import Survey, Wave

CHUNK = 20_000  # members looked at in one statement


@dataclass(frozen=True, slots=True)
class Invited:
    """How many were in question, how many of them were asked too lately, and how many are invited now."""

    considered: int
    rested: int
    invited: int


# Asked once per key, nobody who was asked this survey in the days before, nobody who has answered it.
_INVITE = """
WITH candidate AS (
    SELECT member.id, member.id = ANY(%(members)s::bigint[]) AS meant
    FROM members_member AS member
    WHERE member.id = ANY(%(members)s::bigint[]) AND member.merged_into_id IS NULL AND member.erased_at IS NULL
),
rested AS (
    SELECT candidate.id FROM candidate WHERE EXISTS (
        SELECT FROM surveys_invitation AS before
        WHERE before.member_id = candidate.id AND before.survey_id = %(survey)s AND before.key <> %(key)s
          AND (before.created_at > %(rest)s::timestamptz OR before.answered_on > %(rest)s::timestamptz::date))
),
made AS (
    INSERT INTO surveys_invitation (uid, survey_id, member_id, key, state, purchase_id, created_at, expires_at)
    SELECT gen_random_uuid(), %(survey)s, candidate.id, %(key)s, 'open', %(purchase)s::bigint, %(at)s::timestamptz,
           %(expires)s::timestamptz
    FROM candidate WHERE candidate.id NOT IN (SELECT id FROM rested)
    ORDER BY candidate.id
    ON CONFLICT (survey_id, member_id, key) DO NOTHING
    RETURNING id
)
SELECT (SELECT count(*) FROM candidate), (SELECT count(*) FROM rested), (SELECT array_agg(id) FROM made)
"""


@transaction.atomic
def invite(
    *,
    survey_id: int,
    member_ids: Sequence[int],
    key: str,
    at: datetime,
    days_open: int | None = None,
    purchase_id: int | None = None,
) -> Invited:
    """Invites those who were not asked this survey within its days of rest. The same key invites nobody twice, so a
    call that died is made again whole. The invitations are sent by whoever has registered to (docs/surveys.md)."""
    survey = Survey.objects.get(pk=survey_id)
    if survey.state != SurveyState.OPEN:
        return Invited(0, 0, 0)
    ((considered, rested, made),) = fetch_all(
        _INVITE,
        {
            "members": list(member_ids),
            "survey": survey_id,
            "key": key,
            "rest": at - timedelta(days=survey.ask_every_days),
            "at": at,
            "expires": at + timedelta(days=days_open) if days_open else None,
            "purchase": purchase_id,
        },
    )
    record_selected(
        kind=SURVEY_INVITED,
        select="SELECT member_id, %(at)s::timestamptz, jsonb_build_object('survey', %(survey)s::bigint,"
        " 'name', %(name)s::text, 'invitation', id) FROM surveys_invitation WHERE id = ANY(%(made)s::bigint[])",
        params={"at": at, "survey": survey_id, "name": survey.name, "made": made or []},
    )
    return Invited(considered, rested, len(made or ()))


@transaction.atomic
def plan_wave(
    *,
    survey_id: int,
    due_at: datetime,
    share: Decimal = Decimal(100),
    segment_id: int | None = None,
    days_open: int = 30,
) -> Wave:
    """Another wave of a survey."""
    survey = Survey.objects.select_for_update().get(pk=survey_id)
    last = survey.waves.aggregate(n=Max("number"))["n"] or 0
    return Wave.objects.create(
        survey=survey, number=last + 1, segment_id=segment_id, share=share, days_open=days_open, due_at=due_at
    )


# The next of those who are drawn: by the share of a hash, the same whenever it is asked.
_DRAWN = """
SELECT member.id FROM members_member AS member {joins}
WHERE member.id > %(after)s AND member.merged_into_id IS NULL AND member.erased_at IS NULL
  AND (('x' || substr(md5(%(seed)s::text || member.id), 1, 8))::bit(32)::bigint & 2147483647) < %(below)s::bigint
ORDER BY member.id LIMIT %(chunk)s
"""


def run_wave(*, wave_id: int, at: datetime) -> Invited:
    """Invites a wave, chunk by chunk, each in a transaction of its own; what was done stays done."""
    wave = Wave.objects.select_related("survey").get(pk=wave_id)
    if wave.done_at is not None:
        return Invited(wave.considered, wave.rested, wave.invited)
    joins = ""
    if wave.segment_id:
        joins = (
            "JOIN members_segmentmember AS inside ON inside.member_id = member.id AND inside.segment_id = %(segment)s"
        )
    params = {
        "seed": f"{wave.survey.uid}:{wave.number}:",
        "below": int(wave.share * 2**31 / 100),
        "segment": wave.segment_id,
        "chunk": CHUNK,
    }
    total = Invited(0, 0, 0)
    after = 0
    while ids := [row[0] for row in fetch_all(_DRAWN.format(joins=joins), params | {"after": after})]:
        done = invite(
            survey_id=wave.survey_id, member_ids=ids, key=f"wave:{wave.number}", at=at, days_open=wave.days_open
        )
        total = Invited(total.considered + done.considered, total.rested + done.rested, total.invited + done.invited)
        after = ids[-1]
    invited = wave.survey.invitations.filter(key=f"wave:{wave.number}").count()
    Wave.objects.filter(pk=wave.pk).update(
        done_at=at, considered=total.considered, rested=total.rested, invited=invited
    )
    return Invited(total.considered, total.rested, invited)


def run_due(*, at: datetime) -> int:
    """Runs the waves that are due; how many."""
    due = Wave.objects.filter(done_at=None, due_at__lte=at, survey__state=SurveyState.OPEN).order_by("due_at", "pk")
    return len([run_wave(wave_id=wave.pk, at=at) for wave in due])

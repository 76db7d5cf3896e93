"""Who is asked to answer a survey, and how seldom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max

from common.sql import fetch_all
from members.events import RECORDING, complete, recording
from surveys.enums import SurveyState
from surveys.events import SURVEY_INVITED
from surveys.models import Survey, SurveyTrigger, Wave
from surveys.queries_reach import RESTS, drawn_of, rests

CHUNK = 20_000  # members looked at in one statement


@dataclass(frozen=True, slots=True)
class Invited:
    """How many were in question, how many of them were asked too lately, and how many are invited now."""

    considered: int
    rested: int
    invited: int


_THESE = """
SELECT DISTINCT ON (told.member_id) told.member_id, told.key, told.purchase_id
FROM unnest(%(members)s::bigint[], %(keys)s::text[], %(purchases)s::bigint[]) AS told (member_id, key, purchase_id)
JOIN members_member AS member ON member.id = told.member_id
WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL
ORDER BY told.member_id, told.key
"""
_DRAWN = """
SELECT drawn.id AS member_id, %(key)s::text AS key, NULL::bigint AS purchase_id
FROM ({drawn} AND member.id > %(after)s::bigint ORDER BY member.id LIMIT %(chunk)s::bigint) AS drawn
"""
# Asked once per key, and only who does not rest; all in one statement, with the events.
_INVITE = f"""
WITH ask AS MATERIALIZED ({{ask}}),
resting AS MATERIALIZED (
    SELECT DISTINCT ask.member_id FROM ask JOIN surveys_invitation AS before ON {RESTS}
),
made AS (
    INSERT INTO surveys_invitation (uid, survey_id, member_id, key, state, purchase_id, created_at, expires_at)
    SELECT gen_random_uuid(), %(survey)s, member_id, key, 'open', purchase_id, %(at)s::timestamptz,
           %(expires)s::timestamptz
    FROM ask WHERE NOT EXISTS (SELECT FROM resting WHERE resting.member_id = ask.member_id) ORDER BY member_id
    ON CONFLICT (survey_id, member_id, key) DO NOTHING
    RETURNING id, member_id
),
source (member_id, at, data) AS (
    SELECT member_id, %(at)s::timestamptz,
           jsonb_build_object('survey', %(survey)s::bigint, 'name', %(name)s::text, 'invitation', id) FROM made
),
{RECORDING}
SELECT (SELECT count(*) FROM ask), (SELECT count(*) FROM resting), (SELECT count(*) FROM made),
       (SELECT max(member_id) FROM ask)
"""


def invite(
    *,
    survey_id: int,
    member_ids: Sequence[int],
    at: datetime,
    key: str = "",
    keys: Sequence[str] = (),
    purchase_ids: Sequence[int | None] = (),
    days_open: int | None = None,
    trigger: SurveyTrigger | None = None,
) -> Invited:
    """Invites those who were not asked within the days of rest. The same key (one for all, or one each) invites nobody
    twice, so a call that died is made again whole. The invitations are sent by whoever reacts to SURVEY_INVITED."""
    told = {
        "members": list(member_ids),
        "keys": list(keys) or [key] * len(member_ids),
        "purchases": list(purchase_ids) or [None] * len(member_ids),
    }
    return _invite(survey_id, _THESE, told, at, days_open, trigger)[0]


@transaction.atomic
def _invite(
    survey_id: int,
    ask: str,
    told: Mapping[str, Any],
    at: datetime,
    days_open: int | None,
    trigger: SurveyTrigger | None = None,
) -> tuple[Invited, int | None]:
    """Invites whom a query tells (member_id, key, purchase_id); with the last member in question, None for none."""
    survey = Survey.objects.get(pk=survey_id)
    if survey.state != SurveyState.OPEN:
        return Invited(0, 0, 0), None
    expires = at + timedelta(days=days_open) if days_open else None
    params = {**told, **rests(survey, at, trigger), **recording(SURVEY_INVITED, None)}
    params |= {"at": at, "expires": expires, "name": survey.name}
    ((considered, rested, made, last),) = fetch_all(complete(_INVITE).format(ask=ask), params)
    return Invited(considered, rested, made), last


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


def run_wave(*, wave_id: int, at: datetime) -> Invited:
    """Invites a wave, chunk by chunk, each in a transaction of its own; what was done stays done."""
    wave = Wave.objects.select_related("survey").get(pk=wave_id)
    if wave.done_at is not None:
        return Invited(wave.considered, wave.rested, wave.invited)
    drawn, params = drawn_of(wave.survey, number=wave.number, share=wave.share, segment_id=wave.segment_id)
    ask, params = _DRAWN.format(drawn=drawn), {**params, "chunk": CHUNK, "key": f"wave:{wave.number}"}
    total = Invited(0, 0, 0)
    after: int | None = 0
    while after is not None:
        done, after = _invite(wave.survey_id, ask, {**params, "after": after}, at, wave.days_open)
        total = Invited(total.considered + done.considered, total.rested + done.rested, total.invited + done.invited)
    invited = wave.survey.invitations.filter(key=f"wave:{wave.number}").count()
    Wave.objects.filter(pk=wave.pk).update(
        done_at=at, considered=total.considered, rested=total.rested, invited=invited
    )
    return Invited(total.considered, total.rested, invited)


def run_due(*, at: datetime) -> int:
    """Runs the waves that are due; how many."""
    due = Wave.objects.filter(done_at=None, due_at__lte=at, survey__state=SurveyState.OPEN).order_by("due_at", "pk")
    return len([run_wave(wave_id=wave.pk, at=at) for wave in due])

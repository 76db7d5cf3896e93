"""Nobody is asked too often, and a wave that died goes on where it was."""

from datetime import timedelta
from decimal import Decimal

import pytest

from members.models import TimelineEvent
from members.tests.factories import make_member
from surveys.enums import Way
from surveys.models import Invitation
from surveys.services import inviting
from surveys.services.answering import answer, begin, complete
from surveys.services.inviting import Invited, invite, plan_wave, run_due, run_wave
from surveys.tests.factories import AT, open_survey

pytestmark = pytest.mark.django_db


def test_who_was_asked_lately_rests():
    survey, members = open_survey(ask_every_days=90), [make_member().pk for _ in range(3)]
    assert invite(survey_id=survey.pk, member_ids=members[:1], key="a", at=AT) == Invited(1, 0, 1)
    soon, later = AT + timedelta(days=89), AT + timedelta(days=91)
    assert invite(survey_id=survey.pk, member_ids=members, key="b", at=soon) == Invited(3, 1, 2)
    assert invite(survey_id=survey.pk, member_ids=members, key="b", at=soon) == Invited(3, 1, 0)  # told again
    assert invite(survey_id=survey.pk, member_ids=members, key="c", at=later) == Invited(3, 2, 1)
    assert TimelineEvent.objects.filter(kind="survey.invited").count() == 4


def test_who_answered_by_themselves_is_not_asked_at_once():
    survey, member = open_survey(), make_member()
    response = begin(survey_id=survey.pk, way=Way.PORTAL, language="en", at=AT, member_id=member.pk)
    answer(response_id=response.pk, values={"q1": 8}, at=AT)
    complete(response_id=response.pk, at=AT)
    assert invite(survey_id=survey.pk, member_ids=[member.pk], key="a", at=AT + timedelta(days=1)).invited == 0


def test_a_wave_draws_its_share_the_same_each_time(monkeypatch):
    survey = open_survey()
    for _ in range(60):
        make_member()
    wave = plan_wave(survey_id=survey.pk, due_at=AT, share=Decimal(50))
    monkeypatch.setattr(inviting, "CHUNK", 7)
    calls = []
    real = inviting.fetch_all

    def dies(*told):
        calls.append(told)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*told)

    monkeypatch.setattr(inviting, "fetch_all", dies)
    with pytest.raises(KeyboardInterrupt):
        run_wave(wave_id=wave.pk, at=AT)
    partly = set(Invitation.objects.values_list("member", flat=True))
    assert partly
    monkeypatch.setattr(inviting, "fetch_all", real)
    assert run_due(at=AT + timedelta(minutes=5)) == 1
    asked = set(Invitation.objects.values_list("member", flat=True))
    assert partly < asked
    assert 15 <= len(asked) <= 45
    wave.refresh_from_db()
    assert wave.invited == len(asked)
    assert run_due(at=AT + timedelta(days=1)) == 0

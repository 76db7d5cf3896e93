"""The state of consent follows the log, whoever writes it."""

from datetime import UTC, datetime, timedelta

import pgtrigger
import pytest

from members.enums import Channel, Purpose
from members.models import Consent, ConsentState
from members.queries import consent_state
from members.tests.factories import make_member

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 1, tzinfo=UTC)


def say(member, granted: bool, day: int = 0, channel: str = Channel.EMAIL) -> Consent:
    return Consent(
        member=member,
        channel=channel,
        purpose=Purpose.OFFERS,
        granted=granted,
        source="test",
        at=AT + timedelta(days=day),
    )


def states(*members) -> dict[tuple[int, str], bool]:
    rows = ConsentState.objects.filter(member__in=members)
    log = {(m.pk, channel): said.granted for m in members for (channel, _), said in consent_state(m.pk).items()}
    kept = {(row.member_id, row.channel): row.granted for row in rows}
    assert kept == log, "the state is what the log says"
    return kept


def test_the_latest_word_counts_in_whatever_order_it_is_written():
    anna = make_member()
    say(anna, True, day=2).save()
    say(anna, False, day=1).save()
    assert states(anna) == {(anna.pk, "email"): True}
    say(anna, False, day=2).save()  # at the same moment: the one written last
    assert states(anna) == {(anna.pk, "email"): False}


def test_many_words_in_one_statement():
    anna, ben = make_member(), make_member()
    Consent.objects.bulk_create(
        [say(anna, True, 3), say(anna, False, 4), say(ben, True, 2), say(ben, False, 1), say(ben, True, 1, "sms")]
    )
    assert states(anna, ben) == {(anna.pk, "email"): False, (ben.pk, "email"): True, (ben.pk, "sms"): True}


def test_words_that_change_hands_take_the_state_with_them():
    anna, ben = make_member(), make_member()
    Consent.objects.bulk_create([say(anna, True, 1), say(ben, False, 2), say(ben, True, 0, "sms")])
    moved = Consent.objects.filter(member=ben)
    ids = list(moved.values_list("pk", flat=True))
    with pgtrigger.ignore("members.Consent:append_only"):
        moved.update(member=anna)
        assert states(anna, ben) == {(anna.pk, "email"): False, (anna.pk, "sms"): True}
        Consent.objects.filter(pk__in=ids).update(member=ben)
    assert states(anna, ben) == {(anna.pk, "email"): True, (ben.pk, "email"): False, (ben.pk, "sms"): True}

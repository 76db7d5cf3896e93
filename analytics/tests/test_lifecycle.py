"""Where customers stand, against the same worked out one member and moment at a time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest

from analytics.enums import Lifecycle
from analytics.lifecycle import in_state, lives, state_of, won_back
from analytics.periods import STEPS, Period
from members.models import Member, PurchaseSummary
from members.services.purchases import record_purchases
from members.tests.factories import make_member, new_purchase

AT = datetime(2026, 5, 12, 10, tzinfo=UTC)
DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def bought() -> dict[int, list[datetime]]:
    """Moments of purchase by member: some stay away for long and some come back; the last two never bought."""
    random, histories = Random(11), {}
    for n in range(40):
        member, moment, moments = make_member(), AT - random.uniform(1, 900) * DAY, []
        while moment < AT and len(moments) < 40:
            moments.append(moment)
            moment += random.choice((0.5, 3, 12, 12, 60, 200, 400)) * random.uniform(0.5, 1.5) * DAY
        if n >= 38:
            moments = []
        record_purchases(purchases=[new_purchase(member, purchased_at=at) for at in moments])
        histories[member.pk] = moments
    PurchaseSummary.objects.all().delete()
    PurchaseSummary.objects.bulk_create(
        PurchaseSummary(
            member_id=pk,
            purchases=len(moments),
            visit_days=len(moments),
            spent_minor=1,
            first_at=moments[0],
            last_at=moments[-1],
            rhythm_days=(moments[-1] - moments[0]) / DAY / (len(moments) - 1) if len(moments) > 2 else None,
        )
        for pk, moments in histories.items()
        if moments
    )
    return histories


def step(pk: int) -> timedelta:
    rhythm = PurchaseSummary.objects.get(pk=pk).rhythm_days
    return min(90, max(7, 45 if rhythm is None else rhythm)) * DAY


def state(pk: int, moments: list[datetime], at: datetime) -> str:
    so_far = [moment for moment in moments if moment < at]
    if not so_far:
        return "never"
    if at <= so_far[0] + 30 * DAY:
        return "new"
    away = (at - so_far[-1]) / step(pk)
    return "active" if away <= 2 else "lapsing" if away <= 4 else "lost"


def back(pk: int, moments: list[datetime], since: datetime, until: datetime) -> int:
    return sum(since <= moment <= until and moment - before > 4 * step(pk) for before, moment in pairwise(moments))


@pytest.mark.parametrize("days", STEPS)
def test_a_loop_counts_the_same(bought, days):
    period = Period(days, AT, ZoneInfo("Asia/Shanghai"))
    found = lives(period)
    for name in ("new", "active", "lapsing", "lost"):
        counts = [
            sum(state(pk, moments, at) == name for pk, moments in bought.items())
            for at in (period.before_end, *period.step_ends)
        ]
        figure = getattr(found, name)
        assert [figure.before, *figure.steps] == counts, name
        assert figure.now == counts[-1]
    assert found.back.now == sum(back(pk, m, period.start, AT) for pk, m in bought.items()) == sum(found.back.steps)
    assert found.back.before == sum(back(pk, m, period.before_start, period.before_end) for pk, m in bought.items())
    assert days < 90 or found.back.now > 0


def test_the_list_and_the_member_say_what_the_figure_says(bought):
    everybody = Member.objects.all()
    for name in Lifecycle:
        expected = {pk for pk, moments in bought.items() if state(pk, moments, AT) == name}
        assert set(in_state(everybody, name, AT).values_list("pk", flat=True)) == expected
        assert {pk for pk in bought if state_of(pk, AT) == name} == expected
    came_back = {pk for pk, moments in bought.items() if back(pk, moments, AT - 365 * DAY, AT)}
    assert came_back
    assert set(won_back(everybody, AT - 365 * DAY, AT).values_list("pk", flat=True)) == came_back


def test_segments_ask_for_it_too(bought):
    from members.segments import asking

    for name in ("new", "active", "lapsing", "lost", "never"):
        definition = {"all": [{"trait": "lifecycle", "op": "any_of", "value": [name]}]}
        assert asking.count(definition, at=AT) == in_state(Member.objects.all(), name, AT).count(), name


def test_who_is_gone_is_counted_nowhere(bought):
    period = Period(30, AT, ZoneInfo("UTC"))
    lost = next(pk for pk, moments in bought.items() if state(pk, moments, AT) == "lost")
    before = lives(period).lost.now
    Member.objects.filter(pk=lost).update(erased_at=AT, email="", phone="", birthday_month=None)
    assert lives(period).lost.now == before - 1

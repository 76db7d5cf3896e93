"""The scores, against the definition worked out one member at a time."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from analytics.models import MemberScore
from analytics.queries_rfm import grid, pareto
from analytics.services.scores import last_run, score_all, score_members
from members.models import Member, Programme, PurchaseSummary, Segment
from members.segments import asking
from members.tests.factories import make_member

AT = datetime(2026, 5, 12, 10, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
pytestmark = pytest.mark.django_db


def customers(n: int, seed: int = 3) -> list[PurchaseSummary]:
    """`n` members with few different values, so that many are equal."""
    random = Random(seed)
    rows = []
    for _ in range(n):
        visits, last = random.choice((1, 1, 1, 2, 3, 8, 20)), AT - timedelta(hours=random.randint(0, 12) * 37)
        rows.append(
            PurchaseSummary(
                member=make_member(),
                purchases=visits,
                visit_days=visits,
                spent_minor=visits * random.choice((500, 800, 0)),
                first_at=last - timedelta(days=visits),
                last_at=last,
            )
        )
    return PurchaseSummary.objects.bulk_create(rows)


def by_definition(values: list[int]) -> list[int]:
    """1 + ⌊5 · (values below) / (n − 1)⌋, at most 5."""
    return [min(5, 1 + 5 * sum(other < value for other in values) // (len(values) - 1)) for value in values]


def test_scores_are_fifths_by_rank_and_equals_share_them():
    rows = customers(60)
    run = score_members(at=AT, zone=str(ZONE))
    assert (run.buyers, run.scored, run.changed, run.gone) == (60, 60, 60, 0)
    days = [(row.last_at.astimezone(ZONE).date() - date(2000, 1, 1)).days for row in rows]
    expected = zip(
        by_definition(days),
        by_definition([row.visit_days for row in rows]),
        by_definition([row.spent_minor for row in rows]),
        strict=True,
    )
    scores = [MemberScore.objects.get(pk=row.pk) for row in rows]
    assert [(s.recency, s.frequency, s.monetary) for s in scores] == list(expected)
    assert {s.frequency for row, s in zip(rows, scores, strict=True) if row.visit_days == 1} == {1}
    assert {s.value for s in scores} <= {1, 2, 3, 4, 5}
    assert all(s.value == (s.frequency + s.monetary + 1) // 2 for s in scores)


def test_only_what_changed_is_written():
    rows = customers(60)
    score_members(at=AT, zone="UTC")
    later = AT + timedelta(days=1)
    assert score_members(at=later, zone="UTC")[2:4] == (0, 0)
    assert not MemberScore.objects.filter(since=later).exists()
    best = max(rows, key=lambda row: row.spent_minor)
    worst = MemberScore.objects.filter(monetary=1).first()
    PurchaseSummary.objects.filter(pk=worst.pk).update(spent_minor=best.spent_minor + 1)
    changed = score_members(at=later, zone="UTC").changed
    assert 1 <= changed < 60
    assert MemberScore.objects.filter(since=later).count() == changed
    assert MemberScore.objects.get(pk=worst.pk).monetary == 5


def test_who_wants_no_profile_or_is_gone_has_no_score():
    rows = customers(60)
    score_members(at=AT, zone="UTC")
    Member.objects.filter(pk=rows[0].pk).update(personalised=False)
    Member.objects.filter(pk=rows[1].pk).update(erased_at=AT, email="", phone="", birthday_month=None)
    run = score_members(at=AT, zone="UTC")
    assert (run.buyers, run.gone) == (58, 2)
    assert not MemberScore.objects.filter(pk__in=[rows[0].pk, rows[1].pk]).exists()


def test_few_customers_have_no_scores():
    rows = customers(50)
    assert score_members(at=AT, zone="UTC").scored == 50
    PurchaseSummary.objects.filter(pk=rows[0].pk).delete()
    run = score_members(at=AT, zone="UTC")
    assert (run.buyers, run.scored, run.gone) == (49, 0, 50)
    assert MemberScore.objects.count() == 0


def test_nobody_and_all_alike():
    assert score_members(at=AT, zone="UTC").buyers == 0
    customers(60)
    PurchaseSummary.objects.update(visit_days=1, spent_minor=0, last_at=AT, first_at=AT)
    run = score_members(at=AT, zone="UTC")
    assert (run.recency, run.frequency, run.monetary) == ([], [], [])
    assert set(MemberScore.objects.values_list("recency", "frequency", "monetary")) == {(1, 1, 1)}


def test_new_scores_make_segments_that_ask_for_them_due():
    def segment(name: str, definition: dict) -> Segment:
        return Segment.objects.create(name=name, definition=definition, next_refresh_at=AT + timedelta(hours=1))

    group = {"trait": "rfm.group", "op": "any_of", "value": ["lost"]}
    asks = segment("asks", {"all": [{"any": [{"not": group}]}]})
    other = segment("other", {"all": [{"trait": "name", "op": "contains", "value": "rfm.group"}]})
    customers(60)
    score_members(at=AT, zone="UTC")
    asks.refresh_from_db()
    other.refresh_from_db()
    assert (asks.next_refresh_at, other.next_refresh_at) == (AT, AT + timedelta(hours=1))


def test_the_map_counts_everybody_once_and_a_cell_is_a_segment():
    Programme.objects.create(pk=1, currency="EUR", time_zone="Europe/Berlin")
    rows = customers(80)
    score_all(at=AT)
    cells = grid()
    assert sum(cell[2] for cell in cells) == 80
    assert sum(cell[3] for cell in cells) == sum(row.spent_minor for row in rows)
    for recency, value, members, _spent, _days in cells:
        leaves = (("rfm.recency", recency), ("rfm.value", value))
        definition = {"all": [{"trait": trait, "op": "equals", "value": score} for trait, score in leaves]}
        assert asking.count(definition, at=AT) == members
    by_group = {}
    for score in MemberScore.objects.all():
        by_group[score.group.value] = by_group.get(score.group.value, 0) + 1
    for group, members in by_group.items():
        definition = {"all": [{"trait": "rfm.group", "op": "any_of", "value": [group]}]}
        assert asking.count(definition, at=AT) == members
    run = last_run()
    assert (run.at, run.data["scored"], run.data["currency"]) == (AT, 80, "EUR")


def test_the_curve_is_the_share_of_the_best():
    rows = customers(100)
    spent = sorted((row.spent_minor for row in rows), reverse=True)
    found = pareto()
    assert (found["customers"], found["spent_minor"]) == (100, sum(spent))
    assert found["curve"] == pytest.approx([sum(spent[: 5 * n]) / sum(spent) for n in range(1, 21)])
    PurchaseSummary.objects.update(spent_minor=0)
    assert pareto()["curve"] == []

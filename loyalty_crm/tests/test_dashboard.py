"""The first page: what it says, to whom, and when it rather says nothing."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from analytics.counting import PaperFigures
from analytics.periods import Period
from campaigns.enums import CampaignState, MessageState, RunState
from campaigns.models import Campaign, Journey, JourneyRun, JourneyVersion, Message
from campaigns.services.broadcasts import control
from loyalty_crm.dashboard import Paper
from loyalty_crm.telling import Stat
from loyalty_crm.tests.conftest import message
from members.enums import ImportState
from members.models import PendingReaction, Programme, PurchaseImport, TimelineEvent
from members.services.purchases import record_purchases
from members.tests.factories import make_member, new_purchase
from rewards.tests.factories import adjust, make_rule, make_tiers, post
from surveys.services.cases.opening import open_case
from surveys.tests.factories import open_survey, question
from surveys.tests.test_report_page import fill

AT = datetime(2026, 5, 12, 10, tzinfo=UTC)


@pytest.fixture
def programme(db) -> Programme:
    make_rule()
    make_tiers()
    return Programme.objects.create(pk=1, name="Corner Café", currency="EUR", time_zone="Europe/Berlin")


def paper(programme: Programme, days: int = 30) -> Paper:
    return Paper(Period(days, AT, ZoneInfo(programme.time_zone)), programme)


def stat(paper: Paper, title: str) -> Stat:
    return next(stat for stat in paper.stats() if stat.title == title)


def buy(times: int, days_ago: float, store: str = "Harbour Street") -> None:
    member = make_member()
    record_purchases(
        purchases=[new_purchase(member, purchased_at=AT - timedelta(days=days_ago), store=store) for _ in range(times)]
    )


def test_the_headline_is_the_change_beyond_chance_and_where_it_happened(programme):
    buy(100, 40, "Old Town")
    buy(100, 10, "Old Town")
    buy(40, 10, "Harbour Street")
    assert paper(programme).headline() == (
        "Purchases are up 40% on the 30 days before: 140 after 100. Mostly at Harbour Street."
    )
    with translation.override("zh-hans"):
        assert "140" in paper(programme).headline()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (100, 60, "Purchases are down 40% on the 30 days before: 60 after 100."),
        (100, 110, "A usual 30 days: 110 purchases, and nothing changed beyond chance."),
        (19, 60, "A usual 30 days: 60 purchases, and nothing changed beyond chance."),  # too few to compare
    ],
)
def test_chance_makes_no_headline(programme, before, after, words):
    buy(before, 40)
    buy(after, 10)
    assert paper(programme).headline() == words


def test_a_young_programme_is_compared_with_nothing(programme, monkeypatch):
    member = make_member()  # joined long ago
    record_purchases(purchases=[new_purchase(member, purchased_at=AT - timedelta(days=5)) for _ in range(50)])
    assert stat(paper(programme), "Revenue").change == "none in the 30 days before"
    type(member).objects.update(joined_at=AT - timedelta(days=20))
    young = paper(programme)
    assert young.headline() == "Too early to compare: 1 members, 50 purchases in 30 days."
    assert {s.change for s in young.stats()} == {"not enough data to compare"}


def test_figures_say_how_they_changed_and_open_the_rows_behind_them(programme, desk):
    buy(4, 40)
    buy(6, 10)
    now = paper(programme)
    revenue = stat(now, "Revenue")
    assert (revenue.value, revenue.change, revenue.direction, revenue.tone) == (
        "€60.00",
        "50% more than 30 days before",
        "up",
        "good",
    )
    assert revenue.note == "6 purchases, net of refunds"
    shown = desk("Marketer").get(revenue.link).context["cl"].result_list
    assert len(shown) == 6
    assert (stat(now, "Members").value, stat(now, "Messages sent").change) == ("2", "unchanged")
    assert stat(now, "Active members").value == "2"


def test_every_link_opens(programme, desk):
    adjust(make_member(), 5, AT)
    client, now = desk("Manager"), paper(programme)
    for link in {*(s.link for s in now.stats()), *(c.link for c in now.charts())}:
        assert client.get(link).status_code == 200, link


def test_a_chart_says_the_same_in_its_table(programme):
    buy(3, 2)
    chart = paper(programme, 7).charts()[0]
    assert chart.headers == ["From", "Revenue"]
    assert chart.rows[4] == ["May 10", "€30.00"]
    assert len(chart.rows) == 7
    assert '"data": [0.0, 0.0, 0.0, 0.0, 30.0, 0.0, 0.0]' in chart.data
    assert paper(programme, 7).charts()[-1].empty


def test_the_page_is_for_those_who_see_the_ledger_and_the_till_finds_members(programme, desk):
    post(make_member(), AT)
    page = desk("Marketer").get(reverse("admin:index"), {"days": "7"})
    assert page.context["days"] == 7
    assert "Points outstanding" in page.content.decode()
    assert desk("Manager").get(reverse("admin:index"), {"days": "8; DROP"}).context["days"] == 30
    till = desk("Till").get(reverse("admin:index")).content.decode()
    assert "Find a member" in till
    assert "Revenue" not in till


def test_the_page_costs_the_same_with_more_data(programme, desk, monkeypatch):
    monkeypatch.setattr("analytics.services.snapshots.QUICK", 60)  # on a slow machine as well, counted on the spot
    client = desk("Marketer")

    def cost() -> int:
        with CaptureQueriesContext(connection) as caught:
            client.get(reverse("admin:index"))
        return len(caught)

    buy(3, 2)
    few = cost()
    buy(60, 20)
    post(make_member(), AT)
    assert cost() == few


def test_what_waits_for_a_person_is_listed_for_those_who_can_see_to_it(programme, desk):
    member = make_member()
    event = TimelineEvent.objects.get(member=member)
    PendingReaction.objects.create(event=event, reaction="a", parked_at=AT)
    PendingReaction.objects.create(event=event, reaction="b")
    doubtful = message(member)
    type(doubtful).objects.filter(pk=doubtful.pk).update(state=MessageState.UNKNOWN, frozen_at=AT)
    PurchaseImport.objects.create(source="till", currency="EUR", state=ImportState.DONE, problems=3)
    for state in (CampaignState.WAITING, CampaignState.PAUSED):
        made = control.create(name=state, actor_id=None)
        Campaign.objects.filter(pk=made.pk).update(state=state)
    way = Campaign.objects.create(kind="journey", purpose="offers", name="Way", state="running")
    journey = Journey.objects.create(campaign=way, draft={}, changed_at=AT)
    version = JourneyVersion.objects.create(journey=journey, number=1, definition={}, at=AT)
    when = dict.fromkeys(("entered_at", "arrived_at", "should_at"), AT)
    JourneyRun.objects.create(journey=journey, version=version, member=member, key="k", state=RunState.STUCK, **when)
    page = desk("Marketer").get(reverse("admin:index"))
    assert "Needs somebody" in page.content.decode()
    assert [text for text, _link in page.context["duties"]] == [
        "1 reaction was given up",
        "1 message may or may not have gone out",
        "1 broadcast is paused",
        "1 member is stuck on a journey",
        "1 import left bad rows behind",
    ]
    assert "1 broadcast waits for your approval" in desk("Manager").get(reverse("admin:index")).content.decode()
    assert "Needs somebody" not in desk("Till").get(reverse("admin:index")).content.decode()


def test_messages_are_told_with_what_people_did(programme):
    for n in range(3):
        one = message(make_member())
        Message.objects.filter(pk=one.pk).update(
            state="sent",
            frozen_at=AT,
            sent_at=AT - timedelta(days=40 * (n == 2)),
            opened_at=AT,
            clicked_at=[AT, None, AT][n],
        )
    assert stat(paper(programme), "Messages sent").note == "2 opened, 1 clicked, by people"
    kept = PaperFigures.count(Period(30, AT, ZoneInfo(programme.time_zone)))
    older = {name: value for name, value in asdict(kept).items() if name != "answers"}
    assert PaperFigures.read(asdict(kept)) == kept
    assert PaperFigures.read(older).answers is None


def test_scores_have_their_interval_and_a_change_is_told_only_where_it_is_one(programme):
    told = {stat.title for stat in paper(programme).stats()}
    assert not told & {"Recommendation (NPS)", "Satisfaction (CSAT)", "Complaints per 1,000 purchases", "Referral rate"}
    survey = open_survey()
    fill(survey, {10: 70, 8: 20, 3: 10}, at=AT - timedelta(days=2))
    score = stat(paper(programme), "Recommendation (NPS)")
    assert (score.value, score.note) == ("+60.0", "between +47.0 and +73.0, 100 answers")
    assert score.change == "not enough data to compare"
    fill(survey, {10: 60, 8: 20, 3: 20}, at=AT - timedelta(days=40))
    score = stat(paper(programme), "Recommendation (NPS)")
    assert (score.change, score.tone) == ("no clear change on 30 days before", "")
    fill(survey, {3: 200}, at=AT - timedelta(days=40))
    score = stat(paper(programme), "Recommendation (NPS)")
    assert (score.value, score.direction, score.tone) == ("+60.0", "up", "good")
    before = stat(paper(programme), "Recommendation (NPS)").note
    fill(open_survey(anonymous=True), {0: 50}, at=AT - timedelta(days=2))
    assert stat(paper(programme), "Recommendation (NPS)").note == before  # not mixed with others yet
    few = open_survey({"sections": [{"id": "s1", "questions": [question("q1", "csat")]}]})
    fill(few, {5: 4}, at=AT - timedelta(days=2))
    assert stat(paper(programme), "Satisfaction (CSAT)").value == "–"


def test_complaints_are_told_by_a_thousand_purchases(programme):
    buy(500, 10)
    for _n in range(3):
        at = AT - timedelta(hours=1)
        open_case(kind="complaint", text="Cold soup", source="staff", member_id=make_member().pk, at=at)
    told = stat(paper(programme), "Complaints per 1,000 purchases")
    assert told.value == "6.0"
    assert told.note.endswith("3 complaints")

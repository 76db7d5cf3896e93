"""Figures of care: each is right, and opens exactly the rows that it counts."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from loyalty_crm.roles import MARKETER
from members.models import User
from members.tests.factories import make_member
from rewards.tests.factories import post
from surveys.behind import url
from surveys.enums import Way
from surveys.models import Case, CaseRule, Category, Response, RootCause
from surveys.queries_care import care
from surveys.queries_given import scores_given
from surveys.services.answering import answer, begin, complete
from surveys.services.cases.acting import merge, move, reply
from surveys.services.cases.improving import plan, publish
from surveys.services.cases.opening import open_case
from surveys.services.cases.ruling import open_by_rules
from surveys.services.mixing import mix
from surveys.tests.factories import open_survey, question

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def said(survey, values: dict, at, member=None) -> Response:
    way = Way.PORTAL if member else Way.PUBLIC
    one = begin(survey_id=survey.pk, way=way, language="en", at=at, member_id=member.pk if member else None)
    answer(response_id=one.pk, values=values, at=at)
    complete(response_id=one.pk, at=at)
    return one


def unhappy(survey, member, at) -> Case:
    case = open_by_rules(response_id=said(survey, {"q1": 2}, at, member).pk, at=at)
    assert case is not None
    return case


def answered(case: Case, at, actor) -> None:
    reply(case_id=case.pk, text="Sorry", channel="portal", at=at, actor_id=actor.pk, version=None)


def test_every_figure_opens_the_rows_that_it_counts(desk, staff, settings):
    settings.REQUIRE_STAFF_MFA = False
    now, actor = timezone.now(), staff("Manager")
    CaseRule.objects.create(severity="normal")
    members = [make_member() for _n in range(7)]
    survey, second, anonymous = open_survey(), open_survey(), open_survey(anonymous=True)
    early = now - 80 * DAY
    heard, merged, late = (unhappy(survey, members[n], now - (9 - n) * DAY) for n in range(3))
    said(survey, {"q1": 2}, now - 5 * DAY, members[3])  # no rule opened a case of it
    answered(heard, heard.opened_at + timedelta(hours=2), actor)
    into = open_case(kind="question", text="Well?", source="portal", member_id=members[1].pk, at=early)
    answered(into, early + DAY, actor)  # before they were unhappy: that is no answer to it
    merge(case_id=merged.pk, into_id=into.pk, at=merged.opened_at, actor_id=actor.pk, version=None)
    answered(late, late.opened_at + 2 * DAY, actor)
    for member, bought in ((members[4], True), (members[5], False)):
        case = open_case(kind="complaint", text="Cold", source="till", member_id=member.pk, at=early)
        move(case_id=case.pk, to="resolved", at=early + DAY, actor_id=actor.pk, version=None)
        if bought:
            post(member, early + 9 * DAY, purchased_at=early + 9 * DAY)
            move(case_id=case.pk, to="open", at=early + 70 * DAY, actor_id=actor.pk, version=None)
            move(case_id=case.pk, to="resolved", at=early + 1 * DAY, actor_id=actor.pk, version=None)
    said(second, {"q1": 9}, now - timedelta(hours=30), members[0])  # they changed their mind: the newest counts
    for score in (8, 9, 9, 10, 10):
        said(anonymous, {"q1": score}, now - 2 * DAY)
    mix(survey_id=anonymous.pk, at=now - DAY)

    found = care(since=now - 90 * DAY, until=now, at=now)
    assert (found.detractors.value, found.detractors.n) == (25, 4)  # only `heard`: merged was not answered afterwards
    answered(into, merged.opened_at + timedelta(hours=20), actor)
    assert care(since=now - 90 * DAY, until=now, at=now).detractors.value == 50
    assert (found.scores["nps"].n, found.scores["csat"].n) == (9, 0)
    assert found.scores["nps"].value == pytest.approx(100 * (5 - 3) / 9)
    assert (found.recovered.value, found.recovered.n, found.reopened.value, found.reopened.n) == (50, 2, 50, 2)

    client = desk(MARKETER)
    counts = {
        "complaints": found.rate.count, "opened": found.answer.n, "undone": found.undone,
        "to_put_right": found.resolve.n, "put_right": 2, "reopened": 1, "followed": 2, "recovered": 1, "nps": 9,
        "csat": 0, "unhappy": 4, "unheard": 2,
    }  # fmt: skip
    page = client.get(reverse("admin:surveys_case_figures")).content.decode()
    assert "+22.2" in page
    assert "of 9 people" in page
    assert "nps:1" in page
    links = {unescape(each) for each in re.findall(r'href="([^"]*behind=[^"]*)"', page)}
    assert {re.search("behind=(\\w+)", each)[1] for each in links} == set(counts) - {"csat"}
    for name, n in counts.items():
        rows = client.get(url(name, found.since, now))
        told = rows.context["cl"].result_count if "cl" in rows.context else rows.context["total"]
        assert told == n, name
    listed = client.get(url("nps", found.since, now)).content.decode()
    assert "Anonymous: counted, and never shown one by one" in listed
    assert listed.count('<th scope="row"') == 4
    file = client.get(
        reverse("admin:surveys_case_answers_file") + f"?{url('unheard', found.since, now).partition('?')[2]}"
    )
    assert len(file.content.decode().splitlines()) == 3
    assert members[2].name not in file.content.decode()
    nonsense = client.get(reverse("admin:surveys_case_changelist") + "?behind=nps~2026~x")
    assert nonsense.status_code == 302
    exported = client.post(
        reverse("admin:surveys_case_export") + f"?{url('recovered', found.since, now).partition('?')[2]}",
        {"format": "0", "export": "1"},
    )
    assert len(exported.content.decode().splitlines()) == 2

    tiles = {stat.title: stat for stat in client.get(reverse("admin:index")).context["stats"]}
    assert tiles["Open cases"].value == "3"
    assert tiles["Detractors answered within a day"].value == "50%"
    for title in ("Open cases", "Overdue cases", "Time to the first answer"):
        rows = client.get(tiles[title].link).context["cl"].result_count
        assert str(rows) == tiles[title].value or title.startswith("Time")


def test_of_an_anonymous_survey_no_stretch_of_time_tells_a_few():
    """Of a mixing in which fewer gave the score than the smallest group, none counts: else two periods would differ by
    a person."""
    now = timezone.now()
    asked = {"sections": [{"id": "s1", "questions": [question("q1", "nps"), question("q2", "nps")]}]}
    survey = open_survey(asked, anonymous=True)
    for day, scores in ((30, [9, 9, 9, 9, 9]), (20, [1, 1, None, None, None])):
        for score in scores:
            said(survey, {} if score is None else {"q1": score, "q2": 0}, now - day * DAY)
        mix(survey_id=survey.pk, at=now - (day - 1) * DAY)
    assert scores_given(since=now - 90 * DAY, until=now) == {"nps": {9: 5}}  # and of two questions the first


def test_mine_late_and_nobodys_cases_and_lists_that_cost_the_same(desk, staff, settings):
    settings.REQUIRE_STAFF_MFA = False
    client, now = desk(MARKETER), timezone.now()
    mine, late, mine_late, fresh = (
        open_case(kind="complaint", text=f"No {n}", source="till", member_id=make_member().pk, at=now) for n in range(4)
    )
    me = User.objects.get(email="marketer@example.com")
    Case.objects.filter(pk__in=[mine.pk, mine_late.pk]).update(owner=me)
    Case.objects.filter(pk__in=[late.pk, mine_late.pk]).update(answer_due_at=now - timedelta(minutes=1))
    Case.objects.filter(pk=mine.pk).update(answered_at=now, answer_minutes=1, answer_due_at=now - DAY)  # in time
    done = open_case(kind="praise", text="Lovely", source="till", member_id=make_member().pk, at=now, owner_id=me.pk)
    Case.objects.filter(pk=done.pk).update(state="closed", resolved_at=now, resolve_minutes=1, answer_due_at=now - DAY)
    for whose, expected in (
        ("mine", {mine, mine_late}), ("late", {late, mine_late}), ("nobody", {late, fresh}),
        ("open", {mine, late, mine_late, fresh}),
    ):  # fmt: skip
        page = client.get(reverse("admin:surveys_case_changelist"), {"desk": whose})
        assert set(page.context["cl"].result_list) == expected, whose

    pages = [reverse(f"admin:surveys_{name}") for name in (
        "case_changelist", "case_board", "case_figures", "case_answers", "survey_changelist",
        "improvementaction_changelist", "suggestion_changelist",
    )]  # fmt: skip

    def costs() -> dict[str, int]:
        found = {}
        for page in pages:
            with CaptureQueriesContext(connection) as caught:
                assert client.get(page).status_code == 200
            found[page] = len(caught)
        return found

    def more(n: int) -> None:
        member = make_member()
        said(open_survey(), {"q1": 3}, now - DAY, member)
        cause = RootCause.objects.create(name_en=f"Cause {n}")
        category = Category.objects.create(name_en=f"Category {n}")
        case = open_case(
            kind="complaint", text="No", source="till", member_id=member.pk, at=now, category_id=category.pk
        )
        plan(title="Mend it", cause_id=cause.pk, at=now, actor_id=None, case_id=case.pk, assignee_id=me.pk)
        idea = open_case(kind="suggestion", text="Oat", source="till", member_id=member.pk, at=now, owner_id=me.pk)
        publish(case_id=idea.pk, title_en="Oat", at=now, actor_id=None)
        move(case_id=idea.pk, to=("open", "waiting", "resolved")[n % 3], at=now, actor_id=None, version=None)

    for n in range(3):
        more(n)
    few = costs()
    for n in range(12):
        more(n)
    assert costs() == few

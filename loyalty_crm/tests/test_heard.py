"""What is known of members by their answers and cases: in segments, messages and on their page; never by anonymous
answers, and not of strangers for longer than was said."""

from datetime import timedelta

import pytest
from django.urls import reverse

from campaigns.merge import Recipient, values
from members.segments import asking
from members.services.erasure import erase_member
from members.services.merging import merge_members
from members.services.retention import make_rules, run_rules, set_rule
from members.tests.factories import make_member
from rewards.tests.factories import make_rule, post
from surveys.enums import Way
from surveys.models import Case
from surveys.services.answering import answer, begin, complete
from surveys.services.cases.acting import move
from surveys.services.cases.opening import open_case
from surveys.tests.factories import AT, open_survey

pytestmark = pytest.mark.django_db
LATER = AT + timedelta(days=70)


def says(survey, member, score, at=AT) -> None:
    response = begin(survey_id=survey.pk, way=Way.PORTAL, language="en", at=at, member_id=member.pk)
    given = {"q1": score} | ({"q2": "Too <slow>"} if score <= 6 else {})
    answer(response_id=response.pk, values=given, at=at)
    complete(response_id=response.pk, at=at)


def ask(trait, op, value=None, **more) -> int:
    return asking.count({"trait": trait, "op": op, "value": value, **more}, at=LATER)


def told(member) -> dict:
    (one,) = values([Recipient(member, "en", LATER, AT.date())], {"care"})
    return dict(one["care"])


def closed(member=None, **more) -> Case:
    case = open_case(kind="complaint", text="Cold", source="staff", member_id=member and member.pk, at=AT, **more)
    for state in ("resolved", "closed"):
        move(case_id=case.pk, to=state, at=AT, actor_id=None, version=None)
    return case


def test_the_latest_score_counts_and_an_anonymous_one_is_nobodys():
    anna, mei = make_member(name="Anna"), make_member(name="Mei")
    says(open_survey(), anna, 3)
    assert (ask("survey.nps", "at_most", 6), ask("survey.stance", "any_of", ["detractor"])) == (1, 1)
    says(open_survey(), anna, 9, AT + timedelta(days=40))
    says(open_survey(anonymous=True), mei, 2)
    assert (ask("survey.nps", "at_most", 6), ask("survey.nps", "equals", 9)) == (0, 1)
    assert ask("survey.nps", "equals", 3, within={"to": "2026-05-20"}) == 1
    assert (ask("survey.stance", "any_of", ["promoter"]), ask("survey.stance", "unknown")) == (1, 1)
    assert (ask("survey.last_answered", "days_ago", 20), ask("survey.last_answered", "unknown")) == (1, 1)
    assert (told(anna)["answered_on"], told(mei)["answered_on"]) == ("June 21, 2026", "")


def test_cases_that_ended_and_who_came_back():
    make_rule()
    anna, mei = make_member(), make_member()
    closed(anna)
    closed(mei)
    post(anna, LATER, purchased_at=AT + timedelta(days=30))
    open_case(kind="question", text="When?", source="staff", member_id=anna.pk, at=AT)
    assert (ask("case.recovered", "yes"), ask("case.recovered", "no")) == (1, 1)
    assert (ask("case.last_closed", "days_ago", 60), ask("case.open", "equals", 1)) == (2, 1)
    assert told(anna) == {"open_cases": 1, "closed_on": "May 12, 2026", "answered_on": ""}


def test_it_follows_a_merged_card_and_goes_with_an_erased_member():
    anna, old = make_member(), make_member()
    says(open_survey(), old, 3)
    closed(old)
    merge_members(survivor_id=anna.pk, merged_id=old.pk, at=AT)
    assert (ask("survey.nps", "equals", 3), ask("case.last_closed", "known")) == (1, 1)
    erase_member(member_id=anna.pk, at=AT)
    assert (ask("survey.nps", "known"), ask("case.last_closed", "known")) == (0, 0)


def test_the_members_page_shows_what_they_answered(desk):
    anna, mei = make_member(), make_member()
    says(open_survey(), anna, 3)
    says(open_survey(anonymous=True), mei, 3)
    page = reverse("admin:members_member_change", args=[anna.pk])
    marketer = desk("Marketer")
    seen = marketer.get(page).content.decode()
    assert "Too &lt;slow&gt;" in seen
    other = marketer.get(reverse("admin:members_member_change", args=[mei.pk])).content.decode()
    assert "No survey answered under their name." in other


def test_words_of_strangers_go_in_time_and_figures_stay():
    make_rules()
    anna = make_member()
    mine, stranger = closed(anna), closed(contact="guest@example.com")
    fresh = open_case(kind="question", text="Open?", source="mail", contact="b@example.com", at=AT)
    set_rule(subject="case_strangers", days=30, active=True, at=AT, actor_id=None)
    assert run_rules(at=AT + timedelta(days=29)) == {"case_strangers": 0}
    assert run_rules(at=AT + timedelta(days=31)) == {"case_strangers": 1}
    stranger.refresh_from_db()
    assert (stranger.subject, stranger.contact, stranger.messages.get().text) == ("", "", "")
    assert (stranger.state, stranger.resolve_minutes is not None) == ("closed", True)
    assert {mine.messages.get().text, fresh.messages.get().text} == {"Cold", "Open?"}
    assert run_rules(at=AT + timedelta(days=31)) == {"case_strangers": 0}

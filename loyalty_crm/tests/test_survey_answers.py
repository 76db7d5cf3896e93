"""Answers as staff see them: read, taken along, and taken out of the figures, never written over."""

import io
import json

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse
from openpyxl import load_workbook

from loyalty_crm.roles import MANAGER, MARKETER
from members.tests.factories import make_member
from surveys.enums import Way
from surveys.models import Answer, Quota, Response, ResponseChange, Survey
from surveys.queries_report import Asked, report
from surveys.services.answering import answer, begin, complete
from surveys.tests.factories import AT, open_survey

pytestmark = pytest.mark.django_db


def says(survey, values) -> Response:
    begun = begin(survey_id=survey.pk, way=Way.PUBLIC, language="en", at=AT, traits={"store": "=Harbour"})
    answer(response_id=begun.pk, values=values, at=AT)
    return complete(response_id=begun.pk, at=AT)


def test_what_was_finished_is_not_written_over_by_anybody():
    done = says(open_survey(), {"q1": 3, "q2": "Slow", "q3": "b"})
    told = Answer.objects.filter(response=done)
    for act in (
        lambda: told.filter(question="q1").update(number=10),
        lambda: told.filter(question="q2").update(text="Lovely"),
        lambda: told.filter(question="q3").delete(),
        lambda: Response.objects.filter(pk=done.pk).delete(),
    ):
        with pytest.raises(DatabaseError, match="pgtrigger"), transaction.atomic():
            act()
    told.filter(question="q2").update(words=["slow"], themes=[])  # what is read in it is ours
    assert told.get(question="q1").number == 3


def test_spam_is_taken_out_of_the_figures_and_put_back_by_who_may(desk):
    survey = open_survey(response_limit=2)
    quota = Quota.objects.create(
        survey=survey, name="Unhappy", most=1, condition={"answer": "q1", "op": "at_most", "value": 6}
    )
    spam, real = says(survey, {"q1": 0, "q2": "buy pills", "q3": "a"}), says(survey, {"q1": 9, "q3": "a"})
    page = reverse("admin:surveys_survey_answer", args=[survey.pk, spam.pk])
    marketer, manager = desk(MARKETER), desk(MANAGER)
    shown = marketer.get(page).content.decode()
    assert "buy pills" in shown
    assert 'name="void"' not in shown
    assert marketer.post(page, {"reason": "Spam", "void": "1"}).status_code == 403
    assert "void" in manager.get(page).content.decode()
    manager.post(page, {"reason": "", "void": "1"})
    assert Response.objects.get(pk=spam.pk).state == "complete"
    for _twice in range(2):
        manager.post(page, {"reason": "Spam", "void": "1"})
    quota.refresh_from_db()
    assert (Response.objects.get(pk=spam.pk).state, quota.taken, Survey.objects.get().taken) == ("void", 0, 1)
    assert report(Asked(survey.pk))[0][""]["q1"].numbers == {9.0: 1}
    (change,) = ResponseChange.objects.all()
    assert (change.void, change.reason, change.actor is not None) == (True, "Spam", True)
    says(survey, {"q1": 2, "q2": "Slow", "q3": "a"})  # takes the place that became free
    told = manager.post(page, {"reason": "A mistake", "back": "1"}, follow=True).content.decode()
    assert "Its place was taken" in told
    Quota.objects.update(most=2)
    Survey.objects.update(response_limit=3)
    manager.post(page, {"reason": "A mistake", "back": "1"})
    assert report(Asked(survey.pk))[0][""]["q1"].numbers == {0.0: 1, 2.0: 1, 9.0: 1}
    assert ResponseChange.objects.count() == 2
    assert real.state == "complete"


def test_answers_are_taken_along_a_line_for_each_and_no_cell_is_a_formula(desk):
    survey = open_survey()
    says(survey, {"q1": 3, "q2": "=HYPERLINK(1)", "q3": "b"})
    says(survey, {"q1": 10, "q3": None})
    staff = desk(MARKETER)
    files = {kind: staff.get(reverse("admin:surveys_survey_answers_file", args=[survey.pk, kind])) for kind in
             ("csv", "json", "xlsx")}  # fmt: skip
    newest, first = json.loads(files["json"].content)
    assert [first[key] for key in ("q1: Q1", "q2: Q2", "q3: Q3", "store")] == [3, "'=HYPERLINK(1)", "Poor", "'=Harbour"]
    assert [newest["q1: Q1"], newest["q2: Q2"], newest["q3: Q3"]] == [10, "", ""]
    assert "'=HYPERLINK(1)" in files["csv"].content.decode("utf-8-sig")
    sheet = load_workbook(io.BytesIO(files["xlsx"].content)).active
    assert [cell.value for cell in sheet[3]][-3:] == [3, "'=HYPERLINK(1)", "Poor"]
    page = reverse("admin:surveys_survey_answers", args=[survey.pk])
    assert "=HYPERLINK(1)" in staff.get(page).content.decode()


def test_of_an_anonymous_survey_no_line_is_shown_or_taken_out(desk):
    survey, member = open_survey(anonymous=True), make_member(name="Anna")
    begun = begin(survey_id=survey.pk, way=Way.PORTAL, language="en", at=AT, member_id=member.pk)
    answer(response_id=begun.pk, values={"q1": 1, "q2": "Secret", "q3": "a"}, at=AT)
    complete(response_id=begun.pk, at=AT)
    manager = desk(MANAGER)
    assert "Secret" not in manager.get(reverse("admin:surveys_survey_answers", args=[survey.pk])).content.decode()
    for name, what in (("answers_file", "json"), ("answer", begun.pk)):
        page = reverse(f"admin:surveys_survey_{name}", args=[survey.pk, what])
        assert manager.get(page).status_code == 404
        manager.post(page, {"reason": "Spam", "void": "1"})
    assert Response.objects.get().state == "complete"

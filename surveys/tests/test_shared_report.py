"""A report by a link: what it shows to whoever has it, and when it stops."""

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from members.models import User
from members.tests.factories import make_member
from surveys.links import shared_url
from surveys.models import Answer, Response, SharedReport
from surveys.services.mixing import mix
from surveys.tests.factories import AB, AT, open_survey, question
from surveys.tests.test_report_page import fill

pytestmark = pytest.mark.django_db
ASKED = {
    "sections": [
        {"id": "s1", "questions": [question("q1", "nps"), question("q2", "long"), question("q3", "single", choices=AB)]}
    ]
}


@pytest.fixture
def desk(client):
    cache.clear()
    client.force_login(User.objects.create_superuser("chief@example.com", "x"))
    return client


def shared(desk, survey, **more) -> str:
    """The address of a link, made at the desk."""
    day = timezone.localdate() + timedelta(days=7)
    page = f"/admin/surveys/survey/{survey.pk}/share/"
    told = desk.post(page, {"title": "For the board", "expires_on": f"{day:%Y-%m-%d}"} | more)
    assert told.status_code == 302, told.context["form"].errors
    (url,) = re.findall(r'href="http://[^/"]*(/s/report/[^"]+)"', desk.get(page).content.decode())[:1]
    return url


def say(survey, member, text: str) -> None:
    at = {"started_at": AT, "changed_at": AT, "completed_at": AT}
    version = survey.versions.get()
    made = Response.objects.create(
        survey=survey, version=version, member=member, way="link", language="en", state="complete", **at
    )
    Answer.objects.create(response=made, question="q2", text=text)


def test_whoever_has_the_link_reads_the_figures_until_it_is_withdrawn(desk):
    survey = open_survey(ASKED)
    fill(survey, {10: 70, 8: 20, 3: 10})
    url, visitor = shared(desk, survey), Client()
    answer = visitor.get(url, headers={"accept-language": "zh-hans"})
    page = answer.content.decode()
    assert "47.0 … 73.0 · n = 100" in page
    assert "完整" in page
    assert "Complete answers" not in page
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert "/admin/" not in page
    assert SharedReport.objects.get().opened == 0  # what fetches links counts for nothing
    assert visitor.post(f"{url}seen/").status_code == 204
    link = SharedReport.objects.get()
    assert (link.opened, link.created_by.email) == (1, "chief@example.com")
    assert visitor.get(url.replace("/report/", "/report/0")).status_code == 404
    desk.post(f"/admin/surveys/survey/{survey.pk}/share/", {"withdraw": link.pk})
    gone = visitor.get(url)
    assert gone.status_code == 410
    assert "withdrawn" in gone.content.decode()
    visitor.post(f"{url}seen/")
    assert SharedReport.objects.get().opened == 1
    assert LogEntry.objects.filter(object_id=survey.pk).count() == 2


def test_a_link_expires(desk):
    survey = open_survey(ASKED)
    url = shared(desk, survey)
    before = timezone.now() - timedelta(days=2)
    SharedReport.objects.update(created_at=before, expires_at=before + timedelta(days=1))
    gone = Client().get(url)
    assert gone.status_code == 410
    assert "expired" in gone.content.decode()
    late = {"title": "For the board", "expires_on": "2019-01-01"}
    assert desk.post(f"/admin/surveys/survey/{survey.pk}/share/", late).status_code == 200
    assert SharedReport.objects.count() == 1


def test_small_parts_groups_and_questions_are_not_shown_of_any_survey(desk):
    survey = open_survey(ASKED)
    fill(survey, {10: 40}, traits={"store": "Old Town"})
    fill(survey, {2: 6}, traits={"store": "Harbour"})
    fill(survey, {0: 2}, traits={"store": "Kiosk"})
    Answer.objects.bulk_create(
        Answer(response=one, question="q3", choices=["a"]) for one in Response.objects.order_by("pk")[:4]
    )
    page = Client().get(shared(desk, survey, by="store")).content.decode()
    assert "Old Town" in page
    assert "Kiosk" not in page
    assert "Harbour" not in page  # who knows it would know the other
    assert "Fewer than 5 answered" in page
    for store in ("Kiosk", "Old Town"):  # too few inside
        few = Client().get(shared(desk, survey, store=store)).content.decode()
        assert ("Too few have answered" in few) == (store == "Kiosk")
    Response.objects.filter(traits={"store": "Harbour"}).update(traits={"store": "Old Town"})
    cache.clear()
    assert "Too few have answered" in Client().get(shared(desk, survey, store="Old Town")).content.decode()  # outside


def test_what_people_wrote_stands_there_when_asked_for_and_names_nobody(desk):
    survey = open_survey(ASKED)
    anna = make_member(name="Anna Becker")
    say(survey, anna, "Call anna on +49 170 1234567 or a.becker@example.com <b>!</b>")
    for n in range(4):
        say(survey, make_member(), f"Lovely {n}")
    assert "Lovely" not in Client().get(shared(desk, survey)).content.decode()
    page = Client().get(shared(desk, survey, verbatims="on")).content.decode()
    assert "Call … on … or … &lt;b&gt;!" in page
    assert "Lovely 3" in page
    Response.objects.filter(answers__text="Lovely 0").update(state="void")
    cache.clear()
    assert "Lovely" not in Client().get(shared(desk, survey, verbatims="on")).content.decode()  # too few


def test_an_anonymous_survey_has_no_parts_here_either(desk):
    survey = open_survey(ASKED, anonymous=True)
    fill(survey, {10: 9})
    mix(survey_id=survey.pk, at=AT)
    url = shared(desk, survey, since="2030-01-01")
    assert SharedReport.objects.get().chosen == {}
    assert "n = 9" in Client().get(url).content.decode()
    link = SharedReport.objects.get()
    SharedReport.objects.update(chosen={"since": "2020-01-01"})  # chosen before it was anonymous
    cache.clear()
    assert "Too few" in Client().get(shared_url(link.uid).partition("8000")[2]).content.decode()


def test_one_network_opens_so_many(desk):
    url = shared(desk, open_survey(ASKED))
    codes = [Client().get(url).status_code for _ in range(61)]
    assert (codes[59], codes[60]) == (200, 429)

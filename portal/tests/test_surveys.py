"""Answering a survey in the browser: nothing counts until it is sent, and each invitation once."""

from threading import Barrier, Thread

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from members.models import TimelineEvent
from members.tests.factories import make_member
from portal.tests.conftest import make_user
from surveys.models import Answer, Invitation, Response, Survey, SurveyPlace, Upload
from surveys.services.mixing import mix
from surveys.tests.factories import AB, open_survey, question, satisfaction

pytestmark = pytest.mark.django_db


def invite(survey, **profile) -> Invitation:
    member = make_member(**profile)
    return Invitation.objects.create(survey=survey, member=member, key="wave:1", created_at=timezone.now())


def text(reply) -> str:
    return reply.content.decode()


def test_from_the_mail_to_the_thanks_in_the_members_language(client):
    asked = invite(open_survey(thanks_points=20), language="zh-hans")
    address = f"/s/i/{asked.uid}/"
    for _ in range(3):  # a scanner opens every link
        page = text(client.get(f"{address}?q1=3"))
    assert 'value="3" checked' in page
    assert 'lang="zh-Hans"' in page
    assert not Response.objects.exists()
    follow_up = client.post(f"{address}?q1=3", {"at": "0", "q1": "3"}, follow=True)
    assert "q2？" in text(follow_up)  # why, because it is 3
    done = client.post(address, {"at": "1", "q2": "太慢了 <b>", "q3": "b"}, follow=True)
    assert "20" in text(done)
    response = Response.objects.get()
    assert (response.state, response.member_id, response.way) == ("complete", asked.member_id, "link")
    assert response.answers.get(question="q2").text == "太慢了 <b>"
    assert "q1" not in text(Client().get(address))  # the link is used up, on whatever device
    assert TimelineEvent.objects.filter(member=asked.member, kind="survey.detractor").exists()


def test_what_is_missing_is_said_beside_the_question_and_nothing_is_begun(client):
    survey = open_survey()
    reply = client.post(f"/s/{survey.code}/", {"at": "0", "q1": ""})
    assert reply.status_code == 422
    assert "Please answer this question." in text(reply)
    assert not Response.objects.exists()


def test_one_goes_back_and_changes_ones_mind(client):
    survey = open_survey()
    address = f"/s/{survey.code}/"
    client.post(address, {"at": "0", "q1": "2"})
    back = text(client.get(f"{address}?at=0"))
    assert 'value="2" checked' in back
    client.post(address, {"at": "0", "q1": "10"})
    client.post(address, {"at": "1", "q3": "a"})
    assert dict(Answer.objects.values_list("question", "number")) == {"q1": 10, "q3": None}
    assert Response.objects.get().state == "complete"


def test_every_kind_of_question_is_shown_and_taken(client):
    definition = satisfaction()
    definition["sections"][0]["questions"] = [
        question("a", "csat"), question("b", "stars"), question("c", "multiple", choices=AB, other=True),
        question("d", "ranking", choices=AB), question("e", "matrix", choices=AB, rows=AB), question("f", "slider"),
        question("g", "short"), question("h", "number"), question("i", "date"), question("j", "consent"),
        question("k", "statement"), question("l", "ces"), question("m", "photo"),
    ]  # fmt: skip
    address = f"/s/{open_survey(definition).code}/"
    assert "data-slider" in text(client.get(address))
    client.post(
        address,
        {
            "at": "0", "a": "4", "b": "5", "c": ["a", "other"], "c.other": "Tea", "d.row.a": "2", "d.row.b": "1",
            "e.row.a": "b", "f": "40", "g": "Good", "h": "1.5", "i": "2026-05-12", "j": "yes", "l": "7",
        },
    )  # fmt: skip
    kept = {answer.question: answer for answer in Answer.objects.all()}
    assert kept["c"].choices == ["a", "other"]
    assert kept["c"].text == "Tea"
    assert kept["d"].choices == ["b", "a"]
    assert kept["e"].rows == {"a": "b"}
    assert [kept[key].number for key in "abfhl"] == [4, 5, 40, 1.5, 7]
    assert Response.objects.get().state == "complete"


def test_an_anonymous_answer_is_thanked_and_joined_to_nobody(client):
    survey = open_survey(anonymous=True, thanks_points=5)
    for _ in range(5):
        asked = invite(survey)
        person = Client()
        person.post(f"/s/i/{asked.uid}/", {"at": "0", "q1": "9"})
        done = person.post(f"/s/i/{asked.uid}/", {"at": "1", "q3": "a"}, follow=True)
        assert "5 points" in text(done)
    assert mix(survey_id=survey.pk, at=timezone.now()) == 5
    assert not Response.objects.exclude(member=None, invitation=None).exists()


@pytest.mark.parametrize("address", ["/s/nothere/", "/s/i/3f2c1b1e-0000-4000-8000-000000000000/"])
def test_addresses_of_nothing_are_told_so(client, address):
    assert client.get(address).status_code == 404


def test_a_closed_survey_says_so(client):
    survey = open_survey(closes_at=timezone.now())
    assert "This survey is over." in text(client.get(f"/s/{survey.code}/"))


def place(survey, kind: str, **more) -> SurveyPlace:
    return SurveyPlace.objects.create(survey=survey, kind=kind, created_at=timezone.now(), **more)


def test_what_is_answered_at_a_table_says_which(client):
    there = place(open_survey(), "poster", store="Mitte", table="5")
    address = f"/s/p/{there.token}/"
    client.post(address, {"at": "0", "q1": "9"})
    client.post(address, {"at": "1", "q3": "a"})
    done = Response.objects.get()
    assert (done.way, done.state, done.traits) == ("public", "complete", {"store": "Mitte", "table": "5"})
    SurveyPlace.objects.update(revoked_at=timezone.now())
    assert client.get(address).status_code == 410


def test_a_tablet_begins_anew_after_each(client):
    there = place(open_survey(), "tablet", idle_seconds=45)
    address = f"/s/p/{there.token}/"
    page = text(client.get(address))
    assert 'data-idle="45"' in page
    assert f'data-start="{address}?new"' in page
    for score in ("3", "9"):
        client.post(address, {"at": "0", "q1": score})
        values = {"at": "1", "q2": "Slow", "q3": "a"} if score == "3" else {"at": "1", "q3": "a"}
        done = text(client.post(address, values, follow=True))
        assert "Next, please" in done
        assert f'content="15;url={address}?new"' in done
    client.post(address, {"at": "0", "q1": "5"})  # goes away without finishing
    assert " checked" not in text(client.get(f"{address}?new"))
    client.post(f"{address}?new", {"at": "0", "q1": "8"})
    assert Response.objects.count() == 4
    assert set(Response.objects.values_list("way", flat=True)) == {"kiosk"}


def test_whoever_does_not_want_to_says_so(client):
    asked = invite(open_survey())
    address = f"/s/i/{asked.uid}/"
    assert "I do not want to answer" in text(client.get(address))
    assert "will not ask again" in text(client.post(address, {"decline": "1"}))
    asked.refresh_from_db()
    assert asked.state == "declined"
    assert not Response.objects.exists()


def test_members_see_what_they_are_asked_and_answer_once(client):
    survey = open_survey(thanks_points=20)
    member = make_member()
    member.user = make_user("anna@example.com")
    member.save()
    client.force_login(member.user)
    assert "20 points" in text(client.get("/"))
    assert f"/surveys/{survey.code}/" in text(client.get("/surveys/"))
    address = f"/surveys/{survey.code}/"
    client.post(address, {"at": "0", "q1": "9"})
    assert not Invitation.objects.filter(state="answered").exists()
    client.post(address, {"at": "1", "q3": "a"})
    assert (Response.objects.get().member, Response.objects.get().way) == (member, "portal")
    assert f"/surveys/{survey.code}/" not in text(client.get("/surveys/"))
    assert "Thank you" in text(client.get(address))
    assert Client().get("/surveys/").status_code == 302


def test_staff_copy_paper_each_sheet_once(client, django_user_model):
    survey = open_survey()
    address = f"/s/paper/{survey.code}/"
    assert client.get(address).status_code == 302
    staff = make_user("staff@example.com", is_staff=True)
    client.force_login(staff)
    assert client.get(address).status_code == 403
    staff.is_superuser = True
    staff.save()
    for _ in range(2):
        client.post(f"{address}?new", {"at": "0", "q1": "9", "sheet": "A-17"})
        client.post(address, {"at": "1", "q3": "b"})
    done = Response.objects.get()
    assert (done.way, done.key, done.state) == ("paper", "paper:A-17", "complete")


def test_one_network_cannot_begin_without_end(client, monkeypatch):
    monkeypatch.setattr("portal.views.surveys.MOST_BEGUN", 3)
    address = f"/s/{open_survey().code}/"
    cache.clear()
    statuses = [Client().post(address, {"at": "0", "q1": "9"}).status_code for _ in range(5)]
    assert statuses == [302, 302, 302, 429, 429]
    assert Response.objects.count() == 3


def test_too_long_a_text_and_a_lying_picture_are_said_beside_the_question(client):
    definition = satisfaction()
    definition["sections"][0]["questions"] = [question("a", "long"), question("b", "photo")]
    address = f"/s/{open_survey(definition).code}/"
    reply = client.post(address, {"at": "0", "a": "x" * 100_000})
    assert reply.status_code == 422
    assert "at most 10000 characters" in text(reply).replace(",", "")
    bad = SimpleUploadedFile("cat.jpg", b"<script>alert(1)</script>", "image/jpeg")
    reply = client.post(address, {"at": "0", "a": "fine", "b": bad})
    assert reply.status_code == 422
    assert not Upload.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_ten_tabs_at_once_take_the_last_place_once():
    survey = open_survey(response_limit=3)
    Survey.objects.update(taken=2)
    address = f"/s/{survey.code}/"
    tabs, start, answers = [Client() for _ in range(10)], Barrier(10), []
    for tab in tabs:
        tab.post(address, {"at": "0", "q1": "9"})

    def send(tab: Client) -> None:
        start.wait()
        try:
            answers.append(tab.post(address, {"at": "1", "q3": "a"}, follow=True).status_code)
        finally:
            connection.close()

    threads = [Thread(target=send, args=[tab]) for tab in tabs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 10
    assert max(answers) < 500
    assert Response.objects.filter(state="complete").count() == 1
    survey.refresh_from_db()
    assert survey.taken == 3


def test_an_invitation_that_has_expired_says_so_and_takes_nothing(client):
    asked = invite(open_survey())
    address = f"/s/i/{asked.uid}/"
    client.post(address, {"at": "0", "q1": "9"})
    Invitation.objects.update(expires_at=timezone.now())
    for reply in (client.get(address), client.post(address, {"at": "1", "q3": "a"}), Client().get(address)):
        assert "The time to answer is over." in text(reply)
        assert "survey-form" not in text(reply)
    assert Response.objects.get().state == "started"


def test_a_page_costs_the_same_for_two_questions_and_twenty(client):
    costs = []
    for n in (2, 20):
        kinds = [("single", {"choices": AB}), ("nps", {}), ("matrix", {"choices": AB, "rows": AB}), ("short", {})]
        questions = [question(f"q{m}", kinds[m % 4][0], **kinds[m % 4][1]) for m in range(n)]
        address = f"/s/i/{invite(open_survey({'sections': [{'id': 's1', 'questions': questions}]})).uid}/"
        client.get(address)
        with CaptureQueriesContext(connection) as seen:
            assert client.get(address).status_code == 200
        values = {f"q{m}": "a" if m % 4 == 0 else "7" for m in range(n) if m % 4 != 2}
        values |= {f"q{m}-{row}": "a" for m in range(2, n, 4) for row in "ab"}
        with CaptureQueriesContext(connection) as sent:
            assert client.post(address, {"at": "0", **values}).status_code == 302
        costs.append((len(seen), len(sent)))
    assert costs[0] == costs[1]
    assert costs[0][0] < 15

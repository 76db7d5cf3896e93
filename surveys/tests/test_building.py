"""A survey built, looked at, published, changed and closed by a marketer, through the pages of the desk."""

import io
import json
from copy import deepcopy

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from PIL import Image

from members.models import User
from surveys.models import Quota, Response, Survey, SurveyPicture
from surveys.ready import READY
from surveys.services.answering import answer, begin, complete
from surveys.tests.factories import AT, open_survey, question, satisfaction


@pytest.fixture
def marketer(db, settings) -> Client:
    settings.REQUIRE_STAFF_MFA = False
    user = User.objects.create_user("m@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(name: str, survey: Survey) -> str:
    return reverse(f"admin:surveys_survey_{name}", args=[survey.pk])


def saved(marketer: Client, survey: Survey, definition: dict, **more) -> None:
    told = {"name": survey.name, "definition": json.dumps(definition), "save": "1"} | more
    assert marketer.post(page("change", survey), told).status_code == 302
    survey.refresh_from_db()


def answered(survey: Survey, score: int) -> Response:
    response = begin(survey_id=survey.pk, way="public", language="en", at=AT)
    answer(response_id=response.pk, values={"q1": score}, at=AT)
    return complete(response_id=response.pk, at=AT)


def test_a_ready_survey_is_taken_changed_opened_and_published_again(marketer):
    marketer.post(reverse("admin:surveys_survey_ready", args=["nps"]))
    survey = Survey.objects.get()
    assert (survey.state, survey.number, survey.ask_every_days) == ("draft", 0, 180)
    assert marketer.post(page("open", survey), {"confirmed": "1"}).status_code == 302
    first = survey.versions.get()
    changed = deepcopy(survey.draft)
    changed["sections"][0]["questions"][0]["title"]["en"] = "Would you send a friend?"
    del changed["sections"][0]["questions"][3]
    saved(marketer, survey, changed)
    assert survey.number == 1  # nobody is asked the draft
    said = marketer.get(page("publish", survey)).context["sentences"]
    assert said[1:] == [
        "Gone: What matters most to you? Choose up to three.",
        "Would you send a friend?: worded differently",
    ]
    marketer.post(page("publish", survey), {"confirmed": "1"})
    first.refresh_from_db()
    assert [first.definition, survey.versions.get(number=2).definition] == [READY["nps"].definition, changed]


def test_what_is_wrong_is_told_at_its_place_and_is_not_opened(marketer, db):
    survey = open_survey()
    draft = satisfaction()
    draft["sections"][0]["questions"][2]["jumps"] = [{"to": "q1"}]
    told = marketer.post(
        reverse("admin:surveys_survey_check"),
        json.dumps({"survey": survey.pk, "definition": draft}),
        content_type="application/json",
    ).json()["problems"]
    assert [one["path"] for one in told] == ["/sections/0/questions/2/jumps/0/to"]
    form = {"name": survey.name, "definition": json.dumps(draft), "save": "1"}
    refused = marketer.post(reverse("admin:surveys_survey_change", args=[survey.pk]), form)
    assert refused.status_code == 422
    assert "leads nowhere" in refused.content.decode()
    assert json.loads(refused.context["form"]["definition"].value()) == draft  # what was typed is not lost
    assert [one.path for one in refused.context["problems"]] == ["/sections/0/questions/2/jumps/0/to"]
    survey.refresh_from_db()
    assert survey.draft == satisfaction()
    draft["sections"][0]["questions"][2] |= {"jumps": [], "title": {"en": ""}}
    saved(marketer, survey, draft)  # a draft may be unfinished
    assert "every language" in str(marketer.post(page("publish", survey), {"confirmed": "1"}).context["form"].errors)
    assert survey.versions.count() == 1


def test_a_preview_is_walked_through_and_leaves_nothing(marketer):
    survey = open_survey()
    url = reverse("portal:survey_preview", args=[survey.pk])
    first = marketer.get(url, {"language": "zh-hans"})
    assert first.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in first.headers["Content-Security-Policy"]
    assert "Q1？" in first.content.decode().upper()
    second = marketer.post(url, {"q1": "3", "kept": ""})  # unhappy, so the reason is asked
    assert [one["id"] for one in second.context["questions"]] == ["q2", "q3"]
    wrong = marketer.post(url, {"kept": json.dumps({"q1": "3"}), "q3": "none such"})
    assert wrong.status_code == 422
    end = marketer.post(url, {"kept": wrong.context["rehearsal"], "q2": "Cold", "q3": "b"})
    assert "portal/surveys/rehearsed.html" in [one.name for one in end.templates]
    assert not Response.objects.exists()
    assert Client().get(url).status_code == 403


def test_a_picture_is_written_anew_and_what_only_calls_itself_one_is_refused(marketer):
    survey, file = open_survey(), io.BytesIO()
    Image.new("RGB", (200, 160), "teal").save(file, "PNG")
    file.seek(0)
    file.name = "tea.png"
    told = marketer.post(page("upload", survey), {"picture": file}).json()
    shown = Client().get(told["url"])
    assert (shown["Content-Type"], SurveyPicture.objects.get().pk) == ("image/jpeg", told["id"])
    lie = io.BytesIO(b"<svg onload=alert(1)>")
    lie.name = "tea.png"
    refused = marketer.post(page("upload", survey), {"picture": lie})
    assert (refused.status_code, SurveyPicture.objects.count()) == (400, 1)
    choices = [{"id": key, "title": {"en": key, "zh-hans": key}, "picture": told["id"]} for key in ("tea", "coffee")]
    saved(marketer, survey, {"sections": [{"id": "s1", "questions": [question("q1", "picture", choices=choices)]}]})
    marketer.post(page("publish", survey), {"confirmed": "1"})
    assert told["url"] in Client().get(reverse("portal:survey", args=[survey.code])).content.decode()
    marketer.post(page("copy", survey), {"confirmed": "1"})
    copied = Survey.objects.latest("pk")
    own = copied.pictures.get().pk
    assert own != told["id"]
    assert [one["picture"] for one in copied.draft["sections"][0]["questions"][0]["choices"]] == [own, own]


def test_settings_keep_their_word(marketer):
    survey = open_survey()
    answered(survey, 9)
    answered(survey, 3)
    told = {
        "ways": ["public"], "languages": ["en", "zh-hans"], "smallest_group": "5", "ask_every_days": "30",
        "thanks_points": "10", "anonymous": "on", "opens_at": "2026-06-01T10:00", "closes_at": "2026-06-01T09:00",
        "response_limit": "1",
    }  # fmt: skip
    form = marketer.post(page("settings", survey), told).context["form"]
    assert set(form.errors) == {"closes_at", "response_limit"}
    marketer.post(page("settings", survey), told | {"closes_at": "2026-06-02T09:00", "response_limit": "2"})
    survey.refresh_from_db()
    assert (survey.anonymous, survey.response_limit, survey.taken, survey.ways) == (False, 2, 2, ["public"])


def test_a_quota_counts_who_is_there_already_and_can_be_taken_away(marketer):
    survey = open_survey()
    answered(survey, 2)
    offered = marketer.get(page("quotas", survey)).context["form"].fields["who"].choices
    detractors = next(key for key, words in offered if "detractors" in words)
    marketer.post(page("quotas", survey), {"who": detractors, "most": "1"})
    assert (Quota.objects.get().taken, Quota.objects.get().most) == (1, 1)
    assert answered(survey, 4).state == "over_quota"
    assert answered(survey, 8).state == "complete"
    marketer.post(page("quotas", survey), {"remove": str(Quota.objects.get().pk)})
    assert answered(survey, 4).state == "complete"


def test_a_quota_of_members_is_made_at_the_desk(marketer):
    survey = open_survey()
    address = page("quotas", survey)
    assert "of which members" in str(marketer.post(address, {"most": "5"}).context["form"].errors)
    marketer.post(address, {"most": "5", "age_from": "18", "age_to": "29", "city": "Berlin"})
    made = Quota.objects.get()
    assert made.condition is None
    assert made.who == {
        "all": [
            {"trait": "age", "op": "at_least", "value": 18},
            {"trait": "age", "op": "at_most", "value": 29},
            {"trait": "city", "op": "any_of", "value": ["Berlin"]},
        ]
    }
    assert "From the age of: 18" in marketer.get(address).content.decode()
    closed = marketer.get(page("quotas", open_survey(anonymous=True))).context["form"]
    assert set(closed.fields) == {"who", "most"}


def test_who_may_only_look_changes_nothing(db, settings):
    settings.REQUIRE_STAFF_MFA = False
    survey = open_survey()
    client = Client()
    till = User.objects.create_user("t@example.com", is_staff=True)
    till.groups.add(Group.objects.get(name="Till"))
    client.force_login(till, backend="django.contrib.auth.backends.ModelBackend")
    for name in ("change", "settings", "quotas", "upload", "close"):
        assert client.post(page(name, survey), {"confirmed": "1"}).status_code == 403, name

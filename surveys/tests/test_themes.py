"""Words and themes of what people write, through the pages staff see."""

import pytest

from members.services.erasure import erase_member
from members.tests.factories import make_member
from surveys.models import Answer, Response, Theme
from surveys.services.cases.hearing import member_writes
from surveys.services.cases.opening import open_case
from surveys.services.mixing import mix
from surveys.services.themes import read_due
from surveys.tests.factories import AT, open_survey
from surveys.tests.test_report_page import desk  # noqa: F401
from surveys.tests.test_verbatims import ASKED, address, write

pytestmark = pytest.mark.django_db


def themes() -> dict[str, int]:
    return {theme.name_en: theme.pk for theme in Theme.objects.all()}


def add(desk, name: str, terms: str) -> int:  # noqa: F811
    page = desk.post("/admin/surveys/theme/add/", {"name_en": name, "name_zh_hans": "", "terms": terms})
    assert page.status_code == 302, page.context["adminform"].form.errors
    read_due()
    return themes()[name]


def report(survey, kind: str = "") -> str:
    return address(survey, kind).replace("verbatims", "report")


def test_a_report_tells_words_and_themes_with_the_score_beside(desk, django_assert_max_num_queries):  # noqa: F811
    survey = open_survey(ASKED)
    write(survey, *[(2, "The queue was too long. Queue!")] * 40, *[(10, "排队很快，咖啡好喝")] * 40, (5, ""))
    price = add(desk, "Price", "price\n贵")
    wait = add(desk, "Waiting", "queue\n太久")
    with django_assert_max_num_queries(45):
        page = desk.get(report(survey))
    (told,) = page.context["beside"]
    assert (told.theme.pk, told.people, told.share.value) == (wait, 40, 50)
    assert (told.score.value, told.rest.value, told.differs.value) == (-100, 100, -200)
    text = page.content.decode()
    assert f"{address(survey)}?question=q2&amp;word=queue" in text
    assert f"{address(survey)}?question=q2&amp;theme={wait}" in text
    lines = {line["what"]: line for line in desk.get(report(survey, "json/")).json() if line["question"] == "Q2"}
    assert (lines["theme: Waiting"]["n"], lines["theme: Waiting"]["value"]) == (40, 50)  # people, of those who wrote
    assert lines["theme: Waiting"]["low"] == pytest.approx(39.3, abs=0.05)
    assert lines["word: queue"]["n"] == 40  # however often each wrote it
    assert lines["word: 咖啡好喝"]["n"] == 40
    assert "theme: Price" not in lines
    by = desk.get(report(survey, "json/"), {"by": "language"}).json()
    assert [line["n"] for line in by if line["what"] == "theme: Waiting"] == [40]
    assert price in themes().values()


def test_verbatims_are_filtered_by_theme_and_word_and_wear_their_themes(desk):  # noqa: F811
    survey = open_survey(ASKED)
    write(survey, (3, "Cold coffee"), (8, "Too pricey"), (9, "太贵，咖啡凉"), (1, "Not cold"))
    price = add(desk, "Price", "pricey, 贵")
    add(desk, "Coffee", "coffee, 咖啡")

    def told(**chosen) -> list[tuple[str, str]]:
        return [(line["text"], line["themes"]) for line in desk.get(address(survey, "json/"), chosen).json()]

    assert told(theme=price) == [("太贵，咖啡凉", "Price; Coffee"), ("Too pricey", "Price")]
    assert told(word="cold") == [("Cold coffee", "Coffee")]
    assert told(word="not cold") == [("Not cold", "")]
    assert [text for text, _ in told(theme="x", word="nothing' OR 1")] == []
    page = desk.get(address(survey), {"theme": price, "word": "太贵"}).content.decode()
    assert "Word: 太贵" in page
    assert f'href="?theme={price}">Price</a>' in page


def test_changed_words_are_looked_for_in_older_texts_and_a_theme_can_go(desk):  # noqa: F811
    survey = open_survey(ASKED)
    write(survey, (3, "Cold coffee"), (8, "Too pricey"))
    pk = add(desk, "Price", "pricey")
    page = f"/admin/surveys/theme/{pk}/"
    assert "1 of the newest 2 texts." in desk.get(f"{page}change/").content.decode()
    tried = desk.post("/admin/surveys/theme/try/", {"terms": "cof*\npricey"}).content.decode()
    assert "2 of the newest 2 texts." in tried
    assert "Cold coffee" in tried
    wrong = desk.post(f"{page}change/", {"name_en": "Price", "terms": "a"})
    assert "would find nothing" in wrong.content.decode()
    desk.post(f"{page}change/", {"name_en": "Drinks", "terms": "coffee"})
    assert "Texts are being looked through for the new words of: Drinks" in desk.get(report(survey)).content.decode()
    read_due()
    assert dict(Answer.objects.exclude(text="").values_list("text", "themes")) == {
        "Cold coffee": [pk],
        "Too pricey": [],
    }
    desk.post(f"{page}delete/", {"post": "yes"})
    assert desk.get(report(survey)).context["beside"] == []
    assert desk.get(address(survey, "json/")).json()[1]["themes"] == ""


def test_ready_themes_come_with_one_click_and_once(desk):  # noqa: F811
    assert "Add the ready themes" in desk.get("/admin/surveys/theme/").content.decode()
    for _ in range(2):
        desk.post("/admin/surveys/theme/ready/")
    assert Theme.objects.count() == 10
    page = desk.get("/admin/surveys/theme/", headers={"accept-language": "zh-hans"}).content.decode()
    assert "Add the ready themes" not in page
    assert "等候时间" in page


def test_only_what_is_finished_is_read_and_what_is_not_read_is_said(desk):  # noqa: F811
    survey = open_survey(ASKED)
    write(survey, (3, "Cold coffee"), (3, "Cold tea"))
    Response.objects.filter(answers__text="Cold tea").update(state="started", completed_at=None)
    assert "1 text is not read yet" in desk.get(report(survey)).content.decode()
    assert read_due() == 1
    assert Answer.objects.get(text="Cold tea").words is None
    assert "not read yet" not in desk.get(report(survey)).content.decode()
    assert read_due() == 0


def test_an_anonymous_survey_tells_no_scores_beside_themes_and_nothing_of_few(desk):  # noqa: F811
    survey = open_survey(ASKED, anonymous=True)
    write(survey, *[(2, "Slow queue")] * 4, *[(9, "Fine coffee")] * 5)
    assert read_due() == 0  # before they are mixed nobody looks at them
    mix(survey_id=survey.pk, at=AT)
    slow, fine = add(desk, "Slow", "slow"), add(desk, "Fine", "fine")
    page = desk.get(report(survey), {"by": "language"})
    assert page.context["beside"] == []
    lines = {line["what"] for line in desk.get(report(survey, "json/")).json()}
    assert {what for what in lines if ":" in what} == {"theme: Fine", "word: fine coffee"}
    by = desk.get(report(survey, "json/"), {"by": "language"}).json()
    assert not any(line["what"].startswith("theme") for line in by)
    assert len(desk.get(address(survey, "json/"), {"theme": fine}).json()) == 5
    assert len(desk.get(address(survey, "json/"), {"word": "coffee", "level": "low"}).json()) == 5
    assert slow in themes().values()


def test_with_the_words_of_who_is_erased_goes_what_was_read_in_them(desk):  # noqa: F811
    survey = open_survey(ASKED)
    member = make_member()
    write(survey, (3, "Cold coffee"))
    Response.objects.update(member=member)
    add(desk, "Coffee", "coffee")
    assert Answer.objects.get(question="q2").words == ["cold", "coffee", "cold coffee"]
    erase_member(member_id=member.pk, at=AT)
    read_due()
    assert Answer.objects.filter(question="q2").values("text", "words", "themes").get() == {
        "text": "",
        "words": None,
        "themes": None,
    }
    assert desk.get(report(survey)).context["beside"] == []


def test_cases_wear_the_themes_of_what_members_said_and_not_of_what_they_were_asked(desk):  # noqa: F811
    member = make_member()
    told = open_case(kind="complaint", text="The queue was long", source="portal", member_id=member.pk, at=AT)
    survey = open_survey(ASKED)
    write(survey, (3, "Cold coffee"))
    asked = open_case(
        kind="complaint", text="Was the queue long?\nCold coffee", source="survey", channel="survey", at=AT,
        response_id=Response.objects.get().pk, member_id=member.pk,
    )  # fmt: skip
    wait, coffee = add(desk, "Waiting", "queue"), add(desk, "Coffee", "coffee")

    def of(case) -> list[int]:
        read_due()
        case.refresh_from_db()
        return sorted(case.themes)

    assert (of(told), of(asked)) == ([wait], [coffee])
    member_writes(case_id=told.pk, text="And the coffee was cold", channel="portal", at=AT)
    assert of(told) == [wait, coffee]
    found = desk.get("/admin/surveys/case/", {"theme": wait}).context["cl"].result_list
    assert [case.pk for case in found] == [told.pk]
    assert "Waiting" in desk.get(f"/admin/surveys/case/{told.pk}/change/", follow=True).content.decode()
    desk.post(f"/admin/surveys/theme/{wait}/change/", {"name_en": "Waiting", "name_zh_hans": "", "terms": "wait"})
    assert of(told) == [coffee]
    erase_member(member_id=member.pk, at=AT)
    assert of(told) == []

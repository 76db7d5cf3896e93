"""The whole way in two real browsers: a marketer asks from their desk, somebody unhappy answers in Chinese on a phone,
is helped, the cause is done away with, and the recovery is shown. Pages on the way are held against axe."""

import re
from datetime import timedelta
from io import BytesIO

import pytest
from django.core import mail
from django.core.management import call_command
from django.utils import timezone
from PIL import Image
from playwright.sync_api import expect

from campaigns.services.delivery import deliver
from loyalty_crm.tests.test_browser import accessible, desk  # noqa: F401  a fixture
from members.models import Programme
from members.services.consent import state_consent
from members.services.profile import update_profile
from members.services.reactions import run_due as react
from portal.tests.browser import PHONE, check, sign_in
from portal.tests.conftest import make_account, open_page  # noqa: F401  a fixture
from rewards.queries import balance
from rewards.tests.factories import make_rule, post
from surveys.enums import PlaceKind, QuestionKind, SurveyState, Way
from surveys.links import shared_url
from surveys.models import Answer, Case, CaseRule, ImprovementAction, Invitation, Response, RootCause, Survey
from surveys.services.answering import answer, begin, complete
from surveys.services.doors import make_place, make_trigger
from surveys.services.inviting import plan_wave
from surveys.services.inviting import run_due as run_waves
from surveys.services.publishing import make_survey, move, save_draft
from surveys.services.sharing import share_report
from surveys.services.themes import read_due as read_texts
from surveys.services.uploads import add_picture
from surveys.tests.factories import AB, cases_of, open_survey, question

pytestmark = pytest.mark.django_db(transaction=True)
ASKED = [question("q1", "nps"), question("q2", "long")]


@pytest.fixture
def member(live_server, settings):
    call_command("messages", "--compile")
    settings.REQUIRE_STAFF_MFA, settings.SITE_URL = False, live_server.url
    Programme.objects.create(pk=1, name="Corner Café", time_zone="Europe/Berlin")
    make_rule()
    CaseRule.objects.create(severity="normal")
    mei = make_account("mei@example.com", name="陈梅")
    at = timezone.now()
    update_profile(member_id=mei.pk, changes={"language": "zh-hans"}, at=at)
    state_consent(member_id=mei.pk, channel="email", purpose="offers", granted=True, source="test", at=at)
    return mei


def mailed_link(score: int) -> str:
    """What a wave sends, and its link for a score."""
    at = timezone.now()
    assert run_waves(at=at) == 1
    react(at=at + timedelta(seconds=5))
    assert deliver(clock=lambda: timezone.now() + timedelta(seconds=10)) == 1
    html = str(mail.outbox[-1].alternatives[0][0])  # type: ignore[union-attr]
    return re.findall(r'class="survey-step"[^>]* href="([^"]+)"', html)[score]


def others(survey: Survey, scores: dict[int, int]) -> None:
    """As many complete answers of each score, of people who are not known."""
    version, at = survey.versions.get(), timezone.now()
    same = {"survey": survey, "version": version, "way": Way.PUBLIC, "language": "en", "state": "complete"}
    same |= dict.fromkeys(("started_at", "changed_at", "completed_at"), at)
    told = [score for score, n in scores.items() for _n in range(n)]
    made = Response.objects.bulk_create(Response(**same) for _one in told)
    Answer.objects.bulk_create(
        Answer(response=one, question="recommend", number=score) for one, score in zip(made, told, strict=True)
    )


def test_from_an_empty_desk_to_a_customer_who_came_back(desk, member, open_page, live_server):  # noqa: F811
    cause = RootCause.objects.create(name_en="Old machine")
    desk.set_default_timeout(10_000)
    # built, opened and sent
    desk.goto(live_server.url + "/admin/surveys/survey/add/")
    desk.get_by_role("button", name="Would you recommend us?").click()
    desk.locator(".sur-add summary").click()
    desk.get_by_role("button", name="Short text").click()
    verdict = desk.locator("[data-survey=verdict]")
    expect(verdict).to_have_text("The new question is not finished yet.")  # and nothing is red yet
    desk.keyboard.type("What else?")  # the focus is there
    desk.keyboard.press("Tab")
    desk.keyboard.type("还有呢？")
    expect(verdict).to_have_text("Everything is complete: it can be asked.")
    accessible(desk)
    desk.get_by_role("button", name="Save the draft").click()
    survey = Survey.objects.get()
    desk.goto(f"{live_server.url}/admin/surveys/survey/{survey.pk}/settings/")
    desk.get_by_label("Points as thanks").fill("20")
    desk.get_by_role("button", name="Save", exact=True).click()
    desk.get_by_role("link", name="Build", exact=True).click()
    desk.get_by_role("button", name="Save and open…").click()
    desk.get_by_role("button", name="Open", exact=True).click()
    desk.get_by_role("button", name="Estimate").click()
    accessible(desk)
    desk.get_by_role("button", name="Invite 1").click()
    expect(desk.get_by_text("Wave 1 begins within a minute.")).to_be_visible()

    # answered on a phone: the link has the choice made, and nothing is recorded before it is sent
    phone = open_page(viewport=PHONE, locale="zh-CN", color_scheme="dark")
    link = mailed_link(2)
    check(phone, link.removeprefix(live_server.url))
    expect(phone.get_by_role("radio", name="2")).to_be_checked()
    assert not Response.objects.exists()
    phone.get_by_role("button", name="继续").click()
    phone.get_by_label("您的评分是 2。我们哪里可以做得更好？").fill("咖啡是凉的 <b>")
    phone.get_by_text("速度", exact=True).click()
    phone.get_by_role("button", name="提交").click()
    expect(phone.get_by_text("20 积分已作为答谢存入您的会员卡。")).to_be_visible()
    assert balance(member.pk) == 20

    # with 99 others, 70 of 100 recommend the shop and 10 do not
    others(survey, {10: 70, 8: 20, 3: 9})
    desk.goto(f"{live_server.url}/admin/surveys/survey/{survey.pk}/report/")
    expect(desk.get_by_text("47.0 … 73.0 · n = 100").first).to_be_visible()
    expect(desk.locator(".sur-cards .desk-figure").first).to_have_text("60.0")

    # helped
    react(at=timezone.now())
    case = Case.objects.get(member=member)
    desk.goto(live_server.url + "/admin/surveys/case/board/")
    desk.locator(".case-card").drag_to(desk.locator("[data-state=open]"))
    expect(desk.locator("[data-state=open] .case-card")).to_have_count(1)
    desk.get_by_role("link", name="咖啡是凉的 <b>").click()
    accessible(desk)
    desk.get_by_role("button", name="Take it").click()
    desk.get_by_label("Answer the member").fill("非常抱歉，请您再喝一杯。")
    desk.locator("[name=channel]").first.select_option("portal")
    desk.get_by_role("button", name="Send", exact=True).click()
    desk.locator("[name=points]").fill("50")
    desk.get_by_role("button", name="Give points").click()
    expect(desk.locator(".desk-row", has_text="50 points")).to_contain_text("Given")
    sign_in(phone, "mei@example.com")
    check(phone, f"/feedback/{case.uid}/")
    expect(phone.get_by_text("非常抱歉，请您再喝一杯。")).to_be_visible()
    phone.get_by_role("textbox").fill("谢谢，我会再来。")
    phone.locator("main form .button").first.click()
    expect(phone.get_by_text("谢谢，我会再来。")).to_be_visible()

    # its cause done away with
    desk.reload()
    expect(desk.locator(".case-said-in").last).to_contain_text("谢谢，我会再来。")
    desk.get_by_text("Plan a new one").click()
    desk.get_by_label("What will be changed").fill("A new machine")
    desk.locator("details [name=cause]").select_option(str(cause.pk))
    desk.get_by_role("button", name="Plan it").click()
    desk.get_by_role("button", name="→ Put right").click()
    at = timezone.now() - timedelta(days=40)  # as if all that had been then
    Case.objects.update(opened_at=at, resolved_at=at + timedelta(days=1))
    Response.objects.update(completed_at=at)
    Invitation.objects.update(created_at=at, answered_on=at.date())
    ImprovementAction.objects.update(state="done", done_at=at + timedelta(days=2), check_days=7)

    # asked again, and recovered
    post(member, at + timedelta(days=5), purchased_at=at + timedelta(days=5))
    Survey.objects.update(ask_every_days=30)
    plan_wave(survey_id=survey.pk, due_at=timezone.now())
    check(phone, mailed_link(9).removeprefix(live_server.url))
    phone.get_by_role("button", name="继续").click()
    phone.get_by_role("button", name="提交").click()
    expect(phone.get_by_text("积分已作为答谢存入您的会员卡。")).to_be_visible()
    desk.reload()
    expect(desk.get_by_text("Gave 2 then, and 9 since.")).to_be_visible()
    expect(desk.get_by_text("Bought 1 time since")).to_be_visible()
    desk.get_by_role("link", name="A new machine").click()
    desk.get_by_role("button", name="Look at the effect again").click()
    expect(desk.get_by_text("2.0 → 9.0")).to_be_visible()
    accessible(desk)
    desk.goto(f"{live_server.url}/admin/surveys/survey/{survey.pk}/report/?by=way")
    accessible(desk)
    for page in ("preview", "settings", "quotas", "reach", "share"):
        desk.goto(f"{live_server.url}/admin/surveys/survey/{survey.pk}/{page}/")
        accessible(desk)


def test_every_kind_of_question_and_every_sheet_is_within_reach(member, open_page):  # noqa: F811
    """On a phone, on a tablet and as a sheet of paper."""
    out, at = BytesIO(), timezone.now()
    Image.new("RGB", (120, 90)).save(out, "PNG")
    survey = make_survey(name="All", definition={}, at=at, ways=list(Way.values))
    picture = add_picture(survey_id=survey.pk, file=BytesIO(out.getvalue()), at=at).pk
    told = [{**question(f"q{n}", kind), **_more(kind, picture)} for n, kind in enumerate(QuestionKind.values)]
    save_draft(survey_id=survey.pk, definition={"sections": [{"id": "s1", "questions": told}]}, at=at)
    move(survey_id=survey.pk, to=SurveyState.OPEN, at=at)
    phone = open_page(viewport=PHONE, locale="zh-CN", color_scheme="light")
    check(phone, f"/s/{survey.code}/")
    there = make_place(
        survey_id=survey.pk, kind=PlaceKind.TABLET, store="", table="", at=timezone.now(), idle_seconds=9
    )
    check(phone, f"/s/p/{there.token}/")
    phone.clock.install()
    phone.goto(f"/s/p/{there.token}/")
    phone.get_by_role("radio", name="7").first.check(force=True)
    phone.clock.run_for(8_000)
    expect(phone.get_by_role("radio", name="7").first).to_be_checked()
    with phone.expect_navigation(url=re.compile(r"\?new$")):  # nobody stands there any more
        phone.clock.run_for(9_000)
    expect(phone.get_by_role("radio", name="7").first).not_to_be_checked()


def _more(kind: str, picture: int) -> dict:
    told: dict[str, dict] = {
        "single": {"choices": AB, "other": True},
        "multiple": {"choices": AB, "other": True},
        "ranking": {"choices": AB},
        "matrix": {"choices": AB, "rows": AB},
        "picture": {"choices": [{**choice, "picture": picture} for choice in AB]},
        "slider": {"low": 0, "high": 100},
    }
    return told.get(kind, {})


def test_no_page_of_surveys_and_cases_has_a_barrier(desk, member, open_page, live_server):  # noqa: F811
    """Each page once: at the desk by turns wide and light, narrow and dark; of members on a phone, in Chinese."""
    at = timezone.now()
    survey, over = open_survey({"sections": [{"id": "s1", "questions": ASKED}]}), open_survey()
    for n in range(6):
        begun = begin(survey_id=survey.pk, way=Way.PUBLIC, language="en", at=at - timedelta(minutes=n))
        answer(response_id=begun.pk, values={"q1": n + 3, "q2": "The coffee is cold"}, at=at)
        complete(response_id=begun.pk, at=at - timedelta(minutes=n))
    move(survey_id=over.pk, to=SurveyState.CLOSED, at=at)
    made = cases_of(member)
    read_texts()
    make_place(survey_id=survey.pk, kind=PlaceKind.POSTER, store="Harbour", table="1", at=at)
    trigger = make_trigger(survey_id=survey.pk, event="case", at=at, after_hours=24)
    run_waves(at=at)
    Invitation.objects.create(survey=survey, member=member, key="wave:1", created_at=at)
    shared = share_report(survey_id=survey.pk, title="Guests", expires_at=at + timedelta(days=9), at=at, verbatims=True)
    own, case = f"survey/{survey.pk}", made["surveys_case"]
    desk_of = ("caserule", "openinghours", "caresettings")
    pages = [
        "case/", "case/board/", "case/add/", f"case/{case}/", "case/figures/", "case/figures/answers/", "survey/",
        "survey/add/", f"{own}/verbatims/", f"{own}/answers/", f"{own}/answers/{begun.pk}/", f"{own}/versions/",
        f"{own}/reach/posters/", f"{own}/reach/invitations/",
        f"{own}/reach/triggers/{trigger.pk}/", f"{own}/reach/triggers/{trigger.pk}/delete/", "suggestion/",
        f"suggestion/{made['surveys_suggestion']}/change/", "improvementaction/", "theme/",
        f"theme/{made['surveys_theme']}/change/", "theme/ready/",
        *(f"{one}/{made[f'surveys_{one}']}/change/" for one in desk_of),
    ]  # fmt: skip
    looks = [({"width": 1280, "height": 900}, "light"), (PHONE, "dark")]
    for n, page in enumerate(pages):
        size, scheme = looks[n % 2]
        desk.set_viewport_size(size)
        desk.emulate_media(color_scheme=scheme)
        desk.goto(f"{live_server.url}/admin/surveys/{page}")
        assert desk.evaluate("document.documentElement.scrollWidth <= innerWidth"), page
        accessible(desk, "body" if "posters" in page else "#content")
    phone = open_page(viewport=PHONE, locale="zh-CN", color_scheme="dark")
    check(phone, f"/s/{over.code}/")
    check(phone, shared_url(shared.uid).removeprefix(live_server.url))
    sign_in(phone, "mei@example.com")
    for page in ("/feedback/", "/feedback/new/", "/feedback/ideas/", "/surveys/"):
        check(phone, page)
    paper = open_page(viewport=PHONE, locale="en-GB", color_scheme="light")
    paper.context.add_cookies(desk.context.cookies())
    check(paper, f"/s/paper/{survey.code}/")

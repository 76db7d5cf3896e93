"""Invitations to surveys as mails: one for each, by the same consent and limits as all others."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.content.compiled import Compiled
from campaigns.content.look import look
from campaigns.enums import Medium
from campaigns.models import Cap, Message, TrackEvent
from campaigns.services.delivery import deliver
from campaigns.services.preferences import set_first_channel
from campaigns.services.survey_mail import mail_of, plan
from campaigns.services.templates import save_template
from campaigns.services.trying import values_for
from campaigns.services.verdicts import judge
from campaigns.tests.test_app_channel import agree, follower
from members.models import User
from members.services.consent import state_consent
from members.services.profile import link_account
from members.services.reactions import run_due as react
from members.tests.factories import make_member
from surveys.definition import BadSurvey
from surveys.links import Asked, member_url
from surveys.models import Invitation, Response
from surveys.queries_list import standing
from surveys.queries_report import Asked as Part
from surveys.queries_report import rate_of, report
from surveys.reaching import sending
from surveys.report import figures
from surveys.services.inviting import invite
from surveys.tests.factories import open_survey, question

BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"
pytestmark = pytest.mark.django_db


def reader(*, agrees: bool = True, **profile):
    member = make_member(**profile)
    if agrees:
        state_consent(
            member_id=member.pk, channel="email", purpose="offers", granted=True, source="test", at=timezone.now()
        )
    return member


def ask(survey, *members) -> list[Message]:
    at = timezone.now()
    invite(survey_id=survey.pk, member_ids=[one.pk for one in members], key="wave:1", at=at, days_open=30)
    react(at=at + timedelta(seconds=5))
    return list(Message.objects.filter(campaign__kind="survey").order_by("member"))


def send() -> int:
    return deliver(clock=lambda: timezone.now() + timedelta(seconds=10))


def test_the_mail_asks_the_question_itself_and_a_click_writes_nothing():
    survey = open_survey(thanks_points=20)
    anna, mei = reader(language="en"), reader(language="zh-hans")
    silent = reader(agrees=False)
    planned = ask(survey, anna, mei, silent)
    assert [(one.state, one.reason) for one in planned] == [("queued", ""), ("queued", ""), ("skipped", "no_consent")]
    plan(invitation_ids=list(Invitation.objects.values_list("pk", flat=True)), at=timezone.now())  # told again
    assert Message.objects.count() == 3
    assert send() == 2
    by_member = {one.to[0]: one for one in mail.outbox}
    html = by_member[mei.email].alternatives[0][0]
    assert "q1？" in html
    links = re.findall(r'class="survey-step"[^>]* href="http://[^/"]+([^"]+)"', html)
    scanner = {"headers": {"user-agent": BROWSER}}
    pages = [Client().get(link, **scanner)["Location"] for link in links]
    own = str(Invitation.objects.get(member=mei).uid)
    assert [urlsplit(page).path for page in pages] == [f"/s/i/{own}/"] * 11
    assert [parse_qs(urlsplit(page).query)["q1"] for page in pages] == [[str(n)] for n in range(11)]
    for link in links * 2:  # a scanner opens them all, as often as it likes
        assert Client().get(link, follow=True, **scanner).status_code == 200
        assert Client().head(link, follow=True, **scanner).status_code == 200
    assert not Response.objects.exists()
    assert set(Invitation.objects.values_list("state", flat=True)) == {"open"}
    html = by_member[anna.email].alternatives[0][0]
    link = re.findall(r'class="survey-step"[^>]* href="http://[^/"]+([^"]+)"', html)[9]
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        page = Client().get(link, follow=True, **scanner).content.decode()  # the same program, and one link once
        assert re.search(r'value="9"[^>]* checked', page)
        judge(at=timezone.now() + timedelta(minutes=5))
    assert sending().visits(survey.pk) == [("A person", 1), ("A scanner", 1)]
    assert TrackEvent.objects.count() <= 6  # a row for a link in a minute
    assert "unsubscribe" in by_member[anna.email].message().as_string().lower()


def test_the_response_rate_is_of_those_whom_an_invitation_reached():
    """Two are asked and one answers; of those whom no message of ours asked, three answer."""
    survey = open_survey()
    anna, mei, silent = reader(), reader(), reader(agrees=False)
    ask(survey, anna, mei, silent)
    assert rate_of(survey.pk).asked == 0  # nothing went out yet
    assert send() == 2
    links = [reverse("portal:invited", args=[Invitation.objects.get(member=one).uid]) for one in (anna, silent)]
    links += [reverse("portal:survey_for", args=[_token(survey)]), reverse("portal:survey", args=[survey.code])]
    for link in links:
        client = Client()
        client.post(link, {"q1": "9"})
        assert client.post(link, {"q3": "a"}, follow=True).status_code == 200
    rate = rate_of(survey.pk)
    assert (rate.asked, rate.answered.value, rate.unasked, rate.finished) == (2, 50, 3, 4)
    assert report(Part(survey.pk, by="channel"))[1] == {"email": 1, "": 3}
    told = figures(survey, Part(survey.pk), "channel")["groups"]
    assert [head["name"] for head in told["heads"]] == ["E-mail", "not known"]
    assert standing([survey.pk])[survey.pk].rate == 50


def _token(survey) -> str:
    at = timezone.now()
    return member_url(Asked(survey.pk, reader().pk, f"open:{at:%Y-%m-%d}")).rstrip("/").rpartition("/")[2]


def test_surveys_share_the_limits_of_all_messages():
    Cap.objects.create(channel="", number=1, days=7)
    member = reader()
    first, second = open_survey(), open_survey()
    ask(first, member)
    assert send() == 1
    invite(survey_id=second.pk, member_ids=[member.pk], key="x", at=timezone.now() + timedelta(days=20))
    Invitation.objects.filter(survey=second).update(created_at=timezone.now())
    react(at=timezone.now() + timedelta(seconds=5))
    assert send() == 0
    assert Message.objects.get(campaign__survey_mail__survey=second).state == "skipped"  # no room before it is too late


def test_who_let_go_of_the_topic_is_left_out():
    from campaigns.models import TopicChoice

    survey, member = open_survey(), reader()
    topic = mail_of(survey_id=survey.pk, at=timezone.now()).campaign.topic
    TopicChoice.objects.create(
        member=member, topic=topic, channel="email", wanted=False, source="test", at=timezone.now()
    )
    ask(survey, member)
    assert send() == 0
    assert Message.objects.get().reason == "topic_off"
    found = sending().reached(survey.pk, "SELECT id FROM members_member", {}, timezone.now())
    assert ([n for _why, n in found.lost], found.ways, found.waiting) == ([0, 0, 1], [], 0)


def test_each_is_asked_by_the_first_channel_they_agreed_to(app, client):
    """App, text message, inbox: one message each, with the personal link, and never another by another way."""
    Cap.objects.create(channel="", number=1, days=7)
    survey = open_survey()
    mail_of(survey_id=survey.pk, at=timezone.now())
    sending().choose(survey.pk, None, ["webhook", "sms", "app"], timezone.now())
    by_app, by_text = follower("o-1", phone="+491700000001"), make_member(phone="+491700000002")
    agree(by_text, "sms", "webhook")  # has no number there
    inside = reader(email="inside@example.com")  # any yes to the purpose
    link_account(member_id=inside.pk, user=User.objects.create_user("inside@example.com", "x"), at=timezone.now())
    by_mail, silent = reader(), make_member()
    rows = "SELECT id FROM members_member"
    found = sending().reached(survey.pk, rows, {}, timezone.now())
    assert [n for _label, n in found.ways] == [1, 1, 1]
    assert [n for _why, n in found.lost] == [2, 0, 0]
    ask(survey, by_app, by_text, inside, by_mail, silent)
    told = dict(Message.objects.values_list("member", "channel"))
    assert (told[by_app.pk], told[by_text.pk], told[inside.pk]) == ("webhook", "sms", "app")
    sending().choose(survey.pk, None, ["sms", "email"], timezone.now())  # what is planned stays
    plan(invitation_ids=list(Invitation.objects.values_list("pk", flat=True)), at=timezone.now())
    assert Message.objects.count() == 5
    assert (send(), send()) == (3, 0)
    ((_path, _headers, body),) = app.provider.asked
    assert body["touser"] == "o-1"
    assert str(Invitation.objects.get(member=by_app).uid) in body["text"]
    texts = {one.channel: one for one in Message.objects.filter(state="sent")}
    assert str(Invitation.objects.get(member=by_text).uid) in texts["sms"].text
    client.force_login(User.objects.get())
    page = client.get(reverse("portal:message", args=[texts["app"].pk])).content.decode()
    assert str(Invitation.objects.get(member=inside).uid) in page
    either = reader(phone="+491700000003")
    agree(either, "sms")
    set_first_channel(member_id=either.pk, channel=Medium.EMAIL, source="portal", at=timezone.now())
    ask(survey, either)
    assert Message.objects.get(member=either).channel == "email"
    found = sending().reached(survey.pk, rows, {}, timezone.now())
    assert found.waiting == 2  # whom the new channels reach, and who had a message by whichever way


def test_a_template_without_a_short_text_asks_by_the_link():
    survey, member = open_survey(), make_member(phone="+491700000003")
    agree(member, "sms")
    template = save_template(
        template_id=None, name="Bare", kind="marketing", actor_id=None, at=timezone.now(),
        content={"subject": {"en": "?"}, "blocks": [{"type": "survey_question"}]},
    ).template  # fmt: skip
    sending().choose(survey.pk, template.pk, ["sms"], timezone.now())
    ask(survey, member)
    assert send() == 1
    assert Message.objects.get().text.endswith(f"/s/i/{Invitation.objects.get().uid}/")


def test_any_mail_may_hold_a_link_to_a_survey():
    survey, member = open_survey(), make_member()
    content = {
        "subject": {"en": "Hello", "zh-hans": ""},
        "blocks": [{"type": "survey_question", "survey": survey.pk}],
    }
    made = Compiled(content, "en", "service", look(), timezone.now())
    html = made.render(values_for(made, member, timezone.now()) | {f"survey_{survey.pk}": _link(survey, member)}).html
    link = re.findall(r'href="http://[^"/]+(/s/for/[^"]+)"', html)[9]
    client = Client()
    assert 'value="9" checked' in client.get(link).content.decode()
    assert not Invitation.objects.exists()
    client.post(link, {"at": "0", "q1": "9"})
    client.post(link, {"at": "1", "q3": "a"})
    response = Response.objects.get()
    assert (response.member_id, response.state, response.invitation.state) == (member.pk, "complete", "answered")
    assert "thank" in Client().get(link).content.decode().lower()  # forwarded: it is answered
    assert Client().get(link.replace("/s/for/", "/s/for/x")).status_code == 404


def _link(survey, member):
    from campaigns import merge
    from campaigns.merge import Recipient

    at = timezone.now()
    (values,) = merge.values([Recipient(member, "en", at, at.date())], [f"survey_{survey.pk}"])
    return values[f"survey_{survey.pk}"]


def test_the_test_mail_leads_to_the_public_page():
    survey = open_survey()
    sending().test(survey.pk, "me@example.com", "en", timezone.now())
    (sent,) = mail.outbox
    assert f"/s/{survey.code}/?q1=10" in sent.alternatives[0][0]
    assert not Invitation.objects.exists()


def test_a_question_says_what_is_known_of_the_member_and_nothing_of_a_stranger():
    asked = {"en": "How is {{ member.city }}?", "zh-hans": "{{ member.city }}：{{points.balance}}"}
    survey = open_survey({"sections": [{"id": "s1", "questions": [question("q1", title=asked)]}]})
    mei = make_member(city="上海 <b>", language="zh-hans")
    asked_of = Invitation.objects.create(survey=survey, member=mei, key="wave:1", created_at=timezone.now())
    page = Client().get(reverse("portal:invited", args=[asked_of.uid])).content.decode()
    assert "上海 &lt;b&gt;：0" in page
    assert "How is ?" in Client().get(reverse("portal:survey", args=[survey.code])).content.decode()
    for wrong, anonymous, sentence in (("member.email", False, "nothing that is known"), ("member.city", True, "who")):
        title = {"en": f"{{{{ {wrong} }}}}", "zh-hans": "？"}
        draft = {"sections": [{"id": "s1", "questions": [question("q1", title=title)]}]}
        with pytest.raises(BadSurvey, match=sentence):
            open_survey(draft, anonymous=anonymous)

"""Cases through the front doors: a member tells, staff answer, the member reads it; and what is not let in."""

from datetime import timedelta
from io import BytesIO
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from loyalty_crm.roles import MANAGER, MARKETER
from members.models import User
from members.services.erasure import erase_member
from members.services.profile import link_account
from members.tests.factories import make_member
from rewards.tests.factories import post
from surveys.models import (
    CannedReply,
    Case,
    CaseMessage,
    CaseRule,
    Category,
    Remedy,
    RootCause,
)
from surveys.services.cases.opening import open_case
from surveys.tests.factories import open_survey

pytestmark = pytest.mark.django_db
NASTY = '<script>alert(1)</script>\n=HYPERLINK("http://x","y")'


@pytest.fixture
def anna(settings):
    settings.REQUIRE_STAFF_MFA = False
    member = make_member(name="Anna", email="anna@example.com")
    user = User.objects.create_user("anna@example.com")
    return link_account(member_id=member.pk, user=user, at=timezone.now())


@pytest.fixture
def as_anna(anna) -> Client:
    client = Client()
    client.force_login(anna.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def told(as_anna: Client, text: str = NASTY, **more) -> Case:
    form = {"kind": "complaint", "text": text, "key": str(uuid4()), **more}
    answer = as_anna.post(reverse("portal:tell"), form)
    assert answer.status_code == 302, answer.content
    return Case.objects.latest("pk")


def act(client: Client, case: Case, name: str, **more):
    case.refresh_from_db()
    form = {"act": name, "version": case.version, **more}
    return client.post(reverse("admin:surveys_case_act", args=[case.pk]), form)


def picture() -> SimpleUploadedFile:
    out = BytesIO()
    Image.new("RGB", (200, 100)).save(out, "PNG")
    return SimpleUploadedFile("a.png", out.getvalue(), "image/png")


def test_a_member_tells_staff_answer_and_the_member_reads_it(as_anna, anna, desk):
    key = str(uuid4())
    case = told(as_anna, key=key, picture=picture())
    assert told(as_anna, key=key) == case  # sent twice, it is one
    staff = desk(MARKETER)
    page = staff.get(reverse("admin:surveys_case_change", args=[case.pk])).content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert act(staff, case, "note", text="Internal: known trouble").status_code == 302
    assert act(staff, case, "reply", text="We are sorry <b>", channel="email", then="waiting").status_code == 302
    seen = as_anna.get(reverse("portal:case", args=[case.uid])).content.decode()
    assert "We are sorry &lt;b&gt;" in seen
    assert "known trouble" not in seen
    assert as_anna.post(reverse("portal:case", args=[case.uid]), {"text": "Thank you"}).status_code == 302
    case.refresh_from_db()
    assert (case.state, case.answered_at is not None) == ("open", True)
    board = staff.get(reverse("admin:surveys_case_board")).content.decode()
    assert case.number in board
    exported = staff.post(reverse("admin:surveys_case_export"), {"format": "0", "export": "1"})
    assert b"\n=HYPERLINK" not in exported.content


@pytest.mark.parametrize(
    "form", [{"text": ""}, {"text": "x" * 100_000}, {"kind": "?"}, {"picture": SimpleUploadedFile("a.png", b"<svg>")}]
)
def test_what_is_wrong_is_said_beside_it_and_nothing_is_kept(as_anna, form):
    answer = as_anna.post(reverse("portal:tell"), {"kind": "question", "text": "Why?", **form})
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()
    assert not Case.objects.exists()


def test_nobody_reads_or_writes_anothers_case(as_anna, desk):
    other = make_member(name="Bob")
    case = open_case(kind="question", text="Mine", source="till", member_id=other.pk, at=timezone.now())
    url = reverse("portal:case", args=[case.uid])
    assert as_anna.get(url).status_code == 404
    assert as_anna.post(url, {"text": "Hello"}).status_code == 404
    assert desk("Till").get(reverse("admin:surveys_case_change", args=[case.pk])).status_code == 403
    assert CaseMessage.objects.count() == 1


def test_who_acts_on_what_they_no_longer_see_is_told_and_keeps_their_words(as_anna, desk):
    case, mine = told(as_anna), desk(MARKETER)
    act(desk(MANAGER), case, "assign", owner=User.objects.get(email="manager@example.com").pk)
    answer = mine.post(
        reverse("admin:surveys_case_act", args=[case.pk]),
        {"act": "reply", "version": 1, "text": "A long answer", "channel": "portal", "then": "open"},
    )
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "has changed this case since you opened it" in page
    assert ">A long answer</textarea>" in page
    assert not CaseMessage.objects.filter(kind="out").exists()


def test_the_page_of_a_case_does_all_that_is_to_be_done(as_anna, anna, desk):
    case, staff = told(as_anna, "The milk was sour"), desk(MANAGER)
    post(anna, timezone.now(), purchased_at=timezone.now())
    canned = CannedReply.objects.create(name="Sorry", text_en="Dear {{ name }}, sorry.")
    assert (
        "Dear Anna, sorry."
        in staff.get(reverse("admin:surveys_case_change", args=[case.pk]) + f"?canned={canned.pk}").content.decode()
    )
    cause, category = RootCause.objects.create(name_en="Old machine"), Category.objects.create(name_en="Milk")
    facts = {"kind": "complaint", "severity": "high", "cause": cause.pk, "category": category.pk, "subject": "Milk"}
    purchase = anna.purchases.get()
    for name, form in (
        ("facts", facts | {"purchase": purchase.pk}),
        ("remedy", {"kind": "points", "points": "50", "key": str(uuid4())}),
        ("remedy", {"kind": "apology", "key": str(uuid4())}),
        ("plan", {"title": "A new machine", "cause": cause.pk}),
        ("move", {"to": "resolved"}),
        ("move", {"to": "closed"}),
    ):
        assert act(staff, case, name, **form).status_code == 302, (name, form)
    case.refresh_from_db()
    assert (case.state, case.purchase, case.severity, case.actions.get().title) == (
        "closed", purchase, "high", "A new machine",
    )  # fmt: skip
    assert sorted(Remedy.objects.values_list("kind", "state")) == [("apology", "given"), ("points", "given")]
    for name, wrong in (
        ("move", {"to": "waiting"}),
        ("remedy", {"kind": "points", "points": "-5", "key": str(uuid4())}),
        ("merge", {"into": case.pk}),
        ("publish", {"title_en": "x"}),
        ("facts", facts | {"kind": "no"}),
    ):
        with_problem = act(staff, case, name, **wrong)
        assert with_problem.status_code == 422, name
    assert act(staff, case, "nothing").status_code == 404
    page = staff.get(reverse("admin:surveys_improvementaction_effect", args=[case.actions.get().pk]))
    assert page.status_code == 200
    figures = staff.get(reverse("admin:surveys_case_figures")).content.decode()
    assert "1 on 1 purchases" in figures
    assert staff.get(reverse("admin:surveys_case_figures_file")).content.decode().count("Milk") == 1


def test_ideas_are_liked_in_the_portal_and_a_suggestion_is_answered(as_anna, desk):
    case, staff = told(as_anna, "Oat milk", kind="suggestion"), desk(MARKETER)
    done = {"title_en": "Oat milk", "state": "done"}
    assert act(staff, case, "publish", **done).status_code == 422  # what was done?
    assert act(staff, case, "publish", **done, answer_en="Since June").status_code == 302
    page = as_anna.get(reverse("portal:ideas")).content.decode()
    assert "Since June" in page
    assert "Anna" not in page.partition('class="panel idea"')[2]
    for wanted, n in (("yes", 1), ("yes", 1), ("no", 0)):
        as_anna.post(reverse("portal:like_idea", args=[case.suggestion.pk]), {"wanted": wanted})
        assert case.suggestion.likes.count() == n
    act(staff, case, "publish", **done, answer_en="Since June", shown="no")
    assert as_anna.post(reverse("portal:like_idea", args=[case.suggestion.pk])).status_code == 404


def test_a_case_of_who_is_erased_is_still_a_page(as_anna, anna, desk):
    case = told(as_anna)
    erase_member(member_id=anna.pk, at=timezone.now() + timedelta(minutes=1))
    staff = desk(MARKETER)
    for name, args in (("change", [case.pk]), ("changelist", []), ("board", [])):
        page = staff.get(reverse(f"admin:surveys_case_{name}", args=args))
        assert page.status_code == 200
        assert "HYPERLINK" not in page.content.decode()
    assert act(staff, case, "reply", text="Hello", channel="email", then="open").status_code == 422


def test_mail_that_arrives_at_the_webhook_is_put_to_its_case(as_anna, settings):
    settings.ANYMAIL = {"WEBHOOK_SECRET": "user:pass"}
    case = told(as_anna, "Cold")
    raw = (
        f"From: Anna <anna@example.com>\r\nTo: care+{case.uid.hex}@shop.example\r\nSubject: Re: [C-1]\r\n"
        "Message-ID: <a@b>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nA latte\r\n\r\n## Café\r\nold words\r\n"
    )
    form = {
        "recipient": f"care+{case.uid.hex}@shop.example", "sender": "anna@example.com", "body-mime": raw,
        "timestamp": "1", "token": "t", "signature": "s",
    }  # fmt: skip
    from anymail.inbound import AnymailInboundMessage
    from anymail.signals import AnymailInboundEvent, inbound

    message = AnymailInboundMessage.parse_raw_mime(raw)
    message.envelope_recipient = form["recipient"]
    for _twice in range(2):
        inbound.send(sender=None, event=AnymailInboundEvent(event_type="inbound", message=message), esp_name="Test")
    assert list(case.messages.values_list("text", flat=True)) == ["Cold", "A latte"]
    message["Auto-Submitted"] = "auto-replied"
    message.replace_header("Message-ID", "<c@d>")
    inbound.send(sender=None, event=AnymailInboundEvent(event_type="inbound", message=message), esp_name="Test")
    assert case.messages.count() == 2


def test_a_mail_of_html_with_files_keeps_what_can_be_kept_and_names_the_rest(
    as_anna, desk, tmp_path, settings, django_capture_on_commit_callbacks
):
    from email.message import EmailMessage

    from anymail.inbound import AnymailInboundMessage
    from anymail.signals import AnymailInboundEvent, inbound

    settings.MEDIA_ROOT = tmp_path
    photo = BytesIO()
    Image.new("RGB", (200, 100), "red").save(photo, "JPEG", comment=b"GPS 52.5")
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Anna <anna@example.com>", "care@shop.example", "Cold again"
    mail["Message-ID"] = "<html@x>"
    mail.set_content(
        "<head><style>p{}</style></head><p>The <b>latte</b> &lt;was&gt; cold</p><script>steal()</script>冷<br>again"
        '<blockquote type="cite"><p>old words<br>more</p></blockquote><!-- hidden -->',
        subtype="html",
    )
    mail.add_attachment(photo.getvalue(), maintype="image", subtype="jpeg", filename="../../latte.jpg")
    mail.add_attachment(b"%PDF-1.7\n...\n%%EOF\n", maintype="application", subtype="pdf", filename="bill.pdf")
    mail.add_attachment(b"MZ not a picture", maintype="image", subtype="png", filename="fake.png")
    message = AnymailInboundMessage.parse_raw_mime_bytes(mail.as_bytes())
    for _twice in range(2):
        inbound.send(sender=None, event=AnymailInboundEvent(event_type="inbound", message=message), esp_name="Test")
    case = Case.objects.get()
    (said,) = case.messages.all()
    assert said.text == "The latte <was> cold\n冷\nagain"
    picture, bill = said.files.order_by("pk")
    assert (picture.name, picture.width, bill.name) == ("latte.jpg", 200, "bill.pdf")
    assert b"GPS" not in picture.file.read()
    page = as_anna.get(reverse("portal:case", args=[case.uid])).content.decode()
    assert "“fake.png” was not kept: neither a picture that can be shown nor a PDF." in page
    shown = as_anna.get(reverse("portal:case_file", args=[case.uid, "file", picture.pk]))
    assert (shown["Content-Type"], shown["X-Content-Type-Options"]) == ("image/jpeg", "nosniff")
    saved = as_anna.get(reverse("portal:case_file", args=[case.uid, "file", bill.pk]))
    assert saved["Content-Disposition"] == 'attachment; filename="bill.pdf"'
    staff = desk(MARKETER)
    shown = staff.get(reverse("admin:surveys_case_change", args=[case.pk])).content.decode()
    link = reverse("admin:surveys_case_file", args=[case.pk, "file", bill.pk])
    assert link in shown
    assert "fake.png" in shown
    assert b"".join(staff.get(link).streaming_content).startswith(b"%PDF-")
    other = open_case(kind="praise", text="Good", source="staff", at=timezone.now())
    assert staff.get(reverse("admin:surveys_case_file", args=[other.pk, "file", bill.pk])).status_code == 404
    del mail["Message-ID"]
    mail["Message-ID"], name = "<empty@x>", said.files.first().file.name
    mail.get_payload()[0].set_content("<img src=x>", subtype="html")
    message = AnymailInboundMessage.parse_raw_mime_bytes(mail.as_bytes())
    inbound.send(sender=None, event=AnymailInboundEvent(event_type="inbound", message=message), esp_name="Test")
    assert CaseMessage.objects.latest("pk").text == "Cold again"  # no words: the subject stands for them
    with django_capture_on_commit_callbacks(execute=True):
        erase_member(member_id=case.member_id, at=timezone.now())
    assert not (tmp_path / name).exists()


def test_a_rule_for_cases_picks_its_question_from_those_of_the_survey(desk):
    survey = open_survey()
    staff, page = desk(MARKETER), reverse("admin:surveys_caserule_add")
    shown = staff.get(page).content.decode()
    assert f'value="{survey.pk}:q1"' in shown
    assert f'value="{survey.pk}:q2"' not in shown  # words have no “at most”
    form = {"asked": f"{survey.pk}:q1", "severity": "high", "active": "on"}
    assert "up to which answer" in staff.post(page, form).content.decode()
    assert staff.post(page, form | {"at_most": "4"}).status_code == 302
    rule = CaseRule.objects.get(survey=survey)  # one for every survey came with the tables
    assert (rule.survey, rule.question, rule.at_most) == (survey, "q1", 4)
    page = reverse("admin:surveys_caserule_change", args=[rule.pk])
    assert f'value="{survey.pk}:q1" selected' in staff.get(page).content.decode()
    assert staff.post(page, {"asked": ":", "severity": "low"}).status_code == 302
    rule.refresh_from_db()
    assert (rule.survey, rule.question, rule.at_most) == (None, "", None)

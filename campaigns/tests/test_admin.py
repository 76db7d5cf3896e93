"""The marketer's pages: what the greeting will do, who is due, what became of each message, the mail on disk."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils.timezone import localdate, now
from django.utils.translation import override

from campaigns.content.ready import READY
from campaigns.enums import MessageState
from campaigns.models import BirthdayGreeting, Message
from campaigns.services.birthdays import plan
from campaigns.services.delivery import deliver
from campaigns.services.greeting import EDITABLE, get_greeting
from campaigns.services.templates import TemplateOfGreeting, archive_template, save_template
from campaigns.tests.factories import agree, celebrant, switch_on, utc
from common.sms import send_sms
from members.models import User
from members.queries import timeline

pytestmark = pytest.mark.django_db
CHANGE = "/admin/campaigns/birthdaygreeting/1/change/"
PANEL = reverse("admin:campaigns_birthdaygreeting_panel")


@pytest.fixture
def desk(settings):
    """Signs in somebody with a role."""
    settings.REQUIRE_STAFF_MFA = False

    def sign_in(role: str = "Marketer") -> Client:
        user = User.objects.create_user(f"{role.lower()}@example.com", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


def form_data(**changes) -> dict:
    greeting = get_greeting()
    data = {name: getattr(greeting, name) for name in EDITABLE} | {"template": greeting.template_id} | changes
    return {name: value for name, value in data.items() if value is not None and value is not False}


def text(response) -> str:
    return response.content.decode()


def test_the_list_leads_to_the_one_page(desk):
    answer = desk().get("/admin/campaigns/birthdaygreeting/", follow=True)
    assert answer.redirect_chain == [(CHANGE, 302)]
    assert "What this would do if it were switched on" in text(answer)


def test_the_page_does_not_wait_for_the_count(desk):
    page = text(desk().get(CHANGE))
    outlook = reverse("admin:campaigns_birthdaygreeting_outlook")
    assert f'hx-get="{outlook}"' in page


def test_saving_switches_on_from_now(desk):
    desk().post(CHANGE, form_data(active="on", send_hour=10, gift_points=50))
    greeting = get_greeting()
    assert (greeting.active, greeting.send_hour, greeting.gift_points) == (True, 10, 50)
    assert now() - greeting.active_since < timedelta(minutes=1)
    assert greeting.last_checked_at == greeting.active_since


def test_its_template_is_not_archived_under_it():
    with pytest.raises(TemplateOfGreeting):
        archive_template(template_id=get_greeting().template_id, at=now())


def test_the_panel_says_what_unsaved_settings_would_do(desk):
    celebrant(localdate().month, localdate().day)
    client = desk()
    content = READY["welcome"].content | {"subject": {"en": "Hey {{ member.name }}", "zh-hans": "{{ member.name }}"}}
    other = save_template(template_id=None, name="Hey", kind="marketing", content=content, actor_id=None, at=now())
    form = form_data(send_hour=18, days_ahead=3, gift_points=500, template=other.template_id)
    answer = client.post(PANEL, form)
    assert "At 18:00 in their own time zone, 3 days before their birthday" in text(answer)
    assert "500 points are given with it, to spend within 60 days." in text(answer)
    assert "In the next 30 days 1 member has a birthday: 1 will be greeted." in text(
        client.get(reverse("admin:campaigns_birthdaygreeting_outlook"))
    )
    assert "Hey Mei Lin" in text(answer)
    assert "Select a valid choice" in text(client.post(PANEL, form_data(template=0)))
    assert get_greeting().send_hour == 9


def test_a_worker_that_looks_no_more_is_noticed(desk):
    switch_on(at=now() - timedelta(hours=2))
    client = desk()
    assert "Is the worker running?" in text(client.get(CHANGE))
    BirthdayGreeting.objects.update(last_checked_at=now())
    assert "Is the worker running?" not in text(client.get(CHANGE))


def test_who_is_due_and_who_not_page_by_page(desk):
    switch_on(at=now() - timedelta(days=1))
    soon = localdate() + timedelta(days=5)
    wanting = [celebrant(soon.month, soon.day) for _ in range(51)]
    silent = celebrant(soon.month, soon.day, consent=False, name="Silent Sam")
    client = desk()
    first = client.get(reverse("admin:campaigns_birthdaygreeting_upcoming"))
    assert "52 members have a birthday: 51 will be greeted, 1 have not agreed" in text(first)
    assert "Silent Sam" not in text(first)
    second = client.get(reverse("admin:campaigns_birthdaygreeting_upcoming"), {"after": first.context["following"]})
    assert [row["member"] for row in second.context["rows"]] == [wanting[50], silent]
    assert "has not agreed to such messages" in text(second)


def test_the_mail_of_one_member_in_either_language(desk):
    switch_on(gift_points=40)
    member = celebrant(5, 12, name="Anna", language="zh-hans")
    url = reverse("admin:campaigns_birthdaygreeting_mail", args=[member.pk, "2026-05-12"])
    client = desk()
    assert "Anna，生日快乐！" in text(client.get(url))
    assert "Happy birthday, Anna!" in text(client.get(url, {"language": "en"}))
    assert Message.objects.count() == 0
    assert client.get(url, {"language": "xx"}).status_code == 404


def test_a_test_mail_goes_to_oneself_and_only_by_post(desk):
    client, url = desk(), reverse("admin:campaigns_birthdaygreeting_send_test_mail", args=[1])
    get_greeting()
    assert "Two mails go to marketer@example.com" in text(client.get(url))
    assert mail.outbox == []
    client.post(url)
    english, chinese = mail.outbox
    assert english.to == chinese.to == ["marketer@example.com"]
    assert english.subject == "[Test] Happy birthday, Mei Lin!"
    assert chinese.subject.endswith("，生日快乐！")


def test_a_message_is_found_by_its_member_and_tells_its_story(desk):
    switch_on(at=utc(2026, 5, 11), gift_points=30)
    anna, _other = celebrant(5, 12, name="Anna Berg"), celebrant(5, 12)
    plan(at=utc(2026, 5, 12, 9))
    deliver(clock=lambda: utc(2026, 5, 12, 9))
    client = desk()
    found = client.get("/admin/campaigns/message/", {"q": anna.email})
    assert [m.member for m in found.context["cl"].result_list] == [anna]
    page = text(client.get(f"/admin/campaigns/message/{Message.objects.get(member=anna).pk}/change/"))
    assert "Birthday on May 12; due at 09:00 in UTC" in page
    assert "Happy birthday, Anna Berg!" in page
    assert "Birthday gift" in page


def test_every_state_is_shown_in_words(desk):
    switch_on(at=utc(2026, 5, 1))
    celebrant(5, 12, consent=False)
    plan(at=utc(2026, 5, 12, 9))
    assert Message.objects.get().state == MessageState.SKIPPED  # one that has no colour
    client = desk()
    client.cookies["django_language"] = "zh-hans"
    page = text(client.get("/admin/campaigns/message/"))
    with override("zh-hans"):
        assert re.search(rf"</?span[^>]*>\s*{MessageState.SKIPPED.label}\s*</span>", page)


def test_missed_greetings_are_sent_again_after_a_question_and_for_a_reason(desk):
    switch_on(at=utc(2026, 5, 1))
    first, second = celebrant(5, 5), celebrant(5, 5)
    plan(at=utc(2026, 5, 12, 9))
    agree(second, at=utc(2026, 5, 12), granted=False)
    client = desk()
    ids = list(Message.objects.values_list("pk", flat=True))
    asked = client.post(
        "/admin/campaigns/message/?state__exact=missed", {"action": "send_again_selected", "_selected_action": ids}
    )
    data = {"ids": ",".join(map(str, ids)), "reason": "The server was down"}
    assert f"ids={','.join(map(str, ids))}".replace(",", "%2C") in asked.url
    preview = text(client.post(asked.url, data))
    assert "2 messages go out again." in preview
    assert set(Message.objects.values_list("state", flat=True)) == {"missed"}
    client.post(asked.url, data | {"confirmed": "1"})
    assert set(Message.objects.values_list("state", flat=True)) == {"queued"}
    assert timeline(first.pk).first().data["reason"] == "The server was down"
    deliver(clock=now)
    assert [m.to for m in mail.outbox] == [[first.email]]  # the other has said no in the meantime


def test_doubt_is_named_before_a_second_mail(desk):
    switch_on(at=utc(2026, 5, 11))
    celebrant(5, 12)
    plan(at=utc(2026, 5, 12, 9))
    Message.objects.update(state="unknown", frozen_at=utc(2026, 5, 12, 9))
    client, ids = desk(), str(Message.objects.get().pk)
    page = text(client.get(f"/admin/campaigns/message/{ids}/change/"))  # a button each way
    assert f"/admin/campaigns/message/{ids}/send-this-again" in page
    assert f"/admin/campaigns/message/{ids}/mark-this-sent" in page
    preview = client.post("/admin/campaigns/message/send-again/", {"ids": ids, "reason": "x"})
    assert "that member may get the mail twice" in text(preview)
    client.post("/admin/campaigns/message/mark-sent/", {"ids": ids, "reason": "seen in the log", "confirmed": "1"})
    assert Message.objects.get().state == "sent"
    assert "mark-this-sent" not in text(client.get(f"/admin/campaigns/message/{ids}/change/"))


def test_the_outbox_is_read_by_managers_only(desk, settings):
    settings.EMAIL_BACKEND = "common.mail.OutboxBackend"
    switch_on(at=utc(2026, 5, 11), gift_points=30)
    celebrant(5, 12, language="zh-hans", name="<b>梅</b>")
    plan(at=utc(2026, 5, 12, 9))
    deliver(clock=lambda: utc(2026, 5, 12, 9))
    send_sms("+8613800138000", "Your code is 123456")
    url = reverse("admin:campaigns_message_outbox")
    assert desk("Marketer").get(url).status_code == 403
    manager = desk("Manager")
    listing = manager.get(url)
    assert [line.to for line in listing.context["kept"]] == ["+8613800138000", Message.objects.get().to]
    names = [line.name for line in listing.context["kept"]]
    assert "Your code is 123456" in text(manager.get(reverse("admin:campaigns_message_outbox_file", args=[names[0]])))
    page = text(manager.get(reverse("admin:campaigns_message_outbox_file", args=[names[1]])))
    assert "生日快乐" in page
    assert "<iframe sandbox srcdoc=" in page
    assert "<b>梅</b>" not in page
    for name in ("..%2Fx.eml", "nothing.eml", ".hidden.eml"):
        assert manager.get(f"{url}{name}/").status_code != 200

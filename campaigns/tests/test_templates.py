"""Templates in versions, snippets, the brand, and the pages on which they are written."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from PIL import Image

from campaigns.content.blocks import BadContent
from campaigns.content.compiled import compiled
from campaigns.content.ready import READY
from campaigns.models import Brand, MailPicture, Message, Sender, Template, TemplateVersion
from campaigns.services.brand import save_brand
from campaigns.services.templates import (
    add_picture,
    archive_template,
    copy_template,
    example,
    newest_version,
    remove_unused_pictures,
    restore_version,
    save_snippet,
    save_template,
)
from members.tests.factories import make_member
from rewards.services.pictures import PictureRefused

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 12, 10, tzinfo=UTC)


def text(english: str) -> dict:
    return {"type": "text", "text": {"en": english, "zh-hans": "您好"}}


def saying(*blocks: dict, subject: str = "Hello") -> dict:
    return {"subject": {"en": subject, "zh-hans": "您好"}, "blocks": list(blocks)}


def save(content: dict, template_id: int | None = None, name: str = "Hello") -> TemplateVersion:
    return save_template(template_id=template_id, name=name, kind="marketing", content=content, actor_id=None, at=AT)


def png(size: tuple[int, int] = (200, 100), mode: str = "RGB") -> io.BytesIO:
    out = io.BytesIO()
    Image.new(mode, size, (200, 30, 60)).save(out, "PNG")
    out.seek(0)
    out.name = "p.png"
    return out


def test_a_change_is_a_version_and_none_is_none():
    first = save(saying(text("One")))
    assert save(saying(text("One")), first.template_id) == first
    second = save(saying(text("Two")), first.template_id)
    assert (first.number, second.number) == (1, 2)
    third = restore_version(template_id=first.template_id, number=1, actor_id=None, at=AT)
    assert (third.number, third.content) == (3, first.content)
    assert "1" in third.note
    copied = copy_template(template_id=first.template_id, name="Other", actor_id=None, at=AT)
    assert copied.template_id != first.template_id
    assert copied.content == third.content


def test_a_version_stays_as_it_is():
    version = save(saying(text("One")))
    for act in (
        lambda: TemplateVersion.objects.filter(pk=version.pk).update(blocks=[]),
        lambda: TemplateVersion.objects.filter(pk=version.pk).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()


def test_what_cannot_be_made_is_not_kept():
    with pytest.raises(BadContent):
        save(saying(text("{{ nothing.there }}")))
    assert not Template.objects.exists()


def test_a_snippet_goes_into_what_shows_it_as_a_new_version():
    snippet, _none = save_snippet(
        snippet_id=None, name="Hours", content={"blocks": [text("From 8")]}, actor_id=None, at=AT
    )
    shows = save(saying(text("One"), {"type": "snippet", "snippet": snippet.pk}))
    other = save(saying(text("Two")))
    retired = save(saying({"type": "snippet", "snippet": snippet.pk}))
    archive_template(template_id=retired.template_id, at=AT)
    _snippet, made = save_snippet(
        snippet_id=snippet.pk, name="Hours", content={"blocks": [text("From 9")]}, actor_id=None, at=AT
    )
    assert [version.template_id for version in made] == [shows.template_id]
    assert newest_version(other.template_id).number == 1
    assert "From 8" in compiled(shows.pk, "en").render(example()).text
    assert "From 9" in compiled(made[0].pk, "en").render(example()).text
    with pytest.raises(BadContent, match="cannot hold another"):
        save_snippet(
            snippet_id=None,
            name="In",
            content={"blocks": [{"type": "snippet", "snippet": snippet.pk}]},
            actor_id=None,
            at=AT,
        )


def test_what_is_compiled_serves_until_the_brand_changes():
    version = save(saying(text("One")))
    made = compiled(version.pk, "en")
    assert compiled(version.pk, "en") is made
    save_brand(values={"accent": "#0f766e"}, logo=None, at=AT)
    again = compiled(version.pk, "en")
    assert again is not made
    assert "#0f766e" in compiled(save(saying({"type": "points"})).pk, "en").render(example()).html


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"accent": "#ffd54a"}, "accent", "Accent on white: 1.4 to 1, hard to read"),
        ({"text": "#cccccc"}, "text", "Text on white: 1.6 to 1"),
        ({"accent": "red"}, "accent", "like #7c2f62"),
        ({"social": [{"label": "X", "url": "javascript:1"}]}, "social", "One page a line"),
    ],
)
def test_a_brand_that_cannot_be_read_is_refused_with_the_ratio(values, field, sentence):
    with pytest.raises(ValidationError) as refused:
        save_brand(values=values, logo=None, at=AT)
    assert any(sentence in one for one in refused.value.message_dict[field])


def test_the_brand_dresses_the_portal(client):
    assert client.get(reverse("brand_styles")).content == b""
    save_brand(values={"accent": "#0f766e", "radius": 4}, logo=png((300, 90), "RGBA"), at=AT)
    answer = client.get(reverse("brand_styles"))
    css = answer.content.decode()
    assert "--accent: light-dark(#0f766e," in css
    assert "--radius: 4px" in css
    brand = Brand.objects.get()
    assert brand.logo.endswith(".png")
    assert f"/media/mail/{brand.logo}" in css
    assert client.get(f"/media/mail/{brand.logo}")["Content-Type"] == "image/png"
    assert client.get(reverse("brand_styles"), headers={"if-none-match": answer["ETag"]}).status_code == 304
    assert client.get("/media/mail/../x").status_code == 404


def test_a_picture_is_written_anew_for_mail():
    picture = add_picture(file=png((2000, 500)), at=AT)
    assert picture.name.endswith(".jpg")
    assert (picture.width, picture.height) == (1280, 320)
    with pytest.raises(PictureRefused):
        add_picture(file=io.BytesIO(b"<svg onload=alert(1)>"), at=AT)


# --- Pages ----------------------------------------------------------------------------------------------------------
def ask(client, **given) -> dict:
    url = reverse("admin:campaigns_template_preview")
    return client.post(url, json.dumps(given), content_type="application/json").json()


def test_the_preview_shows_a_member_their_own(admin_client):
    member = make_member(name="<i>李</i>", language="zh-hans")
    given = {"content": saying(text("Dear {{ member.name }}")), "member": member.pk, "language": "en"}
    answer = ask(admin_client, **given)
    assert "Dear <i>李</i>" in answer["text"]
    assert "Dear &lt;i&gt;李&lt;/i&gt;" in answer["html"]
    assert "@media not all" in answer["html"]
    assert "@media all" in ask(admin_client, **given, dark=True)["html"]
    assert "Dear &lt;i&gt;李&lt;/i&gt;" in answer["inapp"]
    assert "color-scheme: light" in answer["inapp"]
    assert "color-scheme: dark" in ask(admin_client, **given, dark=True)["inapp"]
    found = admin_client.get(reverse("admin:campaigns_template_members"), {"q": member.card_number}).json()
    assert [one["id"] for one in found] == [member.pk]


@pytest.mark.parametrize("given", [{}, {"content": 5}, {"content": {"blocks": {}}}, {"content": {"blocks": [None]}}])
def test_the_preview_says_what_is_wrong(admin_client, given):
    answer = ask(admin_client, **given)
    assert answer["problems"]
    assert "html" not in answer


def test_it_is_written_without_a_script(admin_client):
    add = reverse("admin:campaigns_template_add")
    page = admin_client.get(reverse("admin:campaigns_template_ready", args=["birthday"]))
    assert "Happy birthday" in page.content.decode()
    bad = {"name": "B", "kind": "marketing", "content": json.dumps(saying(text("{{ member.nam }}"))), "save": "1"}
    answer = admin_client.post(add, bad)
    assert "Did you mean “member.name”" in answer.content.decode()
    assert not Template.objects.exists()
    good = {**bad, "content": json.dumps(READY["birthday"].content)}
    del good["save"]
    assert "Happy birthday" in admin_client.post(add, {**good, "check": "1"}).content.decode()
    assert not Template.objects.exists()
    saved = admin_client.post(add, {**bad, "content": json.dumps(READY["welcome"].content)}, follow=True)
    assert "saved, as version 1" in saved.content.decode()
    template = Template.objects.get()
    listed = admin_client.get(reverse("admin:campaigns_template_changelist")).content.decode()
    assert template.name in listed
    change = reverse("admin:campaigns_template_change", args=[template.pk])
    admin_client.post(change, {**bad, "content": json.dumps(saying(text("Two")))})
    versions = admin_client.get(reverse("admin:campaigns_template_versions", args=[template.pk])).content.decode()
    assert "<ins>Text, English: Two</ins>" in versions
    restore = reverse("admin:campaigns_template_version", args=[template.pk, 1])
    assert "− Text, English: Two" in admin_client.post(restore, {}).content.decode()
    admin_client.post(restore, {"confirmed": "1"})
    assert newest_version(template.pk).number == 3


def test_a_test_mail_goes_in_both_languages_with_its_code(admin_client):
    version = save(READY["win-back-2"].content)
    url = reverse("admin:campaigns_template_test", args=[version.template_id])
    given = {"channel": "email", "to": "me@example.com", "card": ""}
    assert "[Test]" in admin_client.post(url, given).content.decode()
    assert not mail.outbox
    admin_client.post(url, {**given, "confirmed": "1"})
    assert [one.subject for one in mail.outbox] == ["[Test] Something to come back for", "[Test] 回来看看，有礼相待"]
    assert mail.outbox[0].attachments[0]["Content-ID"] == "<coupon>"
    nobody = admin_client.post(url, {**given, "card": "nobody at all"}).content.decode()
    assert "Nobody is found by that" in nobody


def test_a_test_goes_by_each_way_that_is_set_up_and_leaves_no_trace(admin_client, provider, settings, monkeypatch):
    monkeypatch.setenv("MESSAGE_SECRET_KEY", "s3cret")
    version = save(READY["win-back-2"].content)
    url = reverse("admin:campaigns_template_test", args=[version.template_id])
    given = {"channel": "sms", "to": "0170 1234567", "card": "", "confirmed": "1"}
    assert "country code" in admin_client.post(url, given).content.decode()
    admin_client.post(url, {**given, "to": "+49 170 1234567"})
    texts = sorted(file.read_text() for file in Path(settings.OUTBOX_DIR).glob("test-*.sms"))
    assert [text.startswith("To: +491701234567\n\n[Test] ") for text in texts] == [True, True]

    calls = {"channel": "webhook", "transport": "http", "url": f"http://127.0.0.1:{provider.server_port}/w?a=1"}
    body = '{"to": "{{ to }}", "text": "{{ text }}"}'
    Sender.objects.create(label="WeChat", is_default=True, goes_to="card", body=body, **calls)
    admin_client.post(url, {**given, "channel": "webhook", "to": "wx-me"})
    assert [(told["to"], told["text"][:7]) for _path, _headers, told in provider.asked] == [("wx-me", "[Test] ")] * 2
    assert not Message.objects.exists()
    Sender.objects.filter(label="WeChat").update(url="http://10.0.0.1/w")
    refused = admin_client.post(url, {**given, "channel": "webhook", "to": "wx-me"}).content.decode()
    assert "lies inside our own network" in refused


def test_pages_of_the_brand_and_of_a_snippet(admin_client):
    panel = admin_client.get(reverse("admin:campaigns_brand_panel"), {"accent": "#ffd54a"}).content.decode()
    assert "hard to read" in panel
    url = reverse("admin:campaigns_brand_changelist")
    given = {
        "accent": "#0F766E",
        "background": "#ffffff",
        "text": "#111111",
        "radius": "8",
        "social": "Blog https://b.example",
    }
    admin_client.post(url, {**given, "footer_en": "Bye", "footer_zh_hans": "再见"})
    brand = Brand.objects.get()
    assert (brand.accent, brand.radius, brand.social) == ("#0f766e", 8, [{"label": "Blog", "url": "https://b.example"}])
    assert "hard to read" in admin_client.post(url, {**given, "accent": "#ffd54a"}).content.decode()
    add = reverse("admin:campaigns_snippet_add")
    answer = admin_client.post(
        add, {"name": "Hours", "content": json.dumps({"blocks": [text("From 8")]}), "save": "1"}, follow=True
    )
    assert "Hours" in answer.content.decode()


def test_the_list_costs_the_same_for_one_and_for_many(admin_client, django_assert_num_queries):
    url = reverse("admin:campaigns_template_changelist")
    save(saying(text("0")))
    with CaptureQueriesContext(connection) as of_one:
        admin_client.get(url)
    for n in range(5):
        save(saying(text(str(n))), name=f"T{n}")
    with django_assert_num_queries(len(of_one)):
        admin_client.get(url)


def test_pictures_that_no_version_can_show_are_taken_away_after_a_day():
    names = [add_picture(file=png(), at=AT).name for _ in range(3)]
    block = {"type": "picture", "picture": names[0], "alt": {"en": "A cup", "zh-hans": "杯子"}, "to": ""}
    save_template(template_id=None, name="P", kind="marketing", content=saying(block), actor_id=None, at=AT)
    MailPicture.objects.filter(name=names[1]).update(created_at=AT + timedelta(hours=20))
    assert remove_unused_pictures(at=AT + timedelta(hours=30)) == 1
    assert set(MailPicture.objects.values_list("name", flat=True)) == set(names[:2])
    there = [default_storage.exists(f"mail/{name}") for name in names]
    assert there == [True, True, False]


def test_of_two_who_edit_the_same_the_second_is_told(admin_client, settings):
    settings.REQUIRE_STAFF_MFA = False
    made = save(saying(text("Both")), name="Both").template_id
    change = reverse("admin:campaigns_template_change", args=[made])
    seen = admin_client.get(change).context["form"].seen
    mine = {"name": "Both", "kind": "marketing", "save": "1", "seen": seen}
    assert admin_client.post(change, {**mine, "content": json.dumps(saying(text("Hers")))}).status_code == 302
    told = admin_client.post(change, {**mine, "content": json.dumps(saying(text("His")))})
    assert "Somebody has changed this since you opened it." in told.content.decode()
    assert newest_version(made).content["blocks"][0]["text"]["en"] == "Hers"
    again = {**mine, "content": json.dumps(saying(text("His"))), "seen": told.context["form"].seen}
    assert admin_client.post(change, again).status_code == 302

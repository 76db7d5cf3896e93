"""What marketers may write, and what comes out of it."""

from datetime import date
from html.parser import HTMLParser

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import merge
from campaigns.content.compiled import Content
from campaigns.merge import Recipient
from campaigns.merge_fields import one_line
from campaigns.services.greeting import preview
from campaigns.tests.factories import say, switch_on, utc
from members.models import Programme
from members.services.attributes import archive_attribute, define_attribute
from members.tests.factories import make_member
from rewards.tests.factories import make_rule, make_tiers, post

pytestmark = pytest.mark.django_db  # the fields there are depend on what marketers defined
AT = utc(2026, 5, 12, 9)
URL = "http://localhost:8000/u/x/"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Hi\n\n{{ member.nmae }}", "Line 3: there is no field “member.nmae”. Did you mean “member.name”?"),
        ("{{ secret }}", "Line 1: there is no field “secret”."),
        ("{{ member }}", "Line 1: there is no field “member”. Did you mean “member.name”?"),
        ("{{ member.name.first }}", "Line 1: there is no field “member.name.first”. Did you mean “member.name”?"),
        ("{% if nope > 1 %}x{% endif %}", "Line 1: there is no field “nope”."),
        ("a\n{{ member.name | shout }}", "Line 2: there is no filter “shout”."),
        ("{{ member.name | safe }}", "Line 1: there is no filter “safe”."),
        ("Hi,\n{{ member.name", "Line 2: {{ has no }} after it. A field looks like this: {{ member.name }}."),
        ("{{ member.name }", "Line 1: a field stands between two braces on each side: {{ member.name }}."),
        ("Hi { member.name }", "Line 1: a field stands between two braces on each side: {{ member.name }}."),
        ("{% if member.name", "Line 1: {% has no %} after it. A field looks like this: {{ member.name }}."),
        ("{% if gift.points %}x", "A tag is left open: every {% if %} needs its {% endif %}."),
        ("\n{% include 'x' %}", "Line 2: there is no tag “include” here."),
        ("{% for i in (1..9999999) %}x{% endfor %}", "Line 1: there is no tag “for” here."),
        ("{{ gift.points | divided_by: 0 }}", "Line 1 cannot be read: {{ gift.points | divided_by: 0 }}"),
    ],
)
def test_a_mistake_is_named_with_its_line(text, sentence):
    assert merge.problems(text) == [sentence]


def test_a_custom_attribute_can_be_written_as_soon_as_it_is_defined():
    text = (
        "{{ attribute.milk }}{% if attribute.cup %}, own cup{% endif %}{% if attribute.guests > 9 %}, many{% endif %}"
    )
    assert len(merge.problems(text)) == 3
    options = [{"key": "oat", "en": "Oat milk", "zh-hans": "燕麦奶"}]
    milk = define_attribute(key="milk", label_en="Milk", kind="choice", options=options)
    define_attribute(key="cup", label_en="Own cup", kind="boolean")
    define_attribute(key="guests", label_en="Guests", kind="number")
    assert merge.problems(text) == []
    said = make_member(language="zh-hans", attributes={"milk": "oat", "cup": True, "guests": 12})
    refused = make_member(attributes={"cup": False, "guests": 2})
    archive_attribute(attribute_id=milk.pk, at=AT)  # a text that names it still can be sent
    readers = [Recipient(member, member.language, AT, AT.date()) for member in (said, refused)]
    template = merge.environment.from_string(text)
    assert [template.render(**values) for values in merge.values(readers)] == ["燕麦奶, own cup, many", ""]


def test_every_mistake_is_named():
    assert len(merge.problems("{{ a }} {{ b }}\n{{ member.name }} {{ c }}")) == 3


@pytest.mark.parametrize("text", ["", "50 % off", "R&B < x", "{{ member.name | default: 'x' | upcase }}", "{ a }"])
def test_what_is_right_passes(text):
    assert merge.problems(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "{% assign a = 'xxxxxxxxxx' %}" + "{% assign a = a | append: a %}" * 40 + "{{ a }}",
        "{{ 'x' | append: 'y' }}" * 40_000,
    ],
)
def test_a_text_cannot_grow_without_bound(text):
    assert len(merge.problems(text)) == 1


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("Anna\r\nBcc: all@example.com", "Anna Bcc: all@example.com"),
        ("\u202eanna\u2066", "anna"),
        ("  梅   林 ", "梅 林"),
        ("a\x00b\u2028c", "a b c"),
        ("👩‍🎤", "👩‍🎤"),
    ],
)
def test_names_are_made_fit_for_a_header(typed, seen):
    assert one_line(typed) == seen


def render(member, **settings) -> Content:
    return preview(switch_on(**settings), language=member.language, at=AT, member=member, birthday=date(2026, 5, 12))


def tags(html: str) -> set[str]:
    found: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.add(tag)
    parser.feed(html)
    return found


@pytest.mark.django_db
def test_a_hostile_name_is_only_a_name():
    name = '<script>alert(1)</script> {{ programme.name }} "\r\nBcc: all@example.com'
    say("Dear {{ member.name }}", "Hello {{ member.name }}")
    content = render(make_member(name=name))
    assert "script" not in tags(content.html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ programme.name }}" in content.html
    assert content.subject == 'Hello <script>alert(1)</script> {{ programme.name }} " Bcc: all@example.com'


@pytest.mark.django_db
def test_the_ready_text_reads_well_in_both_languages():
    Programme.objects.create(pk=1, name="Café", postal_address="1 High Street\nLondon", contact_email="a@x.example")
    member = make_member(name="Mei Lin")
    english = render(member, gift_points=100, gift_valid_days=60)
    assert english.subject == "Happy birthday, Mei Lin!"
    assert "Your gift: 100 points, to spend until July 11, 2026" in english.text
    assert "1 High Street" in english.html
    assert "a@x.example" in english.html
    member.language = "zh-hans"
    chinese = render(member, gift_points=100, gift_valid_days=60)
    assert chinese.subject == "Mei Lin，生日快乐！"
    assert "2026年7月11日" in chinese.text
    nameless = render(make_member(name=""), gift_points=0)
    assert nameless.subject == "Happy birthday!"
    assert "Dear friend," in nameless.text
    assert "gift" not in nameless.text


@pytest.mark.django_db
def test_fields_are_read_by_batch(django_assert_num_queries):
    make_rule()
    make_tiers()
    members = [make_member(language=language) for language in ("en", "zh-hans") * 10]
    post(members[0], AT, amount_minor=62_000, purchased_at=AT)
    recipients = [Recipient(member, member.language, AT, date(2026, 5, 12), 10) for member in members]
    with CaptureQueriesContext(connection) as of_two:
        merge.values(recipients[:2])
    with django_assert_num_queries(len(of_two)):
        values = merge.values(recipients)
    tier = values[0]["tier"]
    assert (tier["name"], tier["next"], int(tier["points_to_next"])) == ("Silver", "Gold", 380)
    assert values[1]["tier"]["name"] == "铜卡"
